#!/usr/bin/env bash
# Takes the demo away.
set -euo pipefail
quorate=${1:?usage: demo-down.sh QUORATE}
[ -x "$quorate" ] || { echo "demo: $quorate is not there; next: make build demo-down" >&2; exit 1; }
if [[ $'\n'$("$quorate" lab list) == *$'\n'demo[/\ ]* ]]; then
	"$quorate" lab down demo
	echo "demo: the lab and its hosts are gone"
else
	echo "demo: there is no lab named demo"
fi
rm -rf demo
