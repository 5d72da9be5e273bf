package etcd_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/pki"
)

// One member grows to three through learners, loses its leader on purpose, and
// shrinks again.
func TestGrowAndShrink(t *testing.T) {
	c := newTestCluster(t, 3)
	ctx := t.Context()
	first := c.start(c.nodes[0], etcd.New, c.nodes[0])
	one := first.client()
	eventually(t, "first member healthy", one.Health)

	for i, node := range c.nodes[1:] {
		var added etcd.Member
		eventually(t, "add "+node.Name, func(ctx context.Context) (err error) {
			if added, err = one.AddLearner(ctx, lay.Etcd.PeerURL(node.Address)); err != nil && !errors.Is(err, etcd.ErrNotSettled) {
				t.Fatal(err)
			}
			return err
		})
		if added.Started() || !added.Learner {
			t.Fatalf("added %+v", added)
		}
		again, err := one.AddLearner(ctx, lay.Etcd.PeerURL(node.Address))
		if err != nil || again.ID != added.ID {
			t.Fatalf("adding again gave %+v, %v", again, err)
		}
		if err := one.Promote(ctx, added.ID); !errors.Is(err, etcd.ErrNotCaughtUp) {
			t.Fatalf("promoting what never started: %v", err)
		}
		m := c.start(node, etcd.Existing, c.nodes[:i+2]...)
		eventually(t, "promote "+node.Name, func(ctx context.Context) error { return one.Promote(ctx, added.ID) })
		if err := one.Promote(ctx, added.ID); err != nil {
			t.Fatalf("promoting again: %v", err)
		}
		eventually(t, node.Name+" healthy", m.client().Health)
	}

	members, err := one.Members(ctx)
	if err != nil || len(members) != 3 {
		t.Fatalf("members %+v, %v", members, err)
	}
	for i, m := range members {
		if m.Name != c.nodes[i].Name || m.Learner || !m.Started() || m.PeerURLs[0] != lay.Etcd.PeerURL(c.nodes[i].Address) ||
			m.ClientURLs[0] != lay.Etcd.ClientURL(c.nodes[i].Address) {
			t.Errorf("member %d is %+v", i, m)
		}
	}

	if err := one.MoveLeader(ctx, members[1].ID); err != nil {
		t.Fatal(err)
	}
	s, err := one.Status(ctx)
	if err != nil || s.Leader != members[1].ID || s.IsLeader() || s.Learner || s.ID != members[0].ID || s.Version == "" || s.DBSize == 0 ||
		s.Index == 0 {
		t.Errorf("status %+v, %v", s, err)
	}
	if err := one.MoveLeader(ctx, members[0].ID); err == nil {
		t.Error("a follower moved the leader")
	}
	if alarms, err := one.Alarms(ctx); err != nil || len(alarms) != 0 {
		t.Errorf("alarms %v, %v", alarms, err)
	}
	if err := one.Defragment(ctx); err != nil {
		t.Error(err)
	}
	var db bytes.Buffer
	if n, err := one.Snapshot(ctx, &db); err != nil || n != int64(db.Len()) || n < 4096 {
		t.Errorf("snapshot of %d bytes, %v", n, err)
	}

	for _, gone := range members[2:] {
		for range 2 { // the second time it is out already
			eventually(t, "remove "+gone.Name, func(ctx context.Context) error { return one.Remove(ctx, gone.ID) })
		}
	}
	if members, err = one.Members(ctx); err != nil || len(members) != 2 {
		t.Errorf("members %+v, %v", members, err)
	}
}

