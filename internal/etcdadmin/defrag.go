package etcdadmin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/units"
)

const (
	// settleTime is how long a member may take until it serves again.
	settleTime = time.Minute
	// spareDisk is what defragmenting leaves free on a member's disk: without
	// room for its log etcd stops.
	spareDisk = 64 << 20
)

// Defragged is what one member's database took, in bytes.
type Defragged struct {
	Host   model.HostID  `json:"host"`
	Before int64         `json:"beforeBytes"`
	After  int64         `json:"afterBytes"`
	Took   units.Seconds `json:"tookSeconds"` // so long it answered nothing
}

// Order is who is to be defragmented, followers first and the leader last. It
// refuses while a member is down, unless one is named and the others keep the
// quorum without it; and what would stop a lone member, unless that is accepted.
func (g *Guard) Order(only model.HostID, outage bool) ([]model.HostID, error) {
	if err := g.certain(); err != nil {
		return nil, err
	}
	all, down := g.voters()
	if !g.Seen.Have.Quorum("") || !g.Seen.Etcd.Agreed {
		return nil, Refused{"etcd has no quorum", "quorate etcd status says who is down"}
	}
	if only != "" {
		m, listed := g.Seen.Etcd.Members[only]
		switch {
		case !listed:
			return nil, Refused{fmt.Sprintf("%s has no etcd member", only), "quorate etcd members shows who has"}
		case m.Learner:
			return nil, Refused{fmt.Sprintf("the member of %s is a learner, which etcd does not defragment", only), "quorate apply makes it a voter"}
		case slices.Contains(down, only):
			return nil, Refused{fmt.Sprintf("the member of %s is down", only), "quorate etcd status says why"}
		case len(down) > 0 && !g.Seen.Have.Quorum(only):
			return nil, Refused{fmt.Sprintf("%s down, and without %s, which answers nothing while it is defragmented, etcd has no quorum",
				are(down), only),
				"bring " + list(down) + " back first"}
		}
	} else if len(down) > 0 {
		return nil, Refused{fmt.Sprintf("%s down, and those that are left must not stop answering as well", are(down)),
			"bring " + list(down) + " back first; or name one member with --host: that is done if the quorum holds without it"}
	}
	if len(all) == 1 && !outage {
		return nil, Refused{fmt.Sprintf("%s is the only member: while it is defragmented, about a second per 100 MiB (it has %s), "+
			"nothing is read or written",
			all[0], mib(g.Seen.Etcd.Status[all[0]].DBSize)), "to proceed, pass --accept-outage"}
	}
	if only != "" {
		return []model.HostID{only}, nil
	}
	lead := g.leader()
	slices.SortStableFunc(all, func(a, b model.HostID) int { return isTrue(a == lead) - isTrue(b == lead) })
	return all, nil
}

func are(ids []model.HostID) string {
	if len(ids) == 1 {
		return list(ids) + " is"
	}
	return list(ids) + " are"
}

