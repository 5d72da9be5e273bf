package etcd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"quorate.dev/quorate/internal/etcd"
)

// TestRecordSuperseded runs the script itself, in a folder of its own.
func TestRecordSuperseded(t *testing.T) {
	at := filepath.Join(t.TempDir(), "etc", "superseded")
	script := etcd.RecordSuperseded(at)
	record := func(ids ...string) string {
		if out, err := exec.Command("sh", append([]string{"-euc", script, "sh"}, ids...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		b, err := os.ReadFile(at)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := record(); got != "" {
		t.Errorf("nothing to record, and it wrote %q", got)
	}
	record("b2", "a1")
	if got := record("c3", "a1"); got != "a1\nb2\nc3\n" {
		t.Errorf("%q", got)
	}
	if got := record("b2 e5 signed", "b"); got != "a1\nb\nb2 e5 signed\nc3\n" {
		t.Errorf("a line in the place of another: %q", got)
	}
	if got := record(); got != "a1\nb\nb2 e5 signed\nc3\n" {
		t.Errorf("%q", got)
	}
}
