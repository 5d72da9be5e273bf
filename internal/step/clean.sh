# Takes off a host what quorate put there for one cluster. $1: the cluster's
# name; $2: "stop" (services and pods only; etcd and containerd go on) or "clean".
#
# On a host that others have set up $found is set: see cleanfound.sh.
#
# Repeatable from any half: the marker goes last. Keys,
# etcd's data and configuration are moved to $AT_KEPT/<UTC time>,
# never deleted, but for what a host that leaves may not keep. That is what
# follows the mode: SHA-256 of the cluster's files, whose copies are destroyed
# with all private keys of the host, and "data": etcd's, which a snapshot holds
# elsewhere. stdout tells in lines: "kept PLACE", "left WHAT", "destroyed WHAT".
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
cluster=$1 mode=$2
shift 2
leaves=" $* "
marker=$AT_MARKER bin=$AT_BIN sock=unix://$AT_CONTAINERD_SOCKET
kubelet=$UNIT_KUBELET.service containerd=$UNIT_CONTAINERD.service etcd=$UNIT_ETCD.service

die() {
	echo "$1" >&2
	exit 1
}

# ours: the names of the units that carry this cluster's mark.
ours() {
	for f in "$AT_UNITS"/*.service; do
		if [ -f "$f" ] && grep -qxF "X-Quorate=$cluster" "$f"; then basename "$f"; fi
	done
}

# end UNIT...: stops units, side by side, for good.
end() {
	[ $# -gt 0 ] || return 0
	systemctl disable -q --no-reload "$@" 2>/dev/null
	systemctl stop "$@" || die "of $*, one does not stop"
}

# mounts DIR: what is mounted strictly below, deepest first.
mounts() {
	awk -v d="$1/" '{ gsub(/\\040/, " ", $5); if (index($5, d) == 1) print $5 }' /proc/self/mountinfo | sort -r
}

# release DIR: unmounts what is below.
release() {
	mounts "$1" | while IFS= read -r m; do umount -- "$m" 2>/dev/null || umount -l -- "$m" 2>/dev/null; done
}

# empty DIR: its content goes, the folder stays if it is a mount point. Nothing
# is deleted through a mount: it may lead to data of somebody's own.
empty() {
	[ -d "$1" ] || return 0
	m=$(mounts "$1" | head -n 1)
	[ -z "$m" ] || die "$m is still mounted, so that $1 was not emptied; unmount it, then run the same command again"
	find "$1" -xdev -mindepth 1 -delete || die "$1 cannot be emptied"
	bare "$1"
}

# bare DIR: an empty folder goes, or is as open as a new mount point.
bare() { rmdir -- "$1" 2>/dev/null || [ -n "$(ls -A "$1" 2>/dev/null)" ] || chmod 755 "$1" 2>/dev/null; }

# prune DIR N: of a folder and those above it, N in all, the empty ones go.
prune() {
	p=$1 n=$2
	while [ $n -gt 0 ]; do
		rmdir -- "$p" 2>/dev/null
		p=${p%/*} n=$((n - 1))
	done
}

# keep PATH...: moves each to the kept folder of this run.
keep() {
	for p; do
		[ -e "$p" ] || continue
		if [ -z "$kept" ]; then
			mkdir -p -m 700 $AT_KEPT || die "$AT_KEPT cannot be made"
			at=$AT_KEPT/$(date -u +%Y%m%dT%H%M%SZ) n=1 kept=$at
			while [ -e "$kept" ]; do n=$((n + 1)) kept=$at-$n; done
			echo "kept $kept"
		fi
		mkdir -p -m 700 "$kept" && mkdir -p "$kept${p%/*}" && mv -- "$p" "$kept${p%/*}/" || die "$p cannot be moved to $kept${p%/*}; is there space?"
	done
}

# destroy FILE...: overwritten, as far as the disk lets one, then removed.
destroy() {
	for f; do
		shred -n 1 -u -- "$f" 2>/dev/null || rm -f -- "$f"
		[ ! -e "$f" ] || die "$f cannot be destroyed"
		destroyed=$((destroyed + 1))
	done
}

# unwelcome: of the file on stdin, whether it is one that may not stay.
unwelcome() { case $leaves in *" $(sha256sum | cut -c 1-64) "*) ;; *) return 1 ;; esac; }

# private DIR: its files with private keys, and with what encrypts etcd's data.
private() { grep -rlsE -e '-----BEGIN ([A-Z]+ )?PRIVATE KEY-----' -e 'client-key-data:' -e '^kind: "?EncryptionConfiguration' "$1"; }

# keys_here: the files with keys that go from where they lie.
keys_here() { if [ -n "$found" ]; then found_private; else private $AT_KUBERNETES; fi; }

# destroy_keys: those of the host, and copies of the cluster's in what was kept.
# A kept folder with the CA of another cluster is none of ours.
destroy_keys() {
	destroyed=0
	while IFS= read -r f; do [ -z "$f" ] || destroy "$f"; done <<-END
		$(keys_here)
	END
	for k in $AT_KEPT/*; do
		own=no
		[ -e "$k$AT_CA_CERT" ] && ! unwelcome <"$k$AT_CA_CERT" || own=yes
		while IFS= read -r f; do
			[ -n "$f" ] || continue
			if [ $own = yes ] && { [ -z "$found" ] || kubeadms_key "$f"; } || unwelcome <"$f"; then destroy "$f"; fi
		done <<-END
			$(private "$k$AT_KUBERNETES"; case $AT_PKI in ($AT_KUBERNETES/*) ;; (*) private "$k$AT_PKI" ;; esac)
		END
	done
	for f in $AT_SNAPSHOTS/*.keys.tar; do
		[ -f "$f" ] || continue
		if tar -xOf "$f" "${AT_CA_KEY#/}" 2>/dev/null | unwelcome; then destroy "$f"; else echo "left $f: it holds other keys"; fi
	done
	[ $destroyed = 0 ] || echo "destroyed $destroyed files with keys"
}

# private_copies: goes with the copies that services read of root's files, and
# with the users that they belonged to.
private_copies() {
	for u in $UNIT_ETCD $UNIT_API_SERVER $UNIT_CONTROLLER_MANAGER $UNIT_SCHEDULER $UNIT_FRONT_DOOR $UNIT_BALANCER $USER_DOORS; do
		if [ -d "$AT_STATE/$u" ]; then
			find "$AT_STATE/$u" -xdev -type f -exec shred -n 1 -u -- {} + 2>/dev/null
			rm -rf "${AT_STATE:?}/$u" || die "$AT_STATE/$u cannot be removed"
		fi
		case $(getent passwd "$u") in *:quorate:*) userdel "$u" || echo "left the user $u" ;; esac
	done
}

# written PATH...: removes the files that say that quorate wrote them.
written() {
	for p; do
		[ -f "$p" ] || continue
		if head -n 1 "$p" | grep -q 'Written by quorate'; then rm -f -- "$p"; else echo "left $p, which quorate did not write"; fi
	done
}

# pods: the processes of pods, and the shims of their containers. This machine
# may itself be a container in a pod: what its first process has says nothing.
pods() {
	base=$(grep -o kubepods /proc/1/cgroup | wc -l)
	grep -s -H kubepods /proc/[0-9]*/cgroup |
		awk -F/ -v base="$base" '{ n[$3] += gsub(/kubepods/, "") } END { for (p in n) if (n[p] > base) print p }'
	for f in $(grep -s -a -l containerd-shim-runc-v2 /proc/[0-9]*/cmdline); do
		if tr '\0' ' ' <"$f" 2>/dev/null | grep -q '^[^ ]*containerd-shim-runc-v2 .*-namespace k8s.io '; then echo "$f" | cut -d/ -f3; fi
	done
}

