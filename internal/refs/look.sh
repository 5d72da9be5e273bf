# Read-only. Prints which addresses files of this host name, and which of $GONE, in frames of host.Ask: a line
# "KIND<TAB>LINE<TAB>WORD<TAB>FILE" each. Nothing else of the files leaves the host, but the clusters of kubeconfigs
# (servers and CA certificates) and certificates. $ROOT: before the system's own paths, for tests.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# files PLACE...: the regular files there, none larger than a configuration is.
files() { find -L "$@" -maxdepth 3 -type f -size -1024k ! -name '.*.sw?' ! -path '*.wants/*' 2>/dev/null | head -n 1000; }
# of KIND PLACE...: "KIND FILE" each.
of() { k=$1; shift; files "$@" | sed "s|^|$k |"; }
homes=$(cut -d: -f6 "$ROOT"/etc/passwd 2>/dev/null | sort -u | grep '^/.' | sed "s|^|$ROOT|;s|\$|/.kube|")
words() {
	of balancer $AT_FRONT_DOOR_CONFIG $AT_BALANCER_CONFIG "$ROOT"/etc/nginx "$ROOT"/etc/haproxy "$ROOT"/etc/keepalived
	of unit $AT_UNITS $AT_ETCD_INITIAL $AT_KUBELET_FLAGS
	of manifest $AT_MANIFESTS
	of hosts "$ROOT"/etc/hosts
	of cron "$ROOT"/etc/crontab "$ROOT"/etc/cron.d "$ROOT"/etc/cron.hourly "$ROOT"/etc/cron.daily "$ROOT"/etc/cron.weekly \
		"$ROOT"/etc/cron.monthly "$ROOT"/var/spool/cron
	of cni $AT_CNI_CONF $AT_ROUTES
	of settings "$ROOT"/etc/default "$ROOT"/etc/sysconfig "$ROOT"/etc/environment "$ROOT"/etc/profile.d $AT_KUBELET_CONFIG
}
frame "words"
words | head -n 3000 | gone=$GONE awk '
	BEGIN { n = split(ENVIRON["gone"], g, " "); for (i = 1; i <= n; i++) gone[g[i]] = 1 }
	function tell(word, line) {
		if (word ~ /^(127\.|0\.0\.0\.0)/ || (kind, file, line, word) in told) return
		told[kind, file, line, word] = 1
		if (++count > 2000) { print "more"; exit }
		printf "%s\t%d\t%s\t%s\n", kind, line, word, file
	}
	{
		kind = $1; file = substr($0, length(kind) + 2); line = 0
		while ((getline l < file) > 0) {
			line++
			if (l ~ /^[ \t]*#/ || (length(l) >= 60 && l !~ /[ \t]/ && l ~ /^[A-Za-z0-9+\/=]+$/)) continue
			while (match(l, /\[[0-9A-Fa-f:.]+\](:[0-9]+)?|[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?/)) {
				w = substr(l, RSTART, RLENGTH); l = substr(l, RSTART + RLENGTH)
				if (w !~ /:/ && l ~ /^\/[0-9]/ && l !~ /^\/(32|128)([^0-9]|$)/) continue # a network
				if (w ~ /^\[/ || w ~ /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+(:[0-9]+)?$/) { tell(w, line); continue }
				name = tolower(w); sub(/:.*/, "", name); short = name; sub(/\..*/, "", short)
				if (name in gone || short in gone) tell(w, line)
			}
		}
		close(file)
	}'
# Of a kubeconfig only the clusters: users and their keys stay where they are.
files $AT_KUBERNETES/*.conf $AT_KUBELET_CONF $AT_KUBE_PROXY_CONF $AT_SCHEDULER_CONF $AT_CONTROLLER_MANAGER_CONF $homes | sort -u | head -n 100 |
	while IFS= read -r f; do
		grep -qs '^clusters:' "$f" || continue
		frame "kubeconfig $f"
		awk '/^[A-Za-z]/ { on = ($0 ~ /^clusters:/) } on { if (++n > 400) exit; print }' "$f"
	done
files $AT_PKI | grep '\.crt$' | sort -u | head -n 50 | while IFS= read -r f; do frame "certificate $f"; head -c 16384 "$f"; done
frame_end
