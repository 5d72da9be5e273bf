package component_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/component/componenttest"
)

// Every flag we render is one that the real program knows and does not call
// deprecated.
func TestFlagsAgainstRealBinaries(t *testing.T) {
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"} {
		t.Run(name, func(t *testing.T) {
			help, err := exec.Command(componenttest.Binary(t, name), "--help").CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, help)
			}
			ctx := componenttest.Prod("cp1")
			if name == "kube-controller-manager" {
				ctx.Spec.Network.CNI = "none" // the larger set of flags
			}
			if name == "kube-apiserver" {
				ctx.Spec.Security = "restricted"
			}
			s, err := renderers[name](ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range regexp.MustCompile(`  --([a-z-]+)=`).FindAllStringSubmatch(s.Unit, -1) {
				line := regexp.MustCompile(`(?m)^ +(-\S, )?--` + f[1] + `\s.*$`).FindString(string(help))
				if line == "" {
					t.Errorf("%s does not know --%s", name, f[1])
				}
				if strings.Contains(line, "DEPRECATED") {
					t.Errorf("--%s is deprecated: %s", f[1], line)
				}
			}
		})
	}
}

// The unit files and configurations pass the checks that a host makes.
func TestVerifyCommands(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not root")
	}
	for name, render := range renderers {
		s, err := render(componenttest.Prod("cp1"))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for _, f := range s.Rendered() {
			// The binaries are elsewhere here.
			text := strings.ReplaceAll(string(f.Content), lay.Bin+"/", "/bin/true ")
			path := dir + f.Path
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for _, v := range s.Verify {
			if _, err := exec.LookPath(v[0]); err != nil {
				t.Logf("%s: %s is not here", name, v[0])
				continue
			}
			var args []string
			for _, a := range v[1:] {
				args = append(args, strings.ReplaceAll(a, "{}", dir))
			}
			if out, err := exec.Command(v[0], args...).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%s: %s: %v\n%s", name, strings.Join(v, " "), err, out)
			}
		}
	}
}
