package vip

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/vishvananda/netlink"

	"quorate.dev/quorate/internal/balancer/vrrp"
)

func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) }

// run is the router's goroutine.
func (r *router) run() {
	defer close(r.ended)
	links, done := make(chan netlink.LinkUpdate, 16), make(chan struct{})
	defer close(done)
	if err := netlink.LinkSubscribe(links, done); err != nil {
		r.log.Warn("changes of interfaces are not told, so they are looked for once a second", "error", err)
		links = nil
	}
	defer r.end()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !r.over {
		var fired, gone <-chan struct{}
		if r.guard != nil {
			fired, gone = r.guard.fired, r.guard.gone
		}
		var what func()
		select {
		case <-timer.C:
			what = func() {}
		case h := <-r.adverts:
			what = func() { r.heard(h) }
		case c := <-r.claims:
			what = func() { r.claimed(c) }
		case u, open := <-links:
			if !open {
				links = nil
			}
			what = func() { r.linkChanged(u) }
		case <-r.fitness.changed:
			what = func() {}
		case <-fired:
			what = func() { r.lost("its guard has taken the addresses off") }
		case <-gone:
			what = func() { r.guard = nil }
		case what = <-r.ops:
		case what = <-r.results:
		}
		r.beat()
		what()
		r.tick(time.Now())
		r.show()
		timer.Reset(max(0, time.Until(r.next())))
	}
}

// end leaves nothing behind but what LetGo wants to stay.
func (r *router) end() {
	close(r.jobs)
	for range r.results { // until the last address is off
	}
	r.close()
	r.fitness.stop()
	if r.guard != nil {
		r.guard.dismiss()
	}
}

// beat tells the guard that this process works. One that was away for so long
// that the guard has acted, or others have, must not go on as if nothing was.
func (r *router) beat() {
	now := time.Now()
	if r.active() && !r.beaten.IsZero() && now.Sub(r.beaten) > r.patience {
		r.lost(fmt.Sprintf("this process stood still for %d ms", now.Sub(r.beaten).Milliseconds()))
	}
	if r.guard == nil && !now.Before(r.guardAt) {
		var err error
		if r.guard, err = startGuard(r.output); err != nil {
			r.guard, r.guardAt = nil, now.Add(5*time.Second)
			r.log.Error("the guard did not start: were this process killed, its addresses would stay", "error", err)
		} else {
			r.guardAt = now.Add(time.Second)
			r.hold()
		}
	}
	if r.guard != nil && now.Sub(r.beaten) >= r.patience/10 {
		if err := r.guard.beat(); err != nil {
			r.guard.conn.Close()
		}
	}
	if now.Sub(r.beaten) >= r.patience/10 {
		r.beaten = now
	}
}

// hold tells the guard what to take off, if there is something.
func (r *router) hold() {
	if r.guard == nil {
		return
	}
	o := order{Free: true}
	if r.active() {
		o = order{Hold: &duty{VIP: r.conf, Index: r.place.iface.Index, Local: r.place.local, Patience: r.patience.Milliseconds()}}
	}
	if err := r.guard.order(o); err != nil {
		r.guard.conn.Close()
	}
}

func (r *router) lost(why string) {
	if r.paused {
		return // the process that replaces this one looks after the addresses
	}
	if r.active() {
		r.counts.Lost.Add(1)
	}
	r.do(r.machine.Lost(time.Now(), why))
}

func (r *router) heard(h heard) {
	if r.paused {
		return
	}
	r.met = true
	if !slices.Equal(h.advert.Addresses, plain(r.conf.Prefixes())) {
		if r.counts.OtherAddresses.Add(1) == 1 {
			r.log.Warn("another router of this number names other addresses; next: give both the same",
				"from", h.from, "addresses", h.advert.Addresses)
		}
	}
	// Not when it came: after a pause of this process that is long ago, and what
	// came since waits behind it.
	r.postponed = 0
	r.do(r.machine.Heard(time.Now(), h.advert, h.from))
}

