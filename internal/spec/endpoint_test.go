package spec

import (
	"strings"
	"testing"
)

// Without a balancer there is one control plane, and the members use its
// internal address.
func TestNoBalancer(t *testing.T) {
	lone := strings.NewReplacer("  controlPlaneEndpoint: api.prod.internal:8443\n", "  loadBalancer: {kind: none}\n",
		"address: 10.0.0.11,", "address: 203.0.113.7, internalAddress: 10.0.0.11,").Replace(good)
	c, _, err := Parse("cluster.yaml", []byte(lone))
	if err != nil {
		t.Fatal(err)
	}
	if c.Endpoint() != "10.0.0.11:6443" || c.EndpointHost() != "10.0.0.11" || c.EndpointPort() != 6443 {
		t.Errorf("got %q, %q, %d", c.Endpoint(), c.EndpointHost(), c.EndpointPort())
	}
	three := lone + "    - {name: cp2, address: 10.0.0.12, roles: [control-plane]}\n" +
		"    - {name: cp3, address: 10.0.0.13, roles: [control-plane]}\n"
	_, _, err = Parse("cluster.yaml", []byte(three))
	if err == nil || !strings.Contains(err.Error(), "3 control planes and nothing that leads clients to all of them") ||
		!strings.Contains(err.Error(), "with controlPlaneEndpoint: api.prod.internal:8443") {
		t.Errorf("got %v; want what is wrong and what to write", err)
	}
}
