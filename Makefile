# On Debian 12 as root, with Go installed, `make run` and `make test` are all it takes.
SHELL       := /bin/bash -o pipefail
export PATH := $(PATH):/usr/local/go/bin
# A flag that DPDK's newer releases ask for and Go takes only by name (third_party/dpdk/README.md).
export CGO_CFLAGS_ALLOW := -mrtm

VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BUILD   = go build -trimpath -buildvcs=false -ldflags '-X main.version=$(VERSION)' -o bin/
PURE    = $$(test/packages.sh pure)
MACHINE = $$(test/packages.sh machine)
# Tests that need DPDK or namespaces use this machine as it is now: never cached, one package at a time.
ALONE   = -count=1 -p=1
DEB      ?= bin
FUZZTIME ?= 60s
COUNT    ?= 6

help: ## this list
	@awk -F': .*## |: ## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

run: install-lab compile ## build a network on this machine and send HTTP through it; ARGS=--once to stop by itself
	bin/guideway-lab $(ARGS)

build: install-build compile ## guidewayd, guideway, guideway-lab and guideway-load into bin/

test: install-test check compile ## everything that guards main: rules, tests, races, short fuzzing, benchmarks once
	CGO_ENABLED=0 go vet $(PURE)
	CGO_ENABLED=0 go test $(PURE)
	GODEBUG=cpu.avx2=off go test -count=1 ./lcore
	go test $(ALONE) $(MACHINE)
	go test -race -short $$(test/packages.sh concurrent)
	test/fuzz.sh total 60
	go test -run='^$$' -bench=. -benchtime=1x $(ALONE) $(PURE) $(MACHINE)
	@echo 'PASS: rules, tests, races, fuzzing and benchmarks of $(VERSION)'

race: install-build ## all tests that need no DPDK under the race detector, at full length
	go test -race $(PURE)

fuzz: install-build ## every fuzz target for FUZZTIME=60s
	test/fuzz.sh each $(FUZZTIME)

# Bounded in time: the stream of frames by the tests themselves, all else by the timeouts.
soak: install-test ## 10 million hostile frames through nodes in memory and through guidewayd, then the fleet at full size
	@if SOAK_FULL=1 FLEET_FULL=1 go test $(ALONE) -timeout=30m -v ./test/soak ./test/fleet; \
	then echo 'PASS: soak of $(VERSION)'; else echo 'FAIL: soak of $(VERSION)'; exit 1; fi

claims: install-build ## what the Maglev paper says, and what is so here: tables and figures of docs/claims.md
	CGO_ENABLED=0 go run ./test/claims -docs docs

bench: install-test ## benchmarks COUNT=6 times into bench/, compared with benchstat: packages, then whole processes beside testpmd
	@mkdir -p bench
	go test -run='^$$' -bench=. -benchmem -count=$(COUNT) -p=1 $(PURE) $(MACHINE) | tee bench/$(VERSION).txt
	BENCH_ROUNDS=$(COUNT) BENCH_FIGURES=$(CURDIR)/bench go test $(ALONE) -timeout=60m -v -run=Whole ./test/bench | tee -a bench/$(VERSION).txt
	go tool benchstat $$(ls -tr bench/*.txt | tail -n 2)

vuln: ## known vulnerabilities of what is linked in, by govulncheck; fails where vuln.go.dev cannot be reached
	go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

lint: install-build check ## gofmt, go vet, staticcheck, and the laws of the house

deb: install-deb compile ## the Debian package into bin/
	deploy/debian/build.sh $(DEB) $(DEB_VERSION)

test-deb: install-test deb ## installs, upgrades and purges the package in a Debian made by debootstrap
	timeout 900 test/deb.sh $(DEB)

# Ten minutes are plenty where nothing else runs; a busy machine gets time to be slow.
test-vm: install-vm deb ## the package on network cards by vfio-pci, in virtual machines: QEMU without KVM, Debian's kernel, GRE by backends' kernels
	@mkdir -p $(DEB)/vm
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w' -o $(DEB)/vm/guest ./test/vm/guest
	timeout 600 test/base.sh $(DEB)
	timeout 600 test/vm/image.sh $(DEB)
	go vet -tags=vm ./test/vm
	VM_IMAGE=$(abspath $(DEB))/vm go test -tags=vm -count=1 -v -timeout=20m ./test/vm

clean: ## what was built; third_party/ and hugepages stay
	rm -rf bin bench

check:
	@files=$$(gofmt -l .) && [ -z "$$files" ] || { echo "not gofmt-clean: $$files"; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	CGO_ENABLED=0 go test -count=1 ./test/laws

compile:
	$(BUILD) ./cmd/guidewayd ./cmd/guideway-load
	CGO_ENABLED=0 $(BUILD) ./cmd/guideway ./cmd/guideway-lab

install-%:
	@third_party/install.sh $*

# The order of prerequisites is meant, with -j too.
.NOTPARALLEL:
.PHONY: help run build test race fuzz soak claims bench vuln lint deb test-deb test-vm clean check compile
