package status

import (
	"fmt"
	"maps"
	"slices"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
)

// Etcd is etcd by its members' own account.
type Etcd struct {
	Cluster   string   `json:"cluster,omitempty"` // etcd's own id of it
	Err       string   `json:"error,omitempty"`   // why it could not be reached
	Why       []string `json:"why,omitempty"`     // then, by host
	Conflict  string   `json:"conflict,omitempty"`
	Agreed    bool     `json:"agreed"` // a quorum agreed to the list
	Quorum    bool     `json:"quorum"`
	Voters    int      `json:"voters"`
	Serving   int      `json:"serving"`   // voters that serve
	Tolerance string   `json:"tolerance"` // what the loss of one member would do
	Members   []Member `json:"members"`
}

// Member is one etcd member.
type Member struct {
	Host      model.HostID `json:"host"`
	ID        string       `json:"id"`
	Name      string       `json:"name"`
	PeerURL   string       `json:"peerURL,omitempty"`
	ClientURL string       `json:"clientURL,omitempty"` // none before it has started
	InFile    bool         `json:"inFile"`              // the cluster file names its host
	Role      string       `json:"role"`
	Healthy   bool         `json:"healthy"`
	Why       string       `json:"why,omitempty"` // it is not
	Asked     bool         `json:"asked"`         // it gave its own status
	Term      uint64       `json:"term,omitempty"`
	Index     uint64       `json:"index,omitempty"`
	Applied   uint64       `json:"applied,omitempty"`
	Revision  int64        `json:"revision,omitempty"`
	DBSize    int64        `json:"dbSizeBytes,omitempty"`
	DBUsed    int64        `json:"dbUsedBytes,omitempty"`
	Quota     int64        `json:"dbQuotaBytes,omitempty"`
	Version   string       `json:"version,omitempty"`
	Alarms    []Alarm      `json:"alarms,omitempty"` // raised, of all members, as this one has them
	Errors    []string     `json:"errors,omitempty"` // other trouble: "no leader"
}

// Alarm is an alarm that a member has raised.
type Alarm struct {
	Kind   string `json:"kind"`   // NOSPACE | CORRUPT
	Member string `json:"member"` // its host, or its id when no host is known
}

func (a Alarm) String() string { return "alarm " + a.Kind + " of " + a.Member }

// Roles of members.
const (
	RoleLeader    = "leader"
	RoleFollower  = "follower"
	RoleVoter     = "voter" // which of the two is not known
	RoleLearner   = "learner"
	RoleUnstarted = "unstarted"
)

