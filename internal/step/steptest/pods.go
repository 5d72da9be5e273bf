package steptest

import "quorate.dev/quorate/internal/model"

// Pods is a cluster whose etcd and API servers are static pods.
func Pods(c model.Cluster) model.Cluster {
	c = c.Clone()
	for _, id := range c.IDs() {
		c.Edit(id, func(h *model.Host) {
			for _, v := range []model.Component{model.Etcd, model.APIServer} {
				if h.Components[v].Disk.Or("") != "" {
					h.Components[v].Pod = true
				}
			}
		})
	}
	return c
}
