# Needs Go, git and make. Everything else is pinned here or in tools/go.mod, and built below .tools/.
.DEFAULT_GOAL := help

VERSITYGW     := github.com/versity/versitygw/cmd/versitygw v1.8.0
TEMPORAL      := github.com/temporalio/cli/cmd/temporal v1.5.1
TOXIPROXY     := github.com/Shopify/toxiproxy/v2/cmd/server v2.5.0 toxiproxy
BENCHSTAT     := golang.org/x/perf/cmd/benchstat v0.0.0-20260908200009-22c9c6c9d4da
AGE           := filippo.io/age/cmd/age v1.3.2
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint v2.15.0
GITEA         := code.gitea.io/gitea v1.26.0 . gitea -tags 'sqlite sqlite_unlock_notify'
COMPOSE_MODULE := github.com/docker/compose/v5 v5.5.1
GO_TOOL       := go tool -modfile=tools/go.mod

# The race detector needs a C compiler, and is left out where there is none.
RACE := $(if $(shell command -v $$(go env CC)),-race)

# The version of Go's FIPS 140-3 module that is built in, such as v1.0.0: docs/security.md says what is approved then.
GOFIPS140 ?= off

# Inputs for each target, as a count: with a duration, go test fails now and then when it is up (go.dev/issue/75804).
FUZZTIME ?= 50000x

# What protects data, for make mutate: PACKAGES=./activities FILES=put.go,prune.go:17 for a part of it.
PACKAGES ?= $(addprefix ./internal/,archive bucket bundle chain config crypt foreign forge/gitlabapi httpclient keypair lfs object packfile plan predecessor project redirect refset sign smarthttp staging stream syncsfile turn) ./activities ./workflows ./workflows/contract
FILES ?=

# Of make scale: how many syncs there are, with real repositories and with made-up ones.
REAL ?= 1000
PLANNED ?= 10000

# Of make model: how many steps the schedules take together.
STEPS ?= 400000

# Of make bench: how often each workload is measured, and how large the largest are, which are measured once. ONLY=first-large,idle has
# some of them measured, and RESUME=1 those that docs/performance/figures.json does not have of this commit.
ROUNDS  ?= 3
LARGE   ?= 300000000
HUGE    ?= 2000000000
MANY    ?= 1200
REFS    ?= 100000
UPDATES ?= 200
ONLY    ?=
RESUME  ?=

# A commit, for make versions.
OTHER ?=

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/worker, bin/starter and bin/standalone
	CGO_ENABLED=0 GOFIPS140=$(GOFIPS140) go build -trimpath -o bin/ ./worker ./starter ./standalone

.PHONY: servers
servers: ## build the servers of the demo: once, about five minutes
	@tools/install $(VERSITYGW)
	@command -v temporal >/dev/null || tools/install $(TEMPORAL)
	@tools/install $(TOXIPROXY)

# Gitea's texts, which it reads at its start, are in the folder of its module.
.PHONY: tools
tools: servers ## build those of the tests, too: with a C compiler, a Gitea, about five minutes more
	@tools/install $(AGE)
	@if [ -n "$(RACE)" ]; then ln -sfn "$$(tools/build $(GITEA))" .tools/gitea; else echo "No C compiler: no Gitea, and no tests with one"; fi

# What make standalone is given: the flags of docs/standalone.md.
ROLE ?=
DRY_RUN ?= true
RUN_ONCE ?= true

.PHONY: standalone
standalone: build servers ## run one side as the environment says: ROLE=producer DRY_RUN=false RUN_ONCE=false, docs/standalone.md
	@PATH="$(CURDIR)/.tools/bin:$$PATH" bin/standalone $(if $(ROLE),-role $(ROLE)) -dry-run=$(DRY_RUN) -run-once=$(RUN_ONCE)

.PHONY: demo
demo: build servers ## run both sides on this machine until Ctrl-C
	@go build -o bin/demo ./demo
	@bin/demo

