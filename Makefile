# Every target works on a fresh clone: it sets up first what is missing (see local_cloud/setup.sh).
.DEFAULT_GOAL := help
PYTHON_BIN := .venv/bin/python
# Folders that hold code of this project, and its shell scripts.
CODE := function_app.py batch_ops deploy local_cloud tests
SHELL_SCRIPTS = $(shell git ls-files '*.sh' .ci/run)
# Where nothing that is compiled is kept, each of the many processes takes seconds more to start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "make %-16s %s\n", $$1, $$2}'

.PHONY: setup
setup: ## Python environment, Azurite, compiled pixel engine
	@bash local_cloud/setup.sh

.PHONY: demo
demo: setup ## everything once: start, drop sample images, show progress and results (FILES="a.h5" PROJECT=x.ilp TOOL=imagej KEEP=1)
	@$(PYTHON_BIN) -m local_cloud demo $(if $(TOOL),--tool "$(TOOL)") $(if $(PROJECT),--project "$(PROJECT)") $(if $(KEEP),--keep) $(FILES)

.PHONY: up
up: setup ## keep the whole cloud running until Ctrl-C (DATA=folder)
	@$(PYTHON_BIN) -m local_cloud up $(if $(DATA),--data "$(DATA)")

.PHONY: batch
batch: setup ## the local Batch service alone, until Ctrl-C (ARGS="--nodes 2 --data folder")
	@$(PYTHON_BIN) -m local_cloud batch $(ARGS)

# Three workers on two cores, as much of the time is waiting; whole clouds first, so that none is left for the end.
.PHONY: test
test: setup ## the whole test suite (ARGS="-k name")
	@$(PYTHON_BIN) -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: check
check: setup ## lint, format, types, shell scripts, Bicep (where bicep is on PATH)
	@$(PYTHON_BIN) -m ruff check .
	@$(PYTHON_BIN) -m ruff format --check .
	@$(PYTHON_BIN) -m mypy $(wildcard $(CODE))
	@.venv/bin/shellcheck $(SHELL_SCRIPTS)
	@$(PYTHON_BIN) -m tests.deploy.bicep_review

.PHONY: snapshots
snapshots: setup ## renew what the Bicep files make, in tests/deploy/snapshots (needs bicep on PATH)
	@$(PYTHON_BIN) -m tests.deploy.bicep_review --write

.PHONY: test-slow
test-slow: setup ## what takes minutes: deploy.sh broken at every call, processes killed, a new version deployed over the old, a small soak, thousands of cases
	@$(PYTHON_BIN) -m pytest -n 2 --dist loadfile -m slow $(ARGS) tests/deploy tests/soak tests/unit tests/compatibility tests/acceptance \
	  tests/local_cloud/autoscale tests/local_cloud/demo tests/local_cloud/functions

.PHONY: mutants
mutants: setup ## plant bugs one after the other, each of which a test has to notice; prints the table (ARGS="sweep --at-once 4")
	@$(PYTHON_BIN) -W ignore -m tests.mutants $(ARGS)

.PHONY: hostile
hostile: setup ## broken and hostile files of all dialects against the check and the node's conversion (CASES=10500 SEED=17 ONLY=tiff)
	@$(PYTHON_BIN) -m tests.unit.inspection.fuzz $(or $(CASES),10500) $(or $(SEED),17) $(ONLY)

.PHONY: prove
prove: setup ## random projects and images through the pixel engine, the plain formulas and, where ILASTIK_HOME names one, ilastik (CASES=2000 SEED=0)
	@PYTHONPATH=deploy/pool/engine $(PYTHON_BIN) -m tests.deploy.pool.engine.prove $(or $(CASES),2000) $(or $(SEED),0)

.PHONY: fuzz
fuzz: setup ## broken projects and images through the pixel engine, whose kernel has sanitizers (CASES=10000 SEED=0)
	@PYTHONPATH=deploy/pool/engine $(PYTHON_BIN) -m tests.deploy.pool.engine.fuzz $(or $(CASES),10000) $(or $(SEED),0)

.PHONY: test-azure-cli
test-azure-cli: setup ## the Azure CLI (installed into an environment of its own) against the local Batch service
	@az="$$(bash tests/azure/install_azure_cli.sh)" && AZURE_CLI_BIN="$$az" $(PYTHON_BIN) -m pytest -m slow tests/local_cloud/batch/test_azure_cli.py

