# Read-only. Prints what quorate must know of this host, in frames of host.Ask.
# By the host's layout ($AT_…, $PORT_…, $UNIT_…). $PATHS: files to digest; $PEMS: certificates to print, each with its key (CERT:KEY); $KEYS: shared keys to
# print; $NEEDS: commands that must be there; $SYSCTLS; $ETCDS: etcd as others ask it; $ENDPOINT, as host:port; $PODS and $ONCE: see workload.ProbeVars.
# Every process that it starts costs a busy host a millisecond or more, so that what the shell can do itself it does.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# show FILE: cat for a short text.
show() { [ -f "$1" ] || return 0; while IFS= read -r l || [ -n "$l" ]; do printf '%s\n' "$l"; done <"$1"; }
frame "os"; show /etc/os-release
U=$(uname -rm) # the release always comes first
frame "arch"; echo "${U##* }"
frame "kernel"; echo "${U% *}"
frame "cpus"; nproc
frame "memory"; while read -r k v l; do case $k in MemTotal:) echo "$v"; break ;; esac; done </proc/meminfo
frame "hostname"; show /proc/sys/kernel/hostname
frame "machine-id"; show /etc/machine-id
frame "swap"; [ ! -f /proc/swaps ] || { read -r l; while read -r l; do echo "$l"; done; } </proc/swaps
frame "cgroup"; [ -f /sys/fs/cgroup/cgroup.controllers ] && echo v2 || echo v1
frame "resolv"; [ -e /run/systemd/resolve/resolv.conf ] && case $(show /etc/resolv.conf) in *127.0.0.53*) echo /run/systemd/resolve/resolv.conf ;; esac
frame "marker"; show $AT_MARKER
frame "foreign"
for f in $AT_FOREIGN; do [ -e "$f" ] && echo "$f"; done
for f in $AT_MANIFESTS/*.yaml; do
	n=${f##*/} n=${n%.yaml}
	[ -e "$f" ] || continue
	case " $MADE " in *" $n "*) [ ! -e $AT_MARKER ] || continue ;; esac # kubeadm writes no mark of ours
	case " $PODS " in *" $n "*) ! grep -q '^    quorate.dev/cluster: ' "$f" || continue ;; esac
	echo "$f"
done
set --
for u in $UNIT_ETCD $UNIT_API_SERVER $UNIT_CONTROLLER_MANAGER $UNIT_SCHEDULER $UNIT_KUBELET $UNIT_KUBE_PROXY $UNIT_CONTAINERD $UNIT_FRONT_DOOR $UNIT_BALANCER \
	$UNIT_HAPROXY $UNIT_KEEPALIVED; do
	f=$AT_UNITS/$u.service # a masked unit is nobody's
	[ -e "$f" ] && { [ ! -L "$f" ] || [ "$(readlink "$f")" != /dev/null ]; } || continue
	case " $PODS " in *" $u "*) echo "$f" ;; *) set -- "$@" "$f" ;; esac # it would run twice
