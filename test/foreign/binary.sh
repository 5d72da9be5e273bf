#!/usr/bin/env bash
# binary.sh LAB [HOST...]: makes a cluster of systemd units on hosts of a lab (all, or those named; control planes, and workers), as guides do it by hand:
# certificates by openssl in the style of cfssl, units under names and paths of their own, kube-nginx on every host at 127.0.0.1:8443.
# Of quorate it uses the lab and the programs of the artefact store, and nothing else: QUORATE is the program (default: quorate on the path).
# It leaves DIR/admin.kubeconfig and the CA in DIR (default: a new folder, whose name it prints).
set -euo pipefail
lab=${1:?usage: binary.sh LAB [HOST...]}; shift
quorate=$(command -v "${QUORATE:-quorate}") && quorate=$(realpath "$quorate")
version=${KUBERNETES:-1.36.3}
dir=${DIR:-$(mktemp -d /tmp/foreign-binary.XXXXXX)}
mkdir -p "$dir/pki"; chmod 700 "$dir" "$dir/pki"; cd "$dir"

chosen="$*" list=$("$quorate" lab list -o json)
hosts() { # ROLE: names and addresses
	jq -r --arg lab "$lab" --arg role "$1" --arg only "$chosen" '.. | objects | select(.lab? == $lab and .role? == $role) | .host as $n |
		select($only == "" or ($only | split(" ") | any(. == $n))) | "\(.host) \(.address)"' <<<"$list"
}
declare -A IP; masters=() workers=()
while read -r n a; do masters+=("$n"); IP[$n]=$a; done < <(hosts control-plane)
while read -r n a; do workers+=("$n"); IP[$n]=$a; done < <(hosts worker)
[ ${#masters[@]} -gt 0 ] || { echo "lab $lab has no control planes" >&2; exit 1; }

BIN=/opt/k8s/bin CERT=/etc/kubernetes/cert DATA=/data/k8s SERVICES=10.254.0.0/16 KUBERNETES_IP=10.254.0.1 PODS=172.30.0.0/16

run() { local h=$1; shift; "$quorate" lab exec "$lab/$h" -- "$@"; }
on() { run "$1" bash -seu; } # a script on standard input
put() { run "$1" sh -c 'umask 077; mkdir -p "${1%/*}"; cat >"$1"; chmod "$2" "$1"; chmod 755 "${1%/*}"' sh "$2" "${3:-644}"; }
each() { local f=$1 h; shift; for h in "$@"; do "$f" "$h" & done; local r=0 p; for p in $(jobs -p); do wait "$p" || r=1; done; return $r; }

# --- programs: copies, in a folder of their own
store=$("$quorate" artifacts list -o json)
at() { # FILE: where hosts have it
	jq -re --arg n "$1" '[.files[] | select(.present and .name == $n and (.component != "kubernetes" or .version == "'"$version"'"))][-1].path // empty' <<<"$store" | sed "s,^.*/quorate/store,/usr/share/quorate/store,"
}
programs() {
	local h=$1 p script="mkdir -p $BIN $DATA/kube-nginx/logs $CERT"
	for p in etcd etcdctl etcdutl kube-apiserver kube-controller-manager kube-scheduler kubectl; do script+="; install -m 755 $(at $p) $BIN/$p"; done
	on "$h" <<<"$script; install -m 755 /usr/sbin/nginx $BIN/nginx"
}

# --- certificates, in cfssl's style: RSA 2048, a long subject, PKCS #1 keys, one CA for everything
certificate() { # FILE CN O [SAN...]
	local file=$1 cn=$2 o=$3; shift 3
	local san="" s
	for s in "$@"; do case $s in *[!0-9.]*) san+=",DNS:$s" ;; *) san+=",IP:$s" ;; esac; done
	openssl genrsa -traditional -out "pki/$file-key.pem" 2048 2>/dev/null
	openssl req -new -key "pki/$file-key.pem" -subj "/C=CN/ST=Shang Hai/L=ShangHai/O=$o/OU=System/CN=$cn" -out "pki/$file.csr"
	printf '%s\n' 'keyUsage=critical,digitalSignature,keyEncipherment' 'extendedKeyUsage=serverAuth,clientAuth' 'basicConstraints=critical,CA:FALSE' \
		'subjectKeyIdentifier=hash' 'authorityKeyIdentifier=keyid' ${san:+"subjectAltName=${san#,}"} >"pki/$file.ext"
	openssl x509 -req -in "pki/$file.csr" -CA pki/ca.pem -CAkey pki/ca-key.pem -CAcreateserial -days 3650 -sha256 -extfile "pki/$file.ext" \
		-out "pki/$file.pem" 2>/dev/null
}
certificates() {
	local addresses=() h
	for h in "${masters[@]}"; do addresses+=("${IP[$h]}"); done
	openssl genrsa -traditional -out pki/ca-key.pem 2048 2>/dev/null
	openssl req -x509 -new -key pki/ca-key.pem -days 36500 -sha256 -subj "/C=CN/ST=Shang Hai/L=ShangHai/O=k8s/OU=System/CN=kubernetes-ca" \
		-addext keyUsage=critical,keyCertSign,cRLSign -out pki/ca.pem
	certificate kubernetes kubernetes k8s 127.0.0.1 "${addresses[@]}" $KUBERNETES_IP kubernetes kubernetes.default kubernetes.default.svc \
		kubernetes.default.svc.cluster kubernetes.default.svc.cluster.local k8s.example.org
	certificate etcd etcd k8s 127.0.0.1 "${addresses[@]}"
	certificate admin admin system:masters
	certificate kube-controller-manager system:kube-controller-manager system:kube-controller-manager 127.0.0.1 "${addresses[@]}"
	certificate kube-scheduler system:kube-scheduler system:kube-scheduler 127.0.0.1 "${addresses[@]}"
	certificate proxy-client aggregator k8s
	openssl genrsa -traditional -out pki/sa-key.pem 2048 2>/dev/null
	openssl rsa -in pki/sa-key.pem -pubout -out pki/sa.pem 2>/dev/null
}

