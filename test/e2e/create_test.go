//go:build lab

package e2e

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/spec"
)

// TestCreate makes a cluster of three control planes and two workers, and
// looks at it from all sides; then a control plane is lost, and comes back.
func TestCreate(t *testing.T) {
	c := newCluster(t, "create", 3, 2)
	c.edit(t, func(f *spec.Cluster) { f.Spec.Addons.MetricsServer = true })
	c.apply(t).want(t, 0)
	through := c.controlPlanes()[0]
	c.nodesReady(t, through, c.of("")...)
	c.nothingToDo(t)
	c.oneEtcd(t, c.controlPlanes()...)
	c.oneCA(t)

	for _, s := range []struct {
		name string
		test func(*testing.T, *cluster)
	}{
		{"again", again}, {"keys", keysWhereTheyBelong}, {"names", servedNames}, {"anonymous", anonymous}, {"doors", doors},
		{"file", appliedFile}, {"secret", secretsAtRest}, {"cis", benchmark}, {"confinement", confinement},
		{"pods", pods}, {"drift", drift}, {"top", top}, {"lost", hostLost},
	} {
		if !t.Run(s.name, func(t *testing.T) { s.test(t, c) }) && t.Context().Err() != nil {
			return
		}
	}
}

// again: what is done is not done twice.
func again(t *testing.T, c *cluster) {
	c.apply(t).want(t, 0).says(t, "nothing to do")
	var p struct{ Stages, Blocked, Deferred []any }
	if err := json.Unmarshal([]byte(c.plan(t, "-o", "json").want(t, 0).out), &p); err != nil {
		t.Fatal(err)
	}
	if p.Stages == nil || len(p.Stages)+len(p.Blocked)+len(p.Deferred) > 0 {
		t.Errorf("the plan is not empty: %+v", p)
	}
}

// keysWhereTheyBelong: no private key is readable by others, none of a CA lies
// on a worker, and none came to the machine that quorate ran on.
func keysWhereTheyBelong(t *testing.T, c *cluster) {
	secrets := `grep -rIl -e 'PRIVATE KEY' -e 'secret: ' -e 'client-key-data' /etc/kubernetes /etc/quorate /opt/quorate/etc /var/lib/kubelet/pki /run/quorate 2>/dev/null; true`
	for _, h := range c.of("") {
		for f := range strings.FieldsSeq(c.on(t, h, secrets)) {
			if mode := c.on(t, h, `stat -c '%a %U:%G' "$1"`, f); mode != "600 root:root" {
				t.Errorf("%s: %s has mode %s", h, f, mode)
			}
		}
		if list := c.on(t, h, `find / -xdev \( -name '*.key' -o -name encryption.yaml \) ! -perm 600 ! -perm 400 2>/dev/null; true`); list != "" {
			t.Errorf("%s: not of mode 600: %s", h, list)
		}
	}
	s := c.keys(t, c.controlPlanes()[0])
	for _, key := range [][]byte{s.CA.Key, s.EtcdCA.Key, s.FrontProxyCA.Key, s.ServiceAccount.Private} {
		mark := strings.Split(string(key), "\n")[1] // of the PEM's body, as much as a line holds
		find := func(h string) string {
			return c.on(t, h, `grep -rIlF -e "$1" /etc /root /run /tmp /home /opt /var/lib/quorate /var/lib/kubelet 2>/dev/null; true`, mark)
		}
		if find(c.controlPlanes()[0]) == "" {
			t.Fatal("a key is not found where it must be")
		}
		for _, h := range c.workers() {
			if at := find(h); at != "" {
				t.Errorf("%s, a worker, holds a key of the control planes in %s", h, at)
			}
		}
		if at := filesWith(t, mark, c.dir, filepath.Dir(c.File)); len(at) > 0 {
			t.Errorf("a key of the cluster lies on the operator's disk in %v", at)
		}
	}
}

