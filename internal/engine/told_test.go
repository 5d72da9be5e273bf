package engine

import (
	"testing"

	"quorate.dev/quorate/internal/model"
)

func TestToldStays(t *testing.T) {
	said := newTold()
	look := func(addon model.Known[model.Installed], registered model.Known[bool]) (model.Known[model.Installed], model.Known[bool]) {
		have := model.New("t")
		have.Addons["rbac"] = addon
		have.Put("cp1", model.Host{Node: model.NodeState{Registered: registered}})
		said.keep(&have)
		return have.Addons["rbac"], have.Hosts["cp1"].Node.Registered
	}
	silent, unknown := model.Unknown[model.Installed]("no API server answers"), model.Unknown[bool]("no API server answers")
	if addon, registered := look(silent, unknown); addon.Known() || registered.Known() {
		t.Errorf("never said, and yet they are %v, %v", addon, registered)
	}
	look(model.Valid("a"), model.Is(true))
	if addon, registered := look(silent, unknown); !addon.Is(model.Installed{Digest: "a", Valid: true}) || !registered.Is(true) {
		t.Errorf("said, then unknown: they are %v, %v", addon, registered)
	}
	look(model.NotInstalled(), model.Is(false))
	if addon, registered := look(silent, unknown); !addon.Is(model.Installed{}) || !registered.Is(false) {
		t.Errorf("said to be gone, then unknown: they are %v, %v", addon, registered)
	}
}