kubeconfig() { # NAME USER: with everything in it, by kubectl's own conventions
	cat <<-EOF
	apiVersion: v1
	kind: Config
	clusters:
	- name: kubernetes
	  cluster:
	    certificate-authority-data: $(base64 -w 0 pki/ca.pem)
	    server: https://127.0.0.1:8443
	contexts:
	- name: $2
	  context: {cluster: kubernetes, user: "$2"}
	current-context: "$2"
	users:
	- name: "$2"
	  user:
	    client-certificate-data: $(base64 -w 0 "pki/$1.pem")
	    client-key-data: $(base64 -w 0 "pki/$1-key.pem")
	EOF
}

initial() { local h out=""; for h in "${masters[@]}"; do out+=",${IP[$h]}=https://${IP[$h]}:2380"; done; echo "${out#,}"; }
servers() { local h out=""; for h in "${masters[@]}"; do out+=",https://${IP[$h]}:2379"; done; echo "${out#,}"; }

# --- units
etcd_unit() {
	cat <<-EOF
	[Unit]
	Description=Etcd Server
	After=network.target
	After=network-online.target
	Wants=network-online.target
	Documentation=https://github.com/coreos

	[Service]
	Type=notify
	WorkingDirectory=$DATA/etcd
	ExecStart=$BIN/etcd \\
	  --data-dir=$DATA/etcd/data \\
	  --wal-dir=$DATA/etcd/wal \\
	  --name=$1 \\
	  --cert-file=$CERT/etcd.pem \\
	  --key-file=$CERT/etcd-key.pem \\
	  --trusted-ca-file=$CERT/ca.pem \\
	  --peer-cert-file=$CERT/etcd.pem \\
	  --peer-key-file=$CERT/etcd-key.pem \\
	  --peer-trusted-ca-file=$CERT/ca.pem \\
	  --peer-client-cert-auth \\
	  --client-cert-auth \\
	  --listen-peer-urls=https://$1:2380 \\
	  --initial-advertise-peer-urls=https://$1:2380 \\
	  --listen-client-urls=https://$1:2379,http://127.0.0.1:2379 \\
	  --advertise-client-urls=https://$1:2379 \\
	  --initial-cluster-token=etcd-cluster-0 \\
	  --initial-cluster=$(initial) \\
	  --initial-cluster-state=new \\
	  --auto-compaction-mode=periodic \\
	  --auto-compaction-retention=1 \\
	  --quota-backend-bytes=6442450944 \\
	  --heartbeat-interval=250 \\
	  --election-timeout=2000
	Restart=on-failure
	RestartSec=5
	LimitNOFILE=65536

	[Install]
	WantedBy=multi-user.target
	EOF
}
apiserver_unit() {
	cat <<-EOF
	[Unit]
	Description=Kubernetes API Server
	Documentation=https://github.com/GoogleCloudPlatform/kubernetes
	After=network.target

	[Service]
	WorkingDirectory=$DATA/kube-apiserver
	ExecStart=$BIN/kube-apiserver \\
	  --advertise-address=$1 \\
	  --default-not-ready-toleration-seconds=360 \\
	  --default-unreachable-toleration-seconds=360 \\
	  --max-mutating-requests-inflight=2000 \\
	  --max-requests-inflight=4000 \\
	  --delete-collection-workers=2 \\
	  --encryption-provider-config=/etc/kubernetes/encryption-config.yaml \\
	  --etcd-cafile=$CERT/ca.pem \\
	  --etcd-certfile=$CERT/kubernetes.pem \\
	  --etcd-keyfile=$CERT/kubernetes-key.pem \\
	  --etcd-servers=$(servers) \\
	  --bind-address=$1 \\
	  --secure-port=6443 \\
	  --tls-cert-file=$CERT/kubernetes.pem \\
	  --tls-private-key-file=$CERT/kubernetes-key.pem \\
	  --audit-log-maxage=15 \\
	  --audit-log-maxbackup=3 \\
	  --audit-log-maxsize=100 \\
	  --audit-log-truncate-enabled \\
	  --audit-log-path=$DATA/kube-apiserver/audit.log \\
	  --audit-policy-file=/etc/kubernetes/audit-policy.yaml \\
	  --profiling \\
	  --anonymous-auth=false \\
	  --client-ca-file=$CERT/ca.pem \\
	  --enable-bootstrap-token-auth \\
	  --requestheader-allowed-names="aggregator" \\
	  --requestheader-client-ca-file=$CERT/ca.pem \\
	  --requestheader-extra-headers-prefix="X-Remote-Extra-" \\
	  --requestheader-group-headers=X-Remote-Group \\
	  --requestheader-username-headers=X-Remote-User \\
	  --service-account-issuer=https://kubernetes.default.svc \\
	  --service-account-key-file=$CERT/sa.pem \\
	  --service-account-signing-key-file=$CERT/sa-key.pem \\
	  --authorization-mode=Node,RBAC \\
	  --runtime-config=api/all=true \\
	  --enable-admission-plugins=NodeRestriction \\
	  --allow-privileged=true \\
	  --event-ttl=168h \\
	  --kubelet-certificate-authority=$CERT/ca.pem \\
	  --kubelet-client-certificate=$CERT/kubernetes.pem \\
	  --kubelet-client-key=$CERT/kubernetes-key.pem \\
	  --kubelet-timeout=10s \\
	  --proxy-client-cert-file=$CERT/proxy-client.pem \\
	  --proxy-client-key-file=$CERT/proxy-client-key.pem \\
	  --service-cluster-ip-range=$SERVICES \\
	  --service-node-port-range=30000-32767 \\
	  --v=2
	Restart=on-failure
	RestartSec=10
	Type=notify
	LimitNOFILE=65536

	[Install]
	WantedBy=multi-user.target
	EOF
}
controller_manager_env() { # its flags are in a file
	cat <<-EOF
	# flags of kube-controller-manager
	KUBE_CONTROLLER_MANAGER_OPTS="--profiling \\
	--cluster-name=kubernetes --controllers=*,bootstrapsigner,tokencleaner \\
	--use-service-account-credentials=true --concurrent-service-syncs=2 \\
	--bind-address=0.0.0.0 --leader-elect --allocate-node-cidrs=true --cluster-cidr=$PODS \\
	--kubeconfig=/etc/kubernetes/kube-controller-manager.kubeconfig \\
	--authentication-kubeconfig=/etc/kubernetes/kube-controller-manager.kubeconfig \\
	--authorization-kubeconfig=/etc/kubernetes/kube-controller-manager.kubeconfig \\
	--client-ca-file=$CERT/ca.pem --cluster-signing-cert-file=$CERT/ca.pem --cluster-signing-key-file=$CERT/ca-key.pem \\
	--tls-cert-file=$CERT/kube-controller-manager.pem --tls-private-key-file=$CERT/kube-controller-manager-key.pem \\
	--service-cluster-ip-range=$SERVICES --root-ca-file=$CERT/ca.pem --service-account-private-key-file=$CERT/sa-key.pem --v=2"
	EOF
}
controller_manager_unit() {
	cat <<-'EOF'
	[Unit]
	Description=Kubernetes Controller Manager

	[Service]
	EnvironmentFile=/etc/kubernetes/kube-controller-manager.env
	ExecStart=/opt/k8s/bin/kube-controller-manager $KUBE_CONTROLLER_MANAGER_OPTS
	Restart=on-failure
	RestartSec=5

	[Install]
	WantedBy=multi-user.target
	EOF
}
scheduler_unit() {
	cat <<-EOF
	[Unit]
	Description=Kubernetes Scheduler

	[Service]
	ExecStart=$BIN/kube-scheduler --leader-elect=true --kubeconfig /etc/kubernetes/kube-scheduler.kubeconfig "--bind-address=0.0.0.0" --v=2
	Restart=always
	RestartSec=5

	[Install]
	WantedBy=multi-user.target
	EOF
}
nginx_conf() {
	cat <<-EOF
	# the API servers, for everybody on this host
	load_module /usr/lib/nginx/modules/ngx_stream_module.so;
	worker_processes 1;
	events {
	    worker_connections  1024;
	}
	stream {
	    upstream apiserver {
	      hash \$remote_addr consistent;
	EOF
	local h; for h in "${masters[@]}"; do echo "      server ${IP[$h]}:6443 max_fails=3 fail_timeout=30s;"; done
	cat <<-'EOF'
	    }
	    server {
	      listen *:8443;
	      proxy_connect_timeout 1s;
	      proxy_pass apiserver;
	    }
	}
	EOF
}
nginx_unit() {
	cat <<-EOF
	[Unit]
	Description=kube-apiserver nginx proxy
	After=network.target
	After=network-online.target
	Wants=network-online.target

	[Service]
	Type=forking
	ExecStartPre=$BIN/nginx \\
	             -c $DATA/kube-nginx/kube-nginx.conf \\
	             -p $DATA/kube-nginx -t
	ExecStart=$BIN/nginx \\
	          -c $DATA/kube-nginx/kube-nginx.conf \\
	          -p $DATA/kube-nginx
	ExecReload=$BIN/nginx \\
	           -c $DATA/kube-nginx/kube-nginx.conf \\
	           -p $DATA/kube-nginx -s reload
	PrivateTmp=true
	Restart=always
	RestartSec=5
	LimitNOFILE=65536

	[Install]
	WantedBy=multi-user.target
	EOF
}
units=/etc/systemd/system
nginx_on() {
	nginx_conf | put "$1" $DATA/kube-nginx/kube-nginx.conf
	nginx_unit | put "$1" $units/kube-nginx.service
}
master() {
	local h=$1 f
	programs "$h"
	tar -C pki -c ca.pem ca-key.pem kubernetes.pem kubernetes-key.pem etcd.pem etcd-key.pem proxy-client.pem proxy-client-key.pem sa.pem sa-key.pem \
		kube-controller-manager.pem kube-controller-manager-key.pem | run "$h" tar -C $CERT -x --no-same-owner
	put "$h" /etc/kubernetes/encryption-config.yaml 600 <encryption-config.yaml
	printf 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n' | put "$h" /etc/kubernetes/audit-policy.yaml
	for f in kube-controller-manager kube-scheduler; do kubeconfig $f system:$f | put "$h" /etc/kubernetes/$f.kubeconfig 600; done
	put "$h" /root/.kube/config 600 <admin.kubeconfig
	etcd_unit "${IP[$h]}" | put "$h" $units/kube-etcd.service
	apiserver_unit "${IP[$h]}" | put "$h" $units/kube-apiserver.service
	controller_manager_env | put "$h" /etc/kubernetes/kube-controller-manager.env
	controller_manager_unit | put "$h" $units/kube-controller-manager.service
	scheduler_unit | put "$h" $units/kube-scheduler.service
	nginx_on "$h"
	on "$h" <<-EOF
	mkdir -p $DATA/etcd/data $DATA/etcd/wal $DATA/kube-apiserver; chmod 700 $DATA/etcd/data $DATA/etcd/wal
	systemctl daemon-reload
	systemctl enable -q kube-etcd kube-apiserver kube-controller-manager kube-scheduler kube-nginx
	systemctl start --no-block kube-etcd
	EOF
}
serve() {
	on "$1" <<-EOF
	timeout 120 sh -c 'until systemctl is-active -q kube-etcd; do sleep 0.3; done'
	systemctl start kube-nginx
	systemctl start --no-block kube-apiserver
	timeout 180 sh -c 'until systemctl is-active -q kube-apiserver; do sleep 0.3; done'
	systemctl start kube-controller-manager kube-scheduler
	timeout 120 sh -c 'until curl -sk https://127.0.0.1:10257/healthz && curl -sk https://127.0.0.1:10259/healthz; do sleep 0.3; done' >/dev/null
	EOF
}

