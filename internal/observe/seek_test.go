package observe

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/host/hosttest"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/workload"
)

// answers is a probe of a host that nothing is known of but that it answers,
// and of these parts.
func answers(parts ...string) hosttest.Handler {
	return func(_ context.Context, _ host.Cmd, in []byte) (host.Result, error) {
		return hosttest.Framed(in, append([]string{"boot", ""}, parts...)...)
	}
}

// observer of three hosts, of which cp3 does what the test says.
func observer(t *testing.T, cp3 hosttest.Handler) (*Observer, *hosttest.Fake) {
	t.Helper()
	o := &Observer{Hosts: map[model.HostID]host.Host{}}
	text := "apiVersion: quorate.dev/v1alpha1\nkind: Cluster\nmetadata: {name: prod}\nspec:\n  kubernetes: {version: v1.36.3}\n  " +
		"controlPlaneEndpoint: api.prod.example:8443\n  hosts:\n"
	var last *hosttest.Fake
	for i := 1; i <= 3; i++ {
		name := fmt.Sprintf("cp%d", i)
		text += fmt.Sprintf("    - {name: %s, address: 192.0.2.%d, roles: [control-plane]}\n", name, i)
		last = hosttest.New(name)
		last.Handle(answers(), "sh")
		o.Hosts[model.HostID(name)] = last
	}
	last.Handle(cp3, "sh")
	var err error
	if o.File, _, err = spec.Parse("t.yaml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	v, err := artifact.Resolve("v1.36.3", nil)
	if err != nil {
		t.Fatal(err)
	}
	o.Artifacts = goal.Artifacts{Versions: v}
	return o, last
}

// A host that did not answer is not waited for again, and joins when it answers.
func TestSought(t *testing.T) {
	var asked atomic.Int32
	back, block := make(chan struct{}), make(chan struct{})
	o, _ := observer(t, func(ctx context.Context, c host.Cmd, in []byte) (host.Result, error) {
		if asked.Add(1) == 1 {
			return host.Result{}, fmt.Errorf("cp3: %w", host.ErrUnreachable)
		}
		close(block) // twice would be a second seeker
		<-back
		return answers()(ctx, c, in)
	})
	ob, err := o.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if h := ob.Have.Hosts["cp3"]; h.Up() || h.Reached.Known() || !ob.Have.Hosts["cp1"].Up() {
		t.Fatalf("cp1 is %v, cp3 is %v", ob.Have.Hosts["cp1"].Reached, h.Reached)
	}
	<-block // the seeker asks, and gets no answer
	for range 2 {
		// Would it be waited for, the test would end by its time-out.
		if ob, err = o.Look(t.Context()); err != nil || ob.Have.Hosts["cp3"].Reached.Known() || !ob.Have.Hosts["cp2"].Up() {
			t.Fatalf("%v: %v", err, ob.Have.Hosts["cp3"])
		}
	}
	close(back)
	for !ob.Have.Hosts["cp3"].Up() {
		if ob, err = o.Look(t.Context(), "cp1"); err != nil {
			t.Fatal(err)
		}
	}
	if o.Sought("cp3") {
		t.Error("it answers, and is still sought")
	}
}

// A host that a step has lost counts as unreached at once, until it answers.
func TestLost(t *testing.T) {
	ok := answers("conflist", `{"plugins":[{"ipam":{"ranges":[[{"subnet":"10.244.7.0/24"}]]}}]}`)
	o, cp3 := observer(t, ok)
	ob, err := o.Look(t.Context())
	if err != nil || !ob.Have.Hosts["cp3"].Up() {
		t.Fatalf("%v: %v", err, ob.Have.Hosts["cp3"].Reached)
	}
	hold := make(chan struct{})
	cp3.Handle(func(ctx context.Context, c host.Cmd, in []byte) (host.Result, error) {
		<-hold
		return ok(ctx, c, in)
	}, "sh")
	o.Disconnected(t.Context(), "cp3", fmt.Errorf("cp3: %w", host.ErrUnreachable))
	if ob, err = o.Glance(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if h := ob.Have.Hosts["cp3"]; h.Up() || h.Reached.Known() {
		t.Errorf("it is %v", h.Reached)
	}
	if got := ob.Goal.Hosts["cp3"].Node.PodCIDR; got != "10.244.7.0/24" {
		t.Errorf("its share of the pod network became %s", got)
	}
	close(hold)
	for !ob.Have.Hosts["cp3"].Up() {
		if ob, err = o.Look(t.Context(), "cp1"); err != nil {
			t.Fatal(err)
		}
	}
}

// Who refuses us is not asked in the background: it might lock us out.
func TestRefusalIsNotSought(t *testing.T) {
	o, _ := observer(t, func(context.Context, host.Cmd, []byte) (host.Result, error) {
		return host.Result{}, fmt.Errorf("cp3: refused user root")
	})
	if _, err := o.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o.Sought("cp3") {
		t.Error("it is sought")
	}
}

// One that is silent is waited for in one look at some hosts, and not in the next.
func TestHurry(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	o, _ := observer(t, func(ctx context.Context, c host.Cmd, in []byte) (host.Result, error) {
		<-end
		return answers()(ctx, c, in)
	})
	frame, err := goal.Build(o.File, o.Artifacts, nil)
	if err != nil {
		t.Fatal(err)
	}
	o.probe(t.Context(), frame, []model.HostID{"cp3"}, waiting{all: time.Millisecond})
	// Would it be waited for, the test would end by its time-out.
	o.probe(t.Context(), frame, []model.HostID{"cp1", "cp3"}, waiting{all: time.Hour})
	ob, err := o.Glance(t.Context(), true)
	if err != nil || !ob.Overdue("cp3") || ob.Overdue("cp1") || !ob.Have.Hosts["cp1"].Up() {
		t.Errorf("%v: cp3 is silent, and cp1 is not", err)
	}
}

// A worker that is slow by intention does not hold up the control plane, and
// nobody passes for such a worker who was ever a member of etcd.
func TestSlowWorker(t *testing.T) {
	o, _ := observer(t, answers())
	o.File.Spec.Hosts[2].Roles = []string{spec.RoleWorker}
	if _, err := o.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	defer close(end)
	slow := func(ctx context.Context, c host.Cmd, in []byte) (host.Result, error) {
		<-end
		return answers()(ctx, c, in)
	}
	o.Hosts["cp3"].(*hosttest.Fake).Handle(slow, "sh")
	ob, err := o.look(t.Context(), []model.HostID{"cp1", "cp2", "cp3"}, waiting{workers: time.Millisecond})
	if err != nil || !ob.Overdue("cp3") || ob.Overdue("cp1") || ob.Overdue("cp2") {
		t.Errorf("%v: cp3 is slow, and the others are not", err)
	}
	for name, change := range map[string]func(){
		"a control plane": func() { o.File.Spec.Hosts[2].Roles = []string{spec.RoleControlPlane} },
		"a member":        func() { o.members = map[model.HostID]bool{"cp3": true} },
		"has etcd's data": func() { o.facts["cp3"] = Facts{Data: true} },
		"runs a server":   func() { o.facts["cp3"].Services[model.APIServer] = workload.State{Installed: true} },
		"was never seen":  func() { delete(o.facts, "cp3") },
		"not in the file": func() { o.File.Spec.Hosts = o.File.Spec.Hosts[:2] },
	} {
		file, members, facts := *o.File, o.members, o.facts["cp3"]
		file.Spec.Hosts = slices.Clone(file.Spec.Hosts)
		facts.Services = maps.Clone(facts.Services)
		if !o.harmless("cp3") {
			t.Fatal("it is not harmless")
		}
		if change(); o.harmless("cp3") {
			t.Errorf("%s: it counts as harmless", name)
		}
		*o.File, o.members, o.facts["cp3"] = file, members, facts
	}
}

// Whoever waits for a first look is told for whom, and once.
func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := observer(t, func(ctx context.Context, _ host.Cmd, _ []byte) (host.Result, error) {
			<-ctx.Done()
			return host.Result{}, ctx.Err()
		})
		var told []string
		o.Waits = func(late []model.HostID, most time.Duration) { told = append(told, fmt.Sprint(late, most)) }
		ctx, cancel := context.WithCancel(t.Context())
		begun := time.Now()
		for range 2 {
			ob, err := o.Look(ctx)
			if err != nil || ob.Have.Hosts["cp3"].Up() || !ob.Have.Hosts["cp1"].Up() {
				t.Fatalf("%v: cp1 is %v, cp3 is %v", err, ob.Have.Hosts["cp1"].Reached, ob.Have.Hosts["cp3"].Reached)
			}
		}
		if took := time.Since(begun); took != probeTimeout || !slices.Equal(told, []string{"[cp3] 20s"}) {
			t.Errorf("after %s: %q", took, told)
		}
		cancel()
		synctest.Wait()
		time.Sleep(seekEvery) // the seeker ends
	})
}
