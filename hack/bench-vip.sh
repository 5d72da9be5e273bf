#!/usr/bin/env bash
# Measures how long a virtual address is away with quorate-lb ($1), beside
# keepalived. RUNS=5. SATURATE=10m: instead, how often it moves while all cores are busy.
set -euo pipefail
lb=$1
export PATH=$PATH:/usr/sbin:/sbin
bench=$(mktemp)
trap 'rm -f "$bench"' EXIT
CGO_ENABLED=0 go build -trimpath -o "$bench" ./test/benchvip
"$bench" -lb "$lb" -runs "${RUNS:-5}" ${SATURATE:+-saturate "$SATURATE"}
