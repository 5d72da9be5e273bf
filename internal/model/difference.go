package model

import (
	"fmt"
	"reflect"
	"strings"
)

// Difference names the fields in which two hosts differ, with both values, for
// error messages.
func Difference(have, want Host) string {
	var out []string
	walk("", reflect.ValueOf(have), reflect.ValueOf(want), &out)
	if len(out) == 0 {
		return "the hosts are alike"
	}
	return strings.Join(out, ", ")
}

// observed is a Known of any type.
type observed interface {
	same(any) bool
	quoted() string
}

func (k Known[T]) same(o any) bool { return Same(k, o.(Known[T])) }

func (k Known[T]) quoted() string {
	if !k.known {
		return k.String()
	}
	return fmt.Sprintf("%q", k.String())
}

func walk(path string, a, b reflect.Value, out *[]string) {
	have, known := a.Interface().(observed)
	switch {
	case known:
		if want := b.Interface().(observed); !have.same(want) {
			*out = append(*out, fmt.Sprintf("%s is %s, not %s", strings.TrimPrefix(path, "."), have.quoted(), want.quoted()))
		}
	case a.Kind() == reflect.Array:
		for i := range a.Len() {
			walk(fmt.Sprintf("%s[%s]", path, Component(i)), a.Index(i), b.Index(i), out)
		}
	case a.Kind() == reflect.Struct && a.Type().Field(0).IsExported():
		for i := range a.NumField() {
			walk(path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i), out)
		}
	case !a.Equal(b):
		*out = append(*out, fmt.Sprintf("%s is %v, not %v", strings.TrimPrefix(path, "."), a, b))
	}
}
