package units

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"

	"k8s.io/client-go/tools/clientcmd"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeapi"
)

// Cluster is all that was seen of one.
type Cluster struct {
	Hosts []Host `json:"hosts"`
	// Nodes are the nodes that the API names, by their address. NodesErr is why
	// they are not known.
	Nodes    map[string]string `json:"nodes"`
	NodesErr string            `json:"nodesProblem,omitempty"`
	Version  string            `json:"version,omitempty"` // of the API server that was asked
}

// Find looks at hosts that a person has named, and at those that they name: in
// etcd's and the API servers' flags, behind the load balancer, and as nodes.
// Connect reaches a host by its address; nil: only the named ones are looked at.
func Find(ctx context.Context, seeds []host.Host, connect func(name, address string) host.Host) Cluster {
	c := Cluster{Hosts: lookAll(ctx, seeds), Nodes: map[string]string{}}
	c.askNodes(ctx, seeds)
	for range 2 { // those that the first name may name others
		if connect == nil {
			break
		}
		var more []host.Host
		var at []string
		for _, address := range c.named() {
			if !slices.ContainsFunc(c.Hosts, func(h Host) bool { return h.Address == address || slices.Contains(h.addresses, address) }) {
				more, at = append(more, connect(c.nameOf(address), address)), append(at, address)
			}
		}
		for i, h := range lookAll(ctx, more) {
			h.Address = at[i]
			c.Hosts = append(c.Hosts, h)
			_ = more[i].Close() // nothing was written
		}
	}
	for i, h := range c.Hosts {
		if h.Address == "" {
			c.Hosts[i].Address = h.own(c.named())
		}
	}
	slices.SortStableFunc(c.Hosts, func(a, b Host) int {
		return 2*(rank(a)-rank(b)) + strings.Compare(a.Name, b.Name)
	})
	return c
}

// rank puts control planes first.
func rank(h Host) int {
	if _, is := h.Service("kube-apiserver"); is {
		return 0
	}
	return 1
}

func lookAll(ctx context.Context, hosts []host.Host) []Host {
	out := make([]Host, len(hosts))
	var group sync.WaitGroup
	for i, h := range hosts {
		group.Go(func() { out[i] = Look(ctx, h) })
	}
	group.Wait()
	return out
}

// own is which of the addresses that others use is the host's.
func (h Host) own(named []string) string {
	for _, a := range named {
		if slices.Contains(h.addresses, a) {
			return a
		}
	}
	if len(h.addresses) > 0 {
		return h.addresses[0]
	}
	return ""
}

func (c Cluster) nameOf(address string) string {
	if name := c.Nodes[address]; name != "" {
		return name
	}
	return address
}

// named are the addresses of hosts that something of the cluster names.
func (c Cluster) named() (out []string) {
	add := func(at string) {
		if u, err := url.Parse(at); err == nil && u.Host != "" {
			at = u.Host
		}
		if host, _, err := net.SplitHostPort(at); err == nil {
			at = host
		}
		if ip := net.ParseIP(at); ip != nil && !ip.IsLoopback() && !ip.IsUnspecified() && !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	for _, h := range c.Hosts {
		for _, s := range h.Services {
			for _, at := range s.flags.List("etcd-servers") {
				add(at)
			}
			for _, member := range s.flags.List("initial-cluster") {
				_, at, _ := strings.Cut(member, "=")
				add(at)
			}
			add(s.flags.One("advertise-address"))
		}
		for _, b := range h.Balancers {
			for _, p := range b.Pools {
				for _, at := range p.Servers {
					add(at)
				}
			}
		}
	}
	for address := range c.Nodes {
		add(address)
	}
	slices.Sort(out)
	return out
}

// askNodes asks an API server for its nodes, with the certificate of the
// controller-manager of its host, which is held in memory only.
func (c *Cluster) askNodes(ctx context.Context, seeds []host.Host) {
	c.NodesErr = "no API server was seen"
	for i, h := range c.Hosts {
		if _, serves := h.Service("kube-apiserver"); !serves {
			continue
		}
		nodes, err := nodesOf(ctx, seeds[i], h)
		if err != nil {
			c.NodesErr = fmt.Sprintf("ask the API server of %s: %v", h.Name, err)
			continue
		}
		c.NodesErr = ""
		for _, n := range nodes {
			c.Nodes[n.Address] = n.Name
		}
		return
	}
}

func nodesOf(ctx context.Context, h host.Host, seen Host) ([]kubeapi.NodeStatus, error) {
	file := seen.flag("kube-controller-manager", "kubeconfig")
	if file == "" {
		return nil, errors.New("no controller-manager with a kubeconfig runs beside it")
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	text, err := h.ReadFile(ctx, file)
	if err != nil {
		return nil, err
	}
	conf, err := clientcmd.Load(text)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	current := conf.Contexts[conf.CurrentContext]
	if current == nil || conf.AuthInfos[current.AuthInfo] == nil || conf.Clusters[current.Cluster] == nil {
		return nil, fmt.Errorf("%s has no whole context", file)
	}
	user, cluster := conf.AuthInfos[current.AuthInfo], conf.Clusters[current.Cluster]
	for _, f := range []struct {
		data *[]byte
		path string
	}{{&cluster.CertificateAuthorityData, cluster.CertificateAuthority}, {&user.ClientCertificateData, user.ClientCertificate},
		{&user.ClientKeyData, user.ClientKey}} {
		if len(*f.data) == 0 && f.path != "" {
			if *f.data, err = h.ReadFile(ctx, f.path); err != nil {
				return nil, err
			}
		}
	}
	bind, port := seen.flag("kube-apiserver", "bind-address"), seen.flag("kube-apiserver", "secure-port")
	if ip := net.ParseIP(bind); ip == nil || ip.IsUnspecified() {
		bind = "127.0.0.1"
	}
	if port == "" {
		port = "6443"
	}
	client, err := kubeapi.Connect(h, net.JoinHostPort(bind, port), "kubernetes", kubeapi.Credentials{CA: cluster.CertificateAuthorityData,
		Cert: user.ClientCertificateData, Key: user.ClientKeyData})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.Nodes(ctx)
}
