package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/units"
)

var at = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func event(kind, host, title string, after time.Duration) engine.Event {
	return engine.Event{Kind: kind, At: at.Add(after), Took: units.Seconds(after),
		Step: &plan.About{Kind: title, Host: model.HostID(host), Title: title}}
}

// What is done on all hosts is one line; what runs is drawn below it.
func TestView(t *testing.T) {
	v := view{begun: at}
	var stay []string
	for _, ev := range []engine.Event{
		{Kind: engine.StageRun, At: at, Stage: 1, Of: 4},
		event(engine.StepRun, "cp1", "install binaries", 0),
		event(engine.StepRun, "cp2", "install binaries", 0),
		event(engine.StepDone, "cp2", "install binaries", 2*time.Second),
		{Kind: engine.Note, At: at, Text: "cp1: kept the old /etc/hosts at /x"},
		event(engine.StepDone, "cp1", "install binaries", 3*time.Second),
		{Kind: engine.StageRun, At: at, Stage: 2, Of: 4, Text: "EXPOSED: while this runs, losing cp2 stops the control plane"},
		event(engine.StepRun, "cp1", "run etcd", 3*time.Second),
		event(engine.StepRun, "w1", "run containerd, front-door", 4*time.Second),
	} {
		stay = append(stay, v.on(ev)...)
	}
	fail := event(engine.StepFail, "w1", "run containerd, front-door", 5*time.Second)
	fail.Err = "exit status 1\nand all that systemd said"
	want := []string{
		"  cp1: kept the old /etc/hosts at /x",
		"  cp1 cp2  install binaries  3.0s",
		"EXPOSED: while this runs, losing cp2 stops the control plane",
	}
	if !slices.Equal(stay, want) {
		t.Errorf("lines that stay:\n%s", strings.Join(stay, "\n"))
	}
	frame := strings.Join(v.frame(at.Add(65*time.Second), 80, 24), "\n")
	if want := "  cp1  … run etcd  1m02s\n  w1   … run containerd, front-door  1m01s\n  stage 2 of 4, 2 steps done, 2 " +
		"running, 1m05s"; frame != want {
		t.Errorf("frame:\n%s", frame)
	}
	for _, l := range v.frame(at, 20, 24) {
		if n := len([]rune(l)); n > 19 {
			t.Errorf("%q is %d columns wide", l, n)
		}
	}
	if got := v.on(fail); len(got) != 1 || got[0] != "  w1     FAILED run containerd, front-door: exit status 1" {
		t.Errorf("failure: %q", got)
	}
	for i := range 60 {
		v.on(event(engine.StepRun, fmt.Sprintf("w%d", i), "x", 0))
	}
	if n := len(v.frame(at, 80, 24)); n > 23 {
		t.Errorf("%d lines on 24", n)
	}
}

// An error leaves the program in three lines.
func TestExplain(t *testing.T) {
	root := Command()
	cmd, _, err := root.Find([]string{"apply"})
	if err != nil {
		t.Fatal(err)
	}
	cmd.Flags().Set("file", "prod.yaml")
	about := plan.About{Kind: "promote", Host: "cp2", Title: "promote etcd member"}
	for _, c := range []struct {
		err  error
		code int
		want string
	}{
		{ended{engine.FailedError{Step: about, Err: errors.New("not caught up")},
			tally{steps: 7, kept: []step.Kept{{Host: "cp2", Path: "/etc/hosts", At: "/k"}}}}, 1,
			"cp2: promote etcd member: not caught up\nkept: completed steps stay (7); cp2: kept the old /etc/hosts at /k\nnext: fix the " +
				"cause, then run quorate apply -f prod.yaml; completed steps are skipped\n"},
		{ended{errStopped, tally{}}, 1, "stopped; what is already running on hosts finishes by itself\nkept: nothing was changed\nnext: " +
			"quorate apply -f prod.yaml to continue\n"},
		{ended{engine.Held{Host: "cp1"}, tally{}}, 3, "cp1: somebody else is working on this cluster; to see who, run there: fuser -v " +
			"/run/quorate/lock\nkept: nothing was changed by this run\nnext: wait until that run has ended, then run quorate apply -f prod.yaml\n"},
		{ended{engine.LockLostError{Held: engine.Held{Host: "cp1",
			By: engine.Holder{Who: "eve@far", Doing: "apply", Run: "R", PID: 7, Since: at}}}, tally{steps: 3, open: []string{"cp2: run etcd"}}}, 3,
			"the lock was lost in the middle of this run: cp1: eve@far is working on this cluster: apply (run R, process 7) since " +
				at.Local().Format("2006-01-02 15:04:05") +
				"\nkept: completed steps stay (3); started, perhaps not finished: cp2: run etcd\nnext: wait until that run has ended, then run " +
				"quorate apply -f prod.yaml\n"},
		{engine.BlockedError{Plan: plan.Plan{Blocked: []plan.Refused{{Step: about, Err: errors.New("no")}}}}, 3,
			"blocked: nothing is started until this is resolved\n  cp2: no\nkept: nothing was changed\nnext: resolve what is named above, " +
				"then run quorate apply -f prod.yaml\n"},
		{fmt.Errorf("cp1: connect: %w", host.ErrUnreachable), 1, "cp1: connect: host unreachable\nnext: bring the host back, then run " +
			"quorate apply -f prod.yaml\n"},
		{usageError{errors.New("bad flag")}, 2, "quorate: bad flag\n"},
		{errRefused, 3, "quorate: nothing was changed\n"},
	} {
		if got := explain(cmd, c.err).String(); got != c.want {
			t.Errorf("%T:\n%s", c.err, got)
		}
		if got := exitCode(c.err); got != c.code {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.code)
		}
	}
}

