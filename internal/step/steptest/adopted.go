package steptest

import (
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/workload"
)

// Adopted is what others have made of the hosts of c, and a goal for it: their
// runtimes, kubelets and documents stay as they were found. Nothing bears a mark yet.
func Adopted(c, want model.Cluster) (model.Cluster, model.Cluster) {
	c, want = c.Clone(), want.Clone()
	found := func(h *model.Host) {
		h.Binaries, h.Images = model.Is(workload.AsFound), model.Is(model.Set[string]{})
		for _, v := range []model.Component{model.Containerd, model.Kubelet} {
			h.Components[v] = model.ComponentState{Disk: model.Is(workload.AsFound), Running: model.Is(workload.AsFound)}
		}
	}
	there := map[model.HostID]bool{}
	for _, id := range c.IDs() {
		c.Edit(id, func(h *model.Host) {
			if h.Marked = model.Is(false); h.Runs(model.Kubelet) {
				there[id], h.Found, h.System = true, true, model.Valid("names")
				found(h)
			}
			h.Components[model.PodNetwork] = model.ComponentState{Disk: model.Is(""), Running: model.Is("")}
		})
	}
	for _, id := range want.IDs() {
		want.Edit(id, func(h *model.Host) {
			if h.Marked = model.Is(true); there[id] {
				found(h)
				if h.Components[model.FrontDoor].Disk.Or("") == "" { // it stays with what it uses
					h.Via = c.Hosts[id].Via
				}
			}
			if there[id] && h.Components[model.FrontDoor].Disk.Or("") == "" {
				h.System = model.Valid("names")
			}
			h.Components[model.PodNetwork] = model.ComponentState{}
		})
	}
	for _, name := range []string{"coredns", "metrics-server"} {
		delete(c.Addons, name)
		delete(want.Addons, name)
	}
	for _, name := range []string{"kubeadm", "kube-proxy"} {
		c.Addons[name], want.Addons[name] = model.Valid(workload.AsFound), model.Valid(workload.AsFound)
	}
	c.Addons["cluster"], c.Addons["rbac"] = model.NotInstalled(), model.NotInstalled()
	c.Adopted, want.Adopted = true, true
	return c, want
}
