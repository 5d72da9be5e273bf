package vip

import (
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/vrrp"
)

const (
	// lookAgain is how often an interface that is not usable is looked at, and
	// whether the addresses are still where they should be.
	lookAgain = time.Second
	// probeTime is how long somebody may take to say that an address is his.
	probeTime = 200 * time.Millisecond
	// settled: what others claim just after a takeover is from before it.
	settled = time.Second
)

// announceAt is when addresses are announced after a takeover: often at first,
// since one frame may be lost, and later for hosts that ignore a change of what
// they have just learnt (Linux: a second). After that once a minute.
var announceAt = []time.Duration{50 * time.Millisecond, 200 * time.Millisecond, 1100 * time.Millisecond, 2500 * time.Millisecond,
	5 * time.Second}

const announceEvery = time.Minute

// router is one virtual router: a goroutine that owns all of its state.
type router struct {
	log    *slog.Logger
	output *os.File // of the guard
	conf   config.VIP
	counts Counts
	view   atomic.Pointer[View]
	ops    chan func()
	ended  chan struct{}
	over   bool
	// jobs are what may wait for the kernel; their results come back here.
	jobs    chan func() func()
	results chan func()
	looking bool
	holds   bool // the addresses are on the interface

	place    place
	socket   *socket
	segment  *segment
	adverts  chan heard
	claims   chan claim
	machine  vrrp.Machine
	fitness  *fitness
	guard    *watched
	guardAt  time.Time // when another guard may be started
	patience time.Duration
	beaten   time.Time // when the guard last got a heartbeat
	paused   bool
	inherit  bool

	fault      string // why it does not take part
	looked     time.Time
	met        bool // another router was heard, or this one has been active: no probe is needed
	probing    time.Time
	tookAt     time.Time
	announced  int
	announceAt time.Time
	postponed  int
	conflict   claim
	conflictAt time.Time
}

func (s *Set) startRouter(v config.VIP, inherit bool) *router {
	r := &router{
		output: s.output, log: s.log.With("vrid", v.VRID, "interface", v.Interface), conf: v, ops: make(chan func()), ended: make(chan struct{}),
		adverts: make(chan heard, 32), claims: make(chan claim, 32), fitness: watchFitness(s.fit, v.Way), inherit: inherit,
		patience: patience(v.Advert.Std()), machine: vrrp.New(vrrp.Config{}, time.Now()),
		// Room for all that can be asked while one of them waits.
		jobs: make(chan func() func(), 64), results: make(chan func(), 64),
	}
	go r.work()
	if !inherit {
		r.leftOver()
	}
	at, err := locate(v)
	r.open(time.Now(), at, err)
	r.show()
	go r.run()
	return r
}

// leftOver removes addresses that an earlier process could not remove.
func (r *router) leftOver() {
	there, err := takeOff(r.conf.Prefixes())
	if err != nil {
		r.log.Error("addresses that may be left over were not removed", "error", err)
	} else if len(there) > 0 {
		r.log.Warn("addresses that an earlier process left were removed", "addresses", there)
	}
}

// op runs f in the router's goroutine.
func (r *router) op(f func()) {
	done := make(chan struct{})
	select {
	case r.ops <- func() { f(); close(done) }:
		<-done
	case <-r.ended:
	}
}

func (r *router) stop(why string) {
	r.op(func() {
		r.do(r.machine.Stop(time.Now(), why))
		r.over = true
	})
	<-r.ended
}

func (r *router) pause() (active bool) {
	r.op(func() {
		r.paused = true
		active = r.active()
	})
	return active
}

func (r *router) resume() { r.op(func() { r.paused = false }) }

func (r *router) letGo() {
	r.op(func() { r.over = true })
	<-r.ended
}

// reconfigure takes into use what may change while the router goes on.
func (r *router) reconfigure(v config.VIP) {
	r.op(func() {
		old := r.conf
		r.conf, r.patience = v, patience(v.Advert.Std())
		r.fitness.use(v.Way)
		if r.socket == nil || slices.Equal(old.Peers, v.Peers) && old.Priority == v.Priority && old.Preempt == v.Preempt &&
			old.Advert == v.Advert && old.Source == v.Source && old.Checksum == v.Checksum {
			return
		}
		// The sockets are opened anew, and the router stays what it is.
		at, err := locate(v)
		if err != nil {
			r.fail(err.Error())
			return
		}
		if err := r.listen(at); err != nil {
			r.fail(err.Error())
			return
		}
		r.do(r.machine.Reconfigure(time.Now(), r.config()))
		r.hold()
	})
}

