//go:build lab

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/prober"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/test/history"
)

// trial is a cluster that is changed again and again, on hosts of which some
// are spare, and asked all the while through the front door of its worker.
type trial struct {
	*cluster
	seed   uint64
	random *rand.Rand    // of the trial that is on
	all    *spec.Cluster // the file with every host
	voters []string      // as the file has them
	keys   pki.Shared
	door   host.Host
	asked  int
	// runs are the applies of the trial, for who looks for a cause.
	runs  []*running
	worst int // how often an apply may fail before the trial does
}

// draw begins the n-th trial: what it draws does not hang upon how often the
// earlier ones drew.
func (x *trial) draw(n int) { x.random = rand.New(rand.NewPCG(x.seed, uint64(n))) }

// newTrial makes a cluster of one control plane and a worker; more hosts are spare.
func newTrial(t *testing.T, name, flavour string, controlPlanes int) *trial {
	t.Helper()
	x := &trial{seed: seeded(t), cluster: newCluster(t, name, controlPlanes, 1)}
	x.edit(t, func(f *spec.Cluster) { f.Spec.Kubernetes.Flavour = flavour })
	t.Cleanup(func() {
		if t.Failed() {
			x.tell(t, time.Now().Add(-5*time.Minute), time.Now())
		}
	})
	var err error
	if x.all, _, err = spec.Load(x.File); err != nil {
		t.Fatal(err)
	}
	x.only(t, x.controlPlanes()[0])
	x.apply(t).want(t, 0)
	x.admin(t)
	x.keys = x.cluster.keys(t, x.voters[0])
	w := x.worker()
	x.door = host.New(host.Config{Name: w, Address: x.address(t, w), KeyFile: x.KeyFile, KnownHostsFile: x.Known})
	t.Cleanup(func() { x.door.Close() })
	return x
}

func (x *trial) worker() string { return x.workers()[0] }

// only names the control planes that the file shall have.
func (x *trial) only(t *testing.T, names ...string) {
	t.Helper()
	x.voters = names
	x.edit(t, func(f *spec.Cluster) {
		f.Spec.Hosts = slices.DeleteFunc(slices.Clone(x.all.Spec.Hosts), func(h spec.Host) bool {
			return h.Name != x.worker() && !slices.Contains(names, h.Name)
		})
	})
}

func (x *trial) spare() []string {
	return slices.DeleteFunc(x.controlPlanes(), func(h string) bool { return slices.Contains(x.voters, h) })
}

func (x *trial) pick(from []string) string { return from[x.random.IntN(len(from))] }

// begin is cluster.begin, remembered.
func (x *trial) begin(t *testing.T, args ...string) *running {
	t.Helper()
	r := x.cluster.begin(t, args...)
	x.runs = append(x.runs, r)
	return r
}

// tell shows what the applies of this trial did in a span of time.
func (x *trial) tell(t *testing.T, from, to time.Time) {
	t.Helper()
	var b strings.Builder
	for i, r := range x.runs {
		for _, ev := range r.seen {
			if ev.At.Before(from) || ev.At.After(to) || ev.Kind == engine.StageRun {
				continue
			}
			fmt.Fprintf(&b, "  %s apply %d %-8s", ev.At.Format("15:04:05.000"), i+1, ev.Kind)
			if ev.Step != nil {
				fmt.Fprint(&b, " ", ev.Step.Key())
			}
			fmt.Fprintln(&b, "", ev.Text, ev.Err)
		}
	}
	t.Logf("quorate from %s to %s:\n%s", from.UTC().Format(time.TimeOnly), to.UTC().Format(time.TimeOnly), b.String())
}

// asking is a probe under way, and what it saw.
type asking struct {
	*prober.Prober
	x     *trial
	mu    sync.Mutex
	ops   []prober.Op
	first time.Time // that something got no answer
}

// ask begins to ask the cluster, which must answer.
func (x *trial) ask(t *testing.T) *asking {
	t.Helper()
	cert, key, err := pki.AdminClient(x.keys, "e2e", 24*time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(x.keys.CA.Cert)
	a := &asking{x: x}
	x.asked++
	x.runs = nil
	eventually(t, "the probe begins", func() (err error) {
		a.Prober, err = prober.Start(t.Context(), prober.Config{
			Run:  fmt.Sprint("trial-", x.asked),
			Dial: func(ctx context.Context) (net.Conn, error) { return x.door.Dial(ctx, "tcp", "127.0.0.1:8443") },
			TLS: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, ServerName: "api." + x.Name + ".lab",
				MinVersion: tls.VersionTLS12},
			Record: a.note,
		})
		return err
	})
	return a
}

