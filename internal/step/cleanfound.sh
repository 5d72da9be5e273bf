# What cleaning means on a host that others have set up with kubeadm. $found is set
# there. Its runtime, packages, pod network and whatever else stands on it are left,
# and named; of the cluster goes what `kubeadm reset` takes away, and what a kubelet and
# a kube-proxy have made in the kernel.

# kubeadms: the files below /etc/kubernetes that kubeadm writes, and its folders of
# manifests, certificates and backups.
kubeadms="$AT_MANIFESTS $AT_PKI $AT_KUBERNETES/tmp"
for f in admin super-admin kubelet bootstrap-kubelet controller-manager scheduler; do kubeadms="$kubeadms $AT_CONF/$f.conf"; done

# able: can its pods be ended? Asked before anything is.
able() {
	if [ "$mode" = clean ] && ! ours | grep -qxF $etcd && systemctl is-active -q $etcd; then
		die "$etcd, which quorate did not write, still runs: stop and disable it, then apply again"
	fi
	[ -z "$(pods)" ] || {
		[ -n "$crictl" ] || die "crictl is not on this host, and without it its pods cannot be ended: install cri-tools, then apply again"
		timeout 30 "$crictl" -r $sock -i $sock pods -q >/dev/null 2>&1 ||
			die "the container runtime does not answer on $AT_CONTAINERD_SOCKET, so that the pods cannot be ended: start it, then apply again"
	}
}

# kubeadms_key FILE: it has a key that kubeadm makes for one host.
kubeadms_key() {
	case $1 in
	*/admin.conf | */super-admin.conf | */kubelet.conf | */bootstrap-kubelet.conf | */controller-manager.conf | */scheduler.conf) ;;
	*/apiserver.key | */apiserver-kubelet-client.key | */apiserver-etcd-client.key | */front-proxy-client.key) ;;
	*/etcd/server.key | */etcd/peer.key | */etcd/healthcheck-client.key) ;;
	*) return 1 ;;
	esac
}

# found_private: what of its keys may not stay: those that kubeadm makes for the host,
# and copies of the cluster's. Keys of somebody else beside them are kept.
found_private() {
	private "$AT_KUBERNETES/tmp"
	for d in $kubeadms; do
		case $d in */tmp) ;; *) private "$d" ;; esac
	done | while IFS= read -r f; do if kubeadms_key "$f" || unwelcome <"$f"; then echo "$f"; fi; done
}

# name_manifests: static pods that kubeadm did not make end with the kubelet.
name_manifests() {
	for f in $AT_MANIFESTS/*.yaml $AT_MANIFESTS/*.yml $AT_MANIFESTS/*.json; do
		case $f in
		*/'*'.*) ;;
		*/$UNIT_ETCD.yaml | */$UNIT_API_SERVER.yaml | */$UNIT_CONTROLLER_MANAGER.yaml | */$UNIT_SCHEDULER.yaml) ;;
		*) echo "left the static pod ${f##*/} without a kubelet that runs it; its manifest is kept with the others" ;;
		esac
	done
}

# name_left: what else stands there and has to do with the cluster.
name_left() {
	echo "left the container runtime with its images, and the packages of kubelet and kubeadm; the kubelet is disabled"
	for f in "$AT_KUBERNETES"/* "$AT_API_SERVER_LOGS" "$AT_KUBE_PROXY"; do
		if [ -d "$f" ] && [ -z "$(ls -A "$f")" ] || [ ! -e "$f" ]; then continue; fi
		echo "left $f, which kubeadm did not make$([ -z "$(private "$f")" ] || echo "; there are private keys in it")"
	done
	case $leaves in *[0-9a-f]*) [ -z "$kept" ] || private "$kept$AT_PKI" | sed 's/^/left /; s/$/, a key that kubeadm did not make/' ;; esac
	for f in "$AT_CNI_CONF"/*; do [ ! -e "$f" ] || echo "left $f of the pod network: remove it before the host joins another cluster"; done
	links=$(ip -o link show 2>/dev/null | sed -nE 's/^[0-9]+: (cni[0-9]+|flannel[.0-9]+|vxlan\.calico|tunl0|cilium_[a-z]+|weave|kube-bridge|kube-ipvs0|nodelocaldns)[@:].*/\1/p')
	[ -z "$links" ] || echo "left the network interfaces" $links "(a restart of the host removes them)"
	if [ -e /proc/net/ip_vs ] && [ "$(wc -l </proc/net/ip_vs)" -gt 3 ]; then
		echo "left IPVS rules: where nothing else uses IPVS, ipvsadm --clear removes them"
	fi
	for f in /root/.kube/config /home/*/.kube/config; do [ ! -f "$f" ] || echo "left $f, which may still hold a credential of the cluster"; done
}
