package cis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
)

// judge is a check's look at what was seen of a host, with what it rests on.
type judge func(*seen) (Result, string)

// paths are the files that a check is about, of those that a layout names.
type paths func(layout.Layout) []string

func defined(c model.Component) paths {
	return func(at layout.Layout) []string { return definitions(at, c) }
}

// under is all files of a tree, by the end of their names; "" is any, folders too.
func under(dirs paths, suffix string) func(*seen) []file {
	return func(s *seen) (out []file) {
		for _, f := range s.files {
			for _, d := range dirs(s.at) {
				if strings.HasPrefix(f.path, d+"/") && strings.HasSuffix(f.path, suffix) && (suffix == "" || !strings.HasSuffix(f.path, "/")) {
					out = append(out, f)
				}
			}
		}
		return out
	}
}

// exactly is the files of these paths that are there.
func exactly(of paths) func(*seen) []file {
	return func(s *seen) (out []file) {
		for _, f := range s.files {
			if slices.Contains(of(s.at), f.path) {
				out = append(out, f)
			}
		}
		return out
	}
}

// plainFiles leaves folders out.
func plainFiles(of func(*seen) []file) func(*seen) []file {
	return func(s *seen) []file {
		return slices.DeleteFunc(of(s), func(f file) bool { return strings.HasSuffix(f.path, "/") })
	}
}

// closed: no permission bits but those of most.
func closed(most uint32, of func(*seen) []file) judge {
	return everyFile(of, func(f file) (bool, string) { return f.mode&^most == 0, fmt.Sprintf("%o", f.mode) })
}

// ownedBy: user:group.
func ownedBy(owner string, of func(*seen) []file) judge {
	return everyFile(of, func(f file) (bool, string) { return f.owner == owner, f.owner })
}

func everyFile(of func(*seen) []file, good func(file) (bool, string)) judge {
	return func(s *seen) (Result, string) {
		var bad, well []string
		for _, f := range of(s) {
			ok, what := good(f)
			if !ok {
				bad = append(bad, f.path+" "+what)
			} else if line := f.path + " " + what; len(well) == 0 {
				well = append(well, line)
			}
		}
		switch n := len(bad); {
		case n > 3:
			return Fail, fmt.Sprintf("%s and %d more", strings.Join(bad[:3], ", "), n-3)
		case n > 0:
			return Fail, strings.Join(bad, ", ")
		case len(well) == 0:
			return NotApplicable, "no such file"
		}
		return Pass, well[0]
	}
}

// flag judges the value of an argument; set is whether it is given at all.
func flag(c model.Component, name string, good func(value string, set bool) bool) judge {
	return func(s *seen) (Result, string) {
		args, runs := s.args[c]
		if !runs {
			return Fail, c.String() + " does not run"
		}
		value, set := args[name]
		return verdict(good(value, set)), shown("--"+name, value, set)
	}
}

// setting judges what a flag says, or else a field of the configuration.
func setting(c model.Component, name, field string, good func(value string, set bool) bool) judge {
	return func(s *seen) (Result, string) {
		args, runs := s.args[c]
		if !runs {
			return Fail, c.String() + " does not run"
		}
		value, set := args[name]
		if set {
			return verdict(good(value, set)), shown("--"+name, value, set)
		}
		value, set = fieldOf(s.configs[c], strings.Split(field, "."))
		return verdict(good(value, set)), shown(field, value, set)
	}
}

// fieldOf is a field of a configuration as text; elements of lists are joined by commas.
func fieldOf(config map[string]any, path []string) (string, bool) {
	v, ok := config[path[0]]
	if !ok || v == nil {
		return "", false
	}
	switch v := v.(type) {
	case map[string]any:
		if len(path) > 1 {
			return fieldOf(v, path[1:])
		}
		return "", true
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, fmt.Sprint(e))
		}
		return strings.Join(out, ","), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return fmt.Sprint(v), true
}

func verdict(good bool) Result {
	if good {
		return Pass
	}
	return Fail
}

func shown(name, value string, set bool) string {
	if !set {
		return name + " is not set"
	}
	return name + "=" + value
}

// Judgements of a value.

func given(value string, set bool) bool { return set && value != "" }
func absent(_ string, set bool) bool    { return !set }

func equals(want ...string) func(string, bool) bool {
	return func(v string, set bool) bool { return set && slices.Contains(want, v) }
}

func equalsOrUnset(want ...string) func(string, bool) bool {
	return func(v string, set bool) bool { return !set || slices.Contains(want, v) }
}

func lists(word string) func(string, bool) bool {
	return func(v string, set bool) bool { return set && slices.Contains(strings.Split(v, ","), word) }
}

// doesNotList holds for what is not set, too, unless it must be.
func doesNotList(word string) func(string, bool) bool {
	return func(v string, _ bool) bool { return !slices.Contains(strings.Split(v, ","), word) }
}

func atLeast(n int) func(string, bool) bool {
	return func(v string, set bool) bool {
		got, err := strconv.Atoi(v)
		return set && err == nil && got >= n
	}
}

func atLeastOrUnset(n int) func(string, bool) bool {
	return func(v string, set bool) bool { return !set || atLeast(n)(v, set) }
}

func notZero(v string, set bool) bool { return !set || strings.Trim(v, "0hms") != "" }

func startsWithOrUnset(prefix string) func(string, bool) bool {
	return func(v string, set bool) bool { return !set || strings.HasPrefix(v, prefix) }
}

func onlyOf(allowed string) func(string, bool) bool {
	return func(v string, set bool) bool {
		return given(v, set) && !slices.ContainsFunc(strings.Split(v, ","), func(e string) bool {
			return !slices.Contains(strings.Fields(allowed), e)
		})
	}
}

// all are judgements that must all be good; what is seen is that of the first
// that is not, else of the last.
func all(judges ...judge) judge {
	return func(s *seen) (result Result, what string) {
		for _, j := range judges {
			if result, what = j(s); result != Pass {
				return result, what
			}
		}
		return result, what
	}
}

// person leaves it to whoever reads the report.
func person(what string) judge { return func(*seen) (Result, string) { return Review, what } }
