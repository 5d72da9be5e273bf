// Package e2e tests quorate from outside: the program as users run it, on lab
// hosts, with assertions on what other programs see (systemctl, etcdctl,
// kubectl, a TLS handshake). It needs root and systemd-nspawn:
//
//	go test -tags lab -timeout 40m ./test/e2e
//
// With -tags "lab long" it interrupts more often. QUORATE_E2E_KEEP=1 leaves the
// labs of failed tests up; QUORATE_SEED=N repeats a random test. `make soak`
// runs TestSoak, which has a tag of its own.
//
// Nothing here is judged by the clock: what must come about is polled for, with
// deadlines that only a broken cluster reaches.
package e2e
