package engine

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
)

const testBeat = 250 * time.Millisecond // a second of silence

// Of two operators one works; the other is told who, and may go on afterwards.
func TestLock(t *testing.T) {
	s := startSSHD(t)
	dir := t.TempDir()
	ctx := t.Context()
	a, b := s.engine(t, "cp1"), s.engine(t, "cp1")
	locked, release, err := a.lock(ctx, "apply", dir, testBeat)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = b.lock(ctx, "reset", dir, testBeat)
	var held Held
	if !errors.As(err, &held) || errors.As(err, new(LockLostError)) {
		t.Fatalf("the second got %v", err)
	}
	if held.Host != "cp1" || held.By.Run != a.run || held.By.Doing != "apply" || held.By.PID != os.Getpid() ||
		!strings.Contains(held.Error(), "@") {
		t.Errorf("told %+v: %v", held, held)
	}
	taken, err := os.Stat(filepath.Join(dir, "lock.info"))
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(6 * testBeat) // longer than the silence that ends it
	if locked.Err() != nil {
		t.Errorf("the lock was lost: %v", context.Cause(locked))
	}
	if now, err := os.Stat(filepath.Join(dir, "lock.info")); err != nil || !now.ModTime().Equal(taken.ModTime()) {
		t.Errorf("the lock was let go and taken again (%v)", err)
	}
	release()
	_, release, err = b.lock(ctx, "reset", dir, testBeat)
	if err != nil {
		t.Fatalf("after the release: %v", err)
	}
	release()
	if _, err := os.Stat(filepath.Join(dir, "lock.info")); err == nil {
		t.Error("lock.info was left")
	}
}

// Whoever can open the lock's file can hold it for ever: only root can, also
// where an earlier version has left it open.
func TestLockIsRootsOnly(t *testing.T) {
	s := startSSHD(t)
	dir := filepath.Join(t.TempDir(), "run")
	for _, left := range []bool{false, true} {
		if left {
			if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(filepath.Join(dir, "lock"), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		_, release, err := s.engine(t, "cp1").lock(t.Context(), "apply", dir, testBeat)
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "lock"): 0o600, filepath.Join(dir, "lock.info"): 0o600} {
			if st, err := os.Stat(path); err != nil || st.Mode().Perm() != want {
				t.Errorf("%s (left open: %t): %v, %v; want %v", path, left, st.Mode().Perm(), err, want)
			}
		}
		release()
	}
}

