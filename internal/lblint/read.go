package lblint

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// statement is a directive with its place, and the block after it.
type statement struct {
	words []string
	line  int
	block []statement
	at    []span // where each word stands
	span         // with what ends it
}

// span is a piece of the text, in bytes.
type span struct{ from, to int }

func (s statement) name() string { return s.words[0] }

// arg is the word at a place, "" where there is none.
func (s statement) arg(i int) string {
	if i < len(s.words) {
		return s.words[i]
	}
	return ""
}

// all are the statements of a name.
func all(list []statement, name string) (out []statement) {
	for _, s := range list {
		if s.name() == name {
			out = append(out, s)
		}
	}
	return out
}

// last is the last statement of a name, which is the one that counts.
func last(list []statement, name string) (statement, bool) {
	found := all(list, name)
	if len(found) == 0 {
		return statement{}, false
	}
	return found[len(found)-1], true
}

// deepest is how far blocks may be nested; real ones have four levels.
const deepest = 32

// reader takes text apart into words. In nginx a semicolon ends a statement, in
// keepalived the end of the line does.
type reader struct {
	text     []byte // what is still to be read
	size     int    // of all of it
	begun    int    // where the word read last begins
	line     int
	byLine   bool
	flat     bool   // braces are ordinary characters
	comments string // the characters that begin one
}

func newReader(text []byte) *reader {
	return &reader{text: text, size: len(text), line: 1, comments: "#"}
}

// offset is how far it has read.
func (r *reader) offset() int { return r.size - len(r.text) }

// statements reads until the block ends, or the text.
func (r *reader) statements(depth int) (out []statement, err error) {
	if depth > deepest {
		return nil, fmt.Errorf("line %d: blocks are nested more than %d deep", r.line, deepest)
	}
	var s statement
	begun := r.line
	end := func() {
		if len(s.words) > 0 {
			if s.to == 0 {
				s.to = s.at[len(s.at)-1].to
			}
			out = append(out, s)
		}
		s = statement{}
	}
	for {
		word, mark := r.next()
		switch {
		case mark == 0 && word == "":
			end()
			if depth > 0 {
				return out, fmt.Errorf("line %d: the block that begins here does not end", begun)
			}
			return out, nil
		case mark == '}':
			end()
			if depth == 0 {
				return out, fmt.Errorf("line %d: } without {", r.line)
			}
			return out, nil
		case mark == '{':
			if len(s.words) == 0 && r.byLine && len(out) > 0 { // the brace stands on a line of its own
				s, out = out[len(out)-1], out[:len(out)-1]
			}
			if len(s.words) == 0 {
				return out, fmt.Errorf("line %d: { without a name", r.line)
			}
			if s.block, err = r.statements(depth + 1); err != nil {
				return out, err
			}
			s.to = r.offset()
			end()
		case mark == ';' || mark == '\n':
			if mark == ';' {
				s.to = r.offset()
			}
			end()
		default:
			if len(s.words) == 0 {
				s.line, s.from = r.line, r.begun
			}
			s.words, s.at = append(s.words, word), append(s.at, span{r.begun, r.offset()})
		}
	}
}

// next is a word, or one of the marks { } ; and, by line, the end of a line.
func (r *reader) next() (word string, mark byte) {
	for len(r.text) > 0 {
		c := r.text[0]
		switch {
		case c == '\n':
			r.text = r.text[1:]
			r.line++
			if r.byLine {
				return "", '\n'
			}
		case c == ' ' || c == '\t' || c == '\r':
			r.text = r.text[1:]
		case strings.IndexByte(r.comments, c) >= 0:
			for len(r.text) > 0 && r.text[0] != '\n' {
				r.text = r.text[1:]
			}
		case r.ends(c):
			r.text = r.text[1:]
			return "", c
		default:
			r.begun = r.offset()
			return r.word(), 1
		}
	}
	return "", 0
}

// ends says whether a character is a mark of its own.
func (r *reader) ends(c byte) bool { return !r.flat && (c == '{' || c == '}') || !r.byLine && c == ';' }

// word reads one with its quotes taken off. A line end in quotes counts.
func (r *reader) word() string {
	var b strings.Builder
	var quote byte
	for len(r.text) > 0 {
		c := r.text[0]
		switch {
		case c == '\\' && len(r.text) > 1:
			b.WriteByte(r.text[1])
			if r.text[1] == '\n' {
				r.line++
			}
			r.text = r.text[2:]
			continue
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\'') && b.Len() == 0:
			quote = c
		case quote == 0 && (strings.IndexByte(" \t\r\n", c) >= 0 || r.ends(c)):
			return b.String()
		default:
			if c == '\n' {
				r.line++
			}
			b.WriteByte(c)
		}
		r.text = r.text[1:]
	}
	return b.String()
}

var (
	parts = regexp.MustCompile(`^(?:\d+(?:us|ms|s|m|h|d)?)+$`)
	part  = regexp.MustCompile(`(\d+)(us|ms|s|m|h|d)?`)
	units = map[string]time.Duration{"us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
		"d": 24 * time.Hour}
)

// duration reads what nginx and HAProxy take as a time, such as 1h30m; bare is
// the unit of a number without one.
func duration(s string, bare time.Duration) (sum time.Duration, ok bool) {
	if !parts.MatchString(s) {
		return 0, false
	}
	for _, m := range part.FindAllStringSubmatch(s, -1) {
		n, err := strconv.ParseInt(m[1], 10, 32)
		if err != nil {
			return 0, false
		}
		unit, named := units[m[2]]
		if !named {
			unit = bare
		}
		sum += time.Duration(n) * unit
	}
	return sum, true
}
