package topology

import (
	"net"
	"slices"
	"strings"
)

// Loopback is where an endpoint's name leads on a host with a balancer of its own.
const Loopback = "127.0.0.1"

const (
	beginMark = "# BEGIN quorate"
	endMark   = "# END quorate"
)

// HostsBlock is what /etc/hosts must say on every host: the endpoint's name
// leads to an address, such as this host's own front door, and each node has its
// internal address. An endpoint that is an address, or one that leads nowhere
// (somebody else's balancer stands in front, and its name is for DNS), has no line.
func HostsBlock(endpoint, leadsTo string, nodes []Node) string {
	lines := []string{beginMark}
	name, _, err := net.SplitHostPort(endpoint)
	if err == nil && net.ParseIP(name) == nil && leadsTo != "" {
		lines = append(lines, leadsTo+" "+name)
	}
	for _, n := range ByName(nodes) {
		lines = append(lines, n.Address+" "+n.Name)
	}
	return strings.Join(append(lines, endMark), "\n") + "\n"
}

// MergeHosts puts the block in the place of the one that old has, or at its
// end, but before a line that gives the name otherwise which it leads to the host's
// own front door: the first one counts. An empty block takes it away. All other lines stay as they are. Of a
// block without an end only the mark goes: what follows may be the user's.
func MergeHosts(old, block string) string {
	var out []string
	at := -1
	lines := strings.Split(strings.TrimSuffix(old, "\n"), "\n")
	if old == "" {
		lines = nil
	}
	for i := 0; i < len(lines); i++ {
		if strings.TrimSpace(lines[i]) != beginMark {
			out = append(out, lines[i])
			continue
		}
		if at < 0 {
			at = len(out)
		}
		for j := i + 1; j < len(lines); j++ {
			if strings.TrimSpace(lines[j]) == endMark {
				i = j
				break
			}
		}
	}
	if at < 0 {
		at = len(out)
	}
	if led, _ := Led(block, "", ""); led != "" {
		for i, l := range out[:at] {
			if LeadsTo(l, led) != "" {
				at = i
				break
			}
		}
	}
	var text strings.Builder
	for _, l := range out[:at] {
		text.WriteString(l + "\n")
	}
	text.WriteString(block)
	for _, l := range out[at:] {
		text.WriteString(l + "\n")
	}
	return text.String()
}

// LeadsTo is the address that a hosts file gives a name first, "" if none.
func LeadsTo(text, name string) string {
	for l := range strings.Lines(text) {
		l, _, _ = strings.Cut(l, "#")
		if w := strings.Fields(l); len(w) > 1 && slices.Contains(w[1:], name) {
			return w[0]
		}
	}
	return ""
}

// Led is the name that a block leads to a load balancer of the cluster's own, and the
// address: the endpoint's, or another one to this host itself or to that address.
func Led(block, name, shared string) (led, to string) {
	for l := range strings.Lines(block) {
		w := strings.Fields(l)
		if len(w) == 2 && w[0] != "#" && (w[1] == name || w[0] == Loopback || w[0] == shared) {
			return w[1], w[0]
		}
	}
	return "", ""
}

// ByName returns the nodes sorted by name, so that what is rendered from them
// does not depend on their order in the file.
func ByName(nodes []Node) []Node {
	return slices.SortedFunc(slices.Values(nodes), func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
}
