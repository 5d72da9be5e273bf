package goal

import (
	"fmt"
	"net"
	"strings"
)

// Servers are the API servers that belong behind the endpoint, as name address:port.
func (g *Goal) Servers() (out []string) {
	for _, id := range g.IDs() {
		if n := g.Hosts[id].Node; n.ControlPlane {
			out = append(out, n.Name+" "+net.JoinHostPort(n.Address, g.Layout.APIServer.Port))
		}
	}
	return out
}

// OutsideNeeds says how a load balancer of somebody else must be set up.
func (g *Goal) OutsideNeeds() string {
	return fmt.Sprintf("it must lead by TCP, without ending TLS, to %s; check each by HTTPS GET /readyz (200) every second or two, and "+
		"leave out one that fails twice; close connections to a server that is gone; and cut none that is idle for less than 10 minutes",
		strings.Join(g.Servers(), ", "))
}
