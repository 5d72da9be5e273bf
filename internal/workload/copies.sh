# copies USER OWNER MODE FROM TO ...: makes the user, and its copy of each file of root's.
# A copy that is true stays; another is replaced by a rename, so that who reads
# it never finds half a file. With $LATER a file that is missing is left out.
copies() {
	user=$1 owner=$2 mode=$3
	shift 3
	getent passwd "$user" >/dev/null ||
		useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin --comment quorate "$user"
	while [ $# -gt 0 ]; do
		if [ -n "${LATER-}" ] && [ ! -e "$1" ]; then
			shift 2
			continue
		fi
		if [ ! -f "$2" ] || ! cmp -s "$1" "$2" || [ "$(stat -c '%U:%G %a' "$2")" != "$owner $mode" ]; then
			tmp=${2%/*}/.quorate-${2##*/}
			(umask 022 && mkdir -p "${2%/*}")
			rm -f "$tmp"
			(umask 077 && set -C && cat "$1" >"$tmp")
			chown "$owner" "$tmp"
			chmod "$mode" "$tmp"
			mv -fT "$tmp" "$2"
		fi
		shift 2
	done
}
