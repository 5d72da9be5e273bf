package spec

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decoder fills Go values from YAML nodes, strictly: each key must be a key of
// the type, each value of its type, each key there once. It goes on after a
// mistake, so that all are found at once.
type decoder struct {
	*report
	root reflect.Type // where a misplaced key may belong instead
}

// value reads n into v, which stands at path.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	switch {
	case n.Kind == yaml.AliasNode:
		d.misread(Issue{Path: path, Problem: "anchors and aliases are not read", Next: "write the value out"})
		return
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		return // as if the key were absent
	case v.Type() == reflect.TypeFor[Values]() && n.Kind == yaml.ScalarNode:
		v.Set(reflect.ValueOf(Values{""}))
		d.scalar(n, v.Index(0), path)
		return
	case v.Kind() != reflect.Pointer && decodesItself(v.Type()):
		d.itself(n, v, path)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path)
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.Interface:
		if found := d.anything(n, path); found != nil {
			v.Set(reflect.ValueOf(found))
		}
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	known := map[string]field{}
	var keys []string
	for _, f := range fieldsOf(v.Type()) {
		known[f.key] = f
		keys = append(keys, f.key)
	}
	d.pairs(n, path, func(key, value *yaml.Node) {
		if f, ok := known[key.Value]; ok {
			d.value(value, v.FieldByIndex(f.index), child(path, f.key))
			return
		}
		d.unknownKey(path, key.Value, v.Type().Name(), keys)
	})
}

// fewKeys is how many keys are named when one is unknown; of more, the nearest
// are: a KubeletConfiguration has 120.
const fewKeys = 24

func (d *decoder) unknownKey(path, key, of string, known []string) {
	issue := Issue{Path: child(path, key), Problem: "unknown key"}
	if near := nearest(key, known); near != "" {
		issue.Problem += "; did you mean " + near + "?"
		d.unread[child(path, near)] = true // not also "missing"
	} else if home := homeOf(d.root, key, ""); home != "" {
		issue.Problem += "; it belongs to " + home
	} else if len(known) <= fewKeys {
		issue.Expected = oneOf(known)
	} else {
		issue.Expected = "a key of " + of + "; the nearest are " + strings.Join(closest(key, known, 3), ", ")
	}
	d.misread(issue)
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if v.Type().Key().Kind() != reflect.String {
		d.misread(Issue{Path: path, Problem: "cannot be read into " + v.Type().String()})
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	d.pairs(n, path, func(key, value *yaml.Node) {
		elem := reflect.New(v.Type().Elem()).Elem()
		d.value(value, elem, child(path, key.Value))
		v.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), elem)
	})
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.wrongType(n, path, "a list")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, c := range n.Content {
		if d.isFull() {
			return
		}
		d.mark(item(path, i), c)
		d.value(c, v.Index(i), item(path, i))
	}
}

// pairs calls each for the keys of a mapping, once per key.
func (d *decoder) pairs(n *yaml.Node, path string, each func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.wrongType(n, path, "a mapping (key: value)")
		return
	}
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content) && !d.isFull(); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		here := Issue{Path: child(path, key.Value), Line: key.Line, Column: key.Column}
		first := seen[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
			here.Path, here.Problem, here.Expected = path, "a key is not a word", "key: value"
			d.issues = append(d.issues, d.placed(here))
		case key.ShortTag() == "!!merge":
			here.Problem, here.Next = "anchors and aliases are not read", "write the values out"
			d.misread(here)
		case first != nil:
			here.Problem, here.Next = fmt.Sprintf("given twice, first on line %d", first.Line), "remove one"
			d.misread(here)
		default:
			seen[key.Value] = key
			d.mark(here.Path, key)
			each(key, value)
		}
	}
}

