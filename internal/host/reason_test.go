package host

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// A line that names its host does so once, and only where the error is that
// host's own.
func TestReason(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for want, err := range map[string]error{
		"connect: no route":            Config{Name: "cp1", of: "cp1"}.unreachable("connect: no route"),
		"read /f: no such file":        Errorf("cp1", "read /f: %w", errors.New("no such file")),
		"true: exit status 3: no":      &ExitError{Host: "cp1", Args: []string{"/bin/true"}, Code: 3, Stderr: "no"},
		"true: context canceled":       cutShort(ended, "cp1", "true", time.Now()),
		"cp2: connect: no route":       Errorf("cp2", "connect: no route"),
		"look: cp1: read /f: no":       fmt.Errorf("look: %w", Errorf("cp1", "read /f: no")),
		"cp1: whatever others may say": errors.New("cp1: whatever others may say"),
		"sh: answered with more than 1 MiB, the most that is read of one answer; it was ended": &TooMuchError{"cp1", "sh", 1 << 20},
	} {
		if got := Reason(err, "cp1"); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
	if err := (Config{Name: "cp1", of: "cp1"}).unreachable("connect"); !errors.Is(err, ErrUnreachable) || Unreachable(err) != "cp1" ||
		err.Error() != "cp1: connect (host unreachable)" {
		t.Errorf("%v", err)
	}
}
