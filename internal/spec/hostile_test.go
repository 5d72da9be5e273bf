package spec

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What -f may name is a regular file: a pipe without a writer hangs, and
// /dev/zero has no end.
func TestLoadRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, []byte(good+strings.Repeat("#\n", 2<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		fifo: "is a pipe, not a file", "/dev/zero": "is a device, not a file", dir: "is a folder, not a file", large: "larger than 4 MiB",
	} {
		got := make(chan error, 1)
		go func() {
			_, _, err := Load(path)
			got <- err
		}()
		select {
		case err := <-got:
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %s", path, err, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: no answer", path) // the test's own process goes on reading
		}
	}
}

// A file named in the file is looked at with the same care.
func TestLoadNamedPipe(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "key"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "cluster.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(good, "  hosts", "  ssh: {keyFile: key}\n  hosts", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		_, _, err := Load(file)
		got <- err
	}()
	select {
	case err := <-got:
		if err == nil || !strings.Contains(err.Error(), "spec.ssh.keyFile: "+filepath.Join(dir, "key")+" is a pipe") {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no answer")
	}
}

// Others must not be able to read a password, as ssh has it for keys.
func TestLoadChecksModesOfPasswordFiles(t *testing.T) {
	dir := t.TempDir()
	file, password := filepath.Join(dir, "cluster.yaml"), filepath.Join(dir, "pw")
	for _, key := range []string{"passwordFile", "sudoPasswordFile", "jumpPasswordFile"} {
		text := strings.Replace(good, "  hosts", "  ssh: {jump: bastion, "+key+": pw}\n  hosts", 1)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for mode, want := range map[os.FileMode]string{0o600: "", 0o644: "others can read it", 0o660: "others can read it"} {
			if err := os.WriteFile(password, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(password, mode); err != nil {
				t.Fatal(err)
			}
			_, _, err := Load(file)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) ||
				!strings.Contains(err.Error(), "spec.ssh."+key)) {
				t.Errorf("%s %o: %v; want %q", key, mode, err, want)
			}
		}
	}
}

