package step

import (
	"context"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
)

// traits is all that step Run and the rules know of one component: what it
// needs, what it changes in the model, and how much its restart costs. What is
// not set changes nothing. Each component has its entry in a file of its own.
type traits struct {
	group       group
	seconds     int  // a restart takes, from its stop until it serves again, as measured on lab hosts of a busy machine
	vital       bool // its restart stops what the cluster relies on: one host at a time
	uncertified bool // it needs no certificate of the host
	stays       bool // on a host that leaves it goes on until the host is cleaned
	reloads     bool // a change never stops it, once it runs, but where turns says so

	// ready is what it needs before it may start or change.
	ready func(Run, model.Cluster, model.Host) error
	// fits says that it does what it should, besides running with the wanted
	// configuration; wrong is what is said where it does not, "" for a
	// sentence that is always true.
	fits  func(have, want *model.Host) bool
	wrong func(have *model.Host) string
	// runs and stopped write what else is true of its host once it runs, and
	// while it is stopped.
	runs    func(h, want *model.Host)
	stopped func(*model.Host)
	// turns says that a change of what reloads takes a restart.
	turns func(have, want *model.Host) bool
	// halts are the components that must not run while it changes.
	halts func(have, want *model.Host) []model.Component
	// once are the files that it needs at its first start only.
	once func(Run, context.Context, Env, *goal.Host) ([]host.File, error)
}

// group names the components that one step may bring up together, in their
// order. Etcd and the API server stand alone, since the whole cluster depends
// on them.
type group int

const (
	foundation group = iota
	etcdAlone
	apiServerAlone
	controllers
	nodeAgents
	numGroups
)

// table has an entry for each component.
var table = [model.NumComponents]traits{
	model.Containerd:        containerd,
	model.Etcd:              etcdMember,
	model.APIServer:         apiServer,
	model.ControllerManager: controllerManager,
	model.Scheduler:         scheduler,
	model.FrontDoor:         frontDoor,
	model.Balancer:          balancer,
	model.HAProxy:           haproxy,
	model.Keepalived:        keepalived,
	model.PodNetwork:        podNetwork,
	model.Kubelet:           kubelet,
	model.KubeProxy:         kubeProxy,
}

// turns says that a component that runs and reloads must restart nevertheless.
func turns(have, want *model.Host, v model.Component) bool {
	return table[v].turns != nil && table[v].turns(have, want)
}

// fits says that a component is as wanted, on the disk and running.
func fits(have, want *model.Host, v model.Component) bool {
	h, w := have.Components[v], want.Components[v]
	return model.Same(h.Disk, w.Disk) && model.Same(h.Running, w.Running) && (table[v].fits == nil || table[v].fits(have, want))
}
