// Package status tells people and programs how a cluster is doing, from one
// observation: what works, what the loss of one host would do now, and what
// could not be reached. It is pure; it reaches no host and prints nothing.
package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/units"
)

// Status is the state of one cluster. Problems are what is down or could not be
// asked; with none of them it is Healthy.
type Status struct {
	Cluster    string    `json:"cluster"`
	Endpoint   string    `json:"endpoint"`
	Kubernetes string    `json:"kubernetes"` // matches the file
	At         time.Time `json:"at"`
	Healthy    bool      `json:"healthy"`
	Problems   []string  `json:"problems"`
	Notes      []string  `json:"notes"` // what will matter, though nothing is down

	Quorum    bool           `json:"quorum"`
	Voters    int            `json:"voters"`
	Serving   []model.HostID `json:"serving"` // API servers that answer
	Stranded  []model.HostID `json:"stranded"`
	Tolerance string         `json:"tolerance"` // what the loss of one host would do
	Balancer  Balancer       `json:"loadBalancer"`
	Fatal     []model.HostID `json:"fatal"`   // whose loss alone would stop something
	Changes   *int           `json:"changes"` // steps to the file; null: not known
	ChangeWhy string         `json:"changeWhy,omitempty"`

	Hosts      []Host      `json:"hosts"`
	Etcd       Etcd        `json:"etcd"`
	APIServers []APIServer `json:"apiServers"`
	FrontDoors []FrontDoor `json:"frontDoors"`
	// LoadBalancers are those on hosts of their own.
	LoadBalancers []LoadBalancer `json:"loadBalancers"`
	// VirtualAddress is the one that they share; "": they share none.
	VirtualAddress string        `json:"virtualAddress,omitempty"`
	Nodes          []Node        `json:"nodes"`
	Certificates   []Certificate `json:"certificates"`
	Versions       []Version     `json:"versions"` // of what runs, beside the file's
}

// Host is one machine.
type Host struct {
	Name    model.HostID  `json:"name"`
	Roles   []string      `json:"roles"`
	Address string        `json:"address,omitempty"`
	Reached bool          `json:"reached"`
	Why     string        `json:"why,omitempty"` // why it was not reached, or blocked
	OS      string        `json:"os,omitempty"`
	Kernel  string        `json:"kernel,omitempty"`
	Offset  units.Seconds `json:"clockOffsetSeconds"`
	Units   []Unit        `json:"units"`
	Changes *int          `json:"changes"` // null: not known
}

// Unit is a service that the file wants on a host.
type Unit struct {
	Name     string `json:"name"`
	Up       bool   `json:"up"`
	State    string `json:"state"` // by systemd
	Restarts int    `json:"restarts"`
}

// APIServer is one API server.
type APIServer struct {
	Host  model.HostID   `json:"host"`
	Ready bool           `json:"ready"`
	Asks  []model.HostID `json:"etcd"` // whose etcd it uses
	Why   string         `json:"why,omitempty"`
}

// FrontDoor is the balancer of one host.
type FrontDoor struct {
	Host     model.HostID   `json:"host"`
	Asked    bool           `json:"asked"`
	Up       bool           `json:"up"`
	Backends []model.HostID `json:"backends"`
}

// LoadBalancer is one of the hosts that balance for the others.
type LoadBalancer struct {
	Host     model.HostID   `json:"host"`
	Asked    bool           `json:"asked"`
	Up       bool           `json:"up"`
	Holds    bool           `json:"holdsVirtualAddress"`
	Backends []model.HostID `json:"backends"`
	Out      []string       `json:"outOfRotation"` // servers that it does not lead to now
}

// Node is a host as the API knows it.
type Node struct {
	Name    model.HostID `json:"name"`
	Known   bool         `json:"registered"`
	Ready   bool         `json:"ready"`
	Version string       `json:"version,omitempty"`
	PodCIDR string       `json:"podCIDR,omitempty"`
	Why     string       `json:"why,omitempty"`
}

// Certificate is one certificate on one host.
type Certificate struct {
	Host     model.HostID `json:"host"`
	Name     string       `json:"name"`
	NotAfter time.Time    `json:"notAfter,omitzero"`
	Days     int          `json:"daysLeft"`
	Due      bool         `json:"due"` // time to renew
	Problem  string       `json:"problem,omitempty"`
}

