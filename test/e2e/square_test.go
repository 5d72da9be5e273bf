//go:build lab

package e2e

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/step"
)

// TestSquare goes one step at a time, and holds each step against its paper
// half: Observe∘Do == Effect∘Observe. A small cluster is created, grows by a
// control plane and loses it again. Then it is reset, and created anew. Beside
// it, a host of the same lab is a cluster of static pods.
func TestSquare(t *testing.T) {
	c := newCluster(t, "square", 3, 1)
	all, _, err := spec.Load(c.File)
	if err != nil {
		t.Fatal(err)
	}
	c.chooser(t)("cp1", "cp2", "w1")
	t.Run("on", func(t *testing.T) {
		t.Run("static pods", func(t *testing.T) { t.Parallel(); staticPods(t, c, all, "cp3") })
		t.Run("units", func(t *testing.T) { t.Parallel(); units(t, c, "cp1", "cp2", "w1") })
	})
}

// units is the square of a cluster of systemd units: a and w, then b too.
func units(t *testing.T, c *cluster, a, b, w string) {
	bare := map[string][]string{}
	for _, h := range []string{a, b, w} {
		bare[h] = c.traces(t, h)
	}
	whole, _, err := spec.Load(c.File)
	if err != nil {
		t.Fatal(err)
	}
	small := *whole
	small.Spec.Hosts = slices.DeleteFunc(slices.Clone(whole.Spec.Hosts), func(h spec.Host) bool { return h.Name == b })
	hosts := map[model.HostID]host.Host{}
	for _, h := range whole.Spec.Hosts {
		hosts[model.HostID(h.Name)] = connection(t, whole, h)
	}
	arts := stored(t, whole)
	for _, part := range []struct {
		name  string
		file  *spec.Cluster
		hosts map[model.HostID]host.Host
		nodes []string
		first func()
	}{
		{"create", &small, map[model.HostID]host.Host{model.HostID(a): hosts[model.HostID(a)], model.HostID(w): hosts[model.HostID(w)]},
			[]string{a, w}, nil},
		{"grow", whole, hosts, []string{a, b, w}, func() {
			// An addon that was on, and is switched off.
			c.kubectl(t, a, "-n", "kube-system", "patch", "configmap", "quorate-addons", "--type=merge", "-p",
				`{"data":{"metrics-server":"older"}}`)
		}},
		{"shrink", &small, hosts, []string{a, w}, nil},
	} {
		if part.first != nil {
			part.first()
		}
		if !t.Run(part.name, func(t *testing.T) { square(t, engine.New(part.file, arts, part.hosts)) }) {
			return
		}
		c.nodesReady(t, w, part.nodes...)
		c.oneEtcd(t, without(part.nodes, w)...)
	}
	c.left(t, b, bare[b])
	if has("reset") {
		t.Run("reset", func(t *testing.T) { reset(t, c, bare) })
	}
}

// square brings the hosts to the engine's file, one step at a time. Where the
// effect of a step was seen, the next one is planned.
func square(t *testing.T, e *engine.Engine) {
	kinds := map[string]int{}
	ob, err := e.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		p := plan.Make(ob.Have, ob.Goal.Want, step.Rules())
		if len(p.Blocked)+len(p.Deferred) > 0 {
			t.Fatalf("not all can be done:\n%s", p.Text())
		}
		if p.Empty() {
			t.Logf("steps: %v", kinds)
			return
		}
		s := next(p.Stages[0].Steps)
		kinds[s.About().Kind]++
		if err := e.Do(t.Context(), ob, s); err != nil {
			t.Fatalf("%s: %v", s.About().Key(), err)
		}
		ob = holds(t, e, s, ob.Have)
	}
	t.Errorf("still not done: %v", kinds)
}

// next is the first step. Workloads have their turn when no other step is left:
// until the last node is there they may not be complete.
func next(steps []plan.Step) plan.Step {
	i := slices.IndexFunc(steps, func(s plan.Step) bool {
		return s.About().Kind != "addon-coredns" && s.About().Kind != "addon-metrics-server"
	})
	return steps[max(i, 0)]
}

