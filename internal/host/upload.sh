# Receives a large file. `look` says what is there, `take` receives the rest.
set -u
umask 077

# look path size sha256 mode: prints "done", or the unpacker and, when there is
# one, the size and digest of what an earlier try left.
look() {
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
	(umask 022 && mkdir -p -- "${dir:-/}") || exit 1
	[ "$2" = no ] || rm -f -- "$1.partial"
	if ! said=$("$6" -dcq 2>&1 >>"$1.partial"); then
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
	mv -f -- "$1.partial" "$1" || exit 1
}
