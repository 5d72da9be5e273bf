package vip_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/vip"
	"quorate.dev/quorate/internal/balancer/viptest"
)

// TestMain lets the test program be a balancer that has virtual addresses and
// nothing else, and its guard.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == vip.GuardFlag:
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
		if err := vip.Guard(slog.New(slog.NewTextHandler(os.Stderr, nil)), os.NewFile(vip.GuardFD, "watched")); err != nil {
			os.Exit(1)
		}
	case os.Getenv("QUORATE_VIP_TEST") != "":
		holder(os.Getenv("QUORATE_VIP_TEST"))
	default:
		os.Exit(m.Run())
	}
}

// holder is fit unless the file beside its configuration says otherwise, and
// keeps its view in another one.
func holder(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	var v config.VIP
	if err := json.Unmarshal(text, &v); err != nil {
		panic(err)
	}
	s := vip.New(slog.New(slog.NewTextHandler(os.Stderr, nil)), func(string) (bool, string) {
		_, err := os.Stat(path + ".unfit")
		return err != nil, "the test says so"
	}, os.Stderr)
	s.Apply([]config.VIP{v}, nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	for {
		select {
		case <-signals:
			s.Stop("told to")
			return
		case <-time.After(20 * time.Millisecond):
			if text, err := json.Marshal(s.View()[0]); err == nil {
				_ = os.WriteFile(path+".new", text, 0o600)
				_ = os.Rename(path+".new", path+".view")
			}
		}
	}
}

// bed is a network with routers on it.
type bed struct {
	*viptest.Net
	t   *testing.T
	dir string
}

func newBed(t *testing.T, hosts int) *bed {
	if why := viptest.Missing(); why != "" {
		t.Skip(why)
	}
	n, err := viptest.New(hosts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bed{n, t, t.TempDir()}
}

// vip is a configuration for one of the first two hosts. The intervals of these
// tests are long, for the machine may be busy.
func (b *bed) vip(i, priority int) config.VIP {
	return config.VIP{
		Interface: viptest.Interface, VRID: 51, Addresses: []string{viptest.VIP4}, Priority: priority, Preempt: true,
		Advert: config.Duration(200 * time.Millisecond), Source: b.Address(i).String(), Peers: []string{b.Address(1 - i).String()},
		Checksum: config.KeepalivedChecksum, Way: "api",
	}
}

// router is a program on a host.
type router struct {
	b    *bed
	host int
	cmd  *exec.Cmd
	path string
	log  *output
	once sync.Once
}

type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func (b *bed) start(i int, v config.VIP) *router {
	path := filepath.Join(b.dir, fmt.Sprint("router", i))
	text, err := json.Marshal(v)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.t.Fatal(err)
	}
	_ = os.Remove(path + ".view")
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := b.Command(i, self)
	cmd.Env = append(os.Environ(), "QUORATE_VIP_TEST="+path)
	return b.run(i, cmd, path)
}

func (b *bed) keepalived(i int, v config.VIP) *router {
	if !viptest.HasKeepalived() {
		b.t.Skip("there is no keepalived")
	}
	cmd, err := b.Keepalived(i, v, b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.run(i, cmd, "")
}

func (b *bed) run(i int, cmd *exec.Cmd, path string) *router {
	r := &router{b: b, host: i, cmd: cmd, path: path, log: &output{}}
	cmd.Stdout, cmd.Stderr = r.log, r.log
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		r.end(syscall.SIGKILL)
		if b.t.Failed() {
			b.t.Logf("host %d:\n%s", i, r.log)
		}
	})
	return r
}

func (r *router) signal(s syscall.Signal) { _ = r.cmd.Process.Signal(s) }

// end ends it and waits until it has.
func (r *router) end(s syscall.Signal) {
	r.once.Do(func() {
		r.signal(s)
		if s != syscall.SIGKILL {
			r.signal(syscall.SIGCONT)
		}
		_ = r.cmd.Wait()
	})
}

func (r *router) view() (v vip.View) {
	if text, err := os.ReadFile(r.path + ".view"); err == nil {
		_ = json.Unmarshal(text, &v)
	}
	return v
}

// until waits for what must come; how long it takes is not judged here. The turns
// are counted and not the time, so that a machine that stands still now and then
// gets as many.
func (b *bed) until(what string, f func() bool) {
	b.t.Helper()
	for range 1000 {
		if f() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.t.Fatalf("not within 20 s: %s", what)
}

// holds waits until exactly one of the hosts 0 and 1 has the address.
func (b *bed) holds(i int, address string) {
	b.t.Helper()
	b.until(fmt.Sprintf("%s on host %d and not on %d", address, i, 1-i), func() bool { return b.Has(i, address) && !b.Has(1-i, address) })
}

func (b *bed) ping() *viptest.Pinger {
	p, err := b.Ping(2, viptest.VIP4, 20*time.Millisecond)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(p.Close)
	return p
}

// answers waits until a third host gets answers to what it asks from now on: it
// has learnt where the address is.
func (b *bed) answers(p *viptest.Pinger) {
	b.t.Helper()
	if p.Answering(time.Now(), 20*time.Second).IsZero() {
		b.t.Fatal("the address does not answer")
	}
}
