package goal

import (
	"strings"
	"testing"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
)

// loneFile is a cluster of one control plane without an endpoint.
const loneFile = `apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata: {name: t}
spec:
  kubernetes: {version: v1.36.3}
  loadBalancer: {kind: none}
  hosts:
    - {name: cp1, address: 192.0.2.11, roles: [control-plane]}
    - {name: w1, address: 192.0.2.21, roles: [worker]}
`

// Without an endpoint nobody has a front door, and everything leads to the one
// control plane, in both flavours.
func TestWithoutEndpoint(t *testing.T) {
	for _, flavour := range []string{"systemd", "kubeadm"} {
		t.Run(flavour, func(t *testing.T) {
			g := build(t, strings.Replace(loneFile, "v1.36.3}", "v1.36.3, flavour: "+flavour+"}", 1), nil)
			w := g.Want.Hosts["w1"]
			if want := (model.Way{Kind: model.FixedServer, Backends: model.SetOf(model.HostID("cp1"))}); !w.Via.Is(want) {
				t.Errorf("the worker reaches the API by %s; want %s", w.Via.Or(model.Way{}), want)
			}
			for id, h := range g.Hosts {
				if h.Services[model.FrontDoor] != nil || h.Services[model.Balancer] != nil {
					t.Errorf("%s has a front door", id)
				}
				if strings.Contains(h.System.HostsBlock, "127.0.0.1") {
					t.Errorf("%s: a name leads to the host itself:\n%s", id, h.System.HostsBlock)
				}
			}
			found := false
			for _, f := range g.Hosts["w1"].Services[model.Kubelet].Rendered() {
				found = found || strings.Contains(string(f.Content), "server: https://192.0.2.11:6443\n")
			}
			if !found {
				t.Error("the worker's kubelet is not led to the control plane")
			}
			for _, c := range g.Hosts["cp1"].Certs {
				if c.Name == pki.AdminConf && c.Conf != "https://192.0.2.11:6443" {
					t.Errorf("admin.conf leads to %s", c.Conf)
				}
			}
		})
	}
}
