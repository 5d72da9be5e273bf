package spec

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// field is one key of a struct, as encoding/json sees it.
type field struct {
	key      string
	index    []int
	optional bool
	reflect.StructField
}

// fieldsOf lists the keys of struct type t in order, embedded structs opened.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		key, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && key == "" && f.Type.Kind() == reflect.Struct {
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				out = append(out, inner)
			}
			continue
		}
		if !f.IsExported() || key == "-" {
			continue
		}
		if key == "" {
			key = f.Name
		}
		out = append(out, field{key: key, index: []int{i}, optional: strings.Contains(rest, "omitempty"), StructField: f})
	}
	return out
}

// set is a tag that lists values: enum, built or keys.
func (f field) set(tag string) []string {
	if v := f.Tag.Get(tag); v != "" {
		return strings.Split(v, ",")
	}
	return nil
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// decodesItself says whether a type reads its own JSON (a duration, a quantity).
func decodesItself(t reflect.Type) bool { return reflect.PointerTo(t).Implements(unmarshaler) }

// nearest is the candidate that word was probably meant to be, or "".
func nearest(word string, candidates []string) string {
	best, least := "", max(2, len(word)/3)+1
	for _, c := range candidates {
		a, b := strings.ToLower(word), strings.ToLower(c)
		d := distance(a, b)
		if len(a) >= 3 && (strings.HasPrefix(b, a) || strings.HasPrefix(a, b) || strings.HasSuffix(b, a)) {
			d = min(d, 1)
		}
		if d < least && d < len(c) {
			best, least = c, d
		}
	}
	return best
}

// closest are the n candidates that differ least from word, the closest first.
func closest(word string, candidates []string, n int) []string {
	out := slices.Clone(candidates)
	slices.SortStableFunc(out, func(a, b string) int {
		return cmp.Compare(distance(strings.ToLower(word), strings.ToLower(a)), distance(strings.ToLower(word), strings.ToLower(b)))
	})
	return out[:min(n, len(out))]
}

// distance is the number of letters to insert, drop or change (Levenshtein).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// homeOf finds where else in type t a key belongs: "spec.network" for podCIDR.
func homeOf(t reflect.Type, key, path string) string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if t.Kind() == reflect.Slice {
			path += "[]"
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return ""
	}
	for _, f := range fieldsOf(t) {
		if f.key == key {
			return path
		}
	}
	for _, f := range fieldsOf(t) {
		if home := homeOf(f.Type, key, child(path, f.key)); home != "" {
			return home
		}
	}
	return ""
}

// oneOf joins words as "a, b or c".
func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
