package observe

import (
	"reflect"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
)

// The way to the pods of a host that leaves is known by the routes of others.
func TestLeavingNature(t *testing.T) {
	o, _ := observer(t, nil)
	const conflist = `{"plugins":[{"ipam":{"ranges":[[{"subnet":"10.244.7.0/24"}]]}}]}`
	seen := func(old1 Facts) goal.HostTraits {
		o.facts = map[model.HostID]Facts{"cp1": {Routes: "# x\nroute flush proto 117\nroute replace 10.244.7.0/24 via 192.0.2.7 proto 117"},
			"old1": old1}
		return o.hostTraits()["old1"]
	}
	if got := seen(Facts{Conflist: conflist}); !reflect.DeepEqual(got, goal.HostTraits{PodCIDR: "10.244.7.0/24", Address: "192.0.2.7"}) {
		t.Errorf("one that answers: %+v", got)
	}
	if got := seen(Facts{Conflist: conflist, Err: host.ErrUnreachable}); !reflect.DeepEqual(got, goal.HostTraits{PodCIDR: "10.244.7.0/24"}) {
		t.Errorf("one that does not answer any more: %+v", got)
	}
	if got := seen(Facts{}); !reflect.DeepEqual(got, goal.HostTraits{}) {
		t.Errorf("one that is clean: %+v", got)
	}
}

// The exploits: root on a worker writes a share of its own choice, that of
// another host, or another's routes.
func TestForgedShares(t *testing.T) {
	conflist := func(cidr string) string { return `{"plugins":[{"ipam":{"ranges":[[{"subnet":"` + cidr + `"}]]}}]}` }
	for name, cidr := range map[string]string{"half of the world": "0.0.0.0/1", "another's": "10.244.1.0/24", "all pods": "10.244.0.0/16"} {
		o, _ := observer(t, nil)
		w1 := o.File.Spec.Hosts[0]
		w1.Name, w1.Address, w1.Roles = "a-worker", "192.0.2.66", []string{"worker"}
		o.File.Spec.Hosts = append(o.File.Spec.Hosts, w1)
		o.facts = map[model.HostID]Facts{"cp1": {Conflist: conflist("10.244.0.0/24"), Routes: "route replace 10.244.1.0/24 via 192.0.2.2"},
			"cp2": {Conflist: conflist("10.244.1.0/24")}, "cp3": {Conflist: conflist("10.244.2.0/24")},
			"a-worker": {Conflist: conflist(cidr), Routes: "route replace 0.0.0.0/1 via 192.0.2.2\nroute replace 10.244.1.0/24 via 192.0.2.66"}}
		for _, cp2 := range []Facts{o.facts["cp2"], {Err: host.ErrUnreachable}} {
			o.facts["cp2"] = cp2
			for _, api := range []bool{false, true} {
				if api {
					o.learn(APIView{Nodes: map[model.HostID]kubeapi.NodeStatus{"cp2": {PodCIDR: "10.244.1.0/24"}, "a-worker": {PodCIDR: "10.244.7.0/24"}}})
				}
				g, err := o.goal(o.hostTraits())
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range g.Hosts["cp1"].Services[model.PodNetwork].Rendered() {
					if text := string(f.Content); strings.Contains(text, "route replace") && (!strings.Contains(text, "10.244.1.0/24 via 192.0.2.2 ") ||
						strings.Contains(text, "/1 via") || strings.Contains(text, "/16 via")) {
						t.Errorf("%s, API %t: cp1 gets\n%s", name, api, text)
					}
				}
				if got := g.Hosts["cp2"].Node.PodCIDR; got != "10.244.1.0/24" || g.LeftOut["cp2"] != "" {
					t.Errorf("%s, API %t: cp2 gets %s, %q", name, api, got, g.LeftOut)
				}
				if left := g.LeftOut["a-worker"] != ""; left != (cidr == "10.244.1.0/24" && !api) {
					t.Errorf("%s, API %t: left out are %q", name, api, g.LeftOut)
				}
			}
			o.nodes = nil
		}
	}
}
