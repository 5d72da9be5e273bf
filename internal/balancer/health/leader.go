package health

// led notes who leads, as b says. A member hands writes on to the leader that it
// knows. If that one falls silent they are lost, and etcd answers them after its
// own time-out only (7 s with its defaults). So once b follows another leader
// while the old one is gone, its sessions are reset: clients get an error now, and
// send anew. A leader that handed over and is well got everything, so nothing is
// reset then; nor when who led is not known.
func (m *Machine) led(b *backend, a Answer) {
	before := b.leader
	b.self, b.leader = a.Self, a.Leader
	if before == "" || a.Leader == "" || before == a.Leader || before == a.Self {
		return
	}
	for _, old := range m.backends {
		if old != b && old.self == before && old.state == Gone {
			m.do.Reset = append(m.do.Reset, b.name)
			return
		}
	}
}
