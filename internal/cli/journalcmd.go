package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func journalCommand() *cobra.Command {
	var t target
	var n int
	var f form
	var id string
	cmd := &cobra.Command{
		Use: "journal", Example: "  quorate journal -f prod.yaml -n 30\n  quorate journal -f prod.yaml --id 3f9a0c51d2e4",
		Short: "Show what was done to the cluster from this machine",
		Long: `Journal shows what quorate did: when, who ran it, from where, with which file.
It asks no host. A cluster is known by its CA: of several clusters with the
file's name it shows the one that had these hosts last, and names the others.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, _, err := t.read(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			dirs, err := chooseJournal(cmd, aboutCluster(file), id)
			if err != nil {
				return err
			}
			show := journalText
			if f.json() {
				show = func(l string) string { return l }
			}
			var paths []string
			for _, dir := range dirs {
				paths = append(paths, filepath.Join(dir, journalName+".1"), filepath.Join(dir, journalName))
			}
			lines, err := lastLines(n, show, paths...)
			if err != nil {
				return err
			}
			for _, l := range lines {
				fmt.Fprintln(cmd.OutOrStdout(), l)
			}
			return nil
		},
	}
	t.flags(cmd)
	cmd.Flags().IntVarP(&n, "lines", "n", 50, "how many lines, counted from the end")
	cmd.Flags().StringVar(&id, "id", "", "the cluster to show, by the first digits of its CA's SHA-256")
	f.flags(cmd, "(one event a line)")
	return cmd
}

// chooseJournal finds the folders of a cluster's journal, and of what was tried
// before it had a CA.
func chooseJournal(cmd *cobra.Command, about clusterAbout, id string) (dirs []string, err error) {
	all, err := about.journals()
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	var chosen []keptJournal
	var others []string
	for _, k := range all {
		switch {
		case len(chosen) == 0 && (id == "" && k.about.shares(about) || id != "" && strings.HasPrefix(k.about.CA, id)):
			chosen = append(chosen, k)
		default:
			others = append(others, fmt.Sprintf("%s (%s)", k.about.id(), k.last.Local().Format("2006-01-02")))
		}
	}
	if len(others) > 0 && id == "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: other clusters named %s have journals here; choose one with --id: %s\n", about.Name,
			strings.Join(others, ", "))
	}
	if id != "" && len(chosen) == 0 {
		return nil, usageError{fmt.Errorf("--id %s: no journal of such a cluster %s; there are: %s", id, about.Name,
			strings.Join(others, ", "))}
	}
	for _, k := range chosen {
		dirs = append(dirs, k.dir)
	}
	if id == "" {
		pending, err := about.dir() // about has no CA here
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, pending)
	}
	return dirs, nil
}

// journalText is an entry as a line for people; "" is nothing to say.
func journalText(line string) string {
	var e entry
	if json.Unmarshal([]byte(line), &e) != nil {
		return line
	}
	text := lineOf(e.Event)
	if text == "" {
		return ""
	}
	if e.Event.Kind == runBegin {
		text += ", " + e.origin.String()
	}
	return fmt.Sprintf("%s %s %s", e.Event.At.Local().Format("2006-01-02 15:04:05"), e.Event.Run, text)
}

// lastLines reads the end of files, which need not be there: the last n lines
// of which show makes something.
func lastLines(n int, show func(string) string, paths ...string) ([]string, error) {
	var out []string
	n = max(n, 0)
	for _, p := range paths {
		f, err := os.Open(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		s := bufio.NewScanner(f)
		s.Buffer(nil, journalMax)
		for s.Scan() {
			if l := show(s.Text()); l != "" {
				out = append(out, l)
			}
			if len(out) > 2*n+1000 {
				out = append([]string{}, out[len(out)-n:]...)
			}
		}
		f.Close()
		if err := s.Err(); err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
	}
	return out[max(0, len(out)-n):], nil
}
