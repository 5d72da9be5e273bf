package workload

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// words reads the value of an ExecStart as systemd does (systemd.service(5),
// "Command lines"; systemd.syntax(7), "Quoting"), with no specifier and no
// variable but the doubled ones.
func words(value string) (out []string, err error) {
	escapes := map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', '\\': '\\', '"': '"', '\'': '\'', 's': ' '}
	var word []byte
	within, begun := byte(0), false
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '\\':
			if i++; i == len(value) {
				return nil, fmt.Errorf("ends in a backslash")
			}
			to, known := escapes[value[i]]
			if !known {
				return nil, fmt.Errorf("the escape %q", value[i])
			}
			word, begun = append(word, to), true
		case within != 0 && c == within:
			within = 0
		case within == 0 && (c == '"' || c == '\'') && len(word) == 0:
			within, begun = c, true
		case within == 0 && strings.IndexByte(" \t\n\r", c) >= 0:
			if begun {
				out, word, begun = append(out, string(word)), nil, false
			}
		case c == '%' || c == '$':
			if i++; i == len(value) || value[i] != c {
				return nil, fmt.Errorf("a specifier or a variable")
			}
			word, begun = append(word, c), true
		default:
			if within == 0 && c == ';' {
				return nil, fmt.Errorf("another command")
			}
			word, begun = append(word, c), true
		}
	}
	if within != 0 {
		return nil, fmt.Errorf("an open quote")
	}
	if begun {
		out = append(out, string(word))
	}
	return out, nil
}

// FuzzQuote: systemd reads back the words that were given to it, whatever is in
// them.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a b", `a"b'c\`, "%i $HOME $$", "; rm", "a\nExecStartPre=/bin/false", "a\rb", "\t", `\x20`, "é%%"} {
		f.Add(s, "b")
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		if strings.ContainsRune(one+two, 0) || !utf8.ValidString(one+two) {
			return // no argument has a NUL; the file is UTF-8 by its own check
		}
		line := "/bin/x " + Quote(one) + " \\\n  " + Quote(two)
		if strings.Contains(strings.ReplaceAll(line, " \\\n", ""), "\n") {
			t.Fatalf("%q goes on in another line", line)
		}
		got, err := words(strings.ReplaceAll(line, "\\\n", " "))
		if want := []string{"/bin/x", one, two}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is read as %q, %v; want %q", line, got, err, want)
		}
	})
}
