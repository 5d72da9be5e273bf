//go:build lab

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate.dev/quorate/internal/lab"
)

var (
	program string // the quorate under test
	images  string // the image set with the test image, as lab hosts see it
)

// testImage is in that set, and not among what quorate itself imports.
const testImage = "localhost/quorate-test:1"

// labPrefix begins the names of this suite's labs; all of that name are its
// own. QUORATE_E2E_LABS lets two suites run side by side.
var labPrefix = cmp.Or(os.Getenv("QUORATE_E2E_LABS"), "e2e")

func TestMain(m *testing.M) {
	code, err := suite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func suite(m *testing.M) (int, error) {
	if os.Geteuid() != 0 {
		return 1, fmt.Errorf("these tests boot hosts: run them as root")
	}
	ctx := context.Background()
	held, err := alone()
	if err != nil {
		return 1, err
	}
	defer held.Close()
	dir, err := os.MkdirTemp("", "quorate-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "quorate")
	if _, err := output(ctx, "env", "CGO_ENABLED=0", "go", "build", "-o", dir+"/", "quorate.dev/quorate/cmd/quorate",
		"quorate.dev/quorate/cmd/quorate-lb"); err != nil {
		return 1, err
	}
	if _, err := output(ctx, program, "lab", "clean"); err != nil {
		return 1, err
	}
	if err := removeLabs(ctx); err != nil {
		return 1, err
	}
	built, err := output(ctx, program, "artifacts", "build", "--test-image")
	if err != nil {
		return 1, err
	}
	files := strings.Fields(built)
	if images, err = onHosts(files[len(files)-1]); err != nil {
		return 1, err
	}
	code := m.Run()
	if os.Getenv(keep) == "" {
		return code, removeLabs(ctx)
	}
	return code, nil
}

// alone makes a second suite on this machine wait: their labs have the same names.
func alone() (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(os.TempDir(), "quorate-"+labPrefix+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		return f, nil
	}
	fmt.Fprintln(os.Stderr, "e2e: waiting for another run to end")
	return f, unix.Flock(int(f.Fd()), unix.LOCK_EX)
}

func removeLabs(ctx context.Context) error {
	labs, err := lab.List()
	if err != nil {
		return err
	}
	for _, l := range labs {
		if strings.HasPrefix(l.Name, labPrefix) {
			if err := lab.Down(ctx, l.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// onHosts is where lab hosts see a file of the artefact store.
func onHosts(file string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(filepath.Join(cache, "quorate", "store"), file)
	if err != nil || strings.HasPrefix(rel, "..") {
		return "", fmt.Errorf("%s is not in the artefact store", file)
	}
	return filepath.Join(lab.SeedPath, rel), nil
}

func output(ctx context.Context, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, errOut.String())
	}
	return string(out), nil
}

// patience is how long anything may take to come about. Only what is broken
// takes as long.
const patience = 4 * time.Minute

// eventually polls until ok finds nothing to object to.
func eventually(t *testing.T, what string, ok func() error) {
	t.Helper()
	begun := time.Now()
	for {
		err := ok()
		if err == nil {
			t.Logf("%s: after %.1f s", what, time.Since(begun).Seconds())
			return
		}
		if time.Since(begun) > patience || t.Context().Err() != nil {
			t.Fatalf("%s: not within %s: %v", what, patience, err)
		}
		time.Sleep(300 * time.Millisecond)
	}
}

// same compares two lists as sets.
func same(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
