package cli

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/internal/spec"
)

// Files in a cluster's folder.
const (
	journalName = "journal.jsonl"
	aboutName   = "cluster.json"
)

// clusterAbout is what a journal's folder says of its cluster, so that it is
// found while no host can be asked.
type clusterAbout struct {
	Name  string   `json:"name"`
	CA    string   `json:"caSHA256"` // SHA-256 of the CA certificate; "": not seen yet
	Hosts []string `json:"hosts"`    // addresses for SSH, as of the last run
}

func aboutCluster(file *spec.Cluster) clusterAbout {
	a := clusterAbout{Name: file.Metadata.Name}
	for _, h := range file.Spec.Hosts {
		a.Hosts = append(a.Hosts, h.Address)
	}
	slices.Sort(a.Hosts)
	return a
}

// journalsDir is where this user's journals are.
func journalsDir() (string, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "quorate"), nil
}

// id is short, and differs between clusters of one name.
func (a clusterAbout) id() string {
	if a.CA != "" {
		return a.CA[:12]
	}
	return fmt.Sprintf("new-%x", sha256.Sum256([]byte(strings.Join(a.Hosts, "\n"))))[:12]
}

func (a clusterAbout) dir() (string, error) {
	base, err := journalsDir()
	return filepath.Join(base, a.Name+"-"+a.id()), err
}

// write keeps the description beside the journal.
func (a clusterAbout) write(dir string) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, aboutName)
	if old, err := os.ReadFile(path); err == nil && string(old) == string(text) {
		return nil
	}
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(tmp, text, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// kept is one journal on this machine.
type keptJournal struct {
	about clusterAbout
	dir   string
	last  time.Time // of the last entry
}

// journals are those of clusters that a file may mean, the most likely first:
// clusters of its name, by how lately they were worked on, and of these first
// those that had a host at an address that the file names.
func (a clusterAbout) journals() ([]keptJournal, error) {
	base, err := journalsDir()
	if err != nil {
		return nil, err
	}
	folders, err := filepath.Glob(filepath.Join(base, "*"))
	if err != nil {
		return nil, err
	}
	var out []keptJournal
	for _, dir := range folders {
		text, err := os.ReadFile(filepath.Join(dir, aboutName))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		k := keptJournal{dir: dir}
		if json.Unmarshal(text, &k.about) != nil || k.about.Name != a.Name {
			continue
		}
		if st, err := os.Stat(filepath.Join(dir, journalName)); err == nil {
			k.last = st.ModTime()
		}
		out = append(out, k)
	}
	slices.SortFunc(out, func(x, y keptJournal) int {
		if mx, my := a.shares(x.about), a.shares(y.about); mx != my {
			if mx {
				return -1
			}
			return 1
		}
		return y.last.Compare(x.last)
	})
	return out, nil
}

// shares says that some host of one is a host of the other.
func (a clusterAbout) shares(b clusterAbout) bool {
	return slices.ContainsFunc(a.Hosts, func(h string) bool { return slices.Contains(b.Hosts, h) })
}
