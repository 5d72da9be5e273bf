package lab

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"quorate.dev/quorate/internal/spec"
)

func TestPlanHosts(t *testing.T) {
	hosts, err := planHosts(Options{Name: "x", ControlPlanes: 3, Workers: 1, Etcd: 1, LoadBalancers: 2}, 7)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range hosts {
		got = append(got, h.Name+"="+h.Address.String()+"="+h.Role)
	}
	want := "cp1=10.77.7.11=control-plane cp2=10.77.7.12=control-plane cp3=10.77.7.13=control-plane w1=10.77.7.21=worker " +
		"etcd1=10.77.7.31=etcd lb1=10.77.7.41=load-balancer lb2=10.77.7.42=load-balancer"
	if strings.Join(got, " ") != want {
		t.Errorf("hosts\n%s\nwant\n%s", strings.Join(got, " "), want)
	}
	for _, o := range []Options{{Name: "none"}, {Name: "many", Workers: 10}, {Name: "negative", ControlPlanes: -1}} {
		if _, err := planHosts(o, 1); err == nil {
			t.Errorf("%s: no error", o.Name)
		}
	}
}

func TestNamesOnTheMachine(t *testing.T) {
	hosts, err := planHosts(Options{Name: "x", ControlPlanes: 9, Workers: 9, Etcd: 9, LoadBalancers: 9}, 254)
	if err != nil {
		t.Fatal(err)
	}
	links := map[string]bool{}
	for _, h := range hosts {
		link := linkName(254, h.Name)
		if len(link) > 15 {
			t.Errorf("link %s has %d characters, the kernel takes 15", link, len(link))
		}
		if links[link] {
			t.Errorf("link %s twice", link)
		}
		links[link] = true
		if m := linkForm.FindStringSubmatch(link); m == nil || m[1] != "254" {
			t.Errorf("clean would not know link %s", link)
		}
		if m := cgroupForm.FindStringSubmatch(cgroupName(254, h.Name)); m == nil || m[1] != "254" {
			t.Errorf("clean would not know control group %s", cgroupName(254, h.Name))
		}
	}
	if m := bridgeForm.FindStringSubmatch(bridgeName(254)); m == nil || m[1] != "254" {
		t.Errorf("clean would not know bridge %s", bridgeName(254))
	}
	for _, name := range []string{"", "A", "1a", "a_b", "a/b", "..", "a-", strings.Repeat("a", 31)} {
		if checkName(name) == nil {
			t.Errorf("lab name %q: no error", name)
		}
	}
	for _, name := range []string{"a", "prod-2", strings.Repeat("a", 30)} {
		if err := checkName(name); err != nil {
			t.Error(err)
		}
	}
}

func TestChooseSubnet(t *testing.T) {
	all := map[int]bool{}
	for n := range 255 {
		all[n] = true
	}
	for _, c := range []struct {
		name  string
		labs  map[int]bool
		taken []string
		want  int
	}{
		{"first", nil, nil, 1},
		{"after other labs", map[int]bool{1: true, 3: true}, nil, 2},
		{"beside a network of the machine", nil, []string{"10.77.1.0/24", "10.77.2.64/26", "192.0.2.0/24"}, 3},
		{"a wide network", nil, []string{"10.77.0.0/17"}, 128},
		{"none left", all, nil, 0},
	} {
		var taken []netip.Prefix
		for _, p := range c.taken {
			taken = append(taken, netip.MustParsePrefix(p))
		}
		got, err := chooseSubnet(c.labs, taken)
		if got != c.want || (err == nil) != (c.want > 0) {
			t.Errorf("%s: subnet %d, %v; want %d", c.name, got, err, c.want)
		}
	}
}

func TestClusterFile(t *testing.T) {
	o := Options{Name: "demo", ControlPlanes: 3, Workers: 1, Etcd: 3, LoadBalancers: 1}
	hosts, err := planHosts(o, 5)
	if err != nil {
		t.Fatal(err)
	}
	l := &Lab{Name: "demo", Subnet: 5, Hosts: hosts, KeyFile: `/a b/de"mo.key`, Known: "/x/demo.known_hosts"}
	var c spec.Cluster
	if err := yaml.UnmarshalStrict(l.clusterFile(), &c); err != nil {
		t.Fatalf("%v in\n%s", err, l.clusterFile())
	}
	if c.Metadata.Name != "demo" || c.Spec.ControlPlaneEndpoint != "api.demo.lab:8443" || c.Spec.SSH.KeyFile != l.KeyFile ||
		c.Spec.SSH.KnownHostsFile != l.Known || c.Spec.Etcd.Topology != "external" || c.Spec.KubeletConfiguration["failCgroupV1"] != false {
		t.Errorf("read back: %+v", c)
	}
	if len(c.Spec.Hosts) != 7 { // the balancer is not the cluster's
		t.Errorf("%d hosts", len(c.Spec.Hosts))
	}
	golden(t, "testdata/demo.yaml", l.clusterFile())
}

// golden compares with a file, and writes it when UPDATE is set.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got) {
		t.Errorf("differs from %s (UPDATE=1 writes it):\n%s", path, got)
	}
}

func TestDebianMirror(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"nothing", "", "", defaultMirror},
		{"list", "sources.list", "# deb http://no/ bookworm main\ndeb [arch=amd64 signed-by=/k] https://mirror.example/debian " +
			"bookworm main\n", "https://mirror.example/debian"},
		{"security is no archive", "sources.list", "deb http://sec.example/debian-security bookworm-security main\n", defaultMirror},
		{"stanzas", "sources.list.d/debian.sources", "Types: deb\nURIs: http://a.example/debian\nSuites: trixie\n\nTypes: deb " +
			"deb-src\n# why\nURIs: mirror://x http://b.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n",
			"http://b.example/debian"},
		{"disabled", "sources.list.d/debian.sources", "Enabled: no\nTypes: deb\nURIs: http://a.example/debian\nSuites: bookworm\n",
			defaultMirror},
		{"another kind of file", "sources.list.d/debian.sources.off", "Types: deb\nURIs: http://a.example/debian\nSuites: bookworm\n",
			defaultMirror},
	} {
		dir := t.TempDir()
		if c.file != "" {
			if err := writeFile(filepath.Join(dir, c.file), c.text); err != nil {
				t.Fatal(err)
			}
		}
		if got := debianMirror(dir, "bookworm"); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
