package model_test

import (
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/model"
)

// member makes a host by a word: "up", "down" (its etcd does not serve), "lost"
// (it does not answer), "unknown" (nor does anyone know of its membership),
// "learner", "unstarted", "none", "gone" (it left, and nothing is known), "begun", "wiped".
func member(word string) model.Host {
	h := model.Host{Roles: model.ControlPlane | model.EtcdHost, Reached: model.Is(true), Ready: model.Is(true)}
	h.Etcd = model.EtcdState{Data: model.Is(true), Bootstrapped: model.Is(true), Member: model.Is(model.Voter), Healthy: model.Is(true)}
	h.Components[model.Etcd].Running, h.Components[model.APIServer].Running = model.Is("e"), model.Is("a")
	switch word {
	case "up":
	case "down":
		h.Etcd.Healthy = model.Is(false)
	case "lost":
		h = model.Host{Roles: h.Roles, Etcd: model.EtcdState{Member: model.Is(model.Voter)}}
	case "unknown":
		h = model.Host{Roles: h.Roles}
	case "gone":
		h = model.Host{}
	case "learner":
		h.Etcd.Member = model.Is(model.Learner)
	case "unstarted":
		h.Etcd = model.EtcdState{Data: model.Is(false), Bootstrapped: model.Is(false), Member: model.Is(model.Unstarted),
			Healthy: model.Is(false)}
		h.Components[model.Etcd].Running = model.Is("")
	case "begun": // it has been ready, and is not seen to serve
		h.Etcd.Member, h.Etcd.Healthy = model.Is(model.Unstarted), model.Is(false)
	case "wiped":
		h.Etcd.Data, h.Etcd.Bootstrapped, h.Etcd.Healthy = model.Is(false), model.Is(false), model.Is(false)
	case "none":
		h.Etcd = model.EtcdState{Data: model.Is(false), Bootstrapped: model.Is(false), Member: model.Is(model.NoMember), Healthy: model.Is(false)}
		h.Components[model.Etcd].Running, h.Components[model.APIServer].Running, h.Ready = model.Is(""), model.Is(""), model.Is(false)
	default:
		panic(word)
	}
	return h
}

// cluster names its hosts a, b, c, … Every API server asks every etcd.
func cluster(words string) model.Cluster {
	c := model.New("t")
	var ids []model.HostID
	for i := range strings.Fields(words) {
		ids = append(ids, model.HostID(rune('a'+i)))
	}
	for i, word := range strings.Fields(words) {
		h := member(word)
		if h.Up() {
			h.EtcdVia = model.Is(model.Way{Kind: model.EachDirectly, Backends: model.SetOf(ids...)})
		}
		c.Put(ids[i], h)
	}
	return c
}

func TestQuorum(t *testing.T) {
	for words, want := range map[string]struct {
		quorum bool
		fatal  string // hosts whose loss would end it
	}{
		"":                      {false, ""},
		"up":                    {true, "a"},
		"down":                  {false, ""},
		"up up":                 {true, "ab"},
		"up lost":               {false, ""},
		"up up up":              {true, ""},
		"up up down":            {true, "ab"},
		"up up lost":            {true, "ab"},
		"up up unknown":         {true, "ab"}, // who may be a voter counts, as down
		"up down unknown":       {false, ""},
		"up up learner":         {true, "ab"}, // a learner has no vote
		"up learner":            {true, "a"},
		"up unstarted":          {false, ""}, // adding a voter before it runs stops one
		"up up up unstarted":    {true, "abc"},
		"up up up none":         {true, ""},
		"up up up gone":         {true, ""},
		"up up up up":           {true, ""},
		"up up up up down":      {true, ""},
		"up up up down down":    {true, "abc"},
		"up up unknown unknown": {false, ""},
		"up up up up up":        {true, ""},
	} {
		t.Run(words, func(t *testing.T) {
			c := cluster(words)
			if got := c.Quorum(""); got != want.quorum {
				t.Errorf("quorum is %t", got)
			}
			fatal := ""
			for _, id := range c.IDs() {
				if want.quorum && !c.Quorum(id) {
					fatal += string(id)
				}
			}
			if fatal != want.fatal {
				t.Errorf("fatal is %q, not %q", fatal, want.fatal)
			}
		})
	}
}

