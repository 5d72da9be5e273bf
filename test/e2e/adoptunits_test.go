//go:build lab && long

package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	handmade "quorate.dev/quorate/internal/adopt/units"
)

// TestAdoptUnits: a control plane of hand-made units is recognised from one of its
// hosts and reported, nothing on any host changes by that, and no file is written.
func TestAdoptUnits(t *testing.T) {
	c := newCluster(t, "units", 2, 0)
	c.foreign(t, "binary.sh")
	before := c.untouched(t)
	adopt := []string{"adopt", "--host", "root@" + c.address(t, "cp1"), "--ssh-key", c.KeyFile, "--ssh-known-hosts", c.Known}
	r := run(t, c.dir, adopt...).want(t, 3)
	r.says(t, "unit kube-etcd, active, enabled",
		"cp2: --advertise-address="+c.address(t, "cp2"), "/etc/kubernetes/kube-controller-manager.env",
		"/etc/kubernetes/cert/kubernetes.pem: CN=kubernetes,OU=System,O=k8s,L=ShangHai,ST=Shang Hai,C=CN", "no file was written")
	if r.out != "" {
		t.Errorf("it wrote a file:\n%s", r.out)
	}
	var got handmade.Report
	doc := run(t, c.dir, append(adopt, "-o", "json", "--report", "report.txt")...).want(t, 3).out
	if err := json.NewDecoder(strings.NewReader(doc)).Decode(&got); err != nil { // the refusal is a second document
		t.Fatal(err)
	}
	if len(got.Hosts) != 2 || got.NodesErr != "" || got.Hosts[1].Name != "cp2" || len(got.Hosts[1].Services) != 5 {
		t.Errorf("%+v", got)
	}
	for _, h := range got.Hosts {
		for _, s := range h.Services {
			if s.Changed || s.Problem != "" || len(s.Flags) == 0 {
				t.Errorf("%s: %+v", h.Name, s)
			}
		}
	}
	if after := c.untouched(t); after != before {
		t.Errorf("the hosts were changed:\n%s", difference(before, after))
	}
	if files, _ := filepath.Glob(filepath.Join(c.dir, "report.txt")); len(files) != 1 {
		t.Error("the report was not written to its file")
	}
}
