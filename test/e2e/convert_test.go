//go:build lab && long

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/spec"
)

// TestConvert: a lone control plane of kubeadm's without an endpoint, whose
// workers use its address, becomes three behind an endpoint while it is asked at
// both. What clients read and where they are connected is seen from outside. Then
// the first control plane is lost, and the cluster goes on.
func TestConvert(t *testing.T) {
	c := newCluster(t, "convert", 3, 2)
	only := c.chooser(t)
	endpoint := c.lone(t, only, spec.FlavourKubeadm)
	old := c.address(t, "cp1")
	u := c.usersOf(t, old+":6443", old, "w1", "w2")

	c.edit(t, func(f *spec.Cluster) {
		f.Spec.ControlPlaneEndpoint, f.Spec.LoadBalancer = endpoint, spec.LoadBalancer{Kind: spec.NginxBalancer}
	})
	only("cp1", "cp2", "cp3", "w1", "w2")
	t.Log(c.plan(t).want(t, 2).says(t, "lead admin.conf to the endpoint", "restart the kube-proxy pod").out)
	begun := time.Now()
	c.probed(t)
	for _, f := range u.stop(begun) {
		if t.Log(f); f.answers == 0 {
			t.Errorf("%s: it had no answer at the old address", f)
		}
	}
	c.nothingToDo(t)
	c.oneEtcd(t, "cp1", "cp2", "cp3")
	c.converted(t, endpoint, old)

	t.Log("the first control plane is lost")
	c.power(t, "cp1", false)
	c.deployed(t, "w1", "after")
	c.on(t, "w2", `kubeadm reset -f 2>&1 && nft delete table ip kube-proxy && nft delete table ip6 kube-proxy`)
	eventually(t, "the node is deleted", func() error {
		_, err := c.tryKubectl(t, "w1", "delete", "node", "w2", "--ignore-not-found")
		return err
	})
	c.join(t, "w2", run(t, c.dir, "token", "create", "--for", "1h", "-f", c.File).want(t, 0).out)
	c.nodeReady(t, "w1", "w2")
}

// lone makes the first control plane and two workers without an endpoint, and
// returns the one that the file had.
func (c *cluster) lone(t *testing.T, only func(...string), flavour string) (endpoint string) {
	t.Helper()
	only("cp1", "w1", "w2")
	c.edit(t, func(f *spec.Cluster) {
		f.Spec.Kubernetes.Flavour, endpoint = flavour, f.Spec.ControlPlaneEndpoint
		f.Spec.ControlPlaneEndpoint, f.Spec.LoadBalancer = "", spec.LoadBalancer{Kind: spec.NoBalancer}
		f.Spec.CertSANs = []string{"cluster.example.com", "203.0.113.7"}
	})
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	run(t, c.dir, "status", "-f", c.File).want(t, 0).says(t, "cp1 is the only control plane", "no endpoint and no load balancer",
		"https://"+c.address(t, "cp1")+":6443")
	if out := c.on(t, "w1", `grep server: /etc/kubernetes/kubelet.conf; ls /etc/quorate/nginx 2>/dev/null || true`); !strings.HasSuffix(out,
		"https://"+c.address(t, "cp1")+":6443") {
		t.Errorf("w1 has %s", out)
	}
	return endpoint
}

// converted fails the test unless all that leads clients to the API names the
// endpoint, and all that runs is connected to it.
func (c *cluster) converted(t *testing.T, endpoint, old string) {
	t.Helper()
	name, _, _ := strings.Cut(endpoint, ":")
	for _, h := range c.controlPlanes() {
		served := c.served(t, h, "6443")
		for _, san := range []string{name, "cluster.example.com", "203.0.113.7", "kubernetes", old, c.address(t, "cp2"), c.address(t, "cp3")} {
			if err := served.VerifyHostname(san); err != nil {
				t.Errorf("%s: %v", h, err)
			}
		}
		if out := c.on(t, h, `grep server: /etc/kubernetes/admin.conf`); !strings.HasSuffix(out, "https://"+endpoint) {
			t.Errorf("%s: admin.conf has %s", h, out)
		}
	}
	for what, of := range map[string][3]string{
		"kubeadm-config": {"kube-system", `{.data.ClusterConfiguration}`, "controlPlaneEndpoint: " + endpoint},
		"cluster-info":   {"kube-public", `{.data.kubeconfig}`, "server: https://" + endpoint},
		"kube-proxy":     {"kube-system", `{.data.kubeconfig\.conf}`, "server: https://" + endpoint},
	} {
		if out := c.kubectl(t, "w1", "-n", of[0], "get", "configmap", what, "-o", "jsonpath="+of[1]); !strings.Contains(out, of[2]+"\n") {
			t.Errorf("%s has no %q:\n%s", what, of[2], out)
		}
	}
	for _, h := range c.of("") {
		eventually(t, h+" is connected to the endpoint", func() error {
			out, err := c.try(t.Context(), h, `ss -Htnp state established | sed -n 's/.* \([0-9.]*:[0-9]*\) *users:(("\(kubelet\|kube-proxy\)",.*/\2 \1/p'`)
			if err != nil {
				return err
			}
			uses := map[string][]string{}
			for line := range strings.Lines(out) {
				if who, to, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasSuffix(to, ":8443") || strings.HasSuffix(to, ":6443") {
					uses[who] = append(uses[who], to)
				}
			}
			for who, to := range uses {
				want := "127.0.0.1:8443"
				if who == "kubelet" && slices.Contains(c.controlPlanes(), h) {
					want = "127.0.0.1:6443" // its own API server
				}
				if len(without(to, want)) > 0 {
					return fmt.Errorf("%s is connected to %v", who, to)
				}
			}
			if len(uses["kubelet"]) == 0 || len(uses["kube-proxy"]) == 0 {
				return fmt.Errorf("only %v was seen", uses)
			}
			return nil
		})
	}
}

// deployed makes a Deployment whose pods the workers start.
func (c *cluster) deployed(t *testing.T, through, name string) {
	t.Helper()
	for _, h := range c.workers() {
		c.on(t, h, `/opt/quorate/bin/ctr -n k8s.io images import --local "$1" >/dev/null`, images)
	}
	eventually(t, "a new Deployment is made", func() error {
		out, err := c.tryKubectl(t, through, "create", "deployment", name, "--image="+testImage, "--replicas=2")
		if err != nil && strings.Contains(err.Error(), "already exists") {
			return nil
		} else if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	eventually(t, "its pods are available", func() error {
		out, err := c.tryKubectl(t, through, "get", "deployment", name, "-o", `jsonpath={.status.availableReplicas}`)
		if err == nil && out != "2" {
			err = fmt.Errorf("%s of 2", out)
		}
		return err
	})
}

// nodeReady polls until a node is Ready.
func (c *cluster) nodeReady(t *testing.T, through, name string) {
	t.Helper()
	eventually(t, name+" is Ready", func() error {
		out, err := c.tryKubectl(t, through, "get", "node", name, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
		if err == nil && out != "True" {
			err = fmt.Errorf("Ready is %q", out)
		}
		return err
	})
}
