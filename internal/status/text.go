package status

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"quorate.dev/quorate/internal/model"
)

// Text is the status for people: the verdict first, then what it rests on.
func (s Status) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster %s  Kubernetes %s  https://%s\n", s.Cluster, s.Kubernetes, s.Endpoint)
	s.verdict(&b)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	table := func(title string, rows int, head string, row func(int) []string) {
		if rows == 0 {
			return
		}
		fmt.Fprintf(w, "\n%s\n", title)
		fmt.Fprintln(w, head)
		for i := range rows {
			fmt.Fprintln(w, strings.Join(row(i), "\t"))
		}
		w.Flush()
	}
	table("Hosts", len(s.Hosts), "NAME\tROLES\tADDRESS\tOS\tCLOCK\tSTATE", func(i int) []string { return s.Hosts[i].row() })
	if s.Etcd.Err != "" {
		fmt.Fprintf(&b, "\netcd\ncould not be reached: %s\n", s.Etcd.Err)
	}
	title := "etcd"
	if !s.Etcd.Agreed {
		title = "etcd (as one member remembers it; there is no quorum to agree)"
	}
	table(title, len(s.Etcd.Members), "MEMBER\tID\tROLE\tSTATE\tTERM\tINDEX\tDATABASE\tVERSION",
		func(i int) []string { return s.Etcd.Members[i].row() })
	table("API servers", len(s.APIServers), "HOST\tREADY\tETCD", func(i int) []string {
		a := s.APIServers[i]
		return []string{string(a.Host), yes(a.Ready, a.Why), list(a.Asks)}
	})
	doors := fold(s.FrontDoors)
	table("Front doors", len(doors), "HOSTS\tLEAD TO", func(i int) []string { return doors[i] })
	table("Load balancers", len(s.LoadBalancers), "HOST\tSTATE", func(i int) []string {
		return []string{string(s.LoadBalancers[i].Host), s.LoadBalancers[i].text(s.VirtualAddress)}
	})
	table("Nodes", len(s.Nodes), "NAME\tREADY\tVERSION\tPODS", func(i int) []string {
		n := s.Nodes[i]
		why := n.Why
		if n.Ready && why != "" {
			return []string{string(n.Name), "yes, " + why, n.Version, n.PodCIDR}
		}
		return []string{string(n.Name), yes(n.Ready, why), dash(n.Version), dash(n.PodCIDR)}
	})
	versions := s.differing()
	table("Versions that are not the file's", len(versions), "COMPONENT\tRUNS\tFILE", func(i int) []string { return versions[i] })
	certs := nearest(s.Certificates)
	table("Certificates", len(certs), "HOST\tFIRST TO EXPIRE\tLEFT\tPROBLEMS", func(i int) []string { return certs[i] })
	return b.String()
}

func (s Status) verdict(b *strings.Builder) {
	if s.Quorum || len(s.Serving) > 0 {
		healthy := 0
		for _, m := range s.Etcd.Members {
			if m.Healthy && m.Role != RoleLearner {
				healthy++
			}
		}
		if s.Quorum {
			fmt.Fprintf(b, "  etcd has quorum: %d of %d voters serve\n", healthy, s.Voters)
		}
		fmt.Fprintf(b, "  %d of %d API servers answer\n", len(s.Serving), len(s.APIServers))
	}
	fmt.Fprintf(b, "  %s\n", s.Tolerance)
	if len(s.Serving) > 0 {
		fmt.Fprintf(b, "  %s\n", s.Balancer.text())
	}
	switch {
	case s.Changes == nil:
		fmt.Fprintf(b, "  pending changes are unknown: %s\n", s.ChangeWhy)
	case *s.Changes == 1:
		b.WriteString("  1 change pending: run quorate plan\n")
	case *s.Changes > 0:
		fmt.Fprintf(b, "  %d changes pending: run quorate plan\n", *s.Changes)
	default:
		b.WriteString("  matches the file\n")
	}
	if runs := s.agreed(); runs != "" {
		fmt.Fprintf(b, "  runs the file's versions: %s\n", runs)
	}
	for _, p := range s.Problems {
		fmt.Fprintf(b, "  DOWN: %s\n", p)
	}
	for _, n := range s.Notes {
		fmt.Fprintf(b, "  note: %s\n", n)
	}
}

func (h Host) row() []string {
	roles := strings.Join(h.Roles, ",")
	if roles == "" {
		roles = "not in the file"
	}
	if !h.Reached {
		return []string{string(h.Name), roles, dash(h.Address), "-", "-", "not reached"}
	}
	var says []string
	for _, u := range h.Units {
		if !u.Up {
			says = append(says, u.Name+" "+u.State)
		}
	}
	if h.Why != "" {
		says = append(says, "blocked")
	}
	if h.Changes != nil && *h.Changes > 0 {
		says = append(says, fmt.Sprintf("%d pending", *h.Changes))
	}
	if len(says) == 0 {
		says = []string{"ok"}
	}
	return []string{string(h.Name), roles, h.Address, h.OS, clock(h.Offset.Duration()), strings.Join(says, ", ")}
}

// clock is an offset with a sign, as exactly as a round trip allows.
func clock(d time.Duration) string {
	if d.Abs() < 500*time.Millisecond {
		return "same"
	}
	return fmt.Sprintf("%+.1fs", d.Seconds())
}

func size(n int64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}

// fold joins the front doors that lead to the same API servers.
func fold(doors []FrontDoor) [][]string {
	var order []string
	hosts := map[string][]string{}
	for _, d := range doors {
		to := list(d.Backends)
		switch {
		case !d.Asked:
			to = "could not be reached"
		case !d.Up:
			to = "DOWN"
		}
		if hosts[to] == nil {
			order = append(order, to)
		}
		hosts[to] = append(hosts[to], string(d.Host))
	}
	slices.Sort(order)
	var out [][]string
	for _, to := range order {
		names := hosts[to]
		if n := len(names); n > 8 {
			names = append(slices.Clone(names[:6]), fmt.Sprintf("and %d more", n-6))
		}
		out = append(out, []string{strings.Join(names, " "), to})
	}
	return out
}

// nearest is each host's certificate that ends first, and all that is wrong.
func nearest(certs []Certificate) [][]string {
	var order []model.HostID
	first := map[model.HostID]Certificate{}
	wrong := map[model.HostID][]string{}
	for _, c := range certs {
		f, seen := first[c.Host]
		if !seen {
			order = append(order, c.Host)
		}
		if !seen || !c.NotAfter.IsZero() && (f.NotAfter.IsZero() || c.NotAfter.Before(f.NotAfter)) {
			first[c.Host] = c
		}
		if c.Problem != "" {
			wrong[c.Host] = append(wrong[c.Host], c.Name+" "+c.Problem)
		}
	}
	var out [][]string
	for _, id := range order {
		c := first[id]
		name, left := c.Name, fmt.Sprintf("%d days", c.Days)
		if c.NotAfter.IsZero() {
			name, left = "-", "-"
		}
		problems := dash(strings.Join(wrong[id], "; "))
		if n := len(wrong[id]); n > 2 {
			problems = fmt.Sprintf("%s; and %d more", strings.Join(wrong[id][:2], "; "), n-2)
		}
		out = append(out, []string{string(id), name, left, problems})
	}
	return out
}

func yes(ok bool, why string) string {
	switch {
	case ok:
		return "yes"
	case why == "":
		return "NO"
	}
	return "NO: " + why
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func list(ids []model.HostID) string {
	s := make([]string, len(ids))
	for i, id := range ids {
		s[i] = string(id)
	}
	return dash(strings.Join(s, ", "))
}
