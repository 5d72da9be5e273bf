package spec

import (
	"strings"
	"testing"
)

// What an adopted cluster cannot have is refused, and what only it can have is refused
// to others.
func TestAdoptedRefuses(t *testing.T) {
	const file = `apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata: {name: t}
spec:
  kubernetes: {version: v1.36.3, flavour: kubeadm}
  controlPlaneEndpoint: api.t.example.com:8443
  loadBalancer: {kind: external}
  network: {cni: none}
  encryption: {provider: none}
  addons: {ownDNS: true}
  adopted: {from: kubeadm, hosts: [cp1]}
  hosts:
    - {name: cp1, address: 192.0.2.11, roles: [control-plane]}
    - {name: cp2, address: 192.0.2.12, roles: [control-plane]}
    - {name: w1, address: 192.0.2.21, roles: [worker]}
`
	for _, c := range []struct{ old, new, says string }{
		{"", "", ""},
		{"kind: external", "kind: nginx", ""},
		{"kind: external", "kind: builtin", "an adopted cluster cannot get the kind builtin yet"},
		{"hosts: [cp1]", "hosts: [cp1, cp9]", ""}, // cp9 was found, and leaves or has left
		{"hosts: [cp1]", "hosts: []", "those that left stay in it"},
		{"  network:", "  etcd: {topology: external}\n  network:", "cp2 would join an adopted cluster whose etcd is external"},
	} {
		_, _, err := Parse("cluster.yaml", []byte(strings.Replace(file, c.old, c.new, 1)))
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%q as %q: %v; want %q", c.old, c.new, err, c.says)
		}
	}
}
