# Everything is built from Go modules: no registry, no download site.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
# Debugging information takes time to make, and -s -w throws it away. The control
# plane is built with the same flags, so that what both need is compiled once.
GCFLAGS := all=-dwarf=false
PROVIDER ?= envtest

.PHONY: help build test lint bench fuzz control-plane demo e2e clean

help: ## say what can be made
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## bin/authenticator, bin/localaws, bin/lab
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -gcflags '$(GCFLAGS)' -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

test: ## unit tests with the race detector (needs a C compiler, no network, no Docker)
	$(GO) test -race ./...
	cd deploy/kubernetes && $(GO) test ./...
	cd deploy/kubernetes/monitoring && $(GO) test ./...

lint: ## formatting, vet and golangci-lint, modules tidy
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [[ -z "$$unformatted" ]] || { echo "not gofmt-ed: $$unformatted" >&2; exit 1; }
	$(GO) mod tidy -diff
	$(GO) vet -tags e2e ./...
	cd hack/lint && $(GO) build -o ../../bin/lint/ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/lint/golangci-lint run --build-tags e2e ./...

bench: ## benchmarks of the paths that every request takes, summed up by benchstat
	cd hack/lint && $(GO) build -o ../../bin/lint/ golang.org/x/perf/cmd/benchstat
	$(GO) test -run '^$$' -bench . -count 6 ./pkg/... ./internal/... | tee bin/bench.txt
	bin/lint/benchstat bin/bench.txt

FUZZTIME ?= 60s
fuzz: ## every fuzz test for FUZZTIME
	@for package in $$($(GO) list ./...); do \
	  for name in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    echo "$$package $$name"; $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x $$package; \
	  done; \
	done

control-plane: ## kube-apiserver, etcd and kubectl in bin/k8s; skipped when there or KUBEBUILDER_ASSETS is set
	@hack/controlplane/build.sh bin/k8s

demo: ## sign in to a real kube-apiserver with AWS IAM, offline: six steps, shown one by one
	@SECONDS=0; $(MAKE) --no-print-directory build control-plane; \
	  dir=$$(mktemp -d); trap 'bin/lab down --dir "$$dir"; rm -rf "$$dir"' EXIT; \
	  bin/lab up --dir "$$dir" && bin/lab tour --dir "$$dir" && echo "Done in $$SECONDS s, builds included."

# One package at a time: the stories wait for bounds in seconds.
e2e: build control-plane ## the same with the real AWS CLI, and all that can go wrong (PROVIDER=envtest)
	PROVIDER=$(PROVIDER) $(GO) test -tags e2e -count=1 -p 1 -timeout 20m -v ./e2e/...

clean: ## remove what was built
	rm -rf bin
