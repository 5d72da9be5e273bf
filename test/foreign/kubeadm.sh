# kubeadm.sh LAB CONTROL-PLANE HOST...: sets a kubeadm cluster up on lab hosts, as people do by hand. See README.md.
set -eu
here=$(dirname "$0") lab=$1 first=$2
shift
quorate=${QUORATE:-quorate}
on() { h=$1; shift; "$quorate" lab exec "$lab/$h" -- sh -c "$*"; }
list=$("$quorate" artifacts list -o json | sed -n 's/^ *"path": *"\(.*\)",*$/\1/p' | sed -nE 's,.*/sha256/([0-9a-f]{64})/(.*)$,\1 \2,p')
[ -n "$list" ] || { echo "the artefact store is empty: make artifacts" >&2; exit 1; }
pids=
for h; do
	printf '%s\n' "$list" | "$quorate" lab exec "$lab/$h" -- sh -c "$(cat "$here/host.sh")" &
	pids="$pids $!"
done
for p in $pids; do wait "$p"; done
address=$(on "$first" "ip -4 -o addr show scope global | sed -n 's/.* inet \([^/]*\).*/\1/p' | head -n 1")
token=abcdef.0123456789abcdef
endpoint=${ENDPOINT:-}
on "$first" "cat >/root/kubeadm.yaml" <<EOF
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens: [{token: $token, ttl: 1h}]
certificateKey: "$(printf 'ab%.0s' $(seq 32))"
localAPIEndpoint: {advertiseAddress: $address, bindPort: 6443}
nodeRegistration:
  criSocket: unix:///run/containerd/containerd.sock
  ignorePreflightErrors: [SystemVerification]
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
${endpoint:+controlPlaneEndpoint: $endpoint}
networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/12}
apiServer:
  certSANs: [k8s.example.com, 203.0.113.7]
  extraArgs:
    - {name: event-ttl, value: 2h}
  extraVolumes:
    - {name: extra, hostPath: /etc/kubernetes/extra, mountPath: /etc/kubernetes/extra, readOnly: true, pathType: DirectoryOrCreate}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: systemd
failCgroupV1: false
oomScoreAdj: 0
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
conntrack: {maxPerCore: 0}
oomScoreAdj: 0
EOF
if [ -n "$endpoint" ]; then
	for h; do on "$h" "echo '$address ${endpoint%:*}' >>/etc/hosts"; done
fi
on "$first" "kubeadm init ${endpoint:+--upload-certs} --config /root/kubeadm.yaml >/root/init.log 2>&1 || { tail -n 20 /root/init.log >&2; exit 1; }"
on "$first" "mkdir -p /root/.kube && cp /etc/kubernetes/admin.conf /root/.kube/config && rm /root/kubeadm.yaml"
hash=$(on "$first" "openssl x509 -pubkey -in /etc/kubernetes/pki/ca.crt | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1")
for h; do
	[ "$h" != "$first" ] || continue
	more=
	case $h in cp*) more="--control-plane --certificate-key $(printf 'ab%.0s' $(seq 32))" ;; esac
	on "$h" "kubeadm join ${endpoint:-$address:6443} --token $token --discovery-token-ca-cert-hash sha256:$hash $more \
		--ignore-preflight-errors=SystemVerification >/root/join.log 2>&1 || { tail -n 20 /root/join.log >&2; exit 1; }"
done
sh "$here/network.sh" "$lab" "$@"
on "$first" "kubectl create deployment web --image=registry.k8s.io/pause:3.10.2 --replicas=2 >/dev/null
kubeadm token list -o jsonpath='{.token}{\"\n\"}' | while read -r t; do kubeadm token delete \"\$t\" >/dev/null; done
kubectl wait --for=condition=Ready node --all --timeout=180s >/dev/null
kubectl rollout status deployment/web --timeout=180s >/dev/null
kubectl -n kube-system rollout status deployment/coredns --timeout=180s >/dev/null"
