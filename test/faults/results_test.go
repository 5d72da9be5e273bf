package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGoesOn: trials are kept as they come, and those of the same programs are
// not done again.
func TestGoesOn(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "quorate")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(program, "a")
	write(filepath.Join(dir, "quorate-lb"), "b")
	open := func() *results {
		t.Helper()
		rs, err := openResults(filepath.Join(dir, "out", "faults.jsonl"), filepath.Join(dir, "plot.svg"), program)
		if err != nil {
			t.Fatal(err)
		}
		return rs
	}
	f := known()[0]
	rs := open()
	for i, gap := range []float64{0.5, 1.5} {
		r := result{Kind: "builtin", Fault: f.title, Victim: "leader", Run: i, Rows: []row{
			{Way: ownDoor, Client: "standing reads", Gap: gap, Failed: 1}, {Way: workerDoor, Client: "standing reads", Gap: gap + 1, Failed: 2}}}
		if err := rs.add(r); err != nil {
			t.Fatal(err)
		}
	}
	// The machine went down in the middle of a third.
	path := filepath.Join(dir, "out", "faults.jsonl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(path, string(text)+`{"Build":"`)
	rs = open()
	if !rs.has("builtin", f.title, "leader", 1) || rs.has("builtin", f.title, "leader", 2) || rs.has("nginx", f.title, "leader", 0) {
		t.Errorf("%+v", rs.all)
	}
	var out strings.Builder
	if err := rs.report(&out); err != nil {
		t.Fatal(err)
	}
	// Two doors: failures add up, the longer gap counts; the median of two trials.
	if want := "| " + f.title + " | leader | builtin | 0 / 0 | 3 | 2.0 |"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, out.String())
	}
	svg, err := os.ReadFile(filepath.Join(dir, "plot.svg"))
	if err != nil || !strings.Contains(string(svg), "all packets dropped, leader, builtin") {
		t.Errorf("%s, %v", svg, err)
	}
	write(program, "another build")
	if rs := open(); len(rs.all) != 0 {
		t.Errorf("trials of another build count: %+v", rs.all)
	}
}
