# Everything can be built from Go modules: no registry, no download site. Programs of
# Kubernetes that are published for envtest are downloaded where that is possible.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
# Skip debugging information: -s -w would remove it. Skip inlining in large generated
# code that no request waits for: the AWS SDK's clients and the types of Kubernetes
# then compile in two thirds of the time. All builds of our programs have these flags,
# and the control plane has those for packages that both need: they are compiled once.
# The compiler collects garbage less often, which saves a quarter of its CPU time.
WITH_FLAGS = GOGC=$${GOGC:-400} GO='$(GO)' GOFLAGS="$$($(GO) env GOFLAGS) -trimpath -gcflags=all=-dwarf=false \
  '-gcflags=github.com/aws/aws-sdk-go-v2/service/...=-dwarf=false -l' \
  '-gcflags=k8s.io/api/...=-dwarf=false -l' '-ldflags=$(LDFLAGS)'"
# Builds, and says how long it will take.
BUILD = $(WITH_FLAGS) hack/build/build.sh
PROVIDER ?= envtest

.PHONY: help build test lint cross bench bench-compare fuzz control-plane image image-all kind-node-image kind-nodes peer eksctl demo e2e e2e-long clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## bin/authenticator, bin/localaws, bin/lab
	@$(BUILD) programs

test: ## unit tests with the race detector (needs a C compiler, no network, no Docker)
	$(GO) test -race -timeout 30m ./...
	cd hack/image && $(GO) test ./...
	cd hack/lint && $(GO) test ./words
	cd deploy/kubernetes && $(GO) test ./...
	cd deploy/kubernetes/monitoring && $(GO) test ./...
	cd deploy/kind/node-image && $(GO) test ./envoy

lint: ## plain English (hack/lint/words), formatting, go.mod, vet and golangci-lint, in every module
	@hack/lint/lint.sh

PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
cross: ## bin/cross: the programs for Linux and macOS, and the authenticator for Windows, on amd64 and arm64 (PLATFORMS=darwin/arm64 for one)
	@$(WITH_FLAGS) hack/cross.sh $(PLATFORMS)

bench: ## benchmarks of the paths that every request takes, summarized by benchstat
	cd hack/lint && $(GO) build -o ../../bin/lint/ golang.org/x/perf/cmd/benchstat
	$(GO) test -run '^$$' -bench . -count 6 ./pkg/... ./internal/... | tee bin/bench.txt
	bin/lint/benchstat bin/bench.txt

# aws-iam-authenticator, from its own Go module.
peer:
	@mkdir -p bin/bench && echo 'building aws-iam-authenticator' >&2
	@cd hack/peer && $(WITH_FLAGS) CGO_ENABLED=0 $(GO) build -o ../../bin/bench/ sigs.k8s.io/aws-iam-authenticator/cmd/aws-iam-authenticator

eksctl: ## bin/eksctl, from its own Go module, for make e2e EKSCTL=$$PWD/bin/eksctl
	@echo 'building eksctl' >&2
	@cd hack/eksctl && $(WITH_FLAGS) CGO_ENABLED=0 $(GO) build -o ../../bin/ github.com/weaveworks/eksctl/cmd/eksctl

ROWS ?=
ROUNDS ?= 7
PEER ?=
bench-compare: $(if $(PEER),,peer) ## server and token beside aws-iam-authenticator (ROWS=distinct,token ROUNDS=3 PEER=path)
	@mkdir -p bin/bench && echo 'bench: building the programs' >&2
	@$(WITH_FLAGS) CGO_ENABLED=0 $(GO) build -o bin/ ./cmd/authenticator
	@$(WITH_FLAGS) $(GO) build -o bin/bench/ ./hack/bench
	@bin/bench/bench -rounds '$(ROUNDS)' -rows '$(ROWS)' $(if $(PEER),-peer '$(PEER)')

FUZZTIME ?= 60s
fuzz: ## every fuzz test for FUZZTIME
	@for package in $$($(GO) list ./...); do \
	  names=$$($(GO) test -list '^Fuzz' $$package); \
	  for name in $$(grep '^Fuzz' <<< "$$names" || true); do \
	    echo "$$package $$name"; $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x $$package; \
	  done; \
	done

control-plane: ## kube-apiserver, etcd, kubectl and kube-controller-manager in bin/k8s, downloaded or built (ENVTEST_INDEX=URL|off, KUBEBUILDER_ASSETS)
	@$(BUILD) control-plane

IMAGE_ARCHITECTURES ?= $(shell $(GO) env GOHOSTARCH)
image: ## bin/images, for this machine's architecture: authenticator.tar for docker load, authenticator/ (OCI) for a registry
	@$(WITH_FLAGS) VERSION='$(VERSION)' hack/image/authenticator.sh $(IMAGE_ARCHITECTURES)

image-all: ## the images of make image, for amd64 and arm64
	@$(MAKE) --no-print-directory image IMAGE_ARCHITECTURES='amd64 arm64'

kind-node-image: ## kube-iam/kind-node: a node image for kind, for machines that reach no registry (needs Debian and root)
	@deploy/kind/node-image/build.sh

demo: ## sign in to a real kube-apiserver with AWS IAM, offline: six steps, shown one by one
	@SECONDS=0; $(BUILD) programs control-plane; \
	  dir=$$(mktemp -d); trap 'bin/lab down --dir "$$dir"; rm -rf "$$dir"' EXIT; \
	  bin/lab up --dir "$$dir" && bin/lab tour --dir "$$dir" && echo "Done in $$SECONDS s, builds included."

# The node image KIND_NODE_IMAGE or kind's own, if present or pullable; else builds ours.
kind-nodes:
	@image=$${KIND_NODE_IMAGE:-$$(awk -F'"' '/^const Image/ { print $$2 }' "$$($(GO) list -m -f '{{.Dir}}' sigs.k8s.io/kind)/pkg/apis/config/defaults/image.go")}; \
	  docker image inspect "$$image" >/dev/null 2>&1 || docker pull --quiet "$$image" 2>/dev/null || $(MAKE) --no-print-directory kind-node-image

# One package at a time: the stories have time limits in seconds.
e2e: build control-plane $(if $(filter kind,$(PROVIDER)),image kind-nodes,peer)
e2e: ## end-to-end tests with a real kube-apiserver and the real AWS CLI (PROVIDER=envtest or kind)
	PROVIDER=$(PROVIDER) $(GO) test -tags e2e -count=1 -p 1 -timeout 40m -v ./e2e/...
	cd examples/e2e && LAB_PROVIDER=$(PROVIDER) $(GO) test -count=1 -timeout 20m -v ./...

e2e-long: ## tests that take too long for CI: a million pairs of mappings and callers; twenty clusters on one server, one of them flooded
	MODEL_MAPS=1000 $(GO) test -count=1 -run TestModel -v ./internal/explain
	$(GO) test -tags e2elong -count=1 -timeout 20m -v ./e2e/long

clean: ## remove everything that make built
	rm -rf bin
