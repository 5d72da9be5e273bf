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
		return strings.TrimSpace(fmt.Sprintf("stage %d of %d  %s", ev.Stage, ev.Of, ev.Text))
	case engine.StepDone:
		return fmt.Sprintf("  %-6s %s (%s)", ev.Step.Host, ev.Step.Title, short(ev.Took))
	case engine.StepFail:
		return fmt.Sprintf("  %-6s FAILED %s: %s", ev.Step.Host, ev.Step.Title, firstLine(ev.Err))
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

// view is the state of a run as the terminal shows it. It draws nothing: on
// returns the lines that stay, frame those that are drawn anew each time.
type view struct {
	begun, stageBegun time.Time
	stage, of         int
	running           []task
	done              []task
}

type task struct {
	about plan.About
	since time.Time
	took  time.Duration
}

func (v *view) on(ev engine.Event) []string {
	switch ev.Kind {
	case engine.StageRun:
		lines := v.fold()
		v.stage, v.of, v.stageBegun = ev.Stage, ev.Of, ev.At
		head := fmt.Sprintf("stage %d of %d", ev.Stage, ev.Of)
		if ev.Text != "" {
			head += "  " + ev.Text
		}
		return append(lines, head)
	case engine.StepRun:
		v.running = append(v.running, task{about: *ev.Step, since: ev.At})
	case engine.StepDone:
		v.remove(*ev.Step)
		v.done = append(v.done, task{about: *ev.Step, took: ev.Took})
	case engine.StepFail:
		v.remove(*ev.Step)
		return []string{lineOf(ev)}
	case engine.Note:
		return []string{lineOf(ev)}
	case engine.Finished, runEnd:
		return v.fold()
	}
	return nil
}

func (v *view) remove(a plan.About) {
	v.running = slices.DeleteFunc(v.running, func(t task) bool { return t.about.Key() == a.Key() })
}

// fold makes one line of what was done on many hosts.
func (v *view) fold() []string {
	hosts := map[string][]model.HostID{}
	took := map[string]time.Duration{}
	var order []string
	for _, t := range v.done {
		title := t.about.Title
		if hosts[title] == nil {
			order = append(order, title)
		}
		hosts[title] = append(hosts[title], t.about.Host)
		took[title] = max(took[title], t.took)
	}
	v.done = nil
	var out []string
	for _, title := range order {
		slices.Sort(hosts[title])
		out = append(out, fmt.Sprintf("  %s  %s  %s", names(hosts[title]), title, short(took[title])))
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
		out = append(out, fmt.Sprintf("  %-*s  … %s  %s", wide, t.about.Host, t.about.Title, short(now.Sub(t.since))))
	}
	if n := len(v.running) - len(list); n > 0 {
		out = append(out, fmt.Sprintf("  … and %d more", n))
	}
	out = append(out, fmt.Sprintf("  %d of %d done, stage %d of %d, %s since the begin", len(v.done), len(v.done)+len(v.running), v.stage, v.of, short(now.Sub(v.begun))))
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
