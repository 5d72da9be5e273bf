package adopt

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/kubeadm"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
)

// maker turns what was found of a kubeadm cluster into a file, and notes what does
// not fit.
type maker struct {
	Found
	cc    kubeadm.Found
	first Machine // the control plane whose word is taken where all should say the same
	file  spec.Cluster
	odd   []Oddity
}

func (m *maker) note(host, what, means string, args ...any) {
	m.odd = append(m.odd, Oddity{Host: host, What: fmt.Sprintf(what, args...), Means: means})
}

// make makes the file of a cluster that kubeadm has set up.
func (m *maker) make() error {
	if m.API.Kubeadm == "" {
		return fmt.Errorf("the cluster has no ConfigMap kube-system/kubeadm-config, so that it was not set up by kubeadm; clusters of " +
			"hand-written units cannot be adopted yet; nothing was changed")
	}
	var err error
	if m.cc, err = kubeadm.Read([]byte(m.API.Kubeadm)); err != nil {
		return err
	}
	planes := m.controlPlanes()
	m.first = planes[0]
	version := imageTag(m.first.Seen, "kube-apiserver")
	m.file = spec.Cluster{APIVersion: spec.APIVersion, Kind: spec.Kind,
		Metadata: spec.Metadata{Name: cmp.Or(m.Options.Name, m.cc.ClusterName, "kubernetes")}}
	s := &m.file.Spec
	s.Kubernetes = spec.Kubernetes{Version: cmp.Or(version, m.cc.KubernetesVersion), Flavour: spec.FlavourKubeadm}
	s.ControlPlaneEndpoint = m.endpoint()
	s.LoadBalancer.Kind = spec.ExternalBalancer
	if s.ControlPlaneEndpoint == "" {
		s.LoadBalancer.Kind = spec.NoBalancer
	}
	s.CertSANs = m.userSANs()
	s.Encryption.Provider, s.Addons.OwnDNS = spec.EncryptionNone, true
	if len(planes) > 0 && m.cc.Etcd.External != nil {
		s.Etcd.Topology = spec.TopologyExternal
	}
	m.network()
	m.kubelets()
	m.keys()
	m.versions()
	m.adopted()
	s.SSH = m.Options.SSH
	m.hosts()
	return nil
}

// endpoint is what kubeadm's configuration says, with a port.
func (m *maker) endpoint() string {
	e := m.cc.ControlPlaneEndpoint
	if e == "" {
		return ""
	}
	if _, _, err := net.SplitHostPort(e); err != nil {
		e = net.JoinHostPort(strings.Trim(e, "[]"), layout.Kubeadm().APIServer.Port) // kubeadm: the API server's own port
	}
	return e
}

// userSANs are the names in the API servers' certificates that neither kubeadm
// nor quorate would put there by themselves.
func (m *maker) userSANs() (out []string) {
	own := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost", "127.0.0.1", "::1",
		"kubernetes.default.svc." + cmp.Or(m.cc.Networking.DNSDomain, "cluster.local")}
	if host, _, err := net.SplitHostPort(m.endpoint()); err == nil {
		own = append(own, host)
	}
	if p, err := netip.ParsePrefix(m.cc.Networking.ServiceSubnet); err == nil {
		own = append(own, p.Masked().Addr().Next().String())
	}
	planes := m.controlPlanes()
	for _, p := range planes {
		own = append(own, p.Name, p.Internal, p.Seen.Hostname)
	}
	sans := slices.Clone(m.cc.APIServer.CertSANs)
	for _, p := range planes {
		if c, err := parseCert(p.Seen.Certs[p.Seen.Flag("kube-apiserver", "tls-cert-file")]); err == nil {
			sans = append(sans, sansOf(c)...)
		}
	}
	for _, san := range sans {
		if !slices.Contains(own, san) && !slices.Contains(out, san) {
			out = append(out, san)
		}
	}
	return out
}

func (m *maker) network() {
	n := &m.file.Spec.Network
	of := m.cc.Networking
	n.CNI, n.PodCIDR, n.ServiceCIDR, n.DNSDomain = spec.CNINone, of.PodSubnet, of.ServiceSubnet, of.DNSDomain
	n.NodePortRange = m.first.Seen.Flag("kube-apiserver", "service-node-port-range")
	n.NodeCIDRMaskSize, _ = strconv.Atoi(cmp.Or(m.first.Seen.Flag("kube-controller-manager", "node-cidr-mask-size"),
		m.first.Seen.Flag("kube-controller-manager", "node-cidr-mask-size-ipv4")))
	if n.PodCIDR == "" {
		m.note("", "kubeadm's configuration names no podSubnet", "the pod network's range is not known; the file has quorate's default, "+
			"and nothing of quorate's uses it")
	}
	var proxy struct{ Mode string }
	if err := yaml.Unmarshal([]byte(m.API.KubeProxy), &proxy); err != nil {
		m.note("", "kube-proxy's configuration cannot be read: %v", "its mode is not known; the file has kubeadm's default, and nothing of "+
			"quorate's uses it", err)
	}
	n.ProxyMode = cmp.Or(proxy.Mode, "iptables")
}

