// Package lbtest has backends for tests of the balancer: real TLS servers on
// loopback that can be stopped, hung, or made to answer otherwise. Only tests
// and benchmarks import it.
package lbtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// FreePort is an address of 127.0.0.1 that nobody listens on. It is not of the
// range that the kernel takes for outgoing connections, so it stays free.
func FreePort() (string, error) {
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+mathrand.IntN(12000))
		if l, err := net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", errors.New("no free port between 20000 and 32000")
}

// Certificates are an authority and one certificate for 127.0.0.1, good for
// servers and clients.
type Certificates struct {
	Pool        *x509.CertPool
	Certificate tls.Certificate
	CA          string // path of the authority
	Cert, Key   string // paths of the certificate
}

// NewCertificates writes them to dir.
func NewCertificates(dir string) (*Certificates, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "lbtest"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	c := &Certificates{CA: filepath.Join(dir, "ca.crt"), Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"),
		Pool: x509.NewCertPool()}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
	for path, text := range map[string][]byte{c.CA: cert, c.Cert: cert, c.Key: keyPEM} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return nil, err
		}
	}
	c.Pool.AppendCertsFromPEM(cert)
	c.Certificate, err = tls.X509KeyPair(cert, keyPEM)
	return c, err
}

// Server is a backend. /readyz and /livez answer with the code that was set,
// /who with its name, /bytes?n=N with N bytes; POST /echo repeats the body.
type Server struct {
	Name    string
	Address string
	Readyz  atomic.Int64 // HTTP code; 0 hangs
	Seen    atomic.Int64 // connections accepted

	certificates *Certificates
	gate         gate
	mu           sync.Mutex
	http         *http.Server
}

// NewServer starts a server on a free port of 127.0.0.1. h, when it is not
// nil, answers what is not a check.
func NewServer(name string, c *Certificates, h http.Handler) (*Server, error) {
	s := &Server{Name: name, certificates: c, Address: "127.0.0.1:0"}
	s.gate.open = make(chan struct{})
	close(s.gate.open)
	s.Readyz.Store(http.StatusOK)
	return s, s.Start(h)
}

// Start listens on the address that the server had before.
func (s *Server) Start(h http.Handler) error {
	l, err := net.Listen("tcp", s.Address)
	if err != nil {
		return err
	}
	s.Address = l.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 {
			// As API servers do to who gives no name, see check.readyzReader.
			w.Header().Set("Connection", "close")
		}
		code := int(s.Readyz.Load())
		if code == 0 {
			<-r.Context().Done()
			return
		}
		w.WriteHeader(code)
	})
	mux.HandleFunc("/livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/who", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s.Name) })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	mux.HandleFunc("/bytes", func(w http.ResponseWriter, r *http.Request) {
		var n int64
		_, _ = fmt.Sscan(r.URL.Query().Get("n"), &n)
		_, _ = io.Copy(w, io.LimitReader(zeros{}, n))
	})
	if h != nil {
		mux.Handle("/", h)
	}
	server := &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0)}
	s.mu.Lock()
	s.http = server
	s.mu.Unlock()
	config := &tls.Config{Certificates: []tls.Certificate{s.certificates.Certificate}, NextProtos: []string{"h2", "http/1.1"}}
	go server.Serve(tls.NewListener(&listener{l, s}, config))
	return nil
}

// Stop ends the listener and all connections, as when the process is killed.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate.set(true)
	s.http.Close()
}

// Hang makes the server accept connections and do nothing with any, as a
// process that was stopped does; Wake ends that.
func (s *Server) Hang() { s.gate.set(false) }
func (s *Server) Wake() { s.gate.set(true) }

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// gate holds all reading and writing up while it is shut.
type gate struct {
	mu   sync.Mutex
	open chan struct{}
}

func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.open:
		if !open {
			g.open = make(chan struct{})
		}
	default:
		if open {
			close(g.open)
		}
	}
}

func (g *gate) wait() {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	<-open
}

type listener struct {
	net.Listener
	s *Server
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.s.Seen.Add(1)
	return &gated{c, &l.s.gate}, nil
}

type gated struct {
	net.Conn
	gate *gate
}

func (g *gated) Read(b []byte) (int, error) {
	g.gate.wait()
	n, err := g.Conn.Read(b)
	g.gate.wait()
	return n, err
}

func (g *gated) Write(b []byte) (int, error) {
	g.gate.wait()
	return g.Conn.Write(b)
}
