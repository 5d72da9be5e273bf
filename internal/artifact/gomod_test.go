package artifact

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files")

func TestGoModOfKubernetes(t *testing.T) {
	upstream, err := os.ReadFile("testdata/kubernetes.mod")
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipeOf("kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	got, err := goMod(r, "1.36.3", map[string][]byte{"k8s.io/kubernetes": upstream})
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/kubernetes.golden"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("go.mod is\n%s\nwant\n%s", got, want)
	}
}

// An old module must keep the GODEBUG settings of its own Go version, though
// tool lines need a newer one.
func TestGoModOfAnOldModule(t *testing.T) {
	r, err := recipeOf("runc")
	if err != nil {
		t.Fatal(err)
	}
	const runc = "github.com/opencontainers/runc"
	got, err := goMod(r, "1.3.4", map[string][]byte{runc: []byte("module " + runc + "\n\ngo 1.23.0\n")})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"go 1.24.0\n", "godebug default=go1.23\n", "require github.com/opencontainers/runc v1.3.4\n",
		"tool github.com/opencontainers/runc\n"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("go.mod lacks %q:\n%s", want, got)
		}
	}
}

func TestStamp(t *testing.T) {
	got := strings.Join(stamp([]string{"p.v=vVERSION", "p.m=MAJOR.MINOR", "p.c=SUM", "p.t=TIME"}, "1.36.3", "h1:x=",
		"2026-01-02T03:04:05Z"), " ")
	if want := "-X p.v=v1.36.3 -X p.m=1.36 -X p.c=h1:x= -X p.t=2026-01-02T03:04:05Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
