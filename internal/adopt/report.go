package adopt

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/spec"
)

// Report is what was found of a cluster, for people and programs. It holds no secret.
type Report struct {
	Cluster      string        `json:"cluster"`
	From         string        `json:"from"`
	Topology     string        `json:"topology"`
	Endpoint     string        `json:"endpoint"` // "": none
	FrontDoor    string        `json:"frontDoor"`
	Versions     []Version     `json:"versions"`
	Hosts        []HostReport  `json:"hosts"`
	Certificates []Certificate `json:"certificates"`
	Differences  []Difference  `json:"differences"`
	Workloads    []string      `json:"workloads"` // of kube-system and of networks
	CNI          []string      `json:"cni"`
	Webhooks     []string      `json:"webhooks"`
	APIServices  []string      `json:"apiServices"`
	References   []Reference   `json:"references"`
	Oddities     []Oddity      `json:"oddities"`
	Kept         []string      `json:"leftAsFound"`
	Missing      []string      `json:"protectionsNotThereYet"`
}

// Version is what runs of a component, and where.
type Version struct {
	Component string   `json:"component"`
	Version   string   `json:"version"`
	Hosts     []string `json:"hosts"`
}

// HostReport is one host.
type HostReport struct {
	Name    string   `json:"name"`
	Address string   `json:"address"`
	Roles   []string `json:"roles"`
	Reached bool     `json:"reached"`
	Why     string   `json:"why,omitempty"`
	OS      string   `json:"os,omitempty"`
	Runtime string   `json:"runtime,omitempty"`
	Way     string   `json:"way,omitempty"` // the server that its kubelet asks
}

// Difference is what is not as kubeadm makes it by itself.
type Difference struct {
	Host  string `json:"host"`
	Where string `json:"where"`
	What  string `json:"what"`
}

// Reference is a file that names a server of the cluster.
type Reference struct {
	Host string `json:"host"`
	Path string `json:"path"`
}

// Oddity is what quorate does not understand or cannot do, and what that means.
type Oddity struct {
	Host  string `json:"host,omitempty"`
	What  string `json:"what"`
	Means string `json:"means"`
}

// Make makes the file and the report of what was found. The file is valid, or the
// error says what of the cluster no file can say.
func (f Found) Make() (text []byte, r Report, err error) {
	m := &maker{Found: f}
	if err := m.make(); err != nil {
		return nil, Report{}, err
	}
	r = m.report()
	head := fmt.Sprintf("# Written by quorate adopt on %s. What it does not say of the cluster stays as it was found.\n",
		f.Options.Now.UTC().Format(time.DateOnly))
	body, err := spec.Marshal(&m.file)
	if err != nil {
		return nil, r, err
	}
	text = append([]byte(head), body...)
	if _, _, err := spec.Parse("the file of this cluster", text); err != nil {
		return nil, r, fmt.Errorf("this cluster cannot be adopted as it is; the file would not be valid:\n%w", err)
	}
	return text, r, nil
}

