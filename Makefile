# Needs Go, git and make. Everything else is pinned here or in tools/go.mod, and built below .tools/.
.DEFAULT_GOAL := help

VERSITYGW     := github.com/versity/versitygw/cmd/versitygw v1.8.0
TEMPORAL      := github.com/temporalio/cli/cmd/temporal v1.5.1
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint v2.15.0
GO_TOOL       := go tool -modfile=tools/go.mod

# The race detector needs a C compiler, and is left out where there is none.
RACE := $(if $(shell command -v $$(go env CC)),-race)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/worker and bin/starter
	CGO_ENABLED=0 go build -trimpath -o bin/ ./worker ./starter

.PHONY: tools
tools: ## build the servers of the demo and the tests: once, about five minutes
	@tools/install $(VERSITYGW)
	@command -v temporal >/dev/null || tools/install $(TEMPORAL)

.PHONY: demo
demo: build tools ## run both sides on this machine until Ctrl-C
	@go build -o bin/demo ./demo
	@bin/demo

.PHONY: demo-once
demo-once: build tools ## the same, until everything is synced; fails when it is not
	@go build -o bin/demo ./demo
	@bin/demo -once

.PHONY: test
test: tools ## run all tests, those on real servers included
	@test -n "$(RACE)" || echo "No C compiler: testing without the race detector"
	$(GO_TOOL) gotestsum --format pkgname-and-test-fails -- $(RACE) ./...

.PHONY: lint
lint: ## check style, import directions, determinism, generated code and go.mod
	@tools/install $(GOLANGCI_LINT)
	.tools/bin/golangci-lint run ./...
	$(GO_TOOL) workflowcheck -config tools/workflowcheck.yaml ./workflows/...
	tools/check-generated
	go mod tidy -diff
	cd tools && go mod tidy -diff

.PHONY: generate
generate: ## write graphql/generated.go from the schema and the query
	go generate ./graphql

.PHONY: clean
clean: ## remove what was built and what the demo left; the tools stay
	rm -rf bin .demo
