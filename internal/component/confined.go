package component

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

// pings make a client of the API notice within 10 s that its connection leads to
// a host that is silent: well within the 40 s of a node's lease, which it renews
// every 10 s. The defaults are 30 s and 15 s, longer than that
// (k8s.io/apimachinery/pkg/util/net: readIdleTimeoutSeconds, pingTimeoutSeconds).
var pings = []string{
	"Environment=HTTP2_READ_IDLE_TIMEOUT_SECONDS=5",
	"Environment=HTTP2_PING_TIMEOUT_SECONDS=5",
}
