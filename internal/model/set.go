package model

import (
	"slices"
	"strings"
	"unique"
)

// Set is a set of names, comparable with ==. The zero value is empty. No name
// holds a comma.
type Set[T ~string] struct {
	// joined is sorted, so that equal sets are equal values; one word long, for
	// plans copy hosts by the thousand. Its zero value is the empty set.
	joined unique.Handle[string]
}

// HostSet is a set of hosts.
type HostSet = Set[HostID]

// SetOf makes a set; a name that stands twice counts once.
func SetOf[T ~string](members ...T) Set[T] {
	if len(members) == 0 {
		return Set[T]{}
	}
	sorted := slices.Clone(members)
	slices.Sort(sorted)
	var b strings.Builder
	for i, m := range slices.Compact(sorted) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(string(m))
	}
	if b.Len() == 0 {
		return Set[T]{} // the empty name alone is no name
	}
	return Set[T]{unique.Make(b.String())}
}

func (s Set[T]) text() string {
	if s.IsEmpty() {
		return ""
	}
	return s.joined.Value()
}

// Has says whether the set holds a name.
func (s Set[T]) Has(name T) bool {
	for rest := s.text(); rest != ""; {
		var first string
		if first, rest, _ = strings.Cut(rest, ","); first == string(name) {
			return true
		}
	}
	return false
}

// Any says whether the set holds one of some names.
func (s Set[T]) Any(names []T) bool { return slices.ContainsFunc(names, s.Has) }

// IsEmpty says that it holds none.
func (s Set[T]) IsEmpty() bool { return s == Set[T]{} }

// List returns the names, sorted.
func (s Set[T]) List() []T {
	if s.IsEmpty() {
		return nil
	}
	var out []T
	for name := range strings.SplitSeq(s.text(), ",") {
		out = append(out, T(name))
	}
	return out
}

// With returns the set with more names.
func (s Set[T]) With(names ...T) Set[T] { return SetOf(append(s.List(), names...)...) }

// Without returns the set less the names of another.
func (s Set[T]) Without(other Set[T]) Set[T] { return SetOf(slices.DeleteFunc(s.List(), other.Has)...) }

// String is the set for people.
func (s Set[T]) String() string { return strings.ReplaceAll(s.text(), ",", ", ") }
