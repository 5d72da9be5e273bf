package etcd_test

import (
	"slices"
	"testing"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"quorate.dev/quorate/internal/etcd"
)

// An alarm is told by every member's status until it is disarmed; history is
// forgotten once.
func TestAlarmsAndCompaction(t *testing.T) {
	c := newTestCluster(t, 1)
	one := c.start(c.nodes[0], etcd.New, c.nodes[0]).client()
	eventually(t, "healthy", one.Health)
	ctx := t.Context()
	st, err := one.Status(ctx)
	if err != nil || len(st.Alarms) != 0 || st.Quota != 8<<30 || st.Revision != 1 {
		t.Fatalf("%+v, %v", st, err)
	}
	raised := etcd.Alarm{Member: st.ID, Kind: etcd.NoSpace}
	if _, err := etcdserverpb.NewMaintenanceClient(one.Etcd.ActiveConnection()).Alarm(ctx, &etcdserverpb.AlarmRequest{
		Action: etcdserverpb.AlarmRequest_ACTIVATE, MemberID: st.ID, Alarm: etcdserverpb.AlarmType_NOSPACE}); err != nil {
		t.Fatal(err)
	}
	all, err := one.Alarms(ctx)
	if st, serr := one.Status(ctx); err != nil || serr != nil || !slices.Equal(all, []etcd.Alarm{raised}) ||
		!slices.Equal(st.Alarms, all) || len(st.Errors) != 0 {
		t.Errorf("%v, %+v, %v, %v", all, st, err, serr)
	}
	for _, none := range []etcd.Alarm{{}, {Member: st.ID}, {Kind: etcd.NoSpace}, {Member: st.ID, Kind: "NONSENSE"}} {
		if err := one.Disarm(ctx, none); err == nil {
			t.Errorf("%+v is disarmed, which etcd takes as all", none)
		}
	}
	for range 2 { // the second time it is not raised
		if err := one.Disarm(ctx, raised); err != nil {
			t.Error(err)
		}
	}
	if all, err := one.Alarms(ctx); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}

	for _, v := range []string{"a", "b"} {
		if _, err := one.Etcd.Put(ctx, "key", v); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if rev, err := one.Compact(ctx); err != nil || rev != 3 {
			t.Errorf("revision %d, %v", rev, err)
		}
	}
}
