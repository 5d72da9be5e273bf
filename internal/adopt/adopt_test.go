package adopt

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/spec"
)

var now = time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)

const clusterConfiguration = `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
clusterName: kubernetes
kubernetesVersion: v1.36.3
certificatesDir: /etc/kubernetes/pki
networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/12, dnsDomain: cluster.local}
etcd: {local: {dataDir: /data/etcd}}
apiServer:
  certSANs: [k8s.example.com]
  extraArgs: [{name: event-ttl, value: 2h}, {name: gone, value: "1"}]
  extraVolumes: [{name: extra, hostPath: /srv/extra, mountPath: /extra}]
`

func certificate(t *testing.T, names []string, addresses ...string) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kube-apiserver"}, NotBefore: now,
		NotAfter: now.AddDate(1, 0, 0), DNSNames: names}
	for _, a := range addresses {
		c.IPAddresses = append(c.IPAddresses, net.ParseIP(a))
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func manifest(image string, command ...string) string {
	return "spec:\n  containers:\n  - image: " + image + "\n    command: [" + strings.Join(command, ", ") + "]\n  volumes:\n" +
		"  - {name: k8s-certs, hostPath: {path: /etc/kubernetes/pki}}\n  - {name: extra, hostPath: {path: /srv/extra}}\n"
}

// lone is what is seen of a lone control plane with a worker that does not answer.
func lone(t *testing.T) Found {
	t.Helper()
	apiserver := []string{"kube-apiserver", "--advertise-address=10.0.0.11", "--event-ttl=2h", "--profiling=false", "--secure-port=6443",
		"--client-ca-file=/etc/kubernetes/pki/ca.crt", "--tls-cert-file=/etc/kubernetes/pki/apiserver.crt"}
	etcd := []string{"etcd", "--data-dir=/data/etcd", "--advertise-client-urls=https://10.0.0.11:2379",
		"--initial-advertise-peer-urls=https://10.0.0.11:2380", "--listen-metrics-urls=http://127.0.0.1:2381"}
	seen := Seen{Hostname: "cp1", Addresses: []string{"10.0.0.11"}, ManifestDir: "/etc/kubernetes/manifests",
		Server: "https://10.0.0.11:6443",
		Processes: []Process{{Name: "kube-apiserver", Argv: apiserver}, {Name: "etcd", Argv: etcd},
			{Name: "kubelet", Argv: []string{"kubelet", "--config=/x", "--v=4"}}},
		Files: map[string]string{
			"/etc/kubernetes/manifests/kube-apiserver.yaml": manifest("registry.k8s.io/kube-apiserver:v1.36.3", apiserver...),
			"/etc/kubernetes/manifests/etcd.yaml":           manifest("registry.k8s.io/etcd:3.6.8-0", etcd...),
			"/etc/kubernetes/manifests/kube-vip.yaml":       "kind: Pod\n",
		},
		Certs: map[string][]byte{"/etc/kubernetes/pki/apiserver.crt": certificate(t,
			[]string{"cp1", "kubernetes", "k8s.example.com", "old.example.com"},
			"10.0.0.11", "10.96.0.1", "203.0.113.7")},
		Keys: []string{"/etc/kubernetes/pki/apiserver.key", "/etc/kubernetes/pki/ca.key", "/etc/kubernetes/pki/front-proxy-ca.key"},
		CNI:  map[string]string{"/etc/cni/net.d/10-x.conflist": "{}"},
	}
	cp1 := Node{Name: "cp1", Address: "10.0.0.11", Kubelet: "v1.36.3", ControlPlane: true, Tainted: true, Ready: true}
	w1 := Node{Name: "w1", Address: "10.0.0.21", Kubelet: "v1.36.2", Ready: true}
	return Found{API: API{Kubeadm: clusterConfiguration, KubeProxy: "mode: nftables\n", Kubelet: kubeletConfig, Nodes: []Node{cp1, w1}},
		Members: []Member{{Name: "cp1", Address: "10.0.0.11"}},
		Machines: []Machine{
			{Name: "cp1", Address: "10.0.0.11", Internal: "10.0.0.11", Seen: seen, Node: &cp1, Member: true},
			{Name: "w1", Address: "10.0.0.21", Internal: "10.0.0.21", Seen: Seen{Err: errors.New("no route")}, Node: &w1}},
		Options: Options{Name: "prod", Now: now, SSH: spec.SSH{User: "root"}}}
}

// kubeletConfig is what kubeadm keeps for kubelets, with three settings of a person's.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {cacheTTL: 0s, enabled: true}
  x509: {clientCAFile: /etc/kubernetes/pki/ca.crt}
authorization:
  mode: Webhook
  webhook: {cacheAuthorizedTTL: 0s, cacheUnauthorizedTTL: 0s}
cgroupDriver: systemd
clusterDNS: [169.254.20.10]
clusterDomain: cluster.local
containerRuntimeEndpoint: ""
crashLoopBackOff: {}
evictionHard: {memory.available: 100Mi}
healthzBindAddress: 127.0.0.1
healthzPort: 10248
logging:
  flushFrequency: 0
  options: {json: {infoBufferSize: "0"}, text: {infoBufferSize: "0"}}
  verbosity: 0
maxPods: 60
oomScoreAdj: 0
resolvConf: /run/systemd/resolve/resolv.conf
rotateCertificates: true
staticPodPath: /etc/kubernetes/manifests
syncFrequency: 0s
`

func TestMake(t *testing.T) {
	text, r, err := lone(t).Make()
	if err != nil {
		t.Fatal(err)
	}
	file, _, err := spec.Parse("cluster.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	s := file.Spec
	if s.ControlPlaneEndpoint != "" || s.LoadBalancer.Kind != "none" || s.PKI.KeyAlgorithm != "RSA-2048" ||
		s.Encryption.Provider != "none" ||
		!slices.Equal(s.CertSANs, []string{"k8s.example.com", "old.example.com", "203.0.113.7"}) ||
		len(s.Adopted.Paths) != 1 || s.Adopted.Paths["etcdData"] != "/data/etcd" || len(s.Adopted.Ports) != 0 ||
		!slices.Equal(s.Adopted.Hosts, []string{"cp1", "w1"}) || len(s.Artifacts.Versions) != 0 {
		t.Errorf("the file is\n%s", text)
	}
	if k := s.KubeletConfiguration; len(k) != 3 ||
		fmt.Sprint(k["maxPods"], k["oomScoreAdj"], k["evictionHard"]) != "60 0 map[memory.available:100Mi]" {
		t.Errorf("kubelets of hosts that join would get %v", k)
	}
	says := r.Text()
	for _, want := range []string{"endpoint: none", "--event-ttl=2h (in kubeadm's configuration)",
		"--profiling=false (in the manifest only: kubeadm upgrade would drop it)",
		"--gone is in kubeadm's configuration and not in the manifest",
		"mounts /srv/extra (volume extra)", "kubelet: --v=4", "w1: it could not be reached",
		"kube-vip.yaml is a static pod that kubeadm does not make",
		"pods ask the DNS servers [169.254.20.10]", "/etc/kubernetes/pki/etcd/ca.key is not there",
		"kubelet runs as v1.36.2 on w1 and as v1.36.3 on cp1"} {
		if !strings.Contains(says, want) {
			t.Errorf("the report does not say %q:\n%s", want, says)
		}
	}
	if strings.Contains(says, "k8s-certs") || strings.Contains(says, "--advertise-address") {
		t.Errorf("the report names what kubeadm does by itself:\n%s", says)
	}
}

func TestNotKubeadm(t *testing.T) {
	f := lone(t)
	f.API.Kubeadm = ""
	if _, _, err := f.Make(); err == nil || !strings.Contains(err.Error(), "kubeadm-config") {
		t.Errorf("%v", err)
	}
}

// What cannot be read is not taken for the default without a word.
func TestUnreadableProxyMode(t *testing.T) {
	f := lone(t)
	f.API.KubeProxy = "mode: [\n"
	if _, r, err := f.Make(); err != nil || !strings.Contains(r.Text(), "kube-proxy's configuration cannot be read") {
		t.Errorf("%v\n%s", err, r.Text())
	}
}

// What the script prints of a host whose own control group is not the root.
func TestRead(t *testing.T) {
	frames := host.NewFrames()
	argv := base64.StdEncoding.EncodeToString([]byte("/usr/bin/kubelet\x00--config=/c\x00--v\x004\x00"))
	pod := base64.StdEncoding.EncodeToString([]byte("etcd\x00--data-dir=/d\x00"))
	id := strings.Repeat("0a", 32)
	answer, err := frames.Parse(frames.Print("hostname", "cp1\n", "address", "2: eth0    inet 10.0.0.11/24 scope global eth0\n",
		"now", "1795921205\n", "processes", "kubelet 7 /lab/system.slice/kubelet.service 12 /usr/bin/kubelet "+argv+"\n"+
			"etcd 9 /lab/kubepods.slice/x.slice/cri-containerd-"+id+".scope 13 /usr/local/bin/etcd "+pod+"\n",
		"first", "/lab/init.scope\n", "kubelet-config", "/c\nstaticPodPath: /m\n", "kubelet-conf", "/k\n    server: https://a:6443\n",
		"manifests", "/m\n", "file /m/etcd.yaml", "x\n", "cert /p/ca.crt", "y\n", "frame nobody knows", "z\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := read(answer, time.Unix(1795921200, 0))
	kubelet, _ := s.Process("kubelet")
	etcd, _ := s.Process("etcd")
	if kubelet.Unit != "kubelet" || kubelet.Contained || !etcd.Contained || etcd.Unit != "" || s.Flag("kubelet", "v") != "4" ||
		s.Flag("etcd", "data-dir") != "/d" || s.Server != "https://a:6443" || s.KubeletConfigPath != "/c" || s.ManifestDir != "/m" ||
		!slices.Equal(s.Addresses, []string{"10.0.0.11"}) || s.Offset != 5*time.Second {
		t.Errorf("%+v", s)
	}
	if _, there := s.Manifest("etcd"); !there {
		t.Error("the manifest was not read")
	}
}