// holds polls until what is observed is what the step's effect says, and no
// more than that.
func holds(t *testing.T, e *engine.Engine, s plan.Step, before model.Cluster) *observe.Observation {
	t.Helper()
	want := before.Clone()
	s.Effect(&want)
	was, should := leaves(before), leaves(want)
	key, began := s.About().Key(), time.Now()
	var wrong []string
	for time.Since(began) < patience/3 {
		ob, err := e.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		is := leaves(ob.Have)
		wrong = nil
		for _, path := range slices.Sorted(maps.Keys(is)) {
			w, s, i := was[path], should[path], is[path]
			if i != s && !(w == s && comesAlong(path, w, i, ob.Have)) {
				wrong = append(wrong, fmt.Sprintf("%s was %s, should be %s, is %s", path, w, s, i))
			}
		}
		if len(wrong) == 0 {
			return ob
		}
	}
	t.Fatalf("%s: %s", key, strings.Join(wrong, "\n\t"))
	return nil
}

// comesAlong says that a fact may change without a step that says so. Facts
// that the API or etcd tell are not known while these do not answer, once
// there are keys; a node gets Ready by itself when all is there, and is not
// Ready some time after its kubelet went; and etcd exits, again and again,
// where it learns that it was removed.
func comesAlong(path, was, is string, now model.Cluster) bool {
	told := strings.Contains(path, ".Node.") || strings.HasPrefix(path, "addon ") || strings.HasSuffix(path, ".Etcd.Member") ||
		strings.HasSuffix(path, ".Departed")
	if told && (was == unknown || is == unknown) {
		return true
	}
	if id, ok := strings.CutSuffix(path, ".Node.Ready"); ok {
		h := now.Hosts[model.HostID(id)]
		return is == `"false"` || h.Runs(model.Kubelet)
	}
	if id, ok := strings.CutSuffix(path, ".Components.etcd.Running"); ok {
		return is == `""` && now.Hosts[model.HostID(id)].Etcd.Member.Is(model.NoMember)
	}
	return false
}

const unknown = "unknown"

// leaves are all facts of a cluster as text, by path.
func leaves(c model.Cluster) map[string]string {
	out := map[string]string{"minted": text(reflect.ValueOf(c.CAsCreated)), "conflict": c.Conflict}
	for name, digest := range c.Addons {
		out["addon "+name] = text(reflect.ValueOf(digest))
	}
	for id, h := range c.Hosts {
		walk(string(id), reflect.ValueOf(h), out)
	}
	return out
}

func walk(path string, v reflect.Value, out map[string]string) {
	switch {
	case strings.HasPrefix(v.Type().Name(), "Known["):
		out[path] = text(v)
	case v.Type() == reflect.TypeFor[model.HostSet]():
		out[path] = fmt.Sprint(v)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			walk(path+"."+v.Type().Field(i).Name, v.Field(i), out)
		}
	case v.Kind() == reflect.Array:
		for i := range v.Len() {
			walk(path+"."+model.Component(i).String(), v.Index(i), out)
		}
	default:
		out[path] = fmt.Sprintf("%v", v)
	}
}

// text is a Known without its reason.
func text(known reflect.Value) string {
	if !known.FieldByName("known").Bool() {
		return unknown
	}
	return fmt.Sprintf("%q", known.Interface())
}

