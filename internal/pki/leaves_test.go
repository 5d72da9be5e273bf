package pki

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/topology"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestLeavesGolden(t *testing.T) {
	var b strings.Builder
	for _, n := range []topology.Node{cp1, w1, e1} {
		fmt.Fprintf(&b, "# %s\n", n.Name)
		for _, c := range leaves(t, n, testContext("")) {
			fmt.Fprintf(&b, "%s (%s CA) %s %s\n  %s\n", c.Name, c.Issuer, c.Path, c.KeyPath, c.Spec())
		}
	}
	golden(t, "leaves.txt", b.String())
}

func TestLeavesRefuseABadServiceRange(t *testing.T) {
	if _, err := Leaves(cp1, Context{ServiceCIDR: "10.96.0.0"}); err == nil || !strings.Contains(err.Error(), "serviceCIDR") {
		t.Error(err)
	}
	if _, err := Leaves(w1, Context{}); err != nil {
		t.Errorf("a worker needs no service range: %v", err)
	}
}

func TestEndpointIsASAN(t *testing.T) {
	for endpoint, want := range map[string]string{
		"api.x:8443": `"api.x"`, "10.9.9.9:6443": `"10.9.9.9"`, "[fd00::9]:6443": `"fd00::9"`,
		"api.y": `"api.y"`, "[fd00::8]": `"fd00::8"`,
	} {
		cl := testContext("")
		cl.Endpoint = endpoint
		if spec := leaves(t, cp1, cl)[0].Spec(); !strings.Contains(spec, want) {
			t.Errorf("%s: no %s in %s", endpoint, want, spec)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run go test -update", err)
	}
	if got != string(want) {
		t.Errorf("%s differs: compare, then run go test -update\n%s", path, got)
	}
}
