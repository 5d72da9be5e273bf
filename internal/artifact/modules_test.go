package artifact

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// TestModulesBuildsPause builds a real, tiny component twice, in two stores:
// the bytes must be the same, and a second Fetch must build nothing.
func TestModulesBuildsPause(t *testing.T) {
	if testing.Short() {
		t.Skip("builds with the Go toolchain")
	}
	v, err := Resolve(DefaultKubernetes, nil)
	if err != nil {
		t.Fatal(err)
	}
	var sums []string
	for range 2 {
		m := NewModules(newStore(t))
		for _, last := range []string{"done", "cached"} {
			what := ""
			files, err := m.Fetch(t.Context(), v, runtime.GOARCH, []string{"pause"}, func(e Event) { what = e.What })
			if err != nil {
				t.Fatal(err)
			}
			if what != last {
				t.Errorf("the last event is %q, want %q", what, last)
			}
			sums = append(sums, files[0].SHA256)
		}
	}
	if sums[0] != sums[2] {
		t.Errorf("two builds differ: %s %s", sums[0], sums[2])
	}
}

func TestModulesImages(t *testing.T) {
	if testing.Short() {
		t.Skip("builds with the Go toolchain")
	}
	v, err := Resolve(DefaultKubernetes, nil)
	if err != nil {
		t.Fatal(err)
	}
	var sums []string
	for range 2 {
		m := NewModules(newStore(t))
		f, err := m.Images(t.Context(), v, runtime.GOARCH, "tests", []string{"pause", "quorate-test", "pause"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, f.SHA256)
		got := readLayout(t, f.Path)
		if len(got) != 2 || got["registry.k8s.io/pause:"+v.Pause] == nil || got[TestImage] == nil {
			t.Fatalf("images %v", got)
		}
		if f.Name != "images-tests.tar" || f.Mode != 0o644 {
			t.Errorf("file %+v", f)
		}
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds differ: %v", sums)
	}
}

func TestModulesRefuses(t *testing.T) {
	m := NewModules(newStore(t))
	v, _ := Resolve(DefaultKubernetes, nil)
	if _, err := m.Fetch(t.Context(), v, "amd64", []string{"kubelett"}, nil); err == nil ||
		!strings.Contains(err.Error(), "known are kube-apiserver,") {
		t.Errorf("an unknown name: %v", err)
	}
	if _, err := linked(t.Context(), []tool{{"nftt", "nftables"}}, runtime.GOARCH); err == nil ||
		!strings.Contains(err.Error(), "apt-get install nftables") || !strings.Contains(err.Error(), "artifacts.source: upstream") {
		t.Errorf("an image for which a program of the distribution is missing: %v", err)
	}
	if _, err := linked(t.Context(), []tool{{"nft", "nftables"}}, "s390x"); err == nil || !strings.Contains(err.Error(), "for s390x") {
		t.Errorf("an image for another processor: %v", err)
	}
	t.Setenv("PATH", "")
	if _, err := m.Fetch(t.Context(), v, "amd64", []string{"pause"}, nil); !errors.Is(err, errNoGo) {
		t.Errorf("without go: %v", err)
	}
}

// A failed build must show what the compiler said, and leave nothing.
func TestModulesBuildFails(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go")
	}
	s := newStore(t)
	m := NewModules(s)
	g, toolchain, err := findGo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := recipe{component: "pause", targets: []target{{name: "pause", pkg: "."}}, source: "package main\n\nfunc main() { nothing() }\n"}
	v, _ := Resolve(DefaultKubernetes, nil)
	_, err = m.component(t.Context(), g, r, r.key(v, "amd64", toolchain), []string{"pause"}, nil)
	if err == nil || !strings.Contains(err.Error(), "undefined: nothing") {
		t.Errorf("error %v, want the compiler's words", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = m.component(ctx, g, r, r.key(v, "amd64", toolchain), []string{"pause"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if all, err := s.List(); err != nil || len(all) != 0 {
		t.Errorf("List = %v, %v; want nothing", all, err)
	}
}

func TestCgoSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("CC", "")
	if err := cgoReady(t.Context(), runtime.GOARCH); err == nil ||
		!strings.Contains(err.Error(), "apt-get install gcc pkg-config libseccomp-dev") {
		t.Errorf("without a compiler: %v", err)
	}
	if err := cgoReady(t.Context(), "s390x"); err == nil || !strings.Contains(err.Error(), "set CC and PKG_CONFIG_PATH") {
		t.Errorf("for another processor: %v", err)
	}
}
