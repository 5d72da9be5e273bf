# Runs a command as a transient unit. Arguments: unit, run folder, seconds it
# may take (0: no limit), bytes of the command, whether there is input.
# stdin: the command (shell text), then the input.
#
# The answer's parts: state tells in lines "wait" while an earlier run goes on,
# and "started"; result is "<EXIT_CODE> <EXIT_STATUS> <SERVICE_RESULT>"; stdout
# and stderr are what the command printed. The unit belongs to systemd and reads and writes files only: nothing
# of it hangs on this connection. This script itself ends by SIGPIPE at the next
# "wait" when nobody listens any more, so a lost waiter starts nothing.
set -u
umask 077
unit=$1 base=$2/$1 limit=$3
die() {
	echo "$1" >&2
	exit 1
}
own_way "$2"
plain "$base"
mkdir -p -- "$base" && dir=$(mktemp -d "$base/run.XXXXXX") || exit 1
# What earlier runs left that nobody read: ended an hour ago.
for d in "$base"/run.*; do
	[ -e "$d/result" ] && [ -n "$(find "$d/result" -mmin +60)" ] && rm -rf -- "$d"
done
head -c "$4" >"$dir/cmd" || exit 1
cat >"$dir/post" <<EOF || exit 1
echo "\${EXIT_CODE:--} \${EXIT_STATUS:--} \${SERVICE_RESULT:--}" >$dir/result.new
mv $dir/result.new $dir/result
EOF
if [ "$5" = yes ]; then cat >"$dir/in" || exit 1; else ln -s /dev/null "$dir/in" || exit 1; fi
set -- --quiet --collect --wait --unit="$unit" \
	--description="quorate: $unit" \
	--property=TimeoutStopSec=10s \
	--property="ExecStopPost=/bin/sh $dir/post"
[ "$limit" = 0 ] || set -- "$@" --property=RuntimeMaxSec="$limit"
: >"$dir/out"
: >"$dir/err"
n=0
frame state
while :; do
	case $(systemctl is-active "$unit.service" 2>/dev/null) in
	active | activating | deactivating | reloading)
		echo wait || exit 1
		sleep 0.5
		continue
		;;
	esac
	# systemd takes a name once, so of two that come here one goes on.
	systemd-run "$@" /bin/sh "$dir/cmd" "$dir" 2>"$dir/start" &
	pid=$!
	while kill -0 $pid 2>/dev/null && [ ! -e "$dir/began" ] && [ ! -e "$dir/result" ]; do sleep 0.02; done
	[ ! -e "$dir/began" ] || echo started
	wait $pid
	[ -e "$dir/result" ] && break
	n=$((n + 1))
	if [ $n -gt 100 ] || ! grep -q -i 'already' "$dir/start"; then
		cat "$dir/start" >&2
		rm -rf -- "$dir"
		exit 1
	fi
	sleep 0.1
done
frame result && cat "$dir/result" && frame stdout && cat "$dir/out" && frame stderr && cat "$dir/err" && frame_end && rm -rf -- "$dir"
