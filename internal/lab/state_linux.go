package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// readLab reads a lab's lab.json; fs.ErrNotExist when there is no such lab.
func readLab(name string) (*Lab, error) {
	l := &Lab{}
	if err := readJSON(filepath.Join(stateRoot, name, "lab.json"), l); err != nil {
		return nil, err
	}
	return l, nil
}

// readLabs reads all labs, in order of their names, and the names of state
// folders without a readable lab.json.
func readLabs() (labs []*Lab, broken []string, err error) {
	entries, err := os.ReadDir(stateRoot)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list labs: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		l, err := readLab(e.Name())
		if err != nil {
			broken = append(broken, e.Name())
			continue
		}
		labs = append(labs, l)
	}
	return labs, broken, nil
}

func (l *Lab) save() error {
	return writeJSON(filepath.Join(l.dir(), "lab.json"), l)
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// writeJSON replaces a file as a whole or not at all.
func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
