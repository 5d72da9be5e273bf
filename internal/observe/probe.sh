# Read-only. Prints what quorate must know of this host, in frames of host.Ask.
# By the host's layout ($AT_…, $PORT_…, $UNIT_…). $PATHS: files to digest; $PEMS: certificates to print, each with its key (CERT:KEY); $KEYS: shared keys to
# print; $NEEDS: commands that must be there; $SYSCTLS; $ETCDS: etcd as others ask it; $PODS and $ONCE: see workload.ProbeVars.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
frame "os"; cat /etc/os-release 2>/dev/null
frame "arch"; uname -m
frame "kernel"; uname -r
frame "cpus"; nproc
frame "memory"; sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo
frame "hostname"; cat /proc/sys/kernel/hostname
frame "machine-id"; cat /etc/machine-id 2>/dev/null
frame "swap"; sed 1d /proc/swaps
frame "cgroup"; [ -f /sys/fs/cgroup/cgroup.controllers ] && echo v2 || echo v1
frame "resolv"; [ -e /run/systemd/resolve/resolv.conf ] && grep -q '127\.0\.0\.53' /etc/resolv.conf 2>/dev/null && echo /run/systemd/resolve/resolv.conf
frame "marker"; cat $AT_MARKER 2>/dev/null
frame "named"; sed -n 's/^.* *--\(hostname-override\|name\)=\([^ ]*\).*/\2/p' $AT_UNITS/$UNIT_KUBELET.service $AT_UNITS/$UNIT_ETCD.service $AT_KUBELET_FLAGS 2>/dev/null
frame "kubelet"; sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/p' $AT_KUBELET_CLIENT 2>/dev/null
frame "foreign"
for f in $AT_FOREIGN; do [ -e "$f" ] && echo "$f"; done
for f in $AT_MANIFESTS/*.yaml; do
	n=${f##*/} n=${n%.yaml}
	[ -e "$f" ] || continue
	case " $MADE " in *" $n "*) [ ! -e $AT_MARKER ] || continue ;; esac # kubeadm writes no mark of ours
	case " $PODS " in *" $n "*) ! grep -q '^    quorate.dev/cluster: ' "$f" || continue ;; esac
	echo "$f"
done
for u in $UNIT_ETCD $UNIT_API_SERVER $UNIT_CONTROLLER_MANAGER $UNIT_SCHEDULER $UNIT_KUBELET $UNIT_KUBE_PROXY $UNIT_CONTAINERD $UNIT_FRONT_DOOR $UNIT_BALANCER; do
	f=$AT_UNITS/$u.service # a masked unit is nobody's
	[ -e "$f" ] && [ "$(readlink "$f")" != /dev/null ] || continue
	case " $PODS " in *" $u "*) echo "$f"; continue ;; esac # it would run twice
	grep -q '^X-Quorate=' "$f" || echo "$f"
done
if [ ! -e $AT_MARKER ] && ss -Hxl 2>/dev/null | grep -qF " $AT_CONTAINERD_SOCKET "; then
	echo "a container runtime on $AT_CONTAINERD_SOCKET"
fi
frame "address"; ip -o addr show 2>/dev/null | sed -n 's/.* inet6* \([^ /]*\).*/\1/p'
frame "sums"; sha256sum $PATHS 2>/dev/null
frame "hosts"; sed -n '/^# BEGIN quorate/,/^# END quorate/p' /etc/hosts 2>/dev/null | sha256sum | cut -d' ' -f1
frame "links"; for f in $AT_BIN/* $AT_CNI_BIN/*; do [ -s "$f" ] && echo "$f $(readlink "$f")"; done
for f in $AT_COMMANDS/*; do l=$(readlink "$f"); case $l in $AT_VERSIONS/*) [ ! -s "$f" ] || echo "$f $l" ;; esac; done
# Of what digest the programs are, and where they lie in the end: their folder is named by the digest that they must have.
set --; for f in $AT_BIN/* $AT_CNI_BIN/*; do [ -f "$f" ] && set -- "$@" "$f"; done
for f in $AT_COMMANDS/*; do case $(readlink "$f") in $AT_VERSIONS/*) [ ! -f "$f" ] || set -- "$@" "$f" ;; esac; done
frame "programs"; digests "$@"
frame "stored"; [ $# = 0 ] || { printf '%s\n' "$@"; readlink -f -- "$@"; }
# @SERVICES@
frame "etcd"
# An alarm of one member makes /health false on all. With NOSPACE they still read and vote; with CORRUPT only their list can be had.
serves=yes
if is_up $UNIT_ETCD; then
	H=$(curl -s -m 2 "http://127.0.0.1:$PORT_ETCD_METRICS/health?exclude=NOSPACE"); echo "health $H"
	case $H in *'"health":"true"'*) ;; *) is_active $UNIT_ETCD && serves= ;; esac
	echo "local $(curl -s -m 2 "http://127.0.0.1:$PORT_ETCD_METRICS/health?serializable=true&exclude=NOSPACE&exclude=CORRUPT")"
fi
# After its health: one that has just come up has data by now.
frame "bootstrapped"; [ -e $AT_BOOTSTRAPPED ] && echo yes
frame "data"; [ -d $AT_ETCD_DATA/member ] && echo yes
# Of which cluster: every file of the log begins with that.
frame "wal"; for f in $AT_ETCD_DATA/member/wal/*.wal; do :; done; [ -f "$f" ] && head -c 128 "$f" | base64 -w 0
frame "superseded"; cat $AT_SUPERSEDED 2>/dev/null
frame "fence"; sed -n 's/.* saddr \([^ ]*\) .*/\1/p' $AT_FENCE 2>/dev/null
frame "unfenced"; [ -e $AT_UNFENCED ] && echo yes
# A recovery whose survivor this is; its data is made of etcd's own, which must not have changed since.
frame "recovery"; cat $AT_RECOVERY 2>/dev/null
frame "staged"; for d in $AT_ETCD_DATA/.quorate-recovery-*; do
	[ -d "$d/member" ] || continue
	[ -d $AT_ETCD_DATA/member ] && [ -n "$(find $AT_ETCD_DATA/member -newer "$d" -print -quit)" ] && s=stale || s=fresh
	echo "${d#*.quorate-recovery-} $s"
