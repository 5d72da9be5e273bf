package step

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/workload"
)

// Env is what the real half of a step works with.
type Env struct {
	Host         host.Host // the step's host
	Goal         *goal.Goal
	Have         model.Cluster              // as observed before the stage
	Files        map[string][]byte          // certificates that lie on the host
	Shared       *pki.Shared                // the cluster's keys, in memory; nil before they exist
	Joined       bool                       // the kubelet has a client certificate
	CrashLooping func(model.Component) bool // a service of the host is crash-looping
	// Listed are etcd's members as the hosts that they were seen to belong to.
	Listed map[model.HostID]etcd.Member
	// DataOf is the etcd cluster that the host's data is of, LivingEtcd the one
	// that serves; "": none, or not known.
	DataOf, LivingEtcd string
	// Past are the signed lines about superseded etcd clusters, by their id.
	Past map[string]etcd.Superseded
	// Fence are the addresses that the host's etcd does not let in, by host.
	Fence map[model.HostID][]string
	// Recovery is the one that is wanted of the host, or recorded there.
	Recovery goal.Recovery
	// Departed reads the hosts that left the file and are not forgotten yet.
	Departed func(context.Context, *kubeapi.Client) ([]kubeapi.Departed, error)

	// Drain is how long, and how, pods are moved away.
	Drain Draining

	// On is another host, or nil when it is not connected.
	On func(model.HostID) host.Host
	// API is a client of an API server that serves, Etcd of a member that has
	// quorum; EtcdOn of one host's own member.
	API    func(context.Context) (*kubeapi.Client, error)
	Etcd   func(context.Context) (*etcd.Client, error)
	EtcdOn func(context.Context, model.HostID) (*etcd.Client, error)
	// Say tells people something.
	Say func(format string, args ...any)
	// Progress tells how many of the bytes that the step sends are sent; nil: nobody asks.
	Progress func(done, total int64)
	// Keep tells where the old content of a path is, which was replaced.
	Keep func(path, at string)
}

// Kept is what was replaced on a host, and where the old content is.
type Kept struct {
	Host model.HostID `json:"host"`
	Path string       `json:"path"` // or what it was, in words
	At   string       `json:"at"`
}

func (k Kept) String() string { return fmt.Sprintf("%s: kept the old %s at %s", k.Host, k.Path, k.At) }

// ErrNotYet is what Do returns when it must be called again a little later.
var ErrNotYet = errors.New("not yet")

// goal is what the file wants of a host.
func (o on) goal(e Env) (*goal.Host, error) {
	h, ok := e.Goal.Hosts[o.ID]
	if !ok {
		return nil, fmt.Errorf("%s is not in the file", o.ID)
	}
	return h, nil
}

// write brings files onto the host, and tells where the old ones are.
func write(ctx context.Context, e Env, files []host.File) error {
	kept, err := e.Host.WriteFiles(ctx, files)
	if err != nil {
		return err
	}
	for i, k := range kept {
		if k != "" && i < len(files) {
			e.Keep(files[i].Path, k)
		}
	}
	return nil
}

// refreshCopies brings the copies of the host's installed services up to date,
// after files of root's were written.
func refreshCopies(ctx context.Context, e Env, h *goal.Host) error {
	var installed []*workload.Service
	have := e.Have.Hosts[model.HostID(e.Host.Name())]
	for v, s := range h.Services {
		if !have.Components[v].Disk.Is("") {
			installed = append(installed, s)
		}
	}
	return workload.RefreshCopies(ctx, e.Host, installed)
}

// sh runs a short script on the host; values go in as $1, $2, …
func sh(ctx context.Context, e Env, unit, script string, args ...string) (string, error) {
	return host.Output(ctx, e.Host, host.Script{What: "sh -eu " + strings.Join(strings.Fields(script), " "), Text: "set -eu\n" + script,
		Args: args, Unit: unit})
}
