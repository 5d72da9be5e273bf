package step

import "testing"

func TestParseSurvey(t *testing.T) {
	for name, at := range map[string]struct {
		out  string
		want EtcdData
		err  bool
	}{
		"no data": {"end", EtcdData{}, false},
		"a member that runs": {"bytes 16805888\nrunning active\nrevision 1.000000611e+09\nindex 800\nend",
			EtcdData{There: true, Bytes: 16805888, Running: "active", Revision: 1000000611, Index: 800}, false},
		"one that is stopped": {"bytes 100\nstatus {\"hash\":1,\"revision\":611,\"totalKey\":3,\"totalSize\":100,\"version\":\"3.6.0\"}\nend", EtcdData{There: true, Bytes: 100, Revision: 611}, false},
		"a broken one":        {"bytes 100\nbroken Error: invalid database\nend", EtcdData{There: true, Bytes: 100, Problem: "Error: invalid database"}, false},
		"cut short":           {"bytes 100\n", EtcdData{}, true},
		"not readable":        {"bytes many\nend", EtcdData{}, true},
	} {
		got, err := parseSurvey(at.out)
		if (err != nil) != at.err || err == nil && got != at.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
