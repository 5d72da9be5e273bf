// Package observe looks at hosts and says what is there: one read-only script a
// host, then what only etcd and the API can tell, and a pure assembly of both
// into a model.Cluster. It changes nothing and judges nothing.
package observe

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/workload"
)

// Facts are what the probe saw on one host. Err is why there are none.
type Facts struct {
	Err          error
	Took         time.Duration
	Offset       time.Duration // its clock against ours
	OS, Arch     string
	Kernel       string
	CPUs         int
	MemoryKiB    int
	Hostname     string
	MachineID    string
	Swap         bool
	CgroupV1     bool
	ResolvConf   string
	StreamModule string   // where nginx's stream module lies, or will lie
	Marker       string   // the cluster it belongs to
	Named        string   // the host of the cluster that its units make it
	Foreign      []string // what others have put there
	Addresses    []string
	Interfaces   map[string]string // by the address that they have
	Data         bool              // etcd has a data folder
	DataOf       string            // the id of the cluster that the data belongs to
	Superseded   bool              // that cluster was superseded by a recovery: nothing that its members say counts
	Recorded     []string          // the lines of its list of superseded clusters, as they are
	Past         []etcd.Superseded // those that etcd's CA has signed
	Fence        []string          // addresses that its etcd does not let in
	NoFence      bool              // a fence was tried, and it can put up none
	Claimed      *etcd.Recovery    // the recovery that it has recorded
	Recovery     *etcd.Recovery    // that one, if etcd's CA has signed it
	Staged       map[string]bool   // data of recoveries that lies ready, by id; false: etcd's own has changed since
	EtcdReplaced bool              // etcd's data before a recovery lies beside it
	Bootstrapped bool              // an etcd has been ready here once
	Kubelet      bool              // the kubelet has a client certificate that is still valid
	KubeletCert  *x509.Certificate // that one, also when it is over; nil: there is none
	Sums         map[string]string
	Modes        map[string]workload.Mode // of the files in Sums
	HostsBlock   string                   // what of its /etc/hosts is quorate's
	HostsSum     string
	Links        map[string]string // target by path
	Programs     map[string]string // SHA-256 by path, of what can be read there
	Stored       map[string]string // where that lies in the end, by path
	Services     map[model.Component]workload.State
	EtcdHealth   bool // a read that a quorum agreed to
	EtcdLocal    bool // it serves what it has
	EtcdDataLost bool // it ends because its log is not the one that its peers know
	Readyz       bool
	EtcdSilent   []string          // URLs of etcd that time out, asked from a host where something does not serve
	EtcdServers  []string          // etcd servers of the running API server
	Backends     []string          // API servers behind its nginx
	Balancer     Balancer          // what its quorate-lb has in use
	Behind       []string          // API servers behind its HAProxy, by the configuration
	Virtual      []string          // virtual addresses that its Keepalived may hold, by the configuration
	Rotation     map[string]string // what HAProxy says of each server, by its name: UP, DOWN, …
	Server       string            // the kubelet's, by its kubeconfig
	Resolved     []string          // what the host takes the name in Server for
	Peers        []string          // where the kubelet's connections to Server's port, or an API server's, lead
	ProxyPeers   []string          // and those of a kube-proxy
	Name         string            // how curl ended that asked its API server by the endpoint's name; "": it was not asked
	Lacks        []string          // needed commands that are not there
	Sysctls      map[string]string
	Images       []string
	ImagesErr    string // why the images are not known
	Listeners    []Listener
	Conflist     string
	Routes       string
	Files        map[string][]byte // certificates and keys
}

