# ask NAME SECONDS URL notes what a running service is to be asked, ask_all asks all of it with one curl, and said NAME
# prints an answer: nothing when there was none. The options are on stdin, for they hold the mark. ask_named NAME SECONDS
# CA AT URL asks the server at AT, as CA and URL's name say who it is; said NAME is the HTTP code then, 000 when there
# was none. It must be the last: who fails before it begins may leave out its mark.
NL='
'
asked= options=
ask() {
	options="$options${asked:+next$NL}silent${NL}insecure${NL}max-time = $2${NL}write-out = \"\\n$quorate_mark\\n\"${NL}url = \"$3\"$NL"
	asked="$asked $1"
}
ask_named() {
	[ -f "$3" ] || return 0
	options="$options${asked:+next$NL}silent${NL}max-time = $2${NL}cacert = \"$3\"${NL}connect-to = \"::$4\"${NL}output = \"/dev/null\"${NL}"
	options="${options}write-out = \"%{http_code}\\n$quorate_mark\\n\"${NL}url = \"$5\"$NL"
	asked="$asked $1"
}
ask_all() {
	[ -n "$asked" ] || return 0
	answers=$(curl -q -K - 2>/dev/null <<END
$options
END
	)
	i=1 said1=
	while IFS= read -r l; do
		case $l in
		"$quorate_mark") i=$((i + 1)); eval "said$i=" ;;
		*) eval "said$i=\"\${said$i}\$l\$NL\"" ;;
		esac
	done <<END
$answers
END
}
said() {
	i=0
	for a in $asked; do
		i=$((i + 1))
		[ "$a" != "$1" ] || eval "printf '%s' \"\$said$i\""
	done
}
