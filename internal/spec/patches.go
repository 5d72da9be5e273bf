package spec

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"go.yaml.in/yaml/v3"

	"quorate.dev/quorate/internal/localfile"
)

// Patch is one patch of a manifest that kubeadm writes. Its name says what it
// patches and how (cmd/kubeadm/app/util/patches).
type Patch struct {
	Name    string
	Target  string // the component
	Type    string // strategic, merge or json
	Content []byte
}

// maxPatch is the size of the largest patch that is read, in bytes.
const maxPatch = 1 << 20

var (
	patchTargets = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
	patchTypes   = []string{"strategic", "merge", "json"}
	patchName    = regexp.MustCompile(`^(` + strings.Join(patchTargets, "|") + `)([^.+\s/]*)(?:\+([a-z]*))?\.(yaml|json)$`)
	// Elsewhere a quorate that patches would have to know what kubeadm does there.
	otherTargets = map[string]string{
		"kubeletconfiguration": "quorate writes it: use spec.kubeletConfiguration",
		"corednsdeployment":    "it is not supported: change the Deployment in the cluster, or bring your own DNS (spec.addons.ownDNS)",
	}
)

// LoadPatches reads and judges the patches of a folder. The error is an *Invalid
// that names all mistakes with their places.
func LoadPatches(folder string) ([]Patch, error) {
	if folder == "" {
		return nil, nil
	}
	r := newReport("")
	out := readPatches(r, folder)
	return out, r.err()
}

// checkPatches judges the patches of the file's folder.
func checkPatches(r *report, folder string) { readPatches(r, folder) }

func readPatches(r *report, folder string) (out []Patch) {
	const key = "spec.patchesFolder"
	entries, err := os.ReadDir(folder)
	if err != nil {
		var why *os.PathError
		errors.As(err, &why)
		r.bad(key, "a folder of patches", "%s cannot be read: %v", shown(folder), why.Err)
		return nil
	}
	for _, e := range entries { // sorted by name, as kubeadm applies them
		name := e.Name()
		if strings.HasPrefix(name, ".") || e.IsDir() {
			continue
		}
		file := filepath.Join(folder, name)
		of := newReport(file)
		if p, ok := nameOf(of, name); ok {
			if p.Content, err = localfile.Read(file, maxPatch); err != nil {
				of.bad("", "a patch", "%v", err)
			} else {
				judgePatch(of, p)
				out = append(out, p)
			}
		}
		r.issues = append(r.issues, of.issues...)
	}
	if len(out) == 0 && len(r.issues) == 0 {
		r.bad(key, "files such as kube-apiserver0+merge.yaml", "%s holds no patches", shown(folder))
	}
	return out
}

func nameOf(r *report, name string) (Patch, bool) {
	const like = "target[suffix][+strategic|+merge|+json].yaml or .json"
	m := patchName.FindStringSubmatch(name)
	if m == nil {
		stem, _, _ := strings.Cut(name, ".")
		for target, why := range otherTargets {
			if strings.HasPrefix(stem, target) {
				r.note(Issue{Problem: "the target " + target + " is none: " + why, Next: "remove the file"})
				return Patch{}, false
			}
		}
		stem = strings.TrimRight(strings.SplitN(stem, "+", 2)[0], "0123456789")
		r.bad("", like+", the target one of "+oneOf(patchTargets), "the file's name names no patch%s", meant(stem, patchTargets))
		return Patch{}, false
	}
	p := Patch{Name: name, Target: m[1], Type: m[3]}
	switch {
	case p.Type == "" && strings.Contains(name, "+"), p.Type != "" && !slices.Contains(patchTypes, p.Type):
		r.bad("", oneOf(patchTypes)+" after +", "unknown type of patch %s", shown(p.Type))
		return p, false
	case strings.HasPrefix(m[2], "~quorate"):
		r.bad("", "another suffix", "the suffix is quorate's own")
		return p, false
	}
	if p.Type == "" {
		p.Type = patchTypes[0]
	}
	return p, true
}

// judgePatch reads each document of a patch into what it patches.
func judgePatch(r *report, p Patch) {
	if i, bad := notText(p.Content); bad {
		r.misread(i)
		return
	}
	dec := yaml.NewDecoder(bytes.NewReader(p.Content))
	for n := 0; ; n++ {
		var doc yaml.Node
		err := dec.Decode(&doc)
		switch {
		case err == io.EOF && n == 0, err == nil && (len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null"):
			r.misread(Issue{Problem: "the patch is empty", Next: "remove the file"})
			return
		case err == io.EOF:
			return
		case err != nil:
			r.misread(syntaxIssue(err))
			return
		}
		top := doc.Content[0]
		d := &decoder{report: r, root: reflect.TypeFor[corev1.Pod]()}
		d.mark("", top)
		if p.Type == "json" {
			judgeOperations(d, top)
			continue
		}
		withoutDirectives(top)
		var pod corev1.Pod
		d.value(top, reflect.ValueOf(&pod).Elem(), "")
		judgePatchedPod(r, p, &pod)
	}
}

// withoutDirectives takes out what steers a strategic merge ($patch, $retainKeys
// and so on): it is no field of what is patched.
func withoutDirectives(n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		var kept []*yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !strings.HasPrefix(n.Content[i].Value, "$") {
				kept = append(kept, n.Content[i], n.Content[i+1])
			}
		}
		n.Content = kept
	}
	for _, c := range n.Content {
		withoutDirectives(c)
	}
}

