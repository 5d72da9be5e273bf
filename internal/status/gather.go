package status

import (
	"cmp"
	"fmt"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/units"
)

// farOff is a clock that is worth a word.
const farOff = 2 * time.Second

func (s *Status) hosts(ob *observe.Observation, changes map[model.HostID]int) {
	if unmarked := unmarkedHosts(ob.Have); len(unmarked) > 0 {
		s.note("adopted, and nothing was changed yet: %s bear no mark of the cluster (another file could name them, and an "+
			"emptied host could be taken for a founder of etcd), and the cluster does not keep its file; "+
			"that comes with the first change", list(unmarked))
	}
	for _, id := range ob.IDs() {
		f, m := ob.Facts[id], ob.Have.Hosts[id]
		h := Host{Name: id, Roles: []string{}, Address: m.Address, Reached: f.Err == nil, OS: f.OS, Kernel: f.Kernel,
			Offset: units.Seconds(f.Offset),
			Units:  []Unit{}}
		if s.ChangeWhy == "" {
			n := changes[id]
			h.Changes = &n
		}
		wanted, ok := ob.Goal.File.Host(string(id))
		h.Roles = append(h.Roles, wanted.Roles...)
		switch {
		case f.Err != nil && !ok:
			h.Why = host.Reason(f.Err, string(id))
			if _, left := ob.API.Left(id); left {
				s.note("%s was removed from the file and has not been seen clean: %s; bring it back and apply, or quorate forget %s", id,
					h.Why, id)
			} else {
				s.note("%s: %s", id, h.Why)
			}
		case !ok && m.Clean.Is(false) && m.Obstacle.Is(""):
			s.note("%s was removed from the file and is not clean yet: run quorate apply", id)
		case f.Err != nil:
			h.Why = host.Reason(f.Err, string(id))
			s.problem("%s could not be reached: %s", id, h.Why)
		default:
			h.Why = cmp.Or(m.Obstacle.Or(""), m.LeftOut)
			if h.Why != "" {
				s.note("%s: %s", id, h.Why)
			}
			if f.Offset.Abs() > farOff && h.Why == "" {
				s.note("%s: its clock is %s off from this machine's", id, f.Offset.Round(100*time.Millisecond))
			}
			s.units(ob, id, &h)
		}
		s.Hosts = append(s.Hosts, h)
	}
	for _, twins := range ob.Twins() {
		s.note("%s share one machine-id: they are copies of one machine, or one copied the other's; give all but one their own "+
			"(rm /etc/machine-id; systemd-machine-id-setup; reboot)", list(twins))
	}
}

