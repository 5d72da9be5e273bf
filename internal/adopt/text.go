package adopt

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// Text is the report for people: what matters most comes first.
func (r Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster %s, set up by %s, etcd %s\n", r.Cluster, r.From, r.Topology)
	endpoint := r.Endpoint
	if endpoint == "" {
		endpoint = "none"
	}
	fmt.Fprintf(&b, "  endpoint: %s\n  front door: %s\n", endpoint, r.FrontDoor)
	for _, v := range r.Versions {
		fmt.Fprintf(&b, "  %s %s on %s\n", v.Component, v.Version, strings.Join(v.Hosts, ", "))
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nHosts\nNAME\tROLES\tADDRESS\tOS\tRUNTIME\tKUBELET ASKS\n")
	for _, h := range r.Hosts {
		way := h.Way
		if !h.Reached {
			way = "not reached: " + h.Why
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", h.Name, strings.Join(h.Roles, ","), h.Address, h.OS, h.Runtime, way)
	}
	w.Flush()
	section := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n", title)
		for _, l := range lines {
			fmt.Fprintf(&b, "  %s\n", l)
		}
	}
	var odd, differences, refs []string
	for _, o := range r.Oddities {
		odd = append(odd, at(o.Host)+o.What+"\n    so: "+o.Means)
	}
	section("To know before anything is changed", odd)
	for _, d := range r.Differences {
		differences = append(differences, at(d.Host)+d.Where+": "+d.What)
	}
	section("Not as kubeadm makes it by itself", differences)
	section("Pod network", r.CNI)
	section("Workloads of the cluster itself", r.Workloads)
	section("Webhooks (an API server asks them)", r.Webhooks)
	section("API services of others (an API server asks them)", r.APIServices)
	for _, f := range r.References {
		refs = append(refs, at(f.Host)+f.Path)
	}
	section("Other files that name a control plane's or etcd's address (look at them when that changes)", refs)
	section("Certificates", certLines(r.Certificates))
	section("Left as found: quorate changes nothing of this", r.Kept)
	section("Not there yet; it comes with the first change, and the plan shows it", r.Missing)
	return b.String()
}

func at(host string) string {
	if host == "" {
		return ""
	}
	return host + ": "
}

// certLines are the certificates, one a line.
func certLines(certs []Certificate) (out []string) {
	for _, c := range certs {
		line := fmt.Sprintf("%s: %s  %s, %s, until %s (%d days)", c.Host, c.Path, c.Subject, c.Key, c.NotAfter.Format(time.DateOnly), c.Days)
		if c.CA && !c.HasKey {
			line += ", its key is not there"
		}
		if len(c.SANs) > 0 {
			line += "\n    " + strings.Join(c.SANs, ", ")
		}
		out = append(out, line)
	}
	return out
}
