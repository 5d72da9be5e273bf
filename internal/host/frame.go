package host

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Frames takes apart what one run of a shell script prints. Parts begin with a
// mark that nobody on the host can know before: it is new for every run and
// travels on stdin. So neither what a login shell prints nor what other users
// call their processes can pass for a part.
//
// The answer is: "\n" mark " " name "\n" payload, for each part, then
// "\n" mark "\n". A payload may hold any bytes, and lack a last newline.
type Frames struct{ mark string }

// NewFrames makes the mark for one run.
func NewFrames() Frames {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	return Frames{"quorate-" + hex.EncodeToString(b)}
}

// Shell is the text that must stand before the script, on one line. It defines
// `frame NAME`, which begins a part, and `frame_end`, which ends the last one;
// without that the answer counts as cut short.
func (f Frames) Shell() string {
	return shellHead + f.mark +
		`; frame() { printf '\n%s %s\n' "$quorate_mark" "$1"; }; frame_end() { printf '\n%s\n' "$quorate_mark"; }` + "\n"
}

const shellHead = "quorate_mark="

// FramesOf are the frames of a script that begins with what Shell says: for
// those who answer one in tests.
func FramesOf(script []byte) (Frames, bool) {
	rest, ok := bytes.CutPrefix(script, []byte(shellHead))
	mark, _, ends := bytes.Cut(rest, []byte(";"))
	return Frames{string(mark)}, ok && ends
}

// Print is the answer with these parts, given as name and payload in turn.
func (f Frames) Print(parts ...string) []byte {
	var b bytes.Buffer
	for i := 0; i+1 < len(parts); i += 2 {
		fmt.Fprintf(&b, "\n%s %s\n%s", f.mark, parts[i], parts[i+1])
	}
	fmt.Fprintf(&b, "\n%s\n", f.mark)
	return b.Bytes()
}

// AnswerError is an answer that cannot be relied on.
type AnswerError struct {
	Problem string
	Size    int // of the answer, in bytes
}

func (e *AnswerError) Error() string { return fmt.Sprintf("%s (%d bytes)", e.Problem, e.Size) }

// Answer is what a script printed, by parts.
type Answer struct {
	parts map[string][]byte
	names []string
	noise []byte // what stood outside of all parts
}

// Part is the payload of a part; false when it is not there.
func (a Answer) Part(name string) ([]byte, bool) {
	p, ok := a.parts[name]
	return p, ok
}

// Text is the payload of a part without the white space around it; "" also
// when it is not there.
func (a Answer) Text(name string) string { return strings.TrimSpace(string(a.parts[name])) }

// Names are the parts, in the order they came.
func (a Answer) Names() []string { return slices.Clone(a.names) }

// Noise is what was printed before, between and after the parts: by a shell's
// startup files, not by the script.
func (a Answer) Noise() []byte { return a.noise }

// Parse takes a whole answer apart. A part that comes twice, a mark that is
// none and a missing end are an *AnswerError.
func (f Frames) Parse(out []byte) (Answer, error) {
	a, open, err := f.parse(out)
	switch {
	case err != nil:
		return Answer{}, err
	case len(a.names) == 0:
		return Answer{}, &AnswerError{"the answer is missing", len(out)}
	case open:
		return Answer{}, &AnswerError{"the answer was cut short", len(out)}
	}
	return a, nil
}

// Partial is Parse for an answer that may go on: what there is so far, nothing
// when it is damaged.
func (f Frames) Partial(out []byte) Answer {
	a, _, err := f.parse(out)
	if err != nil {
		return Answer{}
	}
	return a
}

// parse also says whether the last part is still open.
func (f Frames) parse(out []byte) (a Answer, open bool, err error) {
	a.parts = map[string][]byte{}
	name, mark := "", []byte("\n"+f.mark)
	add := func(payload []byte) {
		if open {
			a.parts[name] = payload
		} else {
			a.noise = append(a.noise, payload...)
		}
	}
	for rest := out; ; {
		at := bytes.Index(rest, mark)
		if at < 0 {
			add(rest)
			return a, open, nil
		}
		line, after, whole := bytes.Cut(rest[at+len(mark):], []byte("\n"))
		if !whole { // the mark itself is still coming
			add(rest[:at])
			return a, true, nil
		}
		add(rest[:at])
		rest = after
		title, begins := bytes.CutPrefix(line, []byte(" "))
		switch {
		case len(line) == 0:
			open = false
			continue
		case !begins || len(title) == 0:
			return Answer{}, false, &AnswerError{fmt.Sprintf("the answer has the mark %q", clip(string(line), 80)), len(out)}
		}
		name, open = string(title), true
		if _, twice := a.parts[name]; twice {
			return Answer{}, false, &AnswerError{fmt.Sprintf("the answer has the part %q twice", clip(name, 80)), len(out)}
		}
		a.names = append(a.names, name)
		a.parts[name] = nil
	}
}
