package status

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

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
			copy(row[5:], []string{fmt.Sprintf("%s (%s used)", size(m.DBSize), size(m.DBUsed)), "-", fmt.Sprint(m.Term), fmt.Sprint(m.Index),
				fmt.Sprint(m.Applied), fmt.Sprint(m.Revision)})
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
		if role == RoleLeader || role == RoleFollower {
			role = RoleVoter
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

func (m Member) complaints() (out []string) {
	for _, a := range m.Alarms {
		out = append(out, a.String())
	}
	return append(out, m.Errors...)
}

func (m Member) row() []string {
	state := m.state()
	if says := m.complaints(); len(says) > 0 {
		state = strings.Join(says, "; ")
	}
	if !m.Asked {
		return []string{string(m.Host), m.ID, m.Role, state, "-", "-", "-", "-"}
	}
	return []string{string(m.Host), m.ID, m.Role, state, fmt.Sprint(m.Term), fmt.Sprint(m.Index),
		fmt.Sprintf("%s (%s used)", size(m.DBSize), size(m.DBUsed)), m.Version}
}
