package knobs

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Pod is a static pod manifest as it was found. Its knobs are those of its first
// container, which is the only one in control planes' manifests.
type Pod struct {
	doc     document
	program []string
	words   []place
	flags   Flags
	other   []string
}

// place is one word of the command line: an item of command or args.
type place struct {
	list *yaml.Node
	i    int
}

func (p place) node() *yaml.Node { return p.list.Content[p.i] }

var container = []string{"spec", "containers", "0"}

// ReadPod reads a manifest.
func ReadPod(text string) (Pod, error) {
	d, err := readDocument(text)
	if err != nil {
		return Pod{}, err
	}
	p := Pod{doc: d}
	if kind := d.find("kind"); kind == nil || kind.Value != "Pod" {
		return Pod{}, errors.New("it is no manifest of a Pod")
	}
	if d.find(container...) == nil {
		return Pod{}, errors.New("the pod has no container")
	}
	for _, key := range []string{"command", "args"} {
		list := d.find(append(slices.Clone(container), key)...)
		if list == nil {
			continue
		}
		if list.Kind != yaml.SequenceNode {
			return Pod{}, fmt.Errorf("line %d: %s is no list", list.Line, key)
		}
		for i, n := range list.Content {
			if n.Kind != yaml.ScalarNode {
				return Pod{}, fmt.Errorf("line %d: %s has something else than words", n.Line, key)
			}
			p.words = append(p.words, place{list, i})
		}
	}
	var words []string
	for _, w := range p.words {
		words = append(words, w.node().Value)
	}
	if len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		p.program, words, p.words = words[:1], words[1:], p.words[1:]
	}
	p.flags, p.other = readFlags(words)
	return p, nil
}

// Text is the manifest.
func (p Pod) Text() string { return p.doc.text }

// Flags are those of its program.
func (p Pod) Flags() Flags { return p.flags }

// Arguments are the words of its command line that are no flags.
func (p Pod) Arguments() []string { return p.other }

// Program is what the container runs; "" when its image decides.
func (p Pod) Program() string { return strings.Join(p.program, " ") }

// Image is that of the container.
func (p Pod) Image() string { return p.Scalar("spec", "containers", "0", "image") }

// Scalar is the value at a path of keys, and numbers of items; "" when there is
// none.
func (p Pod) Scalar(path ...string) string {
	if n := p.doc.find(path...); n != nil && n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}

// SetImage gives the container an image.
func (p Pod) SetImage(image string) (Pod, error) {
	return p.SetScalar(image, "spec", "containers", "0", "image")
}

// SetScalar changes the value at a path, which must be there.
func (p Pod) SetScalar(value string, path ...string) (Pod, error) {
	where := strings.Join(path, ".")
	n := p.doc.find(path...)
	if n == nil {
		return Pod{}, fmt.Errorf("the manifest has no %s", where)
	}
	edits, err := p.doc.setScalar(n, value)
	if err != nil {
		return Pod{}, fmt.Errorf("%s: %w", where, err)
	}
	d, err := p.doc.edited(edits, func(root *yaml.Node) { (document{root: root}).find(path...).Value = value })
	if err != nil {
		return Pod{}, fmt.Errorf("%s: %w", where, err)
	}
	return ReadPod(d.text)
}

// Set gives a flag these values, one for each time it stands on the command line;
// no values take it away.
func (p Pod) Set(name string, values ...string) (Pod, error) {
	edits, err := setFlag(p, p.flags, name, values)
	if err != nil || len(edits) == 0 {
		return p, err
	}
	files, err := apply([]File{{Path: "the manifest", Text: p.doc.text}}, edits)
	if err != nil {
		return Pod{}, err
	}
	out, err := ReadPod(files[0].Text)
	if err == nil {
		err = verified(p.flags, out.flags, name, values)
	}
	if err == nil && !reflect.DeepEqual(p.rest(), out.rest()) {
		err = fmt.Errorf("--%s cannot be changed here without the manifest changing elsewhere. Change it by hand", name)
	}
	if err != nil {
		return Pod{}, err
	}
	return out, nil
}

// SetList gives a flag that is a list these items, in the style it was found in.
func (p Pod) SetList(name string, items ...string) (Pod, error) {
	return p.Set(name, listValues(p.flags, name, items)...)
}

// rest is all of a manifest but its flags.
func (p Pod) rest() any {
	var all map[string]any
	if p.doc.root.Decode(&all) != nil {
		return nil
	}
	if spec, is := all["spec"].(map[string]any); is {
		if list, is := spec["containers"].([]any); is && len(list) > 0 {
			if c, is := list[0].(map[string]any); is {
				c["command"], c["args"] = p.program, p.other
			}
		}
	}
	return all
}

func (p Pod) setValue(f Flag, value string) ([]edit, error) {
	if f.separate {
		return p.doc.setScalar(p.words[f.at+1].node(), value)
	}
	n := p.words[f.at].node()
	if f.Bare {
		return p.doc.setScalar(n, n.Value+"="+value)
	}
	return p.doc.setScalar(n, strings.TrimSuffix(n.Value, f.Value)+value)
}

func (p Pod) remove(f Flag) ([]edit, error) {
	edits, err := p.doc.removeItem(p.words[f.at].list, p.words[f.at].i)
	if err == nil && f.separate {
		var more []edit
		more, err = p.doc.removeItem(p.words[f.at+1].list, p.words[f.at+1].i)
		edits = append(edits, more...)
	}
	return edits, err
}

func (p Pod) insert(behind *Flag, name, value string) ([]edit, error) {
	if len(p.words) == 0 {
		return nil, errors.New("the container has no flags to put it behind. Add it by hand")
	}
	at := p.words[len(p.words)-1]
	if behind != nil {
		at = p.words[behind.at]
		if behind.separate {
			at = p.words[behind.at+1]
		}
	}
	return p.doc.insertItem(at.list, at.i, "--"+name+"="+value)
}

// edited makes edits and compares the result with the same change of the value.
func (d document) edited(edits []edit, change func(root *yaml.Node)) (document, error) {
	if len(edits) == 0 {
		return d, nil
	}
	files, err := apply([]File{{Path: "the document", Text: d.text}}, edits)
	if err != nil {
		return document{}, err
	}
	out, err := readDocument(files[0].Text)
	if err != nil {
		return document{}, err
	}
	want, err := readDocument(d.text)
	if err != nil {
		return document{}, err
	}
	change(want.root)
	if !sameNodes(want.root, out.root) {
		return document{}, errors.New("it cannot be changed here without something else changing too. Change it by hand")
	}
	return out, nil
}

// sameNodes compares what two documents say, whatever their quotes.
func sameNodes(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Value != b.Value || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !sameNodes(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return a.Kind != yaml.ScalarNode || a.ShortTag() == b.ShortTag()
}
