package host

import (
	"io"
	"net"
	"sync/atomic"
)

// netConn gives a stream what net.Conn wants of it: deadlines, which SSH
// channels lack, and addresses. The near end is a net.Pipe; two copiers join
// its far end with the stream.
type netConn struct {
	net.Conn
	addr  hostAddr
	cause atomic.Pointer[readError] // why the stream ended, if not by its end
}

func newNetConn(stream io.ReadWriteCloser, network, addr string) net.Conn {
	near, far := net.Pipe()
	c := &netConn{Conn: near, addr: hostAddr{network, addr}}
	go func() {
		_, err := io.Copy(plainWriter{far}, readErrors{stream})
		if bad, ok := err.(readError); ok {
			c.cause.Store(&bad)
		}
		far.Close()
	}()
	go func() {
		io.Copy(plainWriter{stream}, far)
		stream.Close()
		far.Close()
	}()
	return c
}

func (c *netConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF {
		if bad := c.cause.Load(); bad != nil {
			err = bad.error
		}
	}
	return n, err
}

func (c *netConn) LocalAddr() net.Addr  { return c.addr }
func (c *netConn) RemoteAddr() net.Addr { return c.addr }

// hostAddr is an address as the host sees it.
type hostAddr struct{ network, addr string }

func (a hostAddr) Network() string { return a.network }
func (a hostAddr) String() string  { return a.addr }

// plainWriter hides other methods, so that io.Copy only reads and writes.
type plainWriter struct{ io.Writer }
