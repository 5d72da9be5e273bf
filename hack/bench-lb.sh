#!/usr/bin/env bash
# Measures quorate-lb ($1) beside nginx stream and haproxy. CHURN=N opens N
# connections through quorate-lb instead; ENDURE=1 holds up to 20,000 idle ones
# beside storms of bad clients; ETCD=FOLDER, with etcd and
# kube-apiserver in it, compares writes with and without the way to etcd.
# RUNS=5, SECONDS_EACH=2, IDLE=2000.
set -euo pipefail
lb=$1
export PATH=$PATH:/usr/sbin
bench=$(mktemp)
trap 'rm -f "$bench"' EXIT
CGO_ENABLED=0 go build -trimpath -o "$bench" ./test/benchlb
if [ -n "${CHURN:-}" ]; then
	"$bench" -lb "$lb" -churn "$CHURN"
	exit
fi
if [ -n "${ENDURE:-}" ]; then
	"$bench" -lb "$lb" -endure
	exit
fi
if [ -n "${ETCD:-}" ]; then
	"$bench" -lb "$lb" -etcd "$ETCD"
	exit
fi
missing=()
command -v nginx >/dev/null || missing+=(nginx-light)
[ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || missing+=(libnginx-mod-stream)
command -v haproxy >/dev/null || missing+=(haproxy)
if [ ${#missing[@]} -gt 0 ]; then
	echo "bench-lb: installing ${missing[*]}"
	# Programs are wanted, not services: nothing that is installed may start.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod +x $policy
		trap 'rm -f "$bench" '$policy EXIT
	fi
	apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >/dev/null
fi
"$bench" -lb "$lb" -runs "${RUNS:-5}" -seconds "${SECONDS_EACH:-2}" -idle "${IDLE:-2000}"
