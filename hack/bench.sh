#!/usr/bin/env bash
# Runs test/bench. BENCH_RUNS=5; BENCH_ONLY=program,planner,floor,cluster,change,upload.
set -euo pipefail
exec go run ./test/bench -runs "${BENCH_RUNS:-5}" ${BENCH_ONLY:+-only "$BENCH_ONLY"} "$@"
