package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
)

// NotForgottenError is why a host is not forgotten.
type NotForgottenError struct {
	Host model.HostID
	Why  string
}

func (n NotForgottenError) Error() string {
	return fmt.Sprintf("%s is not forgotten: %s", n.Host, n.Why)
}

// Forgettable finds a host among those that left the file. It is an error when
// something else is to be done about it than to forget it.
func Forgettable(ob *observe.Observation, id model.HostID) (kubeapi.Departed, error) {
	no := func(format string, args ...any) (kubeapi.Departed, error) {
		return kubeapi.Departed{}, NotForgottenError{id, fmt.Sprintf(format, args...)}
	}
	if _, named := ob.Goal.File.Host(string(id)); named {
		return no("the file names it; take it out of the file and apply first")
	}
	if ob.API.Err != nil {
		return no("the list of removed hosts could not be read: %v", ob.API.Err)
	}
	h, left := ob.Have.Hosts[id], kubeapi.Departed{}
	var others []string
	for _, d := range ob.API.Departed {
		if d.Name == string(id) {
			left = d
		} else {
			others = append(others, d.Name)
		}
	}
	obstacle, seen := h.Obstacle.Get()
	switch {
	case h.Etcd.Member.Not(model.NoMember):
		return no("it is still a member of etcd; apply first, which removes it")
	case !h.Etcd.Member.Known():
		return no("it is not known whether it is a member of etcd: %s", h.Etcd.Member.Why())
	case h.Node.Registered.Is(true):
		return no("it is still a node; apply first, which deletes that")
	case left.Name == "" && len(others) == 0:
		return no("the cluster tracks no removed host")
	case left.Name == "":
		return no("the cluster does not track it; it tracks %s", strings.Join(others, ", "))
	case ob.API.Named(id):
		return no("the file that was applied last still names it; apply first")
	case h.Up() && !(seen && obstacle != ""): // what is not ours any more is never cleaned
		return no("it answers; apply cleans it and then forgets it")
	}
	return left, nil
}

// Forget takes a host off the list of those that left. The caller holds the
// lock and has asked Forgettable.
func (e *Engine) Forget(ctx context.Context, ob *observe.Observation, id model.HostID) error {
	c, err := e.env(ob, id).API(ctx)
	if err != nil {
		return err
	}
	if err := c.DropDeparted(ctx, string(id)); err != nil {
		return err
	}
	list, err := c.Departed(ctx)
	if err != nil {
		return err
	}
	for _, d := range list {
		if d.Name == string(id) {
			return errors.New("it was taken off the list of removed hosts and is on it again: is another quorate running?")
		}
	}
	return nil
}
