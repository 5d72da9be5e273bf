package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"quorate.dev/quorate/internal/localfile"
)

// MaxFile is the size of the largest cluster file that is read, in bytes: room
// for MaxHosts hosts, and the tree of any such file fits into memory.
const MaxFile = 4 << 20

// Load reads the file at path, applies the defaults and judges it, the files it
// names included. The error is an *Invalid that names the mistakes at once, or
// says why the file could not be read.
func Load(path string) (*Cluster, []Warning, error) {
	data, err := ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	return LoadBytes(path, data)
}

// ReadFile is the text of the cluster file at path, for LoadBytes.
func ReadFile(path string) ([]byte, error) {
	data, err := localfile.Read(path, MaxFile)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("read cluster file: %w; write one with: quorate init -f %s", err, path)
	case errors.As(err, new(localfile.IrregularError)):
		return nil, fmt.Errorf("read cluster file: %w; give its path, or the file itself on stdin with: -f -", err)
	case err != nil:
		return nil, fmt.Errorf("read cluster file: %w", err)
	}
	return data, nil
}

// LoadBytes is Load for a file already read: name is what messages call it, and
// relative paths in it start in name's folder.
func LoadBytes(name string, data []byte) (*Cluster, []Warning, error) {
	return read(name, data, checkFiles)
}

// Parse is LoadBytes without a look at the files that the file names.
func Parse(name string, data []byte) (*Cluster, []Warning, error) {
	return read(name, data, func(*report, *Cluster) {})
}

func read(name string, data []byte, also func(*report, *Cluster)) (*Cluster, []Warning, error) {
	r := newReport(name)
	top, err := oneDocument(r, data)
	if err != nil {
		return nil, nil, err
	}
	if i, over := tooManyHosts(top); over {
		r.misread(i)
		return nil, nil, r.err()
	}
	c := &Cluster{}
	d := &decoder{report: r, root: reflect.TypeFor[Cluster]()}
	d.mark("", top)
	d.value(top, reflect.ValueOf(c).Elem(), "")
	c = Default(c, filepath.Dir(name))
	if r.partial = r.isFull(); !r.partial {
		judge(r, c)
		also(r, c)
	}
	if err := r.err(); err != nil {
		return nil, r.warnings, err
	}
	inFileOrder(r.warnings, func(w Warning) Issue { return w.Issue })
	return c, r.warnings, nil
}

// oneDocument is the top node of a file that holds one YAML document.
func oneDocument(r *report, data []byte) (*yaml.Node, error) {
	if i, bad := notText(data); bad {
		r.misread(i)
		return nil, r.err()
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	err := dec.Decode(&doc)
	if err == io.EOF || err == nil && (len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null") {
		r.misread(Issue{Problem: "the file is empty", Next: "write one with: quorate init"})
		return nil, r.err()
	}
	if err != nil {
		r.misread(syntaxIssue(err))
		return nil, r.err()
	}
	if err := dec.Decode(&more); err != io.EOF {
		r.misread(Issue{Line: more.Line, Column: more.Column, Problem: "a second document follows", Expected: "one cluster per file"})
		return nil, r.err()
	}
	return doc.Content[0], nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntaxIssue takes the line out of the YAML parser's own words.
func syntaxIssue(err error) Issue {
	text := strings.ReplaceAll(err.Error(), "\n", " ")
	i := Issue{Problem: "not YAML: " + yamlLine.ReplaceAllString(text, "")}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		i.Line, _ = strconv.Atoi(m[1])
	}
	return i
}

// checkFiles looks whether the files that the cluster file names can be read.
func checkFiles(r *report, c *Cluster) {
	const password = "a file that holds the password"
	sshFiles := func(path string, s SSH) {
		readable(r, path+".keyFile", s.KeyFile, "a private key", localfile.Check)
		readable(r, path+".passwordFile", s.PasswordFile, password, localfile.CheckSecret)
		readable(r, path+".jumpPasswordFile", s.JumpPasswordFile, password, localfile.CheckSecret)
		readable(r, path+".sudoPasswordFile", s.SudoPasswordFile, password, localfile.CheckSecret)
	}
	sshFiles("spec.ssh", c.Spec.SSH)
	for i, h := range c.Spec.Hosts {
		if h.SSH != nil {
			sshFiles(item("spec.hosts", i)+".ssh", *h.SSH)
		}
	}
	if vip := c.Spec.LoadBalancer.VIP; vip != nil {
		readable(r, "spec.loadBalancer.vip.passwordFile", vip.PasswordFile, password, localfile.CheckSecret)
	}
	if c.Spec.PatchesFolder != "" {
		checkPatches(r, c.Spec.PatchesFolder)
	}
	if c.Spec.Network.cniIsFile() {
		readable(r, "spec.network.cni", c.Spec.Network.CNI, "the path of a manifest", localfile.Check)
	}
}

func readable(r *report, path, file, expected string, check func(string) error) {
	if file == "" {
		return
	}
	err := check(file)
	var why *fs.PathError
	switch {
	case err == nil:
	case errors.As(err, &why):
		r.bad(path, expected, "%s cannot be read: %v", shown(file), why.Err)
	case errors.As(err, new(localfile.OpenSecretError)):
		r.note(Issue{Path: path, Problem: err.Error()})
	default:
		r.bad(path, expected, "%v", err)
	}
}
