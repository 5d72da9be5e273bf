//go:build lab

package e2e

import (
	"strings"
	"testing"
)

// guarded is a Deployment that would rather be on one worker, and of which one
// pod at most may be away.
const guarded = `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: guarded}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: guarded}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: guarded}
spec:
  replicas: 2
  selector: {matchLabels: {app: guarded}}
  template:
    metadata: {labels: {app: guarded}}
    spec:
      terminationGracePeriodSeconds: 1
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [@FROM@, @TO@]}]}]}
          preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, preference: {matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [@FROM@]}]}}]
      containers: [{name: web, image: @IMAGE@, imagePullPolicy: Never, readinessProbe: {httpGet: {port: 8080, path: /}, periodSeconds: 1}}]
`

// movable makes a Deployment whose pods are on one worker; what it returns
// checks that they have moved to the other, and that one was there all the while.
func (c *cluster) movable(t *testing.T, from, to string) (moved func()) {
	t.Helper()
	for _, h := range []string{from, to} {
		c.on(t, h, `/opt/quorate/bin/ctr -n k8s.io images import --local "$1" >/dev/null`, images)
	}
	c.create(t, to, strings.NewReplacer("@FROM@", from, "@TO@", to, "@IMAGE@", testImage).Replace(guarded))
	c.kubectl(t, to, "rollout", "status", "deployment/guarded", "--timeout=55s")
	on := func() string {
		return c.kubectl(t, to, "get", "pods", "-l", "app=guarded", "--field-selector=status.phase=Running", "-o",
			"jsonpath={.items[*].spec.nodeName}")
	}
	if got := on(); got != from+" "+from {
		t.Fatalf("the pods are on %q", got)
	}
	c.on(t, to, `systemd-run -q --unit=e2e-available sh -c 'while :; do /opt/quorate/bin/kubectl --kubeconfig=/run/e2e/kubeconfig --cache-dir=/run/e2e/cache --request-timeout=5s get deployment guarded -o "jsonpath=n={.status.availableReplicas}{\"\\n\"}" 2>/dev/null; sleep 0.1; done >/run/e2e/available'`)
	return func() {
		t.Helper()
		out := c.on(t, to, `systemctl stop e2e-available; cat /run/e2e/available`)
		seen := strings.Fields(out)
		if len(seen) < 10 {
			t.Errorf("it was asked %d times only", len(seen))
		}
		for i, n := range seen {
			if n != "n=1" && n != "n=2" {
				t.Errorf("of %d answers, number %d is that %q pods were available", len(seen), i+1, n)
				break
			}
		}
		if got := on(); got != to+" "+to {
			t.Errorf("the pods are on %q", got)
		}
	}
}