// unmarkedHosts are those of an adopted cluster that bear no mark of it.
func unmarkedHosts(c model.Cluster) (ids []model.HostID) {
	for _, id := range c.IDs() {
		if c.Hosts[id].Marked.Is(false) && c.Hosts[id].Roles != 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// units are the services that the file wants there.
func (s *Status) units(ob *observe.Observation, id model.HostID, h *Host) {
	goal, ok := ob.Goal.Hosts[id]
	if !ok || ob.Have.CAsCreated.Is(false) {
		return
	}
	f := ob.Facts[id]
	for v := range model.NumComponents {
		if goal.Services[v] == nil {
			continue
		}
		u := f.Services[v]
		one := Unit{Name: v.String(), Up: u.Up, State: u.Word, Restarts: u.Restarts}
		if !one.Up {
			more := ""
			if u.Restarts > 0 {
				more = fmt.Sprintf(", restarted %d times", u.Restarts)
			}
			s.problem("%s: %s is %s%s", id, v, one.State, more)
		}
		h.Units = append(h.Units, one)
	}
}

func (s *Status) api(ob *observe.Observation) {
	s.APIServers, s.FrontDoors, s.LoadBalancers, s.Nodes = []APIServer{}, []FrontDoor{}, []LoadBalancer{}, []Node{}
	if ob.Have.CAsCreated.Is(false) {
		return
	}
	for _, id := range ob.Have.IDs() {
		h, f := ob.Have.Hosts[id], ob.Facts[id]
		if h.Roles.Has(model.ControlPlane) || h.Runs(model.APIServer) {
			a := APIServer{Host: id, Ready: f.Err == nil && f.Readyz, Asks: ids(model.Is(h.EtcdServers()))}
			switch {
			case f.Err != nil:
				a.Why = "could not be reached"
			case !a.Ready && h.Runs(model.APIServer):
				a.Why = "running, but not ready"
				s.problem("%s: its API server is running, but not ready", id)
			case !a.Ready:
				a.Why = "not running"
			}
			s.APIServers = append(s.APIServers, a)
		}
		if want := ob.Goal.Hosts[id]; h.Runs(model.HAProxy) || want != nil && want.Context.Holds() {
			s.LoadBalancers = append(s.LoadBalancers, s.shared(ob, id))
		}
		if h.Roles.Node() && (ob.Goal.File.Spec.LoadBalancer.OnEveryHost() || h.HasDoor()) {
			s.FrontDoors = append(s.FrontDoors, FrontDoor{Host: id, Asked: f.Err == nil, Up: h.HasDoor(), Backends: ids(h.Backends)})
		}
		if h.Roles.Node() || h.Node.Registered.Is(true) {
			s.Nodes = append(s.Nodes, s.node(ob, id))
		}
	}
	s.virtual(ob)
}

func (s *Status) node(ob *observe.Observation, id model.HostID) Node {
	n, known := ob.API.Nodes[id]
	out := Node{Name: id, Known: known, Ready: n.Ready, Version: n.Version, PodCIDR: n.PodCIDR}
	switch {
	case ob.API.Err != nil:
		out.Why = "could not be reached: " + ob.API.Err.Error()
	case !known:
		out.Why = "not registered"
		s.problem("%s is not registered as a node", id)
	case !n.Ready:
		out.Why = "not ready"
		s.problem("node %s is not ready", id)
	case n.Unschedulable:
		out.Why = "cordoned"
	}
	return out
}

func (s *Status) certs(ob *observe.Observation, now time.Time) {
	s.Certificates = []Certificate{}
	if ob.Have.CAsCreated.Is(false) {
		return
	}
	for _, id := range ob.Goal.IDs() {
		f := ob.Facts[id]
		if f.Err != nil {
			continue // told among the hosts
		}
		for _, want := range ob.Goal.Hosts[id].Certs {
			c := Certificate{Host: id, Name: want.Name}
			pem, there := f.Files[want.Path]
			found, err := pki.Inspect(pem, nil, issuer(ob, f, want.Issuer))
			switch {
			case !there:
				c.Problem = "is missing, or its key"
			case err != nil:
				c.Problem = err.Error()
			default:
				c.NotAfter, c.Days, c.Due = found.NotAfter, int(found.NotAfter.Sub(now).Hours()/24), found.Due(now)
				c.Problem = pki.Explain(found, want, now)
			}
			switch {
			case there && err == nil && now.After(c.NotAfter):
				s.problem("%s: certificate %s %s", id, c.Name, c.Problem)
			case c.Problem != "":
				s.note("%s: certificate %s %s", id, c.Name, c.Problem)
			}
			s.Certificates = append(s.Certificates, c)
		}
	}
}

// issuer is the CA that a certificate must come from: the cluster's, or while
// no control plane answers, the one that lies on the host.
func issuer(ob *observe.Observation, f observe.Facts, of pki.CA) []byte {
	if ob.Shared != nil {
		if a, err := ob.Shared.Authority(of); err == nil {
			return a.Cert
		}
	}
	return f.Files[of.Path(ob.Goal.Layout.PKI)]
}

// ids are the hosts of a set, [] when nothing is known.
func ids(set model.Known[model.HostSet]) []model.HostID {
	return append([]model.HostID{}, set.Or(model.HostSet{}).List()...)
}
