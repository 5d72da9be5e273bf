package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Run runs one command as root.
func (h *sshHost) Run(ctx context.Context, c Cmd) (Result, error) {
	if len(c.Args) == 0 || c.Args[0] == "" {
		return Result{}, fmt.Errorf("%s: run: no command given", h.cfg.Name)
	}
	for _, a := range c.Args {
		if strings.ContainsRune(a, 0) {
			return Result{}, fmt.Errorf("%s: run %s: an argument has a NUL byte", h.cfg.Name, label(c.Args, true))
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
	return h.exec(ctx, call{argv: c.Args, what: label(c.Args, c.Secret), secret: c.Secret, stdin: c.Stdin})
}

// ReadFile returns a file's bytes.
func (h *sshHost) ReadFile(ctx context.Context, path string) ([]byte, error) {
	res, err := h.exec(ctx, call{argv: []string{"cat", "--", path}, what: "read " + path})
	var exit *ExitError
	switch {
	case err == nil:
		return res.Stdout, nil
	case !errors.As(err, &exit):
		return nil, err
	// cat's own errno, in the C locale: any other failure is not "absent".
	case strings.HasSuffix(strings.TrimSpace(exit.Stderr), ": No such file or directory"):
		return nil, fmt.Errorf("%s: read %s: %w", h.cfg.Name, path, fs.ErrNotExist)
	}
	return nil, fmt.Errorf("%s: read %s: %w", h.cfg.Name, path, exit)
}
