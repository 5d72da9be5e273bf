package vip

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"

	"quorate.dev/quorate/internal/balancer/vrrp"
)

func (r *router) linkChanged(u netlink.LinkUpdate) {
	if u.Link != nil {
		a := u.Attrs()
		if a.Name != r.conf.Interface && (r.place.iface == nil || a.Index != r.place.iface.Index) {
			return
		}
	}
	r.look(time.Now())
}

// look has the interface and the addresses looked at, in the background: the
// kernel may let a process wait for seconds while others change interfaces, and
// adverts must not.
func (r *router) look(now time.Time) {
	if r.paused || r.looking {
		return
	}
	r.looked, r.looking = now, true
	v := r.conf
	r.background(func() func() {
		at, err := locate(v)
		there, lost := find(v.Prefixes())
		return func() {
			if r.looking = false; r.paused || r.over || !v.SameRouter(r.conf) || v.Source != r.conf.Source {
				return
			}
			r.seen(at, err, lost == nil && len(there) < len(v.Prefixes()))
		}
	})
}

// seen takes part when the interface is usable and leaves when it is not, and
// puts addresses back that somebody removed.
func (r *router) seen(at place, err error, incomplete bool) {
	now := time.Now()
	if r.fault != "" {
		r.open(now, at, err)
		return
	}
	if err == nil && (at.iface.Index != r.place.iface.Index || at.local != r.place.local ||
		at.iface.HardwareAddr.String() != r.place.iface.HardwareAddr.String()) {
		err = fmt.Errorf("%s is another interface, or has another address, than before", r.conf.Interface)
	}
	if err != nil {
		r.fail(err.Error())
		return
	}
	if incomplete && r.holds && r.active() {
		r.counts.Restored.Add(1)
		r.log.Warn("a virtual address was removed by somebody else and is put back")
		r.take()
	}
}

// background does something that may wait, in order, and then in the router's
// goroutine what it returns.
func (r *router) background(f func() func()) { r.jobs <- f }

func (r *router) work() {
	defer close(r.results)
	for f := range r.jobs {
		r.results <- f()
	}
}

func (r *router) active() bool {
	state, _, _ := r.machine.State()
	return state == vrrp.Active
}

// release takes the addresses off.
func (r *router) release() {
	r.holds = false
	all := r.conf.Prefixes()
	r.background(func() func() {
		_, err := takeOff(all)
		return func() {
			if err != nil {
				r.log.Error("the virtual address could not be removed", "error", err)
			}
			if !r.active() {
				r.hold() // the guard need not look after it any more
			}
		}
	})
}

// take puts the addresses on the interface and announces them.
func (r *router) take() {
	all, index := r.conf.Prefixes(), r.place.iface.Index
	r.background(func() func() {
		var failed []error
		for _, p := range all {
			failed = append(failed, put(index, p))
		}
		return func() {
			if err := errors.Join(failed...); err != nil {
				r.log.Error("the virtual address could not be set", "error", err)
			}
			if r.active() && r.segment != nil {
				r.holds, r.announced = true, 0
				r.announce(time.Now())
			}
		}
	})
}

func (r *router) announce(now time.Time) {
	for _, p := range r.conf.Prefixes() {
		if err := r.segment.announce(p.Addr()); err != nil {
			r.log.Warn("a virtual address could not be announced", "error", err)
		}
	}
	r.announceAt = now.Add(announceEvery)
	if r.announced < len(announceAt) {
		r.announceAt = r.tookAt.Add(announceAt[r.announced])
		r.announced++
	}
}
