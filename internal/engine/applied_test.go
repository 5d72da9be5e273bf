package engine

import (
	"testing"

	"quorate.dev/quorate/internal/model"
)

func TestAppliedStays(t *testing.T) {
	seen := applied{}
	look := func(name string, is model.Known[model.Installed]) model.Known[model.Installed] {
		have := model.New("t")
		have.Addons[name] = is
		seen.keep(&have)
		return have.Addons[name]
	}
	silent := model.Unknown[model.Installed]("no API server answers")
	if is := look("rbac", silent); is.Known() {
		t.Errorf("never seen, and yet it is %v", is)
	}
	look("rbac", model.Valid("a"))
	if is := look("rbac", silent); !is.Is(model.Installed{Digest: "a", Valid: true}) {
		t.Errorf("seen, then unknown: it is %v", is)
	}
	look("rbac", model.NotInstalled())
	if is := look("rbac", silent); !is.Is(model.Installed{}) {
		t.Errorf("seen to be gone, then unknown: it is %v", is)
	}
}
