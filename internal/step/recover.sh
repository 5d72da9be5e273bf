# Brings etcd's data back on a host, by its layout. Arguments: a verb, then its own. Each can be repeated after any interruption.
set -eu
umask 077
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
bin=$AT_BIN data=$AT_ETCD_DATA record=$AT_RECOVERY copy=$AT_RESTORE
old=$data/.quorate-old new=$data/.quorate-new staged=$data/.quorate-recovery

die() {
	echo "$1" >&2
	exit 1
}

# last FILE: the last line that is for people.
last() { grep -v '^{' "$1" | tail -n 1; }

# etcd_stopped: or else nothing is done. One that ends by itself again and again,
# and is being started anew, counts as stopped for the planner. It is stopped here.
etcd_stopped() {
	state=$(service_state "$UNIT_ETCD")
	if [ "$state" = activating ] && [ "$(systemctl show -p NRestarts --value "$UNIT_ETCD.service")" != 0 ]; then
		systemctl stop "$UNIT_ETCD.service"
		state=$(service_state "$UNIT_ETCD")
	fi
	case $state in inactive | failed | unknown) ;; *) die "etcd runs here ($state)" ;; esac
}

# room DIR BYTES
room() {
	free=$(df -Pk -- "$1" | awk 'NR == 2 { print $4 }')
	[ "$free" -gt $(($2 / 1024 + 65536)) ] || die "$1 has $((free / 1024)) MiB free, and $(($2 / 1048576 + 64)) MiB are needed"
}

# choose: records the recovery on stdin.
choose() {
	mkdir -p "${record%/*}"
	rm -f $record.new # be it a link
	cat >$record.new
	sync $record.new
	mv -T $record.new $record
	sync "${record%/*}"
}

# drop: the recovery is over, or was given up.
drop() {
	rm -rf $staged-* $new $copy
	rm -f $record
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

# stage ID NAME PEER TOKEN BUMP [FILE SHA256]: the data of a new cluster of one
# member, beside etcd's own: from a snapshot, or else from that. BUMP: by how
# much revisions go up. Prints "bare" when the log could not be read.
stage() {
	id=$1 name=$2 peer=$3 token=$4 by=$5 skip=
	if [ $# -gt 5 ]; then
		from=$6
		[ "$(sha256sum <"$from" | cut -c 1-64)" = "$7" ] || die "$from is not the snapshot that was chosen"
	else
		etcd_stopped
		from=$copy
		[ "$(replay "$name" $copy)" = snapshot ] || { skip=--skip-hash-check && echo bare; }
	fi
	mkdir -p $data
	room $data $(($(stat -c %s "$from") * 2))
	rm -rf $new $staged-*
	mkdir $new
	$bin/etcdutl snapshot restore "$from" --data-dir $new/data --name "$name" --initial-cluster "$name=$peer" --initial-advertise-peer-urls "$peer" \
		--initial-cluster-token "$token" --bump-revision "$by" --mark-compacted $skip >$new/log 2>&1 || die "etcdutl cannot restore $from: $(last $new/log)"
	sync -f $data
	touch $new/data
	mv $new/data "$staged-$id"
	sync -f $data
	rm -rf $new $copy
}

# swap ID: the staged data in the place of etcd's.
swap() {
	grep -q "\"id\":\"$1\"" $record || die "another recovery is recorded here"
	etcd_stopped
	[ -d "$staged-$1/member" ] || exit 0
	if [ -d $data/member ]; then
		[ ! -d $old/member ] || die "$old holds older data; move that away first"
		mkdir -p $old
		mv $data/member $old/member
		sync -f $data
	fi
	install -D -m 0644 /dev/null $AT_BOOTSTRAPPED
	mv "$staged-$1/member" $data/member
	sync -f $data
	rm -rf "$staged-$1"
}

# keep: what the swap left of the old data goes where such things are kept.
keep() {
	[ -d $old/member ] || return 0
	k=$AT_KEPT/$(date -u +%Y%m%dT%H%M%SZ) n=1
	at=$k
	while [ -e "$at$data/member" ]; do n=$((n + 1)) at=$k-$n; done
	mkdir -p "$at$data"
	mv $old/member "$at$data/"
	rmdir $old
	echo "$at$data"
}

"$@"
