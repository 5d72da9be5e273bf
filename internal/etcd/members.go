package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// ErrNotCaughtUp says that a learner is not yet in step with the leader and
// cannot be promoted: ask again later.
var ErrNotCaughtUp = errors.New("the learner has not caught up with the leader yet")

// ErrNotSettled says that etcd refuses a change of members because it has not
// been connected to all of them, or to enough, for five seconds: ask again, or
// repair the member that is down (etcd's --strict-reconfig-check).
var ErrNotSettled = errors.New("etcd refuses the change until its members have been connected for five seconds")

// settled turns etcd's refusals into ErrNotSettled.
func settled(err error) error {
	if errors.Is(err, rpctypes.ErrUnhealthy) || errors.Is(err, rpctypes.ErrMemberNotEnoughStarted) {
		return fmt.Errorf("%w (%w)", ErrNotSettled, err)
	}
	return err
}

// Member is one member as etcd's own list has it.
type Member struct {
	ID         uint64
	Name       string // empty until it has started for the first time
	PeerURLs   []string
	ClientURLs []string
	Learner    bool
}

// Started says whether the member was ever up. One that was added and never
// started counts for the quorum all the same, unless it is a learner.
func (m Member) Started() bool { return m.Name != "" }

// HexID is the id as etcdctl and etcd's log write it.
func (m Member) HexID() string { return fmt.Sprintf("%x", m.ID) }

// Members is the member list, agreed upon by a quorum.
func (c *Client) Members(ctx context.Context) ([]Member, error) {
	return c.members(ctx, "list members")
}

// MembersLocal is the member list as this one member has it: possibly stale,
// but answered without a quorum.
func (c *Client) MembersLocal(ctx context.Context) ([]Member, error) {
	return c.members(ctx, "list members as this one knows them", clientv3.WithSerializable())
}

func (c *Client) members(ctx context.Context, doing string, opts ...clientv3.OpOption) (out []Member, err error) {
	err = c.call(ctx, doing, func(ctx context.Context) error {
		resp, err := c.Etcd.MemberList(ctx, opts...)
		if err == nil {
			out = convert(resp.Members)
		}
		return err
	})
	return out, err
}

// ClusterID is the id that all members of one cluster share. It needs no
// quorum.
func (c *Client) ClusterID(ctx context.Context) (id uint64, err error) {
	err = c.call(ctx, "read cluster id", func(ctx context.Context) error {
		resp, err := c.Etcd.MemberList(ctx, clientv3.WithSerializable())
		if err == nil {
			id = resp.Header.ClusterId
		}
		return err
	})
	return id, err
}

// AddLearner adds a member that does not vote, by its peer URL. A member that
// is there already is returned as it is (see Learner: it may be a voter), so
// that the call can be repeated. ErrNotSettled right after another change.
func (c *Client) AddLearner(ctx context.Context, peerURL string) (m Member, err error) {
	err = c.call(ctx, "add learner "+peerURL, func(ctx context.Context) error {
		resp, err := c.Etcd.MemberAddAsLearner(ctx, []string{peerURL})
		switch {
		case err == nil:
			m = convert([]*etcdserverpb.Member{resp.Member})[0]
			return nil
		case !errors.Is(err, rpctypes.ErrPeerURLExist) && !errors.Is(err, rpctypes.ErrMemberExist):
			return settled(err)
		}
		list, listErr := c.Etcd.MemberList(ctx)
		if listErr != nil {
			return fmt.Errorf("%w, and to list members: %w", err, listErr)
		}
		for _, have := range convert(list.Members) {
			if slices.Contains(have.PeerURLs, peerURL) {
				m = have
				return nil
			}
		}
		return err
	})
	return m, err
}

// Promote makes a learner a voter; nothing when it is one. ErrNotCaughtUp
// while it has less than nine tenths of the leader's log: etcd asks for no
// more, so compare Status.Applied of both for the rest. Best asked of the
// leader, for another member forwards it and hides what went wrong.
func (c *Client) Promote(ctx context.Context, id uint64) error {
	return c.call(ctx, fmt.Sprintf("promote member %x", id), func(ctx context.Context) error {
		_, err := c.Etcd.MemberPromote(ctx, id)
		switch {
		case errors.Is(err, rpctypes.ErrMemberNotLearner):
			return nil
		case !errors.Is(err, rpctypes.ErrMemberLearnerNotReady):
			return settled(err)
		}
		// etcd says so of a voter that lags, too (isLearnerReady asks for
		// progress before it asks what the member is).
		list, err := c.Etcd.MemberList(ctx)
		if err != nil {
			return err
		}
		for _, m := range convert(list.Members) {
			if m.ID == id && !m.Learner {
				return nil
			}
		}
		return ErrNotCaughtUp
	})
}

// Remove takes a member out; nothing when it is out. etcd itself refuses what
// would leave too few started members (--strict-reconfig-check).
func (c *Client) Remove(ctx context.Context, id uint64) error {
	return c.call(ctx, fmt.Sprintf("remove member %x", id), func(ctx context.Context) error {
		_, err := c.Etcd.MemberRemove(ctx, id)
		if errors.Is(err, rpctypes.ErrMemberNotFound) {
			return nil
		}
		return settled(err)
	})
}

// MoveLeader makes another member the leader. Only the leader itself can be
// asked, so c must be a client of it.
func (c *Client) MoveLeader(ctx context.Context, to uint64) error {
	return c.call(ctx, fmt.Sprintf("move leader to %x", to), func(ctx context.Context) error {
		_, err := c.Etcd.MoveLeader(ctx, to)
		return err
	})
}

func convert(in []*etcdserverpb.Member) []Member {
	var out []Member
	for _, m := range in {
		out = append(out, Member{ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, Learner: m.IsLearner})
	}
	slices.SortFunc(out, func(a, b Member) int {
		if a.Name != b.Name {
			if a.Name < b.Name {
				return -1
			}
			return 1
		}
		return slices.Compare(a.PeerURLs, b.PeerURLs)
	})
	return out
}
