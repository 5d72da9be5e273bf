//go:build lab

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// hostLost: the control plane whose etcd leads loses its power. The others
// serve, quorate works and says who is missing; when it is back all is whole
// again without help.
func hostLost(t *testing.T, c *cluster) {
	lost := c.leader(t)
	rest := without(c.of(""), lost)
	others := without(c.controlPlanes(), lost)
	c.power(t, lost, false)
	c.doorsSteady(t, rest...)
	eventually(t, "the API takes writes", func() error {
		_, err := c.tryKubectl(t, c.workers()[0], "create", "configmap", "while-"+lost+"-is-away")
		return err
	})

	c.plan(t).want(t, 2).says(t, lost, "cannot be reached")
	r := c.apply(t).want(t, 1).says(t, "waits for hosts that do not answer", lost+" cannot be reached")
	for _, h := range rest {
		if strings.Contains(r.err, h+" cannot be reached") {
			t.Errorf("%s is said not to answer:\n%s", h, r.err)
		}
	}
	if has("status") {
		run(t, c.dir, "status", "-f", c.File).says(t, lost)
	}

	// One DNS pod may have been there; names resolve all the same.
	eventually(t, "pods reach each other by name", func() error { return c.reach(t, c.workers()[0]) })
	if allChanges { // it takes 40 s
		eventually(t, "the API says that the node is gone", func() error {
			out, err := c.tryKubectl(t, others[0], "get", "node", lost, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
			if err == nil && out != "Unknown" {
				err = fmt.Errorf("%s is Ready: %s", lost, out)
			}
			return err
		})
	}
	c.power(t, lost, true)
	c.oneEtcd(t, c.controlPlanes()...)
	c.nodesReady(t, others[0], c.of("")...)
	c.nothingToDo(t)
	c.doorsSteady(t, lost)
	if got := c.kubectl(t, lost, "get", "configmap", "while-"+lost+"-is-away", "-o", "name"); got == "" {
		t.Error("what was written meanwhile is lost")
	}
}

// leader is the host whose etcd member leads.
func (c *cluster) leader(t *testing.T) string {
	t.Helper()
	for _, h := range c.controlPlanes() {
		out := c.on(t, h, etcdctl, "endpoint", "status", "-w", "fields")
		fields := map[string]string{}
		for line := range strings.Lines(out) {
			if k, v, ok := strings.Cut(line, " : "); ok {
				fields[strings.Trim(k, `"`)] = strings.TrimSpace(v)
			}
		}
		if fields["MemberID"] != "" && fields["MemberID"] == fields["Leader"] {
			return h
		}
	}
	t.Fatal("no etcd member leads")
	return ""
}

// has says whether quorate has a command.
func has(command string) bool {
	_, err := output(context.Background(), program, command, "--help")
	return err == nil
}
