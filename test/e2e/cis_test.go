//go:build lab

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/cis"
)

// benchmark: every automated check of the CIS benchmark passes, and what of the
// manual ones does not is argued about in docs/security.md.
func benchmark(t *testing.T, c *cluster) {
	docs, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, c.dir, "doctor", "cis", "-f", filepath.Base(c.File), "-o", "json")
	var got cis.Report
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatalf("%v\n%s\n%s", err, r.out, r.err)
	}
	for _, o := range got.Checks {
		switch {
		case o.Automated && o.Result != cis.Pass && o.Result != cis.NotApplicable:
			t.Errorf("%s %s: %+v", o.ID, o.Title, o.On)
		case (o.Result == cis.Fail || o.Result == cis.Review) && !strings.Contains(string(docs), "\n| "+o.ID+" |"):
			t.Errorf("%s %s: %+v, and docs/security.md says nothing about it", o.ID, o.Title, o.On)
		}
	}
	if len(got.Hosts) != len(c.of("")) || got.Counts.Pass < 60 {
		t.Errorf("%d hosts, %+v", len(got.Hosts), got.Counts)
	}
	r.want(t, 0)
	// What is opened on a host is found there.
	w := c.workers()[0]
	c.on(t, w, `chmod 644 /var/lib/kubelet/config.yaml`)
	run(t, c.dir, "doctor", "cis", "-f", filepath.Base(c.File)).want(t, 1).says(t, "4.1.9 fail", "  "+w+": /var/lib/kubelet/config.yaml 644")
	c.on(t, w, `chmod 600 /var/lib/kubelet/config.yaml`)
}

// confinement: services run as users of their own, and none is more exposed than
// systemd-analyze's 3.0 of 10.
func confinement(t *testing.T, c *cluster) {
	out := c.on(t, c.controlPlanes()[0], `for u in etcd kube-apiserver kube-controller-manager kube-scheduler kube-nginx quorate-lb; do
	[ -e /etc/systemd/system/$u.service ] || continue
	echo "$u $(systemd-analyze security --no-pager $u.service | sed -n 's/.*xposure level for .*: \([0-9.]*\) .*/\1/p')" \
		"$(ps -o user:32= -p "$(systemctl show -p MainPID --value $u)")"
done`)
	seen := 0
	for line := range strings.Lines(out) {
		var unit, user string
		var exposure float64
		if _, err := fmt.Sscan(line, &unit, &exposure, &user); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		seen++
		if unit == "kube-nginx" || unit == "quorate-lb" {
			unit = "kube-lb" // they share their addresses
		}
		if exposure > 3 || user != unit {
			t.Errorf("%s has the exposure %.1f and runs as %s", unit, exposure, user)
		}
	}
	if seen < 4 {
		t.Errorf("only %d of the services were seen: %s", seen, out)
	}
}
