package refs

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// prod is a cluster of cp1, cp2 and w1; cp3 has left it.
func prod() Cluster {
	return Cluster{
		Endpoint: "api.prod.example:8443",
		Live: map[string]bool{"cp1": true, "cp2": true, "w1": true, "10.0.0.11": true, "10.0.0.12": true, "10.0.0.21": true,
			"fd00::11": true, "api.prod.example": true},
		Gone:     map[string]string{"cp3": "cp3", "10.0.0.13": "cp3", "fd00::13": "cp3"},
		Ports:    map[string]bool{"6443": true, "2379": true, "2380": true},
		Networks: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("10.96.0.0/12")},
		CA:       []byte("our CA"), Own: map[string]bool{"/etc/own": true},
	}
}

func TestStale(t *testing.T) {
	for name, at := range map[string]struct {
		m    Mention
		want string // a part of why; "": it is not stale
	}{
		"the address of one that left":      {Mention{Name: "10.0.0.13", Port: "22"}, "cp3 left the cluster"},
		"the same, IPv6 in another form":    {Mention{Name: "FD00:0::13"}, "cp3 left"},
		"its name":                          {Mention{Name: "CP3"}, "it left the cluster"},
		"its whole name":                    {Mention{Name: "cp3.prod.example."}, "cp3 left"},
		"a host of the cluster":             {Mention{Name: "10.0.0.12", Port: "6443", Certain: true}, ""},
		"its whole name, too":               {Mention{Name: "cp1.prod.example"}, ""},
		"the endpoint":                      {Mention{Name: "api.prod.example", Port: "8443", Certain: true}, ""},
		"a Service":                         {Mention{Name: "10.96.0.1", Certain: true}, ""},
		"a pod":                             {Mention{Name: "10.244.7.7", Port: "6443"}, ""},
		"loopback":                          {Mention{Name: "127.0.0.1", Port: "6443", Certain: true}, ""},
		"any address":                       {Mention{Name: "::", Port: "2379"}, ""},
		"an unknown address":                {Mention{Name: "10.0.0.99", Port: "8080"}, ""},
		"an unknown address with etcd's":    {Mention{Name: "10.0.0.99", Port: "2380"}, "no host of the cluster has this address"},
		"an unknown address as the server":  {Mention{Name: "10.0.0.99", Certain: true}, "no host of the cluster has this address"},
		"an unknown name as the server":     {Mention{Name: "old.example", Certain: true}, "no host of the cluster has this name"},
		"an unknown name with a port of it": {Mention{Name: "other.example", Port: "6443"}, ""},
	} {
		got := prod().stale(at.m)
		if at.want == "" && got != "" || !strings.Contains(got, at.want) {
			t.Errorf("%s: %q, want %q", name, got, at.want)
		}
	}
	// A host that came back under its name, at another address.
	c := prod()
	c.Live["cp3"] = true
	if c.stale(Mention{Name: "cp3"}) != "" || c.stale(Mention{Name: "cp3.prod.example"}) != "" || c.stale(Mention{Name: "10.0.0.13"}) == "" {
		t.Error("the name lives, the address does not")
	}
}

func TestJudge(t *testing.T) {
	m := Mention{Host: "w1", Kind: Cron, Place: "/etc/cron.d/x", Line: 3, Name: "10.0.0.13", Port: "6443"}
	own := m
	own.Place, own.Host = "/etc/own", "cp1"
	r := Judge(prod(), []Mention{m, m, {Name: "10.0.0.11"}, own}, []string{"cp2: no answer"})
	if len(r.Refs) != 2 || r.Refs[0].Host != "cp1" || !strings.Contains(r.Refs[0].Fix, "quorate apply") || r.Well() || r.More != 0 {
		t.Fatalf("%+v", r)
	}
	text := r.Text()
	for _, want := range []string{"w1  cron /etc/cron.d/x:3: 10.0.0.13:6443: cp3 left the cluster\n  fix: remove the line, or " +
		"replace it by the endpoint (api.prod.example:8443)\n", "not looked at: cp2: no answer\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if r = Judge(prod(), nil, nil); !r.Well() || r.Text() != "nothing names a host that is gone\n" {
		t.Errorf("%+v", r)
	}
	var many []Mention
	for i := range most + 7 {
		m.Line = i + 1
		many = append(many, m)
	}
	if r = Judge(prod(), many, nil); len(r.Refs) != most || r.More != 7 || !strings.Contains(r.Text(), "and 7 more") {
		t.Errorf("%d, %d", len(r.Refs), r.More)
	}
	for _, k := range []Kind{FrontDoor, Kubeconfig, Unit, Manifest, Certificate, HostsFile, Cron, CNI, Settings, Member, Node, Endpoint,
		ConfigMap, Secret} {
		if prod().fix(Mention{Kind: k, Place: "kube-system/x key"}) == "" {
			t.Errorf("%s: what to do?", k)
		}
	}
}

func TestMentions(t *testing.T) {
	const text = "# 10.0.0.13 in a comment\n--initial-cluster=cp1=https://10.0.0.11:2380,cp3=https://10.0.0.13:2380\n" +
		"via [fd00::13]:6443 and 10.0.0.0/24, 10.0.0.13/32; mycp3 cp33 cp3.example\n"
	var got []string
	for _, m := range prod().mentions(text, Mention{}) {
		got = append(got, fmt.Sprintf("%d %s", m.Line, m.named()))
	}
	want := []string{"2 10.0.0.11:2380", "2 cp3", "2 10.0.0.13:2380", "3 [fd00::13]:6443", "3 10.0.0.13", "3 cp3.example"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// kubeconfig of a cluster with this CA.
func kubeconfig(server, ca string) string {
	text := "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster:\n    server: " + server + "\n"
	if ca != "" {
		text += "    certificate-authority-data: " + encode(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(ca)})) + "\n"
	}
	return text
}

