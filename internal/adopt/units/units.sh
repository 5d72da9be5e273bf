# Read-only: nothing here writes, and no program of the cluster's is run. Prints in which units the cluster's programs run, and what their files say.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
frame "hostname"; cat /proc/sys/kernel/hostname
frame "address"; ip -o addr show scope global 2>/dev/null
frame "now"; date +%s
# Program, process and unit, of each process that a unit has begun (a balancer's workers are of the same unit).
seen=
frame "running"
L=$(find /proc/[0-9]*/exe -maxdepth 0 -printf '%p %l\n' 2>/dev/null)
R=$(while read -r f e; do
	e=${e%% *}
	case ${e##*/} in
	kube-apiserver | kube-controller-manager | kube-scheduler | kubelet | kube-proxy | etcd | containerd | crio | dockerd | nginx | haproxy | keepalived) ;;
	*) continue ;;
	esac
	p=${f#/proc/} p=${p%/exe}
	g=$(sed -nE 's/^(0::|[0-9]+:name=systemd:)//p' "/proc/$p/cgroup" 2>/dev/null | head -n 1)
	case $g in *.service) g=${g##*/} ;; *) continue ;; esac
	case " $seen " in *" $g "*) continue ;; esac
	seen="$seen $g"
	echo "${e##*/} $p $g $e $(base64 -w 0 <"/proc/$p/cmdline" 2>/dev/null)"
done <<END
$L
END
)
echo "$R"
U=$(echo "$R" | cut -d' ' -f3 | sort -u)
files=
for u in $U; do
	frame "unit $u"; S=$(systemctl show -p FragmentPath -p DropInPaths -p EnvironmentFiles -p ActiveState -p UnitFileState "$u"); echo "$S"
	for f in $(echo "$S" | sed -nE 's/^(FragmentPath|DropInPaths|EnvironmentFiles)=//p' | tr ' ' '\n' | grep '^/'); do
		case " $files " in *" $f "*) continue ;; esac
		files="$files $f"
	done
done
for f in $files; do [ -f "$f" ] && { frame "file $f"; cat "$f"; }; done
# What else an administrator's shell and jobs use: kubeconfigs in homes.
frame "homes"; for f in /root/.kube/config /home/*/.kube/config; do [ -f "$f" ] && echo "$f"; done
frame_end
