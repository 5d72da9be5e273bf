package observe

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/kubeadm"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/kubeconfig"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
)

// How curl ends: its numbers 51 and 60 say that the certificate is not the one
// for that name, or not by that authority (https://curl.se/libcurl/c/libcurl-errors.html).
var certificateRefused = map[string]bool{"51": true, "60": true}

// clientsOf are the facts about what leads to the endpoint: the certificate that
// an API server shows, admin.conf, and a kube-proxy that is a pod.
func clientsOf(h *model.Host, g *goal.Goal, id model.HostID, f Facts) {
	switch {
	case f.Name == "0":
		h.ServesName = model.Is(true)
	case f.Name == "" || certificateRefused[f.Name]:
		h.ServesName = model.Is(false)
	default:
		h.ServesName = model.Unknown[bool]("it was asked by the endpoint's name and did not answer (curl: " + f.Name + ")")
	}
	h.AdminServer = model.Is(f.adminServer(g))
	h.ProxyServer = model.Is("")
	if g.Layout.Kubeadm && f.Up(model.Kubelet) {
		h.ProxyServer = f.proxy(g.Want.Hosts[id].ProxyServer.Or(""))
	}
}

// adminServer is the server that admin.conf names; "": there is none.
func (f Facts) adminServer(g *goal.Goal) string {
	_, after, _ := strings.Cut(string(f.Files[g.Layout.PKI.ConfFile(pki.AdminConf)]), "# server ")
	server, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(server)
}

// proxy is where a kube-proxy is connected to: what is wanted, only if it is
// connected to nothing else.
func (f Facts) proxy(want string) model.Known[string] {
	if len(f.ProxyPeers) == 0 {
		return model.Unknown[string]("no connection of a kube-proxy was seen")
	}
	for _, p := range f.ProxyPeers {
		if p != want {
			return model.Is(p)
		}
	}
	return model.Is(want)
}

// outsideProxy is that behind somebody else's load balancer: where its name leads is
// theirs, and only what still goes through one of quorate's is known.
func (o *Observation) outsideProxy(g *goal.Goal, f Facts) model.Known[string] {
	door := f.Up(model.FrontDoor) || f.Up(model.Balancer)
	for _, p := range f.ProxyPeers {
		if host, _, err := net.SplitHostPort(p); err == nil && (door && loopback(host) || slices.Contains(o.virtual(g), host)) {
			return model.Is(p)
		}
	}
	return model.Unknown[string]("the load balancer is somebody else's")
}

// The documents that name a server.
const (
	inClusterInfo   = "cluster-info"
	inKubeProxy     = "kube-proxy"
	inKubeadmConfig = "kubeadm-config"
)

// documents are the ways to read them, by their names.
func documents(g *goal.Goal) map[string]func(context.Context, *kubeapi.Client) (string, error) {
	out := map[string]func(context.Context, *kubeapi.Client) (string, error){
		inClusterInfo: inConfigMap("kube-public", "cluster-info", "kubeconfig", kubeconfig.Server),
	}
	if g.Layout.Kubeadm {
		out[inKubeProxy] = inConfigMap("kube-system", "kube-proxy", "kubeconfig.conf", kubeconfig.Server)
		out[inKubeadmConfig] = inConfigMap("kube-system", "kubeadm-config", "ClusterConfiguration", endpointIn)
	}
	return out
}

// inConfigMap reads a server from a key of a ConfigMap. A text that names none in
// a way that can be read names none.
func inConfigMap(namespace, name, key string, server func([]byte) (string, error)) func(context.Context, *kubeapi.Client) (string, error) {
	return func(ctx context.Context, c *kubeapi.Client) (string, error) {
		data, err := c.ConfigMap(ctx, namespace, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		says, err := server([]byte(data[key]))
		if err != nil {
			return "", nil
		}
		return says, nil
	}
}

// endpointIn is the endpoint in kubeadm's ClusterConfiguration, as a URL.
func endpointIn(text []byte) (string, error) {
	var c kubeadm.ClusterConfiguration
	if err := yaml.Unmarshal(text, &c); err != nil || c.ControlPlaneEndpoint == "" {
		return "", err
	}
	if _, _, err := net.SplitHostPort(c.ControlPlaneEndpoint); err != nil { // kubeadm takes its default port then
		return "https://" + net.JoinHostPort(strings.Trim(c.ControlPlaneEndpoint, "[]"), layout.Kubeadm().APIServer.Port), nil
	}
	return "https://" + c.ControlPlaneEndpoint, nil
}

// published is what the documents name.
func (v APIView) published(created model.Known[bool]) model.Published {
	of := func(name string) model.Known[string] {
		server, read := v.Names[name]
		switch {
		case v.Err == nil && read:
			return model.Is(server)
		case created.Is(false):
			return model.Is("")
		}
		return model.Unknown[string]("no API server answers")
	}
	return model.Published{ClusterInfo: of(inClusterInfo), KubeProxy: of(inKubeProxy), KubeadmConfig: of(inKubeadmConfig)}
}