// Many mistakes are counted, not printed: 100,000 made 27 MB.
func TestManyMistakes(t *testing.T) {
	var b strings.Builder
	b.WriteString(good)
	for i := range 5000 {
		fmt.Fprintf(&b, "    - {name: H%d, address: 10.0.0.999, roles: [x]}\n", i)
	}
	_, _, err := Parse("cluster.yaml", []byte(b.String()))
	if err == nil {
		t.Fatal("no mistakes")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 51 || !strings.HasPrefix(lines[0], "cluster.yaml:9:") ||
		!strings.HasPrefix(lines[50], "cluster.yaml: 14950 more mistakes; ") {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
}

// Looking for mistakes ends: half a million unknown keys took 48 s.
func TestTooManyMistakesToLookFor(t *testing.T) {
	var b strings.Builder
	b.WriteString(good)
	for i := 0; b.Len() < MaxFile; i++ {
		fmt.Fprintf(&b, "  k%x:\n", i)
	}
	_, _, err := Parse("cluster.yaml", []byte(b.String()))
	var invalid *Invalid
	if !errors.As(err, &invalid) || len(invalid.Issues) != maxIssues ||
		!strings.HasSuffix(err.Error(), "at least 9950 more mistakes; correct these first") {
		t.Error(err)
	}
}

func TestHostsAreLimited(t *testing.T) {
	var b strings.Builder
	b.WriteString(good)
	for i := range 10_000 {
		fmt.Fprintf(&b, "    - {name: h%d, address: 11.0.%d.%d, roles: [worker]}\n", i, i>>8, i&255)
	}
	_, _, err := Parse("cluster.yaml", []byte(b.String()))
	if err == nil || !strings.Contains(err.Error(), "spec.hosts: 10001 hosts; expected 10000 at most: Kubernetes is made for "+
		"clusters of up to 5000 nodes") {
		t.Fatal(err)
	}
	if n := strings.Count(err.Error(), "\n"); n > 0 {
		t.Errorf("%d more lines: %v", n, err)
	}
}

// What is allocated in all, which is more than what is held at once.
func TestThousandHostsTakeLittleMemory(t *testing.T) {
	var b strings.Builder
	b.WriteString(strings.Replace(good, "  hosts", "  network: {podCIDR: 10.128.0.0/9, nodeCIDRMaskSize: 24}\n  hosts", 1))
	for i := range 1000 {
		fmt.Fprintf(&b, "    - {name: h%d, address: 11.0.%d.%d, roles: [worker]}\n", i, i>>8, i&255)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, err := Parse("cluster.yaml", []byte(b.String())); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 100 {
		t.Errorf("%d MiB", mib)
	}
}

// Words that cannot be meant get words that can be understood, and a place.
func TestHostileValues(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{"v1.36.3", `!!int "x"`, `cluster.yaml:5:16: spec.kubernetes.version: "x" carries the tag !!int and is none; expected a string`},
		{"  hosts", "  pki: {caDays: !!int \"x\"}\n  hosts", `cluster.yaml:7:9: spec.pki.caDays: "x" carries the tag !!int and is none; expected a whole number`},
		{"  hosts", "  addons: {metricsServer: !!bool \"x\"}\n  hosts", `"x" carries the tag !!bool and is none; expected true or false`},
		{"  hosts", "  pki: {caDays: 99999999999999999999}\n  hosts", "99999999999999999999 is too large; expected a whole number"},
		{"prod}", "\xff}", "cluster.yaml:3:18: byte 0xff is not UTF-8; expected UTF-8 text"},
		{"prod}", "Grüße\x80}", "cluster.yaml:3:23: byte 0x80 is not UTF-8; expected UTF-8 text"},
		{"prod}", "p\x00d}", "cluster.yaml:3:19: control character U+0000; expected text"},
		{"prod}", "p\x1b[2Jd}", "cluster.yaml:3:19: control character U+001B; expected text"},
		{"prod}", "p\u009bd}", "cluster.yaml:3:19: control character U+009B; expected text"},
		{"  hosts", "  kubeletConfiguration: {zzzzzzzz: 1}\n  hosts",
			"spec.kubeletConfiguration.zzzzzzzz: unknown key; expected a key of KubeletConfiguration; the nearest are "},
		{"  hosts", "  kubeletConfiguration: {evictionSoftly: 1}\n  hosts", "did you mean evictionSoft?"},
		{"  hosts", "  kubeProxyConfiguration: {listenOn: 1}\n  hosts", "spec.kubeProxyConfiguration.listenOn: unknown key; expected "},
		{"  hosts", "  artifacts: {source: upstream, versions: {etc: 3.6.8}}\n  hosts",
			"cluster.yaml:7:44: spec.artifacts.versions.etc: unknown component; did you mean etcd?"},
		{"  hosts", "  artifacts: {versions: {etcd: latest}}\n  hosts",
			"cluster.yaml:7:26: spec.artifacts.versions.etcd: latest is not a version; expected "},
		{"  hosts", "  artifacts: {source: upstream, baseURLs: {k8s.io: 'https://x'}}\n  hosts",
			"cluster.yaml:7:44: spec.artifacts.baseURLs[k8s.io]: unknown host; "},
		{"  hosts", "  artifacts: {source: upstream, baseURLs: {dl.k8s.io: 'ftp://x'}}\n  hosts",
			"cluster.yaml:7:44: spec.artifacts.baseURLs[dl.k8s.io]: ftp://x is not a web address"},
		{"  hosts", "  artifacts: {source: upstream, baseURLs: {dl.k8s.io: 'https://me:pw@x'}}\n  hosts",
			"spec.artifacts.baseURLs[dl.k8s.io]: holds a user name or a password, and the file is copied into the cluster; expected an " +
				"address without them"},
		{"  hosts", "  artifacts: {source: upstream, baseURLs: {dl.k8s.io: 'https://x/?token=pw'}}\n  hosts", "holds a query"},
		{"  hosts", "  artifacts: {source: upstream, checksums: {dl.k8s.io/x: abc}}\n  hosts",
			"spec.artifacts.checksums[dl.k8s.io/x]: abc is not a SHA-256"},
		{"  hosts", "  artifacts: {source: upstream, checksums: {example.org/x: " + strings.Repeat("a", 64) + "}}\n  hosts",
			"is not below dl.k8s.io"},
	} {
		_, _, err := Parse("cluster.yaml", []byte(strings.Replace(good, test.old, test.new, 1)))
		switch {
		case err == nil || !strings.Contains(err.Error(), test.want):
			t.Errorf("%q: got %v; want %s", test.new, err, test.want)
		case len(err.Error()) > 500:
			t.Errorf("%q: %d bytes", test.new, len(err.Error()))
		case strings.Contains(err.Error(), ":pw"):
			t.Errorf("%q: the password is in %v", test.new, err)
		}
	}
}

// A flag's value ends up on one line of a unit file.
func TestExtraArgsStayOnOneLine(t *testing.T) {
	for value, want := range map[string]string{
		`"a\nExecStartPre=/bin/sh -c evil"`: "U+000A", `"a\r"`: "U+000D", `"a\0b"`: "U+0000", `"a\x1b"`: "U+001B", `"a\Nb"`: "U+0085",
		`"a	c"`: "U+0009", `"a b ü"`: "", `"a\\nb"`: "",
	} {
		for _, component := range ComponentNames() {
			text := strings.Replace(good, "  hosts", "  components: {"+component+": {extraArgs: {feature-gates: "+value+"}}}\n  hosts", 1)
			_, _, err := Parse("cluster.yaml", []byte(text))
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want+" in its value") ||
				!strings.Contains(err.Error(), "cluster.yaml:7:")) {
				t.Errorf("%s %s: %v; want %q", component, value, err, want)
			}
		}
	}
}

