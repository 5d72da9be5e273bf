package knobs

import (
	"fmt"
	"strings"
	"testing"
)

// procedureE is the unit of the guide in its style, with flags that 1.36 has.
const procedureE = `[Unit]
Description=Kubernetes API Server
After=network.target

[Service]
WorkingDirectory=/data/k8s/kube-apiserver
ExecStart=/opt/k8s/bin/kube-apiserver \
  --advertise-address=10.0.0.11 \
  --audit-log-truncate-enabled \
  # members of etcd
  --etcd-servers=https://10.0.0.11:2379,https://10.0.0.12:2379,https://10.0.0.13:2379 \
  --requestheader-allowed-names="aggregator" \
  --requestheader-extra-headers-prefix="X-Remote-Extra-" \
  --v=2
Restart=on-failure
Type=notify

[Install]
WantedBy=multi-user.target
`

func unit(t *testing.T, files ...File) Unit {
	t.Helper()
	u, err := readGenerated(files)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestUnitRead(t *testing.T) {
	u := unit(t, File{"kube-apiserver.service", procedureE})
	if got := fmt.Sprint(u.Program(), u.Flags().Names(), u.Setting("Service", "Type")); got != "/opt/k8s/bin/kube-apiserver"+
		"[advertise-address audit-log-truncate-enabled etcd-servers requestheader-allowed-names requestheader-extra-headers-prefix v] [notify]" {
		t.Error(got)
	}
	if got := u.Flags().List("etcd-servers"); len(got) != 3 || got[2] != "https://10.0.0.13:2379" {
		t.Error(got)
	}
	if u.Flags().One("requestheader-allowed-names") != "aggregator" || u.Flags().One("audit-log-truncate-enabled") != "true" {
		t.Error(u.Flags())
	}
}

func TestUnitEdit(t *testing.T) {
	for name, c := range map[string]struct {
		flag        string
		values      []string
		old, become string
	}{
		"value":           {"etcd-servers", []string{"https://10.0.0.11:2379"}, ",https://10.0.0.12:2379,https://10.0.0.13:2379 ", " "},
		"in quotes":       {"requestheader-allowed-names", []string{"a,b"}, `"aggregator"`, `"a,b"`},
		"needs quotes":    {"v", []string{"a b%"}, "--v=2", `"--v=a b%%"`},
		"switch off":      {"audit-log-truncate-enabled", []string{"false"}, "enabled", "enabled=false"},
		"switch as is":    {"audit-log-truncate-enabled", []string{"true"}, "", ""},
		"remove":          {"advertise-address", nil, "  --advertise-address=10.0.0.11 \\\n", ""},
		"remove the last": {"v", nil, " \\\n  --v=2", ""},
		"remove behind a comment": {"etcd-servers", nil,
			"  --etcd-servers=https://10.0.0.11:2379,https://10.0.0.12:2379,https://10.0.0.13:2379 \\\n", ""},
		"add":        {"event-ttl", []string{"168h"}, "  --v=2\n", "  --v=2 \\\n  --event-ttl=168h\n"},
		"underlines": {"advertise_address", []string{"10.0.0.14"}, "10.0.0.11 ", "10.0.0.14 "},
		"second":     {"v", []string{"2", "3"}, "--v=2", "--v=2 \\\n  --v=3"},
	} {
		got, err := unit(t, File{"kube-apiserver.service", procedureE}).Set(c.flag, c.values...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := strings.Replace(procedureE, c.old, c.become, 1); got.Files()[0].Text != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got.Files()[0].Text, want)
		}
	}
}

