# Snapshots on a host, by its layout and $CERT and $KEY. Arguments: save | check | list, then the verb's own.
# A snapshot is told in two lines: "<bytes> <unix time> <keys: yes|no>
# <ok|bad|unread> <path>", then what etcdutl knows of it as JSON, or what is wrong.
set -u
umask 077
verb=$1
shift

# Where others have installed etcd, its tools are in its container, or on the path.
tools=$AT_BIN
if [ ! -x "$tools/etcdutl" ]; then
	for p in $(pidof etcd); do [ ! -x "/proc/$p/root/usr/local/bin/etcdutl" ] || tools=/proc/$p/root/usr/local/bin; done
	[ "$tools" != "$AT_BIN" ] || ! p=$(command -v etcdutl) || tools=${p%/*}
fi

# The reading must not be in etcd's way.
gently() {
	if command -v ionice >/dev/null 2>&1; then ionice -c 3 nice -n 19 "$@"; else nice -n 19 "$@"; fi
}

# sound prints what etcdutl knows of a file, or says on stderr why it is none.
# etcd ends a snapshot with the SHA-256 of what stands before; etcdutl reads
# the database, but not that sum.
sound() {
	[ -f "$1" ] || { echo "there is no such file" >&2; return 1; }
	n=$(stat -L -c %s -- "$1") || return 1
	if [ $((n % 512)) -ne 32 ]; then
		echo "there is no checksum at its end: it was cut short, or is no snapshot that etcd gave" >&2
		return 1
	fi
	is=$(gently head -c $((n - 32)) -- "$1" | sha256sum | cut -c 1-64) || return 1
	wants=$(tail -c 32 -- "$1" | od -An -v -tx1 | tr -d ' \n') || return 1
	[ "$is" = "$wants" ] || { echo "it does not match its checksum: it was changed or damaged after etcd gave it" >&2; return 1; }
	out=$(gently "$tools/etcdutl" snapshot status "$1" -w json 2>&1) || {
		echo "etcdutl cannot read it: $(printf '%s\n' "$out" | grep -v '^{' | tail -n 1)" >&2
		return 1
	}
	printf '%s\n' "$out" | tail -n 1
}

# tell FILE VERDICT TEXT
tell() {
	keys=no
	[ -f "$1.keys.tar" ] && keys=yes
	printf '%s %s %s %s\n%s\n' "$(stat -L -c '%s %Y' -- "$1" 2>/dev/null || echo 0 0)" $keys "$2" "$1" "$(printf '%s' "$3" | tr '\n' ' ')"
}

check() {
	if says=$(sound "$1" 2>&1); then tell "$1" ok "$says"; else tell "$1" bad "$says"; fi
}

# save DIR KEEP
save() {
	mkdir -p -- "$1" || exit 1
	rm -f -- "$1"/[0-9]*T[0-9]*Z*.db.part # of one that was cut short: only one runs at a time
	# On etcd's own disk it must leave etcd room to write.
	if [ "$(stat -c %d -- "$1")" = "$(stat -L -c %d -- "$AT_ETCD_DATA" 2>/dev/null)" ]; then
		need=$(($(stat -c %s -- "$AT_ETCD_DATA/member/snap/db" 2>/dev/null || echo 0) / 1024 + 65536))
		free=$(df -Pk -- "$1" | awk 'NR == 2 { print $4 }')
		if [ "$free" -lt "$need" ]; then
			echo "no space left on device: etcd writes to the same disk, a snapshot needs $((need / 1024)) MiB and $((free / 1024)) MiB are free" >&2
			exit 1
		fi
	fi
	time=$(date -u +%Y%m%dT%H%M%SZ)
	f=$1/$time.db n=1
	while [ -e "$f" ]; do n=$((n + 1)) f=$1/$time-$n.db; done
	trap 'rm -f -- "$f" "$f.part"' EXIT
	if ! err=$("$tools/etcdctl" --endpoints=https://127.0.0.1:"$PORT_ETCD_CLIENT" --cacert="$AT_ETCD_CA_CERT" --cert="$CERT" --key="$KEY" snapshot save "$f" 2>&1 >/dev/null); then
		printf '%s\n' "$err" | grep -v '^{' | sed 's/^Error: //' | grep . >&2 || echo "etcdctl failed and did not say why" >&2
		exit 1
	fi
	says=$(sound "$f") || exit 1
	sync -- "$f" "$1" || exit 1
	trap - EXIT
	tell "$f" ok "$says"
	# Only what bears our names is rotated.
	ls -1t -- "$1"/[0-9]*T[0-9]*Z*.db | tail -n +$(($2 + 1)) | while IFS= read -r old; do rm -f -- "$old" "$old.keys.tar"; done
}

# list DIR READ(yes|no)
list() {
	for f in "$1"/*.db; do
		[ -f "$f" ] || continue
		if [ "$2" = yes ]; then check "$f"; else tell "$f" unread -; fi
	done
}

"$verb" "$@"