// tick does what is due.
func (r *router) tick(now time.Time) {
	if r.paused || r.over {
		return
	}
	if now.Sub(r.looked) >= lookAgain {
		r.look(now)
	}
	if r.fault != "" {
		return
	}
	fit, why := r.fitness.now()
	r.do(r.machine.Fit(now, fit, why))
	state, _, _ := r.machine.State()
	if due := !now.Before(r.machine.Deadline()); due && (state == vrrp.Active || !r.late(now) && r.probed(now)) {
		r.do(r.machine.Tick(now))
	}
	if r.holds && r.active() && !now.Before(r.announceAt) {
		r.announce(now)
	}
}

// late says that this process was away when the silence of the active router was
// to be judged: then adverts may wait to be read, and it listens a little longer.
// Waiting for the answer to a probe is not being away.
func (r *router) late(now time.Time) bool {
	due := r.machine.Deadline()
	if answered := r.probing.Add(probeTime); !r.met && !r.probing.IsZero() && answered.After(due) {
		due = answered
	}
	if now.Sub(due) < r.conf.Advert.Std()/2 || r.postponed >= 3 {
		r.postponed = 0
		return false
	}
	r.postponed++
	r.machine.Postpone(now.Add(r.conf.Advert.Std()))
	return true
}

// probed says that nobody has the addresses, before they are taken for the first
// time without another router having been heard: its adverts may be filtered, or
// the address be somebody's by mistake.
func (r *router) probed(now time.Time) bool {
	switch {
	case r.met:
		return true
	case r.probing.IsZero() || now.Sub(r.probing) > 2*probeTime: // not asked, or this process was away
		r.probing = now
		for _, p := range r.conf.Prefixes() {
			_ = r.segment.ask(p.Addr())
		}
		return false
	}
	select {
	case c := <-r.claims: // it may have come while this process was late
		r.claimed(c)
		return false
	default:
		return now.Sub(r.probing) >= probeTime
	}
}

// claimed: somebody says that an address is his.
func (r *router) claimed(c claim) {
	now := time.Now()
	if r.paused || !slices.Contains(plain(r.conf.Prefixes()), c.address) {
		return
	}
	switch state, _, _ := r.machine.State(); {
	case state == vrrp.Backup && !r.met && !r.probing.IsZero():
		r.probing = time.Time{}
		why := fmt.Sprintf("%s is in use by %s, which sends no advertisements: is protocol 112 filtered, or the address taken?", c.address, c.mac)
		r.log.Warn("the virtual address is not taken", "reason", why)
		r.do(r.machine.Hold(now, why))
	case state == vrrp.Active:
		if r.counts.Conflicts.Add(1); now.Sub(r.conflictAt) > time.Second {
			// Who learnt the wrong one learns the right one again.
			r.announceAt = now
			if now.Sub(r.tookAt) > settled {
				r.log.Warn("somebody else answers for a virtual address that is here", "address", c.address, "at", c.mac)
			}
		}
		r.conflict, r.conflictAt = c, now
	}
}

// do does what the machine says.
func (r *router) do(d vrrp.Do) {
	now := time.Now()
	if d.Change != nil {
		r.counts.Transitions.Add(1)
		r.log.Info("virtual router", "from", d.Change.From.String(), "to", d.Change.To.String(), "reason", d.Change.Reason)
	}
	if d.Take {
		r.hold() // before there is something to take off
	}
	if d.Release {
		r.release()
	}
	for _, priority := range d.Send {
		r.send(priority)
	}
	if d.Take {
		r.tookAt, r.met = now, true
		r.take()
	} else if d.Announce {
		r.announceAt = now
	}
}

func (r *router) send(priority uint8) {
	err := r.socket.send(vrrp.Advert{
		VRID: uint8(r.conf.VRID), Priority: priority, Interval: r.conf.Advert.Std(), Addresses: plain(r.conf.Prefixes()),
	})
	if err != nil {
		if r.counts.SendFailed.Add(1) == 1 {
			r.log.Warn("an advertisement could not be sent", "error", err)
		}
		return
	}
	r.counts.Sent.Add(1)
}

// next is when something is due.
func (r *router) next() time.Time {
	next := r.looked.Add(lookAgain)
	sooner := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	sooner(r.beaten.Add(r.patience / 10))
	if r.paused || r.fault != "" {
		return next
	}
	if d := r.machine.Deadline(); !r.probing.IsZero() && !r.met {
		sooner(r.probing.Add(probeTime))
	} else if !d.IsZero() {
		sooner(d)
	}
	if r.holds && r.active() {
		sooner(r.announceAt)
	}
	return next
}
