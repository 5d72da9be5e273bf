package host

import "strings"

// quote makes one word of a POSIX shell out of any text without NUL bytes.
func quote(s string) string {
	if s != "" && strings.IndexFunc(s, special) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// special tells whether a rune needs quotes. A leading "=" or "~" and the like
// are special to some shells, so only what is plain everywhere is let through.
func special(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("-_./:,@+", r)
}

// quoteAll makes one shell command out of an argv.
func quoteAll(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = quote(a)
	}
	return strings.Join(words, " ")
}
