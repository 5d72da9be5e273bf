package goal

import (
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/workload"
)

// convertFile is a lone control plane of others that gets an endpoint, and a second.
const convertFile = `apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata: {name: t}
spec:
  kubernetes: {version: v1.36.3, flavour: kubeadm}
  controlPlaneEndpoint: api.t.example.com:8443
  loadBalancer: {kind: nginx}
  certSANs: [k8s.example.com]
  network: {cni: none}
  encryption: {provider: none}
  addons: {ownDNS: true}
  adopted: {from: kubeadm, hosts: [cp1, w1]}
  hosts:
    - {name: cp1, address: 192.0.2.11, roles: [control-plane]}
    - {name: cp2, address: 192.0.2.12, roles: [control-plane]}
    - {name: w1, address: 192.0.2.21, roles: [worker]}
`

// loneKubeadm is such a cluster as kubeadm has made it.
var loneKubeadm = strings.Replace(loneFile, "v1.36.3}", "v1.36.3, flavour: kubeadm}", 1)

// Hosts that were found get what the endpoint needs and nothing else; one that joins
// gets all that it needs, but for what its cluster does in another way.
func TestFoundGetsAnEndpoint(t *testing.T) {
	shared, err := pki.NewShared(pki.Options{KeyAlgorithm: pki.ECDSAP256, CADays: 10})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, c := range build(t, loneKubeadm, nil).Hosts["cp1"].Certs {
		cert, key, err := pki.Issue(shared, c, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		both, err := c.Files("t", shared, cert, key)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range both {
			files[f.Path] = f.Content
		}
		if c.Conf != "" { // as a probe prints a kubeconfig
			files[c.Path] = append(cert, []byte("# server "+c.Conf+"\n")...)
		}
	}
	g := build(t, convertFile, map[model.HostID]HostTraits{"cp1": {Certs: files}})
	cp1, w1, cp2 := g.Want.Hosts["cp1"], g.Want.Hosts["w1"], g.Want.Hosts["cp2"]
	if !cp1.AdminServer.Is("https://api.t.example.com:8443") || !cp2.AdminServer.Is("https://api.t.example.com:8443") {
		t.Errorf("admin.conf is to lead to %s and %s", cp1.AdminServer, cp2.AdminServer)
	}
	if !w1.Via.Is(model.Way{Kind: model.LocalBalancer}) || !cp1.ProxyServer.Is("127.0.0.1:8443") {
		t.Errorf("the worker is to go by %s, kube-proxy by %s", w1.Via, cp1.ProxyServer)
	}
	if w1.Components[model.FrontDoor].Disk.Or("") == "" || !w1.Components[model.Kubelet].Disk.Is(workload.AsFound) ||
		!cp1.Binaries.Is(workload.AsFound) {
		t.Error("a host that was found gets other things than a front door")
	}
	if !g.Want.Addons["kube-proxy"].Is(model.Installed{Digest: workload.AsFound, Valid: true}) {
		t.Errorf("kube-proxy: %s", g.Want.Addons["kube-proxy"])
	}
}

// Behind a load balancer of somebody else's no host gets one of quorate's, the endpoint's
// name leads where others say, and a host that joins goes the way that was seen.
func TestExternalBalancer(t *testing.T) {
	text := strings.NewReplacer("{kind: nginx}", "{kind: external}", ":8443", ":6443").Replace(convertFile)
	g := build(t, text, nil)
	for id, h := range g.Hosts {
		if h.Services[model.FrontDoor] != nil || strings.Contains(h.System.HostsBlock, "api.t.example.com") {
			t.Errorf("%s: a front door of quorate's, or its name, is wanted", id)
		}
	}
	seen := g.Want.Clone()
	fixed := model.Way{Kind: model.FixedServer, Backends: model.SetOf(model.HostID("cp1"))}
	seen.Edit("w1", func(h *model.Host) { h.Via = model.Is(fixed) })
	seen.Edit("cp2", func(h *model.Host) { h.Via = model.Is(model.Way{}) })
	if g.KeepFound(seen); !g.Want.Hosts["w1"].Via.Is(fixed) || !g.Want.Hosts["cp2"].Via.Is(model.Way{Kind: model.OwnServer}) {
		t.Errorf("w1 is to go by %s, cp2 by %s", g.Want.Hosts["w1"].Via, g.Want.Hosts["cp2"].Via)
	}
	for _, f := range g.Hosts["cp2"].Services[model.Kubelet].Rendered() {
		if strings.Contains(string(f.Content), "--tls-cert-file") {
			t.Error("the kubelet of a host that joins is given a certificate that nobody issues there")
		}
	}
}
