//go:build lab

package e2e

import (
	"slices"
	"testing"

	"quorate.dev/quorate/internal/spec"
)

// TestReplace: of three control planes the first that was ever made dies and
// another takes its place; it comes back with its old data, and harms nobody;
// then the new cluster is broken in many small ways, and healed; then it loses
// its quorum, and is recovered.
func TestReplace(t *testing.T) {
	c := newCluster(t, "replace", 4, 1)
	only := c.chooser(t)
	only("cp1", "cp2", "cp3", "w1")
	c.apply(t).want(t, 0)
	c.admin(t)

	c.power(t, "cp1", false)
	only("cp2", "cp3", "cp4", "w1")
	c.apply(t).want(t, 1).says(t, "cp1") // it is remembered until it is seen clean
	c.oneEtcd(t, "cp2", "cp3", "cp4")
	c.nodesReady(t, "w1", "cp2", "cp3", "cp4", "w1")
	c.endpoints(t, "w1", "cp2", "cp3", "cp4")
	c.namedByNobody(t, "cp1", "cp2", "cp3", "cp4", "w1")

	c.power(t, "cp1", true)
	eventually(t, "cp1 says that its etcd is out", func() error {
		_, err := c.try(t.Context(), "cp1", `test -d /var/lib/etcd/member && journalctl -q -u etcd -o cat | grep -q 'has been removed from the cluster\|server is stopping'`)
		return err
	})
	c.oneEtcd(t, "cp2", "cp3", "cp4")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, "cp2", "cp3", "cp4")
	c.nodesReady(t, "w1", "cp2", "cp3", "cp4", "w1")
	c.endpoints(t, "w1", "cp2", "cp3", "cp4")
	if left := c.on(t, "cp1", leftovers); left != "" {
		t.Errorf("cp1 still has %s", left)
	}
	if !t.Run("heal", func(t *testing.T) { heal(t, c, "cp2", "cp3", "cp4", "w1") }) {
		return
	}
	t.Run("recover", func(t *testing.T) { recovered(t, c, "cp2", "cp3", "cp4") })
}

// chooser makes what leaves just some of all hosts in the file.
func (c *cluster) chooser(t *testing.T) func(names ...string) {
	t.Helper()
	all, _, err := spec.Load(c.File)
	if err != nil {
		t.Fatal(err)
	}
	return func(names ...string) {
		c.edit(t, func(f *spec.Cluster) {
			f.Spec.Hosts = slices.DeleteFunc(slices.Clone(all.Spec.Hosts), func(h spec.Host) bool { return !slices.Contains(names, h.Name) })
		})
	}
}

// namedByNobody fails the test if a file or a certificate of the hosts still
// holds the address of one that is gone.
func (c *cluster) namedByNobody(t *testing.T, gone string, hosts ...string) {
	t.Helper()
	for _, h := range hosts {
		if at := c.on(t, h, `grep -rlFw -e "$1" /etc /run/quorate /var/lib/kube-nginx /var/lib/kube-proxy 2>/dev/null
find /etc/kubernetes/pki -name '*.crt' | while read -r f; do openssl x509 -in "$f" -noout -text | grep -qFw -e "$1" && echo "$f"; done; true`, c.address(t, gone)); at != "" {
			t.Errorf("%s still names %s in %s", h, gone, at)
		}
	}
}
