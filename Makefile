# Everything sets itself up: `make demo` and `make test` each work alone in a fresh clone.
# Wanted: Python 3.11 to 3.14, make, and a way to a Python package registry.

PYTHON ?= python3
BIN := .venv/bin
SEED ?= 1
SEEDS ?= 2000
AWAITS ?= 6
SECONDS ?= 300

# Each of the demo's and of the tests' processes would compile the whole of it again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo demo-past cluster chaos tools test lint types contracts protos-check unit proto docs-reference protos-image lock soak abuse bench bench-check sbom wheel docs clean

help:
	@echo "make demo   run the whole system here: Ray, gateway, pretend Alipay, machines and customers (Ctrl-C ends it; PLAIN=1: without certificates)"
	@echo "make demo-past  the same with ten weeks behind it, lived on virtual time first: a district turns hot, a price is tried"
	@echo "make cluster  the topology of production here: PostgreSQL, Ray, two gateways behind HAProxy, 200 machines (Ctrl-C ends it)"
	@echo "make chaos  the same under kill -9, SIGSTOP and cuts (SECONDS=300 SEED=1): how soon each part is back, and whether the books agree"
	@echo "make tools  set up .venv with vendgate, buf and what the tests need"
	@echo "make test   every check: ruff, mypy, import contracts, buf, generated code, tests"
	@echo "make coverage  what share of the product the tests run through, and whether that is enough"
	@echo "make proto  regenerate gateway/v1, gateway/fleet/v1 and gateway/office/v1 from protos/"
	@echo "make docs-reference  write docs/api.md, errors.md, metrics.md, settings.md and frames/ from what they tell of"
	@echo "make docs   the documents as one static site with a search page, into dist/docs"
	@echo "make protos-image  with a release: hold later changes of the machines' protocol to what it is now"
	@echo "make soak   the seeded world (SEEDS=2000), a death at each await (AWAITS=6 stories), and the tests that take longer than the suite may"
	@echo "make abuse  strangers at each door and insiders behind it, and how much honest machines and payments notice (VENDGATE_TEST_ABUSE_SECONDS=600: ten minutes each)"
	@echo "make bench  what a vend costs, beside a raw echo, into docs/performance (a quarter of an hour or more, on an otherwise idle computer)"
	@echo "make wheel  the wheel of the newest commit, built twice and compared, into dist/"
	@echo "make sbom   what an image holds, as CycloneDX, into dist/vendgate.cdx.json"
	@echo "make bench-check  the quick part of it (minutes): says what got slower since docs/performance/recorded.json"

# --- set up ------------------------------------------------------------------------------------------------------------------------

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 14) else "Python 3.11 to 3.14 is needed; say which with make PYTHON=...")'
	@echo "making .venv"
	@$(PYTHON) -m venv .venv

.venv/.runtime: .venv/bin/python deploy/locks/runtime.txt pyproject.toml
	@$(BIN)/python deploy/install.py "installing what Vendgate runs on (Ray, gRPC and others), one to two minutes" deploy/locks/runtime.txt
	@echo "installing vendgate itself, half a minute"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

.venv/.dev: .venv/.runtime deploy/locks/dev.txt
	@$(BIN)/python deploy/install.py "installing the tools of development (pytest, ruff, mypy, buf and others), about a minute" deploy/locks/dev.txt
	@touch $@

# --- use ---------------------------------------------------------------------------------------------------------------------------

demo: .venv/.runtime
	@$(BIN)/vendgate demo --seed $(SEED)$(if $(PLAIN), --plain)

demo-past: .venv/.runtime
	@$(BIN)/vendgate demo --past --seed $(SEED)$(if $(PLAIN), --plain)

# PostgreSQL and HAProxy are not Python's: where they are missing a sentence says what to install.
cluster: .venv/.dev
	@$(BIN)/vendgate cluster --seed $(SEED)

# By itself on an otherwise idle computer, as root if a node is to be cut off: its figures are times. Its status is about money only.
chaos: .venv/.dev
	@$(BIN)/vendgate cluster --seed $(SEED) --chaos $(SECONDS)

tools: .venv/.dev
	@echo "vendgate, buf and the rest are in $(BIN): . $(BIN)/activate"

test: lint types contracts protos-check unit

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev
	$(BIN)/mypy

contracts: .venv/.dev
	$(BIN)/lint-imports --no-logo

protos-check: .venv/.dev
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/python protos/generate.py --check
	$(BIN)/python protos/compatibility.py --check

# Two side by side: each more collects all tests once more, which takes ten seconds of processor in a fresh clone. Those that start
# processes are one group (tests/conftest.py), and so are those that share a PostgreSQL, and the worlds: what is in a group runs in one
# worker, one after the other.
unit: .venv/.dev
	PATH="$(CURDIR)/.tools:$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 2 --dist loadgroup

