package knobs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Unit is a systemd service as it was found: its unit file, its drop-ins and the
// environment files that it names.
type Unit struct {
	files    []File
	units    int // so many of the files are unit files
	prefix   string
	settings []setting
	exec     setting
	vars     []variable
	program  string
	args     []arg
	flags    Flags
	other    []string
}

// ReadUnit reads a service: its unit file, then the drop-ins in the order in
// which systemd reads them, and the environment files (EnvironmentFilesOf).
func ReadUnit(unit []File, env ...File) (Unit, error) { return ReadUnitEnv("", unit, env...) }

// ReadUnitEnv reads a service whose program takes flags from its environment too,
// in variables with this prefix, as etcd does with ETCD_. On its command line a
// flag counts more.
func ReadUnitEnv(prefix string, unit []File, env ...File) (Unit, error) {
	u := Unit{files: slices.Concat(unit, env), units: len(unit), prefix: prefix}
	for i, f := range unit {
		found, err := readSettings(i, f.Path, f.Text)
		if err != nil {
			return Unit{}, err
		}
		u.settings = append(u.settings, found...)
	}
	if err := u.readVariables(); err != nil {
		return Unit{}, err
	}
	commands := u.effective("Service", "ExecStart")
	if len(commands) != 1 {
		return Unit{}, fmt.Errorf("%s: it has %d commands in ExecStart; a service with exactly one is understood", u.name(), len(commands))
	}
	u.exec = commands[0]
	if err := u.readCommand(); err != nil {
		return Unit{}, fmt.Errorf("%s: ExecStart: %w", u.files[u.exec.file].Path, err)
	}
	return u, nil
}

func (u Unit) name() string {
	if len(u.files) == 0 {
		return "the unit"
	}
	return u.files[0].Path
}

// effective are the settings that count: an empty one takes back those before.
func (u Unit) effective(section, key string) (out []setting) {
	for _, s := range u.settings {
		if s.section != section || s.key != key {
			continue
		}
		if out = append(out, s); s.value == "" {
			out = nil
		}
	}
	return out
}

// Setting is what counts for a key of a section, such as User in Service.
func (u Unit) Setting(section, key string) (out []string) {
	for _, s := range u.effective(section, key) {
		out = append(out, s.value)
	}
	return out
}

// EnvironmentFilesOf are the paths that unit files name in EnvironmentFile=, in
// their order. May says of which it is no fault when they are not there.
func EnvironmentFilesOf(unit ...File) (paths []string, may map[string]bool, err error) {
	u := Unit{}
	for i, f := range unit {
		found, err := readSettings(i, f.Path, f.Text)
		if err != nil {
			return nil, nil, err
		}
		u.settings = append(u.settings, found...)
	}
	may = map[string]bool{}
	for _, p := range u.Setting("Service", "EnvironmentFile") {
		path := strings.TrimPrefix(p, "-")
		paths = append(paths, path)
		may[path] = path != p
	}
	return paths, may, nil
}

// readVariables reads the environment. What comes later counts, and files count
// more than Environment=.
func (u *Unit) readVariables() error {
	for _, s := range u.effective("Service", "Environment") {
		words, err := splitWords(s.file, s.chars, true)
		if err != nil {
			return fmt.Errorf("%s: Environment: %w", u.files[s.file].Path, err)
		}
		for _, w := range words {
			eq := slices.IndexFunc(w.bytes, func(d decoded) bool { return d.b == '=' })
			if eq < 0 {
				continue
			}
			v := variable{name: w.text()[:eq], file: s.file, inWord: &w}
			for _, d := range w.bytes[eq+1:] {
				v.chars = append(v.chars, char{d.b, d.from})
				v.escaped = v.escaped || d.to-d.from > 1 || d.b == '%'
			}
			u.vars = append(u.vars, v)
		}
	}
	for i := u.units; i < len(u.files); i++ {
		u.vars = append(u.vars, readEnvironment(i, u.files[i].Text)...)
	}
	return nil
}

// lookup is the assignment of a variable that counts.
func (u Unit) lookup(name string) (variable, bool) {
	for _, v := range slices.Backward(u.vars) {
		if v.name == name {
			return v, true
		}
	}
	return variable{}, false
}

// readCommand takes ExecStart apart, with the variables in it.
func (u *Unit) readCommand() error {
	words, err := splitWords(u.exec.file, u.exec.chars, true)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return errors.New("it is empty")
	}
	u.program = strings.TrimLeft(words[0].text(), "@-:+!|")
	prefixes := strings.TrimSuffix(words[0].text(), u.program)
	if strings.Contains(prefixes, "@") {
		return errors.New("its program gets another name (@), which is not understood")
	}
	for _, w := range words[1:] {
		if w.text() == ";" {
			return errors.New("it has several commands, which are not understood")
		}
		more, err := u.expand(w, strings.Contains(prefixes, ":"))
		if err != nil {
			return err
		}
		u.args = append(u.args, more...)
	}
	u.flags, u.other = readFlags(u.Words())
	u.addEnvironmentFlags()
	return nil
}

// addEnvironmentFlags takes in the variables that are flags.
func (u *Unit) addEnvironmentFlags() {
	if u.prefix == "" {
		return
	}
	onLine := u.flags
	for i, v := range u.vars {
		name, is := strings.CutPrefix(v.name, u.prefix)
		name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
		counts, _ := u.lookup(v.name)
		if is && !onLine.Has(name) && counts.file == v.file && counts.from == v.from && counts.inWord == v.inWord {
			u.flags = append(u.flags, Flag{Name: name, Value: stringOf(v.chars), at: -1 - i})
		}
	}
}

// Program is what the service runs.
func (u Unit) Program() string { return u.program }

// Flags are those with which it runs.
func (u Unit) Flags() Flags { return u.flags }

// Arguments are the words of its command line that are no flags.
func (u Unit) Arguments() []string { return u.other }

// Words are its arguments as the program gets them, flags and others.
func (u Unit) Words() (out []string) {
	for _, a := range u.args {
		out = append(out, a.text)
	}
	return out
}

// Files are the unit files and environment files, in the order in which they were
// given.
func (u Unit) Files() []File { return slices.Clone(u.files) }

// Set gives a flag these values, one for each time it stands on the command line;
// no values take it away. Another unit that reads the same environment file must
// be read again with the new one, to see that it is left alone.
func (u Unit) Set(name string, values ...string) (Unit, error) {
	edits, err := setFlag(u, u.flags, name, values)
	if err != nil {
		return Unit{}, fmt.Errorf("%s: %w", u.name(), err)
	}
	if len(edits) == 0 {
		return u, nil
	}
	files, err := apply(u.files, edits)
	if err != nil {
		return Unit{}, err
	}
	out, err := ReadUnitEnv(u.prefix, files[:u.units], files[u.units:]...)
	if err == nil {
		err = verified(u.flags, out.flags, name, values)
	}
	if err == nil && (out.program != u.program || !slices.Equal(out.other, u.other)) {
		err = fmt.Errorf("--%s cannot be changed here without the rest of the command line changing too. Change it by hand", name)
	}
	if err != nil {
		return Unit{}, fmt.Errorf("%s: %w", u.name(), err)
	}
	return out, nil
}

// SetList gives a flag that is a list these items, repeated or with commas as it
// was found.
func (u Unit) SetList(name string, items ...string) (Unit, error) {
	return u.Set(name, listValues(u.flags, name, items)...)
}
