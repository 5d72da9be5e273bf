package adopt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/layout"
)

// API is what an API server says of the cluster. It is only read.
type API struct {
	Through     string // the host whose API server was asked
	Nodes       []Node
	Kubeadm     string // kubeadm's ClusterConfiguration; "": there is none
	KubeProxy   string // kube-proxy's configuration, of its ConfigMap
	Kubelet     string // the kubelets' configuration, as kubeadm gives it to hosts that join
	ProxyConf   string // the server of its kubeconfig
	ClusterInfo string // the server that kube-public/cluster-info names
	Tokens      int    // bootstrap tokens that are valid
	Workloads   []Workload
	Webhooks    []string
	APIServices []string // those that another server answers for
}

// Node is a node of the cluster.
type Node struct {
	Name, Address, Kubelet, Runtime, OS, PodCIDR string
	ControlPlane, Tainted, Ready, Cordoned       bool
}

// Workload is a Deployment or DaemonSet of the cluster's own namespaces.
type Workload struct {
	Kind, Namespace, Name string
	Images                []string
	Network               bool // its pods bring the pod network: they write CNI configuration
}

// errNoAdmin is a control plane on which nothing lets a person in.
var errNoAdmin = errors.New("no kubeconfig of an administrator is there")

// askAPI reads through the API server of a host, with an administrator's
// kubeconfig that lies there, which is held in memory only.
func askAPI(ctx context.Context, h host.Host, seen Seen) (API, error) {
	c, err := connect(ctx, h, seen)
	if err != nil {
		return API{}, err
	}
	defer c.Close()
	a := API{Through: h.Name()}
	return a, a.read(ctx, c)
}

func connect(ctx context.Context, h host.Host, seen Seen) (*kubeapi.Client, error) {
	at := layout.Kubeadm()
	port := seen.Flag("kube-apiserver", "secure-port")
	if port == "" {
		port = at.APIServer.Port
	}
	why := errNoAdmin
	for _, name := range []string{"admin", "super-admin"} {
		file := at.PKI.ConfFile(name)
		if _, there := seen.Certs[file]; !there {
			continue
		}
		text, err := h.ReadFile(ctx, file)
		if err != nil {
			return nil, err
		}
		conf, err := clientcmd.Load(text)
		if err != nil {
			return nil, host.Errorf(h.Name(), "read %s: %w", file, err)
		}
		current := conf.Contexts[conf.CurrentContext]
		if current == nil || conf.AuthInfos[current.AuthInfo] == nil || conf.Clusters[current.Cluster] == nil {
			why = fmt.Errorf("%s has no whole context", file)
			continue
		}
		user, cluster := conf.AuthInfos[current.AuthInfo], conf.Clusters[current.Cluster]
		// Its certificate need not be for loopback, and is always for this name.
		c, err := kubeapi.Connect(h, "127.0.0.1:"+port, "kubernetes", kubeapi.Credentials{CA: cluster.CertificateAuthorityData,
			Cert: user.ClientCertificateData, Key: user.ClientKeyData})
		if err == nil {
			_, err = c.Rest.Get().AbsPath("/version").Do(ctx).Raw()
		}
		if err == nil {
			return c, nil
		}
		why = err
	}
	return nil, why
}

// read asks for everything at once.
func (a *API) read(ctx context.Context, c *kubeapi.Client) error {
	var workloads [2][]Workload
	asks := []func() error{
		func() error { return a.nodes(ctx, c) },
		func() error { return a.configMaps(ctx, c) },
		func() (err error) { workloads[0], err = workloadsOf(ctx, c, "DaemonSet", "daemonsets"); return err },
		func() (err error) { workloads[1], err = workloadsOf(ctx, c, "Deployment", "deployments"); return err },
		func() error { return a.hooks(ctx, c) },
		func() error { return a.apiServices(ctx, c) },
	}
	errs := make([]error, len(asks))
	var group sync.WaitGroup
	for i, do := range asks {
		group.Go(func() { errs[i] = do() })
	}
	group.Wait()
	a.Workloads = slices.Concat(workloads[0], workloads[1])
	return errors.Join(errs...)
}

