# Everything a person types starts here; `make` alone explains itself.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENV_STAMP := $(VENV)/.installed
JAR_STAMP := java-serving/target/.packaged
JAVA_SOURCES := $(shell find java-serving -name target -prune -o -type f \( -name '*.java' -o -name 'pom.xml' -o -path '*/src/main/resources/*' \) -print)
DEMO_CONFIG ?= training/configs/ml100k.yaml
DEMO_RUN ?= build/runs/ml100k
export PYTHON
# Compiling torch's sources anew costs every process seconds; let Python keep what it compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-16s %s\n", $$1, $$2}'

# ---- the two commands of a new machine

.PHONY: demo
demo: tools env jar ## train on ML-100K, export, serve in Java, rank for a real user, prove every route equal (5 minutes)
	$(BIN)/python tools/demo.py --config $(DEMO_CONFIG)

.PHONY: test
test: tools env jar ## every test that needs Python, JDK 17 and Maven only (15 minutes)
	tools/test.sh

# ---- larger tiers

.PHONY: test-ci
test-ci: tools env jar ## what needs more components: Gradle, a newer JDK, a browser; a skip is a failure
	TWINRANK_TIER=ci tools/test_ci.sh

.PHONY: full
full: tools env jar ## the full-size runs: three training seeds, the parity suite over every request of the run
	tools/full.sh

.PHONY: parity
parity: tools env jar ## twelve bundles of every kind over every route: ten million scores, 0 differing bits (20 minutes)
	tools/parity.sh full

.PHONY: reliability
reliability: tools ## crashes and leaks at full size: 200 SIGTERMs, 1000 reloads, 3000 closes, leaks, kills, starved callers, jcstress (an hour)
	tools/reliability.sh full
	tools/stress.sh full

.PHONY: stress
stress: tools ## jcstress on the count of users and the swap of versions (a minute)
	tools/stress.sh quick

.PHONY: reliability-service
reliability-service: tools env ## the service under load: 1,000 reloads, 200 SIGTERMs, 100 kills, counts, an hour's memory; overload (2 hours)
	tools/server_reliability.sh full
	tools/overload.sh full

.PHONY: image
image: tools jar ## the server's container image (needs Docker)
	container/build.sh

.PHONY: test-container
test-container: tools env jar ## the image's tests on a real engine, which is started where none answers (root)
	container/check.sh

.PHONY: isa-matrix
isa-matrix: tools env jar ## bundles on emulated processors (AVX2, AVX, SSE4.2), in Python and in Java (needs qemu-user; 10 minutes)
	tools/isa_matrix.sh

.PHONY: bench-export
bench-export: env $(DEMO_RUN)/run.json ## what exports, tables of 1.28 GB, transforms and slates cost (6 minutes, 3 GB of disk)
	$(BIN)/python export/bench/export.py --run $(DEMO_RUN)
	$(BIN)/python export/bench/slates.py --quick

.PHONY: bench-bridge
bench-bridge: tools env jar $(DEMO_RUN)/run.json ## rows/s of every route, what a crossing costs, and 10^6 scores verified over four routes (8 minutes)
	test -d build/models/ml100k/1 || $(BIN)/twinrank export $(DEMO_RUN) --models build/models
	$(BIN)/python bridge/bench/bridge.py build/models/ml100k/1 --requests $(DEMO_RUN)/requests.jsonl

.PHONY: bench-server
bench-server: tools env ## the service against FastAPI and onnxruntime at a fixed rate, throughput at equal p99 (15 minutes)
	java-serving/server/bench/run.sh

.PHONY: bench-trees
bench-trees: tools env ## tree kernels beside native LightGBM and XGBoost and the operator, equal bits first (10 minutes)
	tools/trees_bench.sh

.PHONY: trees-exactness
trees-exactness: tools env ## five releases each of LightGBM and XGBoost, objectives, missing rules, categories: differing bits
	tools/trees_exactness.sh full

.PHONY: bench-java-reading
bench-java-reading: tools env ## what reading a request costs a byte, beside Jackson (3 minutes)
	java-serving/benchmarks/run.sh reading

.PHONY: bench-java
bench-java: tools env ## what the core costs beside the bare runtime, DJL, the official binding and Python (10 minutes)
	java-serving/benchmarks/run.sh

.PHONY: bench-java-quick
bench-java-quick: tools env ## the same contestants, asserted equal on every request; the times mean nothing (2 minutes)
	java-serving/benchmarks/run.sh --quick

.PHONY: bench-java-micro
bench-java-micro: tools env ## JMH: keys, orders and what else is too small for the above
	java-serving/benchmarks/run.sh micro

$(DEMO_RUN)/run.json: | $(ENV_STAMP)
	$(BIN)/twinrank train $(DEMO_CONFIG) --out $(DEMO_RUN)

# ---- pieces

.PHONY: tools
tools:
	@tools/require.sh python java mvn

.PHONY: env
env: $(ENV_STAMP) ## the Python environment in .venv, from the lock file with hashes
$(ENV_STAMP): requirements/dev.txt requirements/bootstrap.txt pyproject.toml tools/require.sh
	@tools/require.sh python
	@echo "environment: installing $$(grep -c '==' requirements/dev.txt) locked packages into $(VENV)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: jar
jar: $(JAR_STAMP) ## the Java jars, without running their tests
$(JAR_STAMP): $(JAVA_SOURCES)
	@tools/require.sh java mvn
	@echo "jars: building core, probe, server, gateway and, with a JDK 22 or newer, ffm (the first build resolves their libraries)"
	tools/maven.sh -T 2 package -Dmaven.test.skip=true -Dspotless.check.skip=true
	@mkdir -p $(@D) && touch $@

.PHONY: check
check: tools env ## format, lint, types, layering, contract vectors; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) vectors-check
	tools/maven.sh spotless:check test-compile

.PHONY: format
format: env ## let the formatters decide layout
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	tools/maven.sh spotless:apply

.PHONY: vectors-check
vectors-check: env ## regenerate every contract vector and compare bytes
	$(BIN)/python tests/contract/generate.py --check

.PHONY: vectors-update
vectors-update: env ## rewrite the contract vectors; deliberate, reviewed line by line
	$(BIN)/python tests/contract/generate.py --update

.PHONY: lock
lock: env ## resolve requirements/*.txt anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade \
		--python-version 3.11 --output-file requirements/dev.txt --quiet
	echo 'uv==0.13.9' | $(BIN)/uv pip compile - --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		--python-version 3.11 --output-file requirements/bootstrap.txt --quiet

.PHONY: clean
clean: ## remove build output; the environment, caches and downloaded data stay
	rm -rf build java-serving/target java-serving/*/target java-serving/it/*/target gradle/repo gradle/build gradle/.gradle
