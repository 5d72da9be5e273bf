package vip

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/vrrp"
)

// order is what a process tells its guard, a line of JSON each. An empty line is
// a heartbeat.
type order struct {
	Hold *duty `json:"hold,omitempty"` // from now on these addresses may be here
	Free bool  `json:"free,omitempty"` // they are not, or somebody else looks after them
}

// duty is what a guard does when its process is gone or hangs.
type duty struct {
	VIP      config.VIP `json:"vip"`
	Index    int        `json:"index"`
	Local    netip.Addr `json:"local"`
	Patience int64      `json:"patience"` // milliseconds without a heartbeat
}

// patience is how long a process may be away until its guard takes the addresses
// off. Others take over after a little more than three intervals anyway; with
// long intervals that would be late, and with very short ones a busy processor
// would look like a hung process.
func patience(interval time.Duration) time.Duration {
	return min(max(interval*5/2, 150*time.Millisecond), time.Second)
}

// fired is what a guard tells when it has taken the addresses off.
const fired = "fired\n"

// guard is the watchdog process: it does nothing until its process ends without
// a word or is silent for too long, and then takes the addresses off this host
// and tells the other routers.
type guard struct {
	log    *slog.Logger
	conn   net.Conn
	duty   *duty
	socket *socket
}

// Guard runs a watchdog on a connection to the process that it watches, until
// that ends.
func Guard(log *slog.Logger, conn *os.File) error {
	c, err := net.FileConn(conn)
	if err != nil {
		return err
	}
	conn.Close()
	g := &guard{log: log, conn: c}
	defer c.Close()
	buffer, pending := make([]byte, 8192), []byte(nil)
	for {
		n, err := g.read(buffer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			g.fire("it gave no sign of life for " + g.patience().String())
			_, _ = io.WriteString(g.conn, fired)
			continue
		case err != nil:
			g.fire("it is gone")
			return nil
		}
		if pending, err = g.obey(append(pending, buffer[:n]...)); err != nil {
			g.fire(err.Error())
			return err
		}
	}
}

// read waits as long as the process may be silent. When this process itself was
// late, what has come meanwhile counts.
func (g *guard) read(b []byte) (int, error) {
	if g.duty == nil {
		_ = g.conn.SetReadDeadline(time.Time{})
		return g.conn.Read(b)
	}
	_ = g.conn.SetReadDeadline(time.Now().Add(g.patience()))
	n, err := g.conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		_ = g.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		n, err = g.conn.Read(b)
	}
	return n, err
}

func (g *guard) patience() time.Duration { return time.Duration(g.duty.Patience) * time.Millisecond }

// obey follows whole lines and returns the rest.
func (g *guard) obey(text []byte) ([]byte, error) {
	for i := 0; i < len(text); {
		if text[i] != '\n' {
			i++
			continue
		}
		if i > 0 {
			var o order
			if err := json.Unmarshal(text[:i], &o); err != nil {
				return nil, err
			}
			g.follow(o)
		}
		text, i = text[i+1:], 0
	}
	return text, nil
}

func (g *guard) follow(o order) {
	if g.socket != nil {
		g.socket.close()
		g.socket = nil
	}
	if g.duty = o.Hold; g.duty == nil {
		return
	}
	var err error
	if g.socket, err = openSocket(g.duty.Index, g.duty.VIP, g.duty.Local); err != nil {
		g.log.Warn("the guard could not tell other routers", "error", err)
	}
}

// fire takes the addresses off. It tells the others first: they are as quick as
// this host, and what both have for a moment does no harm.
func (g *guard) fire(why string) {
	if g.duty == nil {
		return
	}
	if g.socket != nil {
		v := g.duty.VIP
		_ = g.socket.send(vrrp.Advert{VRID: uint8(v.VRID), Interval: v.Advert.Std(), Addresses: plain(v.Prefixes())})
		g.socket.close()
	}
	there, err := takeOff(g.duty.VIP.Prefixes())
	for range 10 {
		if err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
		_, err = takeOff(g.duty.VIP.Prefixes())
	}
	g.duty, g.socket = nil, nil
	g.log.Warn("the guard took the virtual addresses off, for the process that it watches failed",
		"reason", why, "addresses", there, "error", err)
}

func plain(all []netip.Prefix) (out []netip.Addr) {
	for _, p := range all {
		out = append(out, p.Addr())
	}
	return out
}
