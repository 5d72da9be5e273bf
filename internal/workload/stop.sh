# stop_services NAME...: stops services until something starts them again. An
# API server is killed: its etcd is about to go, and it would try for a minute to
# end in good order. The manifest of a static pod is kept below the folder $k,
# for the kubelet runs what lies in its place. Needs the layout's variables.
stop_services() {
	units=
	for n; do
		if [ ! -e "$AT_MANIFESTS/$n.yaml" ]; then
			[ "$n" != "$UNIT_API_SERVER" ] || systemctl kill -s KILL "$n.service" || true
			units="$units $n.service"
			continue
		fi
		mkdir -p -m 700 "$AT_KEPT" && mkdir -p "$k$AT_MANIFESTS" && mv "$AT_MANIFESTS/$n.yaml" "$k$AT_MANIFESTS/" || return 1
		for p in $(runtime pods -q --namespace kube-system --name "^$n-"); do
			runtime stopp "$p" >/dev/null && runtime rmp -f "$p" >/dev/null || return 1
		done
	done
	[ -z "$units" ] || systemctl stop $units
}

runtime() { $AT_BIN/crictl -r unix://$AT_CONTAINERD_SOCKET -i unix://$AT_CONTAINERD_SOCKET "$@"; }

# service_state NAME: systemd's word for a unit; "static pod" where there is a
# manifest, for the kubelet runs what lies there.
service_state() {
	if [ -e "$AT_MANIFESTS/$1.yaml" ]; then echo "static pod"; else systemctl is-active "$1.service" || true; fi
}

