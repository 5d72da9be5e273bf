package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"unicode"
)

//go:embed write.sh
var writeScript string

// Safe is shell text for those who write files on a host: `own_way PATH` and
// `plain FILE`. It needs a function die.
//
//go:embed safe.sh
var Safe string

//go:embed prune.sh
var pruneScript string

// Of a file that was replaced more than once, the newest copy stays for ever,
// others as long as they are neither older nor more than this.
const keptDays, keptCopies = 90, 20

// WriteFile replaces one file atomically.
func (h *sshHost) WriteFile(ctx context.Context, f File) (string, error) {
	kept, err := h.WriteFiles(ctx, []File{f})
	if err != nil {
		return "", err
	}
	return kept[0], nil
}

// WriteFiles replaces files in one round trip: write.sh, the calls of its
// functions, then the contents one after the other.
func (h *sshHost) WriteFiles(ctx context.Context, files []File) ([]string, error) {
	if len(files) == 0 {
		return nil, nil
	}
	what := "write " + files[0].Path
	if n := len(files); n > 1 {
		what += fmt.Sprintf(" and %d more", n-1)
	}
	if err := checkFiles(files); err != nil {
		return nil, Errorf(h.cfg.Name, "%s: %w", what, err)
	}
	select {
	case h.writes <- struct{}{}:
		defer func() { <-h.writes }()
	case <-ctx.Done():
		return nil, Errorf(h.cfg.Name, "%s: %w", what, ctx.Err())
	}
	contents := make([]io.Reader, len(files))
	for i, f := range files {
		contents[i] = bytes.NewReader(f.Content)
	}
	answer, err := h.script(ctx, what, writeCalls(files, h.cfg.test.root), io.MultiReader(contents...), nil)
	var exit *ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("%w%s", exit, hint(exit.Stderr))
	}
	if err != nil {
		return nil, err
	}
	part, _ := answer.Part("kept")
	kept := strings.Split(strings.TrimSuffix(string(part), "\n"), "\n")
	if len(kept) != len(files) {
		return nil, Errorf(h.cfg.Name, "%s: the host answered for %d files, not %d", what, len(kept), len(files))
	}
	return kept, nil
}

// hint says what to do, when stderr shows what is wrong before its last line.
func hint(stderr string) string {
	if strings.Contains(stderr, "No space left on device") {
		return " (the disk is full, nothing was changed: see df -h, make room, run it again)"
	}
	return ""
}

// writeCalls is the whole shell text for some files.
func writeCalls(files []File, root string) string {
	var b strings.Builder
	b.WriteString(Safe + writeScript)
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.Path
	}
	all := quoteAll(paths)
	fmt.Fprintf(&b, "all() { \"$@\" %s; }\ntrap finish EXIT\nlock %s\nall have\n", all, quote(root+folders.Run))
	var sent strings.Builder
	for _, f := range files {
		parents := "022"
		if f.Secret {
			parents = "077"
		}
		sum := sha256.Sum256(f.Content)
		fmt.Fprintf(&b, "stage %04o %s %s %d %x %s\n", f.Perm(), quote(f.owner()), parents, len(f.Content), sum, quote(f.Path))
		fmt.Fprintf(&sent, " %x %s", sum, quote(f.Path))
	}
	fmt.Fprintf(&b, "arrived%s\nframe kept\n", sent.String())
	for _, p := range paths {
		fmt.Fprintf(&b, "keep %s %s\n", quote(root+folders.Kept), quote(p))
	}
	b.WriteString("all flush\n")
	for _, f := range files {
		fmt.Fprintf(&b, "place %04o %s %s\n", f.Perm(), quote(f.owner()), quote(f.Path))
	}
	fmt.Fprintf(&b, "all settle\n%sprune_kept %s %d %d >&2 || true\nframe_end\n", pruneScript, quote(root+folders.Kept), keptDays, keptCopies)
	return b.String()
}

// Perm are the permission bits that it gets.
func (f File) Perm() uint32 {
	if f.Mode == 0 {
		return 0o644
	}
	return f.Mode
}

func (f File) owner() string {
	if f.Owner == "" {
		return "root:root"
	}
	return f.Owner
}

var ownerForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*:[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

func checkFiles(files []File) error {
	seen := map[string]bool{}
	for _, f := range files {
		switch {
		case checkPath(f.Path) != nil:
			return checkPath(f.Path)
		case seen[f.Path]:
			return fmt.Errorf("%s is given twice", f.Path)
		case f.Mode&^0o7777 != 0:
			return fmt.Errorf("%s: mode %o has more than permission bits", f.Path, f.Mode)
		case !ownerForm.MatchString(f.owner()):
			return fmt.Errorf("%s: owner %q is not user:group", f.Path, f.Owner)
		}
		seen[f.Path] = true
	}
	return nil
}

// checkPath wants what names one file for sure, and fits on a line.
func checkPath(p string) error {
	if !path.IsAbs(p) || path.Clean(p) != p || p == "/" || strings.ContainsFunc(p, unicode.IsControl) {
		return fmt.Errorf("%q is not a clean absolute path", p)
	}
	return nil
}
