# copies USER OWNER MODE FROM TO ...: makes the user, and its copy of each file of root's.
# A copy that is true stays; another is replaced by a rename, so that who reads
# it never finds half a file. With $LATER a file that is missing is left out.
# One process serves all files where it can: each takes a busy host 10 ms and more.
copies() {
	user=$1 owner=$2 mode=$3
	shift 3
	getent passwd "$user" >/dev/null ||
		useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin --comment quorate "$user"
	n=$#
	have=$(
		while [ $n -gt 0 ]; do
			[ $((n % 2)) = 0 ] || [ ! -f "$1" ] || set -- "$@" "$1"
			shift
			n=$((n - 1))
		done
		[ $# = 0 ] || stat -c '%U:%G %a %n' "$@" || : # one may have gone
	)
	umask 077
	set -C
	while [ $n -gt 0 ]; do
		from=$1 to=$2
		shift 2
		n=$((n - 2))
		if [ -n "${LATER-}" ] && [ ! -e "$from" ]; then continue; fi
		case "
$have
" in *"
$owner $mode $to
"*) ! cmp -s "$from" "$to" || continue ;; esac
		tmp=${to%/*}/.quorate-${to##*/}
		[ -d "${to%/*}" ] || (umask 022 && mkdir -p "${to%/*}")
		if [ -e "$tmp" ] || [ -L "$tmp" ]; then rm -f "$tmp"; fi
		cat "$from" >"$tmp"
		set -- "$@" "$tmp"
	done
	[ $# != 0 ] || return 0
	chown "$owner" "$@"
	chmod "$mode" "$@"
	for tmp; do
		mv -fT "$tmp" "${tmp%/*}/${tmp##*/.quorate-}"
	done
}
