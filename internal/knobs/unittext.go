package knobs

import (
	"errors"
	"fmt"
	"strings"
)

// char is one byte of a setting's value, and where in its file it stands.
type char struct {
	b  byte
	at int
}

// setting is one assignment of a unit file.
type setting struct {
	file                int
	section, key, value string
	chars               []char // the value with its continuation lines
}

// continued says whether a line goes on in the next: an odd number of backslashes
// ends it.
func continued(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// readSettings reads a unit file as systemd.syntax(7) says: comment lines between
// continuation lines are left out, a line break in a value is a blank.
func readSettings(file int, path, text string) (out []setting, err error) {
	section := ""
	for at := 0; at < len(text); {
		chars, next, wrong := logicalLine(text, at)
		if wrong != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, lineOf(text, at), wrong)
		}
		line := stringOf(chars)
		switch key, _, assigns := strings.Cut(line, "="); {
		case line == "" || strings.ContainsRune("#;", rune(line[0])):
		case line[0] == '[':
			section = strings.Trim(strings.TrimSpace(line), "[]")
		case !assigns:
			return nil, fmt.Errorf("%s:%d: %q is neither a section nor an assignment", path, lineOf(text, at), line)
		default:
			value := trim(chars[len(key)+1:])
			out = append(out, setting{file: file, section: section, key: strings.TrimSpace(key), value: stringOf(value), chars: value})
		}
		at = next
	}
	return out, nil
}

// logicalLine is the line at an offset with those in which it goes on, and where
// the next begins.
func logicalLine(text string, at int) (chars []char, next int, err error) {
	for first := true; ; first = false {
		end := lineEnd(text, at)
		from := at
		for from < end && strings.IndexByte(" \t\r", text[from]) >= 0 {
			from++
		}
		line := text[from:end]
		next = min(end+1, len(text))
		comment := line != "" && (line[0] == '#' || line[0] == ';')
		if bare := strings.TrimRight(line, " \t\r"); bare != line && continued(bare) && !comment {
			return nil, 0, errors.New("blanks follow the backslash at the end of the line: versions of systemd read that in different ways")
		}
		goesOn := continued(line)
		if comment {
			if first {
				return nil, next, nil
			}
			goesOn, line = true, "" // left out
		}
		for i := range len(line) {
			chars = append(chars, char{line[i], from + i})
		}
		if !goesOn || end == len(text) {
			return chars, next, nil
		}
		if n := len(chars); !comment && n > 0 {
			chars[n-1].b = ' '
		}
		at = next
	}
}

func stringOf(chars []char) string {
	var b strings.Builder
	for _, c := range chars {
		b.WriteByte(c.b)
	}
	return b.String()
}

func blank(b byte) bool { return strings.IndexByte(" \t\r\n", b) >= 0 }

func trim(chars []char) []char {
	for len(chars) > 0 && blank(chars[0].b) {
		chars = chars[1:]
	}
	for len(chars) > 0 && blank(chars[len(chars)-1].b) {
		chars = chars[:len(chars)-1]
	}
	return chars
}

// decoded is one byte of a word without its quotes and escapes.
type decoded struct {
	b        byte
	from, to int  // the bytes of the file that it came from
	quote    byte // the quotes in which it stands, or 0
}

// word is one of a command line, as it stands in its file.
type word struct {
	file     int
	from, to int // with its quotes
	bytes    []decoded
}

func (w word) text() string {
	var b strings.Builder
	for _, d := range w.bytes {
		b.WriteByte(d.b)
	}
	return b.String()
}

var cEscapes = map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', 's': ' ', '\\': '\\', '"': '"', '\'': '\'', 'a': 7, 'b': 8, 'f': 12, 'v': 11}

// splitWords takes a value apart as systemd does: quotes may stand anywhere in a
// word. C says that escapes are those of C; else a backslash protects the next.
func splitWords(file int, chars []char, c bool) (out []word, err error) {
	for i := 0; ; {
		for i < len(chars) && blank(chars[i].b) {
			i++
		}
		if i == len(chars) {
			return out, nil
		}
		w := word{file: file, from: chars[i].at}
		var quote byte
		for ; i < len(chars) && (quote != 0 || !blank(chars[i].b)); i++ {
			b, from, to := chars[i].b, chars[i].at, chars[i].at+1
			switch {
			case quote != 0 && b == quote:
				quote = 0
			case quote == 0 && (b == '"' || b == '\''):
				quote = b
			case b == '\\' && i+1 < len(chars):
				next := chars[i+1]
				if plain, known := cEscapes[next.b]; c && known {
					next.b = plain
				} else if c && next.b != ';' {
					return nil, fmt.Errorf("the escape \\%c is not understood", next.b)
				}
				i++
				w.bytes = append(w.bytes, decoded{next.b, from, chars[i].at + 1, quote})
			default:
				w.bytes = append(w.bytes, decoded{b, from, to, quote})
			}
			w.to = chars[i].at + 1
		}
		if quote != 0 {
			return nil, errors.New("a quote is not closed")
		}
		out = append(out, w)
	}
}
