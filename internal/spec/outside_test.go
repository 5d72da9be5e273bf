package spec

import (
	"strings"
	"testing"
)

// A load balancer of somebody else's is no machine of the cluster.
func TestOutside(t *testing.T) {
	const file = `apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata: {name: prod}
spec:
  kubernetes: {version: v1.36.3}
  controlPlaneEndpoint: ENDPOINT
  loadBalancer: {kind: external}
  hosts:
    - {name: cp1, address: 192.0.2.11, internalAddress: 10.0.0.11, roles: [control-plane]}
`
	for endpoint, says := range map[string]string{
		"api.prod.example:6443": "", "192.0.2.100:443": "",
		"cp1:6443": "cp1 is a machine of the cluster", "192.0.2.11:6443": "is a machine of the cluster", "10.0.0.11:6443": "is a machine of",
		"localhost:6443": "is a machine of", "": "missing",
	} {
		_, _, err := Parse("cluster.yaml", []byte(strings.Replace(file, "ENDPOINT", endpoint, 1)))
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want %q", endpoint, err, says)
		}
	}
}
