package check_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"quorate.dev/quorate/internal/balancer/check"
	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/health"
	"quorate.dev/quorate/internal/balancer/lbtest"
)

func certificates(t *testing.T) *lbtest.Certificates {
	certs, err := lbtest.NewCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return certs
}

func asker(t *testing.T, c config.Check, b config.Backend, lost func()) check.Asker {
	f, err := check.New(c)
	if err != nil {
		t.Fatal(err)
	}
	a := f(check.Target{Backend: b, Lost: lost, Interval: 250 * time.Millisecond})
	t.Cleanup(a.Close)
	return a
}

func TestReadyz(t *testing.T) {
	certs := certificates(t)
	s, err := lbtest.NewServer("cp1", certs, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	var lost atomic.Int64
	c := config.Check{Kind: config.KindReadyz, CA: certs.CA}
	b := config.Backend{Name: "cp1", Address: s.Address}
	a := asker(t, c, b, func() { lost.Add(1) })
	lenient := c
	lenient.UnauthorizedIsReady = true
	other := asker(t, lenient, b, func() {})
	ask := func(a check.Asker, q health.Question) health.Answer { return a.Ask(t.Context(), q) }
	for code, want := range map[int64]health.Result{200: health.OK, 500: health.NotOK, 401: health.NotOK, 403: health.NotOK,
		429: health.NotOK} {
		s.Readyz.Store(code)
		if got := ask(a, health.Question{}); got.Result != want {
			t.Errorf("%d: %+v", code, got)
		}
		if code == 401 || code == 403 {
			want = health.OK
		}
		if got := ask(other, health.Question{}); got.Result != want {
			t.Errorf("%d, where 401 and 403 count as ready: %+v", code, got)
		}
	}
	if n := s.Seen.Load(); n != 2 {
		t.Errorf("%d connections for 10 questions, want one each", n)
	}
	s.Readyz.Store(0) // hangs, and yet it lives
	late := make(chan health.Answer, 2)
	for range 2 {
		go func() { late <- a.Ask(t.Context(), health.Question{}) }()
		time.Sleep(200 * time.Millisecond)
	}
	if got := ask(a, health.Question{Alive: true, Fresh: true}); got.Result != health.OK {
		t.Errorf("a sign of life: %+v", got)
	}
	s.Readyz.Store(200)
	if got := ask(a, health.Question{Fresh: true}); got.Result != health.OK {
		t.Errorf("over a new connection: %+v", got)
	}
	for range 2 { // the first to be given up does not take the other one along
		if got := <-late; got.Result != health.Silence {
			t.Errorf("a question that hung: %+v", got)
		}
	}
	if host, server := a.Heard(); time.Since(host) > time.Minute || time.Since(server) > time.Minute {
		t.Errorf("heard of the host at %v, of the server at %v", host, server)
	}
	if n := lost.Load(); n != 0 {
		t.Errorf("the check's own change of connections was taken for a loss, %d times", n)
	}
	s.Stop()
	for range 1000 {
		if lost.Load() > 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if lost.Load() == 0 {
		t.Error("nobody was told that the connection ended")
	}
	if got := ask(a, health.Question{}); got.Result != health.Refused {
		t.Errorf("a stopped server: %+v", got)
	}
}

func TestForeignCertificateIsNoAnswer(t *testing.T) {
	s, err := lbtest.NewServer("cp1", certificates(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	a := asker(t, config.Check{Kind: config.KindReadyz, CA: certificates(t).CA}, config.Backend{Name: "cp1", Address: s.Address}, func() {})
	if got := a.Ask(t.Context(), health.Question{}); got.Result != health.Broken {
		t.Errorf("%+v", got)
	}
}

func TestSilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it never accepts, so TLS gets no answer
	a := asker(t, config.Check{Kind: config.KindReadyz, CA: certificates(t).CA}, config.Backend{Address: l.Addr().String()}, func() {})
	late := make(chan health.Answer, 1)
	go func() { late <- a.Ask(t.Context(), health.Question{}) }()
	var host, server time.Time
	for host.IsZero() && len(late) == 0 {
		time.Sleep(time.Millisecond)
		host, server = a.Heard()
	}
	if host.IsZero() || !server.IsZero() {
		t.Errorf("heard of the host at %v, of the server at %v", host, server)
	}
	if got := <-late; got.Result != health.Silence {
		t.Errorf("%+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if got := a.Ask(ctx, health.Question{}); got.Result != health.OurFault {
		t.Errorf("when the watcher ends: %+v", got)
	}
	time.AfterFunc(100*time.Millisecond, a.Close)
	if got := a.Ask(t.Context(), health.Question{}); got.Result != health.OurFault {
		t.Errorf("when its connection is closed here: %+v", got)
	}
}

// member answers like an etcd member: Maintenance.Status over HTTP/2, for
// clients with a certificate.
type member struct {
	answer atomic.Pointer[etcdserverpb.StatusResponse]
}

func (m *member) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/version" {
		return
	}
	frame := make([]byte, 5)
	if r.URL.Path != "/etcdserverpb.Maintenance/Status" || r.ProtoMajor != 2 || r.Header.Get("Content-Type") != "application/grpc" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
	a := m.answer.Load()
	if a == nil {
		w.Header().Set("Grpc-Status", "14")
		w.Header().Set("Grpc-Message", "etcdserver: server stopped")
		return
	}
	text, _ := a.Marshal()
	binary.BigEndian.PutUint32(frame[1:], uint32(len(text)))
	_, _ = w.Write(append(frame, text...))
	w.Header().Set("Grpc-Status", "0")
}

func TestEtcd(t *testing.T) {
	certs := certificates(t)
	m := &member{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: m, TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{certs.Certificate}, ClientCAs: certs.Pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}}
	go server.ServeTLS(l, "", "")
	defer server.Close()
	c := config.Check{Kind: config.KindEtcd, CA: certs.CA, Certificate: certs.Cert, Key: certs.Key, ClusterID: "cdf818194e3a8c32"}
	any := asker(t, c, config.Backend{Name: "a", Address: l.Addr().String()}, func() {})
	one := asker(t, c, config.Backend{Name: "a", Address: l.Addr().String(), Member: "8e9e05c52164694d"}, func() {})
	const cluster, id, other = 0xcdf818194e3a8c32, 0x8e9e05c52164694d, 0x1234
	status := func(cluster, member, leader uint64, learner bool) *etcdserverpb.StatusResponse {
		return &etcdserverpb.StatusResponse{
			Header: &etcdserverpb.ResponseHeader{ClusterId: cluster, MemberId: member, Revision: 7, RaftTerm: 3},
			Leader: leader, IsLearner: learner, Version: "3.6.8", DbSize: 1 << 30, Errors: []string{"NOSPACE"}, StorageVersion: "3.6",
		}
	}
	for _, x := range []struct {
		what   string
		status *etcdserverpb.StatusResponse
		any    health.Result
		one    health.Result
		reason string
	}{
		{"leader", status(cluster, id, id, false), health.OK, health.OK, "voter, the leader"},
		{"follower", status(cluster, id, other, false), health.OK, health.OK, "voter"},
		{"no leader", status(cluster, id, 0, false), health.NotOK, health.NotOK, "knows no leader"},
		{"learner", status(cluster, id, other, true), health.Bar, health.Bar, "learner"},
		{"learner without leader", status(cluster, id, 0, true), health.Bar, health.Bar, "learner"},
		{"other cluster", status(other, id, id, false), health.Bar, health.Bar, "cluster 1234"},
		{"other member", status(cluster, other, other, false), health.OK, health.Bar, "leader"},
		{"empty answer", &etcdserverpb.StatusResponse{}, health.Bar, health.Bar, "cluster 0"},
		{"gRPC error", nil, health.NotOK, health.NotOK, "server stopped"},
	} {
		m.answer.Store(x.status)
		if got := any.Ask(t.Context(), health.Question{}); got.Result != x.any || !strings.Contains(got.Reason, x.reason) {
			t.Errorf("%s: %+v", x.what, got)
		}
		if got := one.Ask(t.Context(), health.Question{}); got.Result != x.one {
			t.Errorf("%s, asked for one member: %+v", x.what, got)
		}
	}
	if got := any.Ask(t.Context(), health.Question{Alive: true, Fresh: true}); got.Result != health.OK {
		t.Errorf("a sign of life: %+v", got)
	}
}
