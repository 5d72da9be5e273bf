package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/spec"
)

// journalMax is when the journal begins a new file, in bytes; the one before is kept.
const journalMax = 10 << 20

// entry is one line of a journal.
type entry struct {
	engine.Event
	origin
}

// journal appends every event to a file for people: nothing is ever read from
// it to decide something. Each cluster has a folder of its own, named after its
// name and CA. Before the CA was seen, events go to a folder named after the
// name and the hosts, and move once it is known.
type journal struct {
	about  clusterAbout
	origin origin
	ca     func() string // of the cluster; "": not known yet

	path string
	file *os.File
	size int64
	err  error // the first that happened; from then on nothing is written
}

// openJournal opens the journal of a file's cluster; ca says which one it is,
// when asked again perhaps more than before.
func openJournal(file *spec.Cluster, ca func() string, o origin) *journal {
	j := &journal{about: aboutCluster(file), origin: o, ca: ca}
	j.about.CA = ca()
	j.err = j.open()
	return j
}

func (j *journal) open() error {
	dir, err := j.about.dir()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if j.about.CA != "" {
		if err := j.about.write(dir); err != nil {
			return err
		}
		if err := j.adopt(dir); err != nil {
			return err
		}
	}
	j.path = filepath.Join(dir, journalName)
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

// adopt moves what was written before the cluster's CA was known.
func (j *journal) adopt(dir string) error {
	before := j.about
	before.CA = ""
	pending, err := before.dir()
	if err != nil {
		return err
	}
	for _, name := range []string{journalName + ".1", journalName} {
		r, err := os.Open(filepath.Join(pending, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		defer r.Close()
		w, err := os.OpenFile(filepath.Join(dir, journalName), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, r)
		if err = errors.Join(err, w.Close()); err != nil {
			return err
		}
	}
	return os.RemoveAll(pending)
}

// add writes one event, in one call, so that two writers do not mix.
func (j *journal) add(ev engine.Event) {
	if j.err != nil {
		return
	}
	if ca := j.ca(); ca != "" && ca != j.about.CA {
		j.about.CA = ca // now it is known which cluster this is
		if j.err = errors.Join(j.file.Close(), j.open()); j.err != nil {
			return
		}
	}
	line, err := document("", entry{ev, j.origin})
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