// Links in the lock's places are replaced, and nothing is written where they lead.
func TestLockThroughNothing(t *testing.T) {
	s, dir := startSSHD(t), t.TempDir()
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lock", "lock.info", "lock.info.new"} {
		if err := os.Symlink(victim, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	_, release, err := s.engine(t, "cp1").lock(t.Context(), "apply", dir, testBeat)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for _, name := range []string{"lock", "lock.info"} {
		if st, err := os.Lstat(filepath.Join(dir, name)); err != nil || !st.Mode().IsRegular() {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	st, err := os.Stat(victim)
	if text, _ := os.ReadFile(victim); err != nil || string(text) != "mine" || st.Mode() != 0o644 {
		t.Errorf("what the links led to is %q, %v, %v", text, st, err)
	}
	if _, _, err := s.engine(t, "cp1").lock(t.Context(), "reset", dir, testBeat); !errors.As(err, new(Held)) {
		t.Errorf("a second holder: %v", err)
	}
}

// Who holds it without a word can be found.
func TestLockOfNobodyKnown(t *testing.T) {
	if got := (Held{Host: "cp1"}).Error(); !strings.Contains(got, "fuser -v /run/quorate/lock") {
		t.Error(got)
	}
}

// A holder that falls silent, as one behind a cut network, loses the lock; when
// somebody else took it in the meantime, its work is stopped.
func TestLockSilence(t *testing.T) {
	s := startSSHD(t)
	dir := t.TempDir()
	a, b := s.engine(t, "cp1"), s.engine(t, "cp1")
	out, in := net.Pipe() // never written to
	defer in.Close()
	go host.Ask(t.Context(), a.observer.Hosts["cp1"], host.Script{Text: lockScript, Args: []string{dir, `{"run":"mute"}`, "5"}, Stdin: out})
	for range 100 {
		if _, err := os.Stat(filepath.Join(dir, "lock.info")); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if _, _, err := b.lock(t.Context(), "apply", dir, testBeat); err == nil {
		t.Fatal("the lock was free at once")
	}
	var locked context.Context
	var release func()
	err := errors.New("not tried")
	for end := time.Now().Add(time.Minute); err != nil && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		locked, release, err = b.lock(t.Context(), "apply", dir, testBeat)
	}
	if err != nil {
		t.Fatalf("after the silence: %v", err)
	}
	defer release()
	// Its connection breaks, and another is faster.
	if err := os.WriteFile(filepath.Join(dir, "lock.info"), []byte(`{"who":"eve@far","run":"other"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	rival := exec.Command("flock", filepath.Join(dir, "lock"), "sleep", "30")
	if err := rival.Start(); err != nil {
		t.Fatal(err)
	}
	defer rival.Wait()
	defer rival.Process.Kill()
	time.Sleep(100 * time.Millisecond)
	s.cut()
	os.WriteFile(filepath.Join(dir, "lock.info"), []byte(`{"who":"eve@far","run":"other"}`), 0o644)
	select {
	case <-locked.Done():
		var held Held
		if !errors.As(context.Cause(locked), &held) || !errors.As(context.Cause(locked), new(LockLostError)) {
			t.Errorf("cause %v", context.Cause(locked))
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody noticed that the lock was lost")
	}
}

// A control plane that does not answer is passed over; none at all is an error.
func TestLockUnreachable(t *testing.T) {
	s := startSSHD(t)
	e := s.engine(t, "cp1", "cp2")
	e.observer.Hosts["cp2"] = host.New(host.Config{Name: "cp2", Address: "127.0.0.1", Port: 1})
	_, release, err := e.lock(t.Context(), "apply", t.TempDir(), testBeat)
	if err != nil {
		t.Fatal(err)
	}
	release()
	e.observer.Hosts["cp1"] = e.observer.Hosts["cp2"]
	if _, _, err := e.lock(t.Context(), "apply", t.TempDir(), testBeat); err == nil || !strings.Contains(err.Error(), "no control plane") {
		t.Errorf("got %v", err)
	}
}

// sshd is a real OpenSSH server of the test's own.
type sshd struct {
	key, known, addr string
	pid              int
}

// cut breaks all connections: it ends the server's children.
func (s sshd) cut() {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, p := range stats {
		text, _ := os.ReadFile(p)
		_, rest, _ := strings.Cut(string(text), ") ")
		pid, state, parent := 0, "", 0
		fmt.Sscan(filepath.Base(filepath.Dir(p)), &pid)
		fmt.Sscan(rest, &state, &parent)
		if parent == s.pid {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func (s sshd) engine(t *testing.T, names ...string) *Engine {
	file := &spec.Cluster{Metadata: spec.Metadata{Name: "prod"}}
	hosts := map[model.HostID]host.Host{}
	_, port, _ := net.SplitHostPort(s.addr)
	n := 0
	fmt.Sscan(port, &n)
	for _, name := range names {
		file.Spec.Hosts = append(file.Spec.Hosts, spec.Host{Name: name, Address: "127.0.0.1", Roles: []string{spec.RoleControlPlane}})
		h := host.New(host.Config{Name: name, Address: "127.0.0.1", Port: n, User: "root", KeyFile: s.key, KnownHostsFile: s.known})
		t.Cleanup(func() { h.Close() })
		hosts[model.HostID(name)] = h
	}
	return New(file, goal.Artifacts{}, hosts)
}

func startSSHD(t *testing.T) sshd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("this test logs in as root; run it as root")
	}
	const bin = "/usr/sbin/sshd"
	if _, err := os.Stat(bin); err != nil {
		t.Skip("this test needs sshd: apt-get install openssh-server")
	}
	os.MkdirAll("/run/sshd", 0o755)
	dir := t.TempDir()
	newKey := func(name string) ssh.PublicKey {
		pub, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		block, err := ssh.MarshalPrivateKey(key, "")
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600)
		p, err := ssh.NewPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := sshd{key: filepath.Join(dir, "id"), known: filepath.Join(dir, "known"), addr: l.Addr().String()}
	l.Close()
	os.WriteFile(filepath.Join(dir, "authorized"), ssh.MarshalAuthorizedKey(newKey("id")), 0o600)
	os.WriteFile(s.known, []byte(knownhosts.Line([]string{knownhosts.Normalize(s.addr)}, newKey("hostkey"))+"\n"), 0o644)
	conf := filepath.Join(dir, "conf")
	os.WriteFile(conf, []byte(strings.Join([]string{"ListenAddress " + s.addr, "HostKey " + dir + "/hostkey", "AuthorizedKeysFile " + dir +
		"/authorized",
		"StrictModes no", "PermitRootLogin yes", "PasswordAuthentication no", "UsePAM no", "SetEnv SHLVL=1", "PidFile none",
		"MaxStartups 100", ""}, "\n")), 0o644)
	cmd := exec.Command(bin, "-D", "-e", "-f", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.pid = cmd.Process.Pid
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 200 {
		if c, err := net.Dial("tcp", s.addr); err == nil {
			c.Close()
			return s
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("sshd does not start")
	return s
}
