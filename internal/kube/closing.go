package kube

// closingTable is where a stopping API server refuses new connections.
const closingTable = "inet quorate_apiserver"

// closing stops an API server so that nobody who connects anew notices. What
// arrives on accepted connections once its listener is shut gets 503, so new
// ones must end earlier: half a second before shutdown-delay-duration is over,
// they are refused, and every front door goes elsewhere at once. Until then
// they are served, for kube-proxy's sake (see shutdown-delay-duration). The
// rule goes when the server has stopped, and before it starts.
//
// The main process gets its signal here: a second one would end it at once
// (k8s.io/apiserver/pkg/server: SetupSignalHandler). So this waits for its end.
var closing = []string{
	"ExecStartPre=+" + reopen,
	`ExecStop=+/bin/sh -c 'kill -TERM ${MAINPID} && sleep 2.5 && nft "add table ` + closingTable + `; ` +
		`add chain ` + closingTable + ` closing { type filter hook input priority -10; }; ` +
		`add rule ` + closingTable + ` closing tcp dport ` + APIServerPort + ` tcp flags & (syn | ack) == syn reject with tcp reset"; ` +
		`while kill -0 ${MAINPID}; do sleep 0.1; done 2>/dev/null || :'`,
	"ExecStopPost=+" + reopen,
}

const reopen = `/bin/sh -c 'nft delete table ` + closingTable + ` 2>/dev/null || :'`