.PHONY: demo-once
demo-once: build servers ## the same, until everything is synced; fails when it is not
	@go build -o bin/demo ./demo
	@bin/demo -once

.PHONY: test
test: tools ## run all tests, those on real servers included
	@test -n "$(RACE)" || echo "No C compiler: testing without the race detector"
	$(GO_TOOL) gotestsum --format pkgname-and-test-fails -- $(RACE) -timeout 60m -parallel 6 ./...
	cd tools && go test ./...

.PHONY: faults
faults: servers ## have every fault happen at every step, on real servers, and write down how it went, about an hour: MISSING=1 goes on with a run that was interrupted
	go test -count 1 -timeout 5h -parallel 5 -run TestMatrix ./e2e/faults -whole -write $(if $(MISSING),-missing)

# Of make soak.
DURATION ?= 1h
SEED ?=

.PHONY: soak
soak: servers ## let random faults happen to random changes for an hour, and write down how it went: DURATION=10m SEED=1
	go test -count 1 -timeout 24h -v -run TestSoak ./e2e/faults -soak $(DURATION) -seed $(if $(SEED),$(SEED),$$(date +%s)) -write

.PHONY: scale
scale: servers ## measure what docs/scaling.md quotes, at the size of a large company, about ninety minutes: REAL=100 PLANNED=500 for less
	@mkdir -p bin
	CGO_ENABLED=0 go test -count 1 -timeout 3h -v ./e2e/scale -real $(REAL) -planned $(PLANNED) -shared 100 -small 60 -huge 200000000 -figures "$(CURDIR)/bin/scale.json"
	go test -count 1 -timeout 1h -v -run TestTenThousand ./workflows -scale

.PHONY: model
model: ## play random schedules of faults and of both sides' requests, a few minutes: STEPS=2000000 for longer
	go test -count 1 -timeout 12h -v -run TestRandomSchedules ./activities/model -steps $(STEPS)

.PHONY: versions
versions: tools ## let the workers of another commit take turns with these, on both sides: OTHER=<commit>
	@test -n "$(OTHER)" || { echo "Say which: make versions OTHER=<commit>"; exit 1; }
	@rm -rf bin/other && mkdir -p bin/other/source
	git archive "$(OTHER)" | tar -x -C bin/other/source
	cd bin/other/source && CGO_ENABLED=0 go build -buildvcs=false -trimpath -o .. ./worker ./starter
	@rm -rf bin/other/source
	go test -count 1 -timeout 30m -v -run TestOther ./e2e -other "$(CURDIR)/bin/other"

.PHONY: bench
bench: servers ## measure this system beside floors and the conventional way, and write docs/performance.md: about an hour
	@tools/install $(AGE)
	@mkdir -p docs/performance
	$(if $(ONLY)$(RESUME),,CGO_ENABLED=0 go test -count 1 -timeout 1h -run TestPlanned ./e2e/scale -planned 500 -figures "$(CURDIR)/docs/performance/planned.json")
	CGO_ENABLED=0 go test -count 1 -timeout 6h -v -run TestPerformance ./e2e/performance -write $(if $(RESUME),-resume) -only "$(ONLY)" \
		-rounds $(ROUNDS) -large $(LARGE) -huge $(HUGE) -many $(MANY) -refs $(REFS) -updates $(UPDATES)
	cd tools && go run ./plot ../docs/performance/figures.json ../docs/performance

# What a profile is of: processor time (cpu), allocations (allocs) or blocking (block).
PROFILE ?= cpu

.PHONY: profile
profile: servers ## profile both workers in a first sync of LARGE bytes: PROFILE=allocs, PROFILE=block
	@tools/install $(AGE)
	CGO_ENABLED=0 go test -count 1 -timeout 1h -run TestProfile ./e2e/performance -large $(LARGE) -profile "$(CURDIR)/bin/profiles"
	@for side in producer consumer; do go tool pprof -top -nodecount 25 $(if $(filter allocs,$(PROFILE)),-sample_index=alloc_space) "bin/profiles/$$side.$(PROFILE).pprof"; done

