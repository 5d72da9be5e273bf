package pki

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/topology"
)

func TestKubeadmLeavesGolden(t *testing.T) {
	var b strings.Builder
	for _, n := range []topology.Node{cp1, w1} {
		cl := testContext("")
		cl.LocalServer, cl.Layout.Conf = "https://"+n.Address+":6443", "/etc/kubernetes"
		fmt.Fprintf(&b, "# %s\n", n.Name)
		for _, c := range leaves(t, n, cl) {
			fmt.Fprintf(&b, "%s (%s CA) %s %s\n  %s\n", c.Name, c.Issuer, c.Path, c.KeyPath, c.Spec())
		}
	}
	golden(t, "leaves-kubeadm.txt", b.String())
}

// A certificate in a kubeconfig is judged with the server that it leads to.
func TestCertificateInAKubeconfig(t *testing.T) {
	s, err := NewShared(Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	want := Cert{Name: SchedulerConf, Path: "/etc/x.conf", KeyPath: "/etc/x.conf", Issuer: KubernetesCA, CommonName: "system:kube-scheduler",
		Client: true, Conf: "https://10.0.0.11:6443"}
	cert, key, err := Issue(s, want, now)
	if err != nil {
		t.Fatal(err)
	}
	files, err := want.Files("prod", s, cert, key)
	if err != nil || len(files) != 1 || files[0].Path != want.Path || files[0].Mode != 0o600 || !files[0].Secret {
		t.Fatalf("its files are %+v, %v", files, err)
	}
	inside := regexp.MustCompile(`client-certificate-data: (\S+)`).FindSubmatch(files[0].Content)
	got, err := base64.StdEncoding.DecodeString(string(inside[1]))
	if err != nil || !bytes.Equal(got, cert) {
		t.Fatalf("it holds %q, %v", got, err)
	}
	for server, says := range map[string]string{"https://10.0.0.11:6443": "", "https://10.0.0.12:6443": "leads to https://10.0.0.12:6443"} {
		found, err := Inspect(append(bytes.Clone(cert), "# server "+server+"\n"...), nil, s.CA.Cert)
		if err != nil {
			t.Fatal(err)
		}
		if why := Explain(found, want, now); !strings.HasPrefix(why, says) || (says == "") != (why == "") {
			t.Errorf("one that leads to %s: %q", server, why)
		}
	}
}