// Three members are founded at once. None is ready without a quorum, and when
// the quorum is lost, only the local answers remain.
func TestFoundAndLoseQuorum(t *testing.T) {
	c := newTestCluster(t, 3)
	ctx := t.Context()
	m1 := c.start(c.nodes[0], etcd.New, c.nodes...)
	if m1.ready(2 * time.Second) {
		t.Error("a member is ready without a quorum: Service says otherwise")
	}
	m2, m3 := c.start(c.nodes[1], etcd.New, c.nodes...), c.start(c.nodes[2], etcd.New, c.nodes...)
	var id uint64
	for _, m := range []*member{m1, m2, m3} {
		eventually(t, m.node.Name+" healthy", m.client().Health)
		if !m.ready(10 * time.Second) {
			t.Errorf("%s never told systemd that it is ready", m.node.Name)
		}
		theirs, err := m.client().ClusterID(ctx)
		if err != nil || theirs == 0 || id != 0 && theirs != id {
			t.Errorf("%s is in cluster %x, not %x: %v", m.node.Name, theirs, id, err)
		}
		id = theirs
	}

	one := m1.client()
	m2.kill()
	m3.kill()
	eventually(t, "the survivor knows no leader", func(ctx context.Context) error {
		s, err := one.Status(ctx)
		if err == nil && s.Leader != 0 {
			err = fmt.Errorf("leader %x", s.Leader)
		}
		return err
	})
	short, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if members, err := one.Members(short); err == nil {
		t.Errorf("a member list agreed upon by nobody: %+v", members)
	}
	if err := one.Health(short); err == nil {
		t.Error("healthy without a quorum")
	}
	if members, err := one.MembersLocal(ctx); err != nil || len(members) != 3 {
		t.Errorf("local members %+v, %v", members, err)
	}
	if theirs, err := one.ClusterID(ctx); err != nil || theirs != id {
		t.Errorf("cluster %x, not %x: %v", theirs, id, err)
	}

	c.start(c.nodes[1], etcd.Existing, c.nodes...)
	eventually(t, "two of three are healthy again", one.Health)
}

// A member's data is gone and New was not left behind: it refuses to come up
// as an empty cluster.
func TestALoneMemberWithoutDataRefuses(t *testing.T) {
	c := newTestCluster(t, 1)
	m := c.start(c.nodes[0], etcd.Existing, c.nodes[0])
	if err := m.cmd.Wait(); err == nil {
		t.Error("it ended well")
	}
	if m.ready(time.Millisecond) {
		t.Error("it came up")
	}
}

func TestErrorsNameTheCause(t *testing.T) {
	c := newTestCluster(t, 1)
	dead := (&member{c: c, node: c.nodes[0]}).client()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	began := time.Now()
	_, err := dead.Members(ctx)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("a refused connection took %s to tell", took)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) || !strings.HasPrefix(err.Error(), "m1: list members: etcd at "+endpoint(c.nodes[0])) {
		t.Errorf("nobody listens: %v", err)
	}

	m := c.start(c.nodes[0], etcd.New, c.nodes[0])
	eventually(t, "healthy", m.client().Health)
	foreign, err := pki.NewShared(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	config, err := pki.EtcdTLS(foreign, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	client, err := etcd.Connect(t.Context(), here("m1"), config, endpoint(c.nodes[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	short, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := client.Health(short); err == nil || !strings.Contains(err.Error(), "x509: certificate signed by unknown authority") {
		t.Errorf("a server of another CA: %v", err)
	}
}

// etcd serves only clients whose certificate is of its own CA.
func TestOtherClientsAreRefused(t *testing.T) {
	c := newTestCluster(t, 1)
	m := c.start(c.nodes[0], etcd.New, c.nodes[0])
	eventually(t, "healthy", m.client().Health)
	foreign, err := pki.NewShared(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	config, err := pki.EtcdTLS(foreign, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	config.RootCAs.AppendCertsFromPEM(c.shared.EtcdCA.Cert) // it trusts etcd, but etcd does not trust it
	for name, certs := range map[string][]tls.Certificate{"foreign": config.Certificates, "none": nil} {
		config.Certificates = certs
		client, err := etcd.Connect(t.Context(), here("m1"), config, endpoint(c.nodes[0]))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		if err := client.Health(ctx); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("certificate %s: %v", name, err)
		}
		cancel()
		client.Close()
	}
}

// A dialer that fails says why, whatever gRPC makes of it.
func TestDialErrorsSurvive(t *testing.T) {
	shared, err := pki.NewShared(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	config, err := pki.EtcdTLS(shared, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	client, err := etcd.Connect(t.Context(), broken{}, config, "10.0.0.1:2379")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := client.Health(ctx); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	if _, err := client.Status(ctx); !errors.Is(err, errBroken) {
		t.Error(err)
	}
}

var errBroken = errors.New("ssh: the host is gone")

type broken struct{}

func (broken) Name() string { return "cp1" }

func (broken) Dial(context.Context, string, string) (net.Conn, error) { return nil, errBroken }

func TestACutSnapshotIsAnError(t *testing.T) {
	var sum etcd.TrailingSum
	for _, part := range []string{"some", " bytes that are", strings.Repeat("x", 40)} {
		fmt.Fprint(&sum, part)
	}
	if sum.Err() == nil {
		t.Error("a wrong checksum passed")
	}
	var empty etcd.TrailingSum
	if empty.Err() == nil {
		t.Error("an empty snapshot passed")
	}
}
