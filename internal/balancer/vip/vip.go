// Package vip holds virtual addresses on this host while its virtual router is
// the active one: VRRP (package vrrp) on sockets, addresses by netlink, their
// announcement by ARP and neighbour discovery, and a watchdog process that takes
// them off when this one is killed or hangs. Whether the host is fit to be the
// active one is asked of the caller. It knows nothing of backends, and works with
// the interface's own hardware address, as keepalived does without use_vmac.
package vip

import (
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/vrrp"
)

// Fitness says whether this host can serve who comes to a virtual address, by
// the way of that name, and why not.
type Fitness func(way string) (fit bool, why string)

// Set is the virtual routers of one process.
type Set struct {
	log *slog.Logger
	fit Fitness
	// output is where guards write what they log.
	output *os.File

	mu  sync.Mutex
	all []*router
}

// New returns a set without virtual routers. Guards log to output.
func New(log *slog.Logger, fit Fitness, output *os.File) *Set {
	return &Set{log: log, fit: fit, output: output}
}

// Apply takes a configuration into use. A router whose interface, number or
// addresses changed gives up in order and begins anew; others go on. Those of
// held have their addresses here already, from a process that this one replaces.
func (s *Set) Apply(all []config.VIP, held []config.VIP) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.all
	s.all = nil
	var gone []*router
	for _, r := range old {
		if !slices.ContainsFunc(all, func(v config.VIP) bool { return v.SameRouter(r.conf) }) {
			gone = append(gone, r)
		}
	}
	stop(gone, "it left the configuration") // first: an address may move to another router
	for _, h := range held {
		if !slices.ContainsFunc(all, h.SameRouter) {
			if _, err := TakeOff([]config.VIP{h}); err != nil {
				s.log.Error("an address that the process before had was not removed", "error", err)
			}
		}
	}
	for _, v := range all {
		at := slices.IndexFunc(old, func(r *router) bool { return v.SameRouter(r.conf) })
		if at >= 0 {
			old[at].reconfigure(v)
			s.all = append(s.all, old[at])
			continue
		}
		s.all = append(s.all, s.startRouter(v, slices.ContainsFunc(held, v.SameRouter)))
	}
}

// Stop gives all addresses up in order, and returns when that is done.
func (s *Set) Stop(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stop(s.all, why)
	s.all = nil
}

func stop(all []*router, why string) {
	var stopping sync.WaitGroup
	for _, r := range all {
		stopping.Go(func() { r.stop(why) })
	}
	stopping.Wait()
}

// Pause stands still for a process that replaces this one, and returns which of
// the routers hold their addresses. Then call LetGo, or Resume.
func (s *Set) Pause() (held []config.VIP) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.all {
		if r.pause() {
			held = append(held, r.conf)
		}
	}
	return held
}

// Resume goes on after Pause.
func (s *Set) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.all {
		r.resume()
	}
}

// LetGo ends all routers and leaves the addresses where they are.
func (s *Set) LetGo() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.all {
		r.letGo()
	}
	s.all = nil
}

// View is one virtual router as people and metrics see it.
type View struct {
	Interface string
	VRID      int
	Addresses []string
	State     string // active, backup, off
	Since     time.Time
	Reason    string // why it is in this state
	Priority  int    // that it has now
	Interval  time.Duration
	Fit       bool
	Unfit     string     // why it is not fit
	Peer      netip.Addr // who is active, if that is another one
	PeerHeard time.Time
	Local     netip.Addr
	Guarded   bool   // the watchdog process is there
	Conflict  string // who else answers for an address that is here
	Counts    *Counts
}

// States are those that a View tells.
var States = []string{vrrp.Initialize.String(), vrrp.Backup.String(), vrrp.Active.String()}

// Active says that it holds its addresses.
func (v View) Active() bool { return v.State == vrrp.Active.String() }

// Counts of one virtual router. They only grow.
type Counts struct {
	Sent, Received, SendFailed atomic.Int64
	Transitions                atomic.Int64 // changes of the state
	Lost                       atomic.Int64 // times that this process was away, or its guard acted
	Restored                   atomic.Int64 // addresses that somebody else had removed
	Conflicts                  atomic.Int64 // claims of others for an address that is here
	OtherAddresses             atomic.Int64 // adverts that name other addresses than this host's file
	Dropped                    [NumDrops]atomic.Int64
}

// View returns what is now.
func (s *Set) View() (out []View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.all {
		out = append(out, *r.view.Load())
	}
	return out
}
