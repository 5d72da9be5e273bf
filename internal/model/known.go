// Package model holds a control plane as a value: what was observed, what is
// wanted, and every point of a plan between the two. It is pure: standard
// library only, no clock, no network, no files. It decides nothing; package
// plan does.
package model

import "fmt"

// Known is an observed value, or the reason why there is none. The zero value
// is unknown; unknown is never "absent".
type Known[T comparable] struct {
	v     T
	known bool
	why   string
}

// Is makes a known value.
func Is[T comparable](v T) Known[T] { return Known[T]{v: v, known: true} }

// Unknown makes an unknown value with the reason, for people.
func Unknown[T comparable](why string) Known[T] { return Known[T]{why: why} }

// Get returns the value and whether it is known.
func (k Known[T]) Get() (T, bool) { return k.v, k.known }

// Known says whether there is a value.
func (k Known[T]) Known() bool { return k.known }

// Why is the reason why there is no value.
func (k Known[T]) Why() string { return k.why }

// Is says that the value is known and equal to v.
func (k Known[T]) Is(v T) bool { return k.known && k.v == v }

// Not says that the value is known and differs from v.
func (k Known[T]) Not(v T) bool { return k.known && k.v != v }

// Or returns the value, or def when it is unknown.
func (k Known[T]) Or(def T) T {
	if k.known {
		return k.v
	}
	return def
}

// Same compares two values; the reason of an unknown one takes no part.
func Same[T comparable](a, b Known[T]) bool {
	return a.known == b.known && a.v == b.v
}

// String is the value, or why there is none.
func (k Known[T]) String() string {
	if !k.known {
		return "unknown (" + k.why + ")"
	}
	return fmt.Sprint(k.v)
}

// Because adds a reason to a known value: what is wrong with it.
func (k Known[T]) Because(why string) Known[T] {
	k.why = why
	return k
}
