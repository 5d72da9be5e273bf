package refs

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
)

// plainName is what may stand in a script.
var plainName = regexp.MustCompile(`^[a-z0-9][a-z0-9.:-]*$`)

// word is what may be an address or a name, with a port. look.sh has the same.
var word = regexp.MustCompile(`\[[0-9A-Fa-f:.]+\](:[0-9]+)?|[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?`)

// network is what follows an address that is one of a network.
var network = regexp.MustCompile(`^/([0-9]+)`)

// mentions are the addresses in a text, and the names of it that are gone.
func (c Cluster) mentions(text string, at Mention) (out []Mention) {
	n := 0
	for l := range strings.Lines(text) {
		n++
		if strings.HasPrefix(strings.TrimSpace(l), "#") {
			continue
		}
		for _, is := range word.FindAllStringIndex(l, -1) {
			m := at
			m.Line, m.Name, m.Port = n, l[is[0]:is[1]], ""
			if size := network.FindStringSubmatch(l[is[1]:]); size != nil && size[1] != "32" && size[1] != "128" && !strings.Contains(m.Name, ":") {
				continue
			}
			m.Name, m.Port = cut(m.Name)
			if c.counts(m.Name) {
				out = append(out, m)
			}
		}
	}
	return out
}

// counts says that a word is an address, or a name that is gone.
func (c Cluster) counts(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	short, _, _ := strings.Cut(strings.ToLower(name), ".")
	_, gone := c.Gone[strings.ToLower(name)]
	_, goneShort := c.Gone[short]
	return gone || goneShort
}

// cut parts a word from its port.
func cut(s string) (name, port string) {
	if name, port, err := net.SplitHostPort(s); err == nil {
		return name, port
	}
	return strings.Trim(s, "[]"), ""
}

// servers are what the clusters of a kubeconfig lead to that trust this
// cluster's CA, or name none by which that could be told.
func (c Cluster) servers(text []byte, at Mention) (out []Mention, err error) {
	config, err := clientcmd.Load(text)
	if err != nil {
		return nil, err
	}
	for _, cluster := range config.Clusters {
		data := cluster.CertificateAuthorityData
		if len(data) > 0 && c.CA != nil && !sameCA(data, c.CA) {
			continue
		}
		u, err := url.Parse(cluster.Server)
		if err != nil || u.Hostname() == "" {
			continue
		}
		m := at
		m.Name, m.Port, m.Certain = u.Hostname(), u.Port(), len(data) > 0 && c.CA != nil
		out = append(out, m)
	}
	return out, nil
}
