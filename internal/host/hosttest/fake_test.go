package hosttest_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"reflect"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/host/hosttest"
)

func TestCommands(t *testing.T) {
	f, ctx := hosttest.New("cp1"), t.Context()
	f.Reply("active\n", "systemctl", "is-active")
	f.Exit(3, "inactive\n", "systemctl", "is-active", "etcd")
	f.Handle(func(_ context.Context, c host.Cmd, stdin []byte) (host.Result, error) {
		f.Put("/etc/made", string(stdin)) // a handler may use the Fake
		return host.Result{}, nil
	}, "make")

	if res, err := f.Run(ctx, host.Cmd{Args: []string{"systemctl", "is-active", "kubelet"}}); err != nil || string(res.Stdout) != "active\n" {
		t.Errorf("%q, %v", res.Stdout, err)
	}
	var exit *host.ExitError
	if _, err := f.Run(ctx, host.Cmd{Args: []string{"systemctl", "is-active", "etcd"}}); !errors.As(err, &exit) || exit.Code != 3 {
		t.Errorf("the longest prefix must win: %v", err)
	}
	if _, err := f.Run(ctx, host.Cmd{Args: []string{"make"}, Stdin: strings.NewReader("x")}); err != nil {
		t.Error(err)
	}
	if b, err := f.ReadFile(ctx, "/etc/made"); err != nil || string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := f.Run(ctx, host.Cmd{Args: []string{"other"}}); err == nil || !strings.Contains(err.Error(), "no reply is scripted") {
		t.Error(err)
	}
	if got, want := f.Ran(), []string{"systemctl is-active kubelet", "systemctl is-active etcd", "make", "other"}; !reflect.DeepEqual(got,
		want) {
		t.Errorf("ran %q", got)
	}
	if c := f.Calls()[2]; c.String() != "Run make" || string(c.Stdin) != "x" || c.Err != nil {
		t.Errorf("%+v", c)
	}
}

func TestScripts(t *testing.T) {
	f := hosttest.New("cp1")
	f.Handle(func(_ context.Context, _ host.Cmd, stdin []byte) (host.Result, error) {
		return hosttest.Framed(stdin, "state", "active\n", "none", "")
	}, "sh")
	a, err := host.Ask(t.Context(), f, host.Script{What: "look", Text: "frame state; systemctl is-active etcd; frame none; frame_end"})
	if err != nil || a.Text("state") != "active" || len(a.Names()) != 2 {
		t.Errorf("%q, %v", a.Names(), err)
	}
	f.Reply("active\n", "sh")
	if _, err := host.Ask(t.Context(), f, host.Script{What: "look"}); err == nil ||
		!strings.Contains(err.Error(), "cp1: look: the answer is missing") {
		t.Error(err)
	}
	if _, err := hosttest.Framed([]byte("echo")); err == nil {
		t.Error("no script, yet an answer")
	}
}

func TestFiles(t *testing.T) {
	f, ctx := hosttest.New("cp1"), t.Context()
	if _, err := f.ReadFile(ctx, "/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	f.Put("/a", "old")
	f.Put("/b", "same")
	kept, err := f.WriteFiles(ctx, []host.File{{Path: "/a", Content: []byte("new")}, {Path: "/b", Content: []byte("same"), Mode: 0o600},
		{Path: "/c"}})
	if want := []string{hosttest.KeptAt + "/a", "", ""}; err != nil || !reflect.DeepEqual(kept, want) {
		t.Errorf("kept %q, %v", kept, err)
	}
	if k, ok := f.File(kept[0]); !ok || string(k.Content) != "old" {
		t.Errorf("%+v", k)
	}
	if b, _ := f.File("/b"); b.Mode != 0o600 || b.Owner != "root:root" {
		t.Errorf("%+v", b)
	}
}

func TestFaults(t *testing.T) {
	f, ctx := hosttest.New("cp1"), t.Context()
	write := func(path string) error { _, err := f.WriteFile(ctx, host.File{Path: path}); return err }
	f.FailNth(1, hosttest.Before, nil)
	f.FailNth(2, hosttest.After, errors.New("cut"))
	if err := write("/1"); !errors.Is(err, host.ErrUnreachable) {
		t.Error(err)
	}
	if err := write("/2"); err == nil || err.Error() != "cut" {
		t.Error(err)
	}
	if err := write("/3"); err != nil {
		t.Error(err)
	}
	if got := f.Paths(); !reflect.DeepEqual(got, []string{"/2", "/3"}) {
		t.Errorf("paths %q: before means not done, after means done", got)
	}
	f.Down(nil)
	if err := write("/4"); !errors.Is(err, host.ErrUnreachable) {
		t.Error(err)
	}
	f.Up()
	f.Close()
	if err := write("/4"); err == nil {
		t.Error("closed, yet it works")
	}
}

func TestDial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			io.WriteString(c, "hello")
			c.Close()
		}
	}()
	f := hosttest.New("cp1")
	f.DialTo("tcp", "127.0.0.1:2379", "tcp", l.Addr().String())
	c, err := f.Dial(t.Context(), "tcp", "127.0.0.1:2379")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := f.Dial(t.Context(), "unix", "/run/x"); err == nil {
		t.Error("nobody listens there")
	}
}