# The thresholds of each part are in tests/coverage.py.
coverage: .venv/.dev
	PATH="$(CURDIR)/.tools:$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.coverage

soak: .venv/.dev
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --steer 'each in turn'
	$(BIN)/python -m tests.simulation --awaits --seeds $(AWAITS)
	PATH="$(CURDIR)/.tools:$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -m slow --timeout 3600

# By itself on an otherwise idle computer: its verdict is a difference in time.
abuse: .venv/.dev
	$(BIN)/python -m pytest -m abuse -n0 -s tests/e2e/test_abuse.py tests/e2e/test_abuse_inside.py

# The parts by themselves: python -m tests.benchmarks.bench_host (or _store, _stream, _reads).
bench: .venv/.dev
	$(BIN)/vendgate bench --out docs/performance

# Compares ratios, not absolute figures. Not part of `make test`: its verdict is about time.
bench-check: .venv/.dev
	$(BIN)/vendgate bench --quick --check docs/performance/recorded.json

# --- maintain ----------------------------------------------------------------------------------------------------------------------

proto: .venv/.dev
	$(BIN)/buf format --write
	$(BIN)/python protos/generate.py

docs-reference: .venv/.dev
	$(BIN)/python docs/reference.py
	$(BIN)/python docs/errors.py
	$(BIN)/python docs/frames.py
	$(BIN)/python docs/metrics.py
	$(BIN)/python docs/settings.py

# Refuses what would break machines in the field, like protos-check.
protos-image: .venv/.dev
	$(BIN)/python protos/compatibility.py

# Hash files without addresses: any registry, or mirror, that has the same files will do. What runs is held to what is tested.
lock: .venv/.dev
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --group dev --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o deploy/locks/dev.txt
	$(BIN)/uv pip compile pyproject.toml -c deploy/locks/dev.txt --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o deploy/locks/runtime.txt
	$(BIN)/uv pip compile pyproject.toml -c deploy/locks/dev.txt --quiet --extra postgres --extra cluster --extra speed --extra poster --extra lake --extra places --extra trace --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o deploy/locks/image.txt
	$(BIN)/uv pip compile --group docs --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o deploy/locks/docs.txt
	echo cyclonedx-bom==7.5.0 | $(BIN)/uv pip compile - --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o deploy/locks/sbom.txt
	echo hatchling==1.27.0 | $(BIN)/uv pip compile - --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o deploy/locks/build.txt

# What writes the list has an environment of its own: nothing of it runs in the product.
.tools/sbom/.done: deploy/locks/sbom.txt
	@$(PYTHON) -m venv .tools/sbom
	@.tools/sbom/bin/python deploy/install.py "installing what writes the list of parts" deploy/locks/sbom.txt
	@touch $@

# The same for what builds the site of the documents.
.tools/docs/.done: deploy/locks/docs.txt
	@$(PYTHON) -m venv .tools/docs
	@.tools/docs/bin/python deploy/install.py "installing what builds the site of the documents" deploy/locks/docs.txt
	@touch $@

# A warning is an error: a link or an anchor that leads nowhere, a page in no part, a page that wants anything from outside.
docs: .tools/docs/.done
	.tools/docs/bin/sphinx-build -q -W --keep-going -b html -d .tools/docs/trees -c docs/site . dist/docs
	@echo "dist/docs/index.html"

# The same for what builds the wheel.
.tools/build/.done: deploy/locks/build.txt
	@$(PYTHON) -m venv .tools/build
	@.tools/build/bin/python deploy/install.py "installing what builds the wheel" deploy/locks/build.txt
	@touch $@

# Of the newest commit, twice, in other folders, with other times and permissions of files: the same commit gives the same bytes.
wheel: .tools/build/.done
	@rm -rf dist/one dist/two && mkdir -p dist/one dist/two
	git archive HEAD | tar -x -C dist/one
	umask 077 && git archive HEAD | tar -x -m -C dist/two
	cd dist/one && TZ=UTC ../../.tools/build/bin/python -m hatchling build -t wheel
	cd dist/two && TZ=Asia/Tokyo ../../.tools/build/bin/python -m hatchling build -t wheel
	cmp dist/one/dist/*.whl dist/two/dist/*.whl
	mv dist/one/dist/*.whl dist/ && rm -rf dist/one dist/two
	@echo "dist: the wheel, built twice alike"

# Of the packages that an image is made of, with their hashes. The same lock gives the same bytes.
sbom: .tools/sbom/.done
	@mkdir -p dist
	.tools/sbom/bin/cyclonedx-py requirements deploy/locks/image.txt --pyproject pyproject.toml --output-reproducible --validate --of JSON -o dist/vendgate.cdx.json

clean:
	rm -rf .venv .tools run .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
