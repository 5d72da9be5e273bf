# stop_services NAME...: stops services until something starts them again. An
# API server is killed: its etcd is about to go, and it would try for a minute to
# end in good order. The manifest of a static pod is kept below the folder $k,
# for the kubelet runs what lies in its place. Needs the layout's variables.
stop_services() {
	units=
	for n; do
		if [ -e "$AT_MANIFESTS/$n.yaml" ]; then
			mkdir -p -m 700 "$AT_KEPT" && mkdir -p "$k$AT_MANIFESTS" && mv "$AT_MANIFESTS/$n.yaml" "$k$AT_MANIFESTS/" || return 1
			end_pods "$n" || return 1
		elif no_unit "$n"; then
			end_pods "$n" || return 1 # its manifest was moved by a run that was cut short
		else
			[ "$n" != "$UNIT_API_SERVER" ] || systemctl kill -s KILL "$n.service" || true
			units="$units $n.service"
		fi
	done
	[ -z "$units" ] || systemctl stop $units
}

# no_unit NAME: systemd knows none, nor runs one whose file is gone.
no_unit() {
	[ "$(systemctl show -p LoadState "$1.service")" = LoadState=not-found ] || return 1
	case $(systemctl show -p ActiveState "$1.service") in ActiveState=inactive | ActiveState=failed) ;; *) return 1 ;; esac
}

# end_pods NAME: removes the static pods of a manifest that is gone. The kubelet
# does the same meanwhile, so that one may be gone when its turn comes.
end_pods() {
	[ -n "$crictl" ] || return 0 # its kubelet ends them alone
	tries=0
	while pods=$(runtime pods -q --namespace kube-system --name "^$1-") || return 1 && [ -n "$pods" ]; do
		if said=$(runtime stopp $pods 2>&1 && runtime rmp -f $pods 2>&1); then continue; fi
		tries=$((tries + 1))
		if [ $tries -gt 20 ]; then
			echo "$said" >&2
			return 1
		fi
		sleep 1
	done
}

crictl=$AT_BIN/crictl
[ -x "$crictl" ] || crictl=$(command -v crictl) || crictl=
runtime() { "$crictl" -r unix://$AT_CONTAINERD_SOCKET -i unix://$AT_CONTAINERD_SOCKET "$@"; }

# service_state NAME: systemd's word for a unit; "static pod" where there is a
# manifest, for the kubelet runs what lies there.
service_state() {
	if [ -e "$AT_MANIFESTS/$1.yaml" ]; then echo "static pod"; else systemctl is-active "$1.service" || true; fi
}

