package host

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"
)

// Script is shell text whose answer comes in frames: it calls `frame NAME`
// before each part, and `frame_end` after the last.
type Script struct {
	What    string   // names it in errors: "probe", "clean"
	Text    string   // POSIX shell; it travels on stdin and never shows in the process list
	Args    []string // $1 and on; they do show there
	Stdin   io.Reader
	Unit    string        // as in Cmd
	Timeout time.Duration // as in Cmd
	Secret  bool          // as in Cmd
}

// Ask runs a script as root and takes its answer apart. What login shells print
// is skipped, and can be had by Noise. Errors are those of Host.Run, and an
// *AnswerError for an answer that is incomplete or has a part twice. What a
// script answered before it failed is returned beside an *ExitError.
func Ask(ctx context.Context, h Host, s Script) (Answer, error) {
	frames := NewFrames()
	text := frames.Shell() + s.Text
	in := io.Reader(strings.NewReader(text))
	if s.Stdin != nil {
		in = io.MultiReader(in, s.Stdin)
	}
	res, err := h.Run(ctx, Cmd{Args: evaluated(text, s.Args), Stdin: in, Unit: s.Unit, Timeout: s.Timeout, Secret: s.Secret, What: s.What})
	var exit *ExitError
	if errors.As(err, &exit) {
		exit.Args = strings.Fields(s.What)
	}
	if err != nil {
		return frames.Partial(res.Stdout), err
	}
	a, err := frames.Parse(res.Stdout)
	if err != nil {
		return Answer{}, Errorf(h.Name(), "%s: %w", s.What, err)
	}
	if l, ok := h.(interface{ hear([]byte) }); ok {
		l.hear(a.Noise())
	}
	return a, nil
}

// Output runs shell text that prints one answer, without frames of its own, and
// returns that without the white space around it. The errors are those of Ask.
func Output(ctx context.Context, h Host, s Script) (string, error) {
	s.Text = "frame output\n(\n" + s.Text + "\n)\nquorate_exit=$?; [ $quorate_exit = 0 ] || exit $quorate_exit; frame_end\n"
	a, err := Ask(ctx, h, s)
	return a.Text("output"), err
}