func TestUnitVariables(t *testing.T) {
	service := "[Service]\nEnvironment=IP=10.0.0.11\nEnvironmentFile=-/etc/etcd.env\n" +
		"ExecStart=/opt/k8s/bin/etcd --name ${NAME} --listen-peer-urls=https://${IP}:2380 $MORE\n"
	env := "# etcd\nNAME=\"cp1\"\nETCD_INITIAL_CLUSTER='a=https://10.0.0.11:2380,b=https://10.0.0.12:2380'\n" +
		"MORE=\"--data-dir=/x --name2=${y}\"\nETCD_NAME=lost\n"
	u, err := ReadUnitEnv("ETCD_", []File{{"etcd.service", service}}, File{"etcd.env", env})
	if err != nil {
		t.Fatal(err)
	}
	f := u.Flags()
	if got := fmt.Sprint(f.Get("name"), f.Get("initial-cluster"), f.Get("data-dir"), f.Get("listen-peer-urls")); got !=
		"[cp1] [a=https://10.0.0.11:2380,b=https://10.0.0.12:2380] [/x] [https://10.0.0.11:2380]" {
		t.Error(got)
	}
	for flag, c := range map[string]struct {
		value       string
		file        int
		old, become string
	}{
		"initial-cluster":  {"a=https://10.0.0.11:2380", 1, ",b=https://10.0.0.12:2380", ""},
		"name":             {"cp2", 0, "${NAME}", "cp2"},
		"data-dir":         {"/y", 1, "/x", "/y"},
		"listen-peer-urls": {"https://1.2.3.4:2380", 0, "https://${IP}:2380", "https://1.2.3.4:2380"},
	} {
		got, err := u.Set(flag, c.value)
		if err != nil {
			t.Errorf("%s: %v", flag, err)
			continue
		}
		want := u.Files()
		want[c.file].Text = strings.Replace(want[c.file].Text, c.old, c.become, 1)
		if flag == "name" { // the whole word is a variable, and used once: it changes where it is assigned
			want = u.Files()
			want[1].Text = strings.Replace(env, `"cp1"`, `"cp2"`, 1)
		}
		if fmt.Sprint(got.Files()) != fmt.Sprint(want) {
			t.Errorf("%s:\n%s\nwant\n%s", flag, got.Files(), want)
		}
	}
	if _, err := u.Set("initial-cluster", "a b"); err == nil {
		t.Error("a value with a blank was written into a variable")
	}
	paths, may, err := EnvironmentFilesOf(File{"etcd.service", service})
	if err != nil || fmt.Sprint(paths) != "[/etc/etcd.env]" || !may["/etc/etcd.env"] {
		t.Error(paths, may, err)
	}
}

// A variable that two flags use does not change for one of them.
func TestUnitSharedVariable(t *testing.T) {
	u := unit(t, File{"a.service", "[Service]\nExecStart=/x --a=${IP} --b=${IP}\n"}, File{"a.env", "IP=1\n"})
	got, err := u.Set("a", "2")
	if err != nil || got.Files()[0].Text != "[Service]\nExecStart=/x --a=2 --b=${IP}\n" || got.Files()[1].Text != "IP=1\n" {
		t.Error(err, got.Files())
	}
}

