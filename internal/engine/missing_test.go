package engine

import (
	"testing"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/step/steptest"
)

func TestMissing(t *testing.T) {
	have := steptest.Made("cp1", "")
	s := step.Addon{Name: "coredns", Digest: "new"}
	s.ID = "cp1"
	for want, is := range map[string]model.Known[model.Installed]{
		"coredns is applied, but its pods are not all ready; see `kubectl -n kube-system describe pods`": model.Invalid("new"),
		"coredns is older, not new":                               model.Valid("older"),
		"coredns is nothing, not new":                             model.NotInstalled(),
		"coredns is unknown (no API server answers yet), not new": model.Unknown[model.Installed]("no API server answers yet"),
	} {
		have.Addons["coredns"] = is
		if got := missing(s, have); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
