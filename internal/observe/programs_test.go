package observe

import (
	"strings"
	"testing"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host/hosttest"
	"quorate.dev/quorate/internal/layout"
)

// The exploit: a program that was changed on a host ran on as if it were the
// one that was installed.
func TestChangedProgram(t *testing.T) {
	const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	const other = "4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865"
	at := layout.Systemd()
	link := at.Program("runc")
	want := &goal.Host{Programs: map[string]artifact.File{link: {Name: "runc"}}}
	seen := func(is string) Facts {
		h := hosttest.New("cp1")
		h.Handle(answers("links", link+" /opt/runc@1\n", "programs", is+" "+link+"\n", "stored", link+"\n/var/store/sha256/"+sum+"/runc\n"), "sh")
		f := Probe(t.Context(), h, &goal.Goal{Layout: at}, "cp1", probeTimeout)
		if f.Err != nil {
			t.Fatal(f.Err)
		}
		return f
	}
	as, changed := programs(want, seen(sum)), programs(want, seen(other))
	if digest, known := changed.Get(); !known || as.Is(digest) || !strings.Contains(changed.Why(), "runc changed") || as.Why() != "" {
		t.Errorf("as it was installed %v, changed %v", as, changed)
	}
}

// Unknown is never absent: an answer without images, or without services, is not
// that of a host that has none.
func TestUnknownIsNotAbsent(t *testing.T) {
	see := func(parts ...string) Facts {
		h := hosttest.New("cp1")
		h.Handle(answers(parts...), "sh")
		return Probe(t.Context(), h, &goal.Goal{Layout: layout.Systemd()}, "cp1", probeTimeout)
	}
	f := see("unasked", "Failed to connect to bus\nit failed\n")
	if f.Err == nil || !strings.Contains(f.Err.Error(), "systemd does not answer: Failed to connect to bus") {
		t.Errorf("without systemd: %v", f.Err)
	}
	if f = see("images", "a\n", "imageless", ""); f.Err != nil || len(f.Images) != 1 || f.ImagesErr != "" {
		t.Errorf("%+v", f)
	}
	if f = see("images", "", "imageless", "containerd is not running\n"); f.ImagesErr != "containerd is not running" {
		t.Errorf("%q", f.ImagesErr)
	}
}