// mark remembers where path stands; nodes that quorate made stand nowhere.
func (d *decoder) mark(path string, n *yaml.Node) {
	if n.Line > 0 {
		d.at[path] = position{n.Line, n.Column}
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	tag := ""
	if n.Kind == yaml.ScalarNode {
		tag = n.ShortTag()
	}
	switch v.Kind() {
	case reflect.String:
		if tag == "!!str" || tag == "!!timestamp" {
			v.SetString(n.Value)
			return
		}
		want := "a string"
		if n.Kind == yaml.ScalarNode && !liesAboutItself(n) {
			want = fmt.Sprintf("a string: write %q", n.Value)
		}
		d.wrongType(n, path, want)
	case reflect.Bool:
		if tag != "!!bool" || n.Decode(v.Addr().Interface()) != nil {
			d.wrongType(n, path, "true or false")
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if tag != "!!int" || n.Decode(v.Addr().Interface()) != nil {
			d.wrongType(n, path, "a whole number")
		}
	case reflect.Float32, reflect.Float64:
		if tag != "!!int" && tag != "!!float" || n.Decode(v.Addr().Interface()) != nil {
			d.wrongType(n, path, "a number")
		}
	default:
		d.misread(Issue{Path: path, Problem: "cannot be read into " + v.Type().String()})
	}
}

// itself reads a value whose type knows its own JSON.
func (d *decoder) itself(n *yaml.Node, v reflect.Value, path string) {
	data, err := json.Marshal(d.anything(n, path))
	if err == nil {
		err = v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(data)
	}
	if err != nil {
		name, expected := v.Type().Name(), ""
		if strings.Contains(name, "Duration") {
			name, expected = "Duration", "a duration such as 30s"
		}
		d.misread(Issue{Path: path, Problem: described(n) + ", not a " + name, Expected: expected})
	}
}

// anything reads a node whose type is free, as encoding/json would.
func (d *decoder) anything(n *yaml.Node, path string) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		d.mapping(n, reflect.ValueOf(&m).Elem(), path)
		return m
	case yaml.SequenceNode:
		l := []any{}
		d.list(n, reflect.ValueOf(&l).Elem(), path)
		return l
	case yaml.ScalarNode:
		var v any
		switch n.ShortTag() {
		case "!!null":
			return nil
		case "!!str", "!!timestamp":
			return n.Value
		case "!!int", "!!float", "!!bool":
			if err := n.Decode(&v); err == nil && !notJSON(v) {
				return v
			}
		}
	}
	d.wrongType(n, path, "plain text, a number, true or false, a list or a mapping")
	return nil
}

// notJSON says whether a number is one that JSON cannot write.
func notJSON(v any) bool {
	f, ok := v.(float64)
	return ok && (math.IsNaN(f) || math.IsInf(f, 0))
}

func (d *decoder) wrongType(n *yaml.Node, path, expected string) {
	d.misread(Issue{Path: path, Problem: described(n), Expected: expected})
}

// liesAboutItself says whether a scalar has a tag that its text does not fit: !!int "x".
func liesAboutItself(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.Style&yaml.TaggedStyle == 0 {
		return false
	}
	var v any
	switch n.ShortTag() {
	case "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!binary":
		return n.Decode(&v) != nil
	}
	return false
}

// described is a node in the user's words.
func described(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "is a mapping"
	case yaml.SequenceNode:
		return "is a list"
	case yaml.AliasNode:
		return "is an alias"
	}
	value := shown(n.Value)
	if liesAboutItself(n) {
		return fmt.Sprintf("%q carries the tag %s and is none", clip(n.Value), n.ShortTag())
	}
	v, err := strconv.ParseFloat(n.Value, 64)
	if err == nil && n.ShortTag() == "!!float" && math.Abs(v) >= 1<<63 && !strings.ContainsAny(n.Value, ".eE") {
		return value + " is too large"
	}
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		value = strconv.Quote(n.Value)
	}
	kinds := map[string]string{"!!str": "a string", "!!int": "a whole number", "!!float": "a number", "!!bool": "a boolean", "!!null": "empty"}
	if kind, ok := kinds[n.ShortTag()]; ok {
		return value + " is " + kind
	}
	return "has the tag " + shown(n.Tag)
}
