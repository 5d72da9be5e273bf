package etcd

import "fmt"

const (
	// SupersededPath lists clusters that were superseded: after a recovery or a restore
	// the data goes on under a new cluster id, and whoever comes back with data of
	// one of these is a member no more. One id a line, in hexadecimal.
	SupersededPath = "/etc/quorate/etcd-past"

	// RecordSuperseded is a shell script that adds the ids in its arguments to PastPath,
	// so that a power cut leaves the old list or the new one.
	RecordSuperseded = `if [ $# -gt 0 ]; then
	past=` + SupersededPath + `; mkdir -p "${past%/*}"
	{ cat "$past" 2>/dev/null || true; printf '%s\n' "$@"; } | sort -u >"$past.new"
	sync "$past.new"; mv "$past.new" "$past"; sync "${past%/*}"
fi
`
)

// HexCluster is a cluster's id as etcd's own tools write it.
func HexCluster(id uint64) string { return fmt.Sprintf("%x", id) }
