# make demo: train, decode and score ENT and FENT on the mini corpus.  make test: the whole suite.  make help: the rest.
# VENV=dir uses (or makes) another environment than .venv; PYTHON=... chooses the interpreter of a new one.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
VENV ?= .venv
PYTHON ?=
PYTEST_ARGS ?=
# Test files are shared out to this many processes; JOBS=0 runs all in one.
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
SYSTEM ?=
RUN := "$(VENV)/bin/python" -m

.PHONY: help env demo test test-demo test-faults test-slurm test-order coverage lint format bench bench-scaling doctor

help:
	@echo "make env     install the locked versions into $(VENV)"
	@echo "make demo    make the mini corpus, train ENT and FENT on the CPU, decode, score, print the results"
	@echo "             SYSTEM=cta_rnn or asr_fusion: that system and its variants, in one table"
	@echo "make test    run the test suite (PYTEST_ARGS=... for a part of it)"
	@echo "make test-demo  tests on the demo's model: README's commands, packing, the report"
	@echo "make test-faults  inject faults, draw many inputs, write docs/RELIABILITY.md (hours; PYTEST_ARGS=... for a part)"
	@echo "make test-slurm  jobs and a recipe on a Slurm cluster that it starts on this machine (root; slurm-wlm and munge)"
	@echo "make test-order  three times, files and their tests in random order, then 20 times what starts processes"
	@echo "make coverage    which lines the suite reaches"
	@echo "make lint    check Python and shell code"
	@echo "make format  reformat Python code"
	@echo "make bench   measure speed and memory"
	@echo "make bench-scaling  measure growth up to 100,000 utterances, and the cost of an hour of audio"
	@echo "make doctor  check this machine and the environment"

env:
	@PYTHON="$(PYTHON)" tools/install.sh "$(VENV)"

demo: env
	@VENV="$$(cd "$(VENV)" && pwd)" egs2/mini_ent/ent1/$(if $(SYSTEM),demo_system.sh $(SYSTEM),demo.sh)

test: env
	@OMP_NUM_THREADS=1 $(RUN) pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-demo: demo
	@DEMO=1 OMP_NUM_THREADS=1 $(RUN) pytest -q -s tests/demo_model $(PYTEST_ARGS)

test-faults: env
	@FAULTS=1 FAULTS_OUT=docs/reliability.json OMP_NUM_THREADS=1 \
		tools/offline.sh $(RUN) pytest -q -m "fault or property or security" $(PYTEST_ARGS)
	@$(RUN) tests.faults.figures

test-slurm: env
	@SLURM=1 OMP_NUM_THREADS=1 $(RUN) pytest -q tests/slurm $(PYTEST_ARGS)

test-order: env
	@for seed in 1 2 3; do ORDER=$$seed OMP_NUM_THREADS=1 $(RUN) pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS); done
	@for seed in {1..20}; do \
		ORDER=$$seed OMP_NUM_THREADS=1 $(RUN) pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder -m process $(PYTEST_ARGS); done

coverage: env
	@OMP_NUM_THREADS=1 $(RUN) pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder --cov --cov-report= $(PYTEST_ARGS)
	@$(RUN) coverage report --skip-covered --skip-empty

lint: env
	@$(RUN) ruff check --quiet .
	@$(RUN) ruff format --check --quiet . || { echo "next: make format" >&2; exit 1; }
	@find egs2 tools .ci -type f \( -name '*.sh' -o -name '*.pl' -o -name run \) -exec "$(VENV)/bin/shellcheck" -x {} +

format: env
	@$(RUN) ruff check --fix --quiet .
	@$(RUN) ruff format --quiet .

bench: env
	@$(RUN) benchmarks

bench-scaling: env
	@OMP_NUM_THREADS=1 $(RUN) benchmarks.scaling

doctor: env
	@$(RUN) espnet_ent.bin.ent_doctor