.PHONY: test-clients
test-clients: setup ## others' clients and their own tests against the local Batch service, and AzCopy (ARGS="-k microsoft")
	@$(PYTHON_BIN) -m pytest -n 0 -m slow tests/clients $(ARGS)

.PHONY: test-page
test-page: setup ## the page in a real browser, a Chromium that needs no root (PAGE_PICTURES=folder keeps pictures of it; CHROMIUM=another)
	@$(PYTHON_BIN) -m pytest -n 0 -m slow tests/browser $(ARGS)

# The versions that deploy.sh accepts: the oldest, and the newest when this was written.
AZURE_CLI := 2.75.0 2.91.0
.PHONY: test-deploy
test-deploy: setup ## deploy.sh with the real Azure CLI and Bicep against a stand-in for Azure (AZURE_CLI=2.91.0 ARGS="-k first")
	@bicep --version >/dev/null || { echo "There is no Bicep compiler on PATH: https://aka.ms/bicep-install" >&2; exit 1; }
	@for version in $(AZURE_CLI); do \
	  az="$$(bash tests/azure/install_azure_cli.sh $$version)" || exit 1; \
	  AZURE_CLI_BIN="$$az" $(PYTHON_BIN) -m pytest -n 2 --dist loadgroup -m slow tests/azure $(ARGS) || exit 1; \
	done

.PHONY: recordings
recordings: setup ## ask the newest Azure CLI again what it answers to deploy.sh, for the fast tests
	@bicep --version >/dev/null || { echo "There is no Bicep compiler on PATH: https://aka.ms/bicep-install" >&2; exit 1; }
	@az="$$(bash tests/azure/install_azure_cli.sh $(lastword $(AZURE_CLI)))" && AZURE_CLI_BIN="$$az" $(PYTHON_BIN) -m tests.azure.record $(ARGS)

.PHONY: plot-autoscale
plot-autoscale: setup ## draw what the autoscale simulator finds (ARGS="documented --trace nightly --png night.png")
	@$(PYTHON_BIN) -m tests.local_cloud.autoscale.plot $(ARGS)

.PHONY: bench
bench: setup ## how it behaves at scale: burst of uploads, reconcile tick, collecting (ARGS="burst --files 1000"; ARGS=--write keeps the figures)
	@$(PYTHON_BIN) -W ignore -m tests.bench $(ARGS)

.PHONY: bench-ilastik
bench-ilastik: setup ## the pixel engine's speed on a 10x300x275x50 volume (ARGS="--help")
	@PYTHONPATH=deploy/pool/engine $(PYTHON_BIN) -m tests.bench ilastik $(ARGS)

.PHONY: bench-batch
bench-batch: setup ## the local Batch service at 100,000 tasks (ARGS="--help")
	@$(PYTHON_BIN) -W ignore -m tests.bench batch $(ARGS)

.PHONY: measure
measure: setup ## seconds from upload to SUCCEEDED on warm nodes; the function host's memory beneath a 2 GB file (ARGS=--write)
	@$(PYTHON_BIN) -W ignore -m tests.bench warm $(ARGS)
	@$(PYTHON_BIN) -W ignore -m tests.bench memory $(ARGS)

# Real processes under faults
.PHONY: soak
soak: setup ## 200 files in twenty minutes while processes are killed: nothing lost, nothing doubled (ARGS="--seed 7")
	@$(PYTHON_BIN) -W ignore -m tests.soak $(ARGS)

.PHONY: lock
lock: setup ## renew the pinned packages and their digests after a change of a requirements file (UPGRADE=1: the newest)
	@UPGRADE=$(UPGRADE) bash local_cloud/lock.sh

.PHONY: audit
audit: setup ## known vulnerabilities of all pinned packages (needs the package indexes' own services)
	@bash local_cloud/lock.sh audit

# Random histories in virtual time
.PHONY: chaos
chaos: setup ## random histories, then every use case disturbed at every call (SEED=0 SEEDS=1000)
	@$(PYTHON_BIN) -m tests.chaos --seed $(or $(SEED),0) --seeds $(or $(SEEDS),1000)
	@$(PYTHON_BIN) -m pytest tests/chaos -m "slow or not slow"

.PHONY: clean
clean: ## remove what set-up and runs made (not your --data folders)
	rm -rf .venv local_cloud/node_modules .demo .local_cloud .mypy_cache .ruff_cache .pytest_cache .hypothesis build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
