// Package addon makes the cluster objects that a cluster of quorate's holds, and
// applies them. It renders nothing for a host and decides no order.
package addon

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/tools/clientcmd"
	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/kubeconfig"
)

// Addon is a group of cluster objects that are applied together and known by
// one digest.
type Addon struct {
	Name    string
	Objects []runtime.Object
	// Phases are those of kubeadm that make the objects, in its place.
	Phases [][]string
	// Of is what the phases make them of.
	Of []byte
}

// Names of the addons.
const (
	AddonRBAC          = "rbac"
	AddonClusterInfo   = "cluster-info"
	AddonCNI           = "cni"
	AddonCoreDNS       = "coredns"
	AddonMetricsServer = "metrics-server"
	AddonKubeadm       = "kubeadm" // what kubeadm keeps in the cluster
	AddonKubeProxy     = "kube-proxy"
)

// Addons are all objects that a cluster of this Context holds, in the order in
// which they are applied. ca is the cluster's CA as PEM; only what is public
// says it, and no digest depends on it.
func Addons(ctx component.Context, ca []byte) ([]Addon, error) {
	base, dns, err := own(ctx, ca)
	if ctx.Layout.Kubeadm {
		base, dns, err = byKubeadm(ctx)
	}
	if ctx.Spec.Adopted != nil { // it has the others already
		base = []Addon{{Name: AddonRBAC, Objects: bindings()}}
	}
	if err != nil {
		return nil, err
	}
	out := base
	if len(ctx.CNIManifest) > 0 {
		cni, err := manifest(ctx.CNIManifest)
		if err != nil {
			return nil, fmt.Errorf("spec.network.cni %s: %w; correct the manifest", ctx.Spec.Network.CNI, err)
		}
		out = append(out, Addon{Name: AddonCNI, Objects: cni})
	}
	if !ctx.Spec.Addons.OwnDNS && ctx.Spec.Adopted == nil {
		out = append(out, dns)
	}
	if ctx.Spec.Addons.MetricsServer {
		out = append(out, Addon{Name: AddonMetricsServer, Objects: metricsServer(ctx)})
	}
	return out, nil
}

// own are the addons that quorate makes itself: those that come first, and the
// cluster DNS.
func own(ctx component.Context, ca []byte) (base []Addon, dns Addon, err error) {
	info, err := clusterInfo(ctx, ca)
	if err != nil {
		return nil, dns, err
	}
	objects, err := coreDNS(ctx)
	if err != nil {
		return nil, dns, err
	}
	return []Addon{{Name: AddonRBAC, Objects: bindings()}, {Name: AddonClusterInfo, Objects: info}}, Addon{Name: AddonCoreDNS,
		Objects: objects}, nil
}

// Digests are what Client.AddonDigests answers once Addons are applied.
func Digests(ctx component.Context) (map[string]string, error) {
	addons, err := Addons(ctx, nil)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, a := range addons {
		text, err := json.Marshal(a.Objects)
		if err != nil {
			return nil, fmt.Errorf("write addon %s: %w", a.Name, err)
		}
		if a.Phases != nil {
			text = fmt.Appendf(nil, "%q\n%s", a.Phases, a.Of)
		}
		sum := sha256.Sum256(text)
		out[a.Name] = hex.EncodeToString(sum[:])[:16]
	}
	return out, nil
}

// clusterInfo is what a new node may know before it belongs to the cluster: the
// endpoint and the CA. The controller-manager's bootstrapsigner signs it with
// each bootstrap token. Anonymous requests do not reach it (healthOnly).
func clusterInfo(ctx component.Context, ca []byte) ([]runtime.Object, error) {
	c := kubeconfig.Entry{Cluster: ctx.Cluster, Server: "https://" + ctx.Endpoint(), CA: ca}.Config()
	c.AuthInfos, c.Contexts, c.CurrentContext = nil, nil, ""
	text, err := clientcmd.Write(*c)
	if err != nil {
		return nil, fmt.Errorf("write kube-public/cluster-info: %w", err)
	}
	return append([]runtime.Object{&corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespacePublic, Name: "cluster-info"},
		Data:       map[string]string{"kubeconfig": string(text)},
	}}, clusterInfoReaders()...), nil
}

// manifest is a user's file of objects.
func manifest(text []byte) ([]runtime.Object, error) {
	var out []runtime.Object
	docs := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for n := 1; ; n++ {
		var u unstructured.Unstructured
		err := docs.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		if len(u.Object) == 0 {
			continue
		}
		if u.GetAPIVersion() == "" || u.GetKind() == "" || u.GetName() == "" {
			return nil, fmt.Errorf("document %d has no apiVersion, kind or name", n)
		}
		out = append(out, &u)
	}
}
