package vip

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// GuardFlag is the argument with which the program becomes a guard. Its
// connection is descriptor GuardFD.
const (
	GuardFlag = "-guard"
	GuardFD   = 3
)

// watched is this process as its guard sees it.
type watched struct {
	cmd   *exec.Cmd
	conn  net.Conn
	fired chan struct{} // the guard has taken the addresses off
	gone  chan struct{} // closed when the guard has ended
}

// startGuard starts a guard: this program, from the same file also when that was
// replaced meanwhile.
func startGuard(output *os.File) (*watched, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("a connection for the guard: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "guard"), os.NewFile(uintptr(pair[1]), "watched")
	defer ours.Close()
	defer theirs.Close()
	w := &watched{fired: make(chan struct{}, 1), gone: make(chan struct{})}
	if w.conn, err = net.FileConn(ours); err != nil {
		return nil, fmt.Errorf("a connection for the guard: %w", err)
	}
	w.cmd = exec.Command("/proc/self/exe", GuardFlag)
	w.cmd.Stderr, w.cmd.ExtraFiles = output, []*os.File{theirs}
	w.cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "NOTIFY_SOCKET=")
	if err := w.cmd.Start(); err != nil {
		w.conn.Close()
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	go w.listen()
	return w, nil
}

func (w *watched) listen() {
	b := make([]byte, 64)
	for {
		n, err := w.conn.Read(b)
		if err != nil {
			break
		}
		if n > 0 {
			select {
			case w.fired <- struct{}{}:
			default:
			}
		}
	}
	_ = w.cmd.Wait()
	close(w.gone)
}

// tell writes without waiting: a guard that does not read hangs, and is ended.
func (w *watched) tell(text []byte) error {
	_ = w.conn.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	_, err := w.conn.Write(text)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		_ = w.cmd.Process.Kill()
	}
	return err
}

func (w *watched) beat() error { return w.tell([]byte{'\n'}) }

func (w *watched) order(o order) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return w.tell(append(text, '\n'))
}

// dismiss ends the guard, which takes nothing off.
func (w *watched) dismiss() {
	_ = w.order(order{Free: true})
	w.conn.Close()
}
