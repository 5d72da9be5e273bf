package hostcheck

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// Text is the report for people.
func (r Report) Text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tCPUS\tMEMORY\tINTERFACE\tMTU\tFSYNC\tFREE")
	for _, h := range r.Hosts {
		if !h.Reached {
			fmt.Fprintf(w, "%s\tnot reached\t\t\t\t\t\n", h.Host)
			continue
		}
		fsync, free := "-", []string{}
		if h.FsyncMicros > 0 {
			fsync = h.fsync().Round(100 * time.Microsecond).String()
		}
		for _, s := range h.Space {
			if s.SizeBytes > 0 {
				free = append(free, fmt.Sprintf("%s %d %%", s.Path, s.FreeBytes*100/s.SizeBytes))
			}
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d\t%s\t%s\n", h.Host, h.CPUs, mega(h.MemoryBytes), h.Interface, h.MTU, fsync, strings.Join(free, ", "))
	}
	w.Flush()
	b.WriteString("\n")
	for _, h := range r.Hosts {
		if !h.Reached {
			fmt.Fprintf(&b, "%s was not checked: %s\n", h.Host, strings.TrimPrefix(h.Why, string(h.Host)+": "))
		}
	}
	for _, f := range r.Findings {
		fmt.Fprintln(&b, f)
	}
	switch {
	case r.Well():
		b.WriteString("nothing was found\n")
	case len(r.Findings) == 0:
		b.WriteString("nothing was found on the hosts that were checked\n")
	}
	return b.String()
}

// String is a finding in one line, with what to do.
func (f Finding) String() string {
	line := fmt.Sprintf("%s  %s: %s [%s]", f.Host, f.Level, f.Seen, f.Check)
	if f.Fix != "" {
		line += "\n  fix: " + f.Fix
	}
	return line
}
