package component

import (
	"time"

	"quorate.dev/quorate/internal/balancer/config"
)

// highestPriority is that of the first host of the file that may hold the virtual
// address; 255 would be the owner's of the address.
const highestPriority = 200

// lowestPriority: below 16 are hosts without a way to an API server.
const lowestPriority = 16

// vrrpPart is Self's priority, and the others that it speaks to; none by multicast.
func (c Context) vrrpPart() (priority int, peers []string) {
	for i, n := range c.Holders() {
		if n.Name == c.Self.Name {
			priority = max(highestPriority-i, lowestPriority)
		} else if !c.Spec.LoadBalancer.VIP.Multicast {
			peers = append(peers, n.Address)
		}
	}
	return priority, peers
}

// virtualRouter is quorate-lb's part in the virtual address. It has the same number
// and speaks the same version as Keepalived, so that one can take over from the
// other host by host.
func virtualRouter(ctx Context) []config.VIP {
	if !ctx.Holds() {
		return nil
	}
	vip := ctx.Spec.LoadBalancer.VIP
	priority, peers := ctx.vrrpPart()
	return []config.VIP{{
		Interface: ctx.vipInterface(), VRID: vip.VRID, Addresses: []string{vip.Prefix().String()}, Priority: priority, Preempt: vip.Preempt,
		Advert: config.Duration(time.Duration(vip.AdvertMilliseconds) * time.Millisecond), Source: ctx.Self.Address, Peers: peers, Way: DoorWay,
	}}
}

// capabilities are those that holding an address takes: to set it, and to speak
// VRRP and ARP.
func capabilities(ctx Context) []string {
	if !ctx.Holds() {
		return nil
	}
	return []string{"CAP_NET_ADMIN", "CAP_NET_RAW"}
}

// holding are more lines of its unit. The address goes when the process ends,
// however that ends.
func holding(ctx Context, program string) []string {
	if !ctx.Holds() {
		return nil
	}
	return []string{"RestrictAddressFamilies=AF_PACKET", "ExecStopPost=-" + program + " -config " + ctx.Layout.Balancer.Config + " -takeoff"}
}