.PHONY: benchmarks
benchmarks: tools ## measure what docs/benchmarks.md quotes, about forty-five minutes
	@CGO_ENABLED=0 go test -run '^$$' -bench . -benchtime 1x -timeout 1h ./e2e ./internal/chain ./activities ./internal/packfile ./internal/lfs
	@CGO_ENABLED=0 go test -run '^$$' -bench . ./internal/smarthttp ./internal/catalog ./internal/plan ./worker/service

# What make benchstat runs: the hot paths that need no server.
MICRO := -bench '^Benchmark(Relay|Build|Uploads|Listing|Write|Read|RefLines|PossiblePointer|Seal|Stream)$$' ./internal/... ./activities

# A commit to compare with.
OLD ?=

.PHONY: benchstat
benchstat: ## compare the micro-benchmarks of another commit with these: OLD=<commit>
	@test -n "$(OLD)" || { echo "Say which: make benchstat OLD=<commit>"; exit 1; }
	@tools/install $(BENCHSTAT)
	@rm -rf bin/old && mkdir -p bin/old/source
	git archive "$(OLD)" | tar -x -C bin/old/source
	@for round in 1 2 3 4 5 6; do \
		(cd bin/old/source && CGO_ENABLED=0 go test -run '^$$' $(MICRO)) >>bin/old/old.txt && \
		CGO_ENABLED=0 go test -run '^$$' $(MICRO) >>bin/old/new.txt || exit 1; \
	done
	@rm -rf bin/old/source
	.tools/bin/benchstat bin/old/old.txt bin/old/new.txt

.PHONY: fuzz
fuzz: ## feed made-up input to every parser of foreign bytes: FUZZTIME=60s for longer
	@set -e; for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$target in $$package"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s $$package; \
		done; \
	done

.PHONY: mutate
mutate: tools ## break the code in small ways, one at a time, and see which of them no test notices: hours
	cd tools && go build -o ../bin/mutate ./mutate
	@bin/mutate -threshold 90 -files "$(FILES)" $(PACKAGES)

.PHONY: lint
lint: ## check style, import directions, determinism, generated code and go.mod
	@tools/install $(GOLANGCI_LINT)
	.tools/bin/golangci-lint run ./...
	$(GO_TOOL) workflowcheck -config tools/workflowcheck.yaml ./workflows/...
	tools/check-generated
	go mod tidy -diff
	cd tools && go mod tidy -diff
	cd deploy/check && go mod tidy -diff

IMAGE_BUILD := docker build --build-arg GOFIPS140=$(GOFIPS140) --build-arg VERSION=$$(git describe --tags --always --dirty) --build-arg REVISION=$$(git rev-parse HEAD)

.PHONY: image
image: ## build the container images: the lean one, and the one that brings a Temporal along
	$(IMAGE_BUILD) -t git-partition-sync .
	$(IMAGE_BUILD) --target standalone -t git-partition-sync:standalone .

.PHONY: compose-images
compose-images: ## pull what docker-compose.yml and the images build on; where that fails, build stand-ins
	@deploy/compose/images || { $(MAKE) tools && deploy/compose/images; }

.PHONY: compose-check
compose-check: ## check docker-compose.yml and deploy/kubernetes, without an engine or a cluster
	cd deploy/check && go test -count=1 ./...

.PHONY: compose-test
compose-test: compose-check ## run docker-compose.yml, break it and see it heal; without a container engine, only check it
	@deploy/compose/test "$(COMPOSE_MODULE)"

.PHONY: generate
generate: ## write graphql/generated.go from the schema and the query
	go generate ./graphql

.PHONY: clean
clean: ## remove what was built and what the demo left; the tools stay
	rm -rf bin .demo
