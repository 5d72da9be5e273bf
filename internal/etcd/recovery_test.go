package etcd

import (
	"encoding/json"
	"reflect"
	"testing"
)

// The id is the one that etcdutl 3.6.8 gives to such a cluster.
func TestSoleMemberCluster(t *testing.T) {
	if got := soleMemberCluster("https://10.0.0.1:2380", "tok"); got != "3be072f242ecd266" {
		t.Errorf("%s", got)
	}
}

func TestRecoveryRecord(t *testing.T) {
	r, other := NewRecovery("prod", "https://10.0.0.1:2380", -7), NewRecovery("prod", "https://10.0.0.1:2380", 9)
	if r.ID == other.ID || r.Bump != bump || other.Bump != bump+9 {
		t.Errorf("%+v and %+v", r, other)
	}
	r.From, r.Snapshot, r.Supersedes, r.Outside = "cp1:/s.db", "ab", []string{"1"}, []string{"10.0.0.2"}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParseRecovery(text); err != nil || !reflect.DeepEqual(again, r) {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := ParseRecovery(text[:20]); err == nil {
		t.Error("half a record is read")
	}
}
