package admin

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/balancer"
	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/health"
	"quorate.dev/quorate/internal/balancer/lbtest"
	"quorate.dev/quorate/internal/balancer/vip"
)

func TestLogin(t *testing.T) {
	dir := t.TempDir()
	certs, err := lbtest.NewCertificates(dir)
	if err != nil {
		t.Fatal(err)
	}
	address, err := lbtest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("correct horse\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := balancer.New(slog.New(slog.DiscardHandler))
	defer b.Close()
	c := config.Admin{Listen: address, User: "ops", Password: password, Certificate: certs.Cert, Key: certs.Key}
	if _, err := Serve(c, b, none, "test"); err == nil || !strings.Contains(err.Error(), "chmod 0600") {
		t.Fatalf("a password that all can read: %v", err)
	}
	if err := os.Chmod(password, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Serve(c, b, none, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: certs.Pool}}}
	defer client.CloseIdleConnections()
	for _, x := range []struct {
		path, user, password string
		code                 int
	}{
		{"/", "", "", 401}, {"/metrics", "ops", "wrong", 401}, {"/", "other", "correct horse", 401},
		{"/", "ops", "correct horse", 200}, {"/metrics", "ops", "correct horse", 200}, {"/healthz", "", "", 200},
		{"/x", "ops", "correct horse", 404},
	} {
		req, _ := http.NewRequest(http.MethodGet, "https://"+address+x.path, nil)
		if x.user != "" {
			req.SetBasicAuth(x.user, x.password)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != x.code {
			t.Errorf("%s as %q: %d, want %d", x.path, x.user, resp.StatusCode, x.code)
		}
	}
}

// Backends that only finish what they have are not in use.
func TestHealthzBackends(t *testing.T) {
	w := recorder{http.Header{}, new(strings.Builder)}
	routers := []vip.View{{State: "backup", Reason: "it began", Addresses: []string{"10.0.0.9/24"}}}
	way := balancer.WayView{Name: "api", Backends: []balancer.BackendView{{View: health.View{Name: "cp1", State: health.Ready}},
		{View: health.View{Name: "cp2"}, Draining: true}, {View: health.View{Name: "cp3"}}}}
	healthz(w, balancer.View{Digest: "aa", Ways: []balancer.WayView{way}}, routers, "test")
	for _, want := range []string{`"digest":"aa"`, `"backends":{"api":["cp1","cp3"]}`, `"out":{"api":["cp3"]}`,
		`"virtual":[{"addresses":["10.0.0.9/24"],"state":"backup","reason":"it began"}]`} {
		if text := w.String(); !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

// TestPageIsEscaped: a name or a server's words are text and never markup.
func TestPageIsEscaped(t *testing.T) {
	w := recorder{http.Header{}, new(strings.Builder)}
	page(w, balancer.View{Invalid: `<script>alert(1)</script>`}, nil, "test")
	if text := w.String(); strings.Contains(text, "<script>alert") || !strings.Contains(text, "&lt;script&gt;") {
		t.Error("the page has foreign markup")
	}
}

func none() []vip.View { return nil }

type recorder struct {
	header http.Header
	*strings.Builder
}

func (r recorder) Header() http.Header { return r.header }
func (r recorder) WriteHeader(int)     {}
