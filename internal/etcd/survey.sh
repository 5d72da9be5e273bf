# What there is of etcd's data on a host, by its layout, in lines. Changes nothing, and reads the database only while no etcd has it
# open; one that runs tells its revision without quorum, by its metrics.
set -eu
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
d=$AT_ETCD_DATA/member
[ -d $d ] || d=$AT_ETCD_DATA/.quorate-old/member # a swap that was cut short
[ -d $d ] || exit 0
echo "bytes $(stat -c %s $d/snap/db 2>/dev/null || echo 0)"
for f in $d/wal/*.wal; do :; done
[ ! -f "$f" ] || echo "log $f"
state=$(service_state "$UNIT_ETCD")
metrics() { curl -sf -m 5 "http://127.0.0.1:$PORT_ETCD_METRICS/metrics"; }
# The manifest of a pod does not tell whether it runs: the kubelet may be down.
[ "$state" != "static pod" ] || metrics >/dev/null || state=inactive
case $state in
inactive | failed | unknown)
	if says=$(timeout 120 "$AT_BIN/etcdutl" snapshot status $d/snap/db -w json 2>&1); then echo "status $(echo "$says" | tail -n 1)"; else echo "broken $(echo "$says" | grep -v '^{' | tail -n 1)"; fi
	;;
*)
	echo "running $state"
	metrics | sed -n 's/^etcd_debugging_mvcc_current_revision /revision /p'
	;;
esac