// parse reads the probe's answer.
func parse(answer host.Answer, at layout.Layout) (Facts, error) {
	f := Facts{Sums: map[string]string{}, Links: map[string]string{},
		Programs: map[string]string{}, Stored: map[string]string{}, Services: map[model.Component]workload.State{},
		Sysctls: map[string]string{}, Files: map[string][]byte{}}
	frames := f.takeFiles(answer)
	line := func(name string) string { s, _, _ := strings.Cut(frames[name], "\n"); return strings.TrimSpace(s) }
	f.OS = osName(frames["os"])
	f.Arch, f.Kernel, f.Hostname, f.MachineID = line("arch"), line("kernel"), line("hostname"), line("machine-id")
	f.CPUs, _ = strconv.Atoi(line("cpus"))
	f.MemoryKiB, _ = strconv.Atoi(line("memory"))
	f.Swap = line("swap") != ""
	f.CgroupV1 = line("cgroup") == "v1"
	f.StreamModule = line("stream")
	f.ResolvConf, f.Marker, f.Named = line("resolv"), line("marker"), first(cut(namedAs, frames["named"]))
	f.Bootstrapped, f.Data = line("bootstrapped") == "yes", line("data") == "yes"
	f.kubelet([]byte(frames["kubelet"]), time.Now())
	f.Foreign, f.Addresses, f.Lacks = lines(frames["foreign"]), cut(address, frames["address"]), lines(frames["needs"])
	f.HostsBlock = string(wholeLines(frames["hosts"]))
	f.HostsSum = goal.Sum([]byte(f.HostsBlock))
	f.Recorded, f.Fence = lines(frames["superseded"]), cut(fenced, frames["fence"])
	if err := f.etcd(frames, line, at); err != nil {
		return f, err
	}
	for _, l := range lines(frames["sums"]) {
		if sum, path, ok := strings.Cut(l, "  "); ok {
			f.Sums[path] = sum
		}
	}
	f.Readyz, f.Name, f.EtcdSilent = line("readyz") == "ok", line("name"), lines(frames["silent"])
	f.EtcdServers, f.Backends = etcdServers(workload.Flags(frames, "--etcd-servers")), backends(frames["backends"], at.APIServer.Port)
	f.Balancer = readBalancer(frames["balancer"], frames["ways"], f.Sums[at.Balancer.Config])
	f.haproxy(frames)
	f.Server, f.Resolved = line("server"), resolved(frames["resolved"])
	f.Images, f.ImagesErr = lines(frames["images"]), line("imageless")
	f.Conflist, f.Routes = frames["conflist"], frames["routes"]
	f.Modes = modes(frames["modes"])
	pairs(frames["links"], " ", f.Links)
	f.programs(frames)
	pairs(frames["sysctls"], "=", f.Sysctls)
	if err := workload.Unasked(frames); err != nil {
		return f, err
	}
	states := workload.Read(frames, component.Watched(at))
	for v := range model.NumComponents {
		f.Services[v] = states[at.Unit(v)]
	}
	// One that runs goes on from what it has, whatever its log is said to say.
	f.EtcdDataLost = line("lost") == "yes" && f.Data && !(f.Up(model.Etcd) && f.Services[model.Etcd].Word == "active")
	f.Peers, f.ProxyPeers = peers(frames["sockets"], f.Services[model.Kubelet].PID), peersOf(frames["sockets"], model.KubeProxy.String())
	f.Listeners = listeners(frames["sockets"], owners(frames["owners"]))
	if sec, err := strconv.ParseFloat(line("now"), 64); err == nil {
		f.Offset = time.Duration(sec*float64(time.Second)) - time.Duration(time.Now().UnixNano())
	}
	return f, nil
}

// haproxy reads what HAProxy is told and says, and the interfaces Keepalived may use.
func (f *Facts) haproxy(frames map[string]string) {
	f.Behind, f.Virtual, f.Interfaces = cut(behind, frames["behind"]), cut(virtual, frames["virtual"]), interfaces(frames["address"])
	f.Rotation = map[string]string{}
	pairs(frames["rotation"], " ", f.Rotation)
}

// programs reads the digests of installed programs and of stored sets.
func (f *Facts) programs(frames map[string]string) {
	for _, l := range lines(frames["programs"]) {
		if sum, path, ok := strings.Cut(l, " "); ok {
			f.Programs[path] = sum
		}
	}
	if all := lines(frames["stored"]); len(all)%2 == 0 {
		for i, path := range all[:len(all)/2] {
			f.Stored[path] = all[len(all)/2+i]
		}
	}
}

// etcd reads what lies on the disk of etcd and of a recovery, and what the
// member says of itself.
func (f *Facts) etcd(frames map[string]string, line func(frame string) string, at layout.Layout) error {
	f.NoFence, f.EtcdReplaced, f.Staged = line("unfenced") == "yes", line("replaced") == "yes", map[string]bool{}
	for _, l := range lines(frames["staged"]) {
		id, state, _ := strings.Cut(l, " ")
		f.Staged[id] = state == "fresh"
	}
	if text := frames["recovery"]; text != "" {
		r, err := etcd.ParseRecovery([]byte(text))
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w", at.Own.Recovery, err)
		}
		f.Claimed = &r
	}
	if head, err := hex.DecodeString(strings.Join(strings.Fields(frames["wal"]), "")); err == nil && f.Data {
		if _, cluster, err := etcd.Identity(bytes.NewReader(head)); err == nil {
			f.DataOf = etcd.HexCluster(cluster)
		}
	}
	says := map[string]string{}
	pairs(frames["etcd"], " ", says)
	f.EtcdHealth = strings.Contains(says["health"], `"health":"true"`)
	f.EtcdLocal = strings.Contains(says["local"], `"health":"true"`)
	return nil
}

