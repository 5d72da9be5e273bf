//go:build lab

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// counter is a Deployment with its state on the volume: each pod goes on counting
// where the one before it stopped. It would rather be on one worker, so that a test
// knows which to take the power from. Kubernetes' own tolerations wait for 300 s
// before a pod of a dead node is replaced. The folder is on the volume only, so no pod
// starts where that is not mounted.
const counter = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: counter}
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector: {matchLabels: {app: counter}}
  template:
    metadata: {labels: {app: counter}}
    spec:
      terminationGracePeriodSeconds: 1
      affinity:
        nodeAffinity:
          preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, preference: {matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [@FROM@]}]}}]
      tolerations:
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 5}
      - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 5}
      containers: [{name: counter, image: @IMAGE@, imagePullPolicy: Never, args: [count, /state/log], volumeMounts: [{name: state, mountPath: /state}]}]
      volumes: [{name: state, hostPath: {path: /mnt/shared/state, type: Directory}}]
`

// mountUnit mounts the volume, also after the host's return; lab hosts have no
// /dev/fuse. Nothing is cached: another host may have written.
const mountUnit = `[Unit]
Description=the shared volume of a test
After=network.target
[Service]
ExecStartPre=-/bin/mknod -m 666 /dev/fuse c 10 229
ExecStartPre=-/bin/umount -l /mnt/shared
ExecStartPre=/bin/mkdir -p /mnt/shared
ExecStart=/usr/bin/sshfs -f -o allow_other,reconnect,dir_cache=no,ServerAliveInterval=5,StrictHostKeyChecking=no,IdentityFile=/root/.ssh/shared root@%s:/srv/shared /mnt/shared
Restart=always
RestartSec=1
[Install]
WantedBy=multi-user.target
`

// share gives all workers one volume, which lies on the host outside. It is sshfs,
// for a kernel without NFS can neither serve nor mount that, and containers have the
// machine's kernel.
func (p *procedure) share(t *testing.T) {
	t.Helper()
	p.on(t, p.outside, `mkdir -p /srv/shared/state; ssh-keygen -q -t ed25519 -N "" -f /root/shared; cat /root/shared.pub >>/root/.ssh/authorized_keys`)
	key := p.on(t, p.outside, `cat /root/shared`)
	for _, w := range p.workers() {
		for file, text := range map[string]string{"/root/.ssh/shared": key + "\n",
			"/etc/systemd/system/e2e-shared.service": fmt.Sprintf(mountUnit, p.address(t, p.outside))} {
			if _, err := p.feed(t.Context(), w, text, `umask 077; cat >"$1"`, file); err != nil {
				t.Fatal(err)
			}
		}
		p.on(t, w, `systemctl enable --now e2e-shared`)
		eventually(t, w+" has the volume", func() error {
			_, err := p.try(t.Context(), w, `test -d /mnt/shared/state`)
			return err
		})
	}
}

// deploy starts the counter, on a worker.
func (p *procedure) deploy(t *testing.T, from string) {
	t.Helper()
	for _, w := range p.workers() {
		p.on(t, w, `/opt/quorate/bin/ctr -n k8s.io images import --local "$1" >/dev/null`, images)
	}
	p.create(t, p.through, strings.NewReplacer("@FROM@", from, "@IMAGE@", testImage).Replace(counter))
	eventually(t, "a pod on "+from+" counts", func() error {
		if pods := p.pods(t); len(pods) != 1 || pods[0][1] != from {
			return fmt.Errorf("pods %v", pods)
		}
		if lines := p.lines(t); len(lines) < 10 {
			return fmt.Errorf("%d lines", len(lines))
		}
		return nil
	})
}

// pods are the counter's, whatever their state, each with its node.
func (p *procedure) pods(t *testing.T) (out [][2]string) {
	t.Helper()
	text, err := p.tryKubectl(t, p.through, "get", "pods", "-l", "app=counter", "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName}{"\n"}{end}`)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(text) {
		name, node, _ := strings.Cut(strings.TrimSpace(line), " ")
		out = append(out, [2]string{name, node})
	}
	return out
}

// line is what a pod wrote.
type line struct {
	pod string
	n   int
	at  time.Time
}

// lines is all that pods wrote, read where the volume lies. A number that is missing
// or there twice fails the test.
func (p *procedure) lines(t *testing.T) (out []line) {
	t.Helper()
	for text := range strings.Lines(p.on(t, p.outside, `cat /srv/shared/state/log 2>/dev/null || true`)) {
		var l line
		var ms int64
		if _, err := fmt.Sscanf(text, "%s %d %d", &l.pod, &l.n, &ms); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		l.at = time.UnixMilli(ms)
		if out = append(out, l); l.n != len(out) {
			t.Fatalf("line %d on the volume is %q: a pod did not go on where the one before it had stopped", len(out), text)
		}
	}
	return out
}

// counted waits until a pod on another worker has gone on counting, and tells how
// long nobody did.
func (p *procedure) counted(t *testing.T, from string) {
	t.Helper()
	eventually(t, "a pod on another worker than "+from+" goes on counting", func() error {
		lines := p.lines(t)
		for i := 1; i < len(lines); i++ {
			if a, b := lines[i-1], lines[i]; a.pod != b.pod && len(lines) > i+5 {
				t.Logf("%s wrote the last of its %d lines, %s wrote the next one %.1f s later", a.pod, a.n, b.pod, b.at.Sub(a.at).Seconds())
				return p.elsewhere(t, b.pod, from)
			}
		}
		return fmt.Errorf("all %d lines are one pod's", len(lines))
	})
}

func (p *procedure) elsewhere(t *testing.T, pod, from string) error {
	t.Helper()
	pods := p.pods(t)
	for _, one := range pods {
		if one[0] == pod && one[1] != from {
			return nil
		}
	}
	return fmt.Errorf("%s is not on another worker: %v", pod, pods)
}

// onePod polls until the pod of the worker that was dead is gone.
func (p *procedure) onePod(t *testing.T) {
	t.Helper()
	eventually(t, "one pod counts", func() error {
		if pods := p.pods(t); len(pods) != 1 {
			return fmt.Errorf("pods %v", pods)
		}
		return nil
	})
}
