package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// result is one trial.
type result struct {
	Build               string // of the programs under test
	At                  time.Time
	Load                string // the machine's, when the trial ended
	Kind, Fault, Victim string
	Run                 int
	Rows                []row
	NotReady            []string // nodes other than the victim's that were not Ready at any time
}

// row is a client's, as it reports it.
type row struct {
	Way, Client            string
	Requests, Failed, Slow int
	Longest, Gap, GapAt    float64
	First                  string
}

// results are all trials of the programs under test, in a file that keeps those
// of others, too.
type results struct {
	path, plot, build string
	all               []result
}

func openResults(path, plot, quorate string) (*results, error) {
	build, err := digest(quorate, filepath.Join(filepath.Dir(quorate), "quorate-lb"))
	if err != nil {
		return nil, err
	}
	rs := &results{path: path, plot: plot, build: build}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return rs, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var r result
		// A line that was cut short is a trial that is done again.
		if json.Unmarshal(lines.Bytes(), &r) == nil && r.Build == build {
			rs.all = append(rs.all, r)
		}
	}
	return rs, lines.Err()
}

func digest(paths ...string) (string, error) {
	sum := sha256.New()
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(sum, f)
		f.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}

func (rs *results) has(kind, fault, victim string, run int) bool {
	for _, r := range rs.all {
		if r.Kind == kind && r.Fault == fault && r.Victim == victim && r.Run == run {
			return true
		}
	}
	return false
}

// add keeps a trial, at once.
func (rs *results) add(r result) error {
	load, _ := os.ReadFile("/proc/loadavg")
	r.Build, r.At, r.Load = rs.build, time.Now().UTC(), string(load[:min(len(load), 14)])
	rs.all = append(rs.all, r)
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(rs.path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(rs.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	// A line of its own, also after one that was cut short.
	_, err = f.Write(append(append([]byte("\n"), text...), '\n'))
	fmt.Fprint(os.Stderr, summary([]result{r}))
	return errors.Join(err, f.Close())
}

// report prints the tables, and draws the plot.
func (rs *results) report(to io.Writer) error {
	if len(rs.all) == 0 {
		return nil
	}
	fmt.Fprintln(to, summary(rs.all))
	fmt.Fprint(to, table(rs.all))
	if rs.plot == "" {
		return nil
	}
	return os.WriteFile(rs.plot, []byte(plot(rs.all)), 0o644)
}
