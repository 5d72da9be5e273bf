package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// problems collects what is wrong, each with its place in the file.
type problems []error

func (p *problems) add(place, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: %s", place, fmt.Sprintf(format, args...)))
}

// Validate says everything that is wrong with f, one line each with its place.
// Call it on a File with defaults.
func (f File) Validate() error {
	var p problems
	f.Admin.validate(&p)
	within(&p, "drain", f.Drain, time.Second, 24*time.Hour)
	if len(f.Ways) == 0 {
		p.add("ways", "there must be at least one")
	}
	names, taken := map[string]bool{}, map[string]string{f.Admin.Listen: "admin.listen"}
	for i, w := range f.Ways {
		place := fmt.Sprintf("ways[%d]", i)
		if !nameForm.MatchString(w.Name) {
			p.add(place+".name", "%q is not a name: lower case letters, digits and -, at most 63", w.Name)
		} else if names[w.Name] {
			p.add(place+".name", "%q is taken by an earlier way", w.Name)
		}
		names[w.Name] = true
		for j, l := range w.Listen {
			at := fmt.Sprintf("%s.listen[%d]", place, j)
			if other, is := taken[l]; is {
				p.add(at, "%s is taken by %s", l, other)
			}
			taken[l] = at
		}
		w.validate(&p, place)
	}
	f.validateVIPs(&p)
	return errors.Join(p...)
}

func (a Admin) validate(p *problems) {
	if a.Listen == "off" {
		return
	}
	at, err := ListenAddress(a.Listen)
	if err != nil {
		p.add("admin.listen", "%v; or off", err)
		return
	}
	if !at.Addr().IsLoopback() && (a.User == "" || a.Password == "" || a.Certificate == "" || a.Key == "") {
		p.add("admin.listen", "%s is not loopback: it needs user, passwordFile, certificate and key", a.Listen)
	}
	if (a.User == "") != (a.Password == "") {
		p.add("admin", "user and passwordFile go together")
	}
	pair(p, "admin", a.Certificate, a.Key)
	path(p, "admin.passwordFile", a.Password)
}

func (w Way) validate(p *problems, place string) {
	if len(w.Listen) == 0 {
		p.add(place+".listen", "there must be at least one address")
	}
	for j, l := range w.Listen {
		if _, err := ListenAddress(l); err != nil {
			p.add(fmt.Sprintf("%s.listen[%d]", place, j), "%v", err)
		}
	}
	if w.Nodes < 1 || w.Nodes > 100000 {
		p.add(place+".nodes", "%d is not between 1 and 100000", w.Nodes)
	}
	if w.MaxConnections < 1 || w.MaxConnections > 1000000 {
		p.add(place+".maxConnections", "%d is not between 1 and 1000000", w.MaxConnections)
	}
	within(p, place+".slowStart", w.SlowStart, time.Millisecond, 10*time.Minute)
	w.Check.validate(p, place+".check")
	w.validateBackends(p, place)
}

func (w Way) validateBackends(p *problems, place string) {
	if len(w.Backends) == 0 {
		p.add(place+".backends", "there must be at least one")
	}
	names, addresses := map[string]bool{}, map[string]string{}
	for i, b := range w.Backends {
		at := fmt.Sprintf("%s.backends[%d]", place, i)
		if b.Name == "" || len(b.Name) > 253 || strings.ContainsFunc(b.Name, func(r rune) bool { return r <= ' ' || r > '~' }) {
			p.add(at+".name", "%q is not a name", b.Name)
		} else if names[b.Name] {
			p.add(at+".name", "%q is taken by an earlier backend", b.Name)
		}
		names[b.Name] = true
		if a, err := netip.ParseAddrPort(b.Address); err != nil || a.Port() == 0 || a.Addr().IsUnspecified() {
			p.add(at+".address", "%q is not an IP address and port", b.Address)
		}
		if other, is := addresses[b.Address]; is {
			p.add(at+".address", "%s is also the address of %s", b.Address, other)
		}
		addresses[b.Address] = b.Name
		switch _, err := ID(b.Member); {
		case b.Member != "" && w.Check.Kind != KindEtcd:
			p.add(at+".member", "is only for checks of kind etcd")
		case b.Member != "" && err != nil:
			p.add(at+".member", "%v", err)
		}
	}
}

func (c Check) validate(p *problems, place string) {
	switch c.Kind {
	case KindReadyz:
		if c.ClusterID != "" {
			p.add(place+".clusterID", "is only for checks of kind etcd")
		}
	case KindEtcd:
		if _, err := ID(c.ClusterID); err != nil {
			p.add(place+".clusterID", "%v", err)
		}
		if c.Certificate == "" {
			p.add(place+".certificate", "etcd asks for a client certificate")
		}
		if c.UnauthorizedIsReady {
			p.add(place+".unauthorizedIsReady", "is only for checks of kind readyz")
		}
	default:
		p.add(place+".kind", "%q is neither %s nor %s", c.Kind, KindReadyz, KindEtcd)
	}
	if c.CA == "" {
		p.add(place+".ca", "is needed: a backend is believed only with a certificate of a known authority")
	}
	path(p, place+".ca", c.CA)
	pair(p, place, c.Certificate, c.Key)
	within(p, place+".timeout", c.Timeout, 50*time.Millisecond, 10*time.Second)
	within(p, place+".grace", c.Grace, time.Millisecond, 10*time.Minute)
	within(p, place+".cutOff", c.CutOff, time.Millisecond, 10*time.Minute)
}

func pair(p *problems, place, certificate, key string) {
	if (certificate == "") != (key == "") {
		p.add(place, "certificate and key go together")
	}
	path(p, place+".certificate", certificate)
	path(p, place+".key", key)
}

func path(p *problems, place, name string) {
	if name != "" && !filepath.IsAbs(name) {
		p.add(place, "%q is not an absolute path", name)
	}
}

func within(p *problems, place string, d Duration, least, most time.Duration) {
	if d.Std() < least || d.Std() > most {
		p.add(place, "%v is not between %v and %v", d.Std(), least, most)
	}
}

// ListenAddress reads "IP:port" or ":port"; the latter gives the unspecified
// IPv6 address, which takes IPv4 too.
func ListenAddress(s string) (netip.AddrPort, error) {
	if strings.HasPrefix(s, ":") {
		s = "[::]" + s
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil || a.Port() == 0 || a.Addr().Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("%q is not an IP address and port, as 10.0.0.1:6443 or :6443", s)
	}
	return a, nil
}

// ID reads one of etcd's identifiers.
func ID(s string) (uint64, error) {
	id, err := strconv.ParseUint(s, 16, 64)
	if err != nil || id == 0 {
		return 0, fmt.Errorf("%q is not an identifier of etcd in hexadecimal, as cdf818194e3a8c32", s)
	}
	return id, nil
}
