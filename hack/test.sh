#!/usr/bin/env bash
# Lint and unit tests, then the tests that boot lab hosts: not side by side, for a
# lab is a cluster with time limits of its own. RACE=1 adds the race detector to the
# unit tests, LONG=1 interrupts more often, also on paper, FUZZ=60s fuzzes each
# target, PHASES="lint unit" leaves out the rest.
# On a slow machine, after MINUTES=20 no further scenario of test/e2e begins but the
# first four, and those left out are named; with LONG=1 none is.
set -euo pipefail
quorate=${1:?usage: test.sh QUORATE}
unit_limit=20m lab_limit=50m
[ -z "${RACE:-}" ] || unit_limit=1h
[ -z "${LONG:-}" ] || lab_limit=4h
tmp=$(mktemp -d)
host_lab=quorate-test-host
first='TestAdopt|TestCreate|TestChange|TestKubeadm' # what must be known when time runs out
until=
[ -n "${LONG:-}" ] || until=$(($(date +%s) + 60 * ${MINUTES:-20}))
end() {
	"$quorate" lab down "$host_lab" >/dev/null 2>&1 || true
	rm -rf "$tmp"
}
trap end EXIT
go build -buildvcs=false -o "$tmp/testsum" ./hack/testsum

phase() { # $1: key, $2: name, the rest: a command
	local begun=$SECONDS state=ok
	[[ " ${PHASES:-lint unit fuzz release host lab nginx} " == *" $1 "* ]] || return 0
	echo "== $2"
	"${@:3}" || state=FAILED
	printf '%-22s %-7s %4d s\n' "$2" "$state" $((SECONDS - begun)) >>"$tmp/results"
}

unit() {
	go test ${RACE:+-race} ${LONG:+-tags long} -json -timeout "$unit_limit" ./... | "$tmp/testsum" -label "unit tests"
}

# fuzz runs every fuzz target for the same time.
fuzz() {
	grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z]+' internal | while IFS=: read -r file name; do
		go test -run '^$' -fuzz "^${name#func }\$" -fuzztime "$FUZZ" -fuzzminimizetime 5s "./$(dirname "$file")" || return
	done
}

# release_tool checks hack/release, which is a module of its own.
release_tool() {
	(cd hack/release && go mod verify && go vet -mod=readonly ./... && go test -count=1 ./...)
}

# on_labs runs the tests that boot hosts, one package at a time: they share the
# machine.
on_labs() {
	go test -tags "lab${LONG:+ long}" -p 1 -count=1 -json -timeout "$lab_limit" "$@" | "$tmp/testsum" -each -label "tests on lab hosts"
}

# with_nginx repeats what changes members on labs with nginx.
with_nginx() {
	QUORATE_E2E_LB=nginx go test -tags "lab long" -count=1 -json -timeout "$lab_limit" \
		-run '^(TestCreate|TestChange|TestReplace|TestRestore|TestRecoverExternal)$' ./test/e2e | "$tmp/testsum" -each -label "tests with nginx"
}

# on_host runs those of package host that need a real one, on a lab host that is
# made for them. The others are unit tests.
on_host() {
	local names
	names=$(grep -ohE '^func Test[A-Za-z]+' internal/host/*_lab_test.go | sed 's/^func //' | paste -sd '|')
	"$quorate" lab down "$host_lab" >/dev/null 2>&1 || true
	"$quorate" lab up "$host_lab" --control-planes 1 --dir "$tmp" >/dev/null || return
	QUORATE_TEST_HOST="root@$("$quorate" lab list | awk -v h="$host_lab/cp1" '$1 == h {print $2}'):22" \
		QUORATE_TEST_KEY="$tmp/$host_lab.key" QUORATE_TEST_KNOWN="$tmp/$host_lab.known_hosts" \
		go test -tags lab -run "^($names)\$" -count=1 -json -timeout 10m ./internal/host | "$tmp/testsum" -each -label "tests on a host" || return
	"$quorate" lab down "$host_lab"
}

"$quorate" lab clean
phase lint lint hack/lint.sh
phase unit "unit tests" unit
[ -z "${LONG:-}" ] || phase release "release tool" release_tool
[ -z "${FUZZ:-}" ] || phase fuzz "fuzzing" fuzz
phase host "tests on a host" on_host
phase lab "tests of labs" on_labs ./internal/lab
export QUORATE_E2E_UNTIL=
phase lab "scenarios, first" on_labs -run "^($first)\$" ./test/e2e
QUORATE_E2E_UNTIL=$until
phase lab "scenarios, others" on_labs -skip "^($first)\$" ./test/e2e
[ -z "${LONG:-}" ] || phase nginx "tests with nginx" with_nginx

echo
cat "$tmp/results"
if grep -q FAILED "$tmp/results"; then
	echo "some tests FAILED, see above"
	exit 1
fi
echo "all tests passed"
