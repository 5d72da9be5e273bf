#!/usr/bin/env bash
# Everything that can be said about the sources without running them.
set -euo pipefail
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
misspell=github.com/golangci/misspell/cmd/misspell@v0.8.0
failed=0
check() { # $1: name, the rest: a command that fails when something is wrong
	local out
	if out=$("${@:2}" 2>&1); then
		echo "lint: $1: ok"
	else
		echo "lint: $1:" && echo "${out:-it failed and said nothing}" | sed 's/^/  /'
		failed=1
	fi
}

# silent fails when a command has something to say.
silent() {
	local out
	out=$("$@" 2>&1) && [ -z "$out" ] || { echo "$out"; return 1; }
}

shells() {
	local f
	for f in hack/*.sh .ci/run; do bash -n "$f"; done
	while read -r f; do sh -n "$f"; done < <(find internal -name '*.sh')
}

# links: what a document of ours refers to must be there.
links() {
	local doc to
	for doc in *.md docs/*.md; do
		while read -r to; do
			[ -e "$(dirname "$doc")/$to" ] || echo "$doc: $to is not there"
		done < <(grep -o '](\([^)#:]*\)[)#]' "$doc" | sed 's/^](//; s/[)#]$//' | sort -u)
	done
}

# spelling: common misspellings, in all that people read.
spelling() {
	git ls-files '*.md' '*.go' '*.sh' | xargs go run "$misspell" -error
}

check gofmt silent gofmt -l cmd hack internal test
check "go vet" go vet ./...
check "go vet -tags lab" go vet -tags lab,soak ./...
check staticcheck go run "$staticcheck" -tags lab,soak ./...
check shell silent shells
check links silent links
check spelling spelling
exit $failed
