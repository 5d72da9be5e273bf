// Package workload says how a component runs on a host: as which files, how it
// is started, stopped and looked at, and by which digests disk, running process
// and goal are compared. Systemd is one kind of it. What the component is comes
// from package component.
package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"sort"
	"strings"

	"quorate.dev/quorate/internal/host"
)

// StampEnv is the environment variable by which a running process tells the
// digest of the configuration it was started with.
const StampEnv = "QUORATE_CONFIG"

// VersionEnv is the environment variable by which a running process tells the
// version of its program.
const VersionEnv = "QUORATE_VERSION"

// StampMark stands for the stamp where a service cannot tell it by its
// environment (nginx serves it on its health port instead).
const StampMark = "@QUORATE_CONFIG@"

// AsFound stands for the digest of what others have made and nobody changes.
const AsFound = "as found"

// File is a file that a service reads.
type File struct {
	host.File
	// Cold files are kept true on disk, but a change of one is no reason to
	// restart the service (etcd's --initial-cluster is read only by an empty member).
	Cold bool
}

// Service is one component of one host, as its kind runs it.
type Service struct {
	Name    string // unit name without ".service"
	Version string // of its program; "" for one of the distribution
	Kind    Kind   // nil: Systemd
	Unit    string // its definition, which gets the stamp: for systemd the unit file
	Files   []File
	// User is the system user that it runs as; "" is root. Copies are files of
	// root's that it reads.
	User   string
	Copies []Copy
	// Reload says that a change of Files, the unit being the same, needs only
	// a reload (nginx).
	Reload bool
	// Resumes: without its definition it goes on until its last client is gone, which
	// counts as stopped (Watch.Drains). If it is wanted again before that, a reload is
	// enough and cuts nobody off.
	Resumes bool
	// Verify are the commands that check the files before they take effect;
	// "{}" is replaced by the folder under which they are staged.
	Verify [][]string
	// Argv is the command line of the running process, for a service whose
	// process does not tell by a stamp what it has read.
	Argv []string
	// Made is set when another program writes the definition.
	Made *Made
	// Found says that others have installed it, and that it stays as it was found:
	// nothing of it is written. It counts as wanted while it is there and runs.
	Found bool
	// Certs are the names (package pki) of the certificates it reads.
	Certs []string
}

// Path is where the definition lies.
func (s Service) Path() string { return s.kind().Path(s.Name) }

// stamped says that its process tells by a stamp what it has read.
func (s Service) stamped() bool { return s.Argv == nil && s.Made == nil }

func (s Service) kind() Kind {
	if s.Kind == nil {
		return Systemd{}
	}
	return s.Kind
}

// Stamp is the digest of all that the running process has read at its start:
// the unit, every file that is not cold, and its program by version: another
// build of the same version is the same program.
func (s Service) Stamp() string {
	if s.Found {
		return AsFound
	}
	if s.Made != nil {
		return s.Made.stamp()
	}
	lines := []string{"unit " + sum([]byte(s.Unit))}
	if s.Version != "" {
		lines = append(lines, "version "+s.Version)
	}
	for _, f := range s.Files {
		if !f.Cold {
			lines = append(lines, line(f.File))
		}
	}
	return digest(lines)[:16]
}

// Rendered are the files as they must lie on the disk, the stamped definition
// last, unless another program writes that.
func (s Service) Rendered() []host.File {
	stamp := s.Stamp()
	var out []host.File
	for _, f := range s.Files {
		f.Content = []byte(strings.ReplaceAll(string(f.Content), StampMark, stamp))
		out = append(out, f.File)
	}
	if s.Made != nil || s.Found {
		return out
	}
	return append(out, host.File{Path: s.Path(), Content: []byte(s.kind().Stamped(s, stamp)), Mode: 0o600})
}

// Disk is the digest of the files as they must lie on the disk.
func (s Service) Disk() string {
	if s.Found {
		return AsFound
	}
	sums := map[string]string{}
	for _, f := range s.Rendered() {
		sums[f.Path] = sum(f.Content)
	}
	for _, c := range s.Copies {
		sums[c.To] = c.true()
	}
	if s.Made != nil {
		return digest(s.Made.wanted())[:16] + "-" + DiskDigest(sums)
	}
	return DiskDigest(sums)
}

// DiskDigest is the digest of files by path and SHA-256; a missing file has
// the digest "".
func DiskDigest(sums map[string]string) string {
	var lines []string
	for path, s := range sums {
		lines = append(lines, path+" "+s)
	}
	return digest(lines)[:16]
}

func line(f host.File) string { return f.Path + " " + sum(f.Content) }

func digest(lines []string) string {
	sort.Strings(lines)
	return sum([]byte(strings.Join(lines, "\n")))
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