// Of makes the status of an observation. p is the plan to the file; nil when
// none could be made, with the reason.
func Of(ob *observe.Observation, p *plan.Plan, noPlan string, now time.Time) Status {
	file := ob.Goal.File
	s := Status{Cluster: file.Metadata.Name, Endpoint: file.Endpoint(), Kubernetes: file.Spec.Kubernetes.Version,
		At:       now.UTC().Truncate(time.Second),
		Problems: []string{}, Notes: []string{}, ChangeWhy: noPlan}
	s.health(ob.Have)
	s.balancer(ob)
	s.hosts(ob, changes(p))
	s.etcd(ob)
	s.api(ob)
	s.certs(ob, now)
	s.versions(ob)
	if p != nil {
		n := 0
		for _, c := range changes(p) {
			n += c
		}
		s.Changes = &n
	}
	if ob.Have.Conflict != "" {
		s.problem("%s", ob.Have.Conflict)
	}
	s.Healthy = len(s.Problems) == 0
	return s
}

func (s *Status) problem(format string, args ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
}

func (s *Status) note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

// changes counts a plan's steps by host, those that wait included.
func changes(p *plan.Plan) map[model.HostID]int {
	out := map[model.HostID]int{}
	if p == nil {
		return out
	}
	for _, st := range p.Stages {
		for _, step := range st.Steps {
			out[step.About().Host]++
		}
	}
	for _, r := range slices.Concat(p.Blocked, p.Deferred) {
		out[r.Step.Host]++
	}
	return out
}

// health is what works, and what one loss would do.
func (s *Status) health(c model.Cluster) {
	h := c.Health()
	none := []model.HostID{} // in JSON a list is never null
	s.Quorum, s.Serving, s.Stranded, s.Fatal = h.Etcd, append(none, c.Serving()...), append(none, h.Stranded...), append(none, h.Fatal...)
	for _, id := range c.Critical() {
		if m := c.Hosts[id].Etcd.Member.Or(model.NoMember); m == model.Voter || m == model.Unstarted {
			s.Voters++
		}
	}
	if c.CAsCreated.Is(false) {
		s.problem("no cluster on these hosts yet: run quorate apply")
		s.Tolerance = "nothing is running yet"
		return
	}
	for _, cause := range c.Silences() {
		s.problem("%s: %s", cause.Host, cause)
	}
	if !h.Etcd {
		s.problem("etcd has no quorum: nothing can be written")
	}
	if !h.API {
		s.problem("no API server answers")
	}
	for _, id := range h.Stranded {
		s.problem("%s reaches no API server", id)
	}
	s.Tolerance = tolerance(c, h)
	s.only(c)
}

// only says what the only control plane's loss would mean.
func (s *Status) only(c model.Cluster) {
	var masters []model.HostID
	for _, id := range c.Critical() {
		if h := c.Hosts[id]; h.Roles.Has(model.ControlPlane) {
			masters = append(masters, id)
		}
	}
	if len(masters) != 1 {
		return
	}
	s.note("%s is the only control plane. While it is down, pods that run go on, but nothing can be changed, nothing that fails is "+
		"replaced, and Services stop to follow their pods; if its disk is lost, so is the cluster, but for what quorate etcd snapshot "+
		"has saved. Three control planes survive the loss of one: add two to the file (docs/convert.md)", masters[0])
}

// tolerance is the answer to: and if one host were lost now?
func tolerance(c model.Cluster, h model.Health) string {
	switch {
	case !h.Etcd && !h.API:
		return "the control plane is down"
	case len(h.Fatal) == 0:
		return "tolerates the loss of any one host"
	}
	by := map[string][]string{}
	var order []string
	for _, id := range h.Fatal {
		what := loss(c, h, id)
		if by[what] == nil {
			order = append(order, what)
		}
		by[what] = append(by[what], string(id))
	}
	var says []string
	for _, what := range order {
		says = append(says, "losing "+either(by[what])+" "+what)
	}
	return strings.Join(says, "; ")
}

func loss(c model.Cluster, h model.Health, id model.HostID) string {
	if h.Etcd && !c.Quorum(id) {
		return "stops etcd"
	}
	after := c.Clone()
	after.Edit(id, func(h *model.Host) { h.Reached = model.Unknown[bool]("lost") })
	end := after.Health()
	if h.API && !end.API {
		return "leaves no API server"
	}
	var cut []string
	for _, w := range end.Stranded {
		if w != id && !slices.Contains(h.Stranded, w) {
			cut = append(cut, string(w))
		}
	}
	return "cuts off " + strings.Join(cut, ", ")
}

func either(s []string) string {
	if len(s) == 1 {
		return s[0]
	}
	return strings.Join(s[:len(s)-1], ", ") + " or " + s[len(s)-1]
}
