package units

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/knobs"
	"quorate.dev/quorate/internal/lblint"
)

// Certificate is one that a component uses, the first of its file.
type Certificate struct {
	Path    string    `json:"path"`
	Subject string    `json:"subject"`
	Issuer  string    `json:"issuer"`
	Names   []string  `json:"names"` // DNS names and addresses
	Key     string    `json:"key"`   // such as RSA-2048
	Until   time.Time `json:"until"`
	CA      bool      `json:"ca"`
	Problem string    `json:"problem,omitempty"`
	serial  string
}

func certificate(path string, text []byte) Certificate {
	c := Certificate{Path: path, Names: []string{}}
	block, _ := pem.Decode(text)
	if block == nil {
		c.Problem = "it holds no certificate"
		return c
	}
	x, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		c.Problem = err.Error()
		return c
	}
	c.Subject, c.Issuer, c.Until, c.CA = x.Subject.String(), x.Issuer.String(), x.NotAfter, x.IsCA
	c.serial = x.SerialNumber.String() + x.Issuer.String()
	c.Names = append(c.Names, x.DNSNames...)
	for _, ip := range x.IPAddresses {
		c.Names = append(c.Names, ip.String())
	}
	switch k := x.PublicKey.(type) {
	case *rsa.PublicKey:
		c.Key = fmt.Sprintf("RSA-%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		c.Key = "ECDSA-" + k.Curve.Params().Name
	case ed25519.PublicKey:
		c.Key = "Ed25519"
	default:
		c.Key = x.PublicKeyAlgorithm.String()
	}
	return c
}

// readFiles reads the answer of files.sh.
func (h *Host) readFiles(a host.Answer) {
	for _, part := range a.Names() {
		kind, p, _ := strings.Cut(part, " ")
		body, _ := a.Part(part)
		switch kind {
		case "cert":
			if c := certificate(p, body); len(body) > 0 { // a public key alone is none
				h.Certs = append(h.Certs, c)
			}
		case "conf":
			h.Confs = append(h.Confs, kubeconfig(p, string(body)))
		case "balancer":
			h.Balancers = append(h.Balancers, h.balancer(p, string(body)))
		}
	}
	for l := range strings.Lines(a.Text("keys")) {
		if w := strings.Fields(l); len(w) == 4 {
			h.Keys = append(h.Keys, Key{Path: w[0], Mode: w[1], Owner: w[2], digest: w[3]})
		}
	}
}

func kubeconfig(path, text string) Kubeconfig {
	k, err := knobs.ReadKubeconfig(text)
	if err != nil {
		return Kubeconfig{Path: path, Problem: err.Error()}
	}
	return Kubeconfig{Path: path, Server: k.Get(knobs.Server)}
}

func (h Host) balancer(path, text string) Balancer {
	b := Balancer{Path: path, Pools: []Pool{}}
	for _, s := range h.Services {
		if s.config() == path {
			b.Unit = s.Unit
		}
	}
	read, err := knobs.ReadBalancer(text)
	if err != nil {
		b.Problem = err.Error()
		return b
	}
	b.Kind = read.Kind()
	for _, p := range read.Pools() {
		one := Pool{Name: p.Name, Servers: []string{}}
		for _, s := range p.Servers {
			one.Servers = append(one.Servers, s.Address)
			if s.Down {
				one.Down = append(one.Down, s.Address)
			}
		}
		b.Pools = append(b.Pools, one)
	}
	if f, err := lblint.Lint(path, []byte(text), lblint.Known{}); err == nil {
		for _, finding := range f.Findings {
			b.Notes = append(b.Notes, fmt.Sprintf("line %d: %s", finding.Line, finding.Problem))
		}
	}
	slices.Sort(b.Notes)
	return b
}
