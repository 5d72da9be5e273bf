# Read-only, but for $MEASURE. Prints what decides whether this machine can be a host
# of the cluster, in frames of host.Ask. $ADDRESS: by which the others call it; $DATA:
# folders whose space counts; $ETCD: where etcd's data lies, or nothing; $MEASURE:
# yes writes a file there and deletes it, to see how long a disk takes to keep a write;
# $RESOLV: the resolv.conf that pods get; $SOCKETS: those of container runtimes.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
frame "cpus"; nproc
frame "memory"; sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo
frame "hostname"; cat /proc/sys/kernel/hostname
# A container sees the identity of the machine around it.
frame "container"; systemd-detect-virt --container 2>/dev/null
frame "uuid"; cat /sys/class/dmi/id/product_uuid 2>/dev/null
frame "link"; l=$(ip -o addr show 2>/dev/null | grep -F " $ADDRESS/" | head -n 1 | { read -r n l rest; echo "${l%%@*}"; })
[ -z "$l" ] || echo "$l $(cat "/sys/class/net/$l/address" 2>/dev/null) $(cat "/sys/class/net/$l/mtu" 2>/dev/null)"
frame "route"; ip -o -4 route show default 2>/dev/null | sed -n 's/^default.* dev \([^ ]*\).*/\1/p'
frame "resolv"; sed -n 's/^nameserver  *//p' "$RESOLV" 2>/dev/null
# Bridged packets must pass the packet filter: the module is there, built in, or can be loaded.
frame "bridge"; { [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || modprobe -qn br_netfilter 2>/dev/null; } && echo yes || echo no
frame "installer"; for c in apt-get dnf; do command -v $c; done 2>/dev/null
frame "lacks"; for c in conntrack socat ethtool iptables nft ip ss modprobe tar curl; do command -v $c >/dev/null 2>&1 || echo $c; done
frame "runtimes"; for s in $SOCKETS; do [ ! -S "$s" ] || echo "$s"; done
frame "active"; for u in firewalld ufw; do [ "$(systemctl is-active $u 2>/dev/null)" != active ] || echo $u; done
frame "selinux"; cat /sys/fs/selinux/enforce 2>/dev/null
frame "readonly"; [ -w /usr ] || echo /usr
# Of each folder, or the nearest one above it: free and all KiB, free and all inodes.
above() { d=$1; while [ ! -d "$d" ]; do d=${d%/*}; d=${d:-/}; done; echo "$d"; }
frame "space"; for d in $DATA $ETCD; do stat -f -c "$d %S %a %b %d %c" "$(above "$d")" 2>/dev/null; done
frame "fsync"
if [ -n "$ETCD" ] && [ "$MEASURE" = yes ]; then
	f=$(mktemp -p "$(above "$ETCD")" .quorate-fsync-XXXXXX) && {
		n=50
		s=$(date +%s%N)
		timeout 10 dd if=/dev/zero of="$f" bs=2300 count=$n oflag=dsync conv=notrunc 2>/dev/null && echo $((($(date +%s%N) - s) / n))
		rm -f "$f"
	}
fi
frame_end