func (m *maker) report() Report {
	r := Report{Cluster: m.file.Metadata.Name, From: m.file.Spec.Adopted.From,
		Topology: cmp.Or(m.file.Spec.Etcd.Topology, spec.TopologyStacked),
		Endpoint: m.file.Spec.ControlPlaneEndpoint, FrontDoor: m.frontDoor(), Versions: m.running(), Hosts: []HostReport{},
		Certificates: []Certificate{}, Differences: []Difference{}, Workloads: []string{}, CNI: []string{},
		Webhooks:    append([]string{}, m.API.Webhooks...),
		APIServices: append([]string{}, m.API.APIServices...), References: []Reference{}, Kept: leftAsFound, Missing: missing}
	for _, h := range m.file.Spec.Hosts {
		i := slices.IndexFunc(m.Machines, func(x Machine) bool { return x.Name == h.Name })
		x := m.Machines[i]
		one := HostReport{Name: h.Name, Address: h.Address, Roles: h.Roles, Reached: x.Seen.Err == nil, OS: x.Seen.OS,
			Way: x.Seen.Server}
		if x.Node != nil {
			one.Runtime = x.Node.Runtime
		}
		if x.Seen.Err != nil {
			one.Why = host.Reason(x.Seen.Err, h.Name)
		}
		r.Hosts = append(r.Hosts, one)
		r.Certificates = append(r.Certificates, x.certificates(m.Options.Now)...)
		r.Differences = append(r.Differences, m.differences(x)...)
		for _, at := range slices.Sorted(maps.Keys(x.Seen.CNI)) {
			r.CNI = append(r.CNI, x.Name+": "+at)
		}
	}
	for _, w := range m.API.Workloads {
		if w.Namespace == "kube-system" || w.Network {
			what := fmt.Sprintf("%s %s/%s (%s)", w.Kind, w.Namespace, w.Name, strings.Join(w.Images, ", "))
			if w.Network {
				what += ", brings the pod network"
			}
			r.Workloads = append(r.Workloads, what)
		}
	}
	m.oddities(r)
	r.Oddities = append([]Oddity{}, m.odd...)
	return r
}

// leftAsFound is what quorate does not touch on the hosts of an adopted cluster.
var leftAsFound = []string{"the container runtime and its configuration", "kubelets, their units, drop-ins, flags and configuration",
	"the load balancer in front of the API servers", "the pod network", "kernel modules, sysctls and packages",
	"flags, volumes and images of the control plane", "kube-proxy and CoreDNS", "names, subjects and key kinds of certificates"}

// missing are protections of quorate's that come with the first change.
var missing = []string{"hosts bear no mark of the cluster: another cluster file could name them",
	"no host remembers that etcd has begun: an emptied host could be taken for a founder",
	"the cluster does not keep its file: who leaves it is known from this file only"}

// frontDoor is what stands in front of the API servers, as far as hosts show it.
func (m *maker) frontDoor() string {
	endpoint := m.file.Spec.ControlPlaneEndpoint
	if endpoint == "" {
		return "none: the workers' kubelets ask one server"
	}
	name, port := endpoint[:strings.LastIndex(endpoint, ":")], endpoint[strings.LastIndex(endpoint, ":")+1:]
	addresses := []string{name}
	for _, x := range m.reached() {
		if len(x.Seen.Resolved) > 0 {
			addresses = x.Seen.Resolved
			break
		}
	}
	for _, a := range addresses {
		for _, x := range m.reached() {
			who := x.Seen.listens(port)
			files := strings.Join(slices.Sorted(maps.Keys(x.Seen.Balancers)), ", ")
			switch {
			case a == "127.0.0.1" && who != "":
				return fmt.Sprintf("%s on each host (%s listens on %s of %s; %s)", who, who, port, x.Name,
					cmp.Or(files, "its configuration was not found"))
			case a == x.Internal:
				return fmt.Sprintf("%s itself: %s is its own address (%s listens on port %s)", x.Name, a,
					cmp.Or(who, "nobody"), port)
			case x.Seen.has(a):
				return fmt.Sprintf("the address %s, which %s has now beside its own (%s listens on port %s; %s)", a, x.Name,
					cmp.Or(who, "nobody"), port, cmp.Or(files, "no configuration of a load balancer was found there"))
			}
		}
	}
	return fmt.Sprintf("somebody else's at %s: none of the hosts that were seen has that address", strings.Join(addresses, ", "))
}

// running are the versions of what runs.
func (m *maker) running() (out []Version) {
	by := map[[2]string][]string{}
	add := func(component, version, host string) {
		if version != "" {
			by[[2]string{component, version}] = append(by[[2]string{component, version}], host)
		}
	}
	for _, x := range m.reached() {
		for _, c := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"} {
			add(c, imageTag(x.Seen, c), x.Name)
		}
	}
	for _, n := range m.API.Nodes {
		add("kubelet", n.Kubelet, n.Name)
		add("runtime", n.Runtime, n.Name)
	}
	for of, hosts := range by {
		slices.Sort(hosts)
		out = append(out, Version{of[0], of[1], hosts})
	}
	slices.SortFunc(out, func(a, b Version) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Version, b.Version))
	})
	return out
}

