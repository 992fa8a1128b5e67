# Every command of the project. "make" lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# Each module is tested by itself; a folder with a go.mod is one.
MODULES := $(sort $(patsubst %/,%,$(dir $(shell find . -name go.mod -not -path '*/testdata/*' -not -path '*/node_modules/*'))))
GOTEST  := go test -race -count=1 -timeout=15m
SCRIPTS := testdata/postgres
# What "make test-engine" builds and runs alone.
TESTED  := $(filter-out ./compat/tidb ./compat/gomysql,$(MODULES))

# The statement coverage of the root package that "make cover" asks for.
COVER_MIN ?= 90
COVER_PKG := github.com/m2msafe/m2msafe,github.com/m2msafe/m2msafe/internal/catalog,github.com/m2msafe/m2msafe/internal/dialect

# How long "make fuzz" runs each fuzz test.
FUZZTIME ?= 30s

# What "make security" runs. The last is the database of the second, for where
# vuln.go.dev can't be reached.
GOSEC       := github.com/securego/gosec/v2/cmd/gosec@v2.30.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
VULNDB      := golang.org/x/vulndb@v0.0.0-20261105234957-e22db6528018

# each_module runs $(1) in every module, goes on after a failure, and closes
# with how many passed.
define each_module
@passed=0; failed=0; \
for module in $(TESTED); do \
  echo "== $$module: $(strip $(1))"; \
  if (cd "$$module" && $(1)); then passed=$$((passed + 1)); else failed=$$((failed + 1)); fi; \
done; \
echo "modules: $$passed passed, $$failed failed"; \
[ "$$failed" -eq 0 ]
endef

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: test
test: compiler ## Run every module's tests with the race detector; PostgreSQL is set up by the tests
	$(call each_module,$(GOTEST) ./...)

.PHONY: test-docker
test-docker: compiler ## Run the tests of the root, and of compat on PostgreSQL, against a container; a Docker engine is started if none answers
	@M2MSAFE_ENGINES=postgres $(SCRIPTS)/with-docker.sh $(MAKE) --no-print-directory test MODULES="$(filter . ./compat,$(MODULES))"

.PHONY: test-oldest
test-oldest: compiler ## Run the root module's tests with the oldest Go that is supported
	GOTOOLCHAIN=go1.25.0 $(GOTEST) ./...

.PHONY: test-engines
test-engines: ## Run the conformance suite on every engine but TiDB (make test-tidb), and write docs/engines.md (ENGINES="mariadb galera" for some; ARGS="--race --forget")
	@cd compat && go run ./internal/engines $(ARGS) $(ENGINES)

.PHONY: test-engine
test-engine: ## Run the conformance suite on one engine: ENGINE=mariadb
	@cd compat && go run ./internal/engines $(ARGS) $(or $(ENGINE),$(error ENGINE is not set; docs/engines.md has their names))

.PHONY: test-tidb
test-tidb: ## Run the conformance suite on TiDB, which runs in the tests' process: its first build takes minutes
	@$(MAKE) --no-print-directory test-engines ENGINES="tidb-pessimistic tidb-optimistic"

.PHONY: demo
demo: ## Run the demonstration: stock GORM and the plugin side by side (ARGS="--quick" for the short one)
	@cd cmd/m2msafe && go run . lab $(ARGS)

.PHONY: audit-page
audit-page: ## Look at the audit's page in a headless Chromium, and take the pictures of docs/audit anew (needs chromium-headless-shell and PostgreSQL)
	@cd cmd/m2msafe && M2MSAFE_AUDIT_PICTURES="$(CURDIR)/docs/audit" go test -count=1 -v -run 'TestPicturesForTheDocs|TestPageInABrowser' ./internal/auditcmd

.PHONY: audit-schemas
audit-schemas: ## Plant every defect in the tables of every framework and mend it, on three engines; "make test" plants each in some (installs Django and MariaDB as root)
	@cd auditlab && M2MSAFE_SCHEMAS=all go test -count=1 -timeout=30m -v ./...

.PHONY: bench
bench: ## Measure the plugin against stock GORM, a hand-written statement, ent and bun, and write docs/benchmarks.md (ARGS="--quick" for a smoke test that writes nothing)
	@cd bench && go run . $(ARGS)

.PHONY: chaos
chaos: ## Have sessions, servers, connections and contexts fail under writers, and ask the database what is left (ARGS="--seed 7 --engine postgres,mariadb")
	@cd chaos && go run . run $(ARGS)

