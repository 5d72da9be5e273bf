//go:build lab

package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// traces is all that the labs of these tests could leave on this machine. Other
// labs, and unit tests beside these, come and go meanwhile.
func traces(t *testing.T) []string {
	t.Helper()
	others := otherLabs(t)
	var all []string
	for _, argv := range [][]string{
		{"ip", "-o", "link"}, {"ip", "-o", "-4", "address"}, {"ip", "route", "show", "table", "all"}, {"nft", "list", "tables"},
		{"sh", "-c", "cut -d' ' -f5 /proc/self/mountinfo"},
		{"sh", "-c", "find /sys/fs/cgroup -maxdepth 3 -name 'quorate-lab*'"},
		{"sh", "-c", "cd /proc/sys && head fs/inotify/max_user_instances fs/inotify/max_user_watches net/netfilter/nf_conntrack_max"},
		{"sh", "-c", "ls -A /run/systemd/nspawn/propagate " + stateRoot + " 2>/dev/null; true"},
	} {
		out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", argv, err, out)
		}
		all = append(all, argv[0]+" "+argv[1])
		all = append(all, strings.Split(strings.TrimSpace(string(out)), "\n")...)
	}
	for name, subnet := range otherLabs(t) {
		others[name] = subnet
	}
	return slices.DeleteFunc(all, foreign(others))
}

// otherLabs are the subnets of the labs that are not of these tests. A lab's file
// is written before all else that it makes, and removed after it.
func otherLabs(t *testing.T) map[string]int {
	t.Helper()
	labs, broken, err := readLabs()
	if err != nil {
		t.Fatal(err)
	}
	others := map[string]int{}
	for _, l := range labs {
		if !strings.HasPrefix(l.Name, "test-") {
			others[l.Name] = l.Subnet
		}
	}
	for _, name := range broken {
		if !strings.HasPrefix(name, "test-") {
			others[name] = -1
		}
	}
	return others
}

// foreign tells lines of others: of their labs, of what those raised for all, and
// of named networks and temporary folders, which labs have none of.
func foreign(others map[string]int) func(string) bool {
	forms := []string{`^` + namedNetworks + `(/|$)`, `^` + regexp.QuoteMeta(filepath.Clean(os.TempDir())) + `/`}
	if len(others) > 0 {
		forms = append(forms, `^\d+$`, `^(\.lock|settings\.json)$`)
	}
	for name, subnet := range others {
		n := strconv.Itoa(subnet)
		forms = append(forms, `\b(qlab`+n+`|(vb-)?q`+n+`-[a-z]+\d)\b`, `\b10\.77\.`+n+`\.\d`,
			`(^|\bquorate-lab[-/])`+name+`(\.lock)?($|/)`)
	}
	any := regexp.MustCompile(strings.Join(forms, "|"))
	return any.MatchString
}

func checkNothingLeft(t *testing.T, before []string) {
	t.Helper()
	after := traces(t)
	for _, line := range after {
		if !slices.Contains(before, line) {
			t.Errorf("left behind: %s", line)
		}
	}
	for _, line := range before {
		if !slices.Contains(after, line) {
			t.Errorf("gone, but not ours: %s", line)
		}
	}
}

// TestForeign: what another lab has is not blamed on these tests, and theirs is
// not taken for another's.
func TestForeign(t *testing.T) {
	is := foreign(map[string]int{"dev": 1, "dev-2": 12})
	for line, want := range map[string]bool{
		"7: qlab1: <BROADCAST> mtu 1500": true, "8: vb-q12-cp1@if2: <BROADCAST>": true, "fe80::/64 dev vb-q1-w1 metric 256": true,
		"10.77.12.0/24 dev qlab12": true, "table inet quorate-lab-dev": true, "/var/lib/quorate-lab/dev-2/hosts/cp1/root": true,
		"/sys/fs/cgroup/pids/quorate-lab-q1-cp1.scope": true, "q1-cp1": true, "dev.lock": true, "8192": true,
		"/run/netns/qvip1-1-br": true, os.TempDir() + "/TestX/001/small": true,
		"7: qlab2: <BROADCAST> mtu 1500": false, "8: vb-q2-cp1@if2: <BROADCAST>": false, "unreachable 10.77.2.0/24": false,
		"10.77.11.0/24 dev qlab11": false, "table inet quorate-lab-test-a": false, "/var/lib/quorate-lab/test-dev/hosts/cp1/root": false,
		"/sys/fs/cgroup/pids/quorate-lab-q2-cp1.scope": false, "test-a": false, "/run/systemd/nspawn/propagate": false,
	} {
		if is(line) != want {
			t.Errorf("%q: %v, want %v", line, !want, want)
		}
	}
	if foreign(nil)("8192") {
		t.Error("with no other lab the settings are ours to restore")
	}
}
