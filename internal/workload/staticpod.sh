# Which of $SERVICES the kubelet runs as static pods. Only where there is a manifest, or one is wanted ($PODS).
pods= ask= argvs= names=
for n in $SERVICES; do
	names="$names${names:+|}$n"
	[ ! -e "$AT_MANIFESTS/$n.yaml" ] || pods="$pods $n"
done
frame "manifests"; set --; for n in $pods; do echo "$n"; set -- "$@" "$AT_MANIFESTS/$n.yaml"; done
frame "podversions"
[ $# = 0 ] || awk '/name: QUORATE_VERSION/ { f = FILENAME; sub(/.*\//, "", f); sub(/\.yaml$/, "", f); getline; sub(/^ *value: */, ""); print f, $0 }' "$@" 2>/dev/null
# contained PID: it runs in a container.
contained() {
	while IFS= read -r l; do
		l=${l%.scope} l=${l##*[/-]}
		case $l in *[!0-9a-f]*) ;; *) [ ${#l} != 64 ] || return 0 ;; esac
	done 2>/dev/null <"/proc/$1/cgroup"
	return 1
}
# service COMM: sets n to the service of which the kernel knows so much of the name.
service() {
	for n in $SERVICES; do
		l=$n
		while [ ${#l} -gt 15 ]; do l=${l%?}; done
		[ "$l" != "$1" ] || return 0
	done
	return 1
}
frame "pods"
if [ -n "$pods$PODS" ]; then
	now=$(date +%s.%N) began=' '
	read -r uptime l </proc/uptime
	for f in $(grep -zlsE "^(/.*/)?($names)\$" /proc/[0-9]*/cmdline); do
		p=${f#/proc/} p=${p%/cmdline}
		# Its own program, in a container.
		read -r comm 2>/dev/null <"/proc/$p/comm" && service "$comm" && contained "$p" && read -r l 2>/dev/null <"/proc/$p/stat" || continue
		set -- ${l##*) }
		echo "$n $p ${20} $uptime $now"
		began="$began$n=${20} " argvs="$argvs $f" up="$up$n.service " active="$active$n.service "
		environs="$environs /proc/$p/environ" cmdlines="$cmdlines $f"
	done
	# How often it was begun matters only while it is young, or away.
	for n in $pods; do
		l=${began##* $n=}
		case $began in *" $n="*) [ $((${uptime%.*} - ${l%% *} / 100)) -ge 15 ] || ask="$ask $n" ;; *) ask="$ask $n" ;; esac
	done
fi
frame "argv"; [ -z "$argvs" ] || grep -zHs '' $argvs | tr '\0' '\n'
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
