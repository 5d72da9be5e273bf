package observe

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
)

func newKeys(t *testing.T) (pki.Shared, map[string][]byte) {
	t.Helper()
	s, err := pki.NewShared(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range s.Files(layout.Systemd().PKI) {
		files[f.Path] = f.Content
	}
	return s, files
}

// withWorker is an observer of three control planes and a worker, which comes
// first by its name.
func withWorker(t *testing.T) (*Observer, *goal.Goal) {
	t.Helper()
	o, _ := observer(t, nil)
	w := o.File.Spec.Hosts[0]
	w.Name, w.Address, w.Roles = "a-worker", "192.0.2.66", []string{spec.RoleWorker}
	o.File.Spec.Hosts = append(o.File.Spec.Hosts, w)
	g, err := o.goal(nil)
	if err != nil {
		t.Fatal(err)
	}
	return o, g
}

// The exploit: root on a worker writes that the living etcd cluster has ended,
// or that it is being recovered.
func TestForgedEndOfEtcd(t *testing.T) {
	o, g := withWorker(t)
	shared, files := newKeys(t)
	foreign, _ := newKeys(t)
	record := func(ca pki.Authority, on string) *etcd.Recovery {
		r, err := etcd.NewRecovery("prod", "https://192.0.2.66:2380", 0).Sign(ca, on)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := etcd.ParseRecovery(text)
		if err != nil {
			t.Fatal(err)
		}
		return &again
	}
	line := func(ca pki.Authority, old string) string {
		s, err := etcd.SignSuperseded(ca, old, "b2", time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		return s.Line
	}
	genuine := line(shared.EtcdCA, "a1")
	for name, at := range map[string]struct {
		line   string
		counts bool
	}{
		"unsigned": {"a1", false}, "signed by another CA": {line(foreign.EtcdCA, "a1"), false},
		"signed by Kubernetes' CA":   {line(shared.CA, "a1"), false},
		"signed for another cluster": {strings.Replace(genuine, "a1", "c3", 1), false},
		"later":                      {strings.Replace(genuine, "1970", "1971", 1), false}, "signed": {genuine, true},
	} {
		o.facts = map[model.HostID]Facts{"cp1": {Files: files, DataOf: "a1"}, "cp2": {DataOf: "a1"}, "a-worker": {Recorded: []string{at.line}}}
		o.verify(g)
		ob := &Observation{Goal: g, Facts: o.facts}
		if got := ob.Superseded(); (len(got) > 0) != at.counts {
			t.Errorf("%s: superseded are %q", name, got)
		}
		ob.supersede()
		if ob.Facts["cp2"].Superseded != at.counts {
			t.Errorf("%s: cp2's data counts as superseded: %t", name, !at.counts)
		}
	}
	for name, at := range map[string]struct {
		record *etcd.Recovery
		counts bool
	}{
		"of another CA": {record(foreign.EtcdCA, "a-worker"), false}, "of another host": {record(shared.EtcdCA, "cp1"), false},
		"its own": {record(shared.EtcdCA, "a-worker"), true},
	} {
		o.facts = map[model.HostID]Facts{"cp1": {Files: files}, "a-worker": {Claimed: at.record}}
		o.verify(g)
		if is := o.facts["a-worker"].Recovery != nil; is != at.counts {
			t.Errorf("a recovery, %s, counts: %t", name, is)
		}
	}
}

// The exploit: root on a worker whose name comes first puts a CA of its own
// there, and certificates were issued from that.
func TestForgedKeys(t *testing.T) {
	_, g := withWorker(t)
	shared, files := newKeys(t)
	other, forged := newKeys(t)
	public := map[string][]byte{g.Layout.PKI.CA.Cert: files[g.Layout.PKI.CA.Cert]}
	for name, at := range map[string]struct {
		facts     map[model.HostID]Facts
		former    []model.HostID
		holds     *pki.Shared
		candidate bool
		conflict  bool
	}{
		"beside the true ones": {map[model.HostID]Facts{"a-worker": {Files: forged}, "cp2": {Files: files}}, nil,
			&shared, false, false},
		"alone, while not all control planes were seen": {map[model.HostID]Facts{"a-worker": {Files: forged}, "cp1": {}}, nil, nil, false, false},
		"alone, and another host has another CA's certificate": {map[model.HostID]Facts{"a-worker": {Files: forged},
			"cp1": {Files: public, Marker: "prod"}, "cp2": {}, "cp3": {}}, nil, nil, false, false},
		"of a former control plane, not asked for yet": {map[model.HostID]Facts{"a-worker": {Files: forged}, "cp1": {}, "cp2": {}, "cp3": {}},
			nil, nil, true, false},
		"of a former control plane": {map[model.HostID]Facts{"a-worker": {Files: forged}, "cp1": {}, "cp2": {}, "cp3": {}},
			[]model.HostID{"a-worker"}, &other, false, false},
		"control planes of two clusters": {map[model.HostID]Facts{"cp1": {Files: forged}, "cp2": {Files: files}}, nil, &other, false, true},
	} {
		k := readKeys(g, at.facts, at.former)
		if (k.shared == nil) != (at.holds == nil) || k.shared != nil && k.shared.Identity() != at.holds.Identity() {
			t.Errorf("%s: the keys are %v", name, k.shared)
		}
		if (k.candidate(g) != nil) != at.candidate || (k.conflict != "") != at.conflict {
			t.Errorf("%s: candidate %v, conflict %q", name, k.candidate(g), k.conflict)
		}
		ob := &Observation{Goal: g, Facts: at.facts, former: at.former}
		if have := assemble(g, ob, time.Now()); at.conflict != (ob.Shared == nil && have.Conflict != "") && at.holds != nil {
			t.Errorf("%s: issued from %v, conflict %q", name, ob.Shared, have.Conflict)
		}
	}
	k := readKeys(g, map[model.HostID]Facts{"a-worker": {Files: forged}, "cp2": {Files: files}}, nil)
	if got := k.state(g.Hosts["a-worker"].Node, "a-worker", Facts{Files: forged}); got != model.OtherKeys {
		t.Errorf("the worker's keys are %v", got)
	}
}

// The exploit: a key beside the CA certificates of a worker made quorate copy these
// again and again, and wait three minutes each time.
func TestStrayKeyOfAWorker(t *testing.T) {
	shared, err := pki.NewShared(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := layout.Systemd().PKI
	k := keyring{shared: &shared, at: at, partial: map[model.HostID]bool{"w1": true}}
	worker, f := topology.Node{Name: "w1", Worker: true}, Facts{Files: map[string][]byte{}}
	if got := k.state(worker, "w1", f); got != model.NoKeys {
		t.Errorf("a stray key alone is %v", got)
	}
	for _, file := range shared.PublicFiles(worker, at) {
		f.Files[file.Path] = file.Content
	}
	if got := k.state(worker, "w1", f); got != model.PublicKeys {
		t.Errorf("with the cluster's certificates beside it: %v", got)
	}
	if got := k.state(topology.Node{Name: "w1", ControlPlane: true}, "w1", f); got != model.PartialKeys {
		t.Errorf("half of the keys of a control plane are %v", got)
	}
}
