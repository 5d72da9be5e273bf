# Read-only. Tries to connect to each of $PEERS (ADDRESS:PORT) and prints those from
# which nothing comes: a port where nobody listens refuses at once, a filter drops.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
frame "tried"; command -v bash >/dev/null 2>&1 && echo yes
frame "silent"
for p in $PEERS; do
	{
		# 124: timeout's own status. "No route to host" is a filter that says so.
		e=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/${0%:*}/${0##*:}"' "$p" 2>&1); r=$?
		case $r:$e in 124:* | *"No route to host"*) echo "$p" ;; esac
	} &
done
wait
frame_end
