package etcd

import (
	"crypto/sha1"
	"encoding/binary"
	"testing"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/topology"
)

// The order of the members does not matter, and the token does.
func TestNewClusterID(t *testing.T) {
	at := layout.Systemd().Etcd
	a, b := topology.Node{Name: "a", Address: "10.0.0.1"}, topology.Node{Name: "b", Address: "10.0.0.2"}
	one := NewClusterID("t", at, []topology.Node{a, b})
	if one != NewClusterID("t", at, []topology.Node{b, a}) {
		t.Error("the order matters")
	}
	if one == NewClusterID("u", at, []topology.Node{a, b}) || one == NewClusterID("t", at, []topology.Node{a}) {
		t.Error("different clusters have one id")
	}
	member := sha1.Sum([]byte("https://10.0.0.1:2380t"))
	cluster := sha1.Sum(member[:8])
	if NewClusterID("t", at, []topology.Node{a}) != binary.BigEndian.Uint64(cluster[:8]) {
		t.Error("of one member it is the digest of that one's id")
	}
}
