// Package plain makes text of unknown origin fit for a terminal: what could
// move the cursor, change colours or the order of letters, or cannot be seen,
// is written out as an escape. It knows nothing of where text comes from.
package plain

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Text keeps line breaks and tabs and writes out all else that does not print:
// control characters (C0, DEL, C1), bidirectional overrides, zero-width and
// other invisible ones, and bytes that are not UTF-8. Inside a JSON string the
// escapes of characters mean what they replace.
func Text(s string) string { return written(s, "\n\t") }

// Line is Text for what must stay on one line: breaks and tabs are written out too.
func Line(s string) string { return written(s, "") }

func written(s, kept string) string {
	at := strings.IndexFunc(s, func(r rune) bool { return !prints(r, kept) })
	if at < 0 {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:at])
	for s = s[at:]; s != ""; {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case prints(r, kept):
			b.WriteString(s[:n])
		default:
			for _, u := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, u)
			}
		}
		s = s[n:]
	}
	return b.String()
}

func prints(r rune, kept string) bool {
	return r != utf8.RuneError && strconv.IsPrint(r) || strings.ContainsRune(kept, r)
}
