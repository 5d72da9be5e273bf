# Replaces files: `have` all, `stage` each (content on stdin, in order), `arrived`
# all, `keep` each, `flush`, `place` each. Nothing is changed before the first
# `place`. A process takes a busy host 10 ms and more, so that one serves all
# files where it can, and none is started for what the shell can see.
#
# A file is staged beside its target, as .quorate-<name>: only there is the
# rename sure to be atomic (the same mount) and the security label right.
# kubelet ignores names with a leading dot in its manifests folder, and so do
# the conf.d and unit folders we write to.
set -u
umask 077
K= placed=0 sums= modes=
NL='
'

die() {
	[ -z "${1-}" ] || echo "$1" >&2
	exit 1
}

# tmp_of path: sets dir and tmp.
tmp_of() {
	dir=${1%/*}
	tmp=$dir/.quorate-${1##*/}
	dir=${dir:-/}
}

# finish: trap at the end, whatever came.
finish() {
	all rm_tmp
	[ -z "$K" ] || [ $placed -gt 0 ] || rm -rf -- "$K"
}

rm_tmp() {
	for f; do
		tmp_of "$f"
		away "$tmp"
	done
}

away() {
	if [ -e "$1" ] || [ -L "$1" ]; then rm -f -- "$1"; fi
}

# folder path: makes it with its parents.
folder() {
	[ -d "$1" ] || mkdir -p -- "$1" || die "$1: folder cannot be made"
}

# lock rundir: one writer a host at a time, where flock is installed.
lock() {
	command -v flock >/dev/null || return 0
	own_way "$1"
	plain "$1/write.lock"
	folder "$1"
	exec 9>"$1/write.lock" || die "$1: cannot be written"
	flock -w 30 9 || die "another operator has been writing files for 30 s: see who holds $1/write.lock"
}

# have path...: what is there of it, in lines of sha256sum and stat.
have() {
	n=$#
	while [ $n -gt 0 ]; do
		[ ! -f "$1" ] || [ -L "$1" ] || set -- "$@" "$1"
		shift
		n=$((n - 1))
	done
	[ $# -eq 0 ] && return
	sums=$(sha256sum -- "$@") || die "the old files cannot be read"
	modes=$(stat -c '0%a %U:%G %n' -- "$@")
}

# among lines line
among() {
	case $NL$1$NL in *"$NL$2$NL"*) ;; *) return 1 ;; esac
}

# stage mode owner parent-umask size sha256 path
stage() {
	tmp_of "$6"
	own_way "$dir"
	away "$tmp"
	if [ ! -L "$6" ] && [ -e "$6" ]; then # a link is replaced, whatever it leads to
		[ ! -d "$6" ] || die "$6: is a directory"
		[ -f "$6" ] || die "$6: is no regular file; see what it is for, and remove it"
		if among "$sums" "$5  $6"; then
			head -c "$4" >/dev/null
			return
		fi
	fi
	[ -d "$dir" ] || (umask "$3" && folder "$dir") || exit 1
	[ "$1" != 0644 ] || umask 022
	set -C
	head -c "$4" >"$tmp" || die "$6: new content cannot be written"
	set +C
	umask 077
	# As root it is root's: that of / is seen without asking who we are.
	{ [ "$2" = root:root ] && [ -O / ] && [ -G / ] && [ -O "$tmp" ] && [ -G "$tmp" ]; } || chown -- "$2" "$tmp" || die "$6: owner $2 cannot be set"
	case $1 in 0600 | 0644) ;; *) chmod -- "$1" "$tmp" ;; esac || die "$6: mode $1 cannot be set"
}

# arrived sha256 path ...: what was staged is what was sent.
arrived() {
	n=$(($# / 2)) want=
	while [ $n -gt 0 ]; do
		tmp_of "$2"
		if [ -e "$tmp" ]; then
			want="$want$1 "
			set -- "$@" "$tmp"
		fi
		shift 2
		n=$((n - 1))
	done
	[ $# -eq 0 ] && return
	sums=$(sha256sum -- "$@") || die "what arrived cannot be read"
	for f; do
		sum=${sums%%"$NL"*} sums=${sums#*"$NL"} one=${want%% *} want=${want#* }
		sum=${sum#\\} # before a name that has one
		[ "${sum%% *}" = "$one" ] || die "${f%/*}/${f##*/.quorate-}: what arrived is not what was sent"
	done
}

# keep kept-root path: prints where the old file was kept, or an empty line.
keep() {
	tmp_of "$2"
	if [ ! -e "$tmp" ] || [ ! -f "$2" ]; then # of a link to a device there is nothing to keep
		echo
		return
	fi
	[ -n "$K" ] || { own_way "$1" && keep_dir "$1"; }
	folder "$K${2%/*}"
	cp -p -- "$2" "$K$2" || die "$2: the old file cannot be kept in $K"
	echo "$K$2"
}

# keep_dir kept-root: sets K to a new folder named for the time.
keep_dir() {
	folder "$1"
	at=$1/$(date -u +%Y%m%dT%H%M%SZ) n=1 K=$1/none
	new=$at
	while ! mkdir -- "$new" 2>/dev/null; do
		[ -e "$new" ] || die "$new: folder cannot be made"
		n=$((n + 1)) new=$at-$n
	done
	K=$new
}

# flush path...: what was staged and kept is on disk before anything is placed.
flush() {
	n=$#
	while [ $n -gt 0 ]; do
		tmp_of "$1"
		[ ! -e "$tmp" ] || set -- "$@" "$tmp"
		if [ -n "$K" ] && [ -e "$K$1" ]; then set -- "$@" "$K$1"; fi
		shift
		n=$((n - 1))
	done
	[ $# -eq 0 ] || sync -- "$@" 2>/dev/null || sync
}

# place mode owner path
place() {
	tmp_of "$3"
	if [ ! -e "$tmp" ]; then
		# Not without need: by its ctime it is told who has read the file.
		among "$modes" "$1 $2 $3" || { chown -- "$2" "$3" && chmod -- "$1" "$3"; } || die "$3: owner $2, mode $1 cannot be set"
	elif mv -fT -- "$tmp" "$3"; then
		placed=$((placed + 1))
	else
		die "$3: cannot be replaced ($placed files before it were; their old content is in ${K:-no place: there was none})"
	fi
}

# settle path...: the renames are on disk too.
settle() {
	n=$#
	while [ $n -gt 0 ]; do
		tmp_of "$1"
		set -- "$@" "$dir"
		shift
		n=$((n - 1))
	done
	[ $placed -eq 0 ] || sync -- "$@" 2>/dev/null || sync
}
