package lab

import (
	"os"
	"os/exec"
	"slices"
	"testing"
)

// TestDeadNetworks: what a killed run of tests left is removed, with what runs
// there; what a living one has is not touched.
func TestDeadNetworks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("it needs root")
	}
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	// Its pid is free, and given to others only after all the rest.
	empty := VIPNetwork(dead.Process.Pid, 1) + "0"
	used := VIPNetwork(dead.Process.Pid, 1) + "br"
	ours := VIPNetwork(os.Getpid(), 1<<40) + "0"
	for _, name := range []string{empty, used, ours} {
		if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
			t.Skipf("ip netns add: %v: %s", err, out)
		}
		t.Cleanup(func() { exec.Command("ip", "netns", "del", name).Run() })
	}
	inside := exec.Command("nsenter", "--net="+namedNetworks+"/"+used, "cat")
	in, err := inside.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := inside.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := inside.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); inside.Wait() })
	in.Write([]byte("x"))
	if _, err := out.Read(make([]byte, 1)); err != nil { // it is inside
		t.Fatal(err)
	}

	removed, err := removeDeadNetworks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	there := func(name string) bool { _, err := os.Lstat(namedNetworks + "/" + name); return err == nil }
	for _, name := range []string{empty, used} {
		if there(name) || !slices.Contains(removed, "network namespace "+name) {
			t.Errorf("%s of a dead process was not removed: %q", name, removed)
		}
	}
	if _, err := out.Read(make([]byte, 1)); err == nil {
		t.Error("what ran in the network of a dead process goes on")
	}
	if !there(ours) || slices.Contains(removed, "network namespace "+ours) {
		t.Errorf("%s of a living process was removed: %q", ours, removed)
	}
}

func TestNetworkNames(t *testing.T) {
	for name, want := range map[string]bool{
		VIPNetwork(4711, 1) + "br": true, VIPNetwork(1, 12) + "2": true,
		"qvip-1-0": false, "qvip1-1": false, "cni-qvip1-1-0": false, "qvip1-1-0x": false, "test": false,
	} {
		if got := vipNetworkForm.MatchString(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if gone("1") || gone("0") || gone("x") {
		t.Error("pid 1 lives, and what is no pid is not known to be gone")
	}
}
