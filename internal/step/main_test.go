package step_test

import (
	"flag"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	debug.SetGCPercent(800) // thousands of small plans
	os.Exit(m.Run())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with `go test ./internal/step -run TestGolden -update`", err)
	}
	if string(want) != got {
		t.Errorf("the plan differs from %s; got:\n%s", path, got)
	}
}