# --- workers: containerd, kubelet, kube-nginx
worker() {
	local h=$1 p script="mkdir -p $BIN /opt/cni/bin /var/lib/kubelet $DATA/kube-nginx/logs $CERT /etc/containerd"
	for p in containerd containerd-shim-runc-v2 runc kubelet ctr crictl; do script+="; install -m 755 $(at $p) $BIN/$p"; done
	for p in bridge host-local loopback portmap; do script+="; install -m 755 $(at $p) /opt/cni/bin/$p"; done
	on "$h" <<<"$script; install -m 755 /usr/sbin/nginx $BIN/nginx"
	certificate "kubelet-$h" "system:node:$h" system:nodes "$h" "${IP[$h]}"
	put "$h" $CERT/ca.pem <pki/ca.pem
	put "$h" $CERT/kubelet.pem <"pki/kubelet-$h.pem"
	put "$h" $CERT/kubelet-key.pem 600 <"pki/kubelet-$h-key.pem"
	kubeconfig "kubelet-$h" "system:node:$h" | put "$h" /etc/kubernetes/kubelet.kubeconfig 600
	put "$h" /etc/cni/net.d/10-bridge.conflist <<-EOF
	{"cniVersion":"1.0.0","name":"k8s","plugins":[{"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":true,
	 "ipam":{"type":"host-local","ranges":[[{"subnet":"172.30.${IP[$h]##*.}.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}}]}
	EOF
	put "$h" /etc/containerd/config.toml <<-EOF
	version = 3
	disabled_plugins = ['io.containerd.snapshotter.v1.blockfile', 'io.containerd.snapshotter.v1.devmapper', 'io.containerd.snapshotter.v1.erofs']
	[plugins.'io.containerd.cri.v1.images'.pinned_images]
	  sandbox = 'PAUSE'
	[plugins.'io.containerd.cri.v1.runtime']
	  restrict_oom_score_adj = true
	  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
	    runtime_type = 'io.containerd.runc.v2'
	    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
	      BinaryName = '$BIN/runc'
	      SystemdCgroup = true
	EOF
	put "$h" $units/containerd.service <<-EOF
	[Unit]
	Description=containerd
	[Service]
	Type=notify
	Environment=PATH=$BIN:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	ExecStart=$BIN/containerd
	Delegate=yes
	KillMode=process
	Restart=always
	LimitNOFILE=1048576
	[Install]
	WantedBy=multi-user.target
	EOF
	put "$h" /etc/kubernetes/kubelet-config.yaml <<-EOF
	apiVersion: kubelet.config.k8s.io/v1beta1
	kind: KubeletConfiguration
	authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $CERT/ca.pem}}
	authorization: {mode: Webhook}
	tlsCertFile: $CERT/kubelet.pem
	tlsPrivateKeyFile: $CERT/kubelet-key.pem
	clusterDomain: cluster.local
	cgroupDriver: systemd
	failCgroupV1: false
	oomScoreAdj: 0
	evictionHard: {memory.available: 100Mi, nodefs.available: 1%}
	EOF
	put "$h" $units/kubelet.service <<-EOF
	[Unit]
	Description=Kubernetes Kubelet
	After=containerd.service
	Requires=containerd.service
	[Service]
	WorkingDirectory=/var/lib/kubelet
	ExecStart=$BIN/kubelet \\
	  --kubeconfig=/etc/kubernetes/kubelet.kubeconfig \\
	  --config=/etc/kubernetes/kubelet-config.yaml \\
	  --hostname-override=$h \\
	  --node-ip=${IP[$h]} \\
	  --v=2
	Restart=always
	RestartSec=5
	[Install]
	WantedBy=multi-user.target
	EOF
	nginx_on "$h"
	on "$h" <<-EOF
	systemctl daemon-reload
	systemctl enable -q containerd kubelet kube-nginx
	systemctl start containerd kube-nginx
	$BIN/ctr -n k8s.io images import --local $images >/dev/null
	sed -i "s,PAUSE,\$($BIN/ctr -n k8s.io images ls -q | grep /pause: | head -n 1)," /etc/containerd/config.toml
	systemctl restart containerd
	systemctl start kubelet
	EOF
}

kubectl() { run "${masters[0]}" $BIN/kubectl "$@"; }

certificates
printf 'apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  providers:\n  - aescbc: {keys: [{name: key1, secret: %s}]}\n  - identity: {}\n' \
	"$(openssl rand -base64 32)" >encryption-config.yaml
kubeconfig admin admin >admin.kubeconfig
each master "${masters[@]}"
each serve "${masters[@]}"
kubectl create clusterrolebinding kube-apiserver:kubelet-apis --clusterrole=system:kubelet-api-admin --user kubernetes
if [ ${#workers[@]} -gt 0 ]; then
	images=$(at images-systemd.tar || at images-kubeadm.tar)
	each worker "${workers[@]}"
	timeout 120 sh -c "until \"$quorate\" lab exec $lab/${masters[0]} -- $BIN/kubectl get nodes | grep -w Ready >/dev/null; do sleep 1; done"
fi
echo "$dir"
