package step

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// The sockets of a process become another user's, so that this one may listen on
// the same addresses; what belongs to it already is left alone.
func TestGiveSockets(t *testing.T) {
	nobody, err := user.Lookup("nobody")
	if err != nil || os.Getuid() != 0 {
		t.Skip("not root, or there is no nobody")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	owner := func() (uid uint32) {
		raw, err := listener.(*net.TCPListener).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var st syscall.Stat_t
		if err := raw.Control(func(fd uintptr) { err = syscall.Fstat(int(fd), &st) }); err != nil {
			t.Fatal(err)
		}
		return st.Uid
	}
	bin := t.TempDir()
	systemctl := "#!/bin/sh\n[ \"$*\" = 'show -p MainPID --value old.service' ] && echo " + strconv.Itoa(os.Getpid()) + "\n"
	if err := os.WriteFile(filepath.Join(bin, "systemctl"), []byte(systemctl), 0o755); err != nil {
		t.Fatal(err)
	}
	give := func(to string) {
		t.Helper()
		cmd := exec.Command("sh", "-euc", giveSockets, "sh", "old.service", to)
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if give("root"); owner() != 0 {
		t.Errorf("the socket is of %d", owner())
	}
	if give("nobody"); strconv.Itoa(int(owner())) != nobody.Uid {
		t.Errorf("the socket is of %d, not of nobody (%s)", owner(), nobody.Uid)
	}
}
