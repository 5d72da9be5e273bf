# Brings etcd's data back on a host. Arguments: a verb, then its own. All verbs
# can be repeated after any interruption. Of a swap of the data that was cut
# short, what was there before counts: it lies in $old then.
set -eu
umask 077
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
bin=/opt/quorate/bin data=/var/lib/etcd old=/var/lib/etcd/.quorate-old new=/var/lib/etcd/.quorate-new
pki=/etc/kubernetes/pki/etcd

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
		if [ "$u" = kube-apiserver.service ] && ! timeout 3 systemctl stop "$u"; then systemctl kill -s KILL "$u" || true; fi
		systemctl stop "$u" || die "$u does not stop"
	done
	case " $* " in *" etcd.service "*)
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
	tls="--cert-file=$pki/server.crt --key-file=$pki/server.key --client-cert-auth --trusted-ca-file=$pki/ca.crt
		--peer-cert-file=$pki/peer.crt --peer-key-file=$pki/peer.key --peer-client-cert-auth --peer-trusted-ca-file=$pki/ca.crt"
	ctl="$bin/etcdctl --endpoints=https://127.0.0.1:23790 --cacert=$pki/ca.crt --cert=$pki/healthcheck-client.crt --key=$pki/healthcheck-client.key"
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
	k=/var/lib/quorate/kept/$(date -u +%Y%m%dT%H%M%SZ) n=1 at=
	at=$k
	while [ -e "$at/var/lib/etcd/member" ]; do n=$((n + 1)) at=$k-$n; done
	mkdir -p "$at/var/lib/etcd"
	mv $old/member "$at/var/lib/etcd/"
	rmdir $old
	echo "kept $at/var/lib/etcd"
}

# restore NAME PEER TOKEN SNAPSHOT CHECK BUMP [PAST...]: a new cluster of one
# member from a snapshot. CHECK "bare": the file has no checksum. BUMP: by how
# much revisions go up. PAST: the ids of the clusters that this one supersedes.
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
	past "$@"
	if [ -d $data/member ]; then
		mkdir -p $old
		mv $data/member $old/member
	fi
	mv $new/member $data/member
	sync -f $data
	install -D -m 0644 /dev/null /etc/quorate/etcd-begun
	rm -rf $new
	keep
}

# past ID...: records clusters that are superseded.
past() {
	:
	@RECORD@
}

"$@"
