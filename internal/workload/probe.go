package workload

import (
	_ "embed"
	"fmt"
	"strings"
	"time"

	"quorate.dev/quorate/internal/plain"
)

var (
	//go:embed systemd.sh
	systemdProbe string
	//go:embed staticpod.sh
	staticPodProbe string
	//go:embed ask.sh
	askProbe string
)

// readStamps prints the stamps of the processes that both have found, and the
// members of etcd that API servers ask.
const readStamps = `frame "stamps"; [ -n "$environs$cmdlines" ] &&
	grep -zHsE '^(` + StampEnv + `=|` + VersionEnv + `=|--etcd-servers=)' $environs $cmdlines | tr '\0' '\n'
`

// Flags are the values of a flag of the processes that ProbeScript found, of
// those that it prints: --etcd-servers.
func Flags(frames map[string]string, name string) (values []string) {
	for l := range strings.Lines(frames["stamps"]) {
		file, flag, _ := strings.Cut(strings.TrimSuffix(l, "\n"), ":")
		if value, ok := strings.CutPrefix(flag, name+"="); ok && strings.HasSuffix(file, "/cmdline") {
			values = append(values, value)
		}
	}
	return values
}

// Watch is how the state of a component can be told, the same on every host.
type Watch struct {
	Name string
	// Silent: it does not tell when it is ready. It counts as started as soon
	// as its process is there, whatever becomes of that.
	Silent bool
	// ServesStarting: it is what its peers wait for before it is ready (etcd).
	ServesStarting bool
	// Drains: once its definition is gone it only finishes what it has begun. That
	// counts as stopped.
	Drains bool
	// Stamp is a command that prints what it has read, for what reads its files
	// again, or has no process.
	Stamp string
	// Asks are questions to it while it runs. The answers are those of the shell
	// command `said NAME.1`, `said NAME.2` and so on.
	Asks []Ask
}

// Ask is a question over HTTP. No certificate is verified.
type Ask struct {
	URL     string
	Seconds int // how long it may take
}

// State is what a host says of one service.
type State struct {
	Installed    bool          // it has a definition, and be it one that forbids its start
	Masked       bool          // that one
	Boot         string        // "enabled": it starts with the host; else the kind's own word
	Word         string        // its state in one word
	Up           bool          // it runs, and not only for a moment
	Young        bool          // it runs, and may end in a moment as one before it did
	Moving       bool          // it is starting or stopping
	Restarting   bool          // it has ended, and is about to be started again
	CrashLooping bool          // it is crash-looping, or ended for good by itself
	Restarts     int           // how often it was started again since somebody started it
	Since        time.Duration // for how long it has been active
	PID          int           // of its first process; 0: none
	Read         string        // the stamp of what the running process has read; "" when it does not tell
	Version      string        // of its program, as the process tells, or its definition while not running; "" when nobody tells
	// Pod: it is a static pod. What such a process has read can be told by its
	// command line, and by its start against the times at which its files changed.
	Pod       bool
	Argv      []string
	Started   time.Time
	FileTimes map[string]time.Time
	Manifest  string // its definition, where another program writes that

	As, Logs string // what it is called there, and the command that shows its log
}

// A process that lives for proven has read its configuration; one that was
// started again, if it lives for restored.
const (
	proven   = time.Second
	restored = 10 * time.Second
)

// young says that a process may end in a moment for the reason for which one
// before it did.
func young(since time.Duration, restarts int) bool {
	return since < proven || restarts > 0 && since < restored
}

// ProbeScript is the part of the probe that looks at services. What comes after
// it may use the shell functions `is_up NAME`, `is_active NAME` (ready, too),
// `recent_log NAME`, `said NAME.N` (see Watch.Asks) and the list $cmdlines of the services' /proc files. It needs
// host.Frames.Shell, the layout's variables, and those that ProbeVars gives. More
// is shell text that may call ask_named, see ask.sh.
func ProbeScript(watched []Watch, more string) string {
	var names []string
	var asks, stamps strings.Builder
	for _, w := range watched {
		names = append(names, w.Name)
		for i, a := range w.Asks {
			fmt.Fprintf(&asks, "! is_up %[1]s || ask %[1]s.%[2]d %[3]d '%[4]s'\n", w.Name, i+1, a.Seconds, a.URL)
		}
		if w.Stamp != "" {
			fmt.Fprintf(&stamps, "frame \"stamp %[1]s\"; is_up %[1]s && %[2]s\n", w.Name, w.Stamp)
		}
	}
	return "SERVICES='" + strings.Join(names, " ") + "'\n" + systemdProbe + staticPodProbe + readStamps +
		askProbe + asks.String() + more + "\nask_all\n" + stamps.String()
}

// ProbeVars are the variables of the probe that depend on what is wanted of a
// host: which services run as static pods, and the files that those read once
// that do not tell by a stamp what they have read.
func ProbeVars(wanted []*Service) map[string][]string {
	vars := map[string][]string{"PODS": nil, "ONCE": nil, "MADE": nil}
	for _, s := range wanted {
		if s == nil || !s.IsPod() {
			continue
		}
		vars["PODS"] = append(vars["PODS"], s.Name)
		if s.Made != nil {
			vars["MADE"] = append(vars["MADE"], s.Name)
			vars["ONCE"] = append(vars["ONCE"], s.Made.Reads...)
		}
		for _, f := range s.Files {
			if !s.stamped() && !f.Cold {
				vars["ONCE"] = append(vars["ONCE"], f.Path)
			}
		}
	}
	return vars
}

// UnaskedError says that a host's service manager gave no answer, so that
// nothing is known of its services.
type UnaskedError struct{ Said string }

func (e UnaskedError) Error() string { return "systemd does not answer: " + e.Said }

// Unasked is an UnaskedError if the frames that ProbeScript printed are of such a host.
func Unasked(frames map[string]string) error {
	if said := strings.TrimSpace(frames["unasked"]); said != "" {
		said, _, _ = strings.Cut(said, "\n")
		return UnaskedError{plain.Line(said)}
	}
	return nil
}

// Read makes states of the frames that ProbeScript printed, by service.
func Read(frames map[string]string, watched []Watch) map[string]State {
	out := map[string]State{}
	units, pods, times := systemdStates(frames), podStates(frames), ctimes(frames["ctimes"])
	for _, w := range watched {
		s := units[w.Name].state(w)
		if p, there := pods[w.Name]; there && !s.Up {
			s = p
			s.FileTimes, s.Manifest = times, frames["manifest "+w.Name]
			if s.Manifest != "" {
				s.Version = versionOf(s.Manifest, w.Name)
			}
		}
		if w.Stamp != "" {
			s.Read, _, _ = strings.Cut(strings.TrimSpace(frames["stamp "+w.Name]), "\n")
		}
		out[w.Name] = s
	}
	return out
}

func pairs(s, sep string) map[string]string {
	out := map[string]string{}
	for l := range strings.Lines(s) {
		if k, v, ok := strings.Cut(strings.TrimSpace(l), sep); ok {
			out[k] = strings.TrimSpace(v)
		}
	}
	return out
}
