package knobs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// arg is one word that the program gets, and where it comes from.
type arg struct {
	word
	text     string
	eq       int    // the place of = among the bytes of the word, -1 when there is none
	variable string // its value is nothing but this variable
	inVar    bool   // the word stands in a variable's value
}

// expand replaces variables and specifiers in a word. A whole word $NAME becomes
// as many words as its value has.
func (u Unit) expand(w word, literal bool) ([]arg, error) {
	text := w.text()
	if name := strings.TrimPrefix(text, "$"); !literal && name != text && name != "" && name[0] != '{' && name[0] != '$' {
		v, there := u.lookup(name)
		if !there {
			return nil, nil
		}
		words, err := splitWords(v.file, v.chars, false)
		if err != nil {
			return nil, fmt.Errorf("$%s: %w", name, err)
		}
		var out []arg
		for _, one := range words {
			out = append(out, arg{word: one, text: one.text(), eq: equals(one), inVar: true})
		}
		return out, nil
	}
	a := arg{word: w, eq: equals(w)}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		end := strings.IndexByte(rest, '}')
		switch {
		case strings.HasPrefix(rest, "%%"), strings.HasPrefix(rest, "$$") && !literal:
			b.WriteByte(rest[0])
			i++
		case strings.HasPrefix(rest, "${") && end > 0 && !literal:
			v, _ := u.lookup(rest[2:end])
			b.WriteString(stringOf(v.chars))
			if i == a.eq+1 && end == len(rest)-1 {
				a.variable = rest[2:end]
			}
			i += end
		default:
			b.WriteByte(rest[0])
		}
	}
	a.text = b.String()
	return []arg{a}, nil
}

func equals(w word) int { return slices.IndexFunc(w.bytes, func(d decoded) bool { return d.b == '=' }) }

// quoteWord writes a word of ExecStart so that systemd reads it back unchanged.
func quoteWord(s string) string {
	s = specifiers.Replace(s)
	if s != "" && !strings.ContainsAny(s, " \t\n\r\"'\\;") {
		return s
	}
	return `"` + escapes.Replace(s) + `"`
}

var (
	specifiers = strings.NewReplacer("%", "%%", "$", "$$")
	escapes    = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`)
)

var errInVariable = errors.New("it stands in a variable, where a value with blanks, quotes or dollar signs is not written. Set it by hand")

// setValue changes a flag where its value stands.
func (u Unit) setValue(f Flag, value string) ([]edit, error) {
	if f.at < 0 {
		return u.setVariable(u.vars[-1-f.at], value)
	}
	a, whole := u.args[f.at], ""
	switch {
	case f.separate:
		a = u.args[f.at+1]
		a.eq = -1
	case f.Bare:
		return u.replaceWord(a, "--"+f.Name+"="+value)
	default:
		whole = a.text[:len(a.text)-len(f.Value)] + value
	}
	if v, there := u.lookup(a.variable); there && u.used(a.variable) == 1 {
		return u.setVariable(v, value)
	}
	if f.separate {
		whole = value
	}
	return u.replaceValue(a, value, whole)
}

// replaceValue writes what stands behind = and leaves the rest of a word. When
// quotes make that impossible, the whole word is written anew.
func (u Unit) replaceValue(a arg, value, whole string) ([]edit, error) {
	text := u.files[a.file].Text
	from, to, quote := a.from, a.to, byte(0)
	if a.eq >= 0 {
		from, quote = a.bytes[a.eq].to, a.bytes[a.eq].quote
	}
	switch {
	case !plainValue.MatchString(value), whole == "":
		return u.replaceWord(a, whole)
	case quote != 0 && text[a.to-1] == quote: // "--name=value"
		to--
	case quote != 0:
		return u.replaceWord(a, whole)
	case to-from >= 2 && strings.IndexByte(`"'`, text[from]) >= 0 && text[to-1] == text[from]: // --name="value"
		from, to = from+1, to-1
	}
	return []edit{{a.file, from, to, value}}, nil
}

func (u Unit) replaceWord(a arg, whole string) ([]edit, error) {
	with := quoteWord(whole)
	if a.inVar {
		if with = whole; !plainValue.MatchString(whole) {
			return nil, errInVariable
		}
	}
	return []edit{{a.file, a.from, a.to, with}}, nil
}