// note keeps an operation, and when the first got none.
func (a *asking) note(op prober.Op) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ops = append(a.ops, op)
	if op.Outcome == prober.Unknown && a.first.IsZero() {
		a.first = time.Now()
	}
}

// answered is what the cluster's users saw, with nothing lost and nothing out
// of order. How many requests failed is for who reads it: a lone control plane
// without power answers none.
func (a *asking) answered(t *testing.T) (prober.Report, history.Result) {
	t.Helper()
	report, err := a.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.Writes == 0 || len(report.Lost) > 0 {
		t.Errorf("%s: lost %v", report, report.Lost)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if report.Failures > 0 && !a.first.IsZero() {
		a.x.tell(t, a.first.Add(-10*time.Second), a.first.Add(time.Second))
	}
	seen := history.Check(a.ops, time.Minute)
	if seen.Verdict != history.Linearizable {
		t.Errorf("%s", seen)
	}
	return report, seen
}

// whole fails the test unless the cluster is what its file says: nothing is
// left to do, there is one etcd of the right voters, all nodes are Ready, and
// hosts that left hold nothing.
func (x *trial) whole(t *testing.T) {
	t.Helper()
	x.nothingToDo(t)
	x.oneEtcd(t, x.voters...)
	x.nodesReady(t, x.worker(), append(slices.Clone(x.voters), x.worker())...)
	for _, h := range x.spare() {
		if left := x.on(t, h, leftovers); left != "" {
			t.Errorf("%s, which left, still has %s", h, left)
		}
	}
}

// killed brings the cluster to its file with a quorate that is killed after
// about so many steps, and again, until nothing is left; mostly right after a
// step was done, sometimes right after one has begun.
func (x *trial) killed(t *testing.T, every int, args ...string) (kills, runs int) {
	t.Helper()
	for failed := 0; ; {
		if runs++; runs > 500 {
			t.Fatalf("it comes to no end with quorate killed %d times", kills)
		}
		at, n := engine.StepDone, 1+x.random.IntN(2*every-1)
		if x.random.IntN(3) == 0 {
			at, n = engine.StepRun, 1+x.random.IntN(2*every+2)
		}
		r, key := x.begin(t, args...), ""
		if r.until(func(ev engine.Event) bool {
			if ev.Kind == at {
				n, key = n-1, ev.Step.Key()
			}
			return ev.Kind == at && n == 0
		}) {
			r.kill()
		}
		switch code := r.end(); {
		case code == 0:
			return kills, runs
		case code < 0:
			kills++
			t.Logf("kill %d: at %q %s", kills, at, key)
		default:
			failed = x.failed(t, r, code, failed)
		}
	}
}

// finish applies until it goes well.
func (x *trial) finish(t *testing.T, args ...string) (runs int) {
	t.Helper()
	for failed := 0; ; {
		runs++
		r := x.begin(t, args...)
		code := r.end()
		if code == 0 {
			return runs
		}
		failed = x.failed(t, r, code, failed)
	}
}

// failed counts an apply that did not go well; too many end the trial.
func (x *trial) failed(t *testing.T, r *running, code, before int) int {
	t.Helper()
	if code < 0 || before >= x.worst {
		t.Fatalf("apply: exit %d, after %d that failed\n%s", code, before, r.err.String())
	}
	t.Logf("apply: exit %d\n%s", code, said(r))
	return before + 1
}

// said is what an apply told, less what it found in the store, and the steps
// that failed on the way.
func said(r *running) string {
	var failures string
	for _, ev := range r.seen {
		if ev.Kind == engine.StepFail {
			failures += fmt.Sprintf("%s failed after %.1f s: %s: %s\n", ev.At.Format(time.TimeOnly), ev.Took.Duration().Seconds(), ev.Step.Key(), ev.Err)
		}
	}
	return failures + strings.Join(slices.DeleteFunc(strings.Split(strings.TrimSpace(r.err.String()), "\n"),
		func(l string) bool { return strings.Contains(l, " cached ") }), "\n")
}
