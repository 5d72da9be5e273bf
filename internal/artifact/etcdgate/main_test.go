package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Without data a member starts only at a birth that was prepared.
func TestRun(t *testing.T) {
	if out := os.Getenv("GATE_OUT"); out != "" { // the program that it becomes
		text := strings.Join(os.Args[1:], " ") + " " + os.Getenv("ETCD_INITIAL_CLUSTER_STATE")
		if err := os.WriteFile(out, []byte(text), 0o600); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	dir := t.TempDir()
	data, birth, env := filepath.Join(dir, "member"), filepath.Join(dir, "birth"), filepath.Join(dir, "env")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(env, "# comment\nETCD_INITIAL_CLUSTER_STATE=existing\n")
	if err := run(data, birth, env, []string{"/does/not/exist"}); err == nil || !strings.Contains(err.Error(), "there is no data") {
		t.Errorf("without data: %v", err)
	}
	for _, at := range []struct{ begin, want string }{{birth, "new"}, {data, "existing"}} {
		os.Remove(birth)
		write(at.begin, "ETCD_INITIAL_CLUSTER_STATE=new\n")
		out := filepath.Join(dir, "out-"+at.want)
		child(t, out, "run", data, birth, env, os.Args[0], "-test.run=^TestRun$")
		got, err := os.ReadFile(out)
		if err != nil || !strings.HasSuffix(string(got), " "+at.want) {
			t.Errorf("it became %q (%v), want the state %s", got, err, at.want)
		}
	}
}

// A member that is healthy is marked as begun, once.
func TestBegun(t *testing.T) {
	healthy := false
	etcd := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if healthy {
			_, _ = w.Write([]byte(`{"health":"true"}`))
		} else {
			_, _ = w.Write([]byte(`{"health":"false"}`))
		}
	}))
	defer etcd.Close()
	dir := t.TempDir()
	mark, birth := filepath.Join(dir, "mark"), filepath.Join(dir, "birth")
	if err := os.WriteFile(birth, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := begun(etcd.URL, mark, birth); err == nil {
		t.Error("it is not healthy")
	}
	if _, err := os.Stat(birth); err != nil {
		t.Errorf("its birth is not over: %v", err)
	}
	healthy = true
	for range 2 {
		if err := begun(etcd.URL, mark, birth); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(mark); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(birth); !os.IsNotExist(err) {
		t.Errorf("the file of its birth is still there: %v", err)
	}
}

// child runs the gate, which is replaced by a program: in a process of its own.
func child(t *testing.T, out string, args ...string) {
	t.Helper()
	pid, err := os.StartProcess(os.Args[0], append([]string{os.Args[0], "-test.run=^TestGate$"}, args...),
		&os.ProcAttr{Env: append(os.Environ(), "GATE_ARGS="+strings.Join(args, "\x1f"), "GATE_LATER="+out),
			Files: []*os.File{nil, os.Stdout, os.Stderr}})
	if err != nil {
		t.Fatal(err)
	}
	if state, err := pid.Wait(); err != nil || !state.Success() {
		t.Fatalf("%v %v", state, err)
	}
}

// TestGate is the gate itself, in a process of its own.
func TestGate(t *testing.T) {
	args := strings.Split(os.Getenv("GATE_ARGS"), "\x1f")
	if len(args) < 5 {
		t.Skip("run by TestRun")
	}
	t.Setenv("GATE_OUT", os.Getenv("GATE_LATER"))
	t.Fatal(run(args[1], args[2], args[3], args[4:]))
}