// What was never there is not lost: in a create, the member list names hosts
// that were seen before their etcd began.
func TestQuorumLost(t *testing.T) {
	for words, want := range map[string]bool{
		"none none none":            false,
		"up up up":                  false,
		"up lost up":                false,
		"down lost lost":            true,
		"down down lost":            false, // starting what is there may do
		"down wiped wiped":          true,
		"down unknown unknown":      true,
		"up unstarted unstarted":    false, // it serves, so that a quorum lives
		"up wiped wiped":            false,
		"begun unstarted unstarted": false, // seen at the moment of its birth
		"begun begun unstarted":     false,
		"begun unstarted lost":      false, // two of three can start
		"begun lost lost":           true,
	} {
		if got := cluster(words).QuorumLost(); got != want {
			t.Errorf("%s: lost is %t", words, got)
		}
	}
}

func TestBorn(t *testing.T) {
	prepared := func(change func(*model.Host)) model.Cluster {
		c := cluster("none none none")
		c.Edit("a", change)
		return c
	}
	for name, at := range map[string]struct {
		c    model.Cluster
		born bool
	}{
		"nothing":                     {cluster("none none none"), false},
		"one unseen of three":         {cluster("none none unknown"), false},
		"two unseen of three":         {cluster("none unknown unknown"), true},
		"the only one unseen":         {cluster("unknown"), true},
		"a voter":                     {cluster("up none none"), true},
		"a learner":                   {cluster("learner none none"), true},
		"listed, never started":       {cluster("unstarted unstarted unstarted"), false},
		"one has been ready":          {prepared(func(h *model.Host) { h.Etcd.Bootstrapped = model.Is(true) }), true},
		"data of a birth cut short":   {prepared(func(h *model.Host) { h.Etcd.Data = model.Is(true) }), false},
		"an API server was installed": {prepared(func(h *model.Host) { h.Components[model.APIServer].Disk = model.Is("x") }), true},
	} {
		if got := at.c.Bootstrapped(); got != at.born {
			t.Errorf("%s: born is %t", name, got)
		}
	}
}

func TestHealth(t *testing.T) {
	worker := func(backends ...model.HostID) model.Host {
		h := model.Host{Roles: model.Worker, Reached: model.Is(true), Via: model.Is(model.Way{Kind: model.LocalBalancer}),
			Backends: model.Is(model.SetOf(backends...))}
		h.Components[model.Kubelet].Running, h.Components[model.FrontDoor].Running = model.Is("k"), model.Is("n")
		return h
	}
	const fixed, shared = model.FixedServer, model.SharedBalancer
	only := func(change func(*model.Host)) func(*model.Cluster) { // one worker, whose way is changed
		return func(c *model.Cluster) {
			w := worker()
			change(&w)
			c.Put("w", w)
		}
	}
	for name, at := range map[string]struct {
		words    string
		change   func(*model.Cluster)
		api      bool
		stranded string
		fatal    string
	}{
		"three":              {"up up up", nil, true, "", ""},
		"one":                {"up", nil, true, "", "a"},
		"no quorum, no API":  {"up lost lost", nil, false, "", ""},
		"worker of all":      {"up up up", func(c *model.Cluster) { c.Put("w", worker("a", "b", "c")) }, true, "", ""},
		"worker of one":      {"up up up", func(c *model.Cluster) { c.Put("w", worker("b")) }, true, "", "b"},
		"worker of one lost": {"up up lost", func(c *model.Cluster) { c.Put("w", worker("c")) }, true, "w", "ab"},
		"worker without a door": {"up up up", func(c *model.Cluster) {
			h := worker("a")
			h.Components[model.FrontDoor].Running = model.Is("")
			c.Put("w", h)
		}, true, "w", ""},
		"worker that does not run": {"up up up", func(c *model.Cluster) {
			h := worker()
			h.Components[model.Kubelet].Running = model.Is("")
			c.Put("w", h)
		}, true, "", ""},
		"worker that does not answer": {"up up up", func(c *model.Cluster) {
			h := worker("b")
			h.Reached = model.Known[bool]{}
			c.Put("w",
				h)
		}, true, "", ""},
		"one API server":                  {"up up up", func(c *model.Cluster) { notReady(c, "a", "b") }, true, "", "c"},
		"API servers of their own etcd":   {"up up up", func(c *model.Cluster) { ownOnly(c) }, true, "", ""},
		"own etcd of the only API server": {"up up up", func(c *model.Cluster) { ownOnly(c); notReady(c, "a", "b") }, true, "", "c"},
		"own etcd down":                   {"up up down", func(c *model.Cluster) { ownOnly(c); notReady(c, "a", "b") }, false, "", "ab"},
		"one fixed server":                {"up up up", only(via(fixed, "a")), true, "", "a"},
		"the fixed server is down":        {"up up up", func(c *model.Cluster) { notReady(c, "a"); only(via(fixed, "a"))(c) }, true, "w", ""},
		"one fixed server is all":         {"up", only(via(fixed, "a")), true, "", "a"},
		"shared, elsewhere":               {"up up up", only(via(shared, "a", "b", "c")), true, "", ""},
		"shared, on one host":             {"up up up", only(carried("x")), true, "", "x"},
		"shared, on two hosts":            {"up up up", only(carried("x", "y")), true, "", ""},
		"shared, on two, one lost":        {"up up up", only(carried("x", "z")), true, "", "x"},
		"shared, its host is lost":        {"up up up", only(carried("z")), true, "w", ""},
		"shared, on a control plane":      {"up up up", only(carried("b")), true, "", "b"},
		"a way of which nothing is known": {"up up up", only(func(w *model.Host) { w.Via = model.Known[model.Way]{} }), true, "w", ""},
		"control planes by a shared one":  {"up up up", func(c *model.Cluster) { nodes(c, carried("x"), "a", "b", "c") }, true, "", "x"},
		"control planes by their own":     {"up up up", func(c *model.Cluster) { nodes(c, via(model.OwnServer), "a", "b", "c") }, true, "", ""},
		"a control plane by another":      {"up up up", func(c *model.Cluster) { nodes(c, via(fixed, "a"), "b") }, true, "", "a"},
		"etcd by a balancer": {"down up up", func(c *model.Cluster) { balanced(c, "a", "b", "c"); notReady(c, "b", "c") }, true,
			"", "abc"},
		"it goes on with any backend": {"up up up", func(c *model.Cluster) { balanced(c, "a", "b", "c"); notReady(c, "b", "c") }, true,
			"", "a"},
		"behind it is one, of another": {"up up up", func(c *model.Cluster) { balanced(c, "b"); notReady(c, "b", "c") }, true, "", "ab"},
		"behind it is a learner":       {"up up learner", func(c *model.Cluster) { balanced(c, "c") }, false, "", "ab"},
		"etcd's balancer is down": {"up up up", func(c *model.Cluster) { balanced(c, "a", "b", "c"); noDoor(c, "a", "b") }, true, "",
			"c"},
	} {
		t.Run(name, func(t *testing.T) {
			c := cluster(at.words)
			for _, id := range []model.HostID{"x", "y"} {
				c.Put(id, model.Host{Reached: model.Is(true)})
			}
			if at.change != nil {
				at.change(&c)
			}
			h := c.Health()
			join := func(ids []model.HostID) (s string) {
				for _, id := range slices.Sorted(slices.Values(ids)) {
					s += string(id)
				}
				return s
			}
			if h.Etcd != c.Quorum("") || h.API != at.api || join(h.Stranded) != at.stranded || join(h.Fatal) != at.fatal {
				t.Errorf("%+v", h)
			}
		})
	}
}

