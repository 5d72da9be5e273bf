package addon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/host/hosttest"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/pki"
)

const liveAddress = "127.77.36.11"

// TestLive runs a real etcd, API server, controller-manager and scheduler with
// the very flags and files that we render, as plain processes on a loopback
// address, and takes the client through its whole work. About 15 seconds.
func TestLive(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane")
	}
	l := startLive(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c := l.client(t)

	t.Run("anonymous", func(t *testing.T) {
		anonymous := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/version": 401, "/api": 401, "/readyz/etcd": 401,
			"/api/v1/namespaces/kube-public/configmaps/cluster-info": 401} {
			r, err := anonymous.Get("https://" + liveAddress + ":6443" + path)
			if err != nil {
				t.Fatal(err)
			}
			r.Body.Close()
			if r.StatusCode != want {
				t.Errorf("anonymous GET %s: %d, want %d", path, r.StatusCode, want)
			}
		}
	})
	t.Run("addons", func(t *testing.T) { l.addons(ctx, t, c) })
	t.Run("file", func(t *testing.T) {
		if _, err := c.Cluster(ctx); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("before: %v", err)
		}
		for _, text := range []string{"a: 1\n", "b: 2\n"} {
			if err := c.PutCluster(ctx, []byte(text)); err != nil {
				t.Fatal(err)
			}
			if got, err := c.Cluster(ctx); string(got) != text || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		}
	})
	t.Run("departed", func(t *testing.T) {
		if err := c.PutDeparted(ctx, []kubeapi.Departed{{Name: "old1", Address: "10.0.0.9", Roles: []string{"worker"}},
			{Name: "old2", Address: "10.0.0.8"}}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"old1", "old1", "never", "old2"} {
			if err := c.DropDeparted(ctx, name); err != nil {
				t.Fatal(err)
			}
			list, err := c.Departed(ctx)
			if err != nil || name != "old2" && (len(list) != 1 || list[0].Name != "old2") || name == "old2" && len(list) != 0 {
				t.Errorf("without %s: %v, %v", name, list, err)
			}
		}
		if got, err := c.Cluster(ctx); string(got) != "b: 2\n" || err != nil {
			t.Errorf("the file beside it: %q, %v", got, err)
		}
	})
	t.Run("tokens", func(t *testing.T) { l.tokens(ctx, t, c) })
	t.Run("kubelets", func(t *testing.T) { l.kubelets(ctx, t, c) })
	t.Run("users", func(t *testing.T) { l.users(ctx, t, c) })
	t.Run("nodes", func(t *testing.T) { l.nodes(ctx, t, c) })
	t.Run("security", func(t *testing.T) { l.security(ctx, t, c) })
	t.Run("leaders", func(t *testing.T) {
		for _, name := range []string{"kube-scheduler", "kube-controller-manager"} {
			l.eventually(t, name+" leads", func() error {
				return c.Rest.Get().AbsPath("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/" + name).Do(ctx).Error()
			})
		}
	})
	t.Run("audit", func(t *testing.T) {
		text, err := os.ReadFile(l.dir + l.ctx.Layout.APIServer.AuditLog)
		if err != nil || !strings.Contains(string(text), "bootstrap-token") {
			t.Errorf("the token's making left no trace: %v", err)
		}
		if strings.Contains(string(text), `"token-secret"`) {
			t.Error("a secret's content is in the audit log")
		}
	})
	t.Run("down", func(t *testing.T) {
		l.host.Down(nil)
		c.Close()
		if _, err := c.AddonDigests(ctx); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("could not ask: %v", err)
		}
	})
}