func filesWith(t *testing.T, mark string, dirs ...string) (found []string) {
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			text, err := os.ReadFile(p)
			if strings.Contains(string(text), mark) {
				found = append(found, p)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// servedNames: every API server can be called by every name and address.
func servedNames(t *testing.T, c *cluster) {
	want := []string{"api." + c.Name + ".lab", "127.0.0.1", "10.96.0.1", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local"}
	for _, h := range c.controlPlanes() {
		want = append(want, h, c.address(t, h))
	}
	for _, h := range c.controlPlanes() {
		conn, err := tls.Dial("tcp", c.address(t, h)+":6443", &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		served := conn.ConnectionState().PeerCertificates[0]
		conn.Close()
		for _, name := range want {
			if err := served.VerifyHostname(name); err != nil {
				t.Errorf("%s: %v", h, err)
			}
		}
	}
}

// anonymous: who does not say who he is learns only whether the server is well.
func anonymous(t *testing.T, c *cluster) {
	for _, h := range c.controlPlanes() {
		for path, code := range map[string]string{"/readyz": "200", "/livez": "200", "/healthz": "200",
			"/api": "401", "/apis": "401", "/version": "401", "/api/v1/secrets": "401", "/metrics": "401"} {
			out := c.on(t, h, `curl -sk -m 10 -o /dev/null -w '%{http_code}' "https://$1:6443$2"`, c.address(t, h), path)
			if out != code && !(code == "401" && out == "403") {
				t.Errorf("%s: anonymous GET %s: %s, want %s", h, path, out, code)
			}
		}
	}
}

// doors: each host has a front door of its own that leads to the API, by the
// endpoint's name too.
func doors(t *testing.T, c *cluster) {
	for _, h := range c.of("") {
		if err := c.doorOpen(t, h); err != nil {
			t.Errorf("%s: %v", h, err)
		}
		out := c.on(t, h, `curl -sS --fail -m 10 --cacert /etc/kubernetes/pki/ca.crt "https://$1:8443/readyz"`, "api."+c.Name+".lab")
		if out != "ok" {
			t.Errorf("%s: readyz through the endpoint's name says %q", h, out)
		}
	}
}

// appliedFile: the file is in the cluster, without the operator's own matters.
func appliedFile(t *testing.T, c *cluster) {
	text := c.kubectl(t, c.workers()[0], "-n", "kube-system", "get", "configmap", "quorate-cluster", "-o", `jsonpath={.data.cluster\.yaml}`)
	kept, _, err := spec.Parse("cluster.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	file, _, err := spec.Load(c.File)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, h := range file.Spec.Hosts {
		want = append(want, h.Name+" "+h.Address)
	}
	for _, h := range kept.Spec.Hosts {
		got = append(got, h.Name+" "+h.Address)
	}
	if kept.Metadata.Name != c.Name || !same(want, got) || kept.Spec.ControlPlaneEndpoint != file.Spec.ControlPlaneEndpoint {
		t.Errorf("kept is another file:\n%s", text)
	}
	for _, s := range []string{filepath.Base(c.KeyFile), c.KeyFile, filepath.Base(c.Known), "keyFile", "knownHostsFile", "ssh"} {
		if strings.Contains(text, s) {
			t.Errorf("the file in the cluster tells %q:\n%s", s, text)
		}
	}
}

// secretsAtRest: etcd's disks do not hold what a Secret says.
func secretsAtRest(t *testing.T, c *cluster) {
	const secret, open = "quidquid-latet-apparebit", "nil-inultum-remanebit"
	cp := c.controlPlanes()[0]
	c.kubectl(t, cp, "create", "secret", "generic", "e2e", "--from-literal=word="+secret)
	c.kubectl(t, cp, "create", "configmap", "e2e", "--from-literal=word="+open)
	value := func(key string) string {
		out, err := c.try(t.Context(), cp, etcdctl, "get", "--print-value-only", key)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if !strings.Contains(value("/registry/configmaps/default/e2e"), open) {
		t.Fatal("a ConfigMap is not found in etcd: then a Secret need not be either")
	}
	if v := value("/registry/secrets/default/e2e"); !strings.HasPrefix(v, "k8s:enc:secretbox:") || strings.Contains(v, secret) {
		t.Errorf("the Secret lies in etcd as %.40q…", v)
	}
	for _, h := range c.controlPlanes() {
		grep := func(word string) string {
			return c.on(t, h, `grep -rlF -e "$1" /var/lib/etcd; true`, word)
		}
		eventually(t, h+": the ConfigMap is on etcd's disk", func() error {
			if grep(open) == "" {
				return fmt.Errorf("it is not there")
			}
			return nil
		})
		if at := grep(secret); at != "" {
			t.Errorf("%s: the Secret can be read in %s", h, at)
		}
	}
}

// frontDoor is the unit of a kind's front doors, and their configuration.
func frontDoor(kind string) (unit, conf string) {
	if kind == spec.BuiltinBalancer {
		return "quorate-lb", "/etc/quorate/lb.yaml"
	}
	return "kube-nginx", "/etc/quorate/nginx/nginx.conf"
}

// drift: what others change is seen, and set right.
func drift(t *testing.T, c *cluster) {
	w, cp := c.workers()[0], c.controlPlanes()[1]
	file, _, err := spec.Load(c.File)
	if err != nil {
		t.Fatal(err)
	}
	unit, conf := frontDoor(file.Spec.LoadBalancer.Kind)
	was := c.on(t, w, `sha256sum <"$1"`, conf)
	pid := c.on(t, w, `systemctl show -p MainPID --value "$1"`, unit)
	c.on(t, w, `echo '# by hand' >>"$1"`, conf)
	c.on(t, cp, `systemctl stop kube-scheduler`)
	c.plan(t).want(t, 2).says(t, map[string]string{"kube-nginx": "front-door", "quorate-lb": "quorate-lb"}[unit], w, "kube-scheduler", cp)
	r := c.apply(t).want(t, 0)
	if got := c.on(t, w, `sha256sum <"$1"`, conf); got != was {
		t.Errorf("%s: %s is not as it was", w, conf)
	}
	// Where the old file went is told, and it is there.
	i := slices.IndexFunc(strings.Fields(r.err), func(s string) bool {
		return strings.HasPrefix(s, "/var/lib/quorate/kept/") && strings.HasSuffix(s, conf)
	})
	if i < 0 {
		t.Errorf("it is not told where the edited %s is kept:\n%s", conf, r.err)
	} else {
		c.on(t, w, `grep -qxF '# by hand' "$1"`, strings.Fields(r.err)[i])
	}
	if now := c.on(t, w, `systemctl show -p MainPID --value "$1"`, unit); now != pid {
		t.Errorf("%s: %s was restarted, not reloaded (process %s, was %s)", w, unit, now, pid)
	}
	c.on(t, cp, `systemctl is-active kube-scheduler`)
	c.nothingToDo(t)
}

// top: the aggregated API works, through the API servers to a pod.
func top(t *testing.T, c *cluster) {
	eventually(t, "kubectl top nodes knows all nodes", func() error {
		out, err := c.tryKubectl(t, c.workers()[1], "top", "nodes", "--no-headers")
		if err != nil {
			return err
		}
		var known []string
		for line := range strings.Lines(out) {
			if f := strings.Fields(line); len(f) > 1 && !strings.Contains(line, "unknown") {
				known = append(known, f[0])
			}
		}
		if !same(known, c.of("")) {
			return fmt.Errorf("known are %v", known)
		}
		return nil
	})
}
