package etcd

import (
	"encoding/binary"
	"errors"
	"fmt"
)

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

// Identity reads off the beginning of any file of a member's log to which
// cluster the data belongs, and as which member: what a member that does not
// run cannot be asked. Each file begins with a checksum record and one of
// metadata (etcd: server/storage/wal/wal.go, saveCrc and cut; walpb.Record,
// etcdserverpb.Metadata).
func Identity(wal []byte) (member, cluster uint64, err error) {
	for range 2 {
		if len(wal) < 8 {
			break
		}
		// The low 56 bits are the record's length; the high ones count its padding.
		frame := binary.LittleEndian.Uint64(wal)
		n, pad := frame&(1<<56-1), uint64(0)
		if frame>>63 == 1 {
			pad = frame >> 56 & 7
		}
		wal = wal[8:]
		if n+pad > uint64(len(wal)) {
			break
		}
		kind, data := uint64(0), []byte(nil)
		err := fields(wal[:n], func(number, v uint64, b []byte) {
			switch number {
			case 1:
				kind = v
			case 3:
				data = b
			}
		})
		if err != nil {
			return 0, 0, err
		}
		if kind == 1 {
			err := fields(data, func(number, v uint64, _ []byte) {
				switch number {
				case 1:
					member = v
				case 2:
					cluster = v
				}
			})
			if err == nil && cluster == 0 {
				err = errors.New("the log names no cluster")
			}
			return member, cluster, err
		}
		wal = wal[n+pad:]
	}
	return 0, 0, errors.New("it does not begin as a log of etcd does")
}

// HexCluster is a cluster's id as etcd's own tools write it.
func HexCluster(id uint64) string { return fmt.Sprintf("%x", id) }

// fields walks over a protobuf message of numbers and bytes.
func fields(b []byte, each func(number, v uint64, bytes []byte)) error {
	broken := errors.New("a record of the log cannot be read")
	number := func() (uint64, bool) {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, false
		}
		b = b[n:]
		return v, true
	}
	for len(b) > 0 {
		tag, ok := number()
		v, ok2 := uint64(0), false
		if ok {
			v, ok2 = number()
		}
		switch {
		case !ok || !ok2:
			return broken
		case tag&7 == 0:
			each(tag>>3, v, nil)
		case tag&7 == 2 && v <= uint64(len(b)):
			each(tag>>3, 0, b[:v])
			b = b[v:]
		default:
			return broken
		}
	}
	return nil
}
