// Package admin serves what people and programs want to know of a balancer:
// /healthz, /metrics for Prometheus, and a statistics page. It changes nothing.
package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sys/unix"

	"quorate.dev/quorate/internal/balancer"
	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/health"
	"quorate.dev/quorate/internal/balancer/vip"
)

// Server is one listener. The zero Server listens nowhere.
type Server struct {
	http *http.Server
}

// Serve listens as c says and answers from b and vips. version is shown on the page.
func Serve(c config.Admin, b *balancer.Balancer, vips func() []vip.View, version string) (*Server, error) {
	if c.Listen == "off" {
		return &Server{}, nil
	}
	at, err := config.ListenAddress(c.Listen)
	if err != nil {
		return nil, err
	}
	handler := http.Handler(routes(b, vips, version))
	if c.User != "" {
		password, err := readPassword(c.Password)
		if err != nil {
			return nil, err
		}
		handler = login(handler, c.User, password)
	}
	var secured *tls.Config
	if c.Certificate != "" {
		if secured, err = certificate(c); err != nil {
			return nil, err
		}
	}
	// The process that is replaced and the one that replaces it share the port.
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		return errors.Join(err, failed)
	}}
	l, err := lc.Listen(context.Background(), "tcp", at.String())
	if err != nil {
		return nil, err
	}
	if secured != nil {
		l = tls.NewListener(l, secured)
	}
	s := &Server{http: &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}}
	go s.http.Serve(l)
	return s, nil
}

// Close stops listening; answers on their way may end for a second.
func (s *Server) Close() {
	if s == nil || s.http == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
}

func certificate(c config.Admin) (*tls.Config, error) {
	if _, err := tls.LoadX509KeyPair(c.Certificate, c.Key); err != nil {
		return nil, fmt.Errorf("admin.certificate: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
		return &pair, err
	}}, nil
}

func readPassword(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("admin.passwordFile: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("admin.passwordFile: %s can be read by others (mode %04o); next: chmod 0600 %s", path, info.Mode().Perm(), path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("admin.passwordFile: %w", err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if len(password) < 8 {
		return "", fmt.Errorf("admin.passwordFile: the password in %s has less than 8 characters", path)
	}
	return password, nil
}

// login asks for user and password, but not on /healthz, which tells no secret
// and which other balancers ask.
func login(next http.Handler, user, password string) http.Handler {
	want := sha256.Sum256([]byte(user + "\x00" + password))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, p, _ := r.BasicAuth()
		got := sha256.Sum256([]byte(u + "\x00" + p))
		if r.URL.Path != "/healthz" && subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
			time.Sleep(200 * time.Millisecond) // guessing takes its time
			w.Header().Set("WWW-Authenticate", `Basic realm="quorate-lb"`)
			http.Error(w, "user name and password required", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func routes(b *balancer.Balancer, vips func() []vip.View, version string) *http.ServeMux {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(b), routers(vips), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { healthz(w, b.View(), vips(), version) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { page(w, b.View(), vips(), version) })
	return mux
}

// Health is the answer of /healthz.
type Health struct {
	Status  string `json:"status"` // ok; draining, with code 503
	Version string `json:"version"`
	// Digest is the SHA-256 of the configuration file in use, Stamp its stamp.
	Digest string `json:"digest"`
	Stamp  string `json:"stamp,omitempty"`
	Loaded string `json:"loaded"` // RFC 3339
	// Backends are the names of those in use, by way.
	Backends map[string][]string `json:"backends,omitempty"`
	// Out are those of them that get no connections now.
	Out     map[string][]string `json:"out,omitempty"`
	Virtual []Virtual           `json:"virtual,omitempty"`
	// Error says why a newer file was not taken.
	Error string `json:"error,omitempty"`
}

// Virtual is a virtual router of this host.
type Virtual struct {
	Addresses []string `json:"addresses"` // with their prefixes
	State     string   `json:"state"`     // active, backup, off
	Reason    string   `json:"reason"`    // why it is in this state
}

func healthz(w http.ResponseWriter, v balancer.View, routers []vip.View, version string) {
	h := Health{Status: "ok", Version: version, Digest: v.Digest, Stamp: v.Stamp, Loaded: v.Loaded.UTC().Format(time.RFC3339),
		Error: v.Invalid, Backends: map[string][]string{}, Out: map[string][]string{}}
	for _, way := range v.Ways {
		for _, b := range way.Backends {
			if b.Draining {
				continue
			}
			h.Backends[way.Name] = append(h.Backends[way.Name], b.Name)
			if b.Mode != health.Used || b.State != health.Ready && b.Held == "" {
				h.Out[way.Name] = append(h.Out[way.Name], b.Name)
			}
		}
	}
	for _, r := range routers {
		h.Virtual = append(h.Virtual, Virtual{r.Addresses, r.State, r.Reason})
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if v.Draining {
		h.Status = "draining"
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(h)
}
