package cli

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"quorate.dev/quorate/internal/artifact"
)

// Where there is no terminal, what begins and ends is a line, and how far it is
// one every ten seconds; what is in the store already is no line at all.
func TestArtifactProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		v := artifactProgress(&out, artifact.Versions{Kubernetes: "v1.36.3", Etcd: "3.6.8"}, 4)
		defer v.close()
		tell := func(component, what, text string, n, m int, elapsed time.Duration) {
			time.Sleep(time.Second)
			v.on(artifact.Event{Component: component, What: what, Text: text, N: n, M: m, Elapsed: elapsed})
		}
		tell("runc", "cached", "runc", 1, 1, 0)
		tell("etcd", "download", "etcd.tar.gz", 0, 40<<20, 0)
		tell("etcd", "download", "etcd.tar.gz", 12<<20, 40<<20, time.Second)
		tell("etcd", "checksum", "not pinned", 0, 0, time.Second)
		tell("etcd", "done", "etcd etcdctl", 2, 2, 9*time.Second)
		tell("kubernetes", "download", "k8s.io/api v0.36.3", 7, 0, 2*time.Second)
		tell("kubernetes", "build", "", 0, 1340, 20*time.Second)
		for i := range 11 {
			tell("kubernetes", "build", "k8s.io/api", 100+i, 1340, 190*time.Second)
		}
		tell("images-systemd", "image", "registry.k8s.io/pause:3.10.2", 0, 2, 0)
		tell("images-systemd", "wait", "another quorate is making it", 0, 0, 0)
		want := `downloading etcd 3.6.8 (2 of 4, 0 of 40 MiB, 0.0s)
etcd 3.6.8: not pinned
etcd 3.6.8 is in the store (2 of 4, 9.0s)
downloading the modules of kubernetes 1.36.3 (3 of 4, 7 so far, 2.0s)
building kubernetes 1.36.3 (3 of 4, package 0 of 1340, 20.0s)
building kubernetes 1.36.3 (3 of 4, package 109 of 1340, 3m10s)
packing the images for systemd (4 of 4, image 1 of 2, 0.0s)
waiting for the images for systemd: another quorate is making it (4 of 4, 0.0s)
`
		if out.String() != want {
			t.Errorf("said:\n%swant:\n%s", out.String(), want)
		}
	})
}

// On a terminal one line moves, and goes on counting while nothing is heard.
func TestArtifactLine(t *testing.T) {
	v := &artifactView{versions: artifact.Versions{Kubernetes: "v1.36.3"}, of: 1, seen: []string{"kubernetes"}, at: time.Now(),
		now: artifact.Event{Component: "kubernetes", What: "build", N: 3, M: 9, Elapsed: time.Minute}}
	if got := v.line(v.at.Add(5 * time.Second)); got != "building kubernetes 1.36.3 (package 3 of 9, 1m05s)" {
		t.Error(got)
	}
	v.now = artifact.Event{}
	if left := v.frame(80, 25); left != nil {
		t.Errorf("%q is left at the end", left)
	}
}