func (l *live) addons(ctx context.Context, t *testing.T, c *kubeapi.Client) {
	if have, err := c.AddonDigests(ctx); err != nil || len(have) != 0 {
		t.Fatalf("before: %v, %v", have, err)
	}
	want, err := Digests(l.ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.Apply(ctx, retired()); err != nil { // as in a cluster of an earlier version
			t.Fatal(err)
		}
		for name := range want {
			if err := Apply(ctx, c, l.ctx, name); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := c.AddonDigests(ctx); err != nil || !maps.Equal(have, want) {
			t.Fatalf("after: %v, %v; want %v", have, err, want)
		}
	}
	if ready, n, err := c.Deployment(ctx, "kube-system", CoreDNSDeployment); ready != 0 || n != 2 || err != nil {
		t.Errorf("coredns without a node: %d/%d ready, %v", ready, n, err)
	}
	if _, _, err := c.Deployment(ctx, "kube-system", "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent Deployment: %v", err)
	}
	for range 2 {
		if err := RemoveMetricsServer(ctx, c, l.ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := c.Deployment(ctx, "kube-system", "metrics-server"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("metrics-server no longer wanted: %v", err)
	}
	delete(want, AddonMetricsServer)
	if have, err := c.AddonDigests(ctx); err != nil || !maps.Equal(have, want) {
		t.Errorf("without metrics-server: %v, %v; want %v", have, err, want)
	}
}

// security: spec.security baseline keeps pods with a host's network out of
// namespaces that do not allow them, but for kube-system, and Services from
// taking addresses that they do not own.
func (l *live) security(ctx context.Context, t *testing.T, c *kubeapi.Client) {
	pod := corev1.Pod{Spec: corev1.PodSpec{HostNetwork: true, Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
	pod.APIVersion, pod.Kind, pod.Name = "v1", "Pod", "p"
	for namespace, refused := range map[string]string{"default": "violates PodSecurity", "kube-system": ""} {
		l.eventually(t, "a pod in "+namespace+" is judged", func() error {
			err := c.Rest.Post().AbsPath("/api/v1/namespaces/"+namespace+"/pods").Param("dryRun", "All").Body(&pod).Do(ctx).Error()
			if (refused == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), refused) {
				return fmt.Errorf("%q, want %q", err, refused) // its service account may not be there yet
			}
			return nil
		})
	}
	s := corev1.Service{Spec: corev1.ServiceSpec{ExternalIPs: []string{"192.0.2.1"}, Ports: []corev1.ServicePort{{Port: 80}}}}
	s.APIVersion, s.Kind, s.Name = "v1", "Service", "s"
	err := c.Rest.Post().AbsPath("/api/v1/namespaces/default/services").Param("dryRun", "All").Body(&s).Do(ctx).Error()
	if err == nil || !strings.Contains(err.Error(), "external IPs") {
		t.Errorf("a Service with an external IP: %v", err)
	}
}

func (l *live) nodes(ctx context.Context, t *testing.T, c *kubeapi.Client) {
	n := corev1.Node{}
	n.APIVersion, n.Kind, n.Name = "v1", "Node", "w1"
	if err := c.Rest.Post().AbsPath("/api/v1/nodes").Body(&n).Do(ctx).Error(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := errors.Join(c.SetPodCIDR(ctx, "w1", "10.244.3.0/24"), c.LabelControlPlane(ctx, "w1")); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.SetPodCIDR(ctx, "w1", "10.244.4.0/24"); err == nil || !strings.Contains(err.Error(), "delete the node") {
		t.Errorf("another pod network: %v", err)
	}
	l.settings(ctx, t, c)
	nodes, err := c.Nodes(ctx)
	if err != nil || len(nodes) != 1 {
		t.Fatalf("%v, %v", nodes, err)
	}
	if _, labelled := nodes[0].Labels[kubeapi.ControlPlaneLabel]; nodes[0].PodCIDR != "10.244.3.0/24" || !labelled || nodes[0].Ready {
		t.Errorf("%+v", nodes[0])
	}
	l.drain(ctx, t, c)
	for range 2 {
		if err := c.DeleteNode(ctx, "w1"); err != nil {
			t.Fatal(err)
		}
	}
}

// live is a control plane of processes.
type live struct {
	dir    string
	ctx    component.Context
	shared pki.Shared
	host   *hosttest.Fake
}

func (l *live) client(t *testing.T) *kubeapi.Client {
	cert, key, err := pki.AdminClient(l.shared, "test", time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return l.as(t, cert, key)
}

// as is a client with a certificate.
func (l *live) as(t *testing.T, cert, key []byte) *kubeapi.Client {
	c, err := kubeapi.Connect(l.host, "127.0.0.1:6443", "", kubeapi.Credentials{CA: l.shared.CA.Cert, Cert: cert, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l.eventually(t, "ready", func() error { return c.Readyz(context.Background()) })
	return c
}

func (l *live) eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	var err error
	for range 300 {
		if err = f(); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s: %v (logs in %s)", what, err, l.dir)
}
