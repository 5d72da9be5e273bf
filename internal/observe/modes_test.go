package observe

import (
	"fmt"
	"testing"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/host/hosttest"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/workload"
)

// A file that others can read or own is not as wanted, though its content is; one
// that is closed further than needed is.
func TestOpenFiles(t *testing.T) {
	at := layout.Systemd()
	conf := at.Scheduler.Kubeconfig
	s := workload.Service{Name: at.Unit(model.Scheduler), Unit: "[Service]\n",
		Files: []workload.File{{File: host.File{Path: conf, Content: []byte("conf"), Mode: 0o600}}}}
	sums, wide := "", ""
	for _, f := range s.Rendered() {
		sums += goal.Sum(f.Content) + "  " + f.Path + "\n"
		wide += fmt.Sprintf("%o root:root %s\n", f.Perm(), f.Path)
	}
	for modes, fits := range map[string]bool{
		"": true, wide: true,
		wide + "400 root:root " + conf + "\n": true,
		wide + "644 root:root " + conf + "\n": false,
		wide + "660 root:root " + conf + "\n": false,
		wide + "600 etcd:etcd " + conf + "\n": false,
	} {
		h := hosttest.New("cp1")
		h.Handle(answers("sums", sums, "modes", modes, "units", "Id="+s.Name+".service\nLoadState=loaded\nUnitFileState=enabled\n"), "sh")
		f := Probe(t.Context(), h, &goal.Goal{Layout: at}, "cp1", probeTimeout)
		if f.Err != nil {
			t.Fatal(f.Err)
		}
		if got := service(&s, model.Scheduler, f).Disk; got.Is(s.Disk()) != fits {
			t.Errorf("with the modes\n%s%v; fits: want %t", modes, got, fits)
		}
	}
}
