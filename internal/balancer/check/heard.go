package check

import (
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// conns are the open connections of one asker.
type conns struct {
	mu  sync.Mutex
	all map[net.Conn]bool
}

func (s *conns) add(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[net.Conn]bool{}
	}
	s.all[c] = true
}

func (s *conns) remove(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, c)
}

// heard is when the kernel last got an acknowledgement, and data, over one of
// them. So what this process has not had time to read counts, too.
func (s *conns) heard(now time.Time) (host, server time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.all {
		raw, is := c.(syscall.Conn)
		if !is {
			continue
		}
		info, err := tcpInfo(raw)
		if err != nil {
			continue
		}
		if at := now.Add(-ms(info.Last_ack_recv)); at.After(host) {
			host = at
		}
		// Of a connection without data the kernel tells when it was made.
		if at := now.Add(-ms(info.Last_data_recv)); info.Bytes_received > 0 && at.After(server) {
			server = at
		}
	}
	return host, server
}

func ms(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

func tcpInfo(c syscall.Conn) (info *unix.TCPInfo, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	if cerr := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); cerr != nil {
		return nil, cerr
	}
	return info, err
}
