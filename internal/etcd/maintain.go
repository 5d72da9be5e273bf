package etcd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Status is how one member is doing, by its own account.
type Status struct {
	ID          uint64
	ClusterID   uint64
	Version     string
	Leader      uint64 // 0 when it knows none: no quorum
	Learner     bool
	Term        uint64
	Index       uint64 // last entry it has
	Applied     uint64 // last entry it has applied
	DBSize      int64
	DBSizeInUse int64
	Quota       int64    // bytes that DBSize must stay below; 0: etcd before 3.6 does not tell
	Revision    int64    // of the data it has applied
	Alarms      []Alarm  // raised, of all members
	Errors      []string // other trouble: "no leader"
}

// IsLeader says whether the member asked is the leader.
func (s Status) IsLeader() bool { return s.Leader != 0 && s.Leader == s.ID }

// Status asks the member how it is doing. It needs no quorum.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	err = c.call(ctx, "read etcd status", func(ctx context.Context) error {
		r, err := c.Etcd.Status(ctx, "https://"+c.endpoint)
		if err != nil {
			return err
		}
		s = Status{
			ID: r.Header.MemberId, ClusterID: r.Header.ClusterId, Version: r.Version,
			Leader: r.Leader, Learner: r.IsLearner, Term: r.RaftTerm, Index: r.RaftIndex, Applied: r.RaftAppliedIndex,
			DBSize: r.DbSize, DBSizeInUse: r.DbSizeInUse, Quota: r.DbSizeQuota, Revision: r.Header.Revision,
		}
		for _, e := range r.Errors {
			var a Alarm
			if n, _ := fmt.Sscanf(e, "memberID:%d alarm:%s", &a.Member, &a.Kind); n == 2 {
				s.Alarms = append(s.Alarms, a)
			} else {
				s.Errors = append(s.Errors, e)
			}
		}
		return nil
	})
	return s, err
}

// Health is nil when the member answers a read that a quorum agreed to, as
// `etcdctl endpoint health` asks it. A learner answers no such read.
func (c *Client) Health(ctx context.Context) error {
	return c.call(ctx, "check etcd's health", func(ctx context.Context) error {
		_, err := c.Etcd.Get(ctx, "health")
		if errors.Is(err, rpctypes.ErrPermissionDenied) {
			return nil // a quorum decided that, too
		}
		return err
	})
}

// Kinds of alarms.
const (
	NoSpace = "NOSPACE" // the database has reached the quota: nobody writes
	Corrupt = "CORRUPT" // a member's data differs from the others': nobody reads or writes
)

// Alarm is a state of emergency that a member has raised. It lasts until it is
// disarmed, also when its cause is gone.
type Alarm struct {
	Member uint64
	Kind   string // NOSPACE | CORRUPT
}

// Alarms are the alarms raised, of all members; it needs a quorum.
func (c *Client) Alarms(ctx context.Context) (out []Alarm, err error) {
	err = c.call(ctx, "list alarms", func(ctx context.Context) error {
		r, err := c.Etcd.AlarmList(ctx)
		if err != nil {
			return err
		}
		for _, a := range r.Alarms {
			out = append(out, Alarm{Member: a.MemberID, Kind: a.Alarm.String()})
		}
		return nil
	})
	return out, err
}

// Disarm ends one alarm; nothing when it is not raised. It needs a quorum.
func (c *Client) Disarm(ctx context.Context, a Alarm) error {
	return c.call(ctx, fmt.Sprintf("disarm %s of member %x", a.Kind, a.Member), func(ctx context.Context) error {
		kind, ok := etcdserverpb.AlarmType_value[a.Kind]
		if !ok || kind == 0 || a.Member == 0 { // zero would mean all of them
			return fmt.Errorf("no such alarm can be raised")
		}
		_, err := c.Etcd.AlarmDisarm(ctx, &clientv3.AlarmMember{MemberID: a.Member, Alarm: etcdserverpb.AlarmType(kind)})
		return err
	})
}

// Compact forgets the history before the revision that a quorum has now, and
// returns that revision. It comes back when the space is free for new data.
func (c *Client) Compact(ctx context.Context) (revision int64, err error) {
	err = c.call(ctx, "compact", func(ctx context.Context) error {
		r, err := c.Etcd.Get(ctx, "health")
		if err != nil {
			return err
		}
		revision = r.Header.Revision
		_, err = c.Etcd.Compact(ctx, revision, clientv3.WithCompactPhysical())
		if errors.Is(err, rpctypes.ErrCompacted) {
			return nil
		}
		return err
	})
	return revision, err
}

// Defragment gives the space of deleted entries back to the disk. The member
// answers nothing meanwhile, for about a second per 100 MB; so it has no
// deadline but the context's, and never two members at once.
func (c *Client) Defragment(ctx context.Context) error {
	_, err := c.Etcd.Defragment(ctx, "https://"+c.endpoint)
	return c.explain("defragment", err)
}

// Snapshot writes the member's database to w and returns its size. etcd puts a
// SHA-256 of it at the end, which is checked on the way; what an error leaves
// in w is no snapshot. It has no deadline but the context's.
func (c *Client) Snapshot(ctx context.Context, w io.Writer) (int64, error) {
	n, err := c.snapshot(ctx, w)
	return n, c.explain("take a snapshot", err)
}

func (c *Client) snapshot(ctx context.Context, w io.Writer) (int64, error) {
	r, err := c.Etcd.SnapshotWithVersion(ctx)
	if err != nil {
		return 0, err
	}
	defer r.Snapshot.Close()
	var check TrailingSum
	n, err := io.Copy(io.MultiWriter(w, &check), r.Snapshot)
	if err != nil {
		return n, err
	}
	if n%512 != sha256.Size { // the database is whole pages, the sum comes after
		return n, fmt.Errorf("the snapshot was cut short after %d bytes: take it again", n)
	}
	return n, check.Err()
}

// TrailingSum hashes all but the last 32 bytes written, and compares those.
type TrailingSum struct {
	body []byte // written, not yet known to be before the trailer
	hash interface {
		io.Writer
		Sum([]byte) []byte
	}
}

func (t *TrailingSum) Write(p []byte) (int, error) {
	if t.hash == nil {
		t.hash = sha256.New()
	}
	t.body = append(t.body, p...)
	if cut := len(t.body) - sha256.Size; cut > 0 {
		t.hash.Write(t.body[:cut])
		t.body = slices.Clone(t.body[cut:])
	}
	return len(p), nil
}

func (t *TrailingSum) Err() error {
	if t.hash == nil || !bytes.Equal(t.hash.Sum(nil), t.body) {
		return errors.New("the snapshot does not match its own checksum: take it again")
	}
	return nil
}