func (m *maker) oddities(r Report) {
	for i, v := range r.Versions[:max(0, len(r.Versions)-1)] {
		if next := r.Versions[i+1]; next.Component == v.Component && v.Component != "runtime" {
			m.note("", "%s runs as %s on %s and as %s on %s", "quorate changes nothing on a host whose versions are not "+
				"the file's; bring all to one version first (kubeadm upgrade)", v.Component, v.Version, strings.Join(v.Hosts, ", "), next.Version,
				strings.Join(next.Hosts, ", "))
		}
	}
	for _, c := range r.Certificates {
		if c.Days < 30 {
			m.note(c.Host, "%s (%s) ends on %s", "the plan will want to issue it anew, unless quorate does not know it", c.Path, c.Subject,
				c.NotAfter.Format(time.DateOnly))
		}
	}
	if m.EtcdErr != nil {
		m.note("", "etcd's members could not be listed: %v", "hosts that only etcd knows are not in the file", m.EtcdErr)
	}
	if n := len(m.Members); n > 0 && n%2 == 0 {
		m.note("", "etcd has %d members", "an even number survives no more losses than one less", n)
	}
	if m.API.Tokens == 0 {
		m.note("", "no bootstrap token is valid", "nothing for quorate, whose hosts join without; a "+
			"join by hand needs one: quorate token create")
	}
	for _, x := range m.Machines {
		if x.Seen.Err != nil {
			m.note(x.Name, "it could not be reached: %s", "it is in the file with what others know of it; "+
				"what is on it was not seen", host.Reason(x.Seen.Err, x.Name))
			continue
		}
		m.odditiesOf(x)
	}
}

// odditiesOf is what of one host stands in the way of what quorate does.
func (m *maker) odditiesOf(x Machine) {
	s := x.Seen
	if off := s.Offset.Abs(); off > 30*time.Second {
		m.note(x.Name, "its clock is %s off", "quorate changes nothing there until that is put right", s.Offset)
	}
	for _, c := range s.Lacks {
		if c == "curl" || c == "ss" || c == "ip" {
			m.note(x.Name, "%s is not installed", "quorate looks with it: without it, what it would show counts as down", c)
		}
	}
	if n := x.Node; n != nil && (!n.Ready || n.Cordoned) {
		m.note(x.Name, "the node is not ready or cordoned", "it stays so: quorate undoes only what it has done itself")
	}
	if !x.ControlPlane() {
		return
	}
	if s.Flag("kube-apiserver", "anonymous-auth") == "false" {
		m.note(x.Name, "its API server lets nobody ask /readyz without a name", "quorate sees it as not ready, and "+
			"starts nothing that needs it")
	}
	if _, runs := s.Process("etcd"); runs && !strings.Contains(s.Flag("etcd", "listen-metrics-urls"), "http://127.0.0.1:") {
		m.note(x.Name, "its etcd tells its health nowhere on loopback without certificates (--listen-metrics-urls)",
			"quorate sees it as not healthy")
	}
	dir := dirOf(s.Flag("kube-apiserver", "client-ca-file"))
	for _, ca := range []string{"ca.key", "etcd/ca.key", "front-proxy-ca.key"} {
		if !slices.Contains(s.Keys, path.Join(dir, ca)) && (ca != "etcd/ca.key" || m.cc.Etcd.External == nil) {
			m.note(x.Name, "%s is not there", "quorate can issue no certificate of that authority, join no control plane "+
				"and make no kubeconfig while no "+
				"control plane has it", path.Join(dir, ca))
		}
	}
	for _, at := range slices.Sorted(maps.Keys(s.Files)) {
		name := strings.TrimSuffix(path.Base(at), ".yaml")
		if !slices.Contains([]string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"}, name) {
			m.note(x.Name, "%s is a static pod that kubeadm does not make", "it stays there; a control plane that joins "+
				"does not get it", at)
		}
	}
}