func notReady(c *model.Cluster, ids ...model.HostID) {
	for _, id := range ids {
		c.Edit(id, func(h *model.Host) { h.Ready = model.Is(false) })
	}
}

func ownOnly(c *model.Cluster) {
	for _, id := range c.IDs() {
		c.Edit(id, func(h *model.Host) {
			h.EtcdVia = model.Is(model.Way{Kind: model.EachDirectly, Backends: model.SetOf(id)})
		})
	}
}

func via(kind model.WayKind, to ...model.HostID) func(*model.Host) {
	return func(h *model.Host) { h.Via = model.Is(model.Way{Kind: kind, Backends: model.SetOf(to...)}) }
}

// carried is the way by a shared balancer on some hosts: x and y are up, z is not.
func carried(on ...model.HostID) func(*model.Host) {
	return func(h *model.Host) {
		h.Via = model.Is(model.Way{Kind: model.SharedBalancer, Backends: model.SetOf[model.HostID]("a", "b", "c"), Carriers: model.SetOf(on...)})
	}
}

// nodes makes running nodes of control planes.
func nodes(c *model.Cluster, way func(*model.Host), ids ...model.HostID) {
	for _, id := range ids {
		c.Edit(id, func(h *model.Host) { h.Components[model.Kubelet].Running = model.Is("k"); way(h) })
	}
}

// balanced leads all API servers to etcd through their own balancers.
func balanced(c *model.Cluster, members ...model.HostID) {
	for _, id := range c.IDs() {
		c.Edit(id, func(h *model.Host) {
			h.EtcdVia, h.EtcdBackends = model.Is(model.Way{Kind: model.LocalBalancer}), model.Is(model.SetOf(members...))
			h.Components[model.FrontDoor].Running = model.Is("n")
		})
	}
}

func noDoor(c *model.Cluster, ids ...model.HostID) {
	for _, id := range ids {
		c.Edit(id, func(h *model.Host) { h.Components[model.FrontDoor].Running = model.Is("") })
	}
}
