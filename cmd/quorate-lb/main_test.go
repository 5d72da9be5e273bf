package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/internal/balancer/admin"
	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/lbtest"
)

// TestMain lets the test program be quorate-lb: the tests start it as such, and
// it starts itself on SIGUSR2.
func TestMain(m *testing.M) {
	if os.Getenv("QUORATE_LB_TEST") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is a running quorate-lb before two servers.
type process struct {
	t       *testing.T
	file    config.File
	path    string
	address string
	certs   *lbtest.Certificates
	notify  *net.UnixConn
	said    chan string
	ended   chan error
	cmd     *exec.Cmd
}

func start(t *testing.T) *process {
	dir := t.TempDir()
	certs, err := lbtest.NewCertificates(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, path: filepath.Join(dir, "lb.yaml"), certs: certs, said: make(chan string, 100), ended: make(chan error, 1)}
	p.address = p.port()
	w := config.Way{Name: "api", Listen: []string{p.address}, Check: config.Check{
		Kind: config.KindReadyz, CA: certs.CA, Timeout: config.Duration(3 * time.Second), // starving is not silence
	}}
	for _, name := range []string{"cp1", "cp2"} {
		s, err := lbtest.NewServer(name, certs, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Stop)
		w.Backends = append(w.Backends, config.Backend{Name: name, Address: s.Address})
	}
	p.file = config.File{Stamp: "first", Admin: config.Admin{Listen: p.port()}, Ways: []config.Way{w}}
	p.write()
	socket := filepath.Join(dir, "notify")
	if p.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.notify.Close() })
	go p.listen()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(self, "-config", p.path, "-leaving", p.path+".leaving")
	p.cmd.Env = append(os.Environ(), "QUORATE_LB_TEST=1", "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=200000")
	log, err := os.Create(filepath.Join(dir, "log")) // a pipe would be open as long as its successor lives
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.cmd.Stderr = log
	t.Cleanup(func() {
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Log(string(text))
		}
	})
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	p.hear("READY=1")
	return p
}

func (p *process) port() string {
	a, err := lbtest.FreePort()
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

// write replaces the file as quorate does: whole, by a new inode.
func (p *process) write() {
	text, err := p.file.Marshal()
	if err != nil {
		p.t.Fatal(err)
	}
	p.writeText(text)
}

func (p *process) writeText(text []byte) {
	if err := os.WriteFile(p.path+".new", text, 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(p.path+".new", p.path); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) listen() {
	b := make([]byte, 4096)
	for {
		n, err := p.notify.Read(b)
		if err != nil {
			return
		}
		for line := range strings.Lines(string(b[:n])) {
			p.said <- strings.TrimSpace(line)
		}
	}
}

// hear waits until systemd would have been told what begins so.
func (p *process) hear(what string) string {
	p.t.Helper()
	for limit := time.After(30 * time.Second); ; {
		select {
		case line := <-p.said:
			if strings.HasPrefix(line, what) {
				return line
			}
		case <-limit:
			p.t.Fatalf("%s was not said", what)
		}
	}
}

func (p *process) health() (h admin.Health) {
	p.t.Helper()
	resp, err := http.Get("http://" + p.file.Admin.Listen + "/healthz")
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&h); err != nil {
		p.t.Fatal(err)
	}
	return h
}

func (p *process) until(what string, f func() bool) {
	p.t.Helper()
	for range 3000 {
		if f() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.t.Fatalf("%s did not happen", what)
}

// conn is a standing connection to one server.
type conn struct{ *tls.Conn }

func (p *process) dial() (conn, error) {
	c, err := tls.Dial("tcp", p.address, &tls.Config{RootCAs: p.certs.Pool, NextProtos: []string{"http/1.1"}})
	if err != nil {
		return conn{}, err
	}
	p.t.Cleanup(func() { c.Close() })
	return conn{c}, c.SetDeadline(time.Now().Add(time.Minute))
}

func (c conn) who() (string, error) {
	if _, err := io.WriteString(c, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

func TestReload(t *testing.T) {
	p := start(t)
	c, err := p.dial()
	if err != nil {
		t.Fatal(err)
	}
	before, err := c.who()
	if err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(p.path)
	if h := p.health(); h.Digest != config.Digest(text) || h.Stamp != "first" || h.Status != "ok" {
		t.Errorf("%+v", h)
	}
	p.hear("WATCHDOG=1")

	p.writeText([]byte("ways: 7\n")) // seen without a signal
	p.until("the error is served", func() bool { return p.health().Error != "" })
	if h := p.health(); h.Stamp != "first" || !strings.Contains(h.Error, "line 1") {
		t.Errorf("%+v", h)
	}
	p.hear("STATUS=running with an older configuration")

	p.file.Stamp = "second"
	p.write()
	_ = p.cmd.Process.Signal(syscall.SIGHUP)
	p.hear("RELOADING=1")
	p.hear("READY=1")
	p.until("the new file is in use", func() bool { return p.health().Stamp == "second" && p.health().Error == "" })
	if after, err := c.who(); err != nil || after != before {
		t.Errorf("the standing connection: %s, %v", after, err)
	}
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	if err := <-p.ended; err != nil {
		t.Errorf("SIGINT: %v", err)
	}
}

// TestUpgrade starts the program anew while clients work: no connection fails,
// standing ones stay, and the old process ends with the last of them.
func TestUpgrade(t *testing.T) {
	p := start(t)
	standing, err := p.dial()
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := p.dial()
				if err == nil {
					_, err = c.who()
					c.Close()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	_ = p.cmd.Process.Signal(syscall.SIGUSR2)
	var pid int
	if _, err := fmt.Sscanf(p.hear("MAINPID="), "MAINPID=%d", &pid); err != nil || pid == p.cmd.Process.Pid {
		t.Fatalf("the new main process is %d, %v", pid, err)
	}
	next, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Kill()
	time.Sleep(2 * time.Second)
	close(stop)
	wg.Wait()
	if name, err := standing.who(); err != nil || name == "" {
		t.Errorf("the standing connection: %q, %v", name, err)
	}
	select {
	case err := <-p.ended:
		t.Fatalf("the old process ended before its last session, %v", err)
	default:
	}
	standing.Close()
	select {
	case err := <-p.ended:
		if err != nil {
			t.Errorf("the old process: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the old process did not end with its last session")
	}
	if h := p.health(); h.Status != "ok" {
		t.Errorf("%+v", h)
	}
}

func TestCheckFile(t *testing.T) {
	p := start(t)
	if err := checkFile(p.path); err != nil {
		t.Error(err)
	}
	p.file.Ways[0].Check.CA = "/does/not/exist"
	p.write()
	if err := checkFile(p.path); err == nil || !strings.Contains(err.Error(), "way api: check.ca: open /does/not/exist") {
		t.Errorf("%v", err)
	}
	p.until("it is served", func() bool { return strings.Contains(p.health().Error, "/does/not/exist") })
}

func TestPageAndMetrics(t *testing.T) {
	p := start(t)
	for path, want := range map[string][]string{
		"/":        {"quorate-lb on", "cp1", "ready", p.address},
		"/metrics": {`quorate_lb_backend_state{backend="cp2",state="ready",way="api"} 1`, "quorate_lb_sessions{", "quorate_lb_config_invalid 0"},
	} {
		resp, err := http.Get("http://" + p.file.Admin.Listen + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		for _, w := range want {
			if err != nil || !bytes.Contains(text, []byte(w)) {
				t.Errorf("%s does not say %q, %v", path, w, err)
			}
		}
	}
}
