package host

import (
	"context"
	"errors"
	"io/fs"
	"strings"
)

// Run runs one command as root.
func (h *sshHost) Run(ctx context.Context, c Cmd) (Result, error) {
	if len(c.Args) == 0 || c.Args[0] == "" {
		return Result{}, Errorf(h.cfg.Name, "run: no command given")
	}
	for _, a := range c.Args {
		if strings.ContainsRune(a, 0) {
			return Result{}, Errorf(h.cfg.Name, "run %s: an argument has a NUL byte", c.label())
		}
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	if c.Unit != "" {
		return h.runUnit(ctx, c)
	}
	return h.exec(ctx, call{argv: c.Args, what: c.label(), secret: c.Secret, stdin: c.Stdin})
}

// ReadFile returns a file's bytes.
func (h *sshHost) ReadFile(ctx context.Context, path string) ([]byte, error) {
	answer, err := h.script(ctx, "read "+path, "frame content; cat -- "+quote(path)+" || exit; frame_end\n", nil, nil)
	var exit *ExitError
	switch {
	case err == nil:
		content, _ := answer.Part("content")
		return content, nil
	case !errors.As(err, &exit):
		return nil, err
	case isAbsent(exit.Stderr):
		return nil, Errorf(h.cfg.Name, "read %s: %w", path, fs.ErrNotExist)
	}
	return nil, exit
}

// isAbsent finds cat's own errno, in the C locale, among what others say: any
// other failure is not "absent".
func isAbsent(stderr string) bool {
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "cat: ") && strings.HasSuffix(line, ": No such file or directory") {
			return true
		}
	}
	return false
}