// Up says whether a service runs, and has done so for more than a moment.
func (f Facts) Up(v model.Component) bool { return f.Services[v].Up }

// CrashLooping says that a service is crash-looping, or ended for good by itself.
func (f Facts) CrashLooping(v model.Component) bool { return f.Services[v].CrashLooping }

func lines(s string) []string {
	var out []string
	for _, l := range strings.Split(s, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

// What the probe's lines of files and of ip(8) are cut down to.
var (
	namedAs = regexp.MustCompile(`.*--(?:hostname-override|name)=(\S*)`)
	address = regexp.MustCompile(` inet6? ([^ /]+)`)
	fenced  = regexp.MustCompile(` saddr (\S+) `)
	backend = regexp.MustCompile(`^ *server ([^ ;{]+)`)
	behind  = regexp.MustCompile(`^ *server [^ :]+ (\S+)`) // one with a colon is another load balancer
	virtual = regexp.MustCompile(`^ *([^ /]+)/\d+ dev `)
	card    = regexp.MustCompile(`^\d+: +([^ @]+)\S* +inet6? ([^ /]+)`)
)

// interfaces are the network interfaces by their addresses, in the lines of ip -o addr.
func interfaces(text string) map[string]string {
	out := map[string]string{}
	for l := range strings.Lines(text) {
		if m := card.FindStringSubmatch(l); m != nil {
			out[m[2]] = m[1]
		}
	}
	return out
}

// cut is the first group of a pattern in each line that it matches.
func cut(by *regexp.Regexp, text string) (out []string) {
	for l := range strings.Lines(text) {
		if m := by.FindStringSubmatch(l); m != nil {
			out = append(out, m[1])
		}
	}
	return out
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// backends are the API servers in the server lines of an nginx configuration.
func backends(text, port string) []string {
	return slices.DeleteFunc(cut(backend, text), func(a string) bool { return !strings.HasSuffix(a, ":"+port) })
}

// wholeLines ends the last line.
func wholeLines(s string) []byte {
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return []byte(s)
}

// takeFiles takes what of an answer is of a file, and returns the rest.
func (f *Facts) takeFiles(answer host.Answer) map[string]string {
	frames := map[string]string{}
	for _, name := range answer.Names() {
		body, _ := answer.Part(name)
		if path, ok := strings.CutPrefix(name, "conf "); ok {
			f.Files[path] = confCert(string(body))
		} else if path, ok := strings.CutPrefix(name, "file "); ok {
			f.Files[path] = slices.Concat(bytes.TrimRight(body, "\n"), []byte("\n"))
		} else {
			frames[name] = strings.TrimSuffix(string(body), "\n")
		}
	}
	return frames
}

// confCert is the certificate of a kubeconfig, and a line "# server URL", of the
// lines that were read of it.
func confCert(lines string) (out []byte) {
	servers := ""
	for l := range strings.Lines(lines) {
		key, value, _ := strings.Cut(strings.TrimSpace(l), ":")
		value = strings.TrimSpace(value)
		if key == "server" {
			servers += "# server " + value + "\n"
		} else if cert, err := base64.StdEncoding.DecodeString(value); err == nil {
			out = append(out, cert...)
		}
	}
	return slices.Concat(bytes.TrimRight(append(out, servers...), "\n"), []byte("\n"))
}

// etcdServers are the URLs in --etcd-servers flags.
func etcdServers(flags []string) (out []string) {
	for _, l := range flags {
		out = append(out, lines(strings.ReplaceAll(l, ",", "\n"))...)
	}
	return out
}

// resolved are the addresses in the answer of getent ahosts, sorted.
func resolved(answer string) (out []string) {
	for _, l := range lines(answer) {
		out = append(out, strings.Fields(l)[0])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func pairs(s, sep string, into map[string]string) {
	for _, l := range lines(s) {
		if k, v, ok := strings.Cut(l, sep); ok {
			into[k] = strings.TrimSpace(v)
		}
	}
}

func osName(release string) string {
	m := map[string]string{}
	pairs(release, "=", m)
	return strings.Trim(m["PRETTY_NAME"], `"`)
}

// modes reads lines like "600 root:root /etc/kubernetes/scheduler.conf".
func modes(frame string) map[string]workload.Mode {
	out := map[string]workload.Mode{}
	for _, l := range lines(frame) {
		bits, rest, _ := strings.Cut(l, " ")
		owner, path, ok := strings.Cut(rest, " ")
		if n, err := strconv.ParseUint(bits, 8, 12); ok && err == nil {
			out[path] = workload.Mode{Bits: uint32(n), Owner: owner}
		}
	}
	return out
}