// A kubeconfig of another cluster is nobody's business.
func TestServers(t *testing.T) {
	for name, at := range map[string]struct{ server, ca, why string }{
		"ours, one that left":     {"https://10.0.0.13:6443", "our CA", "cp3 left"},
		"ours, nobody's":          {"https://old.example:6443", "our CA", "no host"},
		"ours, the endpoint":      {"https://api.prod.example:8443", "our CA", ""},
		"another cluster's":       {"https://10.0.0.99:6443", "their CA", ""},
		"another's, same address": {"https://10.0.0.13:6443", "their CA", ""},
		"without a CA":            {"https://10.0.0.99:6443", "", "no host"},
		"no address":              {"local", "our CA", ""},
	} {
		seen, err := prod().servers([]byte(kubeconfig(at.server, at.ca)), Mention{Kind: Kubeconfig})
		r := Judge(prod(), seen, nil)
		if err != nil || (at.why == "") != (len(r.Refs) == 0) || at.why != "" && !strings.Contains(r.Refs[0].Why, at.why) {
			t.Errorf("%s: %v, %+v", name, err, r.Refs)
		}
	}
}

// api answers by path.
type api map[string]any

func (a api) Raw(_ context.Context, path string, params map[string]string) ([]byte, error) {
	if v, there := a[path+params["continue"]]; there {
		return json.Marshal(v)
	}
	return nil, errors.New("GET " + path + ": not found")
}

func TestObjects(t *testing.T) {
	secret := corev1.SecretList{Items: []corev1.Secret{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deploy"},
		Data: map[string][]byte{"kubeconfig": []byte(kubeconfig("https://10.0.0.13:6443", "our CA") + "password: hunter2\n")}}}}
	objects := api{
		"/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes": discoveryv1.EndpointSlice{
			Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.11", "10.0.0.77"}}}},
		"/api/v1/namespaces/kube-system/configmaps": corev1.ConfigMapList{ListMeta: metav1.ListMeta{Continue: "+2"}, Items: []corev1.ConfigMap{
			{ObjectMeta: metav1.ObjectMeta{Name: "quorate-cluster"}, Data: map[string]string{"departed.json": "10.0.0.13"}},
			{ObjectMeta: metav1.ObjectMeta{Name: "kube-proxy"},
				Data: map[string]string{"kubeconfig.conf": kubeconfig("https://10.0.0.13:6443", "")}}}},
		"/api/v1/namespaces/kube-system/configmaps+2": corev1.ConfigMapList{Items: []corev1.ConfigMap{
			{ObjectMeta: metav1.ObjectMeta{Name: "monitor"}, Data: map[string]string{"a": "x: 10.0.0.11:2379\ny: 10.0.0.98:2379\n"}}}},
		"/api/v1/namespaces/kube-public/configmaps": corev1.ConfigMapList{},
		"/api/v1/secrets": secret,
	}
	seen, not := prod().InObjects(t.Context(), objects, false)
	r := Judge(prod(), seen, not)
	var got []string
	for _, ref := range r.Refs {
		got = append(got, ref.Place+" "+ref.Names)
	}
	want := []string{"EndpointSlice default/kubernetes 10.0.0.77", "kube-system/kube-proxy kubeconfig.conf 10.0.0.13:6443",
		"kube-system/monitor a 10.0.0.98:2379"}
	if !slices.Equal(got, want) || len(not) > 0 {
		t.Errorf("%q, %q", got, not)
	}
	if seen, not = prod().InObjects(t.Context(), objects, true); len(Judge(prod(), seen, not).Refs) != len(want)+1 {
		t.Errorf("%+v", seen)
	}
	text := Judge(prod(), seen, not).Text()
	if strings.Contains(text, "hunter2") || !strings.Contains(text, "Secret shop/deploy kubeconfig: 10.0.0.13:6443") {
		t.Errorf("%s", text)
	}
	delete(objects, "/api/v1/namespaces/kube-public/configmaps")
	if _, not = prod().InObjects(t.Context(), objects, false); len(not) != 1 || Judge(prod(), nil, not).Well() {
		t.Errorf("what could not be read is not said: %q", not)
	}
}

func TestHere(t *testing.T) {
	home := t.TempDir()
	write(t, home+"/.kube/config", kubeconfig("https://cp3:6443", "our CA"))
	write(t, home+"/.kube/cache/x", "10.0.0.13:6443")
	write(t, home+"/.kube/notes", "no kubeconfig, 10.0.0.13:6443")
	listed := write(t, home+"/else.conf", kubeconfig("https://10.0.0.98:6443", "our CA"))
	hosts := write(t, home+"/hosts", "127.0.0.1 localhost\n10.0.0.13 cp3\n")
	seen, not := prod().OnThisMachine(home, listed+":"+home+"/none", hosts)
	var got []string
	for _, ref := range Judge(prod(), seen, not).Refs {
		got = append(got, filepath.Base(ref.Place)+" "+ref.Names)
	}
	want := []string{"config cp3:6443", "else.conf 10.0.0.98:6443", "hosts 10.0.0.13", "hosts cp3"}
	if !slices.Equal(got, want) || len(not) > 0 {
		t.Errorf("%q, %q", got, not)
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
