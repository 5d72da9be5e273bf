package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/lab"
	"quorate.dev/quorate/internal/spec"
)

const (
	kubeadmRow = "kubeadm: apply 3+1: all nodes Ready and CoreDNS answers"
	scriptRow  = "kubeadm: the script of its documented steps, 3+1, likewise"
)

// kubeadmChanges are those of a kubeadm cluster.
var kubeadmChanges = []changeOf{
	{"grow 1 to 3", []string{"cp1", "cp2", "cp3", "w1"}, "", 45},
	{"replace a dead one of 3", []string{"cp1", "cp2", "cp4", "w1"}, "cp3", 45},
	{"shrink 3 to 1", []string{"cp1", "w1"}, "", 30},
}

// kubeadm makes a kubeadm cluster by quorate, the same by the steps of kubeadm's
// documentation on identical hosts, and changes one.
func kubeadm(ctx context.Context, b *bench) error {
	for i := range b.runs {
		b.say("kubeadm, run %d of %d", i+1, b.runs)
		for _, part := range []func(context.Context) error{b.kubeadmOnce, b.scriptOnce,
			func(ctx context.Context) error { return b.changeOnce(ctx, spec.FlavourKubeadm, kubeadmChanges) }} {
			if err := part(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) kubeadmOnce(ctx context.Context) error {
	_, down, err := b.lab(ctx, 3, 1)
	if err != nil {
		return err
	}
	defer down()
	if err := b.flavour(spec.FlavourKubeadm); err != nil {
		return err
	}
	begun := time.Now()
	apply, err := run(ctx, nil, b.quorate, "apply", "-f", b.file(), "--yes", "--output", "json")
	if err != nil {
		return err
	}
	nodes, err := settled(apply.out, begun, 4)
	if err != nil {
		return err
	}
	b.add(kubeadmRow, "s", 0, nodes.Seconds())
	b.add("kubeadm: apply 3+1: the whole command", "s", 0, apply.took.Seconds())
	r, err := run(ctx, nil, b.quorate, "apply", "-f", b.file(), "--yes")
	if err != nil {
		return err
	}
	b.add("kubeadm: apply with nothing to do, 4 hosts", "s", 2, r.took.Seconds())
	return nil
}

// scriptOnce is what a person does with kubeadm's documentation: programs and
// runtime are there before the clock begins; then images are imported on all
// hosts at once, as quorate does within its clock, too; init; each control plane
// joins in turn, then the worker; a bridge is the pod network. It has no load
// balancer: the endpoint is the first host.
func (b *bench) scriptOnce(ctx context.Context) error {
	_, down, err := b.lab(ctx, 3, 1)
	if err != nil {
		return err
	}
	defer down()
	s := &script{b: b, at: map[string]string{}}
	for _, name := range []string{"cp1", "cp2", "cp3", "w1"} {
		hosts, err := b.addresses(ctx, name)
		if err != nil {
			return err
		}
		s.names, s.at[name] = append(s.names, name), hosts[0]
	}
	prepare, images, err := s.programs(ctx)
	if err != nil {
		return err
	}
	if err := s.everywhere(ctx, func(string) string { return prepare }); err != nil {
		return fmt.Errorf("prepare the hosts of the script: %w", err)
	}
	begun := time.Now()
	if err := s.everywhere(ctx, func(string) string { return "ctr -n k8s.io images import " + images + " >/dev/null" }); err != nil {
		return err
	}
	b.add("  … the script: import images, on all hosts at once", "s", 0, time.Since(begun).Seconds())
	if err := s.steps(ctx); err != nil {
		return err
	}
	b.add(scriptRow, "s", 0, time.Since(begun).Seconds())
	return nil
}

// script runs shell text on lab hosts.
type script struct {
	b     *bench
	names []string
	at    map[string]string // addresses by name
	refs  map[string]string // images by name
}

func (s *script) on(ctx context.Context, name, text string) (string, error) {
	files := filepath.Join(s.b.dir, labName)
	r, err := run(ctx, nil, "ssh", "-q", "-i", files+".key", "-o", "UserKnownHostsFile="+files+".known_hosts", "-o", "BatchMode=yes",
		"root@"+s.at[name], "set -eu\n"+text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return strings.TrimSpace(r.out), nil
}

func (s *script) everywhere(ctx context.Context, text func(name string) string) error {
	g, gctx := errgroup.WithContext(ctx)
	for _, name := range s.names {
		g.Go(func() error { _, err := s.on(gctx, name, text(name)); return err })
	}
	return g.Wait()
}

// programs is what prepares a host, as the packages of a distribution would, and
// where its images lie: the lab shows the store to its hosts.
func (s *script) programs(ctx context.Context) (prepare, images string, err error) {
	store, err := artifact.OpenStore("")
	if err != nil {
		return "", "", err
	}
	v, err := artifact.Resolve(artifact.DefaultKubernetes, nil)
	if err != nil {
		return "", "", err
	}
	src, err := artifact.NewSource("auto", store, artifact.Trust{}, "")
	if err != nil {
		return "", "", err
	}
	quiet := func(artifact.Event) {}
	needed := artifact.Flavour(spec.FlavourKubeadm, false)
	files, err := src.Fetch(ctx, v, "amd64", needed.Programs, quiet)
	if err != nil {
		return "", "", err
	}
	set, err := src.Images(ctx, v, "amd64", needed.Set, needed.Images, quiet)
	if err != nil {
		return "", "", err
	}
	s.refs = map[string]string{}
	for _, name := range []string{"etcd", "coredns", "pause"} {
		if s.refs[name], err = artifact.ImageRef(v, name); err != nil {
			return "", "", err
		}
	}
	shown := func(p string) string { return path.Join(lab.SeedPath, strings.TrimPrefix(p, store.Dir())) }
	var b strings.Builder
	b.WriteString("mkdir -p /opt/cni/bin /etc/cni/net.d /etc/containerd /etc/systemd/system/kubelet.service.d /etc/kubernetes/manifests\n")
	for _, f := range files {
		dir := "/usr/bin/"
		if plugin(f.Name) {
			dir = "/opt/cni/bin/"
		}
		fmt.Fprintf(&b, "ln -sf %s %s%s\n", shown(f.Path), dir, f.Name)
	}
	fmt.Fprintf(&b, hostFiles, s.refs["pause"], s.at["cp1"])
	return b.String(), shown(set.Path), nil
}

func plugin(name string) bool {
	return strings.Contains(" bridge loopback host-local portmap firewall ptp ", " "+name+" ")
}

// steps are those of kubeadm's documentation.
func (s *script) steps(ctx context.Context) error {
	const ignored = " --ignore-preflight-errors=SystemVerification"
	_, etcd, _ := strings.Cut(path.Base(s.refs["etcd"]), ":")
	_, dns, _ := strings.Cut(path.Base(s.refs["coredns"]), ":")
	config := fmt.Sprintf(initFile, s.at["cp1"], artifact.DefaultKubernetes, etcd, dns)
	if _, err := s.on(ctx, "cp1", "cat >/root/init.yaml <<'E'\n"+config+"E\n"+
		"kubeadm init --upload-certs --config /root/init.yaml 2>&1"); err != nil {
		return err
	}
	hash, err := s.on(ctx, "cp1", "openssl x509 -pubkey -in /etc/kubernetes/pki/ca.crt | "+
		"openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1")
	if err != nil {
		return err
	}
	join := "kubeadm join api.bench.lab:6443 --token bench0.0123456789abcdef --discovery-token-ca-cert-hash sha256:" + hash + ignored
	for _, name := range s.names[1:] {
		line := join
		if strings.HasPrefix(name, "cp") {
			line += " --control-plane --certificate-key " + strings.Repeat("ab", 32)
		}
		if _, err := s.on(ctx, name, line+" 2>&1"); err != nil {
			return err
		}
	}
	const kubectl = "kubectl --kubeconfig /etc/kubernetes/admin.conf "
	nets := map[string]string{}
	for _, name := range s.names {
		for range 120 {
			if nets[name], err = s.on(ctx, "cp1", kubectl+"get node "+name+" -o 'jsonpath={.spec.podCIDR}'"); err != nil || nets[name] != "" {
				break
			}
			time.Sleep(time.Second / 2)
		}
		if nets[name] == "" {
			return errors.Join(err, fmt.Errorf("%s has no pod network", name))
		}
	}
	if err := s.everywhere(ctx, func(name string) string {
		text := fmt.Sprintf("cat >/etc/cni/net.d/10-bench.conflist <<'E'\n"+conflist+"E\n", nets[name])
		for _, other := range s.names {
			if other != name {
				text += "ip route replace " + nets[other] + " via " + s.at[other] + "\n"
			}
		}
		return text
	}); err != nil {
		return err
	}
	_, err = s.on(ctx, "cp1", kubectl+"wait --for=condition=Ready node --all --timeout=180s >/dev/null\n"+
		kubectl+"-n kube-system rollout status deployment/coredns --timeout=180s >/dev/null")
	return err
}

// hostFiles make a host what the packages of kubeadm and containerd make it.
const hostFiles = `cat >/etc/containerd/config.toml <<'E'
version = 3
disabled_plugins = ['io.containerd.snapshotter.v1.blockfile', 'io.containerd.snapshotter.v1.devmapper', 'io.containerd.snapshotter.v1.erofs',
  'io.containerd.tracing.processor.v1.otlp', 'io.containerd.internal.v1.tracing']
[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = '%s'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = 'io.containerd.runc.v2'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      SystemdCgroup = true
E
cat >/etc/systemd/system/containerd.service <<'E'
[Service]
ExecStart=/usr/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
LimitNOFILE=1048576
TasksMax=infinity
[Install]
WantedBy=multi-user.target
E
cat >/etc/systemd/system/kubelet.service <<'E'
[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/bin/kubelet
CPUAccounting=yes
MemoryAccounting=yes
Restart=always
RestartSec=10
[Install]
WantedBy=multi-user.target
E
cat >/etc/systemd/system/kubelet.service.d/10-kubeadm.conf <<'E'
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS
E
printf 'runtime-endpoint: unix:///run/containerd/containerd.sock\nimage-endpoint: unix:///run/containerd/containerd.sock\n' >/etc/crictl.yaml
echo '%s api.bench.lab' >>/etc/hosts
sysctl -qw net.ipv4.ip_forward=1 || true
systemctl daemon-reload
systemctl enable -q kubelet containerd
systemctl start containerd
`

const initFile = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
certificateKey: abababababababababababababababababababababababababababababababab
bootstrapTokens: [{token: bench0.0123456789abcdef, usages: [signing, authentication], groups: ['system:bootstrappers:kubeadm:default-node-token']}]
localAPIEndpoint: {advertiseAddress: %s, bindPort: 6443}
nodeRegistration: {criSocket: 'unix:///run/containerd/containerd.sock', ignorePreflightErrors: [SystemVerification]}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: %s
controlPlaneEndpoint: api.bench.lab:6443
encryptionAlgorithm: ECDSA-P256
networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/12}
etcd: {local: {imageTag: %s}}
dns: {imageTag: %s}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
oomScoreAdj: 0
evictionHard: {memory.available: 100Mi, nodefs.available: 1%%, imagefs.available: 1%%}
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
conntrack: {maxPerCore: 0}
oomScoreAdj: 0
`

const conflist = `{"cniVersion":"1.0.0","name":"bench","plugins":[
 {"type":"bridge","bridge":"cni0","isGateway":true,"hairpinMode":true,"ipMasq":false,
  "ipam":{"type":"host-local","ranges":[[{"subnet":"%s"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
 {"type":"portmap","capabilities":{"portMappings":true}}]}
`
