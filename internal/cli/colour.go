package cli

import (
	"io"
	"os"
	"regexp"

	"golang.org/x/term"
)

// coloured says whether text to a writer may be coloured: it is a terminal, and
// neither NO_COLOR (https://no-color.org) nor TERM=dumb asks for plain text.
func coloured(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// Colours by what they mean. Text says the same without them.
const (
	good    = "\x1b[32m"
	careful = "\x1b[33m"
	bad     = "\x1b[31m"
	strong  = "\x1b[1m"
	endOf   = "\x1b[0m"
)

// colourOf gives words their colour where quorate's own texts have them.
var colourOf = []struct {
	words  *regexp.Regexp
	colour string
}{
	{regexp.MustCompile(`(?m)^Stage \d+$|^(next|kept):`), strong},
	{regexp.MustCompile(`(?m)^nothing to do$|^done in .*$|risk: safe\b`), good},
	{regexp.MustCompile(`(?m)\bEXPOSED\b|risk: exposed\b|^(warning|note):|^Deferred\b|^deferred\b`), careful},
	{regexp.MustCompile(`(?m)\bOUTAGE\b|risk: outage\b|\bFAILED\b|\bDOWN\b|\bBROKEN\b|^(Blocked|blocked)\b`), bad},
}

// colour paints the words that carry the message.
func colour(text string) string {
	for _, c := range colourOf {
		text = c.words.ReplaceAllStringFunc(text, func(s string) string { return c.colour + s + endOf })
	}
	return text
}
