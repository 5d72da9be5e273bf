# Read-only. Prints what quorate must know of this host, in frames "@@ NAME".
# $PATHS: files to digest; $PEMS: certificates to print; $KEYS: shared keys to
# print; $NEEDS: commands that must be there; $SYSCTLS; $UNITS; $IMAGES.
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
frame "begun"; [ -e /etc/quorate/etcd-begun ] && echo yes
frame "data"; [ -d /var/lib/etcd/member ] && echo yes
frame "bootstrapped"; [ -e /var/lib/kubelet/pki/kubelet-client-current.pem ] && echo yes
frame "foreign"
for f in /etc/kubernetes/manifests/*.yaml /etc/kubernetes/admin.conf /etc/rancher /var/lib/rancher/k3s /etc/k0s /var/lib/k0s; do [ -e "$f" ] && echo "$f"; done
for u in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy containerd kube-nginx; do
	f=/etc/systemd/system/$u.service; [ -e "$f" ] && ! grep -q '^X-Quorate=' "$f" && echo "$f"
done
frame "address"; ip -o addr show 2>/dev/null | sed -n 's/.* inet6* \([^ /]*\).*/\1/p'
frame "sums"; sha256sum $PATHS 2>/dev/null
frame "hosts"; sed -n '/^# BEGIN quorate/,/^# END quorate/p' /etc/hosts 2>/dev/null | sha256sum | cut -d' ' -f1
frame "links"; for f in /opt/quorate/bin/* /opt/quorate/cni/*; do [ -s "$f" ] && echo "$f $(readlink "$f")"; done
frame "units"; systemctl show -p Id,LoadState,ActiveState,SubState,UnitFileState,MainPID,NRestarts,Result $UNITS 2>/dev/null
frame "jobs"; systemctl list-units --no-legend --plain --all 'quorate-job-*' 2>/dev/null
frame "stamps"
for u in $UNITS; do
	p=$(systemctl show -p MainPID --value "$u" 2>/dev/null)
	case $p in ''|0) ;; *) s=$(tr '\0' '\n' <"/proc/$p/environ" 2>/dev/null | sed -n 's/^QUORATE_CONFIG=//p'); [ -n "$s" ] && echo "$u $s" ;; esac
done
if systemctl is-active -q kube-nginx.service; then echo "kube-nginx.service $(curl -s -m 2 http://127.0.0.1:8081/quorate)"; fi
[ -e /run/quorate-routes/applied ] && systemctl is-active -q quorate-routes.service && echo "quorate-routes.service $(sed -n '1s/^# *//p' /run/quorate-routes/applied)"
frame "etcd"
if systemctl is-active -q etcd.service || [ "$(systemctl show -p SubState --value etcd.service)" = start ]; then
	echo "health $(curl -s -m 2 http://127.0.0.1:2381/health)"; echo "local $(curl -s -m 2 'http://127.0.0.1:2381/health?serializable=true')"
fi
frame "readyz"; systemctl is-active -q kube-apiserver.service && curl -sk -m 3 https://127.0.0.1:6443/readyz
frame "asks"; p=$(systemctl show -p MainPID --value kube-apiserver.service 2>/dev/null); case $p in ''|0) ;; *) tr '\0' '\n' <"/proc/$p/cmdline" 2>/dev/null | sed -n 's/^--etcd-servers=//p' | tr ',' '\n' ;; esac
frame "backends"; sed -n 's/^ *server \([^ ;{]*:6443\).*/\1/p' /etc/quorate/nginx/nginx.conf 2>/dev/null
frame "needs"; for n in $NEEDS; do case $n in /*) [ -e "$n" ] ;; *) command -v "$n" >/dev/null 2>&1 ;; esac || echo "$n"; done
frame "sysctls"; for k in $SYSCTLS; do echo "$k=$(sysctl -n "$k" 2>/dev/null)"; done
frame "images"; systemctl is-active -q containerd.service && /opt/quorate/bin/ctr -n k8s.io images ls -q 2>/dev/null
frame "ports"; ss -Hltnp 2>/dev/null
frame "conflist"; cat /etc/cni/net.d/10-quorate.conflist 2>/dev/null
frame "routes"; cat /etc/quorate/routes 2>/dev/null
for f in $PEMS $KEYS; do [ -f "$f" ] && { frame "file $f"; cat "$f"; }; done
frame "now"; date +%s.%N
frame "end"
