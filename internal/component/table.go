package component

import (
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

// Traits is what is the same of a component on every host.
type Traits struct {
	// On says which hosts run it.
	On     func(Context) bool
	Render Renderer
	// Ports are those that it listens on, which nobody else may have.
	Ports []string
	Watch workload.Watch
}

// Table has an entry for each component.
var Table = [model.NumComponents]Traits{
	model.Containerd:        {On: onNodes, Render: Containerd},
	model.Etcd:              {On: onMembers, Render: etcdOfHost, Ports: []string{"2379", "2380", "2381"}, Watch: workload.Watch{ServesStarting: true}},
	model.APIServer:         {On: onControlPlanes, Render: APIServer, Ports: []string{APIServerPort}},
	model.ControllerManager: {On: onControlPlanes, Render: ControllerManager, Ports: []string{"10257"}, Watch: workload.Watch{Silent: true}},
	model.Scheduler:         {On: onControlPlanes, Render: Scheduler, Ports: []string{"10259"}, Watch: workload.Watch{Silent: true}},
	model.FrontDoor:         {On: onNodes, Render: FrontDoor, Ports: []string{"8081"}, Watch: workload.Watch{Stamp: "curl -s -m 2 http://" + FrontDoorHealth + "/quorate"}},
	model.PodNetwork:        {On: bridgedNodes, Render: PodNetwork, Watch: workload.Watch{Stamp: "sed -n '1s/^# *//p' " + RoutesApplied + " 2>/dev/null"}},
	model.Kubelet:           {On: onNodes, Render: Kubelet, Ports: []string{"10250", "10248"}, Watch: workload.Watch{Silent: true}},
	model.KubeProxy:         {On: onNodes, Render: KubeProxy, Ports: []string{"10256", "10249"}, Watch: workload.Watch{Silent: true}},
}

// Watched is how the components of a host are told, in their order.
func Watched() []workload.Watch {
	var out []workload.Watch
	for v, t := range Table {
		t.Watch.Name = model.Component(v).String()
		out = append(out, t.Watch)
	}
	return out
}

func isNode(n topology.Node) bool { return n.ControlPlane || n.Worker }

func onNodes(c Context) bool         { return isNode(c.Self) }
func bridgedNodes(c Context) bool    { return isNode(c.Self) && c.bridged() }
func onControlPlanes(c Context) bool { return c.Self.ControlPlane }
func onMembers(c Context) bool       { return c.Self.Etcd }
