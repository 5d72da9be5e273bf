package units

import (
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// soon is how long before its end a certificate is worth a word.
const soon = 60 * 24 * time.Hour

// findings are what stands out, host by host, and then of the whole.
func (c Cluster) findings() []Finding {
	g := &grouped{}
	for _, h := range c.Hosts {
		if h.Problem != "" {
			g.add(h.Name, "it could not be looked at: "+h.Problem, "what is on it is not known, and not in this report")
			continue
		}
		h.services(g)
		h.apiServer(g)
		h.etcd(g)
		h.certs(g)
	}
	c.keys(g)
	c.names(g)
	return g.list
}

// grouped are findings, with the hosts of equal ones together.
type grouped struct{ list []Finding }

func (g *grouped) add(host, what, so string) {
	for i, f := range g.list {
		if f.What == what && f.So == so {
			if !slices.Contains(strings.Split(f.Where, ", "), host) {
				g.list[i].Where += ", " + host
			}
			return
		}
	}
	g.list = append(g.list, Finding{Where: host, What: what, So: so})
}

func (h Host) services(g *grouped) {
	for _, s := range h.Services {
		switch {
		case s.Problem != "":
			g.add(h.Name, s.Component+": "+s.Problem, "its flags are not known, and no tool could change them safely")
		case s.Changed:
			g.add(h.Name, s.Component+" runs with other flags than its files say",
				"its next start, also after a power loss, is with those of the files: see that they are meant")
		}
		if s.Active != "active" || s.Enabled != "enabled" {
			g.add(h.Name, fmt.Sprintf("unit %s is %s and %s", s.Unit, s.Active, s.Enabled), "after a reboot it may not come back by itself")
		}
	}
}

func (h Host) apiServer(g *grouped) {
	s, is := h.Service("kube-apiserver")
	if !is || s.Problem != "" {
		return
	}
	if ip := net.ParseIP(s.flags.One("bind-address")); ip != nil && !ip.IsUnspecified() {
		g.add(h.Name, "its API server listens on the host's address only", "checks and clients on the host itself do not reach it on loopback")
	}
	if s.flags.One("anonymous-auth") == "false" {
		g.add(h.Name, "anonymous requests are refused",
			"load balancers cannot ask /readyz without a client certificate: plain TCP checks see no hung server")
	}
	if s.flags.One("encryption-provider-config") == "" {
		g.add(h.Name, "secrets are not encrypted at rest", "who reads etcd's data or a snapshot of it has them")
	}
	ca := s.flags.One("client-ca-file")
	if ca != "" && ca == s.flags.One("etcd-cafile") {
		g.add(h.Name, ca+" is the authority of clients of the API and of etcd",
			"every certificate that it has issued, also that of a kubelet or a user, opens etcd, past all authorisation")
	}
	if ca != "" && ca == s.flags.One("requestheader-client-ca-file") && s.flags.One("requestheader-allowed-names") == "" {
		g.add(h.Name, ca+" is the authority of the aggregation layer too, and no names are required",
			"every client certificate may speak in the name of any user: set --requestheader-allowed-names")
	}
	if s.flags.One("service-account-key-file") == ca && ca != "" {
		g.add(h.Name, "service account tokens are signed with the key of "+ca,
			"a new certificate authority makes all tokens invalid, and the key must stay on every control plane")
	}
}

func (h Host) etcd(g *grouped) {
	s, is := h.Service("etcd")
	if !is || s.Problem != "" {
		return
	}
	if s.flags.One("initial-cluster-state") == "new" || s.flags.One("initial-cluster-state") == "" {
		g.add(h.Name, "etcd is told --initial-cluster-state=new for good",
			"if its data is lost while it does not reach the others, it begins anew as the same member with an empty log, and its vote "+
				"can undo what was acknowledged: keep it stopped, remove the member and add it again")
	}
	for _, at := range s.flags.List("listen-client-urls") {
		if u, err := url.Parse(at); err == nil && u.Scheme == "http" {
			g.add(h.Name, "etcd serves "+at+" without certificates", "every process on the host reads and writes all of the cluster's data")
		}
	}
	data, wal := s.flags.One("data-dir"), s.flags.One("wal-dir")
	if wal != "" && wal != path.Join(data, "member", "wal") {
		g.add(h.Name, "etcd's log lies in "+wal+", apart from "+data, "what saves or moves its data must take both")
	}
}

func (h Host) certs(g *grouped) {
	for _, c := range h.Certs {
		switch {
		case c.Problem != "":
			g.add(h.Name, c.Path+": "+c.Problem, "whether it is valid is not known")
		case !h.now.IsZero() && c.Until.Before(h.now):
			g.add(h.Name, c.Path+" has expired on "+c.Until.Format(time.DateOnly), "who reads it anew does not connect")
		case !h.now.IsZero() && c.Until.Before(h.now.Add(soon)):
			g.add(h.Name, c.Path+" expires on "+c.Until.Format(time.DateOnly), "issue it anew before that")
		}
	}
}

// beside is where cfssl puts the key of a certificate.
func beside(cert string) string {
	return strings.TrimSuffix(cert, path.Ext(cert)) + "-key" + path.Ext(cert)
}

// keys say where the authorities' keys are, and which certificates with the names
// of hosts several of them share.
func (c Cluster) keys(g *grouped) {
	at, found := map[string][]string{}, map[string]bool{}
	var shared, cas []string
	for _, h := range c.Hosts {
		signs := h.flag("kube-controller-manager", "cluster-signing-cert-file")
		for _, cert := range h.Certs {
			for _, k := range h.Keys {
				is := k.Path == beside(cert.Path) ||
					cert.Path == signs && k.Path == h.flag("kube-controller-manager", "cluster-signing-key-file")
				switch {
				case is && cert.CA:
					found[cert.Path] = true
				case is && len(cert.Names) > 0:
					id := cert.Path + " " + k.digest
					at[id], shared = append(at[id], h.Name), append(shared, id)
				}
			}
			if cert.CA {
				cas = append(cas, cert.Path)
			}
		}
	}
	slices.Sort(cas)
	for _, ca := range slices.Compact(cas) {
		if !found[ca] {
			g.add(strings.Join(c.masters(), ", "), "the key of "+ca+" was found on no host",
				"certificates cannot be issued: have it at hand before hosts join or leave, or addresses change")
		}
	}
	slices.Sort(shared)
	for _, id := range slices.Compact(shared) {
		cert, _, _ := strings.Cut(id, " ")
		if len(at[id]) > 1 {
			g.add(strings.Join(at[id], ", "), "they share the certificate "+cert+" with its key",
				"when a host joins or leaves it is to be issued anew for all, and a key that leaks on one is to be replaced on all")
		}
	}
}

func (c Cluster) masters() (out []string) {
	for _, h := range c.Hosts {
		if _, is := h.Service("kube-apiserver"); is {
			out = append(out, h.Name)
		}
	}
	return out
}

// names are lists of servers that do not agree with what runs.
func (c Cluster) names(g *grouped) {
	var etcd, api []string
	for _, h := range c.Hosts {
		if _, is := h.Service("etcd"); is {
			etcd = append(etcd, h.Address)
		}
		if _, is := h.Service("kube-apiserver"); is {
			api = append(api, h.Address)
		}
		if h.Problem != "" { // it may run either
			etcd, api = append(etcd, h.Address), append(api, h.Address)
		}
	}
	for _, h := range c.Hosts {
		s, _ := h.Service("kube-apiserver")
		g.compare(h.Name, "--etcd-servers of kube-apiserver", s.flags.List("etcd-servers"), etcd, "etcd")
		s, _ = h.Service("etcd")
		var members []string
		for _, m := range s.flags.List("initial-cluster") {
			_, at, _ := strings.Cut(m, "=")
			members = append(members, at)
		}
		g.compare(h.Name, "--initial-cluster of etcd", members, etcd, "etcd")
		for _, b := range h.Balancers {
			for _, p := range b.Pools {
				g.compare(h.Name, "pool "+p.Name+" of "+b.Path, p.Servers, api, "an API server")
			}
		}
	}
}

// compare says which servers of a list do not run, and which that run are not in
// it. A list of other servers altogether is nobody's business here.
func (g *grouped) compare(host, list string, has, runs []string, what string) {
	var in []string
	for _, at := range has {
		if u, err := url.Parse(at); err == nil && u.Host != "" {
			at = u.Host
		}
		name, _, err := net.SplitHostPort(at)
		if err != nil {
			name = at
		}
		in = append(in, name)
	}
	if !slices.ContainsFunc(in, func(at string) bool { return slices.Contains(runs, at) }) {
		return
	}
	for _, at := range in {
		if !slices.Contains(runs, at) {
			g.add(host, fmt.Sprintf("%s names %s, where %s was not seen to run", list, at, what), "a host that is gone, or one that is down")
		}
	}
	for _, at := range runs {
		if !slices.Contains(in, at) {
			g.add(host, fmt.Sprintf("%s does not name %s, where %s runs", list, at, what), "it is not used from here")
		}
	}
}