const notPatched = "quorate compares it with the file"

func judgePatchedPod(r *report, p Patch, pod *corev1.Pod) {
	if pod.Name != "" && pod.Name != p.Target || pod.Namespace != "" && pod.Namespace != "kube-system" {
		r.note(Issue{Path: "metadata", Problem: "name and namespace of a static pod are kubeadm's", Next: "remove them"})
	}
	if p.Type == "merge" && len(pod.Spec.Containers) > 0 {
		r.bad("spec.containers", "a strategic or a json patch", "a merge patch replaces the whole list")
	}
	for i, c := range pod.Spec.Containers {
		at := item("spec.containers", i)
		if c.Name == "" {
			r.bad(at+".name", p.Target, "missing: a strategic patch finds the container by its name")
		}
		if c.Name != p.Target {
			continue
		}
		if len(c.Command)+len(c.Args) > 0 {
			r.note(Issue{Path: at, Problem: "the command is not patched: " + notPatched, Next: "use spec.components." + p.Target + ".extraArgs"})
		}
		if c.Image != "" {
			r.note(Issue{Path: at + ".image", Problem: "the image is not patched: " + notPatched,
				Next: "use spec.kubernetes.version or spec.artifacts.versions"})
		}
		for j, e := range c.Env {
			if why := ownEnv(p.Target, e.Name); why != "" {
				r.note(Issue{Path: item(at+".env", j) + ".name", Problem: why, Next: "remove it"})
			}
		}
	}
}

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	From  string `json:"from,omitempty"`
	Value any    `json:"value,omitempty"`
}

var operations = []string{"add", "remove", "replace", "move", "copy", "test"}

func judgeOperations(d *decoder, top *yaml.Node) {
	var list []operation
	d.root = reflect.TypeFor[operation]()
	d.value(top, reflect.ValueOf(&list).Elem(), "")
	for i, o := range list {
		at := item("", i)
		if !slices.Contains(operations, o.Op) {
			d.bad(at+".op", oneOf(operations), "unknown operation %s", shown(o.Op))
		}
		judgePointer(d.report, at+".path", o.Path)
		if o.Op == "move" || o.Op == "copy" {
			judgePointer(d.report, at+".from", o.From)
		}
	}
}

// judgePointer follows a JSON pointer through the type of a pod.
func judgePointer(r *report, at, pointer string) {
	if !strings.HasPrefix(pointer, "/") {
		r.bad(at, "a path such as /spec/hostNetwork", "%s is none", shown(pointer))
		return
	}
	words := strings.Split(pointer[1:], "/")
	t := reflect.TypeFor[corev1.Pod]()
	for i, word := range words {
		word = strings.NewReplacer("~1", "/", "~0", "~").Replace(word)
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch {
		case decodesItself(t) || t.Kind() == reflect.Interface:
			return
		case t.Kind() == reflect.Struct:
			fields := fieldsOf(t)
			n := slices.IndexFunc(fields, func(f field) bool { return f.key == word })
			if n < 0 {
				var keys []string
				for _, f := range fields {
					keys = append(keys, f.key)
				}
				r.bad(at, "a field of "+t.Name(), "/%s names none%s", strings.Join(words[:i+1], "/"), meant(word, keys))
				return
			}
			t = fields[n].Type
		case t.Kind() == reflect.Slice:
			if _, err := strconv.ParseUint(word, 10, 31); err != nil && word != "-" {
				r.bad(at, "a number or -", "%s is no place in a list", shown(word))
				return
			}
			t = t.Elem()
		case t.Kind() == reflect.Map:
			t = t.Elem()
		default:
			r.bad(at, "a path that ends there", "/%s holds nothing below it", strings.Join(words[:i], "/"))
			return
		}
	}
	whole := len(words) < 3 || len(words) == 3 && words[2] != "-"
	compared := []string{"command", "args", "image", "name"}
	if strings.HasPrefix(pointer, "/spec/containers") && (whole || len(words) > 3 && slices.Contains(compared, words[3])) {
		r.note(Issue{Path: at, Problem: "command, image and name of containers are not patched: " + notPatched,
			Next: "use spec.components and spec.artifacts.versions"})
	}
}