crictl=$bin/crictl
[ -x "$crictl" ] || crictl=$(command -v crictl)
@FOUND@
end_pods() {
	if [ -n "$crictl" ] && systemctl is-active -q $containerd; then
		# Where etcd is a static pod it goes on, as its unit would.
		stay= all=-a
		[ "$mode" = clean ] || stay=$("$crictl" -r $sock -i $sock pods -q --namespace kube-system --name "^$UNIT_ETCD-" 2>/dev/null)
		if [ -n "$stay" ]; then all=$("$crictl" -r $sock -i $sock pods -q | grep -vxF "$stay"); fi
		[ -z "$all" ] || timeout 120 "$crictl" -r $sock -i $sock rmp -f $all >/dev/null 2>&1 || true
	fi
	[ "$mode" = clean ] || return 0
	if ours | grep -qxF $containerd; then systemctl stop $containerd || die "$containerd does not stop"; fi
	for s in TERM KILL KILL; do
		list=$(pods)
		[ -n "$list" ] || return 0
		kill -s $s $list 2>/dev/null
		for i in 1 2 3 4 5 6 7 8 9 10; do
			[ -n "$(pods)" ] || return 0
			sleep 0.3
		done
	done
	die "processes of pods do not end: $(pods | tr '\n' ' ')"
}

