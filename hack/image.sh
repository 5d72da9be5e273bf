#!/usr/bin/env bash
# Builds the lab hosts' file system by making, and removing, a lab of one host.
set -euo pipefail
quorate=${1:?usage: image.sh QUORATE}
dir=$(mktemp -d)
trap '"$quorate" lab down image >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
"$quorate" lab up image --control-planes 1 --dir "$dir" >/dev/null
