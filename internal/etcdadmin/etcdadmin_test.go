package etcdadmin

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/host/hosttest"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
)

// guarded is a cluster of n control planes that is well; cp2 leads, or cp1 alone.
func guarded(t *testing.T, n int) *Guard {
	t.Helper()
	file, _, err := spec.Parse("prod.yaml", spec.Init("prod"))
	if err != nil {
		t.Fatal(err)
	}
	file.Spec.Hosts = nil
	names := []model.HostID{"cp1", "cp2", "cp3", "cp4", "cp5"}[:n]
	for i, id := range names {
		file.Spec.Hosts = append(file.Spec.Hosts, spec.Host{Name: string(id), Address: "10.0.0.1" + string(rune('1'+i)),
			Roles: []string{spec.RoleControlPlane}})
	}
	v, err := artifact.Resolve(file.Spec.Kubernetes.Version, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := goal.Build(file, goal.Artifacts{Versions: v}, nil)
	if err != nil {
		t.Fatal(err)
	}
	g := &Guard{Hosts: map[model.HostID]host.Host{}, Say: t.Logf, Seen: &observe.Observation{
		Facts: map[model.HostID]observe.Facts{}, Goal: want, Have: want.Want.Clone(),
		Etcd: observe.EtcdView{Agreed: true, Members: map[model.HostID]etcd.Member{}, Status: map[model.HostID]etcd.Status{}}}}
	lead := names[min(1, n-1)]
	for i, id := range names {
		m := etcd.Member{ID: uint64(100 + i), Name: string(id), ClientURLs: []string{"x"}}
		g.Seen.Etcd.Members[id] = m
		g.Seen.Etcd.Status[id] = etcd.Status{ID: m.ID, Leader: uint64(100 + slices.Index(names, lead)), DBSize: 5 << 20, DBSizeInUse: 3 << 20,
			Quota: 100 << 20}
		g.Seen.Facts[id] = observe.Facts{EtcdHealth: true, EtcdLocal: true}
		g.Hosts[id] = hosttest.New(string(id))
	}
	return g
}

func (g *Guard) lose(id model.HostID) {
	g.Seen.Facts[id] = observe.Facts{Err: errors.New("no route to host")}
	g.Seen.Have.Edit(id, func(h *model.Host) {
		h.Reached, h.Etcd.Healthy = model.Unknown[bool]("no route to host"), model.Is(false)
	})
	delete(g.Seen.Etcd.Status, id)
}

func (g *Guard) learns(id model.HostID) {
	m := g.Seen.Etcd.Members[id]
	m.Learner = true
	g.Seen.Etcd.Members[id] = m
	g.Seen.Have.Edit(id, func(h *model.Host) { h.Etcd.Member = model.Is(model.Learner) })
}

func TestOrder(t *testing.T) {
	for _, c := range []struct {
		n       int
		down    string
		learner model.HostID
		only    model.HostID
		outage  bool
		want    string // the order, or what the refusal says
	}{
		{n: 3, want: "cp1 cp3 cp2"},
		{n: 3, only: "cp2", want: "cp2"},
		{n: 3, learner: "cp3", want: "cp1 cp2"},
		{n: 3, learner: "cp3", only: "cp3", want: "refused: the member of cp3 is a learner"},
		{n: 3, only: "w1", want: "refused: w1 has no etcd member"},
		{n: 3, down: "cp3", want: "refused: cp3 is down, and those"},
		{n: 3, down: "cp3", only: "cp1", want: "refused: cp3 is down, and without cp1"},
		{n: 3, down: "cp3", only: "cp3", want: "refused: the member of cp3 is down"},
		{n: 3, down: "cp2 cp3", only: "cp1", want: "refused: etcd has no quorum"},
		{n: 5, down: "cp3", want: "refused: cp3 is down, and those"},
		{n: 5, down: "cp3", only: "cp1", want: "cp1"},
		{n: 5, down: "cp3 cp4", only: "cp1", want: "refused: cp3, cp4 are down, and without cp1"},
		{n: 2, want: "cp1 cp2"},
		{n: 1, want: "refused: cp1 is the only member"},
		{n: 1, only: "cp1", want: "refused: cp1 is the only member"},
		{n: 1, outage: true, want: "cp1"},
	} {
		g := guarded(t, c.n)
		for _, id := range strings.Fields(c.down) {
			g.lose(model.HostID(id))
		}
		if c.learner != "" {
			g.learns(c.learner)
		}
		order, err := g.Order(c.only, c.outage)
		got := strings.ReplaceAll(list(order), ",", "")
		if err != nil {
			if got = "refused: " + err.Error(); !errors.As(err, new(Refused)) {
				got = err.Error()
			}
		}
		if !strings.HasPrefix(got, c.want) || err == nil && got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	g := guarded(t, 3)
	g.Seen.Have.Conflict = "different clusters"
	if _, err := g.Order("", true); err == nil {
		t.Error("nothing stops when it is not certain which cluster this is")
	}
}

// A member's disk must not be filled: its log needs room.
func TestRoom(t *testing.T) {
	g := guarded(t, 3)
	for free, ok := range map[string]bool{"99999999": true, "80000": false, "-": false} {
		g.Hosts["cp1"].(*hosttest.Fake).Handle(func(_ context.Context, _ host.Cmd, stdin []byte) (host.Result, error) {
			res, err := hosttest.Framed(stdin, "output", "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 9 9 "+free+" 9% /\n")
			res.Stdout = append([]byte("/dev/sda1 9 9 99999999 9% /\n"), res.Stdout...)             // what .bashrc prints
			return host.Result{Stdout: append(res.Stdout, "bye, all of you, said sshrc\n"...)}, err // and a trap of its own
		}, "sh")
		if err := g.room(t.Context(), "cp1", 20<<20); (err == nil) != ok {
			t.Errorf("%s KiB free: %v", free, err)
		}
	}
}

func TestSource(t *testing.T) {
	g := guarded(t, 3)
	for named, want := range map[model.HostID]model.HostID{"": "cp2", "cp1": "cp1", "w1": ""} {
		if at, err := g.Source(named); at != want || (want == "") != (err != nil) {
			t.Errorf("%q: %q, %v", named, at, err)
		}
	}
	g.learns("cp3")
	if at, err := g.Source("cp3"); err == nil {
		t.Errorf("from a learner: %s", at)
	}
	g = guarded(t, 3)
	st := g.Seen.Etcd.Status["cp1"]
	st.Alarms = []etcd.Alarm{{Member: g.Seen.Etcd.Members["cp2"].ID, Kind: etcd.Corrupt}}
	g.Seen.Etcd.Status["cp1"] = st
	if at, err := g.Source(""); !errors.As(err, new(Refused)) {
		t.Errorf("from a leader whose data is corrupt: %s", at)
	}
	g = guarded(t, 3)
	g.lose("cp2") // who led, by the others' word
	if at, err := g.Source(""); err == nil {
		t.Errorf("from a leader that cannot be reached: %s", at)
	}
	if at, err := g.Source("cp2"); err == nil {
		t.Errorf("from a host that cannot be reached: %s", at)
	}
	// Without a leader one must be named.
	for id, st := range g.Seen.Etcd.Status {
		st.Leader = 0
		g.Seen.Etcd.Status[id] = st
	}
	if at, err := g.Source(""); err == nil {
		t.Errorf("without a leader: %s", at)
	}
	if at, err := g.Source("cp1"); at != "cp1" || err != nil {
		t.Errorf("%q, %v", at, err)
	}
}

func TestMayDisarm(t *testing.T) {
	space, corrupt := Alarm{Host: "cp1", Kind: etcd.NoSpace}, Alarm{Host: "cp3", Kind: etcd.Corrupt}
	for _, c := range []struct {
		alarms            []Alarm
		size, used, quota int64
		says, refused     string
	}{
		{[]Alarm{space}, 50, 40, 100, "", ""},
		{[]Alarm{space}, 120, 40, 100, "", "takes 120.0 MiB"},
		{[]Alarm{space}, 120, 100, 100, "", "100.0 MiB in use"},
		{[]Alarm{space}, 120, 100, 0, "not known how full", ""},
		{[]Alarm{corrupt}, 120, 100, 100, "data of cp3 differs", ""},
		{[]Alarm{corrupt, space}, 120, 100, 100, "", "in use"},
	} {
		g := guarded(t, 3)
		g.Seen.Etcd.Status["cp2"] = etcd.Status{DBSize: c.size << 20, DBSizeInUse: c.used << 20, Quota: c.quota << 20}
		says, err := MayDisarm(c.alarms, g.Seen.Etcd)
		said, refused := strings.Join(says, "\n"), ""
		if err != nil {
			refused = err.Error()
		}
		if !strings.Contains(said, c.says) || (c.says == "") != (said == "") || !strings.Contains(refused, c.refused) ||
			(c.refused == "") != (refused == "") {
			t.Errorf("%+v: %q, %q", c, said, refused)
		}
	}
	g := guarded(t, 3)
	g.lose("cp3")
	if says, err := MayDisarm([]Alarm{space}, g.Seen.Etcd); err != nil || len(says) != 1 || !strings.Contains(says[0], "cp3") {
		t.Errorf("a member that could not be reached: %q, %v", says, err)
	}
}

// The keys that are saved make the same cluster again, and nothing shows them.
func TestKeysTar(t *testing.T) {
	s, err := pki.NewShared(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := keysTar(s, layout.Systemd().PKI, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(text)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		secret := !bytes.Contains([]byte(h.Name), []byte(".crt")) && !strings.HasSuffix(h.Name, ".pub")
		if secret != (h.Mode == 0o600) {
			t.Errorf("%s has mode %o", h.Name, h.Mode)
		}
		if files["/"+h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	back, err := pki.ParseShared(files, layout.Systemd().PKI)
	if err != nil || back.Identity() != s.Identity() {
		t.Errorf("%v, %v", back, err)
	}
}

func TestWriteNew(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.db")
	put := func(text string, fail error) error {
		return writeNew(file, func(f *os.File) error {
			_, err := f.WriteString(text)
			return errors.Join(err, fail)
		})
	}
	if err := put("half", errors.New("cut")); err == nil {
		t.Error("half a file")
	}
	stale := filepath.Join(dir, ".x.db.partial-1")
	if err := os.WriteFile(stale, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(stale, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := put("whole", nil); err != nil {
		t.Fatal(err)
	}
	if err := put("other", nil); !errors.As(err, new(Refused)) {
		t.Errorf("a file was replaced, or not refused: %v", err)
	}
	text, err := os.ReadFile(file)
	st, serr := os.Stat(file)
	if err != nil || serr != nil || string(text) != "whole" || st.Mode() != 0o600 {
		t.Errorf("%q, %v, %v, %v", text, err, st.Mode(), serr)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}