func isTrue(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Defrag defragments members one at a time. Before the one that leads it hands
// the lead over; between two, every voter that was up must serve again.
func (g *Guard) Defrag(ctx context.Context, order []model.HostID) (done []Defragged, err error) {
	for _, id := range order {
		err := g.step(id, "defrag", "defragment etcd", func() error {
			d, err := g.defrag(ctx, id)
			if err != nil {
				return err
			}
			done = append(done, d)
			g.Say("%s: %s before, %s after, in %s", id, mib(d.Before), mib(d.After), d.Took.Duration().Round(10*time.Millisecond))
			return g.settled(ctx)
		})
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// Compact forgets all history before the present revision, which the API
// server does every five minutes, but not while NOSPACE is raised. Watches that
// are further behind begin anew.
func (g *Guard) Compact(ctx context.Context) error {
	c, err := g.anyone(ctx)
	if err != nil {
		return err
	}
	at := g.leader()
	return g.step(at, "compact", "compact etcd's history", func() error {
		rev, err := c.Compact(ctx)
		if err == nil {
			g.Say("compacted history before revision %d", rev)
		}
		return err
	})
}

func (g *Guard) defrag(ctx context.Context, id model.HostID) (d Defragged, err error) {
	c, err := g.client(ctx, id)
	if err != nil {
		return d, err
	}
	st, err := c.Status(ctx)
	if err != nil {
		return d, err
	}
	if err := g.room(ctx, id, st.DBSizeInUse); err != nil {
		return d, err
	}
	if err := g.handOver(ctx, id, c, st); err != nil {
		return d, fmt.Errorf("transfer leadership before %s is defragmented: %w", id, err)
	}
	back, err := g.aside(ctx, id, st.DBSize)
	if err != nil {
		return d, err
	}
	defer back()
	if err := ctx.Err(); err != nil {
		return d, err
	}
	begun := time.Now()
	if err := c.Defragment(ctx); err != nil {
		if ctx.Err() != nil {
			return d, fmt.Errorf("%s goes on by itself: %w", id, err)
		}
		return d, err
	}
	d = Defragged{Host: id, Before: st.DBSize, Took: units.Seconds(time.Since(begun))}
	if st, err = c.Status(ctx); err != nil {
		return d, err
	}
	d.After = st.DBSize
	return d, nil
}

// room refuses when the new database, which is written beside the old one,
// would fill the disk.
func (g *Guard) room(ctx context.Context, id model.HostID, used int64) error {
	said, err := host.Output(ctx, g.Hosts[id], host.Script{What: "df", Text: `LC_ALL=C df -Pk -- "$1"`,
		Args: []string{g.Seen.Goal.Layout.Etcd.Member() + "/snap"}})
	if err != nil {
		return err
	}
	lines := strings.Split(said, "\n")
	f := strings.Fields(lines[len(lines)-1])
	if len(f) < 6 {
		return fmt.Errorf("%s: df says %q", id, said)
	}
	kib, err := strconv.ParseInt(f[3], 10, 64)
	if err != nil {
		return fmt.Errorf("%s: df says %q", id, said)
	}
	if need := used + used/10 + spareDisk; kib<<10 < need {
		return fmt.Errorf("%s: the disk of %s has %s free, and defragmenting needs %s: free some space first", id,
			g.Seen.Goal.Layout.Etcd.Data, mib(kib<<10), mib(need))
	}
	return nil
}

// handOver moves the lead to another voter that serves, if there is one.
func (g *Guard) handOver(ctx context.Context, id model.HostID, c *etcd.Client, st etcd.Status) error {
	if !st.IsLeader() {
		return nil
	}
	all, down := g.voters()
	others := slices.DeleteFunc(all, func(o model.HostID) bool { return o == id || slices.Contains(down, o) })
	if len(others) == 0 {
		return nil
	}
	var err error
	for _, to := range others {
		if err = c.MoveLeader(ctx, g.Seen.Etcd.Members[to].ID); err == nil {
			g.Say("%s: transferred leadership to %s", id, to)
			return until(ctx, func(ctx context.Context) error {
				st, err := c.Status(ctx)
				if err == nil && (st.Leader == 0 || st.IsLeader()) {
					err = fmt.Errorf("%s still leads", id)
				}
				return err
			})
		}
	}
	return err
}

// settled waits until every voter that was up serves.
func (g *Guard) settled(ctx context.Context) error {
	all, down := g.voters()
	for _, id := range all {
		if slices.Contains(down, id) {
			continue
		}
		c, err := g.client(ctx, id)
		if err == nil {
			err = until(ctx, c.Health)
		}
		if err != nil {
			return fmt.Errorf("done, but the member of %s is not serving now: %w", id, err)
		}
	}
	return nil
}

// until asks again until there is nothing to object to. It is no step of a
// plan, so that no engine does the waiting.
func until(ctx context.Context, ok func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for {
		one, stop := context.WithTimeout(ctx, 5*time.Second)
		err := ok(one)
		stop()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
