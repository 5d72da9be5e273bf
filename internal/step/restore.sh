# Brings etcd's data back on a host, by its layout. Arguments: a verb, then its own. All verbs
# can be repeated after any interruption. Of a swap of the data that was cut
# short, what was there before counts: it lies in $old then.
set -eu
umask 077
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
bin=$AT_BIN data=$AT_ETCD_DATA
old=$data/.quorate-old new=$data/.quorate-new

die() {
	echo "$1" >&2
	exit 1
}

# last FILE: the last line that is for people.
last() { grep -v '^{' "$1" | tail -n 1; }

# room DIR BYTES
room() {
	free=$(df -Pk -- "$1" | awk 'NR == 2 { print $4 }')
	[ "$free" -gt $(($2 / 1024 + 65536)) ] || die "$1 has $((free / 1024)) MiB free, and $(($2 / 1048576 + 64)) MiB are needed"
}

# stop UNIT...: those that are there. An API server whose etcd does not answer
# takes more than a minute to end in good order, and has nothing left to do.
stop() {
	for u; do
		systemctl cat "$u" >/dev/null 2>&1 || continue
		if [ "$u" = "$UNIT_API_SERVER.service" ] && ! timeout 3 systemctl stop "$u"; then systemctl kill -s KILL "$u" || true; fi
		systemctl stop "$u" || die "$u does not stop"
	done
	case " $* " in *" $UNIT_ETCD.service "*)
		if [ ! -d $data/member ] && [ -d $old/member ]; then mv $old/member $data/member && sync -f $data; fi
		;;
	esac
}

# revision FILE: of a database that nobody has open.
revision() { $bin/etcdutl snapshot status "$1" -w json 2>/dev/null | sed -n 's/.*"revision":\([0-9]*\).*/\1/p'; }

# replay NAME OUT: a snapshot of the data here with its log replayed. That is
# done on a copy by an etcd of its own, alone and on loopback; etcd without
# quorum that was started anew serves no snapshot (embed/serve.go: ReadyNotify).
# When it does not come up the bare database is taken. Prints "snapshot" or "bare".
replay() {
	[ -f $data/member/snap/db ] || die "there is no etcd data in $data"
	room $data $(($(du -sb $data/member | cut -f 1) * 2))
	rm -rf $new
	mkdir -p $new "${2%/*}"
	rm -f "$2"
	set -- "$1" "$2" $data/member/wal/*.wal
	if [ ! -f "$3" ]; then # without a log etcd would found an empty cluster
		cp $data/member/snap/db "$2"
		echo bare
		return
	fi
	cp -a $data/member $new/
	tls="--cert-file=$SERVER_CERT --key-file=$SERVER_KEY --client-cert-auth --trusted-ca-file=$AT_ETCD_CA_CERT
		--peer-cert-file=$PEER_CERT --peer-key-file=$PEER_KEY --peer-client-cert-auth --peer-trusted-ca-file=$AT_ETCD_CA_CERT"
	ctl="$bin/etcdctl --endpoints=https://127.0.0.1:23790 --cacert=$AT_ETCD_CA_CERT --cert=$CLIENT_CERT --key=$CLIENT_KEY"
	$bin/etcd --name "$1" --data-dir $new --force-new-cluster --listen-client-urls https://127.0.0.1:23790 --advertise-client-urls https://127.0.0.1:23790 \
		--listen-peer-urls https://127.0.0.1:23800 --initial-advertise-peer-urls https://127.0.0.1:23800 --initial-cluster "$1=https://127.0.0.1:23800" \
		--quota-backend-bytes 8589934592 $tls >$new/log 2>&1 &
	pid=$! i=0
	until $ctl endpoint health >/dev/null 2>&1; do
		i=$((i + 1))
		if ! kill -0 $pid 2>/dev/null || [ $i -gt 120 ]; then break; fi
		sleep 0.5
	done
	if $ctl snapshot save "$2" >/dev/null 2>&1 && [ "$(revision "$2")" -ge "$(revision $data/member/snap/db)" ]; then echo snapshot; else
		rm -f "$2"
		cp $data/member/snap/db "$2"
		echo bare
	fi
	kill $pid 2>/dev/null || true
	wait $pid 2>/dev/null || true
	rm -rf $new
}

# keep: what the swap left of the old data goes where such things are kept.
keep() {
	[ -d $old/member ] || return 0
	k=$AT_KEPT/$(date -u +%Y%m%dT%H%M%SZ) n=1 at=
	at=$k
	while [ -e "$at$data/member" ]; do n=$((n + 1)) at=$k-$n; done
	mkdir -p "$at$data"
	mv $old/member "$at$data/"
	rmdir $old
	echo "kept $at$data"
}

# restore NAME PEER TOKEN SNAPSHOT CHECK BUMP [SUPERSEDED...]: a new cluster of one
# member from a snapshot. CHECK "bare": the file has no checksum. BUMP: by how
# much revisions go up. SUPERSEDED: the ids of the clusters that this one supersedes.
restore() {
	name=$1 peer=$2 token=$3 from=$4 check=$5 bump=$6
	shift 6
	[ ! -d $data/member ] || keep
	room $data $(($(stat -c %s "$from") * 2))
	rm -rf $new
	skip=
	[ "$check" != bare ] || skip=--skip-hash-check
	mkdir -p $data
	$bin/etcdutl snapshot restore "$from" --data-dir $new --name "$name" --initial-cluster "$name=$peer" --initial-advertise-peer-urls "$peer" \
		--initial-cluster-token "$token" --bump-revision "$bump" --mark-compacted $skip >$data/.quorate-log 2>&1 || die "etcdutl cannot restore $from: $(last $data/.quorate-log)"
	rm -f $data/.quorate-log
	sync -f $data
	supersede "$@"
	if [ -d $data/member ]; then
		mkdir -p $old
		mv $data/member $old/member
	fi
	mv $new/member $data/member
	sync -f $data
	install -D -m 0644 /dev/null $AT_BOOTSTRAPPED
	rm -rf $new
	keep
}

# supersede ID...: records clusters that are superseded.
supersede() {
	:
	@RECORD@
}

"$@"
