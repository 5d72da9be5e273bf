// Package e2e tests quorate from outside: the program as users run it, on lab
// hosts, with assertions on what other programs see (systemctl, etcdctl,
// kubectl, a TLS handshake). It needs root and systemd-nspawn:
//
//	go test -tags lab -timeout 40m ./test/e2e
//
// Nothing here is judged by the clock: what must come about is polled for, with
// deadlines that only a broken cluster reaches.
package e2e
