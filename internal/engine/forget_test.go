package engine

import (
	"errors"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/spec"
)

func TestForgettable(t *testing.T) {
	dead := func(h *model.Host) {
		h.Reached, h.Etcd.Member, h.Node.Registered = model.Unknown[bool]("no answer"), model.Is(model.NoMember), model.Is(false)
	}
	for name, c := range map[string]struct {
		host   model.HostID
		change func(*model.Host)
		api    error
		want   string // "": it can be forgotten
	}{
		"dead": {"old1", nil, nil, ""},
		"of another cluster now": {"old1", func(h *model.Host) { h.Reached, h.Obstacle = model.Is(true), model.Is("it belongs to another") },
			nil, ""},
		"it answers":              {"old1", func(h *model.Host) { h.Reached, h.Obstacle = model.Is(true), model.Is("") }, nil, "apply cleans it"},
		"a member":                {"old1", func(h *model.Host) { h.Etcd.Member = model.Is(model.Voter) }, nil, "apply first"},
		"who knows":               {"old1", func(h *model.Host) { h.Etcd.Member = model.Unknown[model.Member]("no quorum") }, nil, "no quorum"},
		"a node":                  {"old1", func(h *model.Host) { h.Node.Registered = model.Is(true) }, nil, "apply first"},
		"in the file":             {"cp1", nil, nil, "the file names it"},
		"nobody knows it":         {"nobody", nil, nil, "it tracks old1"},
		"no API server to ask it": {"old1", nil, errors.New("none answers"), "none answers"},
	} {
		t.Run(name, func(t *testing.T) {
			file := &spec.Cluster{}
			file.Spec.Hosts = []spec.Host{{Name: "cp1"}}
			ob := &observe.Observation{Goal: &goal.Goal{File: file}, Have: model.New("t"),
				API: observe.APIView{Err: c.api, Departed: []kubeapi.Departed{{Name: "old1", Address: "192.0.2.1"}}}}
			ob.Have.Edit(c.host, dead)
			if c.change != nil {
				ob.Have.Edit(c.host, c.change)
			}
			got, err := Forgettable(ob, c.host)
			if c.want == "" {
				if err != nil || got.Address != "192.0.2.1" {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if !errors.As(err, new(NotForgottenError)) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}
