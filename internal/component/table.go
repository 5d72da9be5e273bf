package component

import (
	"net"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

// Traits is what is the same of a component on every host.
type Traits struct {
	// On says which hosts run it.
	On     func(Context) bool
	Render Renderer
	Pod    Renderer // as a static pod; nil: it cannot be one
	Made   Renderer // as a static pod that kubeadm writes; nil: it writes none
	Watch  workload.Watch
	// Stamp is a command that prints what it has read, for what has no process
	// that tells.
	Stamp func(layout.Layout) string
	// Asks are questions that it answers over HTTP while it runs.
	Asks func(layout.Layout) []workload.Ask
}

// Table has an entry for each component.
var Table = [model.NumComponents]Traits{
	model.Containerd: {On: onNodes, Render: Containerd},
	model.Etcd: {On: onMembers, Render: etcdOfHost, Pod: etcdPod, Made: etcdMade, Asks: etcdAsks,
		Watch: workload.Watch{ServesStarting: true}},
	model.APIServer: {On: onControlPlanes, Render: APIServer, Pod: apiServerPod, Made: apiServerMade,
		Asks: readyz},
	model.ControllerManager: {On: onControlPlanes, Render: ControllerManager, Made: controllerManagerMade,
		Watch: workload.Watch{Silent: true}},
	model.Scheduler:  {On: onControlPlanes, Render: Scheduler, Made: schedulerMade, Watch: workload.Watch{Silent: true}},
	model.FrontDoor:  {On: nginxNodes, Render: FrontDoor, Stamp: frontDoorStamp, Asks: frontDoorAsks, Watch: workload.Watch{Drains: true}},
	model.Balancer:   {On: builtinNodes, Render: Balancer, Stamp: balancerStamp, Asks: balancerAsks, Watch: workload.Watch{Drains: true}},
	model.HAProxy:    {On: onLoadBalancers, Render: HAProxy, Stamp: haproxyStamp, Asks: haproxyAsks, Watch: workload.Watch{Drains: true}},
	model.Keepalived: {On: onLoadBalancers, Render: Keepalived, Stamp: keepalivedStamp, Watch: workload.Watch{Drains: true}},
	model.PodNetwork: {On: bridgedNodes, Render: PodNetwork, Stamp: routesStamp},
	model.Kubelet:    {On: onNodes, Render: Kubelet, Watch: workload.Watch{Silent: true}},
	model.KubeProxy:  {On: proxyNodes, Render: KubeProxy, Watch: workload.Watch{Silent: true}},
}

func local(port, path string) string { return "http://" + net.JoinHostPort("127.0.0.1", port) + path }

// etcdAsks: has it quorum, and can it read what it has? An alarm of one member makes
// its health false on all; with NOSPACE they still read and vote.
func etcdAsks(at layout.Layout) []workload.Ask {
	return []workload.Ask{{URL: local(at.Etcd.MetricsPort, "/health?exclude=NOSPACE"), Seconds: 2},
		{URL: local(at.Etcd.MetricsPort, "/health?serializable=true&exclude=NOSPACE&exclude=CORRUPT"), Seconds: 2}}
}

func readyz(at layout.Layout) []workload.Ask {
	return []workload.Ask{{URL: at.APIServer.URL("127.0.0.1") + "/readyz", Seconds: 3}}
}

func frontDoorAsks(at layout.Layout) []workload.Ask {
	return []workload.Ask{{URL: local(at.FrontDoor.HealthPort, "/quorate"), Seconds: 2}}
}

func frontDoorStamp(at layout.Layout) string { return "said " + at.Unit(model.FrontDoor) + ".1" }

func balancerAsks(at layout.Layout) []workload.Ask {
	return []workload.Ask{{URL: local(at.Balancer.HealthPort, "/healthz"), Seconds: 2}}
}

func balancerStamp(at layout.Layout) string {
	return "l=$(said " + at.Unit(model.Balancer) + `.1) && case $l in *'"stamp":"'*) l=${l#*'"stamp":"'}; echo "${l%%'"'*}" ;; esac`
}

func routesStamp(at layout.Layout) string {
	return "[ -f " + at.PodNetwork.Applied + " ] && read -r k l <" + at.PodNetwork.Applied + ` && [ "$k" = '#' ] && echo "$l"`
}

// Watched is how the components of a host are told, in their order.
func Watched(at layout.Layout) []workload.Watch {
	var out []workload.Watch
	for v, t := range Table {
		t.Watch.Name = at.Unit(model.Component(v))
		if t.Stamp != nil {
			t.Watch.Stamp = t.Stamp(at)
		}
		if t.Asks != nil {
			t.Watch.Asks = t.Asks(at)
		}
		out = append(out, t.Watch)
	}
	return out
}

func isNode(n topology.Node) bool { return n.ControlPlane || n.Worker }

func onNodes(c Context) bool         { return isNode(c.Self) }
func nginxNodes(c Context) bool      { return isNode(c.Self) && c.nginx() }
func builtinNodes(c Context) bool    { return c.Builtin() && (isNode(c.Self) || c.Holds()) }
func bridgedNodes(c Context) bool    { return isNode(c.Self) && c.bridged() }
func proxyNodes(c Context) bool      { return isNode(c.Self) && !c.Layout.Kubeadm } // else a DaemonSet
func onControlPlanes(c Context) bool { return c.Self.ControlPlane }
func onMembers(c Context) bool       { return c.Self.Etcd }
func onLoadBalancers(c Context) bool {
	return c.Self.LoadBalancer && c.Spec.LoadBalancer.Kind == spec.HAProxyBalancer
}
