package step

import "quorate.dev/quorate/internal/model"

var balancer = traits{
	group:   foundation,
	reloads: true,
	ready:   func(s Run, c model.Cluster, h model.Host) error { return s.doorReady(c, h, true) },
	fits: func(have, want *model.Host) bool {
		return model.Same(have.Backends, want.Backends) && model.Same(have.EtcdBackends, want.EtcdBackends) && !have.EtcdStale
	},
	runs: func(h, want *model.Host) {
		h.Backends, h.EtcdBackends, h.EtcdStale = want.Backends, want.EtcdBackends, false
	},
	halts: asksOldCluster,
}

// asksOldCluster: an API server that has served an etcd cluster which was
// superseded remembers what that held. It ends before its way leads to the new
// one.
func asksOldCluster(have, _ *model.Host) []model.Component {
	if have.EtcdStale && have.Runs(model.APIServer) {
		return []model.Component{model.APIServer}
	}
	return nil
}
