package step_test

import (
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/model"
)

// satisfied says whether a state is what the file wants, without asking the
// rules.
func satisfied(c, want model.Cluster) bool { return missing(c, want) == "" }

// missing lists what a state lacks of the goal.
func missing(c, want model.Cluster) string {
	var out []string
	for _, id := range want.IDs() {
		h, w := c.Hosts[id], want.Hosts[id]
		differs := func(what string, same bool) {
			if !same {
				out = append(out, fmt.Sprintf("%s: %s", id, what))
			}
		}
		differs("packages", h.Packages.Is(model.Set[string]{}))
		differs("system", model.Same(h.System, w.System))
		differs("binaries", model.Same(h.Binaries, w.Binaries))
		differs("images", model.Same(h.Images, w.Images))
		differs("keys", model.Same(h.Keys, w.Keys))
		differs("certs", model.Same(h.Certs, w.Certs))
		for s := range model.NumComponents {
			if w.Components[s].Disk.Or("") == "" {
				differs(s.String()+" should not run", !h.Runs(s))
			} else {
				differs(s.String(), model.Same(h.Components[s].Disk, w.Components[s].Disk) &&
					model.Same(h.Components[s].Running, w.Components[s].Running))
			}
		}
		e := h.Etcd
		differs("recovery", e.Recovery.Chosen.ID == "" && !e.Recovery.Staged && !e.Recovery.Aside)
		e.Recovery, e.Superseded = model.RecoveryState{}, model.Set[string]{} // what stays of one does not matter
		differs("etcd", w.Etcd == model.EtcdState{} && !h.Etcd.Member.Not(model.NoMember) || e == w.Etcd)
		if w.Roles.Has(model.ControlPlane) {
			differs("name in its certificate", h.ServesName.Is(true))
			differs("API server", h.Ready.Is(true) && model.Same(h.EtcdVia, w.EtcdVia))
		}
		differs("server in admin.conf", !w.AdminServer.Known() || model.Same(h.AdminServer, w.AdminServer))
		differs("kube-proxy's server", h.ProxyServer.Or("") == "" || !model.Differs(h.ProxyServer, w.ProxyServer))
		if w.Roles.Node() {
			differs("front door", model.Same(h.Backends, w.Backends) && model.Same(h.EtcdBackends, w.EtcdBackends))
			differs("node", h.Node == w.Node)
		}
	}
	for _, id := range c.IDs() {
		if _, wanted := want.Hosts[id]; !wanted && !c.Hosts[id].Clean.Is(true) {
			out = append(out, string(id)+": not gone")
		} else if !wanted && c.Hosts[id].Departed.Is(true) {
			out = append(out, string(id)+": not forgotten")
		}
	}
	is, shall := c.Published, want.Published
	for what, of := range map[string][2]model.Known[string]{"cluster-info": {is.ClusterInfo, shall.ClusterInfo},
		"kube-proxy": {is.KubeProxy, shall.KubeProxy}, "kubeadm-config": {is.KubeadmConfig, shall.KubeadmConfig}} {
		if of[1].Known() && !model.Same(of[0], of[1]) {
			out = append(out, what+" names "+of[0].String())
		}
	}
	for name, digest := range want.Addons {
		if off := digest.Is(model.Installed{}); off && c.Addons[name].Not(model.Installed{}) || !off && !model.Same(c.Addons[name], digest) {
			out = append(out, "addon "+name)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