// used counts where the unit files name a variable.
func (u Unit) used(name string) (n int) {
	for _, f := range u.files[:u.units] {
		n += strings.Count(f.Text, "${"+name+"}") + strings.Count(f.Text, "$"+name)
	}
	return n
}

func (u Unit) setVariable(v variable, value string) ([]edit, error) {
	if v.inWord == nil {
		e, err := v.set(u.files[v.file].Text, value)
		return []edit{e}, err
	}
	a := arg{word: *v.inWord, eq: equals(*v.inWord)}
	if !plainValue.MatchString(value) {
		return nil, errInVariable
	}
	return u.replaceValue(a, value, v.name+"="+value)
}

// remove takes a flag away, with the blanks or the line break before it.
func (u Unit) remove(f Flag) ([]edit, error) {
	if f.at < 0 {
		return u.removeVariable(u.vars[-1-f.at])
	}
	first, last := u.args[f.at], u.args[f.at]
	if f.separate {
		last = u.args[f.at+1]
	}
	if first.file != last.file || first.inVar != last.inVar {
		return nil, errors.New("its name and its value stand in two places. Remove it by hand")
	}
	text := u.files[first.file].Text
	if first.inVar {
		from, to := first.from, last.to
		for from > 0 && (text[from-1] == ' ' || text[from-1] == '\t') {
			from--
		}
		if from == first.from { // the first of the value: the blanks behind it
			for to < len(text) && (text[to] == ' ' || text[to] == '\t') {
				to++
			}
		}
		return []edit{{first.file, from, to, ""}}, nil
	}
	from, to := gap(text, first.from, last.to)
	return []edit{{first.file, from, to, ""}}, nil
}

// gap is what goes with the words from one offset to another: the blanks before
// them, so that their line goes on as before. A comment line in between stays.
func gap(text string, from, to int) (int, int) {
	start := from
	for start > 0 && (blank(text[start-1]) || text[start-1] == '\\' && lineEnd(text, start-1) == start) {
		start--
	}
	line := strings.TrimSpace(text[lineStart(text, start):start])
	if line == "" || !strings.ContainsRune("#;", rune(line[0])) {
		return start, to
	}
	if end := lineEnd(text, to); strings.TrimSpace(text[to:end]) == `\` {
		return lineStart(text, from), min(end+1, len(text))
	}
	return from, to // the last one: an empty line ends the command as well
}

func (u Unit) removeVariable(v variable) ([]edit, error) {
	text := u.files[v.file].Text
	if v.inWord != nil {
		return nil, errors.New("it stands in Environment=. Remove it by hand")
	}
	return []edit{removeLine(v.file, text, lineStart(text, v.from), v.to)}, nil
}

// insert adds a flag behind another, or behind the last word of ExecStart, in a
// line of its own where the words have lines of their own.
func (u Unit) insert(behind *Flag, name, value string) ([]edit, error) {
	a := u.lastWord()
	if behind != nil && behind.at >= 0 {
		a = u.args[behind.at]
		if behind.separate {
			a = u.args[behind.at+1]
		}
	}
	text := u.files[a.file].Text
	flag := "--" + name + "=" + value
	if a.inVar {
		if !plainValue.MatchString(flag) {
			return nil, errInVariable
		}
		return []edit{{a.file, a.to, a.to, " " + flag}}, nil
	}
	between := " "
	if start := lineStart(text, a.from); strings.TrimSpace(text[start:a.from]) == "" {
		between = " \\\n" + text[start:a.from]
	}
	return []edit{{a.file, a.to, a.to, between + quoteWord(flag)}}, nil
}

// lastWord is the last of ExecStart itself.
func (u Unit) lastWord() arg {
	chars := u.exec.chars
	w := word{file: u.exec.file, from: chars[len(chars)-1].at, to: chars[len(chars)-1].at + 1}
	if words, err := splitWords(u.exec.file, chars, true); err == nil && len(words) > 0 {
		w = words[len(words)-1]
	}
	return arg{word: w}
}
