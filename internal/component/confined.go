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
