package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/engine"
)

// journalMax is when the journal begins a new file; the one before is kept.
const journalMax = 10 << 20

// journal appends every event to a file for people: nothing is ever read from
// it to decide something.
type journal struct {
	path string
	file *os.File
	size int64
	err  error // the first that happened; from then on nothing is written
}

// journalPath is where the events of a cluster are kept on this machine.
func journalPath(cluster string) (string, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "quorate", cluster, "journal.jsonl"), nil
}

func openJournal(cluster string) *journal {
	j := &journal{}
	if j.path, j.err = journalPath(cluster); j.err == nil {
		j.err = j.open()
	}
	return j
}

func (j *journal) open() error {
	if err := os.MkdirAll(filepath.Dir(j.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	j.file, j.size = f, 0
	if st, err := f.Stat(); err == nil {
		j.size = st.Size()
	}
	return nil
}

// add writes one event, in one call, so that two writers do not mix.
func (j *journal) add(ev engine.Event) {
	if j.err != nil {
		return
	}
	line, err := json.Marshal(ev)
	if err == nil && j.size+int64(len(line)) > journalMax {
		err = j.rotate()
	}
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
		j.size += int64(len(line)) + 1
	}
	j.err = err
}

func (j *journal) rotate() error {
	j.file.Close()
	if err := os.Rename(j.path, j.path+".1"); err != nil {
		return err
	}
	return j.open()
}

// close ends it, and returns what went wrong.
func (j *journal) close() error {
	if j.file != nil {
		j.err = errors.Join(j.err, j.file.Close())
		j.file = nil
	}
	if j.err != nil {
		return fmt.Errorf("the journal is not complete: %w", j.err)
	}
	return nil
}

func journalCommand() *cobra.Command {
	var t target
	var n int
	var f form
	cmd := &cobra.Command{
		Use: "journal", Example: "  quorate journal -f prod.yaml -n 30",
		Short: "Show what was done to the cluster from this machine",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, _, err := t.read(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			path, err := journalPath(file.Metadata.Name)
			if err != nil {
				return err
			}
			lines, err := lastLines(n, path+".1", path)
			if err != nil {
				return err
			}
			for _, l := range lines {
				var ev engine.Event
				if f.json() || json.Unmarshal([]byte(l), &ev) != nil {
					fmt.Fprintln(cmd.OutOrStdout(), l)
				} else if text := lineOf(ev); text != "" {
					fmt.Fprintf(cmd.OutOrStdout(), "%s %s %s\n", ev.At.Local().Format("2006-01-02 15:04:05"), ev.Run, text)
				}
			}
			return nil
		},
	}
	t.flags(cmd)
	cmd.Flags().IntVarP(&n, "lines", "n", 50, "how many events, counted from the end")
	f.flags(cmd, "")
	return cmd
}

// lastLines reads the end of files, which need not be there.
func lastLines(n int, paths ...string) ([]string, error) {
	var out []string
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
			out = append(out, s.Text())
			if len(out) > 2*max(n, 0)+1000 {
				out = append([]string{}, out[len(out)-n:]...)
			}
		}
		f.Close()
		if err := s.Err(); err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
	}
	return out[max(0, len(out)-max(n, 0)):], nil
}
