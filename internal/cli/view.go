package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// Kinds of events that the program itself adds to the engine's.
const (
	runBegin = "begin" // a command begins
	runEnd   = "end"   // it ended
)

// lineOf is an event as one plain line; "" is nothing to say.
func lineOf(ev engine.Event) string {
	switch ev.Kind {
	case engine.StageRun:
		return ev.Text // what it risks; that steps begin, they say themselves
	case engine.StepDone:
		return fmt.Sprintf("  %-6s %s (%s)", ev.Step.Host, ev.Step.Title, short(ev.Took.Duration()))
	case engine.StepFail:
		return fmt.Sprintf("  %-6s FAILED %s: %s", ev.Step.Host, ev.Step.Title, firstLine(ev.Err))
	case engine.Progress:
		return fmt.Sprintf("  %-6s %s: %s", ev.Step.Host, ev.Step.Title, far(ev))
	case engine.Note:
		return "  " + ev.Text
	case runBegin:
		return "begin: " + ev.Text
	case runEnd:
		if ev.Err != "" {
			return "end: " + ev.Text + ": " + firstLine(ev.Err)
		}
		return "end: " + ev.Text
	}
	return ""
}

// far is how much of a step is done.
func far(ev engine.Event) string { return fmt.Sprintf("sent %d of %d MiB", ev.Done>>20, ev.Total>>20) }

// view is the state of a run as the terminal shows it. It draws nothing: on
// returns the lines that stay, frame those that are drawn anew each time.
type view struct {
	begun     time.Time
	stage, of int
	steps     int // done so far
	running   []task
	done      []task // not told yet
}

type task struct {
	about plan.About
	since time.Time
	took  time.Duration
	far   string // how much of it is done
}

func (v *view) on(ev engine.Event) []string {
	switch ev.Kind {
	case engine.StageRun:
		v.stage, v.of = ev.Stage, ev.Of
	case engine.StepRun:
		v.running = append(v.running, task{about: *ev.Step, since: ev.At})
	case engine.StepDone:
		v.remove(*ev.Step)
		v.steps++
		v.done = append(v.done, task{about: *ev.Step, took: ev.Took.Duration()})
		return v.fold(ev.Step.Title)
	case engine.StepFail:
		v.remove(*ev.Step)
	case engine.Progress:
		for i := range v.running {
			if v.running[i].about.Key() == ev.Step.Key() {
				v.running[i].far = far(ev)
			}
		}
		return nil
	}
	if l := lineOf(ev); l != "" && ev.Kind != runBegin && ev.Kind != runEnd {
		return []string{l}
	}
	return nil
}

func (v *view) remove(a plan.About) {
	v.running = slices.DeleteFunc(v.running, func(t task) bool { return t.about.Key() == a.Key() })
}

// fold makes one line of what was done on many hosts, once no other host is
// still at it.
func (v *view) fold(title string) []string {
	same := func(t task) bool { return t.about.Title == title }
	if slices.ContainsFunc(v.running, same) {
		return nil
	}
	var hosts []model.HostID
	var took time.Duration
	for _, t := range v.done {
		if same(t) {
			hosts, took = append(hosts, t.about.Host), max(took, t.took)
		}
	}
	v.done = slices.DeleteFunc(v.done, same)
	if len(hosts) == 0 {
		return nil
	}
	slices.Sort(hosts)
	return []string{fmt.Sprintf("  %s  %s  %s", names(hosts), title, short(took))}
}

// rest is what was done and not told yet, when the run ends.
func (v *view) rest() (out []string) {
	v.running = nil
	for len(v.done) > 0 {
		out = append(out, v.fold(v.done[0].about.Title)...)
	}
	return out
}

// names lists hosts; of many the rest is counted.
func names(ids []model.HostID) string {
	const few = 8
	rest := ""
	if n := len(ids); n > few {
		ids, rest = ids[:few-2], fmt.Sprintf(" and %d more", n-few+2)
	}
	return strings.ReplaceAll(hostList(ids), ",", "") + rest
}

// frame is what runs now, in at most height lines of at most width columns.
func (v *view) frame(now time.Time, width, height int) []string {
	if len(v.running) == 0 {
		return nil
	}
	room := max(1, height-3)
	list := v.running
	if len(list) > room {
		list = list[:room-1]
	}
	wide := 0
	for _, t := range list {
		wide = max(wide, len(t.about.Host))
	}
	var out []string
	for _, t := range list {
		title := t.about.Title
		if t.far != "" {
			title += ": " + t.far
		}
		out = append(out, fmt.Sprintf("  %-*s  … %s  %s", wide, t.about.Host, title, short(now.Sub(t.since))))
	}
	if n := len(v.running) - len(list); n > 0 {
		out = append(out, fmt.Sprintf("  … and %d more", n))
	}
	out = append(out, fmt.Sprintf("  stage %d of %d, %d steps done, %d running, %s", v.stage, v.of, v.steps, len(v.running),
		short(now.Sub(v.begun))))
	for i := range out {
		out[i] = cut(out[i], width)
	}
	return out
}

func cut(s string, width int) string {
	if width < 2 || utf8.RuneCountInString(s) < width {
		return s
	}
	return string([]rune(s)[:width-2]) + "…"
}

// short is a duration as a person wants it.
func short(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", max(d, 0).Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

func firstLine(s string) string {
	l, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return l
}
