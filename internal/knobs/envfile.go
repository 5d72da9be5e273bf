package knobs

import (
	"fmt"
	"regexp"
	"strings"
)

// variable is an assignment of an environment file or of Environment=.
type variable struct {
	name     string
	file     int
	from, to int    // its value as it stands there, with quotes
	chars    []char // its value
	escaped  bool   // something in the value is written in another way than it reads
	inWord   *word  // the word of Environment= that it is
}

// readEnvironment reads a file of EnvironmentFile= by the rules of systemd.exec(5).
func readEnvironment(file int, text string) (out []variable) {
	for at := 0; at < len(text); {
		for at < len(text) && blank(text[at]) {
			at++
		}
		if at == len(text) {
			return out
		}
		end := lineEnd(text, at)
		if text[at] == '#' || text[at] == ';' {
			at = end
			continue
		}
		eq := strings.IndexByte(text[at:end], '=')
		if eq < 0 {
			at = end
			continue
		}
		v := variable{name: strings.TrimSpace(text[at : at+eq]), file: file}
		at = v.readValue(text, at+eq+1)
		out = append(out, v)
	}
	return out
}

// readValue reads from an offset and tells where it ended.
func (v *variable) readValue(text string, at int) int {
	for at < len(text) && strings.IndexByte(" \t\r", text[at]) >= 0 {
		at++
	}
	v.from, v.to = at, at
	var quote byte
	before := true // no unquoted text has begun: a quote opens
	solid := 0     // so many bytes are kept at the end, whatever they are
	for ; at < len(text); at++ {
		b := text[at]
		if b == '\n' && quote == 0 {
			break
		}
		switch {
		case quote != 0 && b == quote:
			quote, before = 0, true
		case quote == 0 && before && (b == '"' || b == '\''):
			quote = b
		case quote == 0 && before && blank(b):
			continue
		case b == '\\' && quote != '\'' && at+1 < len(text):
			v.escape(text, at, quote)
			before = false
			at++
		default:
			before = before && quote != 0
			v.chars = append(v.chars, char{b, at})
		}
		if quote != 0 || !blank(b) {
			solid, v.to = len(v.chars), min(at+1, len(text))
		}
	}
	v.chars = v.chars[:solid]
	return at
}

// escape reads a backslash and what it protects.
func (v *variable) escape(text string, at int, quote byte) {
	v.escaped = true
	next := text[at+1]
	if next == '\n' {
		return
	}
	if quote == '"' && strings.IndexByte("\"\\`$", next) < 0 {
		v.chars = append(v.chars, char{'\\', at})
	}
	v.chars = append(v.chars, char{next, at + 1})
}

var plainValue = regexp.MustCompile(`^[A-Za-z0-9_./:,=@+\[\]*~-]*$`)

// set is the edit that gives a variable a value. Its quotes stay.
func (v variable) set(text, value string) (edit, error) {
	if !plainValue.MatchString(value) {
		return edit{}, fmt.Errorf("%s: a value with blanks, quotes or dollar signs is not written into a variable; set it by hand", v.name)
	}
	e := edit{v.file, v.from, v.to, value}
	if n := v.to - v.from; n >= 2 && strings.IndexByte(`"'`, text[v.from]) >= 0 && text[v.to-1] == text[v.from] {
		e.from, e.to = v.from+1, v.to-1
	}
	return e, nil
}