func TestUnitRefusals(t *testing.T) {
	for text, says := range map[string]string{
		"[Service]\nExecStart=/a\nExecStart=/b\n": "2 commands",
		"[Unit]\n": "0 commands",
		"[Service]\nExecStart=/a --b \\  \n --c\n": "blanks follow the backslash",
		"[Service]\nExecStart=/a --b=\"x\n":        "quote is not closed",
		"[Service]\nExecStart=/a ; /b\n":           "several commands",
		"[Service]\nExecStart=@/a b\n":             "another name",
		"[Service]\nhello\nExecStart=/a\n":         "a.service:2",
		"[Service]\nExecStart=/a --b=\\q\n":        "escape",
	} {
		if _, err := ReadUnit([]File{{"a.service", text}}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

const admin = `apiVersion: v1
kind: Config
clusters:
- cluster:
    certificate-authority-data: QUJD
    server: https://10.0.0.9:6443
  name: old
- name: kubernetes # é
  cluster: {certificate-authority: /etc/kubernetes/cert/ca.pem, server: "https://127.0.0.1:8443"}
contexts:
- context: {cluster: kubernetes, user: admin}
  name: kubernetes
current-context: kubernetes
users:
- name: admin
  user:
    client-certificate-data: QQ==
    client-key-data: Qg== # secret
`

func TestKubeconfig(t *testing.T) {
	k, err := ReadKubeconfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join([]string{k.Get(Server), k.Get(CAFile), k.Get(CAData), k.Get(ClientCertData)}, " ")
	if got != "https://127.0.0.1:8443 /etc/kubernetes/cert/ca.pem  QQ==" {
		t.Error(got)
	}
	for f, c := range map[Field]struct{ value, old, become string }{
		Server:        {"https://api.k8s.local:8443", "https://127.0.0.1:8443", "https://api.k8s.local:8443"},
		CAFile:        {"/x/ca.pem", "/etc/kubernetes/cert/ca.pem", "/x/ca.pem"},
		ClientKeyData: {"Q0M=", "Qg==", "Q0M="},
	} {
		if same, err := k.Set(f, k.Get(f)); err != nil || same.Text() != admin {
			t.Errorf("%v as found: %v\n%s", f, err, same.Text())
		}
		if got, err := k.Set(f, c.value); err != nil || got.Text() != strings.Replace(admin, c.old, c.become, 1) || got.Get(f) != c.value {
			t.Errorf("%v: %v\n%s", f, err, got.Text())
		}
	}
	if _, err := k.Set(CAData, "x"); err == nil {
		t.Error("what is not there was set")
	}
	block, err := ReadKubeconfig(strings.Replace(admin, "context: {cluster: kubernetes", "context: {cluster: old", 1))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := block.Set(TLSServerName, "kubernetes"); err != nil ||
		got.Text() != strings.Replace(block.Text(), "10.0.0.9:6443\n", "10.0.0.9:6443\n    tls-server-name: kubernetes\n", 1) {
		t.Errorf("%v\n%s", err, got.Text())
	}
	if _, err := ReadKubeconfig(strings.Replace(admin, "current-context: kubernetes", "current-context: x", 1)); err == nil {
		t.Error("a context that is not there was used")
	}
}

func TestPodScalars(t *testing.T) {
	text := "kind: Pod\nmetadata:\n  annotations:\n    kubeadm.kubernetes.io/x.endpoint: 10.0.0.11:6443\nspec:\n  containers:\n" +
		"  - command: [x, --a=1]\n    image: i\n    livenessProbe: {httpGet: {port: 6443, host: 10.0.0.11}}\n"
	p, err := ReadPod(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path        []string
		old, become string
	}{
		{[]string{"metadata", "annotations", "kubeadm.kubernetes.io/x.endpoint"}, "10.0.0.11:6443", "10.0.0.12:6443"},
		{[]string{"spec", "containers", "0", "livenessProbe", "httpGet", "port"}, "6443", "7443"},
		{[]string{"spec", "containers", "0", "livenessProbe", "httpGet", "host"}, "10.0.0.11", "::1"},
	} {
		if same, err := p.SetScalar(c.old, c.path...); err != nil || same.Text() != text {
			t.Errorf("%v as found: %v", c.path, err)
		}
		got, err := p.SetScalar(c.become, c.path...)
		if err != nil || got.Scalar(c.path...) != c.become {
			t.Errorf("%v: %v\n%s", c.path, err, got.Text())
		}
	}
	if _, err := p.SetScalar("x", "spec", "nodeName"); err == nil {
		t.Error("what is not there was set")
	}
}

// Procedure B's nginx file, and HAProxy's options that a new server must not take
// over.
func TestBalancer(t *testing.T) {
	b, err := ReadBalancer("backend k\n  server a 10.0.0.1:6443 check weight 5 cookie a id 3 backup\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.Add("k", "b", "10.0.0.2:6443"); err != nil || got.Text() != b.Text()+"  server b 10.0.0.2:6443 check\n" {
		t.Errorf("%v\n%s", err, got.Text())
	}
	for what, f := range map[string]func() (Balancer, error){
		"last":     func() (Balancer, error) { return b.Remove("k", "10.0.0.1:6443") },
		"no pool":  func() (Balancer, error) { return b.Down("x", "10.0.0.1:6443") },
		"unknown":  func() (Balancer, error) { return b.Down("k", "10.0.0.9:6443") },
		"name":     func() (Balancer, error) { return b.Add("k", "a", "10.0.0.2:6443") },
		"a blank":  func() (Balancer, error) { return b.Add("k", "c", "10.0.0.2:6443; }") },
		"no files": func() (Balancer, error) { return ReadBalancer("hello\n") },
	} {
		if got, err := f(); err == nil {
			t.Errorf("%s: no error; %s", what, got.Text())
		}
	}
	one := "stream { upstream a { server 10.0.0.1:1; server 10.0.0.2:1; } }\n"
	if b, err = ReadBalancer(one); err != nil {
		t.Fatal(err)
	}
	if b, err = b.Remove("a", "10.0.0.1:1"); err != nil || b.Text() != "stream { upstream a { server 10.0.0.2:1; } }\n" {
		t.Errorf("%v\n%s", err, b.Text())
	}
}
