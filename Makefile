# Every target works from nothing and without a terminal. `make help` lists them.
SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-print-directory

export PATH := $(PATH):/usr/local/go/bin
export HOME ?= /root
# Without paths of this folder in what is compiled, another clone finds it in the cache.
export GOFLAGS += -buildvcs=false -trimpath

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  := $(shell git rev-parse HEAD 2>/dev/null)
DATE    := $(shell TZ=UTC0 git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null)
STAMP   := quorate.dev/quorate/internal/version
LDFLAGS := -s -w -X $(STAMP).Version=$(VERSION) -X $(STAMP).Commit=$(COMMIT) -X $(STAMP).Date=$(DATE)
QUORATE := bin/quorate

.DEFAULT_GOAL := help
.PHONY: help setup build artifacts image demo demo-down test test-all soak lint bench bench-faults bench-lb bench-vip release clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what building, testing and labs need and this machine lacks (root, apt)
	@hack/setup.sh

build: ## build bin/quorate and bin/quorate-lb
	@CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(QUORATE) ./cmd/quorate
	@CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/quorate-lb ./cmd/quorate-lb

artifacts: build ## build Kubernetes, etcd and the rest from their Go modules (15 minutes once, then nothing)
	@$(QUORATE) artifacts build --source modules --test-image >/dev/null

image: build ## build the lab hosts' file system (2 minutes once, then nothing)
	@hack/image.sh $(QUORATE)

demo: setup artifacts ## make a cluster of 3 control planes and 2 workers on this machine
	@hack/demo.sh $(QUORATE)

demo-down: ## take the demo away with all that it added to this machine
	@hack/demo-down.sh $(QUORATE)

test: setup artifacts ## lint, unit tests, tests on lab hosts; all set-up included
	@hack/test.sh $(QUORATE)

test-all: setup artifacts ## make test with the race detector, more interruptions, and a minute of each fuzz target
	@RACE=1 FUZZ=60s LONG=1 hack/test.sh $(QUORATE)

soak: setup artifacts ## change, break and heal a lab cluster at random for MINUTES=30, killing quorate and hosts; SEED=N repeats
	@QUORATE_SOAK_MINUTES=$${MINUTES:-30} QUORATE_SEED=$${SEED:-} go test -tags "lab soak" -timeout 0 -count=1 -run '^TestSoak$$' -v ./test/e2e

lint: ## gofmt, go vet, staticcheck, shell syntax, spelling, links between the documents
	@hack/lint.sh

bench: setup artifacts ## time everything that has a target; BENCH_RUNS=5 (for others: hack/bench.sh -h)
	@hack/bench.sh -quorate $(QUORATE)

bench-faults: setup artifacts ## what clients feel when a control plane falls silent, hangs or loses its power (for others: go run ./test/faults -h)
	@go run ./test/faults -quorate $(QUORATE) $(FAULTS)

bench-lb: build ## measure quorate-lb beside nginx and haproxy; CHURN=2000000 opens so many connections instead
	@hack/bench-lb.sh bin/quorate-lb

bench-vip: setup build ## how long a virtual address is away, with quorate-lb and with keepalived; RUNS=5, SATURATE=10m
	@hack/bench-vip.sh bin/quorate-lb

release: ## build dist/: binaries, deb, rpm, container image, SBOM, man pages, checksums; from a clean git tree
	@cd hack/release && GOFLAGS= CGO_ENABLED=0 go run -trimpath . -repo ../.. -out ../../dist

clean: ## remove what was built here; the artefact store and the lab image stay
	@rm -rf bin dist
