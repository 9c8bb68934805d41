# Everything here needs Go, git and make, and nothing else; the race detector also wants a C compiler.
SHELL       := /bin/bash -o pipefail
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
DEMO        ?=
FUZZTIME    ?= 10s
GOLANGCI    := go tool -modfile=tools/golangci-lint/go.mod golangci-lint
# These start no goroutines, or only processes: the race detector would find nothing, slowly.
PURE        := /(cmd|examples|tools)/|/pkg/(series|stats|calendar|signal|baseline|detect|correlate|incident|cost|alert|config|state|demo|ingest/(csv|openmetrics))$$

# Tests speak with real programs where these can be had; where CI is set, they must be.
PEERS       := $(CURDIR)/bin/peers
export PATH := $(PEERS):$(PATH)
ifdef CI
export BASELINER_PEERS ?= $(PEERS)
endif

.DEFAULT_GOAL := help
.PHONY: help run build test peers vet race verify fmt-check tidy-check lint update bench bench-accuracy bench-causes bench-correlation soak fuzz fuzz-short cover clean

help: ## show this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## build and start the demo: a simulated shop, its past, an incident (DEMO="--seed=2 --timezone=Europe/Berlin")
	@bin/baseliner demo $(DEMO)

build: ## build bin/baseliner, static
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/baseliner ./cmd/baseliner

test: vet peers ## vet, all tests, fuzz targets for a moment, and all once more under the race detector where there are goroutines
	go test -timeout 10m ./...
	@$(MAKE) --no-print-directory fuzz-short
	@$(MAKE) --no-print-directory race

peers: ## programs of others that tests speak with, into bin/peers: Debian packages, unpacked and not installed
	@tools/peers/install $(PEERS)

# Seek(t) is the method of Prometheus' iterators, not that of io.Seeker.
vet:
	go vet -stdmethods=false ./...

race: ## tests of the concurrent packages under the race detector
	@if command -v "$$(go env CC)" >/dev/null; then \
		set -x; CGO_ENABLED=1 go test -race -short -timeout 10m $$(go list ./... | grep -Ev '$(PURE)'); \
	else echo "race detector not run: it needs a C compiler ($$(go env CC))"; fi

verify: fmt-check tidy-check lint test ## all that a change must pass

fmt-check:
	@out="$$(gofmt -l cmd pkg tools)"; if [ -n "$$out" ]; then echo "not formatted, run make update:"; echo "$$out"; exit 1; fi

tidy-check:
	go mod tidy -diff

lint: ## the lint set, import layers included (the linter is compiled on first use)
	$(GOLANGCI) run ./...

update: ## repair what verify complains about, as far as a machine can: format, modules, golden files
	$(GOLANGCI) fmt
	go mod tidy
	@grep -rlE 'flag\.Bool\("update"' --include='*_test.go' cmd pkg | xargs -rn1 dirname | sort -u | \
		while read -r d; do (set -x; go test "./$$d" -update) || exit 1; done

bench: ## all benchmarks (compare two runs with benchstat)
	go test -run '^$$' -bench . -benchmem ./...

bench-accuracy: ## how well the detector detects, as markdown; DATA=DIR is a folder of labelled series (docs/accuracy.md)
	@test -n "$(DATA)" || { echo "say which data: make bench-accuracy DATA=DIR (docs/accuracy.md)"; exit 1; }
	@go run ./tools/accuracy all -data "$(DATA)"

bench-causes: ## how well causes are ranked, as markdown; DATA=DIR is a folder of incidents with known causes (docs/accuracy.md)
	@test -n "$(DATA)" || { echo "say which data: make bench-causes DATA=DIR (docs/accuracy.md)"; exit 1; }
	@go run ./tools/accuracy causes -data "$(DATA)"

bench-correlation: ## what relations, their intervals and losses are worth, as markdown; DATA=DIR as above (docs/accuracy.md)
	@test -n "$(DATA)" || { echo "say which data: make bench-correlation DATA=DIR (docs/accuracy.md)"; exit 1; }
	@go run ./tools/accuracy correlation -data "$(DATA)"

soak: ## the long tests, up to 80 minutes
	go test -tags soak -timeout 80m ./...

# All fuzz targets, a line each: directory, name.
FUZZ_TARGETS := grep -rE '^func Fuzz' --include='*_test.go' cmd pkg | sed -E 's,^(.*)/[^/]*:func (Fuzz[A-Za-z0-9_]*).*,\1 \2,' | sort

fuzz: ## each fuzz target for FUZZTIME
	@$(FUZZ_TARGETS) | while read -r dir target; do \
		(set -x; go test "./$$dir" -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) </dev/null) || exit 1; \
	done

# Without the instrumentation for coverage, which takes minutes to compile: inputs are the seeds, changed blindly. A number of them, not a
# time: Go calls it a failure now and then when the time is over.
fuzz-short: ## each fuzz target with 20,000 inputs, as make test does
	@corpus="$$(mktemp -d)"; trap 'rm -rf "$$corpus"' EXIT; \
	$(FUZZ_TARGETS) | while read -r dir target; do \
		(set -x; go test -vet=off "./$$dir" -run '^$$' -args -test.fuzz "^$$target$$" -test.fuzztime 20000x -test.fuzzcachedir "$$corpus" </dev/null) || exit 1; \
	done

cover: ## coverage.html and the total
	go test -coverpkg=./... -coverprofile=coverage.out ./...
	go tool cover -html=coverage.out -o coverage.html
	@go tool cover -func=coverage.out | tail -1

clean: ## remove what building and testing left behind; keeps data/
	rm -rf bin coverage.out coverage.html
	find . -name '*.got' -delete
