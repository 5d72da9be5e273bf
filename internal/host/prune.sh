
# prune_kept kept-root days most: of each path the newest copy stays, and the
# newest MOST younger than so many DAYS. A folder with etcd's data, a snapshot or
# keys that are nowhere else stays whole.
prune_kept() {
	[ -n "$K" ] || return 0
	before=$(date -u -d "$2 days ago" +%Y%m%d) || return 0
	find "$1" -mindepth 2 -type f -printf '%P\n' | LC_ALL=C sort -r | awk -v before="$before" -v most="$3" '
		{
			line[NR] = $0
			if ($0 ~ /\/member\/|\/(ca|sa|front-proxy-ca)\.key$|\/encryption\.yaml$|\.db$|\.keys\.tar$/) whole[substr($0, 1, index($0, "/") - 1)] = 1
		}
		END {
			for (n = 1; n <= NR; n++) {
				d = substr(line[n], 1, index(line[n], "/") - 1)
				copy = ++seen[substr(line[n], length(d) + 1)]
				if (copy > 1 && !(d in whole) && (copy > most || substr(d, 1, 8) < before)) print line[n]
			}
		}' | while IFS= read -r f; do rm -f -- "$1/$f"; done
	find "$1" -mindepth 1 -type d -empty -mmin +60 -delete # not one that somebody is about to fill
}
