package workload_test

import (
	"strings"
	"testing"

	"quorate.dev/quorate/internal/workload"
)

// A program of another version is a reason to restart; its version is all that
// counts of it.
func TestStampKnowsTheVersion(t *testing.T) {
	service := func(version string) workload.Service {
		s := workload.UnitService("kubelet", workload.Unit{Exec: "/opt/quorate/bin/kubelet"}, nil)
		s.Version = version
		return s
	}
	old, again, other := service("v1.36.3"), service("v1.36.3"), service("v1.35.2")
	if old.Stamp() != again.Stamp() || old.Disk() != again.Disk() {
		t.Error("the same version is a change")
	}
	if old.Stamp() == other.Stamp() || old.Disk() == other.Disk() {
		t.Error("another version is no change")
	}
	if unit := string(old.Rendered()[0].Content); !strings.Contains(unit, "\nEnvironment=QUORATE_VERSION=v1.36.3\n") {
		t.Errorf("the process cannot tell its version:\n%s", unit)
	}
	if unit := string(service("").Rendered()[0].Content); strings.Contains(unit, workload.VersionEnv) {
		t.Errorf("a program of the distribution tells a version:\n%s", unit)
	}
}

// What runs tells its version; of what does not, its unit does.
func TestVersionsAreRead(t *testing.T) {
	frames := map[string]string{
		"units": "Id=etcd.service\nMainPID=7\n\nId=kubelet.service\nMainPID=8\n\nId=kube-proxy.service\nMainPID=0\n\nId=nginx.service\n" +
			"MainPID=9",
		"stamps": "/proc/7/environ:QUORATE_CONFIG=abc\n/proc/7/environ:QUORATE_VERSION=3.6.8\n/proc/8/environ:QUORATE_CONFIG=def",
		"versions": "/etc/systemd/system/etcd.service:Environment=QUORATE_VERSION=3.6.9\n" +
			"/etc/systemd/system/kubelet.service:Environment=QUORATE_VERSION=v1.36.3\n" +
			"/etc/systemd/system/kube-proxy.service:Environment=QUORATE_VERSION=v1.36.3",
	}
	got := workload.Read(frames, []workload.Watch{{Name: "etcd"}, {Name: "kubelet"}, {Name: "kube-proxy"}, {Name: "nginx"}})
	for name, want := range map[string]string{"etcd": "3.6.8", "kubelet": "", "kube-proxy": "v1.36.3", "nginx": ""} {
		if got[name].Version != want {
			t.Errorf("%s: %q, want %q", name, got[name].Version, want)
		}
	}
	if got["etcd"].Read != "abc" {
		t.Errorf("its stamp is %q", got["etcd"].Read)
	}
}
