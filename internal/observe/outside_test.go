package observe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host/hosttest"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
)

// outsideGoal is the goal of a cluster behind a load balancer of somebody else's.
func outsideGoal(t *testing.T, endpoint string) *goal.Goal {
	t.Helper()
	o, _ := observer(t, nil)
	o.File.Spec.LoadBalancer.Kind, o.File.Spec.ControlPlaneEndpoint = spec.ExternalBalancer, endpoint
	g, err := goal.Build(o.File, o.Artifacts, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Who answers at the endpoint, if anybody does.
func TestOutside(t *testing.T) {
	const endpoint = "api.prod.example:8443"
	ours, err := pki.NewShared(pki.Options{})
	other, err2 := pki.NewShared(pki.Options{})
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	g := outsideGoal(t, endpoint)
	server := func(of pki.Shared, endpoint string) func(net.Conn) {
		certs := outsideGoal(t, endpoint).Hosts["cp2"].Certs
		cert, key, err := pki.Issue(of, certs[slices.IndexFunc(certs, func(c pki.Cert) bool { return c.Name == pki.APIServer })], time.Now())
		pair, err2 := tls.X509KeyPair(cert, key)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		return func(c net.Conn) {
			_ = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}).Handshake()
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ours.CA.Cert)
	for name, c := range map[string]struct {
		does  func(net.Conn)
		roots *x509.CertPool
		want  Tried
		says  string
	}{
		"answers":               {server(ours, endpoint), roots, Tried{Answers: true}, ""},
		"another cluster":       {server(other, endpoint), roots, Tried{}, "no API server of this cluster"},
		"another name":          {server(ours, "api.test.example:8443"), roots, Tried{}, "no API server of this cluster"},
		"before there are keys": {server(other, endpoint), nil, Tried{}, "no API server of this cluster"},
		"closes":                {func(net.Conn) {}, roots, Tried{}, "nothing that answers stands behind it"},
		"not TLS":               {func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.0 400 Bad\r\n\r\n")) }, roots, Tried{}, "does not speak TLS"},
	} {
		h := hosttest.New("w1")
		h.DialTo("tcp", endpoint, "tcp", serving(t, c.does))
		got := try(t.Context(), h, g, c.roots)
		if got.Answers != c.want.Answers || got.Silent || got.Err != nil || !strings.Contains(got.Why, c.says) {
			t.Errorf("%s: %+v", name, got)
		}
		if !got.answers().Is(c.want.Answers) {
			t.Errorf("%s is told as %v", name, got.answers())
		}
	}
}

// Which API server answered is told by its certificate.
func TestServerOf(t *testing.T) {
	ours, err := pki.NewShared(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := &Observation{Goal: outsideGoal(t, "api.prod.example:8443"), Facts: map[model.HostID]Facts{"w1": {}}}
	shown := map[model.HostID]*x509.Certificate{}
	for _, id := range []model.HostID{"cp1", "cp2"} {
		certs := o.Goal.Hosts[id].Certs
		text, _, err := pki.Issue(ours, certs[slices.IndexFunc(certs, func(c pki.Cert) bool { return c.Name == pki.APIServer })], time.Now())
		block, _ := pem.Decode(text)
		if err != nil || block == nil {
			t.Fatal(err)
		}
		if shown[id], err = x509.ParseCertificate(block.Bytes); err != nil {
			t.Fatal(err)
		}
		o.Facts[id] = Facts{Files: map[string][]byte{o.Goal.Layout.PKI.Leaf(pki.APIServer).Cert: text}}
	}
	for id, cert := range shown {
		if got := o.serverOf(cert); got != model.SetOf(id) {
			t.Errorf("the certificate of %s is told as that of %v", id, got)
		}
	}
	if got := o.serverOf(nil); !got.IsEmpty() {
		t.Errorf("none is told as that of %v", got)
	}
}

// What sshd says of a connection that it could not open.
func TestNotConnected(t *testing.T) {
	over, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	for said, want := range map[string]struct {
		silent bool
		says   string
	}{
		"Connection refused":        {false, "refuses connections"},
		"Name or service not known": {true, "leads nowhere"},
		"Connection timed out":      {true, "does not answer"},
		"No route to host":          {true, "no way to its address"},
	} {
		if got := notConnected(t.Context(), errors.New("dial tcp: from w1: "+said)); got.Silent != want.silent || got.Err != nil ||
			!strings.Contains(got.Why, want.says) || !got.answers().Is(false) {
			t.Errorf("%s: %+v", said, got)
		}
	}
	if got := notConnected(over, errors.New("x")); !got.Silent {
		t.Errorf("nothing came back in time: %+v", got)
	}
	if got := notConnected(t.Context(), errors.New("open failed")); got.Err == nil || got.answers().Known() {
		t.Errorf("what is not known is told as %+v", got)
	}
}

// A new machine that gets no answer is in the way of a plan, one that is refused is
// not, and nothing more is forbidden to one that is set up.
func TestSilentEndpointIsAnObstacle(t *testing.T) {
	g := outsideGoal(t, "api.prod.example:8443")
	silent := Tried{Silent: true, Why: "does not answer within 6s"}
	for name, c := range map[string]struct {
		tried  Tried
		marker string
		says   string
	}{
		"silent":        {tried: silent, says: "the endpoint api.prod.example:8443 does not answer within 6s"},
		"refused":       {tried: Tried{Why: "refuses connections"}},
		"could not ask": {tried: Tried{Err: errors.New("x")}},
		"set up":        {tried: silent, marker: "prod"},
	} {
		f := Facts{Arch: "x86_64", Addresses: []string{"192.0.2.1"}, Marker: c.marker}
		ob := &Observation{Goal: g, Facts: map[model.HostID]Facts{"cp1": f}, Tried: map[model.HostID]Tried{"cp1": c.tried}}
		got := obstacle(g, ob, "cp1", f)
		if (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: %q", name, got)
		}
		if c.says != "" && !strings.Contains(got, "cp3 192.0.2.3:6443") {
			t.Errorf("%s: it does not say where to lead: %q", name, got)
		}
	}
}

// serving is the address of a server that does something with each connection and
// then closes it.
func serving(t *testing.T, do func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			do(c)
			c.Close()
		}
	}()
	return l.Addr().String()
}
