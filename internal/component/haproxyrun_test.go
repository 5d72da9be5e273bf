package component_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/balancer/lbtest"
	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/spec"
)

// A real HAProxy keeps what is open to an API server that says that it is not ready, and
// closes it once that does not answer.
func TestHAProxySessions(t *testing.T) {
	program, err := exec.LookPath("haproxy")
	if err == nil {
		err = exec.Command(program, "-v").Run()
	}
	if err != nil {
		t.Skip("haproxy is not installed")
	}
	dir := t.TempDir()
	certs, err := lbtest.NewCertificates(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx := twoBalancers(func(lb *spec.LoadBalancer) { lb.HAProxy = &spec.HAProxy{CheckMilliseconds: 100} })
	ctx.LoadBalancers, ctx.APIServers = ctx.LoadBalancers[1:], ctx.APIServers[:2]
	ctx.Layout.HAProxy.Run, ctx.Layout.PKI.CA.Cert = dir, certs.CA
	servers := map[string]*lbtest.Server{}
	at := free(t)
	swap := []string{"  user haproxy\n", "", "  group haproxy\n", "", "bind :6443", "bind " + at, "bind :8404", "bind " + free(t),
		"bind 127.0.0.1:8405", "bind " + free(t)}
	for _, n := range ctx.APIServers {
		s, err := lbtest.NewServer(n.Name, certs, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Stop)
		servers[n.Name], swap = s, append(swap, n.Address+":6443", s.Address)
	}
	svc, err := component.HAProxy(ctx)
	file := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(strings.NewReplacer(swap...).Replace(rendered(t, svc, err))), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-db", "-f", file)
	cmd.Env = append(os.Environ(), "QUORATE_STATS_USER=u", "QUORATE_STATS_PASSWORD=p")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	ask := func(c *http.Client) (string, error) {
		r, err := c.Get("https://" + at + "/who")
		if err != nil {
			return "", err
		}
		defer r.Body.Close()
		who, err := io.ReadAll(r.Body)
		return string(who), err
	}
	client := func() *http.Client { // with one connection
		return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxConnsPerHost: 1,
			TLSClientConfig: &tls.Config{RootCAs: certs.Pool, MinVersion: tls.VersionTLS12}}}
	}
	standing, mine := client(), ""
	within(t, "an API server answers", func() (err error) { mine, err = ask(standing); return err })
	servers[mine].Readyz.Store(http.StatusInternalServerError)
	for n := 0; n < 5; { // until it is out of rotation for new ones
		who, err := ask(client())
		if err != nil {
			t.Fatal(err)
		}
		if n++; who == mine {
			n = 0
		}
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(2 * time.Second) // as long as two checks and more
	seen := servers[mine].Seen.Load()
	if who, err := ask(standing); err != nil || who != mine {
		t.Errorf("what was open to %s is now at %q, %v (it has taken %d connections)", mine, who, err, seen)
	}
	servers[mine].Hang()
	within(t, "another one answers once it hangs", func() error {
		if who, err := ask(standing); err != nil || who == mine {
			return fmt.Errorf("%q: %w", who, err)
		}
		return nil
	})
}

func within(t *testing.T, what string, ok func() error) {
	t.Helper()
	var err error
	for range 100 {
		if err = ok(); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s: %v", what, err)
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
