package lab

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// defaultMirror is Debian's public mirror, for machines whose own package
// sources name none.
const defaultMirror = "http://deb.debian.org/debian"

// debianMirror is the mirror this machine's own apt gets Debian from.
func debianMirror(etcApt, suite string) string {
	files, _ := filepath.Glob(filepath.Join(etcApt, "sources.list.d", "*"))
	for _, file := range append([]string{filepath.Join(etcApt, "sources.list")}, files...) {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		var mirror string
		switch filepath.Ext(file) {
		case ".list":
			mirror = mirrorInList(string(text), suite)
		case ".sources":
			mirror = mirrorInSources(string(text), suite)
		}
		if mirror != "" {
			return mirror
		}
	}
	return defaultMirror
}

// mirrorInList reads the one-line format: deb [options] URI suite component…
func mirrorInList(text, suite string) string {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if open, rest, ok := strings.Cut(line, "["); ok {
			_, rest, _ = strings.Cut(rest, "]")
			line = open + rest
		}
		f := strings.Fields(line)
		if len(f) >= 4 && f[0] == "deb" && f[2] == suite && usableMirror(f[1]) {
			return f[1]
		}
	}
	return ""
}

// mirrorInSources reads the stanza format (deb822).
func mirrorInSources(text, suite string) string {
	for stanza := range strings.SplitSeq(text, "\n\n") {
		fields := map[string][]string{}
		for line := range strings.Lines(stanza) {
			if key, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, "#") {
				fields[strings.ToLower(key)] = strings.Fields(value)
			}
		}
		if slices.Contains(fields["enabled"], "no") ||
			!slices.Contains(fields["types"], "deb") || !slices.Contains(fields["suites"], suite) {
			continue
		}
		for _, uri := range fields["uris"] {
			if usableMirror(uri) {
				return uri
			}
		}
	}
	return ""
}

// usableMirror says whether debootstrap can fetch from there.
func usableMirror(uri string) bool {
	return strings.HasPrefix(uri, "http://") || strings.HasPrefix(uri, "https://")
}
