package model_test

import (
	"slices"
	"testing"

	"quorate.dev/quorate/internal/model"
)

func TestKnown(t *testing.T) {
	var zero model.Known[bool]
	if zero.Is(false) || zero.Not(false) || zero.Not(true) || !zero.Or(true) {
		t.Error("the zero value says something")
	}
	if !model.Same(zero, model.Unknown[bool]("asleep")) {
		t.Error("the reason takes part in equality")
	}
	if model.Same(zero, model.Is(false)) {
		t.Error("unknown is false")
	}
	if k := model.Is(2); !k.Is(2) || !k.Not(3) || k.Or(5) != 2 {
		t.Error("a known value is not what it is")
	}
}

func TestSets(t *testing.T) {
	type id = model.HostID
	s, none := model.SetOf[id]("b", "a", "a10", "a"), model.HostSet{}
	if !s.Has("a10") || s.Has("a1") || s.Has("") || none.Has("") || none.Has("a") {
		t.Errorf("%q", s)
	}
	if none.List() != nil || !slices.Equal(s.List(), []id{"a", "a10", "b"}) || s.String() != "a, a10, b" {
		t.Errorf("%q comes apart as %q", s, s.List())
	}
	if !none.IsEmpty() || s.IsEmpty() || s.Any([]id{"c"}) || !s.Any([]id{"c", "b"}) {
		t.Error("it does not know what it holds")
	}
	if s.With("c").Without(model.SetOf[id]("c", "d")) != s || s.Without(s) != none || model.SetOf[id]() != none {
		t.Error("equal sets differ")
	}
}

// TestTry: what is tried leaves no trace, in no clone either.
func TestTry(t *testing.T) {
	c := cluster("up up up")
	c.Addons["x"] = model.Valid("1")
	was, clone := c.Clone(), c.Clone()
	c.Try(func(c *model.Cluster) {
		c.Edit("a", func(h *model.Host) { h.Etcd.Healthy = model.Is(false) })
		c.Edit("b", func(h *model.Host) { h.Etcd.Healthy = model.Is(false) })
		c.CAsCreated = model.Is(true)
	}, func() {
		if c.Quorum("") {
			t.Error("the change is not seen")
		}
	}, "a", "b")
	if !c.Equal(was) || !clone.Equal(was) || len(c.Critical()) != 3 {
		t.Error("it left a trace")
	}
	w := model.Host{Roles: model.Worker}
	c.Put("w", w)
	if clone.IsCritical("w") || len(clone.Hosts) != 3 {
		t.Error("a clone shares its hosts")
	}
	c.Try(func(c *model.Cluster) {
		c.Edit("w", func(h *model.Host) { h.Roles |= model.ControlPlane })
	}, func() {
		if !c.IsCritical("w") {
			t.Error("a new control plane is not critical")
		}
	}, "w")
	if c.IsCritical("w") {
		t.Error("it stayed critical")
	}
}

func TestOnly(t *testing.T) {
	c := cluster("up up up")
	if one := c.Only("b"); len(one.Hosts) != 1 || one.Hosts["b"] != c.Hosts["b"] || len(one.Critical()) != 1 {
		t.Error("Only holds more or less than its host")
	}
	if none := c.Only("z"); len(none.Hosts) != 0 {
		t.Error("Only invents a host")
	}
}