// EtcdOf is etcd as an observation has it.
func EtcdOf(ob *observe.Observation) Etcd {
	e := Etcd{Agreed: ob.Etcd.Agreed, Conflict: ob.Have.Conflict, Members: []Member{}}
	if ob.Have.CAsCreated.Is(false) {
		e.Err = "no cluster on these hosts yet: run quorate apply"
	} else if ob.Etcd.Err != nil {
		e.Err = ob.Etcd.Err.Error()
		for _, id := range ob.Goal.IDs() {
			if ob.Goal.Hosts[id].Node.Etcd {
				e.Why = append(e.Why, fmt.Sprintf("%s: %s", id, silent(id, ob.Facts[id], false)))
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ob.Etcd.Members)) {
		m := memberOf(ob, id)
		if st, asked := ob.Etcd.Status[id]; asked && e.Cluster == "" {
			e.Cluster = fmt.Sprintf("%x", st.ClusterID)
		}
		if m.Role != RoleLearner {
			e.Voters++
			if m.Healthy {
				e.Serving++
			}
		}
		e.Members = append(e.Members, m)
	}
	e.Quorum = ob.Have.Quorum("")
	e.Tolerance = e.tolerance(ob.Have)
	return e
}

func memberOf(ob *observe.Observation, id model.HostID) Member {
	m := ob.Etcd.Members[id]
	st, asked := ob.Etcd.Status[id]
	_, inFile := ob.Goal.File.Host(string(id))
	out := Member{Host: id, ID: m.HexID(), Name: m.Name, InFile: inFile, Role: RoleFollower, Asked: asked,
		Healthy: ob.Have.Hosts[id].Etcd.Healthy.Is(true),
		Term:    st.Term, Index: st.Index, Applied: st.Applied, Revision: st.Revision, DBSize: st.DBSize, DBUsed: st.DBSizeInUse, Quota: st.Quota,
		Version: st.Version, Alarms: alarms(ob, st), Errors: st.Errors}
	if len(m.PeerURLs) > 0 {
		out.PeerURL = m.PeerURLs[0]
	}
	if len(m.ClientURLs) > 0 {
		out.ClientURL = m.ClientURLs[0]
	}
	switch {
	case m.Learner:
		out.Role = RoleLearner
	case !m.Started():
		out.Role = RoleUnstarted
	case asked && st.IsLeader():
		out.Role = RoleLeader
	case !asked:
		out.Role = RoleVoter
	}
	if !out.Healthy {
		out.Why = silent(id, ob.Facts[id], asked)
		if corrupt(st) {
			out.Why = "running, but it refuses reads and writes while the CORRUPT alarm is raised"
		}
	}
	return out
}

// alarms have hosts where etcd has numbers.
func alarms(ob *observe.Observation, st etcd.Status) (out []Alarm) {
	for _, a := range st.Alarms {
		of := fmt.Sprintf("member %x", a.Member)
		for id, m := range ob.Etcd.Members {
			if m.ID == a.Member {
				of = string(id)
			}
		}
		out = append(out, Alarm{a.Kind, of})
	}
	return out
}

// corrupt says that CORRUPT is raised, with which nobody reads or writes.
func corrupt(st etcd.Status) bool {
	return slices.ContainsFunc(st.Alarms, func(a etcd.Alarm) bool { return a.Kind == etcd.Corrupt })
}

// silent is why a member does not serve.
func silent(id model.HostID, f observe.Facts, asked bool) string {
	u := f.Services[model.Etcd]
	switch {
	case f.Err != nil:
		return host.Reason(f.Err, string(id))
	case !u.Installed:
		return "etcd is not installed there"
	case u.Masked:
		return u.As + " is masked there"
	case u.Restarting:
		return fmt.Sprintf("etcd is crash-looping (%d restarts): %s shows why", u.Restarts, u.Logs)
	case !u.Up:
		return u.As + " is " + u.Word + " there"
	case asked:
		return "running, but without quorum"
	}
	return "running, but not serving"
}

// tolerance is the answer to: and if a member were lost now?
func (e Etcd) tolerance(c model.Cluster) string {
	need := e.Voters/2 + 1
	switch spare := e.Serving - need; {
	case e.Voters == 0:
		return "unknown whether etcd has quorum"
	case !e.Quorum:
		return fmt.Sprintf("etcd has no quorum: %d of %d voters serve, %d must", e.Serving, e.Voters, need)
	case spare > 0:
		return fmt.Sprintf("etcd has quorum: %d of %d voters serve; tolerates the loss of any %s", e.Serving, e.Voters, number(spare))
	}
	var fatal []string
	for _, m := range e.Members {
		if m.Healthy && !c.Quorum(m.Host) {
			fatal = append(fatal, string(m.Host))
		}
	}
	return fmt.Sprintf("etcd has quorum: %d of %d voters serve; losing %s stops it", e.Serving, e.Voters, either(fatal))
}

func number(n int) string {
	if n == 1 {
		return "one"
	}
	return fmt.Sprint(n)
}

// Problems are what is down or could not be reached, a line each.
func (e Etcd) Problems() []string {
	out := []string{}
	if e.Conflict != "" {
		out = append(out, e.Conflict)
	}
	if e.Err != "" {
		out = append(out, "etcd's members are unknown: "+e.Err)
	}
	out = append(out, e.Why...)
	for _, m := range e.Members {
		if !m.Healthy {
			out = append(out, fmt.Sprintf("%s: %s", m.Host, m.Why))
		}
	}
	return append(out, e.complaints()...)
}

// complaints are what members say is wrong; alarms they all tell alike.
func (e Etcd) complaints() (out []string) {
	told := map[Alarm]bool{}
	for _, m := range e.Members {
		for _, a := range m.Alarms {
			if !told[a] {
				out = append(out, a.String()+"; see quorate etcd alarm --help")
			}
			told[a] = true
		}
		for _, err := range m.Errors {
			out = append(out, fmt.Sprintf("%s says: %s", m.Host, err))
		}
	}
	return out
}

// etcd is the same as a part of the whole: a host that could not be reached is
// told among the hosts.
func (s *Status) etcd(ob *observe.Observation) {
	s.Etcd = EtcdOf(ob)
	if s.Etcd.Err != "" && ob.Have.CAsCreated.Is(false) {
		s.Etcd.Err = ""
	}
	if s.Etcd.Err != "" {
		s.problem("etcd's members are unknown: %s", s.Etcd.Err)
	}
	for _, m := range s.Etcd.Members {
		if !m.Healthy && ob.Facts[m.Host].Err == nil {
			s.problem("etcd member %s (%s) does not serve", m.Host, m.ID)
		}
	}
	for _, c := range s.Etcd.complaints() {
		s.problem("etcd: %s", c)
	}
}
