package etcd

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/pki"
)

const (
	// KeysSuffix makes a snapshot's name the name of the keys beside it.
	KeysSuffix = ".keys.tar"
	// keepSnapshots is how many of our own stay on a host.
	keepSnapshots = 10
)

//go:embed snapshot.sh
var snapshotText string

// SnapshotScript makes, checks and lists snapshots on a host. Its arguments are
// a verb and the verb's own.
func SnapshotScript(at layout.Layout) string {
	client := at.PKI.Leaf(pki.EtcdHealthcheckClient)
	return at.Script("CERT='" + client.Cert + "' KEY='" + client.Key + "'\n" + snapshotText)
}

// Snapshot is a snapshot of etcd as a file on a host.
type Snapshot struct {
	Host     string    `json:"host,omitempty"`
	Path     string    `json:"path"`
	Size     int64     `json:"sizeBytes"`
	Time     time.Time `json:"time"`
	WithKeys bool      `json:"withKeys"` // the keys that its data needs lie beside it
	Checked  bool      `json:"checked"`  // it was read to its end
	Problem  string    `json:"problem,omitempty"`
	// By etcdutl, when Checked and without Problem:
	Hash     uint32 `json:"hash,omitempty"` // of all keys and values
	Revision int64  `json:"revision,omitempty"`
	Keys     int    `json:"keys,omitempty"`
	Version  string `json:"version,omitempty"` // of the storage: 3.6.0
}

// String is what is known of its content, in a few words.
func (s Snapshot) String() string {
	switch {
	case s.Problem != "":
		return s.Problem
	case !s.Checked:
		return "not read"
	}
	return fmt.Sprintf("%.1f MiB, revision %d, %d keys, hash %08x", float64(s.Size)/(1<<20), s.Revision, s.Keys, s.Hash)
}

// SaveSnapshot saves the data of the member on a host in its folder of snapshots,
// and reads it back: its checksum and the database inside. Of our own older
// ones ten stay. It fails before etcd's own disk is full.
func SaveSnapshot(ctx context.Context, h host.Host, at layout.Layout) (Snapshot, error) {
	const doing = "save a snapshot of etcd"
	all, err := snapshots(ctx, h, at, doing, "snapshot", "save", at.Own.Snapshots, strconv.Itoa(keepSnapshots))
	if err != nil {
		return Snapshot{}, err
	}
	if len(all) != 1 || all[0].Problem != "" || path.Dir(all[0].Path) != at.Own.Snapshots {
		return Snapshot{}, host.Errorf(h.Name(), "%s: the host did not say where it is: %v", doing, all)
	}
	return all[0], nil
}

// CheckSnapshot reads a snapshot on a host: its checksum, then the database by
// etcdutl. That it is broken or missing is its Problem, not an error.
func CheckSnapshot(ctx context.Context, h host.Host, at layout.Layout, file string) (Snapshot, error) {
	all, err := snapshots(ctx, h, at, "check "+file, "", "check", file)
	if err != nil {
		return Snapshot{}, err
	}
	if len(all) != 1 {
		return Snapshot{}, host.Errorf(h.Name(), "check %s: the host did not answer", file)
	}
	return all[0], nil
}

// SnapshotSum is the SHA-256 of a snapshot on a host, in hexadecimal.
func SnapshotSum(ctx context.Context, h host.Host, file string) (string, error) {
	out, err := host.Output(ctx, h, host.Script{What: "sha256sum " + file, Text: `sha256sum <"$1"`, Args: []string{file}})
	sum, _, _ := strings.Cut(out, " ")
	return sum, err
}

// Snapshots are those in a host's folder of snapshots, oldest name first. With read
// each is checked, which reads all of it.
func Snapshots(ctx context.Context, h host.Host, at layout.Layout, read bool) ([]Snapshot, error) {
	yes := "no"
	if read {
		yes = "yes"
	}
	return snapshots(ctx, h, at, "list snapshots of etcd", "", "list", at.Own.Snapshots, yes)
}

// snapshots runs a verb of the script. Under a unit it outlives the connection.
func snapshots(ctx context.Context, h host.Host, at layout.Layout, doing, unit, verb string, args ...string) ([]Snapshot, error) {
	out, err := host.Output(ctx, h, host.Script{What: doing, Text: SnapshotScript(at), Args: append([]string{verb}, args...), Unit: unit})
	var exit *host.ExitError
	if errors.As(err, &exit) {
		return nil, host.Errorf(h.Name(), "%s: %s", doing, strings.TrimSpace(exit.Stderr))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	all, err := ParseSnapshots(out)
	if err != nil {
		return nil, host.Errorf(h.Name(), "%s: %w", doing, err)
	}
	for i := range all {
		all[i].Host = h.Name()
	}
	return all, nil
}

// ParseSnapshots reads what the script tells.
func ParseSnapshots(out string) ([]Snapshot, error) {
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	if out == "" {
		lines = nil
	}
	if len(lines)%2 != 0 {
		return nil, fmt.Errorf("the answer was cut short: %q", out)
	}
	var all []Snapshot
	for i := 0; i < len(lines); i += 2 {
		f := strings.SplitN(lines[i], " ", 5)
		if len(f) != 5 {
			return nil, fmt.Errorf("cannot read %q", lines[i])
		}
		s := Snapshot{Path: f[4], WithKeys: f[2] == "yes", Checked: f[3] != "unread"}
		at := int64(0)
		var err error
		if s.Size, err = strconv.ParseInt(f[0], 10, 64); err == nil {
			at, err = strconv.ParseInt(f[1], 10, 64)
		}
		if s.Time = time.Unix(at, 0).UTC(); f[3] == "bad" {
			s.Problem = strings.TrimSpace(lines[i+1])
		} else if err == nil && s.Checked {
			var of struct {
				Hash     uint32
				Revision int64
				TotalKey int
				Version  string
			}
			err = json.Unmarshal([]byte(lines[i+1]), &of)
			s.Hash, s.Revision, s.Keys, s.Version = of.Hash, of.Revision, of.TotalKey, of.Version
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read %q: %w", lines[i:i+2], err)
		}
		all = append(all, s)
	}
	return all, nil
}
