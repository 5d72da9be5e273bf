package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Issue is one mistake in the file, or what a Warning is about.
type Issue struct {
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"` // 0 when the value did not come from a file
	Column   int    `json:"column,omitempty"`
	Path     string `json:"path,omitempty"` // spec.hosts[2].address
	Problem  string `json:"problem"`
	Expected string `json:"expected,omitempty"` // what would be right
	Next     string `json:"next,omitempty"`     // what to do
}

// WarningKind is what a Warning warns of.
type WarningKind string

// What can be chosen, and had better not be.
const (
	Fragile  WarningKind = "fragile"  // costs more than it gains when a host fails
	Insecure WarningKind = "insecure" // opens what is closed by default
	Unused   WarningKind = "unused"   // has no effect
)

// Warning is a choice that works, and what it costs. It stops nothing.
type Warning struct {
	Kind WarningKind `json:"kind"`
	Issue
}

// String is the issue as one line:
//
//	cluster.yaml:12:7: spec.hosts[1].address: 10.0.0.11 is also cp1's; expected an address of its own
func (i Issue) String() string {
	var b strings.Builder
	if i.File != "" {
		b.WriteString(i.File)
		if i.Line > 0 {
			fmt.Fprintf(&b, ":%d", i.Line)
			if i.Column > 0 {
				fmt.Fprintf(&b, ":%d", i.Column)
			}
		}
		b.WriteString(": ")
	}
	if i.Path != "" {
		b.WriteString(i.Path + ": ")
	}
	b.WriteString(i.Problem)
	if i.Expected != "" {
		b.WriteString("; expected " + i.Expected)
	}
	if i.Next != "" {
		b.WriteString("; " + i.Next)
	}
	return b.String()
}

// Invalid is a file with mistakes: all of them, in the file's order.
type Invalid struct {
	Issues  []Issue
	Partial bool // there were so many that the search was ended
}

const (
	// maxLines is how many mistakes are worth reading before the file is corrected.
	maxLines = 50
	// maxIssues is how many are looked for: a file of 4 MiB can hold a million.
	maxIssues = 10_000
)

// Error has one line per issue for the first 50, and a count of the others.
func (e *Invalid) Error() string {
	var lines []string
	for _, issue := range e.Issues[:min(len(e.Issues), maxLines)] {
		lines = append(lines, issue.String())
	}
	if n := len(e.Issues) - maxLines; n > 0 {
		more := Issue{File: e.Issues[0].File, Problem: strconv.Itoa(n) + " more mistakes", Next: "correct these first"}
		switch {
		case e.Partial:
			more.Problem = "at least " + more.Problem
		case n == 1:
			more.Problem = "1 more mistake"
		}
		lines = append(lines, more.String())
	}
	return strings.Join(lines, "\n")
}

// position is where a key (or a list's item) stands in the file.
type position struct{ line, column int }

// report gathers issues while a file is read and judged.
type report struct {
	file     string
	at       map[string]position
	unread   map[string]bool // paths the decoder already complained about
	issues   []Issue
	warnings []Warning
	partial  bool // the file was not read to its end

	flags map[string][]string // that components take, where it is known
}

func newReport(file string) *report {
	return &report{file: file, at: map[string]position{}, unread: map[string]bool{}}
}

// bad notes a mistake at path, unless the value there could not even be read.
func (r *report) bad(path, expected, format string, args ...any) {
	r.note(Issue{Path: path, Expected: expected, Problem: fmt.Sprintf(format, args...)})
}

// note is bad for an issue made by the caller; it adds file and position.
func (r *report) note(i Issue) {
	if !r.wasUnread(i.Path) {
		r.issues = append(r.issues, r.placed(i))
	}
}

// warn notes something that works, and what it costs.
func (r *report) warn(kind WarningKind, path, expected, format string, args ...any) {
	r.warnings = append(r.warnings, Warning{kind, r.placed(Issue{Path: path, Expected: expected, Problem: fmt.Sprintf(format, args...)})})
}

// misread notes what the decoder could not read; nothing more will be said
// about path or what lies below it.
func (r *report) misread(i Issue) {
	r.issues = append(r.issues, r.placed(i))
	r.unread[i.Path] = true
}

func (r *report) wasUnread(path string) bool {
	for ; path != ""; path = parent(path) {
		if r.unread[path] {
			return true
		}
	}
	return r.unread[""]
}

// placed fills in the position of the issue's path, or of the nearest path
// above it that stands in the file.
func (r *report) placed(i Issue) Issue {
	i.File = r.file
	for path := i.Path; i.Line == 0; path = parent(path) {
		if p, ok := r.at[path]; ok {
			i.Line, i.Column = p.line, p.column
		}
		if path == "" {
			break
		}
	}
	return i
}

// isFull says that looking for more mistakes is of no use.
func (r *report) isFull() bool { return len(r.issues) >= maxIssues }

// err is nil, or all issues in the file's order.
func (r *report) err() error {
	if len(r.issues) == 0 {
		return nil
	}
	inFileOrder(r.issues, func(i Issue) Issue { return i })
	return &Invalid{Issues: r.issues, Partial: r.partial}
}

func inFileOrder[T any](list []T, issue func(T) Issue) {
	slices.SortStableFunc(list, func(a, b T) int {
		x, y := issue(a), issue(b)
		return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column))
	})
}

// child is the path of a key below path.
func child(path, key string) string {
	if !isPlain(key) {
		return path + "[" + shown(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// item is the path of a list's i-th item.
func item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// parent is the path one step up, empty at the top.
func parent(path string) string {
	if i := strings.LastIndexAny(path, ".["); i > 0 {
		return path[:i]
	}
	return ""
}

// shown is a user's value as an issue shows it: quoted if it is not one plain
// word, cut if it is long.
func shown(s string) string {
	s = clip(s)
	for _, r := range s {
		if r <= ' ' || r == '"' || r == ';' || !strconv.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	if s == "" {
		return `""`
	}
	return s
}

func clip(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}

func isPlain(key string) bool {
	for _, r := range key {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '/') {
			return false
		}
	}
	return key != "" && len(key) <= 80
}
