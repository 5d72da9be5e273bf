//go:build lab

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/kubeconfig"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/pki"
)

// keys reads the cluster's keys off a control plane.
func (c *cluster) keys(t *testing.T, host string) pki.Shared {
	t.Helper()
	files := map[string][]byte{}
	for _, p := range pki.SharedPaths(layout.Systemd().PKI) {
		text, err := base64.StdEncoding.DecodeString(c.on(t, host, `base64 -w0 "$1"`, p))
		if err != nil {
			t.Fatal(err)
		}
		files[p] = text
	}
	s, err := pki.ParseShared(files, layout.Systemd().PKI)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// admin makes a client of the API that goes through each host's front door, or
// the one that all share.
func (c *cluster) admin(t *testing.T) {
	t.Helper()
	s := c.keys(t, c.controlPlanes()[0])
	cert, key, err := pki.AdminClient(s, "e2e", 24*time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	text, err := kubeconfig.Kubeconfig(c.Name, "e2e", "https://"+c.door(), s.CA.Cert, cert, key)
	if err != nil {
		t.Fatal(err)
	}
	c.config = string(text)
}

// tryKubectl runs kubectl on a host, through the host's own front door.
func (c *cluster) tryKubectl(t *testing.T, host string, args ...string) (string, error) {
	t.Helper()
	if c.config == "" {
		c.admin(t)
	}
	return c.feed(t.Context(), host, c.config, `umask 077; mkdir -p /run/e2e; cat >/run/e2e/kubeconfig; exec timeout 60 /opt/quorate/bin/kubectl --kubeconfig=/run/e2e/kubeconfig --cache-dir=/run/e2e/cache --request-timeout=20s "$@"`, args...)
}

func (c *cluster) kubectl(t *testing.T, host string, args ...string) string {
	t.Helper()
	out, err := c.tryKubectl(t, host, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// create makes objects of a manifest.
func (c *cluster) create(t *testing.T, host, manifest string) {
	t.Helper()
	c.kubectl(t, host, "version") // the kubeconfig is there
	if out, err := c.feed(t.Context(), host, manifest, `/opt/quorate/bin/kubectl --kubeconfig=/run/e2e/kubeconfig --cache-dir=/run/e2e/cache apply -f -`); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// endpoints polls until the Service "kubernetes" leads to the API servers of
// these hosts and no others.
func (c *cluster) endpoints(t *testing.T, host string, of ...string) {
	t.Helper()
	var want []string
	for _, h := range of {
		want = append(want, c.address(t, h))
	}
	eventually(t, "the Service kubernetes leads to "+strings.Join(of, ", "), func() error {
		out, err := c.tryKubectl(t, host, "get", "endpointslices", "--namespace=default", "--selector=kubernetes.io/service-name=kubernetes",
			"--output=jsonpath={.items[*].endpoints[*].addresses[*]}")
		if err == nil && !same(strings.Fields(out), want) {
			err = fmt.Errorf("it leads to %s", out)
		}
		return err
	})
}

// nodesReady polls until exactly these nodes are there, all Ready.
func (c *cluster) nodesReady(t *testing.T, through string, want ...string) {
	t.Helper()
	eventually(t, "nodes are Ready", func() error {
		out, err := c.tryKubectl(t, through, "get", "nodes", "-o",
			`jsonpath={range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}`)
		if err != nil {
			return err
		}
		var ready []string
		for line := range strings.Lines(out) {
			if name, ok := strings.CutSuffix(strings.TrimSpace(line), " True"); ok {
				ready = append(ready, name)
			}
		}
		if !same(ready, want) {
			return fmt.Errorf("Ready are %v, not %v:\n%s", ready, want, out)
		}
		return nil
	})
}

const etcdctl = `exec timeout 60 /opt/quorate/bin/etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd/ca.crt --cert=/etc/kubernetes/pki/etcd/healthcheck-client.crt --key=/etc/kubernetes/pki/etcd/healthcheck-client.key "$@"`

// members is etcd's own account: voters and learners by name, and the id of
// the cluster that the host's member belongs to.
func (c *cluster) members(t *testing.T, host string) (voters, learners []string, id uint64, err error) {
	t.Helper()
	out, err := c.try(t.Context(), host, etcdctl, "member", "list", "-w", "json")
	if err != nil {
		return nil, nil, 0, err
	}
	var list struct {
		Header  struct{ Cluster_id uint64 }
		Members []struct {
			Name      string
			IsLearner bool
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return nil, nil, 0, fmt.Errorf("%w in %s", err, out)
	}
	for _, m := range list.Members {
		if m.IsLearner {
			learners = append(learners, m.Name)
		} else {
			voters = append(voters, m.Name)
		}
	}
	return voters, learners, list.Header.Cluster_id, nil
}

// oneEtcd polls until each of the hosts is a healthy voter of one cluster of
// just these members.
func (c *cluster) oneEtcd(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, "one healthy etcd", func() error {
		ids := map[uint64]bool{}
		for _, h := range want {
			voters, learners, id, err := c.members(t, h)
			if err != nil {
				return err
			}
			if !same(voters, want) || len(learners) > 0 {
				return fmt.Errorf("%s: voters %v, learners %v; want %v", h, voters, learners, want)
			}
			ids[id] = true
			if _, err := c.try(t.Context(), h, etcdctl, "endpoint", "health"); err != nil {
				return err
			}
		}
		if len(ids) != 1 {
			return fmt.Errorf("%d cluster ids: %v", len(ids), ids)
		}
		return nil
	})
}

// oneCA fails the test unless all hosts hold one and the same CA, control
// planes with its key and workers without; it returns the fingerprint.
func (c *cluster) oneCA(t *testing.T) string {
	t.Helper()
	prints := map[string]string{}
	for _, h := range c.of("") {
		prints[c.on(t, h, `sha256sum </etc/kubernetes/pki/ca.crt`)] = h
	}
	if len(prints) != 1 {
		t.Fatalf("%d CAs on the hosts: %v", len(prints), prints)
	}
	keys := map[string]string{}
	for _, h := range c.controlPlanes() {
		keys[c.on(t, h, `cat /etc/kubernetes/pki/ca.key /etc/kubernetes/pki/sa.key /etc/kubernetes/pki/encryption.yaml | sha256sum`)] = h
	}
	if len(keys) != 1 {
		t.Fatalf("%d sets of keys: %v", len(keys), keys)
	}
	for print := range prints {
		return print
	}
	return ""
}

// doorOpen is one new connection through a host's own front door.
func (c *cluster) doorOpen(t *testing.T, host string) error {
	t.Helper()
	out, err := c.try(t.Context(), host, `curl -sS --fail -m 5 --cacert /etc/kubernetes/pki/ca.crt https://127.0.0.1:8443/readyz`)
	if err == nil && out != "ok" {
		err = fmt.Errorf("readyz says %q", out)
	}
	return err
}

// doorsSteady polls until 20 new connections in a row succeed on every host.
func (c *cluster) doorsSteady(t *testing.T, hosts ...string) {
	t.Helper()
	for _, h := range hosts {
		eventually(t, h+": 20 successes in a row through its front door", func() error {
			for range 20 {
				if err := c.doorOpen(t, h); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// without is a list less one.
func without(list []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == one })
}
