// Package config is the configuration of quorate-lb as a value: read strictly
// from YAML or JSON, with defaults, validated, and written back. Whoever renders
// a file for quorate-lb imports this package; it brings no data plane along.
//
// It reads no files (certificates are checked where they are used) and opens no
// listeners.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Kinds of checks.
const (
	// KindReadyz asks GET /readyz over TLS, as Kubernetes API servers answer it.
	KindReadyz = "readyz"
	// KindEtcd asks etcd's Maintenance.Status over gRPC.
	KindEtcd = "etcd"
)

// File is the whole configuration of one process.
type File struct {
	// Stamp is the writer's own mark; /healthz repeats it and nothing reads it.
	Stamp string `yaml:"stamp,omitempty"`
	Admin Admin  `yaml:"admin,omitempty"`
	// Drain is how long a process that was replaced, or a backend that left the
	// file, may keep its sessions. Default 1h.
	Drain Duration `yaml:"drain,omitempty"`
	Ways  []Way    `yaml:"ways"`
	// VIPs are addresses that one of several hosts holds, by VRRP.
	VIPs []VIP `yaml:"vips,omitempty"`
}

// Admin serves /healthz, /metrics and the statistics page.
type Admin struct {
	// Listen is an address and port; default 127.0.0.1:9440, "off" for none.
	// Anything but loopback needs a login and TLS.
	Listen      string `yaml:"listen,omitempty"`
	User        string `yaml:"user,omitempty"`
	Password    string `yaml:"passwordFile,omitempty"` // path, mode 0600
	Certificate string `yaml:"certificate,omitempty"`  // path, PEM
	Key         string `yaml:"key,omitempty"`          // path, PEM
}

// Way leads from listeners to backends.
type Way struct {
	Name   string   `yaml:"name"`   // lower case letters, digits and "-"
	Listen []string `yaml:"listen"` // IP and port; ":6443" for every address
	// Nodes is how many balancers check the same backends. The interval between
	// two checks of a backend is max(250 ms, nodes × 5 ms). Default 1.
	Nodes          int       `yaml:"nodes,omitempty"`
	MaxConnections int       `yaml:"maxConnections,omitempty"` // default 20000
	ProxyProtocol  bool      `yaml:"proxyProtocol,omitempty"`  // send a version 2 header
	SlowStart      Duration  `yaml:"slowStart,omitempty"`      // default 10s
	Check          Check     `yaml:"check"`
	Backends       []Backend `yaml:"backends"`
}

// Check says how the backends of a way are asked.
type Check struct {
	Kind        string `yaml:"kind"`                  // readyz or etcd
	CA          string `yaml:"ca"`                    // path, PEM
	Certificate string `yaml:"certificate,omitempty"` // path, PEM; needed for etcd
	Key         string `yaml:"key,omitempty"`         // path, PEM
	// ServerName is looked for in the backends' certificates; default: the host
	// part of each backend's address.
	ServerName string   `yaml:"serverName,omitempty"`
	Timeout    Duration `yaml:"timeout,omitempty"` // default 500ms
	// Grace is how long sessions stay on a backend that answers but is not
	// ready. Default 3s, for etcd 1s.
	Grace Duration `yaml:"grace,omitempty"`
	// CutOff is the same for an API server that lacks nothing but etcd while all
	// others have it. It should be the API servers' --etcd-readycheck-timeout at
	// least. Default 2s.
	CutOff Duration `yaml:"cutOff,omitempty"`
	// UnauthorizedIsReady takes 401 and 403 on /readyz for an answer that means
	// ready, for clusters that refuse anonymous requests.
	UnauthorizedIsReady bool `yaml:"unauthorizedIsReady,omitempty"`
	// ClusterID is etcd's, in hexadecimal as etcdctl prints it. Members of
	// another cluster are never used.
	ClusterID string `yaml:"clusterID,omitempty"`
}

// Backend is one server.
type Backend struct {
	Name    string `yaml:"name"`
	Address string `yaml:"address"` // IP and port
	// Preferred backends get all connections while one of them is ready.
	Preferred bool `yaml:"preferred,omitempty"`
	// Leaving backends get no new connections while another backend is ready,
	// and their sessions are closed a few at a time.
	Leaving bool `yaml:"leaving,omitempty"`
	// Member is etcd's member id in hexadecimal; "" takes any voter.
	Member string `yaml:"member,omitempty"`
}

// Bounds of the time between two checks of one backend.
const (
	MinInterval     = 250 * time.Millisecond
	IntervalPerNode = 5 * time.Millisecond
)

// Interval is the time between two checks of one backend. It grows with the
// number of balancers, so that an API server gets at most 200 checks a second
// however many nodes ask it.
func (w Way) Interval() time.Duration {
	return max(MinInterval, time.Duration(w.Nodes)*IntervalPerNode)
}

// Detection is the longest time until a backend whose host falls silent is
// marked as gone: just after a check, one interval passes until the next, and
// that one must stay unanswered for the time-out. A server that hangs while its
// host works takes a little longer (package health).
func (w Way) Detection() time.Duration { return w.Interval() + w.Check.Timeout.Std() }

// WithDefaults fills in what the file leaves out.
func (f File) WithDefaults() File {
	if f.Admin.Listen == "" {
		f.Admin.Listen = "127.0.0.1:9440"
	}
	set(&f.Drain, time.Hour)
	ways := make([]Way, len(f.Ways))
	for i, w := range f.Ways {
		if w.Nodes == 0 {
			w.Nodes = 1
		}
		if w.MaxConnections == 0 {
			w.MaxConnections = 20000
		}
		set(&w.SlowStart, 10*time.Second)
		set(&w.Check.Timeout, 500*time.Millisecond)
		grace := 3 * time.Second
		if w.Check.Kind == KindEtcd {
			grace = time.Second
		}
		set(&w.Check.Grace, grace)
		set(&w.Check.CutOff, min(2*time.Second, w.Check.Grace.Std()))
		ways[i] = w
	}
	f.Ways = ways
	vips := make([]VIP, len(f.VIPs))
	for i, v := range f.VIPs {
		vips[i] = v.withDefaults(ways)
	}
	if f.VIPs = vips; len(vips) == 0 {
		f.VIPs = nil
	}
	return f
}

func set(d *Duration, to time.Duration) {
	if *d == 0 {
		*d = Duration(to)
	}
}

// Digest identifies a file's exact bytes: SHA-256, in hexadecimal. quorate
// compares it with what it rendered.
func Digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
