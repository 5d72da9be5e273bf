package main

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// readLeaving reads which backends leave for a while: a line each with the way,
// the backend, and until when in Unix seconds. After that a line means nothing,
// so that whoever wrote it and was killed leaves nothing behind. A line that is
// not so is none.
func readLeaving(path string, now time.Time) map[[2]string]bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil // mostly it is not there
	}
	var out map[[2]string]bool
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		until, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil || now.Unix() >= until {
			continue
		}
		if out == nil {
			out = map[[2]string]bool{}
		}
		out[[2]string{f[0], f[1]}] = true
	}
	return out
}
