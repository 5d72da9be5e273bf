package spec

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func mustParse(t *testing.T, name string, data []byte) *Cluster {
	t.Helper()
	c, _, err := Parse(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func full(t *testing.T) *Cluster {
	t.Helper()
	data, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return mustParse(t, "/lab/cluster.yaml", data)
}

func TestHelpers(t *testing.T) {
	c := full(t)
	names := func(hosts []Host) string {
		var out []string
		for _, h := range hosts {
			out = append(out, h.Name)
		}
		return strings.Join(out, " ")
	}
	share, err := c.PodCIDRs(255)
	if err != nil {
		t.Fatal(err)
	}
	cp3, _ := c.Host("cp3")
	w1, ok := c.Host("w1.lab")
	if _, found := c.Host("w2"); !ok || found {
		t.Error("Host finds the wrong ones")
	}
	for _, test := range []struct{ what, got, want any }{
		{"ControlPlanes", names(c.ControlPlanes()), "cp1 cp2 cp3"},
		{"Workers", names(c.Workers()), "cp1 w1.lab"},
		{"Nodes", names(c.Nodes()), "cp1 cp2 cp3 w1.lab"},
		{"EtcdHosts", names(c.EtcdHosts()), "cp1 cp2 cp3"},
		{"EndpointHost", c.EndpointHost(), "api.lab.internal"},
		{"EndpointPort", c.EndpointPort(), 8443},
		{"ServiceIP", c.ServiceIP().String(), "10.97.0.1"},
		{"DNSIP", c.DNSIP().String(), "10.97.0.10"},
		{"PodCIDRs", share.String(), "10.200.255.0/24"},
		{"inherited", c.HostSSH(cp3), SSH{User: "root", Port: 2203, KeyFile: "/lab/id_ed25519", KnownHostsFile: "/lab/known_hosts",
			Jump: "me@bastion.example:22"}},
		{"overridden", c.HostSSH(w1), SSH{User: "ops", Port: 2221, KeyFile: "/lab/id_ed25519", KnownHostsFile: "/lab/known_hosts",
			SudoPasswordFile: "/lab/secret"}},
		{"Has", w1.Has(RoleWorker) && !w1.Has(RoleEtcd), true},
	} {
		if !reflect.DeepEqual(test.got, test.want) {
			t.Errorf("%s: got %v, want %v", test.what, test.got, test.want)
		}
	}
	if p, err := c.PodCIDRs(256); err == nil {
		t.Errorf("share 256 of 256 is %s", p)
	}
}

// What quorate lab writes is a file without mistakes.
func TestLabFile(t *testing.T) {
	data, err := os.ReadFile("testdata/lab.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if c, warnings, err := Parse("/lab/cluster.yaml", data); err != nil || len(warnings) > 0 || len(c.ControlPlanes()) != 3 {
		t.Fatal(warnings, err)
	}
}

func TestExternalEtcd(t *testing.T) {
	c := mustParse(t, "cluster.yaml", []byte(strings.Replace(good, "  hosts:", `  etcd: {topology: external}
  hosts:
    - {name: e1, address: 10.0.0.31, roles: [etcd]}`, 1)))
	if e := c.EtcdHosts(); len(e) != 1 || e[0].Name != "e1" || len(c.Nodes()) != 1 {
		t.Errorf("etcd on %v", e)
	}
}

func TestDefault(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	c := mustParse(t, "cluster.yaml", []byte(good))
	out, err := Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/defaults.yaml", string(out))
	if again := Default(c, "/elsewhere"); !reflect.DeepEqual(again, c) {
		t.Error("defaults change what has them")
	}
}

// The canonical form reads back as the same cluster, and as the same bytes.
func TestMarshal(t *testing.T) {
	c := full(t)
	out, err := Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/full.canonical.yaml", string(out))
	if back := mustParse(t, "elsewhere.yaml", out); !reflect.DeepEqual(back, c) {
		t.Errorf("got %+v, want %+v", back, c)
	}
}

func TestRedacted(t *testing.T) {
	c := full(t)
	out, err := Marshal(Redacted(c))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"ssh", "id_ed25519", "bastion", "secret", "ops"} {
		if strings.Contains(strings.ReplaceAll(string(out), "provider: secretbox", ""), word) {
			t.Errorf("%s is still there:\n%s", word, out)
		}
	}
	if c.Spec.Hosts[2].SSH == nil || c.Spec.SSH.KeyFile == "" {
		t.Error("Redacted changed its argument")
	}
	mustParse(t, "kept.yaml", out)
}

func TestInit(t *testing.T) {
	data := Init("prod")
	golden(t, "testdata/init.yaml", string(data))
	c, warnings, err := Parse("cluster.yaml", data)
	if err != nil || len(warnings) > 0 || len(c.ControlPlanes()) != 3 {
		t.Fatal(c, warnings, err)
	}
	c = mustParse(t, "cluster.yaml", Init("no", Host{Name: "1e3", Address: "cp.example", InternalAddress: "10.0.0.1",
		Roles: []string{RoleControlPlane}}))
	if c.Metadata.Name != "no" || c.Spec.Hosts[0].Name != "1e3" {
		t.Errorf("got %+v", c)
	}
	if _, _, err := Parse("cluster.yaml", Init("a\x01: b", Host{Name: "x, y}", Address: "#"})); err == nil {
		t.Error("nonsense is valid")
	}
}

// Every commented key of the starter file is a key, with its default as value.
func TestInitComments(t *testing.T) {
	text := string(Init("prod"))
	for _, line := range []string{"  network:", "    podCIDR:", "    serviceCIDR:", "    cni:", "    proxyMode:", "    port:",
		"    keyFile:", "    jump:", "  certSANs:"} {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		commented := line[:indent] + "# " + line[indent:]
		if line[:4] == "    " && strings.Contains(text, "  #   "+line[4:]) {
			commented = "  #   " + line[4:]
		}
		if !strings.Contains(text, commented) {
			t.Errorf("%q is not in the starter file", commented)
		}
		text = strings.Replace(text, commented, line, 1)
	}
	mustParse(t, "cluster.yaml", []byte(text))
}

func TestSchemaIsCommitted(t *testing.T) {
	got, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	path := "../../docs/cluster.schema.json"
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, path, string(got))
}

// A cluster made in Go is judged like one from a file, without positions.
func TestValidate(t *testing.T) {
	issues, _ := Validate(Default(&Cluster{APIVersion: APIVersion, Kind: Kind, Metadata: Metadata{Name: "prod"}}, ""))
	if len(issues) != 3 || issues[0].Line != 0 || issues[0].String() != "spec.kubernetes.version: missing; expected a version "+
		"such as v1.36.3" {
		t.Errorf("got %v", issues)
	}
	c := full(t)
	c.Spec.KubeletConfiguration["maxPods"] = float64(50) // as encoding/json has it
	if issues, _ := Validate(c); len(issues) > 0 {
		t.Errorf("got %v", issues)
	}
}

// FuzzParse: no file makes it panic, and what it accepts it can write and read.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "testdata/broken/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, _, err := Parse("/x/cluster.yaml", data)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "/x/cluster.yaml:") {
					t.Fatalf("a line of its own: %q", line)
				}
			}
			return
		}
		out, err := Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		back, _, err := Parse("/x/cluster.yaml", out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if again, err := Marshal(back); err != nil || !bytes.Equal(out, again) {
			t.Fatalf("%v: got\n%s\nwant\n%s", err, again, out)
		}
	})
}
