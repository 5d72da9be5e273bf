package knobs

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// document is a YAML (or JSON) document whose scalars are edited where they stand.
type document struct {
	text string
	root *yaml.Node
}

func readDocument(text string) (document, error) {
	var n yaml.Node
	d := yaml.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&n); err != nil {
		return document{}, fmt.Errorf("it is no YAML: %w", err)
	}
	if d.Decode(new(yaml.Node)) == nil {
		return document{}, errors.New("it has several documents; one is expected")
	}
	if n.Kind != yaml.DocumentNode || len(n.Content) != 1 || n.Content[0].Kind != yaml.MappingNode {
		return document{}, errors.New("a mapping is expected")
	}
	return document{text: text, root: n.Content[0]}, nil
}

// value is what a mapping has for a key; nil when it has none, or is no mapping.
func value(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// find follows keys, and numbers of items, into a document.
func (d document) find(path ...string) *yaml.Node {
	n := d.root
	for _, p := range path {
		if n != nil && n.Kind == yaml.SequenceNode {
			i, err := strconv.Atoi(p)
			if err != nil || i < 0 || i >= len(n.Content) {
				return nil
			}
			n = n.Content[i]
			continue
		}
		n = value(n, p)
	}
	return n
}

// offset is where a node begins: yaml counts characters, not bytes.
func (d document) offset(n *yaml.Node) int {
	at := 0
	for range n.Line - 1 {
		i := strings.IndexByte(d.text[at:], '\n')
		if i < 0 {
			return len(d.text)
		}
		at += i + 1
	}
	for range n.Column - 1 {
		if at >= len(d.text) {
			return len(d.text)
		}
		_, size := utf8.DecodeRuneInString(d.text[at:])
		at += size
	}
	return at
}

var errScalar = errors.New("it is written over several lines, or with an anchor or tag, where single values are not changed. " +
	"Change it by hand")

// span is where a scalar stands, with its quotes.
func (d document) span(n *yaml.Node) (from, to int, err error) {
	from = d.offset(n)
	if n.Kind != yaml.ScalarNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 || from >= len(d.text) {
		return 0, 0, errScalar
	}
	rest := d.text[from:]
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		if m := singleQuoted.FindString(rest); m != "" {
			return from, from + len(m), nil
		}
	case n.Style&yaml.DoubleQuotedStyle != 0:
		if m := doubleQuoted.FindString(rest); m != "" {
			return from, from + len(m), nil
		}
	case n.Style == 0 && n.Value != "" && strings.HasPrefix(rest, n.Value):
		return from, from + len(n.Value), nil
	}
	return 0, 0, errScalar
}

var (
	singleQuoted = regexp.MustCompile(`^'(?:[^'\n]|'')*'`)
	doubleQuoted = regexp.MustCompile(`^"(?:[^"\\\n]|\\.)*"`)
	// plainScalar may need no quotes.
	plainScalar = regexp.MustCompile(`^[A-Za-z0-9_./:=+@,\[\]-]+$`)
)

// inFlow says whether a node stands in brackets or braces.
func inFlow(root, n *yaml.Node, flow bool) bool {
	if root == n {
		return flow
	}
	for _, c := range root.Content {
		if inFlow(c, n, flow || root.Style&yaml.FlowStyle != 0) {
			return true
		}
	}
	return false
}

// written is a value in the style of the scalar that it replaces.
func written(old, value string, flow bool) string {
	if old != "" && old[0] == '\'' {
		return "'" + strings.ReplaceAll(value, "'", "''") + "'"
	}
	if (old == "" || old[0] != '"') && plainScalar.MatchString(value) {
		var n yaml.Node
		text := "- " + value
		if flow {
			text = "[" + value + "]"
		}
		if yaml.Unmarshal([]byte(text), &n) == nil && len(n.Content) == 1 && len(n.Content[0].Content) == 1 {
			if item := n.Content[0].Content[0]; item.Value == value && item.ShortTag() == "!!str" {
				return value
			}
		}
	}
	return strconv.Quote(value) // what is printable is written alike in YAML
}

// printable values are those that every style can hold on one line.
func printable(value string) error {
	for _, r := range value {
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			return errors.New("a value with control characters is not written")
		}
	}
	return nil
}

// setScalar is the edit that gives a scalar a value.
func (d document) setScalar(n *yaml.Node, value string) ([]edit, error) {
	if err := printable(value); err != nil || n.Kind == yaml.ScalarNode && n.Value == value {
		return nil, err
	}
	from, to, err := d.span(n)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", n.Line, err)
	}
	if _, number := strconv.Atoi(value); number == nil && n.ShortTag() == "!!int" {
		return []edit{{0, from, to, value}}, nil
	}
	return []edit{{0, from, to, written(d.text[from:to], value, inFlow(d.root, n, false))}}, nil
}

// removeItem takes an item out of a sequence.
func (d document) removeItem(list *yaml.Node, i int) ([]edit, error) {
	from, to, err := d.span(list.Content[i])
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", list.Content[i].Line, err)
	}
	switch {
	case list.Style&yaml.FlowStyle == 0:
		dash := strings.TrimRight(d.text[lineStart(d.text, from):from], " \t")
		if strings.TrimSpace(dash) != "-" || len(list.Content) == 1 {
			return nil, fmt.Errorf("line %d: it does not stand in a line of its own. Remove it by hand", list.Content[i].Line)
		}
		return []edit{removeLine(0, d.text, lineStart(d.text, from)+len(dash)-1, to)}, nil
	case i > 0:
		_, before, err := d.span(list.Content[i-1])
		return []edit{{0, before, to, ""}}, err
	}
	return nil, errors.New("it is the first in brackets. Remove it by hand")
}

// insertItem adds an item behind another of a sequence, in the style of that.
func (d document) insertItem(list *yaml.Node, behind int, value string) ([]edit, error) {
	if err := printable(value); err != nil {
		return nil, err
	}
	from, to, err := d.span(list.Content[behind])
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", list.Content[behind].Line, err)
	}
	item := written(d.text[from:to], value, inFlow(d.root, list.Content[behind], false))
	if list.Style&yaml.FlowStyle != 0 {
		return []edit{{0, to, to, ", " + item}}, nil
	}
	start := lineStart(d.text, from)
	if strings.TrimSpace(d.text[start:from]) != "-" {
		return nil, fmt.Errorf("line %d: the item before it does not stand in a line of its own. Add it by hand", list.Content[behind].Line)
	}
	end := lineEnd(d.text, to)
	return []edit{{0, end, end, "\n" + d.text[start:from] + item}}, nil
}

// setKey gives a mapping's key a scalar value; where the key is not there, it is
// written behind another.
func (d document) setKey(in *yaml.Node, key, behind, to string) ([]edit, error) {
	if n := value(in, key); n != nil {
		return d.setScalar(n, to)
	}
	n := value(in, behind)
	if n == nil {
		return nil, fmt.Errorf("there is neither %s nor %s", key, behind)
	}
	from, end, err := d.span(n)
	if err != nil || in.Style&yaml.FlowStyle != 0 || strings.TrimSpace(d.text[lineStart(d.text, from):from]) != behind+":" {
		return nil, fmt.Errorf("%s cannot be added behind %s here. Add it by hand", key, behind)
	}
	end = lineEnd(d.text, end)
	return []edit{{0, end, end, "\n" + indentOf(d.text, from) + key + ": " + written("", to, false)}}, printable(to)
}
