package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"go.yaml.in/yaml/v3"
)

// MaxSize bounds a configuration file, in bytes.
const MaxSize = 1 << 20

// Duration is written as Go writes it: "500ms", "1h30m".
type Duration time.Duration

// Std is d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

func (d Duration) MarshalYAML() (any, error) { return time.Duration(d).String(), nil }

func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil || n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: %q is not a duration; write for example 500ms or 10s", n.Line, n.Value)
	}
	*d = Duration(v)
	return nil
}

// Parse reads a file strictly: unknown and repeated keys are errors, which say
// the line. The result has its defaults filled in and is valid.
func Parse(text []byte) (File, error) {
	if len(text) > MaxSize {
		return File{}, fmt.Errorf("the file has %d bytes; %d are the most", len(text), MaxSize)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	var f File
	if err := d.Decode(&f); errors.Is(err, io.EOF) {
		return File{}, errors.New("the file is empty")
	} else if err != nil {
		return File{}, err
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return File{}, errors.New("the file has more than one document")
	}
	f = f.WithDefaults()
	return f, f.Validate()
}

// Marshal writes the file as YAML. Parse of the result gives f with defaults.
func (f File) Marshal() ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(f); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}
