# Read-only. Prints what quorate must know of this host, in frames "@@ NAME".
# $PATHS: files to digest; $PEMS: certificates to print, each with its key (CERT:KEY); $KEYS: shared keys to
# print; $NEEDS: commands that must be there; $SYSCTLS.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
frame() { printf '\n@@ %s\n' "$1"; } # what came before may lack its last newline
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
frame "marker"; cat /etc/quorate/cluster 2>/dev/null
frame "named"; sed -n 's/^ *--\(hostname-override\|name\)=\([^ ]*\).*/\2/p' /etc/systemd/system/kubelet.service /etc/systemd/system/etcd.service 2>/dev/null
frame "kubelet"; sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/p' /var/lib/kubelet/pki/kubelet-client-current.pem 2>/dev/null
frame "foreign"
for f in /etc/kubernetes/manifests/*.yaml /etc/kubernetes/admin.conf /etc/rancher /var/lib/rancher/k3s /etc/k0s /var/lib/k0s; do [ -e "$f" ] && echo "$f"; done
for u in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy containerd kube-nginx; do
	f=/etc/systemd/system/$u.service # a masked unit is nobody's
	[ -e "$f" ] && [ "$(readlink "$f")" != /dev/null ] && ! grep -q '^X-Quorate=' "$f" && echo "$f"
done
if [ ! -e /etc/quorate/cluster ] && ss -Hxl 2>/dev/null | grep -qF ' /run/containerd/containerd.sock '; then
	echo "a container runtime on /run/containerd/containerd.sock"
fi
frame "address"; ip -o addr show 2>/dev/null | sed -n 's/.* inet6* \([^ /]*\).*/\1/p'
frame "sums"; sha256sum $PATHS 2>/dev/null
frame "hosts"; sed -n '/^# BEGIN quorate/,/^# END quorate/p' /etc/hosts 2>/dev/null | sha256sum | cut -d' ' -f1
frame "links"; for f in /opt/quorate/bin/* /opt/quorate/cni/*; do [ -s "$f" ] && echo "$f $(readlink "$f")"; done
# @SERVICES@
frame "etcd"
# An alarm of one member makes /health false on all. With NOSPACE they still read and vote; with CORRUPT only their list can be had.
if is_up etcd; then echo "health $(curl -s -m 2 'http://127.0.0.1:2381/health?exclude=NOSPACE')"; echo "local $(curl -s -m 2 'http://127.0.0.1:2381/health?serializable=true&exclude=NOSPACE&exclude=CORRUPT')"; fi
# After its health: one that has just come up has data by now.
frame "begun"; [ -e /etc/quorate/etcd-begun ] && echo yes
frame "data"; [ -d /var/lib/etcd/member ] && echo yes
# Of which cluster: every file of the log begins with that.
frame "wal"; for f in /var/lib/etcd/member/wal/*.wal; do :; done; [ -f "$f" ] && head -c 128 "$f" | base64 -w 0
frame "past"; cat /etc/quorate/etcd-past 2>/dev/null
frame "fence"; sed -n 's/.* saddr \([^ ]*\) .*/\1/p' /etc/quorate/etcd-fence.nft 2>/dev/null
# The member cannot go on from what it has: its log is not the one that its peers know.
frame "lost"
is_active etcd || { [ -d /var/lib/etcd/member ] && recent_log etcd | grep -qF 'Was the raft log corrupted, truncated, or lost' && echo yes; }
frame "readyz"; is_up kube-apiserver && curl -sk -m 3 https://127.0.0.1:6443/readyz
frame "asks"; [ -n "$cmdlines" ] && grep -zhs '^--etcd-servers=' $cmdlines | tr '\0,' '\n\n' | sed 's/^--etcd-servers=//'
frame "backends"; sed -n 's/^ *server \([^ ;{]*:6443\).*/\1/p' /etc/quorate/nginx/nginx.conf 2>/dev/null
frame "needs"; for n in $NEEDS; do case $n in /*) [ -e "$n" ] ;; *) command -v "$n" >/dev/null 2>&1 ;; esac || echo "$n"; done
frame "sysctls"; for k in $SYSCTLS; do echo "$k=$(sysctl -n "$k" 2>/dev/null)"; done
frame "images"; is_up containerd && /opt/quorate/bin/ctr -n k8s.io images ls -q 2>/dev/null
P=$(ss -Hltnp 2>/dev/null)
frame "ports"; printf '%s\n' "$P"
# Whose they are, now: the units were asked a moment earlier, and one may have started since.
frame "owners"; grep -so '[^/]*\.service' /dev/null $(printf '%s\n' "$P" | sed -n 's|.*pid=\([0-9]*\),.*|/proc/\1/cgroup|p' | sort -u) | sort -u
frame "conflist"; cat /etc/cni/net.d/10-quorate.conflist 2>/dev/null
frame "routes"; cat /etc/quorate/routes 2>/dev/null
# A certificate without its key is none.
for f in $PEMS; do [ -s "${f#*:}" ] && [ -f "${f%%:*}" ] && { frame "file ${f%%:*}"; cat "${f%%:*}"; }; done
for f in $KEYS; do [ -f "$f" ] && { frame "file $f"; cat "$f"; }; done
frame "now"; date +%s.%N
frame "end"
