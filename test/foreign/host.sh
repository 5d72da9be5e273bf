# Runs on a host, as root: installs what kubeadm's users install from packages. stdin: lines "SHA256 NAME" of what the
# artefact store has, which is mounted on lab hosts.
set -eu
store=/usr/share/quorate/store/sha256
images=
while read -r sum name; do
	case $name in
	kubelet | kubeadm | kubectl | containerd | containerd-shim-runc-v2 | ctr | runc | crictl) ln -sf "$store/$sum/$name" "/usr/bin/$name" ;;
	bridge | host-local | portmap | loopback) mkdir -p /opt/cni/bin && ln -sf "$store/$sum/$name" "/opt/cni/bin/$name" ;;
	images-kubeadm*) images=$store/$sum/$name ;;
	esac
done
mkdir -p /etc/containerd /usr/lib/systemd/system/kubelet.service.d /etc/cni/net.d /etc/kubernetes/manifests
cat >/usr/lib/systemd/system/containerd.service <<'EOF'
[Unit]
Description=containerd container runtime
Documentation=https://containerd.io
After=network.target dbus.service

[Service]
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=5
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity

[Install]
WantedBy=multi-user.target
EOF
cat >/etc/containerd/config.toml <<'EOF'
# kept by the platform team
version = 3

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = 'registry.k8s.io/pause:3.10.2'

[plugins.'io.containerd.cri.v1.runtime']
  # a container may not lower its score
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = 'io.containerd.runc.v2'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      SystemdCgroup = true
EOF
cat >/usr/lib/systemd/system/kubelet.service <<'EOF'
[Unit]
Description=kubelet: The Kubernetes Node Agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
EOF
cat >/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf <<'EOF'
# Note: This dropin only works with kubeadm and kubelet v1.11+
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
EOF
printf 'runtime-endpoint: unix:///run/containerd/containerd.sock\nimage-endpoint: unix:///run/containerd/containerd.sock\n' >/etc/crictl.yaml
printf 'overlay\nbr_netfilter\n' >/etc/modules-load.d/k8s.conf
printf 'net.ipv4.ip_forward = 1\nnet.bridge.bridge-nf-call-iptables = 1\n' >/etc/sysctl.d/k8s.conf
sysctl -q -w net.ipv4.ip_forward=1
mkdir -p /etc/kubernetes/extra && echo 'the platform team keeps something here' >/etc/kubernetes/extra/README
systemctl daemon-reload
systemctl enable -q --now containerd
systemctl enable -q kubelet
[ -n "$images" ] || { echo "the store has no images for kubeadm" >&2; exit 1; }
until ctr -n k8s.io version >/dev/null 2>&1; do sleep 0.2; done
ctr -n k8s.io images import --local "$images" >/dev/null
