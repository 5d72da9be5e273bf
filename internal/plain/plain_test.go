package plain

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"plain, Grüße 世界 ✓…\n\t":        "plain, Grüße 世界 ✓…\n\t",
		"\x1b]0;pwned\x07\x1b[2J":       `\u001b]0;pwned\u0007\u001b[2J`,
		"done\rFAILED":                  `done\u000dFAILED`,
		"a\x00b\x7f":                    `a\u0000b\u007f`,
		"\u009b31m red":                 `\u009b31m red`, // C1 as UTF-8
		"\x9b31m red":                   `\x9b31m red`,   // and as a byte
		"user\u202etxt.exe":             `user\u202etxt.exe`,
		"\u2066isolate\u2069":           `\u2066isolate\u2069`,
		"zero\u200bwidth\ufeff":         `zero\u200bwidth\ufeff`,
		"tag\U000e0041":                 `tag\udb40\udc41`,
		"line\u2028separator":           `line\u2028separator`,
		"cut \xe4\xb8":                  `cut \xe4\xb8`,
		`already \u001b[2J`:             `already \u001b[2J`,
		"replacement \ufffd of another": `replacement \ufffd of another`,
	} {
		if got := Text(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got, want := Line("a\nb\tc"), `a\u000ab\u0009c`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// JSON that passed through means the same.
func TestTextKeepsJSON(t *testing.T) {
	in := "x\u0085y\u202e\U000e0041\x1b\u00a0"
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out string
	if err := json.Unmarshal([]byte(Text(string(data))), &out); err != nil || out != in {
		t.Errorf("%q, %v; want %q", out, err, in)
	}
}

func FuzzText(f *testing.F) {
	f.Add("\x1b[2J\u202e\x9b")
	f.Fuzz(func(t *testing.T, in string) {
		for _, out := range []string{Text(in), Line(in)} {
			if !utf8.ValidString(out) {
				t.Fatalf("%q: %q is not UTF-8", in, out)
			}
			for _, r := range out {
				if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Cf, r) {
					t.Fatalf("%q: %q holds %U", in, out, r)
				}
			}
		}
		if strings.ContainsAny(Line(in), "\n\t") {
			t.Fatalf("%q: more than a line", in)
		}
		if once := Text(in); Text(once) != once {
			t.Fatalf("%q: a second time gives %q", in, Text(once))
		}
	})
}
