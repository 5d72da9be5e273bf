package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// source is the commit that a release is built from.
type source struct {
	dir     string
	commit  string
	time    time.Time // of the commit, UTC: every date in a release is this one
	version string    // its tag, or a pseudo-version as Go makes them
}

// open reads the commit of a repository. What is not committed cannot be built
// again by others, so it is refused.
func open(dir string) (source, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return source{}, err
	}
	s := source{dir: dir}
	changed, err := s.git("status", "--porcelain", "--untracked-files=all")
	if err != nil {
		return s, err
	}
	if changed != "" {
		return s, fmt.Errorf("the git tree is dirty:\n%s\nnext: commit, stash or remove these files; a release is built from a commit only", changed)
	}
	if s.commit, err = s.git("rev-parse", "HEAD"); err != nil {
		return s, err
	}
	seconds, err := s.git("log", "-1", "--format=%ct")
	if err != nil {
		return s, err
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return s, fmt.Errorf("the commit's time: %w", err)
	}
	s.time = time.Unix(n, 0).UTC()
	s.version, err = s.describe()
	return s, err
}

// date is the commit's time, RFC 3339.
func (s source) date() string { return s.time.Format(time.RFC3339) }

// describe is the highest version tag of the commit, or else a pseudo-version
// after the nearest one before it (https://go.dev/ref/mod#pseudo-versions).
func (s source) describe() (string, error) {
	here, err := s.git("tag", "--points-at", "HEAD")
	if err != nil {
		return "", err
	}
	if v := highest(here); v != "" {
		return v, nil
	}
	before, err := s.git("tag", "--merged", "HEAD")
	if err != nil {
		return "", err
	}
	return module.PseudoVersion(semver.Major(highest(before)), highest(before), s.time, s.commit[:12]), nil
}

// highest is the highest semantic version in a list of tags, "" if there is none.
func highest(tags string) string {
	best := ""
	for tag := range strings.FieldsSeq(tags) {
		if semver.IsValid(tag) && semver.Canonical(tag) == tag && semver.Compare(tag, best) > 0 {
			best = tag
		}
	}
	return best
}

func (s source) git(args ...string) (string, error) {
	out, err := exec.Command("git", append([]string{"-C", s.dir}, args...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s in %s: %w\n%s", strings.Join(args, " "), s.dir, err, out)
	}
	return strings.TrimRight(string(out), "\n"), nil
}
