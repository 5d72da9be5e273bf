package config

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

const good = `
stamp: abc
ways:
  - name: api
    listen: [":6443"]
    nodes: 12
    check: {kind: readyz, ca: /etc/kubernetes/pki/ca.crt, unauthorizedIsReady: true}
    backends:
      - {name: cp1, address: "10.0.0.1:6443"}
      - {name: cp2, address: "[fd00::2]:6443", leaving: true}
  - name: etcd
    listen: ["127.0.0.1:2378"]
    check: {kind: etcd, ca: /a/ca.crt, certificate: /a/c.crt, key: /a/c.key, clusterID: cdf818194e3a8c32, timeout: 300ms}
    backends:
      - {name: cp1, address: "10.0.0.1:2379", preferred: true, member: 8e9e05c52164694d}
vips:
  - {interface: eth0, vrid: 51, addresses: ["10.0.0.100/24"], source: 10.0.0.41, peers: [10.0.0.42], advert: 50ms}
  - {interface: eth0, vrid: 51, addresses: ["fd00::100/64"], way: etcd}
`

func TestParse(t *testing.T) {
	f, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	w := f.Ways[1]
	if f.Drain.Std() != time.Hour || w.MaxConnections != 20000 || w.Check.Grace.Std() != time.Second ||
		w.Check.Timeout.Std() != 300*time.Millisecond || f.Admin.Listen != "127.0.0.1:9440" {
		t.Errorf("defaults: %+v", f)
	}
	if f.Ways[0].Interval() != 250*time.Millisecond || f.Ways[0].Detection() != 750*time.Millisecond {
		t.Errorf("interval %v, detection %v", f.Ways[0].Interval(), f.Ways[0].Detection())
	}
	if f.Ways[0].Nodes = 1000; f.Ways[0].Interval() != 5*time.Second {
		t.Errorf("interval with 1000 nodes: %v", f.Ways[0].Interval())
	}
}

func TestJSON(t *testing.T) {
	text := `{"ways":[{"name":"api","listen":["127.0.0.1:1"],"check":{"kind":"readyz","ca":"/ca"},"backends":[{"name":"a","address":"127.0.0.1:2"}]}]}`
	if _, err := Parse([]byte(text)); err != nil {
		t.Error(err)
	}
}

func TestMarshalAndBack(t *testing.T) {
	f, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	text, err := f.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(text)
	if err != nil || !reflect.DeepEqual(f, again) {
		t.Errorf("%v\n%s", err, text)
	}
	if Digest(text) == Digest([]byte(good)) {
		t.Error("other bytes have the same digest")
	}
}

// TestRefusals: each change makes the good file invalid, and the error names
// the place.
func TestRefusals(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"stamp: abc", "stemp: abc", "line 2: field stemp not found"},
		{"stamp: abc", "stamp: abc\nstamp: abc", `line 3: mapping key "stamp" already defined`},
		{"timeout: 300ms", "timeout: 300", `line 13: "300" is not a duration`},
		{"timeout: 300ms", "timeout: 30m", "ways[1].check.timeout: 30m0s is not between"},
		{"name: etcd", "name: api", `ways[1].name: "api" is taken`},
		{"name: etcd", "name: A/b", `ways[1].name: "A/b" is not a name`},
		{"name: cp2", "name: cp1", `ways[0].backends[1].name: "cp1" is taken`},
		{"[fd00::2]:6443", "10.0.0.1:6443", "ways[0].backends[1].address: 10.0.0.1:6443 is also the address of cp1"},
		{"[fd00::2]:6443", "cp2:6443", `ways[0].backends[1].address: "cp2:6443" is not an IP address`},
		{"127.0.0.1:2378", ":6443", "ways[1].listen[0]: :6443 is taken by ways[0].listen[0]"},
		{"127.0.0.1:2378", "127.0.0.1:9440", "ways[1].listen[0]: 127.0.0.1:9440 is taken by admin.listen"},
		{"kind: etcd", "kind: tcp", `ways[1].check.kind: "tcp" is neither`},
		{"clusterID: cdf818194e3a8c32", "clusterID: xyz", `ways[1].check.clusterID: "xyz" is not an identifier`},
		{"certificate: /a/c.crt, key: /a/c.key, ", "", "ways[1].check.certificate: etcd asks"},
		{"key: /a/c.key, ", "", "ways[1].check: certificate and key go together"},
		{"ca: /a/ca.crt", "ca: ca.crt", `ways[1].check.ca: "ca.crt" is not an absolute path`},
		{"nodes: 12", "nodes: -1", "ways[0].nodes: -1 is not between"},
		{"leaving: true", "member: ab", "ways[0].backends[1].member: is only for checks of kind etcd"},
		{"stamp: abc", `admin: {listen: "0.0.0.0:9440"}`, "admin.listen: 0.0.0.0:9440 is not loopback"},
		{"vrid: 51, addresses: [\"10", "vrid: 256, addresses: [\"10", "vips[0].vrid: 256 is not between"},
		{"advert: 50ms", "advert: 55ms", "vips[0].advert: 55ms is no multiple"},
		{"advert: 50ms", "advert: 2s", "vips[0].advert: 2s is not between"},
		{"advert: 50ms", "priority: 9", "vips[0].priority: 9 is not between 16 and 255"},
		{"advert: 50ms", "checksum: none", `vips[0].checksum: "none" is neither`},
		{"advert: 50ms", "way: x", `vips[0].way: "x" is the name of no way`},
		{"10.0.0.100/24", "10.0.0.100", `vips[0].addresses[0]: "10.0.0.100" is not an IP address with its prefix`},
		{"10.0.0.100/24", `10.0.0.100/24", "fd00::1/64`, "vips[0].addresses: IPv4 and IPv6 are two"},
		{"fd00::100/64", "10.0.0.100/24", "vips[1].addresses: 10.0.0.100 is also an address of vips[0]"},
		{"fd00::100/64", "10.0.0.101/24", "vips[1].vrid: 51 is taken on eth0 by vips[0]"},
		{"peers: [10.0.0.42]", "peers: [10.0.0.41]", "vips[0].peers[0]: 10.0.0.41 is there twice"},
		{"peers: [10.0.0.42]", "peers: [10.0.0.100]", "vips[0].peers[0]: 10.0.0.100 is the virtual address itself"},
		{"peers: [10.0.0.42]", "peers: [fd00::1]", "vips[0].peers[0]: fd00::1 is of another family"},
		{"interface: eth0, vrid: 51, addresses: [\"fd", "interface: a/b, vrid: 51, addresses: [\"fd", `vips[1].interface: "a/b" is not the name`},
		{"stamp: abc", "---\nstamp: abc\n---", "more than one document"},
	} {
		text := strings.Replace(good, c.from, c.to, 1)
		if text == good {
			t.Fatalf("%q is not in the file", c.from)
		}
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.to, err, c.want)
		}
	}
	for _, text := range []string{"", "# nothing\n", "[]", "ways: []", strings.Repeat(" ", MaxSize+1)} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%.20q is taken for a configuration", text)
		}
	}
}

// FuzzParse: whatever is in the file, Parse returns; and what it takes for
// valid is written and read back as the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("ways: [{name: a, listen: [:1], check: {kind: readyz, ca: /c}, backends: [{name: a, address: 1.1.1.1:1}]}]"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse(text)
		if err != nil {
			return
		}
		written, err := file.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(written)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		if twice, err := again.Marshal(); err != nil || !bytes.Equal(written, twice) {
			t.Fatalf("%v\n%s\n%s", err, written, twice)
		}
	})
}
