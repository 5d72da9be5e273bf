package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
)

// Etcd is etcd by its members' own account.
type Etcd struct {
	Cluster   string   `json:"cluster,omitempty"` // etcd's own id of it
	Err       string   `json:"error,omitempty"`   // why it could not be asked
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
	Role      string       `json:"role"`                // leader | follower | voter (which of the two is not known) | learner | unstarted
	Healthy   bool         `json:"healthy"`
	Why       string       `json:"why,omitempty"` // it is not
	Asked     bool         `json:"asked"`         // it gave its own status
	Term      uint64       `json:"term,omitempty"`
	Index     uint64       `json:"index,omitempty"`
	Applied   uint64       `json:"applied,omitempty"`
	Revision  int64        `json:"revision,omitempty"`
	DBSize    int64        `json:"dbSize,omitempty"`
	DBUsed    int64        `json:"dbUsed,omitempty"`
	Quota     int64        `json:"dbQuota,omitempty"`
	Version   string       `json:"version,omitempty"`
	Errors    []string     `json:"errors,omitempty"` // alarms, of any member, and "no leader"
}

// EtcdOf is etcd as an observation has it.
func EtcdOf(ob *observe.Observation) Etcd {
	e := Etcd{Agreed: ob.Etcd.Agreed, Conflict: ob.Have.Conflict, Members: []Member{}}
	if ob.Have.CAsCreated.Is(false) {
		e.Err = "there is no cluster on these hosts yet: run quorate apply"
	} else if ob.Etcd.Err != nil {
		e.Err = ob.Etcd.Err.Error()
		for _, id := range ob.Goal.IDs() {
			if ob.Goal.Hosts[id].Node.Etcd {
				e.Why = append(e.Why, fmt.Sprintf("%s: %s", id, strings.TrimPrefix(silent(ob.Facts[id], false), string(id)+": ")))
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ob.Etcd.Members)) {
		m := memberOf(ob, id)
		if st, asked := ob.Etcd.Status[id]; asked && e.Cluster == "" {
			e.Cluster = fmt.Sprintf("%x", st.ClusterID)
		}
		if m.Role != "learner" {
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
	out := Member{Host: id, ID: m.HexID(), Name: m.Name, InFile: inFile, Role: "follower", Asked: asked, Healthy: ob.Have.Hosts[id].Etcd.Healthy.Is(true),
		Term: st.Term, Index: st.Index, Applied: st.Applied, Revision: st.Revision, DBSize: st.DBSize, DBUsed: st.DBSizeInUse, Quota: st.Quota,
		Version: st.Version, Errors: plainly(ob, st)}
	if len(m.PeerURLs) > 0 {
		out.PeerURL = m.PeerURLs[0]
	}
	if len(m.ClientURLs) > 0 {
		out.ClientURL = m.ClientURLs[0]
	}
	switch {
	case m.Learner:
		out.Role = "learner"
	case !m.Started():
		out.Role = "unstarted"
	case asked && st.IsLeader():
		out.Role = "leader"
	case !asked:
		out.Role = "voter"
	}
	if !out.Healthy {
		out.Why = silent(ob.Facts[id], asked)
		if corrupt(st) {
			out.Why = "it runs, but neither reads nor writes while CORRUPT is raised"
		}
	}
	return out
}

// plainly says what a member tells of, alarms with hosts where etcd has numbers.
func plainly(ob *observe.Observation, st etcd.Status) (out []string) {
	for _, a := range st.Alarms {
		of := fmt.Sprintf("member %x", a.Member)
		for id, m := range ob.Etcd.Members {
			if m.ID == a.Member {
				of = string(id)
			}
		}
		out = append(out, "alarm "+a.Kind+" of "+of)
	}
	return append(out, st.Errors...)
}

// corrupt says that CORRUPT is raised, with which nobody reads or writes.
func corrupt(st etcd.Status) bool {
	return slices.ContainsFunc(st.Alarms, func(a etcd.Alarm) bool { return a.Kind == etcd.Corrupt })
}

// silent is why a member does not serve.
func silent(f observe.Facts, asked bool) string {
	u := f.Units[model.Etcd.String()]
	switch {
	case f.Err != nil:
		return f.Err.Error()
	case u.Load == "not-found" || u.Load == "":
		return "etcd is not installed there"
	case u.Load == "masked":
		return "etcd.service is masked there"
	case u.Sub == "auto-restart":
		return fmt.Sprintf("etcd crashes and is started again and again (%d times): journalctl -u etcd tells why", u.Restarts)
	case !f.Up(model.Etcd):
		return "etcd.service is " + u.Active + " there"
	case asked:
		return "it runs, but has no quorum to serve with"
	}
	return "it runs, but does not serve"
}

// tolerance is the answer to: and if a member were lost now?
func (e Etcd) tolerance(c model.Cluster) string {
	need := e.Voters/2 + 1
	switch spare := e.Serving - need; {
	case e.Voters == 0:
		return "it is not known whether etcd has quorum"
	case !e.Quorum:
		return fmt.Sprintf("etcd has no quorum: %d of %d voters serve, %d must", e.Serving, e.Voters, need)
	case spare > 0:
		return fmt.Sprintf("etcd has quorum: %d of %d voters serve; it tolerates the loss of any %s of them", e.Serving, e.Voters, number(spare))
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

// Problems are what is down or could not be asked, a line each.
func (e Etcd) Problems() []string {
	out := []string{}
	if e.Conflict != "" {
		out = append(out, e.Conflict)
	}
	if e.Err != "" {
		out = append(out, "etcd's members are not known: "+e.Err)
	}
	out = append(out, e.Why...)
	for _, m := range e.Members {
		if !m.Healthy {
			out = append(out, fmt.Sprintf("%s: %s", m.Host, strings.TrimPrefix(m.Why, string(m.Host)+": ")))
		}
	}
	return append(out, e.complaints()...)
}

// complaints are what members say is wrong; alarms they all tell alike.
func (e Etcd) complaints() (out []string) {
	for _, m := range e.Members {
		for _, err := range m.Errors {
			switch {
			case !strings.HasPrefix(err, "alarm "):
				out = append(out, fmt.Sprintf("%s says: %s", m.Host, err))
			case !slices.Contains(out, err):
				out = append(out, err)
			}
		}
	}
	for i, err := range out {
		if strings.HasPrefix(err, "alarm ") {
			out[i] = err + "; see quorate etcd alarm --help"
		}
	}
	return out
}

// Text is etcd for people: each member, what is down, and last whether there
// is a quorum and what it tolerates.
func (e Etcd) Text() string {
	var b strings.Builder
	if e.Cluster != "" {
		fmt.Fprintf(&b, "etcd cluster %s%s\n", e.Cluster, e.remembered())
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if len(e.Members) > 0 {
		fmt.Fprintln(w, "HOST\tID\tVERSION\tROLE\tSTATE\tDATABASE\tQUOTA\tTERM\tINDEX\tAPPLIED\tREVISION")
	}
	for _, m := range e.Members {
		row := []string{string(m.Host), m.ID, "-", m.Role, m.state(), "-", "-", "-", "-", "-", "-"}
		if m.Asked {
			copy(row[5:], []string{fmt.Sprintf("%s (%s used)", size(m.DBSize), size(m.DBUsed)), "-", fmt.Sprint(m.Term), fmt.Sprint(m.Index), fmt.Sprint(m.Applied), fmt.Sprint(m.Revision)})
			row[2] = m.Version
		}
		if m.Quota > 0 {
			row[6] = size(m.Quota)
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	w.Flush()
	for _, p := range e.Problems() {
		fmt.Fprintf(&b, "DOWN: %s\n", p)
	}
	fmt.Fprintln(&b, e.Tolerance)
	return b.String()
}

// MembersText is the member list for people.
func (e Etcd) MembersText() string {
	var b strings.Builder
	if r := e.remembered(); r != "" {
		fmt.Fprintln(&b, "members"+r)
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tHOST\tPEER URL\tCLIENT URL\tROLE\tIN THE FILE")
	for _, m := range e.Members {
		role := m.Role
		if role == "leader" || role == "follower" {
			role = "voter"
		}
		fmt.Fprintln(w, strings.Join([]string{m.ID, string(m.Host), dash(m.PeerURL), dash(m.ClientURL), role, yes(m.InFile, "")}, "\t"))
	}
	w.Flush()
	return b.String()
}

func (e Etcd) remembered() string {
	if e.Agreed {
		return ""
	}
	return " (as one member remembers it; there is no quorum to agree)"
}

func (m Member) state() string {
	if !m.Healthy {
		return "DOWN"
	}
	return "serves"
}

func (m Member) row() []string {
	state := m.state()
	if len(m.Errors) > 0 {
		state = strings.Join(m.Errors, "; ")
	}
	if !m.Asked {
		return []string{string(m.Host), m.ID, m.Role, state, "-", "-", "-", "-"}
	}
	return []string{string(m.Host), m.ID, m.Role, state, fmt.Sprint(m.Term), fmt.Sprint(m.Index),
		fmt.Sprintf("%s (%s used)", size(m.DBSize), size(m.DBUsed)), m.Version}
}

// etcd is the same as a part of the whole: a host that could not be asked is
// told among the hosts.
func (s *Status) etcd(ob *observe.Observation) {
	s.Etcd = EtcdOf(ob)
	if s.Etcd.Err != "" && ob.Have.CAsCreated.Is(false) {
		s.Etcd.Err = ""
	}
	if s.Etcd.Err != "" {
		s.problem("etcd's members are not known: %s", s.Etcd.Err)
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
