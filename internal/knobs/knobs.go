// Package knobs reads what somebody else wrote for a control plane (unit files,
// static pod manifests, kubeconfigs, load balancer configurations) into a normal
// form, and changes single settings in it: want = edit(found, knobs). Whatever it
// does not change stays as it is, byte for byte: comments, order, blanks.
//
// Each edit gives a new value or an error. Its result is read back before it is
// given out: when the knob does not have the new value then, or anything else
// another one, there is an error instead. An edit to the value found is the
// identity.
//
// It does not know which knobs a cluster wants, reads no files and reaches no
// hosts.
package knobs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// File is a text as it was found, and where.
type File struct {
	Path, Text string
}

// edit replaces a piece of a file.
type edit struct {
	file, from, to int
	with           string
}

// apply makes edits, which must not overlap. Of those at one place the first
// comes first.
func apply(files []File, edits []edit) ([]File, error) {
	out := slices.Clone(files)
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.from, b.from)) })
	for i, e := range slices.Backward(edits) {
		text := out[e.file].Text
		if e.from > e.to || e.to > len(text) || i > 0 && edits[i-1].file == e.file && edits[i-1].to > e.from {
			return nil, fmt.Errorf("%s: two changes meet at one place", out[e.file].Path)
		}
		out[e.file].Text = text[:e.from] + e.with + text[e.to:]
	}
	return out, nil
}

// lineOf is the number of the line in which an offset lies.
func lineOf(text string, at int) int { return 1 + strings.Count(text[:min(at, len(text))], "\n") }

// lineStart is where the line of an offset begins.
func lineStart(text string, at int) int { return strings.LastIndexByte(text[:at], '\n') + 1 }

// lineEnd is where the line of an offset ends, before its newline.
func lineEnd(text string, at int) int {
	if n := strings.IndexByte(text[at:], '\n'); n >= 0 {
		return at + n
	}
	return len(text)
}

// indentOf are the blanks at the begin of the line of an offset.
func indentOf(text string, at int) string {
	line := text[lineStart(text, at):at]
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}

// removeLine is the edit that takes away a piece, with its line when nothing else
// stands on that. A comment behind it stays.
func removeLine(file int, text string, from, to int) edit {
	start, end := lineStart(text, from), lineEnd(text, to)
	if strings.TrimSpace(text[start:from]) == "" && strings.TrimSpace(text[to:end]) == "" {
		return edit{file: file, from: start, to: min(end+1, len(text))}
	}
	if strings.TrimSpace(text[start:from]) != "" { // something stands before it: its blanks go with it
		from = start + len(strings.TrimRight(text[start:from], " \t"))
	}
	return edit{file: file, from: from, to: to}
}
