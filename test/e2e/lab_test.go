//go:build lab

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/lab"
	"quorate.dev/quorate/internal/spec"
)

// loadBalancer names the variable with the kind of load balancer for all labs;
// without it they have the default.
const loadBalancer = "QUORATE_E2E_LB"

// keep names the variable that leaves the labs of failed tests up.
const keep = "QUORATE_E2E_KEEP"

// cluster is a lab with its cluster file, and the folder in which quorate runs.
type cluster struct {
	*lab.Lab
	dir    string
	config string // an admin's kubeconfig, once there is one
	shared string // where its hosts reach the API when they have no load balancer of their own
}

// door is where a host of the cluster reaches the API.
func (c *cluster) door() string { return cmp.Or(c.shared, "127.0.0.1:8443") }

// until ends a suite in time on a slow machine: after it no scenario begins. In
// seconds since 1970; "" is never.
const until = "QUORATE_E2E_UNTIL"

func inTime(t *testing.T) {
	t.Helper()
	end, err := strconv.ParseInt(os.Getenv(until), 10, 64)
	if err == nil && time.Now().Unix() > end && !strings.Contains(t.Name(), "/") {
		t.Skip("left out for want of time, on a slow machine: make test-all")
	}
}

// newCluster boots hosts that go with the test; more are words for `lab up`.
func newCluster(t *testing.T, name string, controlPlanes, workers int, more ...string) *cluster {
	t.Helper()
	inTime(t)
	name = labPrefix + name
	c := &cluster{dir: folder(t)}
	run(t, c.dir, append([]string{"lab", "up", name, "--control-planes", fmt.Sprint(controlPlanes), "--workers", fmt.Sprint(workers)},
		more...)...).want(t, 0)
	t.Cleanup(func() {
		if t.Failed() {
			c.diagnose(t)
			if os.Getenv(keep) != "" {
				t.Logf("%s is left up; its file is in %s", name, c.dir)
				return
			}
		}
		if err := lab.Down(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	var err error
	if c.Lab, err = lab.Open(name); err != nil {
		t.Fatal(err)
	}
	if kind := os.Getenv(loadBalancer); kind != "" {
		c.balancer(t, kind)
	}
	return c
}

// folder goes with the test, unless its lab is kept.
func folder(t *testing.T) string {
	if os.Getenv(keep) == "" {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("", "quorate-e2e-kept-")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// of lists hosts by role, or all.
func (c *cluster) of(role string) (names []string) {
	for _, h := range c.Hosts {
		if role == "" || h.Role == role {
			names = append(names, h.Name)
		}
	}
	return names
}

func (c *cluster) controlPlanes() []string { return c.of(lab.RoleControlPlane) }
func (c *cluster) workers() []string       { return c.of(lab.RoleWorker) }

func (c *cluster) address(t *testing.T, host string) string {
	t.Helper()
	h, err := c.Host(host)
	if err != nil {
		t.Fatal(err)
	}
	return h.Address.String()
}

// try runs a shell command on a host, from below: it needs no network.
func (c *cluster) try(ctx context.Context, host, script string, args ...string) (string, error) {
	return c.feed(ctx, host, "", script, args...)
}

func (c *cluster) feed(ctx context.Context, host, stdin, script string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var out, errOut bytes.Buffer
	err := c.Exec(ctx, host, append([]string{"sh", "-c", script, "sh"}, args...), strings.NewReader(stdin), &out, &errOut)
	if err != nil {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(errOut.String()+out.String()))
	}
	return strings.TrimSpace(out.String()), err
}

// on is try for what must work.
func (c *cluster) on(t *testing.T, host, script string, args ...string) string {
	t.Helper()
	out, err := c.try(t.Context(), host, script, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (c *cluster) power(t *testing.T, host string, on bool) {
	t.Helper()
	var err error
	if on {
		err = c.PowerOn(t.Context(), host)
	} else {
		err = c.PowerOff(t.Context(), host, true)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// edit changes the cluster file as a user would.
func (c *cluster) edit(t *testing.T, change func(*spec.Cluster)) {
	t.Helper()
	file, _, err := spec.Load(c.File)
	if err != nil {
		t.Fatal(err)
	}
	change(file)
	text, err := spec.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.File, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// diagnose shows what the hosts say of themselves.
func (c *cluster) diagnose(t *testing.T) {
	if c.Lab == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, h := range c.of("") {
		out, err := c.try(ctx, h, `systemctl --no-legend --plain list-units --failed 'etcd*' 'kube*' 'quorate*' 'containerd*'
for u in etcd kube-apiserver kubelet; do journalctl -q --no-pager -o short -n 40 -u $u | grep -v -e '"info"' -e summary_sys -e '^ *I[0-9]' | tail -n 3; done 2>&1 | cut -c1-300`)
		t.Logf("%s: %v\n%s", h, err, out)
	}
	// Last, as of a long output often only the end is kept.
	said := strings.Split(strings.TrimSpace(lastRun.err), "\n")
	if len(said) > 12 {
		said = slices.Concat(said[:6], []string{"..."}, said[len(said)-6:])
	}
	t.Logf("the last run was %s\n%s", lastRun, strings.Join(said, "\n"))
}

// result is a run of quorate that has ended.
type result struct {
	argv     []string
	code     int
	out, err string
	took     time.Duration
}

// lastRun is shown when a test fails.
var lastRun result

// run runs quorate to its end.
func run(t *testing.T, dir string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	begun := time.Now()
	err := cmd.Run()
	r := result{args, cmd.ProcessState.ExitCode(), out.String(), errOut.String(), time.Since(begun)}
	lastRun = r
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", r, err)
	}
	t.Log(r)
	return r
}

func (r result) String() string {
	return fmt.Sprintf("quorate %s: exit %d after %.1f s", strings.Join(r.argv, " "), r.code, r.took.Seconds())
}

// want fails the test unless quorate ended so.
func (r result) want(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("%s, want %d\n%s\n%s", r, code, r.out, r.err)
	}
	return r
}

// says fails the test unless each text was printed.
func (r result) says(t *testing.T, texts ...string) result {
	t.Helper()
	for _, s := range texts {
		if !strings.Contains(r.out+r.err, s) {
			t.Fatalf("%s: nothing about %q\n%s\n%s", r, s, r.out, r.err)
		}
	}
	return r
}

func (c *cluster) plan(t *testing.T, args ...string) result {
	t.Helper()
	return run(t, c.dir, append([]string{"plan", "-f", filepath.Base(c.File)}, args...)...)
}

func (c *cluster) apply(t *testing.T, args ...string) result {
	t.Helper()
	return run(t, c.dir, append([]string{"apply", "--yes", "-f", filepath.Base(c.File)}, args...)...)
}

// nothingToDo polls until the planner agrees that have is want.
func (c *cluster) nothingToDo(t *testing.T) {
	t.Helper()
	eventually(t, "nothing is left to do", func() error {
		if r := c.plan(t); r.code != 0 || r.out != "nothing to do\n" {
			return fmt.Errorf("%s\n%s\n%s", r, r.out, r.err)
		}
		return nil
	})
}