// keys is how the cluster makes keys: as its API server's certificate has it.
func (m *maker) keys() {
	c, err := parseCert(m.first.Seen.Certs[m.first.Seen.Flag("kube-apiserver", "tls-cert-file")])
	if err != nil {
		m.note(m.first.Name, "the API server's certificate was not found", "that its names are as wanted is not known")
		return
	}
	p := &m.file.Spec.PKI
	p.KeyAlgorithm = keyKind(c)
	if !slices.Contains([]string{pki.ECDSAP256, pki.RSA2048, pki.RSA3072, pki.RSA4096}, p.KeyAlgorithm) {
		m.note(m.first.Name, "its keys are of the kind %s", "quorate cannot make such keys: certificates that it issues anew have keys of "+
			pki.ECDSAP256, p.KeyAlgorithm)
		p.KeyAlgorithm = pki.ECDSAP256
	}
}

// versions are those of components that are not the ones that go with Kubernetes'.
func (m *maker) versions() {
	v, err := artifact.Resolve(m.file.Spec.Kubernetes.Version, nil)
	if err != nil {
		return // the file's own check says it
	}
	etcd, _, _ := strings.Cut(imageTag(m.first.Seen, "etcd"), "-")
	if etcd != "" && etcd != v.Etcd {
		m.file.Spec.Artifacts.Versions = map[string]string{"etcd": etcd}
	}
}

// imageTag is the version of a component's image, by its manifest.
func imageTag(s Seen, component string) string {
	text, _ := s.Manifest(component)
	var p corev1.Pod
	if yaml.Unmarshal([]byte(text), &p) != nil || len(p.Spec.Containers) == 0 {
		return ""
	}
	image := p.Spec.Containers[0].Image
	image, _, _ = strings.Cut(image, "@")
	_, tag, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	return tag
}

// adopted is where things lie, as far as it is not where kubeadm has them.
func (m *maker) adopted() {
	at, s := layout.Kubeadm(), m.first.Seen
	a := &spec.Adopted{From: spec.FromKubeadm}
	other := func(to *map[string]string, key, found, usual string) {
		if found == "" || found == usual {
			return
		}
		if *to == nil {
			*to = map[string]string{}
		}
		(*to)[key] = found
	}
	other(&a.Paths, "pki", cmp.Or(m.cc.CertificatesDir, dirOf(s.Flag("kube-apiserver", "client-ca-file"))), at.PKI.Dir)
	other(&a.Paths, "etcdData", s.Flag("etcd", "data-dir"), at.Etcd.Data)
	other(&a.Paths, "manifests", s.ManifestDir, at.Kubelet.Manifests)
	other(&a.Ports, "apiServer", s.Flag("kube-apiserver", "secure-port"), at.APIServer.Port)
	other(&a.Ports, "etcdClient", portOf(s.Flag("etcd", "advertise-client-urls")), at.Etcd.ClientPort)
	other(&a.Ports, "etcdPeer", portOf(s.Flag("etcd", "initial-advertise-peer-urls")), at.Etcd.PeerPort)
	other(&a.Ports, "etcdMetrics", portOf(s.Flag("etcd", "listen-metrics-urls")), at.Etcd.MetricsPort)
	for _, runtime := range []string{"crio", "dockerd"} {
		if p, runs := s.Process(runtime); runs && p.Unit != "" {
			if _, also := s.Process("containerd"); !also {
				other(&a.Units, "containerd", p.Unit, "")
			}
		}
	}
	m.file.Spec.Adopted = a
}

func dirOf(file string) string {
	if file == "" {
		return ""
	}
	return path.Dir(file)
}

func portOf(urls string) string {
	first, _, _ := strings.Cut(urls, ",")
	_, port, _ := net.SplitHostPort(first[strings.LastIndex(first, "/")+1:])
	return port
}

func (m *maker) hosts() {
	s := &m.file.Spec
	for _, x := range m.Machines {
		h := spec.Host{Name: x.Name, Address: x.Address, SSH: x.SSH}
		if x.Internal != x.Address {
			h.InternalAddress = x.Internal
		}
		switch {
		case x.ControlPlane():
			h.Roles = []string{spec.RoleControlPlane}
			if x.Node != nil && !x.Node.Tainted {
				h.Roles = append(h.Roles, spec.RoleWorker)
			}
		case x.Node != nil:
			h.Roles = []string{spec.RoleWorker}
		}
		if x.Member && s.Etcd.Topology == spec.TopologyExternal {
			h.Roles = append(h.Roles, spec.RoleEtcd)
		}
		if len(h.Roles) == 0 {
			m.note(x.Name, "it is neither a node nor a member of etcd", "it is not in the file; quorate does nothing there")
			continue
		}
		s.Hosts = append(s.Hosts, h)
		s.Adopted.Hosts = append(s.Adopted.Hosts, x.Name)
	}
	rank := func(h spec.Host) int {
		return slices.Index([]string{spec.RoleControlPlane, spec.RoleEtcd, spec.RoleWorker}, h.Roles[0])
	}
	slices.SortStableFunc(s.Hosts, func(a, b spec.Host) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a.Name, b.Name)) })
	s.Adopted.Hosts = nil
	for _, h := range s.Hosts {
		s.Adopted.Hosts = append(s.Adopted.Hosts, h.Name)
	}
}
