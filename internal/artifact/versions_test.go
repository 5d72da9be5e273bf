package artifact

import (
	"strings"
	"testing"
)

func TestResolve(t *testing.T) {
	for _, k := range []string{"v1.36.3", "1.36.3"} {
		v, err := Resolve(k, map[string]string{"runc": "v1.3.6"})
		if err != nil {
			t.Fatal(err)
		}
		want := Versions{Kubernetes: "v1.36.3", Etcd: "3.6.8", Containerd: "2.2.3", Runc: "1.3.6", CNI: "1.9.1",
			CoreDNS: "1.14.2", Crictl: "1.36.0", Pause: "3.10.2", MetricsServer: "0.9.0"}
		if v != want {
			t.Errorf("Resolve(%s) = %+v, want %+v", k, v, want)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	for _, c := range []struct {
		kubernetes string
		overrides  map[string]string
		want       string
	}{
		{"v1.20.1", nil, "known are v1.35, v1.36"},
		{"latest", nil, "want the form v1.36.3"},
		{"v1.36", nil, "want the form v1.36.3"},
		{"v1.36.3", map[string]string{"ectd": "3.6.8"}, `unknown component "ectd"; known are etcd,`},
		{"v1.36.3", map[string]string{"kubernetes": "v1.35.4"}, "unknown component"},
		{"v1.36.3", map[string]string{"etcd": "../x"}, "is not a version; want the form 3.6.8"},
	} {
		if _, err := Resolve(c.kubernetes, c.overrides); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Resolve(%s, %v): %v, want …%s…", c.kubernetes, c.overrides, err, c.want)
		}
	}
}

func TestEveryOverridableHasAVersion(t *testing.T) {
	for minor, v := range sets {
		for _, c := range overridable() {
			if v.Get(c) == "" {
				t.Errorf("%s: no version of %s", minor, c)
			}
		}
	}
}

func TestEveryProgramHasARecipe(t *testing.T) {
	for _, c := range components {
		r, err := recipeOf(c.name)
		if err != nil {
			t.Error(err)
		}
		if got := len(r.pick(c.programs)); got != len(c.programs) || got != len(r.targets) {
			t.Errorf("%s: %d programs, of which the recipe builds %d of its %d", c.name, len(c.programs), got, len(r.targets))
		}
	}
	for _, img := range images {
		for _, p := range img.programs {
			if componentOf(p) == "" {
				t.Errorf("image %s: unknown program %s", img.name, p)
			}
		}
	}
}
