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

func walk(path string, a, b reflect.Value, out *[]string) {
	switch {
	case strings.HasPrefix(a.Type().Name(), "Known["):
		if !a.Field(0).Equal(b.Field(0)) || !a.Field(1).Equal(b.Field(1)) {
			*out = append(*out, fmt.Sprintf("%s is %s, not %s", strings.TrimPrefix(path, "."), say(a), say(b)))
		}
	case a.Kind() == reflect.Struct:
		for i := range a.NumField() {
			walk(path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i), out)
		}
	case a.Kind() == reflect.Array:
		for i := range a.Len() {
			walk(fmt.Sprintf("%s[%s]", path, Component(i)), a.Index(i), b.Index(i), out)
		}
	case !a.Equal(b):
		*out = append(*out, fmt.Sprintf("%s is %v, not %v", strings.TrimPrefix(path, "."), a, b))
	}
}

func say(k reflect.Value) string {
	if !k.Field(1).Bool() {
		return fmt.Sprintf("unknown (%s)", k.Field(2))
	}
	return fmt.Sprintf("%q", fmt.Sprint(k.Field(0)))
}
