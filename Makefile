# dashhost: everything that is checked is a target here; .ci/run calls the same ones.

GO              ?= go
GOLANGCI        := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

N               ?= 200
FUZZTIME        ?= 10s

.DEFAULT_GOAL := help
.PHONY: help build test race integration integration-kafka integration-postgres langgraph langgraph-bench nested guests guests-check wat first-contact cross vet lint bench bench-guest bench-store bench-stream crash powercut bitflip twoprocess crowd stream fuzz soak generate cover

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/dashhost, static
	CGO_ENABLED=0 $(GO) build -o bin/ ./cmd/dashhost

test: ## the root module's tests: what README promises
	$(GO) test ./...
	@echo "left for make integration: nested modules (sdk, examples), rebuilt guests, an installed binary, other platforms, race detector, linters, fuzzing, $(N) kills"

race: ## the tests of everything that runs concurrently, under the race detector
	$(GO) test -race ./guest ./checkpoint/... ./host/... ./streaming/... ./internal/engine ./internal/vfs ./cmd/...

integration: vet lint race nested guests-check wat first-contact cross fuzz crash crowd stream integration-postgres integration-kafka langgraph ## everything that go test ./... does not cover

integration-postgres: ## the Postgres store against a server of its own, which is killed and started again (installed if missing)
	scripts/postgres.sh install
	DASHHOST_POSTGRES=$${DASHHOST_POSTGRES:-1} $(GO) test -count=1 -timeout 20m -run 'Postgres' ./checkpoint/pgstore -rapid.checks=25
	DASHHOST_POSTGRES=$${DASHHOST_POSTGRES:-1} $(GO) test -count=1 -timeout 20m -run 'Postgres' ./host ./cmd/dashhost

langgraph: ## LangGraph's own suites over our store, in JavaScript and in Python (npm and PyPI packages, pinned)
	scripts/langgraph.sh js python

langgraph-bench: ## checkpoints a second beside LangGraph's SQLite savers at synchronous=FULL
	scripts/langgraph.sh bench

nested: ## test the modules that go test ./... stops at (internal/lint/modules.txt)
	scripts/nested.sh

guests: ## rebuild the committed wasm of the examples and tests, with its digests
	scripts/guests.sh

guests-check: ## rebuild the guests elsewhere and compare with what is committed
	scripts/guests.sh check

first-contact: ## go install from a proxy made of the checkout, new, run; the static binary in an empty root as nobody
	DASHHOST_FIRST_CONTACT=1 $(GO) test -count=1 -timeout 20m -run '^TestFirstContact$$' -v ./cmd/dashhost

wat: ## rebuild the small guests written as text and compare with what is committed (needs wabt)
	scripts/wat.sh

cross: ## build and vet for linux, darwin, windows on amd64 and arm64
	scripts/cross.sh

vet: ## gofmt, go vet, go mod tidy
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) mod tidy -diff

lint: ## golangci-lint, pinned (the first run builds it: about 4 minutes)
	$(GO) run $(GOLANGCI) run

bench: ## benchmarks, each beside a yardstick of the same run
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-store: ## the store on this disk: beside fdatasync and a bare group commit, bbolt, Pebble, LangGraph's SQLite savers (6 minutes, 4 GB)
	$(GO) run ./cmd/dashhost bench
	cd internal/bench/peers && $(GO) run . ../../..
	scripts/langgraph.sh bench

bench-guest: ## calls of guests beside the bare runtime and Extism; metering, deadlines, a million traps: 4 minutes
	cd internal/bench/extism && $(GO) run . ../../..
	$(GO) test -run '^$$' -bench '^BenchmarkMetering$$' ./guest/meter
	$(GO) test -run '^$$' -bench '^Benchmark(Deadline|CollectorStops)$$' -benchtime 5x ./guest
	$(GO) test -run '^$$' -bench '^BenchmarkSecondStart$$' ./guest

bench-stream: ## events a second: publisher, encoding, files, and Kafka beside its client alone (needs what integration-kafka does)
	scripts/kafka.sh install
	$(GO) test -run '^$$' -bench . -benchmem ./streaming ./streaming/eventpb ./streaming/filesink
	DASHHOST_KAFKA=1 $(GO) test -run '^$$' -bench . -benchmem -benchtime 10x ./streaming/kafkasink

crash: ## kill -9 a running host N times at random moments; each time resume and check (N=200)
	DASHHOST_CRASH_KILLS=$(N) $(GO) test -count=1 -timeout 60m -run '^TestCrashLoop$$' -v ./host

crowd: ## one process with 1,000 long threads, another that starts, continues and lists: each under 200 ms
	DASHHOST_CROWD=1000 $(GO) test -count=1 -timeout 20m -run '^TestSecondProcessIsNotHeldUp$$' -v ./host

stream: ## a million events over each policy of a full queue: every one is accounted for
	DASHHOST_STREAM_EVENTS=1000000 $(GO) test -count=1 -timeout 20m -run '^TestLesson19' -v ./streaming

fuzz: ## every fuzz target for FUZZTIME (10s)
	FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

integration-kafka: ## the Kafka sink and reader against a real broker (scripts/kafka.sh install: Java, Maven, openssl)
	scripts/kafka.sh install
	DASHHOST_KAFKA=1 $(GO) test -count=1 -timeout 20m -run '^TestReal' -v ./streaming/kafkasink

powercut: ## cut the power after every operation of save, rotate, snapshot, prune, delete, create and repair; fill the disk
	$(GO) test -count=1 -timeout 60m -run 'PowerCut|TestFaults|TestFailedSync|TestFullEverywhere' -v ./checkpoint/filestore

bitflip: ## flip bits of a store of 64 KiB one at a time, cut it at its bytes (all of them with DASHHOST_SOAK=1: hours)
	$(GO) test -count=1 -timeout 12h -run '^TestBitflip$$|EveryBitCounts|Truncated' -v ./checkpoint/filestore

twoprocess: ## processes on one store: 1000 saves each, kills, one stopped with the lock, one that takes over, one that prunes
	$(GO) test -count=1 -timeout 60m -run 'TwoProcesses|TestKill|TestStopped|TestTakeOver|TestPruneBeside' -v ./checkpoint/filestore

soak: ## the long forms: every bit of a store, 10,000 kills, 10 minutes of each fuzz target
	DASHHOST_SOAK=1 $(MAKE) powercut bitflip twoprocess
	DASHHOST_SOAK=1 $(GO) test -count=1 -timeout 4h -skip 'PowerCut|TestF|Bitflip|EveryBit|Truncated|TwoProcesses|TestKill|TestStopped|TestTakeOver|TestPruneBeside' ./checkpoint/...
	$(MAKE) crash N=10000
	$(MAKE) fuzz FUZZTIME=10m
	DASHHOST_KAFKA=1 DASHHOST_KAFKA_DOWN=10m $(GO) test -count=1 -timeout 30m -run '^TestRealBrokerIsDown$$' -v ./streaming/kafkasink

generate: ## run go generate; git diff then shows what was out of date
	$(GO) generate ./...

cover: ## test coverage by function, total last
	$(GO) test -coverprofile=cover.out -coverpkg=./... ./...
	$(GO) tool cover -func=cover.out
