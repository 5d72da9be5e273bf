package etcd_test

import (
	"strings"
	"testing"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/layout"
)

func TestFence(t *testing.T) {
	got := etcd.Fence(layout.Systemd().Etcd, []string{"fd00::2", "10.0.0.3", "cp9", "10.0.0.2", "10.0.0.3", "::ffff:10.0.0.4"})
	want := `	chain input {
		type filter hook input priority -10;
		ip saddr 10.0.0.2 tcp dport { 2379, 2380 } reject with tcp reset
		ip saddr 10.0.0.3 tcp dport { 2379, 2380 } reject with tcp reset
		ip saddr 10.0.0.4 tcp dport { 2379, 2380 } reject with tcp reset
		ip6 saddr fd00::2 tcp dport { 2379, 2380 } reject with tcp reset
	}
	chain output {
		type filter hook output priority -10;
		ip daddr 10.0.0.2 tcp dport { 2379, 2380 } reject with tcp reset
`
	if !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant in it\n%s", got, want)
	}
}
