package component

import (
	"fmt"
	"time"
)

// confined is the hardening of the components that only compute and speak over
// the network. It holds inside a container host as well: no seccomp filters, no
// device or kernel namespaces.
var confined = []string{
	"NoNewPrivileges=yes",
	"CapabilityBoundingSet=",
	"ProtectSystem=full",
	"ProtectHome=yes",
	"PrivateTmp=yes",
}

// A connection to the API without data is pinged after pingAfter, and given up
// when the answer takes longer than pingTimeout.
const pingAfter, pingTimeout = 5 * time.Second, 5 * time.Second

// pings make a client of the API notice that its connection leads to a host that
// is silent: well within the 40 s of a node's lease, which it renews every 10 s.
// The defaults are 30 s and 15 s, longer than that
// (k8s.io/apimachinery/pkg/util/net: readIdleTimeoutSeconds, pingTimeoutSeconds).
var pings = []string{
	fmt.Sprintf("Environment=HTTP2_READ_IDLE_TIMEOUT_SECONDS=%.0f", pingAfter.Seconds()),
	fmt.Sprintf("Environment=HTTP2_PING_TIMEOUT_SECONDS=%.0f", pingTimeout.Seconds()),
}
