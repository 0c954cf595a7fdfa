# The two commands are `make run` and `make test`; they need git, make and a python3.

# Makes .venv from uv.lock when it is not up to date, then runs a command in it.
IN = @python3 sandbox/launch/bootstrap.py
MANAGE = python sandbox/manage.py
PYTEST_ARGS ?= -n 2
# Stand-ins, with which the production settings can be checked but nothing can be reached.
PRODUCTION = DJANGO_SETTINGS_MODULE=config.settings.production ALLOWED_HOSTS=shop.example \
	SECRET_KEY=only-for-this-check-0123456789-abcdefghijklmnopqrstuvwxyz \
	DATABASE_URL=postgresql://nobody@127.0.0.1:1/nothing REDIS_URL=redis://127.0.0.1:1/0 \
	DUMMY_PROVIDER_SECRET=only-for-this-check-0123456789

.DEFAULT_GOAL := help
.PHONY: help run demo test check matrix corners dist docs chaos bench alone

help:  ## Show what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run:  ## Run the whole shop on 127.0.0.1:8000 (PORT=8001 for another port); Ctrl-C stops it
	$(IN) --only-run python -m launch.run

demo:  ## Buy something over HTTP, from registration to the e-mail
	$(IN) --only-run python sandbox/demo.py

test:  ## Run all tests against real PostgreSQL and Valkey, with coverage (PYTEST_ARGS="-n 0 tests/orders")
	$(IN) pytest --cov --cov-report=term $(PYTEST_ARGS)

check:  ## Format, lint, types, import contracts, lock file, migrations, Django's checks
	$(IN) ruff format --check .
	$(IN) ruff check .
	$(IN) mypy
	$(IN) lint-imports
	$(IN) uv lock --check
	$(IN) uv pip check
	$(IN) python tests/packaging/check_workflows.py
	$(IN) env DATABASE_URL=sqlite:// $(MANAGE) makemigrations --check --dry-run
	$(IN) $(MANAGE) check --fail-level WARNING
	$(IN) env $(PRODUCTION) $(MANAGE) check --deploy --fail-level WARNING

matrix:  ## Test the built wheels on every supported Python and Django
	$(IN) --all-pythons tox run-parallel --parallel 2 --parallel-no-spinner -m matrix

corners:  ## The oldest and the newest of them, as far as this machine has them
	$(IN) --all-pythons tox run-parallel --parallel 2 --parallel-no-spinner --skip-missing-interpreters true -m corners -- $(CORNERS_ARGS)

dist:  ## Build the five distributions and install each alone in an empty environment
	$(IN) tox run -e dist

alone:  ## Run the suite of fashionistar_common with nothing else installed, on PostgreSQL and on SQLite
	$(IN) python tests/packaging/suite_alone.py $(ALONE_ARGS)

docs:  ## Build the documentation, warnings being errors
	$(IN) sphinx-build -W -n --keep-going docs docs/_build/html

chaos:  ## Run every chaos program: nothing may be lost, doubled or locked for ever (CHAOS=locks for one)
	$(IN) sh -ec 'for program in $$(grep -l __main__ tests/chaos/$${CHAOS:-*}.py); do echo "== $$program"; python $$program; done'

bench:  ## Run every benchmark; they print what they measured (BENCH=events for one)
	$(IN) sh -ec 'for program in tests/benchmarks/$${BENCH:-*}.py; do echo "== $$program"; python $$program; done'
