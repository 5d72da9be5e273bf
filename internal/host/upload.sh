# Receives a large file. `look` says what is there, `take` receives the rest.
set -u
umask 077

die() {
	echo "$1" >&2
	exit 1
}

# alone FILE: what unpacks for a connection that broke may still write into it, also once it has its final name.
# It holds a lock; if it does not end soon it keeps its file, and a new one is begun.
alone() {
	command -v flock >/dev/null && [ -f "$1" ] || return 0
	exec 8>>"$1" || exit 1
	flock -w 3 8 || rm -f -- "$1" || exit 1
}

# look path size sha256 mode: prints "done", or the unpacker and, when there is
# one, the size and digest of what an earlier try left.
look() {
	own_way "${1%/*}"
	plain "$1" "$1.partial"
	alone "$1.partial"
	if [ -f "$1" ] && [ "$(wc -c <"$1")" -eq "$2" ]; then
		sum=$(sha256sum <"$1") || exit 1
		if [ "${sum%% *}" = "$3" ]; then
			chown -- "$5" "$1" && chmod -- "$4" "$1" || exit 1
			rm -f -- "$1.partial"
			echo done
			return
		fi
	fi
	unpack=gzip
	! command -v zstd >/dev/null || unpack=zstd
	if [ -s "$1.partial" ]; then
		sum=$(sha256sum <"$1.partial") || exit 1
		echo $unpack $(wc -c <"$1.partial") "${sum%% *}"
	else
		echo $unpack
	fi
}

# take path from-start sha256 mode owner unpacker: stdin is the rest, packed.
take() {
	dir=${1%/*}
	own_way "$dir"
	plain "$1.partial"
	(umask 022 && mkdir -p -- "${dir:-/}") || exit 1
	[ "$2" = no ] || rm -f -- "$1.partial"
	exec 7>>"$1.partial" || exit 1
	! command -v flock >/dev/null || flock -n 7 || { echo "$1: somebody else uploads it" >&2 && exit 1; }
	if ! said=$("$6" -dcq 2>&1 >&7); then
		# A full disk must not stay full; anything else can be resumed.
		case $said in *"No space left"*) rm -f -- "$1.partial" ;; esac
		echo "$said" >&2
		exit 1
	fi
	sum=$(sha256sum <"$1.partial") || exit 1
	if [ "${sum%% *}" != "$3" ]; then
		rm -f -- "$1.partial"
		echo "$1: what arrived has another digest" >&2
		exit 1
	fi
	chown -- "$5" "$1.partial" && chmod -- "$4" "$1.partial" || exit 1
	sync -- "$1.partial" 2>/dev/null || sync
	mv -fT -- "$1.partial" "$1" || exit 1
}
