package component_test

import (
	"strings"
	"testing"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/component/componenttest"
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