done
[ $# = 0 ] || grep -L '^X-Quorate=' "$@" 2>/dev/null
if [ ! -e $AT_MARKER ] && ss -Hxl 2>/dev/null | grep -qF " $AT_CONTAINERD_SOCKET "; then
	echo "a container runtime on $AT_CONTAINERD_SOCKET"
fi
frame "address"; ip -o addr show 2>/dev/null
frame "sums"; sha256sum $PATHS $AT_BALANCER_CONFIG 2>/dev/null
frame "modes"; stat -L -c '%a %U:%G %n' $PATHS 2>/dev/null
# Programs: where they link to; of what digest they are, and where they lie in the end, for their folder is named by
# the digest that they must have.
frame "links"; set --
L=$(find -H $AT_BIN $AT_CNI_BIN $AT_COMMANDS -mindepth 1 -maxdepth 1 ! -name '.*' -printf '%p %l\n' 2>/dev/null)
while read -r f l; do
	case $f in $AT_COMMANDS/*) case $l in $AT_VERSIONS/*) ;; *) continue ;; esac ;; esac
	[ ! -s "$f" ] || echo "$f $l"
	[ ! -f "$f" ] || set -- "$@" "$f"
done <<END
$L
END
frame "programs"; digests "$@"
frame "stored"; [ $# = 0 ] || { printf '%s\n' "$@"; readlink -f -- "$@"; }
# @SERVICES@
frame "etcd"
serves=yes
if is_up $UNIT_ETCD; then
	H=$(said $UNIT_ETCD.1); echo "health $H"
	case $H in *'"health":"true"'*) ;; *) is_active $UNIT_ETCD && serves= ;; esac
	echo "local $(said $UNIT_ETCD.2)"
fi
# After its health: one that has just come up has data by now.
frame "bootstrapped"; [ -e $AT_BOOTSTRAPPED ] && echo yes
frame "data"; [ -d $AT_ETCD_DATA/member ] && echo yes
# Of which cluster: every file of the log begins with that.
frame "wal"; for f in $AT_ETCD_DATA/member/wal/*.wal; do :; done; [ -f "$f" ] && od -A n -v -t x1 -N 128 "$f"
frame "superseded"; show $AT_SUPERSEDED
frame "unfenced"; [ -e $AT_UNFENCED ] && echo yes
# A recovery whose survivor this is; its data is made of etcd's own, which must not have changed since.
frame "recovery"; show $AT_RECOVERY
frame "staged"; for d in $AT_ETCD_DATA/.quorate-recovery-*; do
	[ -d "$d/member" ] || continue
	[ -d $AT_ETCD_DATA/member ] && [ -n "$(find $AT_ETCD_DATA/member -newer "$d" -print -quit)" ] && s=stale || s=fresh
	echo "${d#*.quorate-recovery-} $s"
done
frame "replaced"; [ -d $AT_ETCD_DATA/.quorate-old/member ] && echo yes
# The member cannot go on from what it has: its log is not the one that its peers know.
frame "lost"
is_active $UNIT_ETCD || { [ -d $AT_ETCD_DATA/member ] && recent_log $UNIT_ETCD | grep -qF 'Was the raft log corrupted, truncated, or lost' && echo yes; }
R=
frame "readyz"; is_up $UNIT_API_SERVER && { R=$(said $UNIT_API_SERVER.1); echo "$R"; [ "$R" = ok ] || ! is_active $UNIT_API_SERVER || serves=; }
# The certificate that it shows: is it good for the endpoint's name?
frame "name"; [ "$R" != ok ] || case $(said name) in
'' | 000) curl -qs -m 3 -o /dev/null --cacert $AT_CA_CERT --connect-to "::127.0.0.1:$PORT_API_SERVER" "https://$ENDPOINT/"; echo $? ;; # why not?
*) echo 0 ;;
esac
# What was ready once and does not serve may wait for an etcd that is silent (curl: 28 is a time-out; who refuses is not).
frame "silent"; [ -n "$serves" ] || { for u in $ETCDS; do { curl -sk -m 2 -o /dev/null $u/; [ $? -ne 28 ] || echo "$u"; } & done; wait; }
# The kubelet's way to the API: by its file, what the name there means here, and where its connections lead.
S=; [ ! -f $AT_KUBELET_CONF ] || while read -r k v; do case $k in server:) S=$v; break ;; esac; done <$AT_KUBELET_CONF
frame "server"; echo "$S"
S=${S#*://}; S=${S%%/*}
frame "resolved"; case $S in *[a-z]*) timeout 2 getent ahosts "${S%:*}" 2>/dev/null ;; esac
# What the balancer has in use.
frame "balancer"; is_up $UNIT_BALANCER && said $UNIT_BALANCER.1
# What HAProxy says of the servers behind it.
frame "rotation"; is_up $UNIT_HAPROXY && { @ROTATION@; }
# Where nginx's module lies, or will lie once its package is there.
stream=$AT_FRONT_DOOR_STREAM
if [ ! -e $stream ] && { [ -e $AT_FRONT_DOOR_STREAM64 ] || ! command -v apt-get && command -v dnf; } >/dev/null 2>&1; then stream=$AT_FRONT_DOOR_STREAM64; fi
frame "stream"; echo $stream
frame "needs"; for n in $NEEDS; do case $n in $AT_FRONT_DOOR_STREAM) [ -e $stream ] ;; /*) [ -e "$n" ] ;; *) command -v "$n" >/dev/null 2>&1 ;; esac || echo "$n"; done
frame "sysctls"
for k in $SYSCTLS; do
	f=/proc/sys v=; IFS=.; for l in $k; do f=$f/$l; done; unset IFS
	[ ! -f "$f" ] || read -r v <"$f"
	echo "$k=$v"
done
# containerd's database has a new ctime after each change; while it has none, the images are those of the last look.
frame "images"
key= list= why= v=$(stat -c '%d:%i:%s:%.9Z' $AT_CONTAINERD_ROOT/io.containerd.metadata.v1.bolt/meta.db 2>/dev/null)
[ ! -f $AT_RUN/images ] || { read -r key; while read -r l; do list="$list$l$NL"; done; } <$AT_RUN/images
if [ -z "$v" ] || [ "$key" != "$v" ]; then
	list=
	if ! is_up $UNIT_CONTAINERD; then
		[ -z "$v" ] || why="containerd is not running"
	elif ! list=$($AT_BIN/ctr -n k8s.io images ls -q 2>/dev/null); then
		list= why="containerd does not say which it has"
	elif [ -n "$v" ]; then
		(umask 077 && mkdir -p $AT_RUN && printf '%s\n' "$v" "$list" >$AT_RUN/images.$$ && mv -f $AT_RUN/images.$$ $AT_RUN/images) 2>/dev/null
	fi
fi
echo "$list"
frame "imageless"; echo "$why"
# Who listens, and where the connections of kubelet and kube-proxy lead, by their files or still to an API server: looking
# up whose sockets they are is what takes long, so all at once.
if [ -n "$S" ] && is_up $UNIT_KUBELET; then
	P=$(ss -Htnp state listening state established "( dport = :0 or dport = :${S##*:} or dport = :$PORT_API_SERVER or dport = :${ENDPOINT##*:} )" 2>/dev/null)
else
	P=$(ss -Htlnp 2>/dev/null)
fi
frame "sockets"; printf '%s\n' "$P"
# Whose they are, now: the units were asked a moment earlier, and one may have started since.
set -- /proc/1/cgroup
while read -r l; do
	case $l in LISTEN*pid=*) l=${l##*pid=} l=${l%%,*}; case $l in *[!0-9]*) ;; *) set -- "$@" "/proc/$l/cgroup" ;; esac ;; esac
done <<END
$P
END
frame "owners"; grep -sHE '^(0::|[0-9]+:name=systemd:)' "$@"
frame "conflist"; show $AT_CONFLIST
frame "routes"; show $AT_ROUTES
# What is read of files, by one process: PART,FROM,TO,FILE… are the lines from one that FROM matches to one that TO
# matches; without TO the rest. Of the kubelet's client certificate only that: its key is in the same file.
set -- "named,--(hostname-override|name)=,^,$AT_UNITS/$UNIT_KUBELET.service,$AT_UNITS/$UNIT_ETCD.service,$AT_KUBELET_FLAGS" \
	"kubelet,BEGIN CERTIFICATE,END CERTIFICATE,$AT_KUBELET_CLIENT" "hosts,^# BEGIN quorate,^# END quorate,/etc/hosts" \
	"fence, saddr ,^,$AT_FENCE" "backends,^ *server ,^,$AT_FRONT_DOOR_CONFIG" "behind,^ *server ,^,$AT_HAPROXY_CONFIG" \
	"virtual, dev ,^,$AT_KEEPALIVED_CONFIG" "ways,^ *clusterID:,^,$AT_BALANCER_CONFIG"
# A certificate without its key is none. Of a kubeconfig that holds both, the certificate and the server are printed.
for f in $PEMS; do
	case $f in *.conf:*)
		f=${f%%:*}
		[ ! -s "$f" ] || set -- "$@" "conf $f,^ *(client-certificate-data|server):,^,$f"
		continue ;;
	esac
	[ -s "${f#*:}" ] && [ -f "${f%%:*}" ] && set -- "$@" "file ${f%%:*},,,${f%%:*}"
done
# What other programs have written is looked at.
for n in $MADE; do [ ! -f "$AT_MANIFESTS/$n.yaml" ] || set -- "$@" "manifest $n,,,$AT_MANIFESTS/$n.yaml"; done
for f in $KEYS; do [ ! -f "$f" ] || set -- "$@" "file $f,,,$f"; done
# The mark is for nobody's eyes: not in the arguments.
quorate_mark=$quorate_mark awk 'BEGIN { for (i = 1; i < ARGC; i++) {
	n = split(ARGV[i], a, ",")
	printf "\n%s %s\n", ENVIRON["quorate_mark"], a[1]
	for (k = 4; k <= n; k++) {
		on = 0
		while ((getline l < a[k]) > 0) {
			if (l ~ a[2]) on = 1
			if (on) print l
			if (a[3] != "" && l ~ a[3]) on = 0
		}
		close(a[k])
	}
} }' "$@"
frame "now"; date +%s.%N
frame_end