# chains TOOL: what a kubelet and an older kube-proxy leave in iptables.
chains() {
	command -v "$1" >/dev/null || return 0
	for t in mangle nat filter; do
		rules=$("$1" -w 5 -t $t -S 2>/dev/null) || continue
		echo "$rules" | sed -n 's/^-A \(.* -j KUBE-.*\)/-D \1/p' | xargs -r -L 1 "$1" -w 5 -t $t 2>/dev/null
		for verb in -F -X; do
			echo "$rules" | sed -n 's/^-N \(KUBE-[^ ]*\)$/\1/p' | while read -r c; do "$1" -w 5 -t $t $verb "$c" 2>/dev/null; done
		done
	done
	return 0
}

owner=$(cat $marker 2>/dev/null)
[ -z "$owner" ] || [ "$owner" = "$cluster" ] || die "this host belongs to the cluster \"$owner\" and not to \"$cluster\"; nothing was changed"
if [ -z "$owner" ] && [ -z "$(ours)" ]; then
	echo "left everything: nothing of quorate runs here$([ ! -d $AT_KEPT ] || echo ", and what it held before is in $AT_KEPT")"
	exit 0
fi

# Earlier work of quorate that still goes on; this unit's own name is spared.
for f in /run/systemd/transient/quorate-*.service; do
	u=$(basename "$f")
	if [ -f "$f" ] && [ "$u" != quorate-clean.service ]; then systemctl stop "$u" 2>/dev/null; fi
done

# The kubelet first, so that it starts no container again; etcd and containerd
# go on for the moment.
[ -z "$found" ] || able
units=$(ours)
soon=$(echo "$units" | grep -vxF -e $etcd -e $containerd -e $kubelet)
late=$(echo "$units" | grep -xF -e $etcd -e $containerd)
if [ -n "$found" ] || echo "$units" | grep -qxF $kubelet; then end $kubelet; fi
[ -z "$found" ] || name_manifests
if [ "$mode" = stop ]; then # a kubelet that comes back would run them
	kept=
	for f in $AT_MANIFESTS/*.yaml; do
		case $f in */$UNIT_ETCD.yaml) ;; *) keep "$f" ;; esac
	done
fi
end $soon
end_pods
[ "$mode" = clean ] || exit 0

end $late
# A load balancer of another kind, without its unit file, may still finish what it has begun.
for u in $UNIT_FRONT_DOOR $UNIT_BALANCER $UNIT_HAPROXY $UNIT_KEEPALIVED; do [ -e "$AT_UNITS/$u.service" ] || systemctl stop "$u" 2>/dev/null; done
for d in $AT_KUBELET/pods $AT_KUBELET/plugins; do release $d; done
[ -n "$found" ] || [ -e /var/lib/docker ] || { release $AT_CONTAINERD_STATE; release $AT_CONTAINERD_ROOT; }
systemctl stop kubepods.slice 2>/dev/null
for n in /run/netns/cni-*; do
	[ -e "$n" ] && [ -z "$found" ] || continue # others may use such, too
	umount "$n" 2>/dev/null
	rm -f "$n"
done

# The kernel's tables.
[ ! -x $bin/kube-proxy ] || timeout 30 $bin/kube-proxy --cleanup >/dev/null 2>&1
for f in 'ip kube-proxy' 'ip6 kube-proxy' 'inet quorate_apiserver' 'inet quorate_etcd'; do nft delete table $f 2>/dev/null; done
chains iptables
chains ip6tables
if [ -z "$found" ]; then
	:
@LEFTOVERS@
fi

# What is worth keeping.
kept=
case $leaves in *[0-9a-f]*) destroy_keys ;; esac
case $leaves in *" data "*)
	if [ -d $AT_ETCD_DATA/member ]; then
		find $AT_ETCD_DATA/member -xdev -type f -exec shred -n 1 -u -- {} + 2>/dev/null
		rm -rf $AT_ETCD_DATA/member || die "$AT_ETCD_DATA/member cannot be destroyed"
		echo "destroyed etcd's data"
	fi
	;;
esac
[ ! -d $AT_ETCD_DATA ] || chown -R root:root $AT_ETCD_DATA # its user goes
if [ -n "$found" ]; then keep $kubeadms; else keep $AT_KUBERNETES; fi
keep $AT_ETCD_DATA/member $AT_ETCD_DATA/.quorate-old
private_copies
rm -rf $AT_ETCD_DATA/.quorate-new $AT_ETCD_DATA/.quorate-recovery-* $AT_RESTORE
bare $AT_ETCD_DATA

# Everything else.
for u in $units; do rm -f "$AT_UNITS/$u"; done
systemctl daemon-reload
for u in $units; do systemctl reset-failed -q "$u" 2>/dev/null; done
empty $AT_KUBELET
if [ -n "$found" ]; then :; elif [ -e /var/lib/docker ]; then echo "left $AT_CONTAINERD_ROOT: Docker may use it"; else
	empty $AT_CONTAINERD_ROOT
	empty $AT_CONTAINERD_STATE
fi
for f in $AT_COMMANDS/*; do case $(readlink "$f") in $AT_VERSIONS/*) rm -f "$f" ;; esac; done
[ -n "$found" ] || rm -rf $AT_KUBE_PROXY $AT_API_SERVER_LOGS
rm -rf $AT_PROGRAMS $AT_FRONT_DOOR_STATE $AT_STORE $AT_POD_LOGS $AT_CONTAINER_LOGS \
	$AT_STAGE $AT_ETCD_BOOTSTRAP $AT_ROUTES_RUN $AT_HAPROXY_RUN $AT_KEEPALIVED_RUN $AT_FRONT_DOOR_RUN ${AT_BALANCER_LEAVING%/*} $AT_API_SERVER_RUN \
	$AT_CNI_STATE/networks/quorate $AT_CNI_STATE/results/quorate-* $AT_CONFLIST
if [ -n "$found" ]; then
	name_left
else
	for d in $AT_CNI_STATE/networks $AT_CNI_STATE/results $AT_CNI_STATE/cache $AT_CNI_STATE \
		$AT_CONTAINERD_OPT/bin $AT_CONTAINERD_OPT/lib $AT_CONTAINERD_OPT; do rmdir "$d" 2>/dev/null; done
	prune $AT_CNI_CONF 2
	prune $AT_VOLUME_PLUGINS 4
	written $AT_CONTAINERD_CONFIG $AT_MODULES $AT_SYSCTLS $AT_CRICTL
	rmdir "${AT_CONTAINERD_CONFIG%/*}" 2>/dev/null
fi
if grep -q '^# BEGIN quorate' /etc/hosts; then
	# Of a block without an end only the mark goes: what follows may be the user's.
	new=/etc/.quorate-hosts
	rm -f $new
	cp -p /etc/hosts $new && awk '
		/^# BEGIN quorate[ \t]*$/ && !held { held = 1; n = 0; next }
		held && /^# END quorate[ \t]*$/ { held = 0; next }
		held { lines[n++] = $0; next }
		{ print }
		END { if (held) for (i = 0; i < n; i++) print lines[i] }' /etc/hosts >$new &&
		{ mv -f $new /etc/hosts 2>/dev/null || { cat $new >/etc/hosts && rm -f $new; }; } || die "the block in /etc/hosts cannot be removed"
fi
sync
# The marker last: by it a run that was cut short goes on.
find "$AT_CONFIG" -mindepth 1 ! -path "$marker" -delete 2>/dev/null
rm -rf "$AT_CONFIG"
exit 0
