package step

import (
	"errors"

	"quorate.dev/quorate/internal/model"
)

var containerd = traits{
	group:       foundation,
	uncertified: true,
	stays:       true,
	ready: func(s Run, c model.Cluster, h model.Host) error {
		if h.Components[model.Containerd].Disk.Is("") {
			return s.afterAPI(c)
		}
		return nil
	},
}

// afterAPI: while no API server of the cluster answers, a control plane's own
// comes first. Starting a runtime and unpacking images takes CPU and disk from
// etcd's first election and the API server's start, and nothing needs them yet,
// unless these are pods.
func (o on) afterAPI(c model.Cluster) error {
	if !hasPods(o.Want) && o.Want.Roles.Has(model.ControlPlane) && len(c.Serving()) == 0 {
		return errors.New("no API server answers yet; its own starts first")
	}
	return nil
}
