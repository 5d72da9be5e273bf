package etcd

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// Kinds of a log's records (etcd: server/storage/wal/wal.go).
const (
	walMetadata = 1
	walEntry    = 2
	walState    = 3
	walCRC      = 4
)

// Position is how far a member's log on its disk goes. Term and Index are of the
// last entry that the member knew to be committed: what lies behind it,
// --force-new-cluster discards (etcd: bootstrappedWAL.CommitedEntries).
type Position struct {
	Term  uint64
	Index uint64
	Last  uint64 // index of the last entry, committed or not
}

// Before says that less comes back from p than from o: by the raft term of the
// last committed entry, then its index, then what was written behind it.
func (p Position) Before(o Position) bool {
	switch {
	case p.Term != o.Term:
		return p.Term < o.Term
	case p.Index != o.Index:
		return p.Index < o.Index
	}
	return p.Last < o.Last
}

var (
	errNoLog    = errors.New("it does not begin as a log of etcd does")
	errLogCut   = errors.New("the log of etcd is cut short")
	errLogWrong = errors.New("a record of the log cannot be read")
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
)

// maxRecord bounds a record: more than etcd takes in one request.
const maxRecord = 64 << 20

// walRecord is one record (walpb.Record).
type walRecord struct {
	kind uint64
	crc  uint32
	data []byte
}

// nextRecord reads a record. io.EOF is the end of the log: of the file, or of
// what was written into it.
func nextRecord(r io.Reader) (rec walRecord, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return rec, io.EOF
	}
	// The low 56 bits are the record's length; the high ones count its padding.
	frame := binary.LittleEndian.Uint64(head[:])
	n, pad := frame&(1<<56-1), uint64(0)
	if frame>>63 == 1 {
		pad = frame >> 56 & 7
	}
	switch {
	case frame == 0:
		return rec, io.EOF
	case n+pad > maxRecord:
		return rec, errLogWrong
	}
	b := make([]byte, n+pad)
	if _, err := io.ReadFull(r, b); err != nil {
		return rec, errLogCut
	}
	err = fields(b[:n], func(number protowire.Number, v uint64, data []byte) {
		switch number {
		case 1:
			rec.kind = v
		case 2:
			rec.crc = uint32(v)
		case 3:
			rec.data = data
		}
	})
	return rec, err
}

// ReadPosition reads a file of a member's log, the last one: each begins with
// the state that was known when it was begun. A torn end, as a power cut leaves
// it, is no error; a log that holds no state is.
func ReadPosition(r io.Reader) (Position, error) {
	var p Position
	var commit, term, first, sum uint64
	var terms []uint64 // of the entries from first on
	for known := false; ; known = true {
		rec, err := nextRecord(r)
		if err != nil && !known {
			return p, errNoLog
		}
		if rec.kind == walCRC {
			sum = uint64(rec.crc)
			continue
		}
		sum = uint64(crc32.Update(uint32(sum), castagnoli, rec.data))
		if err != nil || uint32(sum) != rec.crc {
			break
		}
		n, err := numbers(rec.data)
		if err != nil {
			return p, err
		}
		switch rec.kind {
		case walState: // raftpb.HardState: term, vote, commit
			term, commit = n[1], n[3]
		case walEntry: // raftpb.Entry: type, term, index
			if len(terms) == 0 || n[3] < first {
				first, terms = n[3], nil
			}
			// One with the index of an earlier one replaces that and all behind it.
			terms = append(terms[:min(n[3]-first, uint64(len(terms)))], n[2])
		}
	}
	if commit == 0 {
		return p, errors.New("the log holds no state")
	}
	p = Position{Term: term, Index: commit, Last: commit}
	if len(terms) > 0 {
		// The entry itself may lie in the file before: within one cluster the
		// index alone gives the same order then.
		p.Term = terms[0]
		if commit >= first {
			p.Term = terms[min(commit-first, uint64(len(terms))-1)]
		}
		p.Last = max(commit, first+uint64(len(terms))-1)
	}
	return p, nil
}

// Identity reads off the beginning of any file of a member's log to which
// cluster the data belongs, and as which member: what a member that does not
// run cannot be asked. Each file begins with a checksum record and one of
// metadata (etcd: server/storage/wal/wal.go, saveCrc and cut; walpb.Record,
// etcdserverpb.Metadata).
func Identity(r io.Reader) (member, cluster uint64, err error) {
	for range 2 {
		rec, err := nextRecord(r)
		if err != nil {
			return 0, 0, errNoLog
		}
		if rec.kind != walMetadata {
			continue
		}
		n, err := numbers(rec.data)
		if err == nil && n[2] == 0 {
			err = errors.New("the log names no cluster")
		}
		return n[1], n[2], err
	}
	return 0, 0, errNoLog
}

// numbers are the fields 1 to 3 of a message that are numbers.
func numbers(b []byte) (n [4]uint64, err error) {
	err = fields(b, func(number protowire.Number, v uint64, data []byte) {
		if data == nil && number < 4 {
			n[number] = v
		}
	})
	return n, err
}

// fields walks over a protobuf message of numbers and bytes.
func fields(b []byte, each func(number protowire.Number, v uint64, data []byte)) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errLogWrong
		}
		b = b[n:]
		var v uint64
		var data []byte
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			data, n = protowire.ConsumeBytes(b)
		default:
			return errLogWrong
		}
		if n < 0 {
			return errLogWrong
		}
		b = b[n:]
		each(number, v, data)
	}
	return nil
}
