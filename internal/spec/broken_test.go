package spec

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files anew")

// golden compares got with a committed file.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run go test -update and look at the difference. Got:\n%s", path, got)
	}
}

// Every file of testdata/broken gives exactly the text beside it.
func TestBroken(t *testing.T) {
	files, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no broken files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 { // the same text each time
				c, _, err := Parse("cluster.yaml", data)
				if err == nil || c != nil {
					t.Fatalf("got %v, %v; want an error", c, err)
				}
				golden(t, strings.TrimSuffix(file, ".yaml")+".txt", err.Error()+"\n")
			}
		})
	}
}

const good = `apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata: {name: prod}
spec:
  kubernetes: {version: v1.36.3}
  controlPlaneEndpoint: api.prod.internal:8443
  hosts:
    - {name: cp1, address: 10.0.0.11, roles: [control-plane]}
`

// Changes to a good file that must stay good, or fail with these words.
func TestSingleMistakes(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{"", "", ""},
		{"8443", "443", ""},
		{"8443", "0", "0 is not a port"},
		{"8443", "65536", "65536 is not a port"},
		{"8443", "8081", "port 8081 is the load balancer's status page's"},
		{"8443", "30443", "port 30443 lies in nodePortRange 30000-32767"},
		{"api.prod.internal:8443", "cp1:8443", "cp1 already names a machine"},
		{"api.prod.internal:8443", "API_x:8443", "API_x is not a name"},
		{"  controlPlaneEndpoint: api.prod.internal:8443\n", "  loadBalancer: {kind: none}\n", ""},
		{"  controlPlaneEndpoint: api.prod.internal:8443\n", "", "or loadBalancer: {kind: none} for one control plane"},
		{"  hosts", "  loadBalancer: {kind: none}\n  hosts", "nothing would lead from the endpoint api.prod.internal:8443"},
		{"v1.36.3", "v1.36.3-rc.1", "v1.36.3-rc.1 is not a full version"},
		{"v1.36.3", "v1.37.0", "expected a version of 1.35 or 1.36"},
		{"  hosts", "  network: {cni: none}\n  hosts", ""},
		{"  hosts", "  network: {cni: ./flannel.yml}\n  hosts", ""},
		{"  hosts", "  network: {podCIDR: 10.244.0.0/24}\n  hosts", ""},
		{"  hosts", "  network: {podCIDR: 10.244.0.0/25}\n  hosts", "/24 does not fit into podCIDR 10.244.0.0/25"},
		{"  hosts", "  network: {podCIDR: 10.244.0.0/24, nodeCIDRMaskSize: 30}\n  hosts", "/30 is no usable share"},
		{"  hosts", "  etcd:\n  hosts", ""},
		{"[control-plane]}", "[control-plane]}\n    - {name: w, address: 10.0.0.12, roles: [worker], ssh: {jump: bastion}}", ""},
		{"[control-plane]}", "[control-plane]}\n    - {name: e, address: 10.0.0.12, roles: [etcd]}", "set the topology to external"},
		{"roles", `labels: {example.com/rack: r1, "node-role.kubernetes.io/db": ""}, taints: [{key: gpu, effect: NoExecute}], roles`, ""},
		{"roles", "labels: {-rack: r1}, roles", "spec.hosts[0].labels.-rack: -rack is none"},
		{"roles", "labels: {rack: r 1}, roles", `"r 1" is none`},
		{"roles", "labels: {kubernetes.io/hostname: x}, roles", "the label is not yours to set: the host's name says it"},
		{"roles", "taints: [{key: gpu, effect: Never}], roles", "spec.hosts[0].taints[0].effect: unknown effect Never"},
		{"roles", "taints: [{key: gpu}], roles", "effect"},
		{"roles", "taints: [{key: a b, effect: NoSchedule}], roles", `spec.hosts[0].taints[0].key: "a b" is none`},
		{"roles", "taints: [{key: g, effect: NoSchedule, value: x!}], roles", "spec.hosts[0].taints[0].value: x! is none"},
		{"roles", "taints: [{key: g, effect: NoSchedule}, {key: g, value: b, effect: NoSchedule}], roles", "given twice with this effect"},
		{"roles", "taints: [{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}], roles", "not yours to set"},
		{"[control-plane]}", "[control-plane]}\n    - {name: e, address: 10.0.0.12, roles: [etcd], labels: {a: b}}", "is no node"},
		{"address: 10.0.0.11", "address: cp1.example, internalAddress: 10.0.0.11", ""},
		{"address: 10.0.0.11", "address: 10.0.0.11, internalAddress: 0.0.0.0", "0.0.0.0 does not lead to this host"},
	} {
		_, _, err := Parse("cluster.yaml", []byte(strings.Replace(good, test.old, test.new, 1)))
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%q: %v", test.new, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%q: got %v; want %s", test.new, err, test.want)
		}
	}
}

func TestWarnsOfEvenNumbers(t *testing.T) {
	for n, want := range map[int]string{
		1: "", 3: "", 5: "",
		2: "2 etcd members need both to work: losing either stops the cluster, so they tolerate 0 losses as 1 does; expected 1 or 3",
		4: "4 etcd members tolerate 1 loss as 3 do, and need 3 of 4 to work; expected 3 or 5",
		6: "6 etcd members tolerate 2 losses as 5 do, and need 4 of 6 to work; expected 5 or 7",
	} {
		r := newReport("")
		warnEven(r, n)
		if want == "" && len(r.warnings) == 0 {
			continue
		}
		if len(r.warnings) != 1 || r.warnings[0].String() != "spec.hosts: "+want {
			t.Errorf("%d: %v", n, r.warnings)
		}
	}
}

// Load also looks at the files that are named.
func TestLoadChecksFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "cluster.yaml")
	text := strings.Replace(good, "  hosts:", "  ssh: {keyFile: key, passwordFile: .}\n  network: {cni: flannel.yaml}\n  hosts:", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := Load(file)
	if err == nil {
		t.Fatal("no error")
	}
	golden(t, "testdata/files.txt", strings.ReplaceAll(err.Error(), dir, "DIR")+"\n")
	for _, name := range []string{"key", "flannel.yaml"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text = strings.Replace(text, ", passwordFile: .", "", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, _, err := Load(file); err != nil || c.Spec.SSH.KeyFile != filepath.Join(dir, "key") {
		t.Fatal(c, err)
	}
	if _, _, err := Load(filepath.Join(dir, "no.yaml")); err == nil || !strings.Contains(err.Error(), "quorate init") {
		t.Fatal(err)
	}
}