.PHONY: soak
soak: ## Have writers write for ten minutes, see whether anything grows, and write docs/reliability.md (ARGS="--engine mariadb --for 1h")
	@cd chaos && go run . soak --keep ../docs/reliability $(ARGS) && go run . page ../docs

.PHONY: reliability
reliability: ## Measure docs/reliability.md anew: 20 runs of faults in a row and ten minutes of work, on each engine (40 minutes)
	@cd chaos && go run . run --engine postgres,mariadb --times 20 --keep ../docs/reliability && go run . soak --engine postgres,mariadb --keep ../docs/reliability && go run . page ../docs

.PHONY: cover
cover: ## Measure the root package's statement coverage by the root's and compat's tests; fails below COVER_MIN percent
	@rm -rf .cover && mkdir .cover
	@go test -count=1 -timeout=15m -coverpkg=$(COVER_PKG) -coverprofile=.cover/root.out ./...
	@if [ -f compat/go.mod ]; then \
	  cd compat && go test -count=1 -timeout=15m -coverpkg=$(COVER_PKG) -coverprofile=../.cover/compat.out ./...; \
	fi
	@# Blocks that stand in both profiles are added up by "go tool cover".
	@{ echo 'mode: set'; grep -hv '^mode:' .cover/*.out; } >.cover/all
	@grep -E '^mode:|^github.com/m2msafe/m2msafe/[^/]+\.go:' .cover/all >.cover/package
	@go tool cover -func=.cover/all | tail -n 1 | awk '{ print "with internal/catalog and internal/dialect: " $$3 }'
	@go tool cover -func=.cover/package | tail -n 1 | awk -v min=$(COVER_MIN) \
	  '{ print "package m2msafe: " $$3 " of statements (at least " min "%)"; sub("%", "", $$3); exit $$3 + 0 < min }'

.PHONY: lint
lint: fmt vet tidy ## Check format, vet, tidy go.mod files, the scripts (shellcheck) and golangci-lint's rules, the last two where installed
	@if command -v shellcheck >/dev/null; then shellcheck -x -P . testdata/*/*.sh .ci/run; else echo "shellcheck is not installed: left out"; fi
	@if ! command -v golangci-lint >/dev/null; then echo "golangci-lint is not installed: left out"; exit 0; fi; \
	for module in $(MODULES); do (cd "$$module" && golangci-lint run --config "$(CURDIR)/.golangci.yaml" ./...); done

.PHONY: security
security: ## Look at the code with gosec, and for known vulnerabilities with govulncheck, where they and a database can be had
	@GOSEC=$(GOSEC) testdata/security/gosec.sh $(TESTED)
	@GOVULNCHECK=$(GOVULNCHECK) VULNDB=$(VULNDB) testdata/security/vulnerabilities.sh $(TESTED)

.PHONY: fuzz
fuzz: ## Fuzz each fuzz test for FUZZTIME (30s)
	@grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z]+' . | sort | while IFS=: read -r file _ name; do \
	  echo "== $$(dirname "$$file"): $${name#func }"; \
	  (cd "$$(dirname "$$file")" && go test -run='^$$' -fuzz="^$${name#func }\$$" -fuzztime=$(FUZZTIME) . </dev/null); done

.PHONY: fmt
fmt: ## Check that every file is formatted by gofmt
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "gofmt wants:"; echo "$$unformatted"; exit 1; fi

.PHONY: vet
vet: ## Run go vet in every module
	$(call each_module,go vet ./...)

.PHONY: tidy
tidy: ## Check that every go.mod is tidy
	$(call each_module,go mod tidy -diff)

.PHONY: golden
golden: ## Write the golden files anew from what the code does now
	@# Only packages that define the flag take it.
	@dirs=$$({ grep -rlE --include='*_test.go' 'flag\.Bool(Var)?\(.*"update"' . || true; } | while read -r file; do dirname "$$file"; done | sort -u); \
	for dir in $$dirs; do (cd "$$dir" && go test -count=1 -run Golden . -update); done

.PHONY: clean
clean: ## Remove what these targets have made
	rm -rf .cover

# The race detector is linked by the C compiler, and Go's own message for a
# missing one does not say so.
.PHONY: compiler
compiler:
	@cc=$$(go env CC); if ! command -v "$${cc%% *}" >/dev/null; then \
	  echo "The race detector needs a C compiler, and $$cc is not installed (Debian: apt-get install gcc libc6-dev)." >&2; exit 1; fi
	@if [ "$$(go env CGO_ENABLED)" != 1 ]; then echo "The race detector needs cgo: set CGO_ENABLED=1." >&2; exit 1; fi
