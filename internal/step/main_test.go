package step_test

import (
	"flag"
	"os"
	"runtime/debug"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	debug.SetGCPercent(800) // thousands of small plans
	os.Exit(m.Run())
}