// stored are the artefacts of a file, which are in the store.
func stored(t *testing.T, file *spec.Cluster) goal.Artifacts {
	t.Helper()
	var a goal.Artifacts
	store, err := artifact.OpenStore("")
	if err != nil {
		t.Fatal(err)
	}
	if a.Versions, err = artifact.Resolve(file.Spec.Kubernetes.Version, file.Spec.Artifacts.Versions); err != nil {
		t.Fatal(err)
	}
	source, err := artifact.NewSource(file.Spec.Artifacts.Source, store, artifact.Trust{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if a.Programs, err = source.Fetch(t.Context(), a.Versions, goal.Arch, artifact.SystemdNames(), nil); err != nil {
		t.Fatal(err)
	}
	if a.Images, err = source.Images(t.Context(), a.Versions, goal.Arch, "systemd", artifact.SystemdImages(false), nil); err != nil {
		t.Fatal(err)
	}
	return a
}

// reset: nothing of quorate's stays, what was worth keeping is told, and a new
// cluster can be made of the same hosts.
func reset(t *testing.T, c *cluster, bare map[string][]string) {
	ca := c.on(t, "cp1", holdsCA)
	r := run(t, c.dir, "reset", "--yes", "-f", c.File).want(t, 0).says(t, "/var/lib/quorate/kept/")
	for h := range bare {
		c.left(t, h, bare[h])
		if c.on(t, h, `find /var/lib/quorate/kept -path '*/etc/kubernetes/pki/ca.crt' | wc -l`) == "0" {
			t.Errorf("%s: the CA's certificate was not kept\n%s%s", h, r.out, r.err)
		}
	}
	if c.on(t, "cp1", `find /var/lib/quorate/kept -path '*/var/lib/etcd/member' | wc -l`) == "0" {
		t.Error("etcd's data was not kept")
	}
	run(t, c.dir, "reset", "--yes", "-f", c.File).want(t, 0) // again
	c.config = ""
	c.apply(t).want(t, 0)
	c.nodesReady(t, "w1", slices.Sorted(maps.Keys(bare))...)
	c.nothingToDo(t)
	if c.on(t, "cp1", holdsCA) == ca {
		t.Error("the new cluster has the CA of the old one")
	}
}

// left compares a host with what it was before it knew quorate.
func (c *cluster) left(t *testing.T, h string, bare []string) {
	t.Helper()
	after := c.traces(t, h)
	for _, l := range after {
		if !slices.Contains(bare, l) {
			t.Errorf("%s: left behind: %s", h, l)
		}
	}
	for _, l := range bare {
		if !slices.Contains(after, l) {
			t.Errorf("%s: gone, but not quorate's: %s", h, l)
		}
	}
}

// traces is all of a host that a cluster could leave there.
func (c *cluster) traces(t *testing.T, h string) []string {
	t.Helper()
	out := c.on(t, h, `cd /
find etc opt usr/local usr/libexec root home var/lib var/log tmp srv -xdev \( -path var/lib/quorate -o -path var/lib/systemd -o -path var/lib/dpkg -o -path var/lib/apt -o -path var/log/journal \) -prune -o ! -name 'wtmp' -printf 'file %p %M\n' 2>/dev/null
sed 's/^/hosts file: /' etc/hosts
systemctl list-unit-files --no-legend --plain --no-pager | tr -s ' ' | sed 's|^|unit file: |; s| *$||'
systemctl list-units --all --no-legend --plain --no-pager '*kube*' '*quorate*' '*etcd*' '*containerd*' '*nginx*' | tr -s ' ' | sed 's|^|unit: |; s| *$||'
ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/link \1/'
ip route | sed 's/^/route /'; ip -6 route | sed 's/^/route /'
nft list ruleset 2>/dev/null | grep -v -e '^[^ 	]*$' -e 'type .* hook' -e '^	*}$' -e '^	*chain' -e '^table' | sed 's/^/rule /'
nft list tables | grep -v -E 'ip6? (nat|filter|mangle)$' | sed 's/^/nft /'
ss -Hltun | awk '{print "listens " $1, $5}' | sed 's/:[0-9]*$/&/'
cut -d' ' -f5 proc/self/mountinfo | sed 's/^/mount /'
ps -eo comm= | grep -E 'kube|etcd|containerd|nginx|coredns|pause|metrics' | sed 's/^/process /'
true`)
	return strings.Split(out, "\n")
}
