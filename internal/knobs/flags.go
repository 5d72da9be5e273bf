package knobs

import (
	"fmt"
	"slices"
	"strings"
)

// Flag is one flag of a command line as it stands there.
type Flag struct {
	Name, Value string
	Bare        bool // it has no value, as a switch that is on

	separate bool // --name value
	at       int  // its word
}

// Flags is a command line in its normal form: the flags in their order.
type Flags []Flag

// same are names that Kubernetes' programs take for one.
func same(a, b string) bool {
	return strings.ReplaceAll(a, "_", "-") == strings.ReplaceAll(b, "_", "-")
}

// value of a flag; a switch that is on is true.
func (f Flag) value() string {
	if f.Bare {
		return "true"
	}
	return f.Value
}

// Get is what a flag says, once for each time it stands there.
func (f Flags) Get(name string) (out []string) {
	for _, one := range f {
		if same(one.Name, name) {
			out = append(out, one.value())
		}
	}
	return out
}

// Has says whether a flag is there.
func (f Flags) Has(name string) bool { return len(f.Get(name)) > 0 }

// One is the value that counts for a flag that has one: the last. "" when there
// is none.
func (f Flags) One(name string) string {
	if all := f.Get(name); len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// List are the items of a flag that is a list: with commas, repeated, or both.
func (f Flags) List(name string) (out []string) {
	for _, value := range f.Get(name) {
		if value != "" {
			out = append(out, strings.Split(value, ",")...)
		}
	}
	return out
}

// Names are the flags that are there, each once, in their order.
func (f Flags) Names() (out []string) {
	for _, one := range f {
		if !slices.ContainsFunc(out, func(n string) bool { return same(n, one.Name) }) {
			out = append(out, one.Name)
		}
	}
	return out
}

// Equal says whether two command lines say the same, in whatever order the flags
// stand.
func (f Flags) Equal(g Flags) bool { return f.without("").equalTo(g.without("")) }

// without are all flags but one, each with its values.
func (f Flags) without(name string) flagMap {
	out := flagMap{}
	for _, one := range f {
		if !same(one.Name, name) {
			key := strings.ReplaceAll(one.Name, "_", "-")
			out[key] = append(out[key], one.value())
		}
	}
	return out
}

type flagMap map[string][]string

func (m flagMap) equalTo(n flagMap) bool {
	if len(m) != len(n) {
		return false
	}
	for name, values := range m {
		if other, there := n[name]; !there || !slices.Equal(values, other) {
			return false
		}
	}
	return true
}

// ReadArguments reads the arguments of a process, without its program.
func ReadArguments(words []string) Flags {
	flags, _ := readFlags(words)
	return flags
}

// readFlags reads the words behind the program. Other are the words that are no
// flags.
func readFlags(words []string) (out Flags, other []string) {
	for i := 0; i < len(words); i++ {
		w := words[i]
		name := strings.TrimPrefix(strings.TrimPrefix(w, "-"), "-")
		if name == w || name == "" {
			other = append(other, w)
			continue
		}
		f := Flag{at: i}
		var has bool
		f.Name, f.Value, has = strings.Cut(name, "=")
		switch {
		case has:
		case i+1 < len(words) && !strings.HasPrefix(words[i+1], "-"):
			i++
			f.Value, f.separate = words[i], true
		default:
			f.Bare = true
		}
		out = append(out, f)
	}
	return out, other
}

// commandLine is a text whose flags can be changed, one by one.
type commandLine interface {
	setValue(f Flag, value string) ([]edit, error)
	remove(f Flag) ([]edit, error)
	// insert adds a flag behind another, or at the end.
	insert(behind *Flag, name, value string) ([]edit, error)
}

// setFlag gives a flag these values; no values take it away. No edits: it has
// them.
func setFlag(c commandLine, flags Flags, name string, values []string) (edits []edit, err error) {
	if slices.Equal(flags.Get(name), values) {
		return nil, nil
	}
	add := func(more []edit, wrong error) {
		if err == nil {
			edits, err = append(edits, more...), wrong
		}
	}
	var last *Flag
	i := 0
	for _, f := range flags {
		if !same(f.Name, name) {
			continue
		}
		switch {
		case i >= len(values):
			add(c.remove(f))
		case f.value() != values[i]:
			add(c.setValue(f, values[i]))
		}
		i++
		last = &f
	}
	for ; i < len(values); i++ {
		add(c.insert(last, name, values[i]))
	}
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", name, err)
	}
	return edits, nil
}

// listValues are the values of a list flag for some items, in the style that it
// has: repeated, or with commas.
func listValues(flags Flags, name string, items []string) []string {
	found := flags.Get(name)
	switch {
	case slices.Equal(flags.List(name), items):
		return found
	case len(items) == 0:
		return nil
	case len(found) > 1 && len(flags.List(name)) == len(found):
		return items
	}
	return []string{strings.Join(items, ",")}
}

// verified says whether an edit did what it should and nothing else.
func verified(before, after Flags, name string, values []string) error {
	switch {
	case !slices.Equal(after.Get(name), values):
		return fmt.Errorf("--%s cannot be set to %q here: it would read %q. Change it by hand", name, values, after.Get(name))
	case !before.without(name).equalTo(after.without(name)):
		return fmt.Errorf("--%s cannot be changed here without another flag changing too. Change it by hand", name)
	}
	return nil
}