// An outage must be agreed to by name, and it is said what would be down.
func TestAcceptable(t *testing.T) {
	p := plan.Plan{Stages: []plan.Stage{
		{Risk: plan.Exposed, Reasons: []string{"EXPOSED: x"}},
		{Risk: plan.Outage, Reasons: []string{"OUTAGE: while this runs, no API server answers (for about 12 s)"}},
		{Risk: plan.Outage, Reasons: []string{"OUTAGE: while this runs, no API server answers (for about 12 s)"}},
	}}
	err := acceptable(p, false)
	if exitCode(err) != 3 || err.Error() != "nothing was changed: OUTAGE: while this runs, no API server answers (for about 12 s); "+
		"to proceed, pass --accept-outage" {
		t.Errorf("%v: exit code %d", err, exitCode(err))
	}
	if acceptable(p, true) != nil || acceptable(plan.Plan{Stages: p.Stages[:1]}, false) != nil {
		t.Error("refused though it was agreed to, or is no outage")
	}
}

// A lost lock and an interruption are told as such, whatever the engine says.
func TestEnd(t *testing.T) {
	lost, cancel := context.WithCancelCause(t.Context())
	cancel(engine.LockLostError{Held: engine.Held{Host: "cp1", By: engine.Holder{Who: "eve@far"}}})
	stopped, stop := context.WithCancel(t.Context())
	stop()
	w := &watcher{out: &strings.Builder{}, errOut: &strings.Builder{}, journal: &journal{err: errors.New("none")},
		fails: map[string]engine.Event{}}
	if err := w.end(lost, context.Canceled); !errors.As(err, new(engine.LockLostError)) {
		t.Errorf("lost lock: %v", err)
	}
	if err := w.end(stopped, errors.New("some step was cut short")); !errors.Is(err, errStopped) {
		t.Errorf("interruption: %v", err)
	}
	if err := w.end(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// What a run has begun is not "nothing", whether it ended, failed or was cut short.
func TestTally(t *testing.T) {
	w := &watcher{out: &strings.Builder{}, errOut: &strings.Builder{}, journal: &journal{err: errors.New("none")},
		fails: map[string]engine.Event{}}
	says := func(want string, events ...engine.Event) {
		t.Helper()
		for _, ev := range events {
			w.on(ev)
		}
		var e ended
		if errors.As(w.end(t.Context(), errors.New("it broke")), &e); e.tally.String() != want {
			t.Errorf("%q, want %q", e.tally, want)
		}
	}
	says("nothing was changed")
	says("started, perhaps not finished: cp1: run etcd", event(engine.StepRun, "cp1", "run etcd", 0))
	says("completed steps stay (1)", event(engine.StepDone, "cp1", "run etcd", 0))
	says("completed steps stay (1); started, perhaps not finished: cp2: run etcd",
		event(engine.StepRun, "cp2", "run etcd", 0), event(engine.StepFail, "cp2", "run etcd", 0))
	for i := range 5 {
		w.on(event(engine.StepRun, fmt.Sprintf("w%d", i), "x", 0))
	}
	says("completed steps stay (1); started, perhaps not finished: cp2: run etcd; w0: x; w1: x; and 3 more")
}

func TestReplaceFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "config")
	if kept, err := replaceFile(path, []byte("one")); err != nil || kept != "" {
		t.Fatal(kept, err)
	}
	for _, old := range []string{"one", "two"} {
		kept, err := replaceFile(path, []byte("two"))
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(kept); string(b) != old || !strings.HasSuffix(kept, ".bak") {
			t.Errorf("%s holds %q", kept, b)
		}
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
}

func TestAddress(t *testing.T) {
	file, _, err := spec.Parse("c.yaml", spec.Init("prod"))
	if err != nil {
		t.Fatal(err)
	}
	file.Spec.Hosts[1].InternalAddress = "192.168.7.12"
	for _, c := range []struct {
		a            access
		server, name string
	}{
		{access{}, "https://api.prod.internal:8443", ""},
		{access{host: "cp1"}, "https://10.0.0.11:8443", "api.prod.internal"},
		{access{host: "cp2"}, "https://10.0.0.12:6443", "api.prod.internal"},
		{access{server: "https://127.0.0.1:1234"}, "https://127.0.0.1:1234", "api.prod.internal"},
		{access{server: "https://api.prod.internal:443"}, "https://api.prod.internal:443", ""},
	} {
		server, name, err := c.a.address(file)
		if err != nil || server != c.server || name != c.name {
			t.Errorf("%+v: %s %s %v", c.a, server, name, err)
		}
	}
}
