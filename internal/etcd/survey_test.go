package etcd

import "testing"

func TestParseSurvey(t *testing.T) {
	for name, at := range map[string]struct {
		out  string
		want DiskData
		err  bool
	}{
		"no data": {"", DiskData{}, false},
		"a member that runs": {"bytes 16805888\nlog /w/1.wal\nrunning active\nrevision 1.000000611e+09",
			DiskData{There: true, Bytes: 16805888, Running: "active", Revision: 1000000611, log: "/w/1.wal"}, false},
		"one that is stopped": {"bytes 100\nstatus {\"hash\":1,\"revision\":611,\"totalKey\":3,\"totalSize\":100,\"version\":\"3.6.0\"}",
			DiskData{There: true, Bytes: 100, Revision: 611}, false},
		"a broken one": {"bytes 100\nbroken Error: invalid database",
			DiskData{There: true, Bytes: 100, Problem: "Error: invalid database"}, false},
		"not readable": {"bytes many", DiskData{}, true},
	} {
		got, err := parseSurvey(at.out)
		if (err != nil) != at.err || err == nil && got != at.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestLogOfNoEtcd(t *testing.T) {
	if d := (DiskData{There: true}).withLog([]byte("no log")); d.Problem == "" || d.Position != (Position{}) {
		t.Errorf("a file that is no log: %+v", d)
	}
	if d := (DiskData{There: true, Problem: "the database is broken"}).withLog(nil); d.Problem != "the database is broken" {
		t.Errorf("the first problem is the one that is named: %+v", d)
	}
}