func get(ctx context.Context, c *kubeapi.Client, at string, into any) error {
	raw, err := c.Rest.Get().AbsPath(at).SetHeader("Accept", "application/json").Do(ctx).Raw()
	if err != nil {
		if strings.Contains(err.Error(), "could not find the requested resource") || strings.Contains(err.Error(), "not found") {
			return fmt.Errorf("read %s: %w: %w", at, fs.ErrNotExist, err)
		}
		return fmt.Errorf("read %s: %w", at, err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("read %s: %w", at, err)
	}
	return nil
}

func (a *API) nodes(ctx context.Context, c *kubeapi.Client) error {
	var list corev1.NodeList
	if err := get(ctx, c, "/api/v1/nodes", &list); err != nil {
		return err
	}
	for _, n := range list.Items {
		is := Node{Name: n.Name, Kubelet: n.Status.NodeInfo.KubeletVersion, Runtime: n.Status.NodeInfo.ContainerRuntimeVersion,
			OS: n.Status.NodeInfo.OSImage, PodCIDR: n.Spec.PodCIDR, Cordoned: n.Spec.Unschedulable}
		for _, address := range n.Status.Addresses {
			if address.Type == corev1.NodeInternalIP && is.Address == "" {
				is.Address = address.Address
			}
		}
		for _, cond := range n.Status.Conditions {
			is.Ready = is.Ready || cond.Type == corev1.NodeReady && cond.Status == corev1.ConditionTrue
		}
		_, is.ControlPlane = n.Labels[kubeapi.ControlPlaneLabel]
		for _, t := range n.Spec.Taints {
			is.Tainted = is.Tainted || t.Key == kubeapi.ControlPlaneLabel && t.Effect != corev1.TaintEffectPreferNoSchedule
		}
		a.Nodes = append(a.Nodes, is)
	}
	slices.SortFunc(a.Nodes, func(x, y Node) int { return strings.Compare(x.Name, y.Name) })
	return nil
}

// configMaps reads those of kubeadm's; that one is missing is no error.
func (a *API) configMaps(ctx context.Context, c *kubeapi.Client) error {
	of := func(namespace, name string) (map[string]string, error) {
		var m corev1.ConfigMap
		err := get(ctx, c, path.Join("/api/v1/namespaces", namespace, "configmaps", name), &m)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return m.Data, err
	}
	conf, err := of("kube-system", "kubeadm-config")
	if err != nil {
		return err
	}
	proxy, err := of("kube-system", "kube-proxy")
	if err != nil {
		return err
	}
	kubelet, err := of("kube-system", "kubelet-config")
	if err != nil {
		return err
	}
	info, err := of("kube-public", "cluster-info")
	if err != nil {
		return err
	}
	a.Kubeadm, a.KubeProxy, a.Kubelet = conf["ClusterConfiguration"], proxy["config.conf"], kubelet["kubelet"]
	a.ProxyConf, a.ClusterInfo = serverIn(proxy["kubeconfig.conf"]), serverIn(info["kubeconfig"])
	for key := range info {
		if strings.HasPrefix(key, "jws-kubeconfig-") { // the controller-manager signs for valid tokens only
			a.Tokens++
		}
	}
	return nil
}

// serverIn is the first server of a kubeconfig.
func serverIn(text string) string {
	var conf struct {
		Clusters []struct{ Cluster struct{ Server string } }
	}
	if yaml.Unmarshal([]byte(text), &conf) != nil || len(conf.Clusters) == 0 {
		return ""
	}
	return conf.Clusters[0].Cluster.Server
}

func workloadsOf(ctx context.Context, c *kubeapi.Client, kind, plural string) (out []Workload, err error) {
	var list struct {
		Items []struct {
			Metadata struct{ Namespace, Name string }
			Spec     struct{ Template corev1.PodTemplateSpec }
		}
	}
	if err := get(ctx, c, "/apis/apps/v1/"+plural, &list); err != nil {
		return nil, err
	}
	for _, item := range list.Items {
		w := Workload{Kind: kind, Namespace: item.Metadata.Namespace, Name: item.Metadata.Name}
		for _, container := range item.Spec.Template.Spec.Containers {
			w.Images = append(w.Images, container.Image)
		}
		for _, v := range item.Spec.Template.Spec.Volumes {
			if v.HostPath != nil && strings.HasPrefix(v.HostPath.Path, path.Dir(layout.Kubeadm().CNI.Conf)) {
				w.Network = true
			}
		}
		out = append(out, w)
	}
	return out, nil
}

func (a *API) hooks(ctx context.Context, c *kubeapi.Client) error {
	for _, plural := range []string{"validatingwebhookconfigurations", "mutatingwebhookconfigurations"} {
		var list struct {
			Items []struct {
				Metadata struct{ Name string }
				Webhooks []struct {
					Name          string
					FailurePolicy string
					ClientConfig  struct {
						Service *struct{ Namespace, Name string }
						URL     string
					}
				}
			}
		}
		if err := get(ctx, c, "/apis/admissionregistration.k8s.io/v1/"+plural, &list); err != nil {
			return err
		}
		for _, item := range list.Items {
			for _, w := range item.Webhooks {
				to := w.ClientConfig.URL
				if s := w.ClientConfig.Service; s != nil {
					to = "service " + s.Namespace + "/" + s.Name
				}
				a.Webhooks = append(a.Webhooks, fmt.Sprintf("%s %s, %s, failurePolicy %s", strings.TrimSuffix(plural, "webhookconfigurations"),
					item.Metadata.Name+"/"+w.Name, to, w.FailurePolicy))
			}
		}
	}
	return nil
}

func (a *API) apiServices(ctx context.Context, c *kubeapi.Client) error {
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Spec     struct {
				Service *struct{ Namespace, Name string }
			}
		}
	}
	if err := get(ctx, c, "/apis/apiregistration.k8s.io/v1/apiservices", &list); err != nil {
		return err
	}
	for _, item := range list.Items {
		if s := item.Spec.Service; s != nil {
			a.APIServices = append(a.APIServices, fmt.Sprintf("%s, service %s/%s", item.Metadata.Name, s.Namespace, s.Name))
		}
	}
	return nil
}
