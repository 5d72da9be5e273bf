package viptest

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

// Pinger asks an address all the while and keeps when it answered.
type Pinger struct {
	conn  *icmp.PacketConn
	every time.Duration
	done  chan struct{}
	ended sync.WaitGroup

	mu      sync.Mutex
	sent    []time.Time
	replied []bool
}

// Ping asks an IPv4 address from a host, once in every.
func (n *Net) Ping(from int, address string, every time.Duration) (*Pinger, error) {
	to, err := netip.ParsePrefix(address)
	if err != nil {
		return nil, err
	}
	p := &Pinger{every: every, done: make(chan struct{})}
	if err := n.In(from, func() (err error) {
		p.conn, err = icmp.ListenPacket("ip4:icmp", "0.0.0.0")
		return err
	}); err != nil {
		return nil, err
	}
	p.ended.Go(p.receive)
	p.ended.Go(func() { p.send(&net.IPAddr{IP: to.Addr().AsSlice()}) })
	return p, nil
}

func (p *Pinger) send(to net.Addr) {
	ticks := time.NewTicker(p.every)
	defer ticks.Stop()
	for {
		select {
		case <-p.done:
			p.conn.Close()
			return
		case <-ticks.C:
		}
		p.mu.Lock()
		n := len(p.sent)
		p.sent, p.replied = append(p.sent, time.Now()), append(p.replied, false)
		p.mu.Unlock()
		body := &icmp.Echo{ID: 88, Seq: n & 0xffff, Data: binary.BigEndian.AppendUint64(nil, uint64(n))}
		if b, err := (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: body}).Marshal(nil); err == nil {
			_, _ = p.conn.WriteTo(b, to)
		}
	}
}

func (p *Pinger) receive() {
	b := make([]byte, 256)
	for {
		n, _, err := p.conn.ReadFrom(b)
		if err != nil {
			return
		}
		m, err := icmp.ParseMessage(1, b[:n])
		if err != nil || m.Type != ipv4.ICMPTypeEchoReply {
			continue
		}
		if e, is := m.Body.(*icmp.Echo); is && len(e.Data) == 8 {
			p.mu.Lock()
			if i := binary.BigEndian.Uint64(e.Data); i < uint64(len(p.replied)) {
				p.replied[i] = true
			}
			p.mu.Unlock()
		}
	}
}

// Answered says that the address answered one of the last few questions.
func (p *Pinger) Answered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := max(0, len(p.replied)-20); i < len(p.replied); i++ {
		if p.replied[i] {
			return true
		}
	}
	return false
}

// Answering waits until three questions in a row, all asked after a time, were
// answered, and returns when the first of them was asked. Zero: it took longer
// than most.
func (p *Pinger) Answering(after time.Time, most time.Duration) time.Time {
	for range most / (5 * time.Millisecond) { // turns, and not the time: the machine may stand still
		p.mu.Lock()
		row := 0
		var first time.Time
		for i := range p.sent {
			if !p.sent[i].After(after) {
				continue
			}
			if !p.replied[i] {
				row = 0
				continue
			}
			if row++; row == 1 {
				first = p.sent[i]
			}
			if row == 3 {
				p.mu.Unlock()
				return first
			}
		}
		p.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
	return time.Time{}
}

// Longest is the longest time since then between two questions that were answered,
// and for how long answers have come after it.
func (p *Pinger) Longest(since time.Time) (gap, after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := since
	var end time.Time
	for i, at := range p.sent {
		if p.replied[i] && at.After(since) {
			if at.Sub(last) > gap {
				gap, end = at.Sub(last), at
			}
			last = at
		}
	}
	if end.IsZero() {
		return 0, 0
	}
	return gap, last.Sub(end)
}

// Close stops asking.
func (p *Pinger) Close() {
	close(p.done)
	p.ended.Wait()
}
