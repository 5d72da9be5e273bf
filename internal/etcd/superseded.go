package etcd

import "fmt"

// RecordSuperseded is a shell script that adds the ids in its arguments to the
// list of superseded clusters at a path: after a recovery or a restore the data
// goes on under a new cluster id, and whoever comes back with data of one of
// these is a member no more. One id a line, in hexadecimal. A power cut leaves
// the old list or the new one.
func RecordSuperseded(path string) string {
	return `if [ $# -gt 0 ]; then
	superseded=` + path + `; mkdir -p "${superseded%/*}"
	{ cat "$superseded" 2>/dev/null || true; printf '%s\n' "$@"; } | sort -u >"$superseded.new"
	sync "$superseded.new"; mv "$superseded.new" "$superseded"; sync "${superseded%/*}"
fi
`
}

// HexCluster is a cluster's id as etcd's own tools write it.
func HexCluster(id uint64) string { return fmt.Sprintf("%x", id) }
