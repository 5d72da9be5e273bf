package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"quorate.dev/quorate/internal/model"
)

const (
	fewHosts = 8  // as many hosts are named in a line; of more, the rest is counted
	wide     = 32 // host columns are aligned up to this width

	fewTitles = 4 // as many waiting steps are named for a reason
)

// Text is the plan for people: stages in order, steps that many hosts share in
// one line, what each stage risks, what stops the plan or waits, and a summary
// as the last line.
func (p Plan) Text() string {
	if p.Empty() {
		return "nothing to do\n"
	}
	var b strings.Builder
	for i, st := range p.Stages {
		fmt.Fprintf(&b, "Stage %d\n", i+1)
		st.write(&b)
	}
	section(&b, "Blocked: nothing is started until this is resolved", p.Blocked)
	deferred := "Deferred: this waits, the rest goes on"
	if slices.ContainsFunc(p.Deferred, func(r Refused) bool { return errors.As(r.Err, new(UnreachedError)) }) {
		deferred += "; bring the host back and apply again, or take it out of the file"
	}
	section(&b, deferred, p.Deferred)
	b.WriteString(p.Summary() + "\n")
	return b.String()
}

// Summary is the plan in one line.
func (p Plan) Summary() string {
	if p.Empty() {
		return "nothing to do"
	}
	s := fmt.Sprintf("%s, %s, risk: %s", count(len(p.Stages), "stage"), count(p.steps(), "step"), p.Risk())
	if n := len(p.Blocked); n > 0 {
		s += fmt.Sprintf("; blocked: %s cannot be taken", count(n, "step"))
	}
	if n := len(p.Deferred); n > 0 {
		s += fmt.Sprintf("; deferred: %s", count(n, "step"))
	}
	return s
}

// Risk is the greatest of the stages'.
func (p Plan) Risk() (most Risk) {
	for _, st := range p.Stages {
		most = max(most, st.Risk)
	}
	return most
}

func (p Plan) steps() (n int) {
	for _, st := range p.Stages {
		n += len(st.Steps)
	}
	return n
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// line is what some hosts have in common.
type line struct {
	hosts []model.HostID
	text  string
	named bool // the text names its host itself
}

// fold joins what is the same on several hosts, in the order of its first
// appearance.
func fold(lines []line) (out []line) {
	at := map[string]int{}
	for _, l := range lines {
		i, seen := at[l.text]
		if !seen {
			at[l.text] = len(out)
			out = append(out, line{slices.Clone(l.hosts), l.text, l.named})
			continue
		}
		out[i].hosts = append(out[i].hosts, l.hosts...)
	}
	for i := range out {
		slices.Sort(out[i].hosts)
		out[i].hosts = slices.Compact(out[i].hosts)
	}
	return out
}

func (l line) who() string {
	hosts, rest := l.hosts, ""
	if n := len(hosts); n > fewHosts {
		hosts, rest = hosts[:fewHosts-2], fmt.Sprintf(" and %d more", n-fewHosts+2)
	}
	return strings.ReplaceAll(names(hosts), ",", "") + rest
}

func (st Stage) write(b *strings.Builder) {
	var lines []line
	for _, s := range st.Steps {
		a := s.About()
		text := a.Title
		if a.Why != "" {
			text += " (" + a.Why + ")"
		}
		if a.Irreversible {
			text += " (cannot be undone)"
		}
		lines = append(lines, line{hosts: []model.HostID{a.Host}, text: text})
	}
	writeLines(b, fold(lines))
	for _, say := range st.Reasons {
		fmt.Fprintf(b, "  %s\n", say)
	}
}

func writeLines(b *strings.Builder, lines []line) {
	width := 0
	for _, l := range lines {
		if n := utf8.RuneCountInString(l.who()); n <= wide {
			width = max(width, n)
		}
	}
	for _, l := range lines {
		fmt.Fprintf(b, "  %-*s  %s\n", width, l.who(), l.text)
	}
}

// section writes refused steps by their reason: whom it keeps from what.
func section(b *strings.Builder, title string, refused []Refused) {
	if len(refused) == 0 {
		return
	}
	fmt.Fprintf(b, "%s\n", title)
	var reasons []line
	waits := map[string][]string{}
	for _, r := range refused {
		host, reason, named := r.reason()
		what := r.Step.Title
		if host != r.Step.Host {
			what = string(r.Step.Host) + ": " + what
		}
		reasons = append(reasons, line{[]model.HostID{host}, reason, named})
		if !slices.Contains(waits[reason], what) {
			waits[reason] = append(waits[reason], what)
		}
	}
	for _, l := range fold(reasons) {
		head := l.who() + ": "
		if l.named {
			head = ""
		}
		fmt.Fprintf(b, "  %s%s\n", head, l.text)
		what := waits[l.text]
		if n := len(what); n > fewTitles {
			what = append(what[:fewTitles-1:fewTitles-1], fmt.Sprintf("%d more", n-fewTitles+1))
		}
		fmt.Fprintf(b, "      this waits for it: %s\n", strings.Join(what, "; "))
	}
}
