# Read-only: nothing here writes, and no program of the cluster's is asked to do anything. Prints what there is of a cluster on a host, in frames
# of host.Ask. By the layout of kubeadm ($AT_…), as far as no process and no file says otherwise.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# PROGRAMS are those whose processes are looked at.
PROGRAMS='kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy etcd containerd crio dockerd cri-dockerd nginx haproxy keepalived'
frame "hostname"; cat /proc/sys/kernel/hostname
frame "os"; sed -n 's/^PRETTY_NAME=//p' /etc/os-release
frame "kernel"; uname -rm
frame "address"; ip -o addr show scope global 2>/dev/null
frame "now"; date +%s
frame "marker"; cat $AT_MARKER 2>/dev/null
# Processes: name, pid, the unit or container that they run in, start in ticks, program, arguments in base64.
frame "processes"
for f in $(grep -zlsE "^(.*/)?($(echo $PROGRAMS | tr ' ' '|'))$" /proc/[0-9]*/cmdline); do
	IFS= read -r n 2>/dev/null <<END
$(tr '\0' '\n' <"$f" 2>/dev/null)
END
	n=${n##*/} p=${f#/proc/} p=${p%/cmdline}
	case " $PROGRAMS " in *" $n "*) ;; *) continue ;; esac
	g=$(sed -nE '/^(0::|[0-9]+:name=systemd:)/{s///p;q}' "/proc/$p/cgroup" 2>/dev/null)
	echo "$n $p ${g:-/} - $(readlink "/proc/$p/exe" || echo -) $(base64 -w 0 <"$f")"
done
frame "first"; sed -nE 's/^(0::|[0-9]+:name=systemd:)//p' /proc/1/cgroup | head -n 1
# The kubelet's own files: where they are its arguments say.
A=$(for f in $(grep -zlsE '^(.*/)?kubelet$' /proc/[0-9]*/cmdline); do tr '\0' '\n' <"$f"; break; done)
argument() { printf '%s\n' "$A" | sed -n "s/^--$1=//p" | tail -n 1; }
C=$(argument config); C=${C:-$AT_KUBELET_CONFIG}
K=$(argument kubeconfig); K=${K:-$AT_KUBELET_CONF}
frame "kubelet-config"; echo "$C"; cat "$C" 2>/dev/null
frame "kubelet-conf"; echo "$K"; sed '/-data: /d;/token: /d' "$K" 2>/dev/null
N=$(sed -n 's/^ *server: *https:\/\///p' "$K" 2>/dev/null | head -n 1); N=${N%%/*}
frame "resolved"; case $N in *[a-z]*) timeout 2 getent ahosts "${N%:*}" 2>/dev/null ;; esac
frame "kubelet-flags"; cat $AT_KUBELET_FLAGS 2>/dev/null
M=$(sed -n 's/^staticPodPath: *//p' "$C" 2>/dev/null); M=${M:-$AT_MANIFESTS}
frame "manifests"; echo "$M"
for f in "$M"/*; do [ -f "$f" ] && { frame "file $f"; cat "$f"; }; done
# Units of what runs, with what was laid over them.
for u in kubelet containerd crio docker cri-docker etcd nginx haproxy keepalived; do
	t=$(systemctl cat "$u" 2>/dev/null) && { frame "unit $u"; printf '%s\n' "$t"; }
done
# Certificates, never their keys. Where they are the API server's arguments say, or those of etcd.
S=$(for f in $(grep -zlsE '^(.*/)?(kube-apiserver|etcd)$' /proc/[0-9]*/cmdline); do tr '\0' '\n' <"$f"; done)
S=$(printf '%s\n' "$S" | sed -nE 's/^--(client-ca-file|tls-cert-file|etcd-cafile|etcd-certfile|cert-file|peer-cert-file|trusted-ca-file|proxy-client-cert-file|requestheader-client-ca-file|kubelet-client-certificate)=//p')
L=$(for f in $S; do echo "${f%/*}"; done | sort -u)
[ -n "$L" ] || L="$AT_PKI ${AT_ETCD_CA_CERT%/*}"
frame "keys"; for d in $L; do for f in "$d"/*.key "$d"/*.pem; do [ -f "$f" ] && grep -qE -- '-BEGIN ([A-Z]+ )?PRIVATE KEY-' "$f" && echo "$f"; done; done
for d in $L; do
	for f in "$d"/*.crt "$d"/*.pem; do
		[ -f "$f" ] && grep -q -- '-BEGIN CERTIFICATE-' "$f" || continue
		frame "cert $f"; sed -n '/-BEGIN CERTIFICATE-/,/-END CERTIFICATE-/p' "$f"
	done
done
for f in $AT_KUBERNETES/*.conf; do
	[ -f "$f" ] || continue
	frame "conf $f"; sed -n 's/^ *server: */# server /p' "$f"; sed -n 's/^ *client-certificate-data: *//p' "$f" | base64 -d 2>/dev/null
done
[ ! -f $AT_KUBELET_CLIENT ] || { frame "conf $AT_KUBELET_CLIENT"; sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/p' $AT_KUBELET_CLIENT; }
# Networks of pods.
for f in $AT_CNI_CONF/*; do [ -f "$f" ] && { frame "cni $f"; cat "$f"; }; done
frame "sockets"; ss -Htlnp 2>/dev/null
frame "peers"; ss -Htnp state established 2>/dev/null
# Configurations of load balancers.
for f in $BALANCERS; do [ -f "$f" ] && { frame "balancer $f"; cat "$f"; }; done
frame "needs"; for n in curl ss ip nft conntrack socat; do command -v $n >/dev/null 2>&1 || echo "$n"; done
frame "versions"
for n in kubelet containerd; do
	p=$(command -v $n) && echo "$n $p $($p --version 2>/dev/null | head -n 1)"
done
frame_end
