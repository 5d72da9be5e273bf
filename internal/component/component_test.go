package component_test

import (
	"strings"
	"testing"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/component/componenttest"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/workload"
)

var renderers = map[string]component.Renderer{
	"containerd":              component.Containerd,
	"kube-apiserver":          component.APIServer,
	"kube-controller-manager": component.ControllerManager,
	"kube-scheduler":          component.Scheduler,
	"kubelet":                 component.Kubelet,
	"kube-proxy":              component.KubeProxy,
	"quorate-routes":          component.PodNetwork,
}

// dump shows a service as it will lie on the disk.
func dump(s workload.Service) string {
	var b strings.Builder
	for _, f := range s.Rendered() {
		b.WriteString("==> " + f.Path + "\n" + strings.TrimSuffix(string(f.Content), "\n") + "\n")
	}
	b.WriteString("==> certificates: " + strings.Join(s.Certs, " ") + "\n")
	for _, v := range s.Verify {
		b.WriteString("==> verify: " + strings.Join(v, " ") + "\n")
	}
	return b.String()
}

// What spec.security makes of an API server, a kubelet and a static pod.
func TestSecurityLevels(t *testing.T) {
	for _, level := range []string{"baseline", "restricted"} {
		ctx := componenttest.Prod("cp1")
		ctx.Spec.Security = level
		var out strings.Builder
		for _, name := range []string{"kube-apiserver", "kubelet"} {
			s, err := renderers[name](ctx)
			if err != nil {
				t.Fatal(err)
			}
			out.WriteString(dump(s))
		}
		componenttest.Golden(t, "security."+level+".txt", out.String())
	}
}

// A level of no meaning is the default's equal, and restarts nothing.
func TestPrivilegedIsTheDefault(t *testing.T) {
	ctx := componenttest.Prod("cp1")
	was, err := component.APIServer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ctx.Spec.Security = spec.SecurityPrivileged
	if is, err := component.APIServer(ctx); err != nil || is.Stamp() != was.Stamp() {
		t.Errorf("another stamp (%v)", err)
	}
}

func TestServices(t *testing.T) {
	for name, render := range renderers {
		for _, self := range []string{"cp1", "w1"} {
			s, err := render(componenttest.Prod(self))
			if err != nil {
				t.Fatal(err)
			}
			if s.Name != name {
				t.Errorf("%s is named %s", name, s.Name)
			}
			componenttest.Golden(t, s.Name+"."+self+".txt", dump(s))
		}
	}
}
