package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/spec"
)

const ca1, ca2 = "1111111111111111", "2222222222222222"

func fileOf(t *testing.T, name string, addresses ...string) *spec.Cluster {
	t.Helper()
	file, _, err := spec.Parse("c.yaml", spec.Init(name, starterHosts(addresses, nil)...))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// journalShown is what `quorate journal` shows of a file's cluster.
func journalShown(t *testing.T, file *spec.Cluster, id string, n int) (out []string, note string) {
	t.Helper()
	cmd := &cobra.Command{}
	var errOut bytes.Buffer
	cmd.SetErr(&errOut)
	dirs, err := chooseJournal(cmd, aboutCluster(file), id)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, d := range dirs {
		paths = append(paths, filepath.Join(d, journalName+".1"), filepath.Join(d, journalName))
	}
	if out, err = lastLines(n, journalText, paths...); err != nil {
		t.Fatal(err)
	}
	return out, errOut.String()
}

func TestJournalLinesCountWhatIsShown(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	file := fileOf(t, "prod", "10.0.0.1")
	j := openJournal(file, func() string { return ca1 }, origin{})
	for range 40 {
		j.add(event(engine.StepRun, "cp1", "start etcd", 0)) // says nothing in text
		j.add(event(engine.StepDone, "cp1", "start etcd", 0))
	}
	j.size = journalMax
	j.add(event(engine.StepDone, "cp1", "the last", 0))
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	lines, _ := journalShown(t, file, "", 30)
	if len(lines) != 30 || !strings.Contains(lines[29], "the last") || !strings.Contains(lines[28], "start etcd") {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
	if st, err := os.Stat(j.path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode: %v %v", st, err)
	}
}

// Two clusters of one name have two journals; a run that learns late which one it
// works on ends up in that one's, from its first event.
func TestJournalOfEachCluster(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	write := func(file *spec.Cluster, ca *string, titles ...string) {
		t.Helper()
		j := openJournal(file, func() string { return *ca }, origin{By: "ann", From: "ops1", File: "/c.yaml", SHA256: ca1 + ca2})
		j.add(engine.Event{Kind: runBegin, Text: "apply prod"})
		for i, title := range titles {
			if i == 1 && *ca == "" {
				*ca = ca2 // created meanwhile
			}
			j.add(event(engine.StepDone, "cp1", title, 0))
		}
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
	}
	first, second := fileOf(t, "prod", "10.0.0.1"), fileOf(t, "prod", "10.9.0.1")
	one, two, none := ca1, "", ""
	write(first, &one, "a of one")
	write(second, &two, "a of two", "b of two")
	lines, note := journalShown(t, second, "", 50)
	text := strings.Join(lines, "\n")
	if len(lines) != 3 || strings.Contains(text, "one") || !strings.Contains(text, "a of two") || !strings.Contains(note, ca1[:12]) {
		t.Errorf("%s\n%s", text, note)
	}
	if want := "begin: apply prod, by ann on ops1, /c.yaml sha256:" + ca1[:12]; !strings.Contains(lines[0], want) {
		t.Errorf("%q, want %q", lines[0], want)
	}
	if lines, _ = journalShown(t, second, ca1[:4], 50); len(lines) != 2 || !strings.Contains(lines[1], "a of one") {
		t.Errorf("by its id: %q", lines)
	}
	// While no host answers, a run is shown after what is known of the cluster.
	write(second, &none, "unreached")
	if lines, _ = journalShown(t, second, "", 50); len(lines) != 5 || !strings.Contains(lines[4], "unreached") {
		t.Errorf("%q", lines)
	}
}