// What opens the cluster is allowed, and said.
func TestWarnsOfInsecureFlags(t *testing.T) {
	api, kubelet := "components: {kube-apiserver: {extraArgs: {%s}}}", "components: {kubelet: {extraArgs: {%s}}}"
	for _, test := range []struct{ format, text, want string }{
		{api, `authorization-mode: "Node,AlwaysAllow"`, "anyone may do anything"},
		{api, `authorization-mode: RBAC`, "without Node a kubelet"},
		{api, `authorization-mode: Node`, "without RBAC"},
		{api, `authorization-mode: "Node,RBAC,Webhook"`, ""},
		{api, `authorization-config: /etc/x`, "replaces Node and RBAC"},
		{api, `enable-admission-plugins: PodSecurity`, "without NodeRestriction"},
		{api, `enable-admission-plugins: "NodeRestriction,AlwaysPullImages"`, ""},
		{api, `enable-admission-plugins: "NodeRestriction,AlwaysAdmit"`, "AlwaysAdmit"},
		{api, `disable-admission-plugins: "NodeRestriction"`, "without NodeRestriction"},
		{api, `disable-admission-plugins: "ServiceAccount"`, "ServiceAccount"},
		{api, `disable-admission-plugins: "DefaultIngressClass"`, ""},
		{api, `token-auth-file: /etc/tokens.csv`, "never expire"},
		{api, `profiling: "true"`, "profil"},
		{api, `tls-min-version: VersionTLS10`, "TLS"},
		{api, `tls-min-version: VersionTLS13`, ""},
		{api, `service-account-lookup: "false"`, "deleted"},
		{api, `v: "4"`, ""},
		{kubelet, `anonymous-auth: "true"`, "anyone who reaches port 10250"},
		{kubelet, `anonymous-auth: "false"`, ""},
		{kubelet, `authorization-mode: AlwaysAllow`, "AlwaysAllow"},
		{kubelet, `read-only-port: "10255"`, "without asking who they are"},
		{kubelet, `read-only-port: "0"`, ""},
		{"kubeletConfiguration: {%s}", `readOnlyPort: 10255`, "without asking who they are"},
		{"kubeletConfiguration: {%s}", `readOnlyPort: 0`, ""},
		{"kubeletConfiguration: {%s}", `authentication: {anonymous: {enabled: true}}`, "anyone who reaches port 10250"},
		{"kubeletConfiguration: {%s}", `authentication: {anonymous: {enabled: false}}`, ""},
		{"kubeletConfiguration: {%s}", `authentication: {webhook: {enabled: false}}`, "service accounts"},
		{"kubeletConfiguration: {%s}", `authorization: {mode: AlwaysAllow}`, "AlwaysAllow"},
		{"kubeletConfiguration: {%s}", `rotateCertificates: false`, "expires"},
		{"components: {etcd: {extraArgs: {%s}}}", `unsafe-no-fsync: "true"`, "power"},
		{"components: {kube-controller-manager: {extraArgs: {%s}}}", `use-service-account-credentials: "false"`, "one identity"},
	} {
		setting := fmt.Sprintf(test.format, test.text)
		_, warnings, err := Parse("cluster.yaml", []byte(strings.Replace(good, "  hosts", "  "+setting+"\n  hosts", 1)))
		switch {
		case err != nil:
			t.Errorf("%s: %v", setting, err)
		case test.want == "" && len(warnings) > 0:
			t.Errorf("%s: %v", setting, warnings)
		case test.want == "":
		case len(warnings) != 1 || warnings[0].Kind != Insecure || warnings[0].Line != 7 || !strings.Contains(warnings[0].String(), test.want):
			t.Errorf("%s: %v; want %s", setting, warnings, test.want)
		}
	}
}
