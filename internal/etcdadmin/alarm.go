package etcdadmin

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
)

// Alarm is an alarm with the member that raised it.
type Alarm struct {
	Host   model.HostID `json:"host"` // "" when it is on no member list any more
	Member string       `json:"member"`
	Kind   string       `json:"kind"` // NOSPACE | CORRUPT
	raised etcd.Alarm
}

// Alarms are those raised, by a quorum's word.
func (g *Guard) Alarms(ctx context.Context) ([]Alarm, error) {
	c, err := g.anyone(ctx)
	if err != nil {
		return nil, err
	}
	raised, err := c.Alarms(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w; quorate etcd status shows what members know without a quorum", err)
	}
	out := []Alarm{}
	for _, a := range raised {
		one := Alarm{Member: fmt.Sprintf("%x", a.Member), Kind: a.Kind, raised: a}
		for id, m := range g.Seen.Etcd.Members {
			if m.ID == a.Member {
				one.Host = id
			}
		}
		out = append(out, one)
	}
	return out, nil
}

// anyone is a client of a voter that answers, rather of one with a quorum.
func (g *Guard) anyone(ctx context.Context) (*etcd.Client, error) {
	if err := g.certain(); err != nil {
		return nil, err
	}
	all, down := g.voters()
	up := slices.DeleteFunc(slices.Clone(all), func(id model.HostID) bool { return slices.Contains(down, id) })
	for _, id := range append(up, down...) {
		if f := g.Seen.Facts[id]; f.Err == nil && f.EtcdLocal {
			return g.client(ctx, id)
		}
	}
	return nil, fmt.Errorf("no etcd member answers%s", g.unasked())
}

// MayDisarm refuses what would not last: NOSPACE comes back with the first
// write while a database is not smaller than its quota. What a person should
// know before agreeing is returned.
func MayDisarm(alarms []Alarm, seen observe.EtcdView) (says []string, err error) {
	space := false
	for _, a := range alarms {
		switch a.Kind {
		case etcd.NoSpace:
			space = true
		case etcd.Corrupt:
			says = append(says, fmt.Sprintf("CORRUPT says that the data of %s differs from the others'. Disarming does not repair it: "+
				"replace that member first, or clients may read wrong data", named(a)))
		}
	}
	if !space {
		return says, nil
	}
	for _, id := range slices.Sorted(maps.Keys(seen.Members)) {
		m := seen.Members[id]
		st, asked := seen.Status[id]
		switch {
		case !asked || st.Quota == 0:
			says = append(says, fmt.Sprintf("it is not known how full the database of %s is (%s): while it has reached its quota, NOSPACE "+
				"comes back with the first write", id, m.HexID()))
		case st.DBSizeInUse >= st.Quota:
			return nil, Refused{fmt.Sprintf("the database of %s has %s in use, and its quota is %s: NOSPACE would come back with the "+
				"first write", id, mib(st.DBSizeInUse), mib(st.Quota)),
				"delete what is not needed (deleting works), then quorate etcd defrag --compact, then disarm"}
		case st.DBSize >= st.Quota:
			return nil, Refused{fmt.Sprintf("the database of %s takes %s (%s in use), and its quota is %s: NOSPACE would come back with "+
				"the first write", id, mib(st.DBSize), mib(st.DBSizeInUse), mib(st.Quota)),
				"quorate etcd defrag, then disarm"}
		}
	}
	slices.Sort(says)
	return says, nil
}

func named(a Alarm) string {
	if a.Host == "" {
		return "member " + a.Member
	}
	return string(a.Host)
}

// Disarm ends alarms.
func (g *Guard) Disarm(ctx context.Context, alarms []Alarm) error {
	c, err := g.anyone(ctx)
	if err != nil {
		return err
	}
	for _, a := range alarms {
		if err := g.step(a.Host, "disarm", "disarm "+a.Kind, func() error { return c.Disarm(ctx, a.raised) }); err != nil {
			return err
		}
	}
	return nil
}