func (r *router) config() vrrp.Config {
	return vrrp.Config{
		VRID: uint8(r.conf.VRID), Priority: uint8(r.conf.Priority), Preempt: r.conf.Preempt, Interval: r.conf.Advert.Std(),
		Local: r.place.local, Addresses: plain(r.conf.Prefixes()),
	}
}

// open begins to take part, if the interface is usable.
func (r *router) open(now time.Time, at place, err error) {
	r.looked = now
	if err == nil {
		err = r.listen(at)
	}
	if err != nil {
		r.fail(err.Error())
		return
	}
	if r.fault != "" {
		r.log.Info("the virtual router takes part again")
	}
	r.fault, r.probing = "", time.Time{}
	fit, why := r.fitness.now()
	r.machine = vrrp.New(r.config(), now)
	if r.inherit {
		r.inherit, r.met = false, true
		r.do(r.machine.Inherit(now, fit))
		return
	}
	r.log.Info("the virtual router takes part", "source", at.local, "priority", r.conf.Priority, "fit", fit, "why", why)
	r.do(r.machine.Start(now, fit))
}

// listen opens the sockets and closes the old ones.
func (r *router) listen(at place) error {
	s, err := openSocket(at.iface.Index, r.conf, at.local)
	if err != nil {
		return err
	}
	g, err := openSegment(at.iface, at.local.Is6())
	if err != nil {
		s.close()
		return err
	}
	r.close()
	r.place, r.socket, r.segment = at, s, g
	f := &filter{vrid: uint8(r.conf.VRID), local: at.local, peers: addresses(r.conf.Peers), expect: r.conf.Advert.Std(),
		buckets: map[netip.Addr]*bucket{}, drops: &r.counts.Dropped}
	go hear(s, f, r.adverts, &r.counts)
	go watch(g, r.claims)
	return nil
}

func (r *router) close() {
	if r.socket != nil {
		r.socket.close()
		r.segment.close()
	}
	r.socket, r.segment = nil, nil
}

// hear passes on the adverts that count, until the socket is closed.
func hear(s *socket, f *filter, to chan<- heard, counts *Counts) {
	b := make([]byte, 2048)
	for {
		p, err := s.receive(b)
		if err != nil {
			if isClosed(err) {
				return
			}
			time.Sleep(10 * time.Millisecond) // the interface went down
			continue
		}
		h, counted := f.accept(p, time.Now())
		if !counted {
			continue
		}
		select {
		case to <- h:
			counts.Received.Add(1)
		default:
			counts.Dropped[Flood].Add(1)
		}
	}
}

func watch(g *segment, to chan<- claim) {
	b := make([]byte, 256)
	for {
		c, err := g.receive(b)
		if err != nil {
			if isClosed(err) {
				return
			}
			time.Sleep(10 * time.Millisecond)
			continue
		}
		select {
		case to <- c:
		default:
		}
	}
}

// fail leaves the virtual router until the interface is usable again.
func (r *router) fail(why string) {
	if r.fault != why {
		r.log.Warn("the virtual router does not take part", "reason", why)
	}
	r.fault = why
	r.do(r.machine.Stop(time.Now(), why))
	r.close()
}

// show makes the state visible.
func (r *router) show() {
	state, since, reason := r.machine.State()
	if r.fault != "" {
		reason = r.fault
	}
	fit, unfit := r.fitness.now()
	v := View{
		Interface: r.conf.Interface, VRID: r.conf.VRID, Addresses: r.conf.Addresses, State: state.String(), Since: since, Reason: reason,
		Priority: int(r.machine.Priority()), Interval: r.conf.Advert.Std(), Fit: fit, Unfit: unfit, Local: r.place.local,
		Guarded: r.guard != nil, Counts: &r.counts,
	}
	v.Peer, v.PeerHeard = r.machine.Peer()
	if state == vrrp.Active && time.Since(r.conflictAt) < announceEvery && r.conflictAt.Sub(r.tookAt) > settled {
		v.Conflict = r.conflict.address.String() + " is also at " + r.conflict.mac
	}
	r.view.Store(&v)
}
