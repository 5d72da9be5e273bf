package etcd

import (
	"bytes"
	"testing"
)

// FuzzSurvey: what a host says of etcd's data is read or refused.
func FuzzSurvey(f *testing.F) {
	f.Add("bytes 100\nlog /w/1.wal\nrunning active\nrevision 1e9", []byte("log"))
	f.Add("bytes -1\nstatus {\nbroken x", []byte{})
	f.Fuzz(func(t *testing.T, said string, log []byte) {
		d, err := parseSurvey(said)
		if err == nil {
			d.withLog(log)
		}
		if unpacked, err := gunzip(log); err == nil {
			d.withLog(unpacked)
		}
	})
}

// FuzzSnapshots: a list of snapshots is read or refused, and none of it is made
// up.
func FuzzSnapshots(f *testing.F) {
	f.Add("4128 1000 no ok /x/a b.db\n{\"hash\":7}\n")
	f.Add("1 9223372036854775807 yes bad /x\n\n")
	f.Fuzz(func(t *testing.T, said string) {
		all, err := ParseSnapshots(said)
		if lines := bytes.Count([]byte(said), []byte("\n")) + 1; err == nil && len(all)*2 > lines {
			t.Errorf("%d snapshots of %d lines", len(all), lines)
		}
		for _, s := range all {
			_ = s.String()
		}
	})
}

// FuzzIdentity: a log of etcd, or what a host gives for one, is read or refused.
func FuzzIdentity(f *testing.F) {
	f.Add([]byte{8, 0, 0, 0, 0, 0, 0, 0, 8, 4, 16, 0, 0, 0, 0, 0})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, log []byte) {
		_, _, _ = Identity(bytes.NewReader(log))
		_, _ = ReadPosition(bytes.NewReader(log))
		if r, err := ParseRecovery(log); err == nil && r.IsSigned(log, "cp1") {
			t.Error("a recovery that nobody signed")
		}
		if _, signed := ReadSuperseded(string(log), log); signed {
			t.Error("a line that nobody signed")
		}
	})
}
