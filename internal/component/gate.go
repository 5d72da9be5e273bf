package component

// refusal is the nftables table by which an API server that is not ready
// refuses who connects anew, so that front doors, which cannot check it, go
// elsewhere at once; connections that stand go on, and so does what asks on
// loopback, as the API server itself does.
const refusal = "inet quorate_apiserver"

// refuse and admit shut and open the port to new connections.
func refuse(port string) string {
	return `nft "add table ` + refusal + `; flush table ` + refusal + `; ` +
		`add chain ` + refusal + ` new { type filter hook input priority -10; }; ` +
		`add rule ` + refusal + ` new ip daddr 127.0.0.0/8 accept; ` +
		`add rule ` + refusal + ` new ip6 daddr ::1 accept; ` +
		`add rule ` + refusal + ` new tcp dport ` + port + ` tcp flags & (syn | ack) == syn reject with tcp reset"`
}

const admit = `nft delete table ` + refusal + ` 2>/dev/null`

// onlyReady starts and stops an API server so that no new connection meets it
// while it is not ready.
//
// Starting, it listens seconds before it answers: who connects would wait.
//
// Stopping, requests on connections accepted just before its listener is shut
// get 503. So new ones end half a second before shutdown-delay-duration is
// over; until then they are served, for kube-proxy's sake (see there). The main
// process gets its signal here, and is waited for: a second one would end it at
// once (k8s.io/apiserver/pkg/server: SetupSignalHandler).
//
// No failure of this stands in the way of the API server.
func onlyReady(port string) []string {
	return []string{
		"ExecStartPre=+-/bin/sh -c '" + refuse(port) + "'",
		`ExecStartPost=+-/bin/sh -c 'for i in $$(seq 150); do curl -skf -m 2 -o /dev/null https://127.0.0.1:` + port +
			`/readyz && break; sleep 0.2; done; ` + admit + ` || :'`,
		`ExecStop=+-/bin/sh -c 'kill -TERM ${MAINPID} && sleep 2.5 && ` + refuse(port) +
			`; while kill -0 ${MAINPID}; do sleep 0.1; done 2>/dev/null'`,
		"ExecStopPost=+-/bin/sh -c '" + admit + " || :'",
	}
}
