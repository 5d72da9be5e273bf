# Which of $SERVICES the kubelet runs as static pods. Only where there is a manifest, or one is wanted ($PODS). The
# manifests of $MADE are written by another program: what is in them is looked at.
pods= ask=
for n in $SERVICES; do [ -e "$AT_MANIFESTS/$n.yaml" ] && pods="$pods $n"; done
frame "manifests"; for n in $pods; do echo "$n"; done
for n in $MADE; do [ -f "$AT_MANIFESTS/$n.yaml" ] && { frame "manifest $n"; cat "$AT_MANIFESTS/$n.yaml"; }; done
frame "podversions"; for n in $pods; do echo "$n $(grep -A1 'name: QUORATE_VERSION' "$AT_MANIFESTS/$n.yaml" | sed -n 's/^ *value: *//p')"; done
frame "pods"
if [ -n "$pods$PODS" ]; then
	now=$(date +%s.%N) uptime=$(cut -d' ' -f1 /proc/uptime)
	for n in $SERVICES; do
		found=
		for f in $(grep -zlsE "^(/.*/)?$n\$" /proc/[0-9]*/cmdline); do
			p=${f#/proc/} p=${p%/cmdline}
			# Its own program, in a container.
			case $(tr '\0' '\n' <"$f" 2>/dev/null | head -n 1) in "$n" | */"$n") ;; *) continue ;; esac
			grep -qsE '[0-9a-f]{64}(\.scope)?$' "/proc/$p/cgroup" || continue
			ticks=$(sed 's/.*) //' "/proc/$p/stat" 2>/dev/null | cut -d' ' -f20)
			[ -n "$ticks" ] || continue
			echo "$n $p $ticks $uptime $now $(base64 -w 0 <"$f")"
			found=$ticks up="$up$n.service " active="$active$n.service "
			environs="$environs /proc/$p/environ" cmdlines="$cmdlines /proc/$p/cmdline"
		done
		# How often it was begun matters only while it is young, or away.
		case " $pods " in *" $n "*) [ -n "$found" ] && [ $((${uptime%.*} - found / 100)) -ge 15 ] || ask="$ask $n" ;; esac
	done
fi
frame "containers"
if [ -n "$ask" ] && is_active $UNIT_CONTAINERD; then
	timeout 5 $AT_BIN/crictl -r unix://$AT_CONTAINERD_SOCKET ps -a -o json --label io.kubernetes.pod.namespace=kube-system 2>/dev/null
fi
frame "ctimes"; [ -n "$ONCE" ] && stat -c '%Z %n' $ONCE 2>/dev/null
recent_log() {
	if [ -e "$AT_MANIFESTS/$1.yaml" ]; then
		find /var/log/pods -path "*/kube-system_$1-*" -name '*.log' -mmin -1 -exec tail -n 200 {} + 2>/dev/null
	else
		journalctl -q -u "$1" --since=-60s -o cat --no-pager 2>/dev/null
	fi
}
