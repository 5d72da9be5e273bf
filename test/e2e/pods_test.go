//go:build lab

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// workload is a web server on one worker, and on another one a pod to ask it
// from and one that asks it once.
const workload = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeName: @SERVER@
      terminationGracePeriodSeconds: 0
      containers: [{name: web, image: @IMAGE@, imagePullPolicy: Never}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: client}
spec:
  selector: {matchLabels: {app: client}}
  template:
    metadata: {labels: {app: client}}
    spec:
      nodeName: @CLIENT@
      terminationGracePeriodSeconds: 0
      containers: [{name: client, image: @IMAGE@, imagePullPolicy: Never, args: [sleep]}]
---
apiVersion: v1
kind: Pod
metadata: {name: once}
spec:
  nodeName: @CLIENT@
  restartPolicy: OnFailure
  containers: [{name: once, image: @IMAGE@, imagePullPolicy: Never, args: [get, "http://web"]}]
`

const webURL = "http://web.default.svc.cluster.local"

// pods: one reaches another across workers by a Service's name; exec and logs
// work, which is the API servers' way to kubelets.
func pods(t *testing.T, c *cluster) {
	server, client := c.workers()[0], c.workers()[1]
	for _, h := range c.workers() {
		c.on(t, h, `/opt/quorate/bin/ctr -n k8s.io images import --local "$1" >/dev/null`, images)
	}
	c.create(t, client, strings.NewReplacer("@SERVER@", server, "@CLIENT@", client, "@IMAGE@", testImage).Replace(workload))
	eventually(t, "a pod reaches another by the Service's name", func() error { return c.reach(t, client) })
	eventually(t, "the logs of a pod can be read", func() error {
		out, err := c.tryKubectl(t, client, "logs", "once")
		if err == nil && !strings.HasPrefix(out, "hello from web-") {
			err = fmt.Errorf("the log is %q", out)
		}
		return err
	})
	// Through every API server.
	for _, cp := range c.controlPlanes() {
		out, err := c.feed(t.Context(), cp, c.config, `umask 077; mkdir -p /run/e2e; cat >/run/e2e/own; exec timeout 60 /opt/quorate/bin/kubectl --kubeconfig=/run/e2e/own --cache-dir=/run/e2e/cache --server=https://127.0.0.1:6443 exec deploy/web -- /quorate-test get http://localhost:8080`)
		if err != nil || !strings.HasPrefix(out, "hello from web-") {
			t.Errorf("exec through the API server of %s: %v: %s", cp, err, out)
		}
	}
}

// reach asks the web server from the pod on another worker.
func (c *cluster) reach(t *testing.T, through string) error {
	out, err := c.tryKubectl(t, through, "exec", "deploy/client", "--", "/quorate-test", "get", webURL)
	if err == nil && !strings.HasPrefix(out, "hello from web-") {
		err = fmt.Errorf("the answer is %q", out)
	}
	return err
}
