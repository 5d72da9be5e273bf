package etcd

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"quorate.dev/quorate/internal/pki"
)

// RecordSuperseded is a shell script that adds the lines in its arguments to the
// list of superseded clusters at a path: after a recovery or a restore the data
// goes on under a new cluster id, and whoever comes back with data of one of
// these is a member no more. A line takes the place of one for the same cluster.
// A power cut leaves the old list or the new one.
func RecordSuperseded(path string) string {
	return `if [ $# -gt 0 ]; then
	superseded=` + path + `; mkdir -p "${superseded%/*}"
	rm -f "$superseded.old" "$superseded.new" # be they links
	cat "$superseded" >"$superseded.old" 2>/dev/null || true
	for l; do
		grep -v "^${l%% *}\( \|\$\)" "$superseded.old" >"$superseded.new" || true
		printf '%s\n' "$l" >>"$superseded.new"
		mv "$superseded.new" "$superseded.old"
	done
	sort -u "$superseded.old" >"$superseded.new"; rm -f "$superseded.old"
	sync "$superseded.new"; mv -T "$superseded.new" "$superseded"; sync "${superseded%/*}"
fi
`
}

// Superseded is what a host knows of an etcd cluster that has ended.
type Superseded struct {
	ID   string // of the cluster that has ended, in hexadecimal
	Line string // as it is recorded: both ids, when, and a signature by etcd's CA
}

// superseded is what is signed.
func superseded(old, by, at string) []byte {
	return fmt.Appendf(nil, "quorate: etcd cluster %s is superseded by %s at %s\n", old, by, at)
}

// SignSuperseded records that a cluster has ended, and which one goes on.
func SignSuperseded(ca pki.Authority, old, by string, at time.Time) (Superseded, error) {
	when := at.UTC().Format(time.RFC3339)
	signature, err := ca.Sign(superseded(old, by, when))
	if err != nil {
		return Superseded{}, fmt.Errorf("record that etcd cluster %s is superseded: %w", old, err)
	}
	return Superseded{old, strings.Join([]string{old, by, when, base64.StdEncoding.EncodeToString(signature)}, " ")}, nil
}

// ReadSuperseded reads a line of the list. False: etcd's CA, in PEM, has not
// signed it, so that it counts for nothing.
func ReadSuperseded(line string, ca []byte) (Superseded, bool) {
	w := strings.Fields(line)
	if len(w) != 4 {
		return Superseded{}, false
	}
	signature, err := base64.StdEncoding.DecodeString(w[3])
	if err != nil || !pki.HasSigned(ca, superseded(w[0], w[1], w[2]), signature) {
		return Superseded{}, false
	}
	return Superseded{w[0], strings.Join(w, " ")}, true
}

// HexCluster is a cluster's id as etcd's own tools write it.
func HexCluster(id uint64) string { return fmt.Sprintf("%x", id) }