done
frame "replaced"; [ -d $AT_ETCD_DATA/.quorate-old/member ] && echo yes
# The member cannot go on from what it has: its log is not the one that its peers know.
frame "lost"
is_active $UNIT_ETCD || { [ -d $AT_ETCD_DATA/member ] && recent_log $UNIT_ETCD | grep -qF 'Was the raft log corrupted, truncated, or lost' && echo yes; }
frame "readyz"; is_up $UNIT_API_SERVER && { R=$(curl -sk -m 3 https://127.0.0.1:$PORT_API_SERVER/readyz); echo "$R"; [ "$R" = ok ] || ! is_active $UNIT_API_SERVER || serves=; }
# What was ready once and does not serve may wait for an etcd that is silent (curl: 28 is a time-out; who refuses is not).
frame "silent"; [ -n "$serves" ] || { for u in $ETCDS; do { curl -sk -m 2 -o /dev/null $u/; [ $? -ne 28 ] || echo "$u"; } & done; wait; }
frame "asks"; [ -n "$cmdlines" ] && grep -zhs '^--etcd-servers=' $cmdlines | tr '\0,' '\n\n' | sed 's/^--etcd-servers=//'
frame "backends"; sed -n "s/^ *server \([^ ;{]*:$PORT_API_SERVER\).*/\1/p" $AT_FRONT_DOOR_CONFIG 2>/dev/null
# The kubelet's way to the API: by its file, what the name there means here, and where its connections lead.
S=$(sed -n 's/^ *server: *//p' $AT_KUBELET_CONF 2>/dev/null | head -n 1)
frame "server"; echo "$S"
S=${S#*://}; S=${S%%/*}
frame "resolved"; case $S in *[a-z]*) timeout 2 getent ahosts "${S%:*}" 2>/dev/null | cut -d' ' -f1 | sort -u ;; esac
frame "peers"; [ -n "$S" ] && is_up $UNIT_KUBELET && ss -Htnp state established "( dport = :${S##*:} )" 2>/dev/null 
# What the balancer has in use, and whether its file is that.
frame "balancer"; is_up $UNIT_BALANCER && { @BALANCER@; echo "digest $(curl -s -m 2 http://127.0.0.1:$PORT_BALANCER_HEALTH/healthz | sed -n 's/.*"digest":"\([0-9a-f]*\)".*/\1/p')"; }
echo "file $(sha256sum $AT_BALANCER_CONFIG 2>/dev/null | cut -d' ' -f1)"; echo "cluster $(sed -n 's/^ *clusterID: *[^0-9a-f]*\([0-9a-f]*\).*/\1/p' $AT_BALANCER_CONFIG 2>/dev/null)"
# Where nginx's module lies, or will lie once its package is there.
stream=$AT_FRONT_DOOR_STREAM
if [ ! -e $stream ] && { [ -e $AT_FRONT_DOOR_STREAM64 ] || ! command -v apt-get && command -v dnf; } >/dev/null 2>&1; then stream=$AT_FRONT_DOOR_STREAM64; fi
frame "stream"; echo $stream
frame "needs"; for n in $NEEDS; do case $n in $AT_FRONT_DOOR_STREAM) [ -e $stream ] ;; /*) [ -e "$n" ] ;; *) command -v "$n" >/dev/null 2>&1 ;; esac || echo "$n"; done
frame "sysctls"; for k in $SYSCTLS; do echo "$k=$(sysctl -n "$k" 2>/dev/null)"; done
frame "images"; is_up $UNIT_CONTAINERD && $AT_BIN/ctr -n k8s.io images ls -q 2>/dev/null
P=$(ss -Hltnp 2>/dev/null)
frame "ports"; printf '%s\n' "$P"
# Whose they are, now: the units were asked a moment earlier, and one may have started since.
frame "owners"; grep -sHE '^(0::|[0-9]+:name=systemd:)' /proc/1/cgroup $(printf '%s\n' "$P" | sed -n 's|.*pid=\([0-9]*\),.*|/proc/\1/cgroup|p' | sort -u)
frame "conflist"; cat $AT_CONFLIST 2>/dev/null
frame "routes"; cat $AT_ROUTES 2>/dev/null
# A certificate without its key is none. Of a kubeconfig that holds both, the certificate and the server are printed.
for f in $PEMS; do
	case $f in *.conf:*)
		f=${f%%:*}
		[ -s "$f" ] && { frame "file $f"; sed -n 's/^ *client-certificate-data: *//p' "$f" | base64 -d; sed -n 's/^ *server: */# server /p' "$f"; }
		continue ;;
	esac
	[ -s "${f#*:}" ] && [ -f "${f%%:*}" ] && { frame "file ${f%%:*}"; cat "${f%%:*}"; }
done
for f in $KEYS; do [ -f "$f" ] && { frame "file $f"; cat "$f"; }; done
frame "now"; date +%s.%N
frame_end
