package host

import (
	"os/exec"
	"strings"
	"testing"
)

// FuzzQuote holds quote to what a real shell makes of it.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "plain", "a b", "it's", "'", "''", `\`, "$x", "`x`", "\n", "\r\n", "*?[", "~", "#c", "=x", "!", "é",
		"\xff\x80", "a\tb", "-", "--", "{a,b}", "(", ";", "&&", "x=y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsRune(s, 0) {
			t.Skip("no argument can have it")
		}
		out, err := exec.Command("/bin/sh", "-c", "printf %s. "+quoteAll([]string{s, "next"})).Output()
		if err != nil || string(out) != s+".next." {
			t.Errorf("quote(%q) = %s came back as %q, %v", s, quote(s), out, err)
		}
	})
}

func TestQuoteIsReadable(t *testing.T) {
	got := quoteAll([]string{"/usr/bin/etcdctl", "--endpoints=https://1.2.3.4:2379", "it's"})
	if want := `/usr/bin/etcdctl '--endpoints=https://1.2.3.4:2379' 'it'\''s'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
