# `make up` and `make test` are all that a newcomer needs; `make help` lists the rest.
PYTHON ?= python3
BOOTSTRAP = $(PYTHON) hub_config/bootstrap.py
ENVS = $(or $(VOXELHUB_ENVS_DIR),.envs)
TEST = $(ENVS)/test/bin
NPM = PATH="$(abspath $(ENVS))/core/bin:$$PATH" npm
KUBERNETES = env PYTHONPATH=tests/kubernetes $(TEST)/python -m cluster
TOOLS = tool-base tool-dicom-to-nifti tool-fastq-qc tool-notebook tool-plan-slides tool-radiomics-ibsi tool-segment-otsu
RUNTIME = core lab imaging $(TOOLS) ocr keycloak proxy plannerviews labextension kernelspecs bytecode
PACKAGES = hub_config/voxelhub_hub spawner/voxelhub_spawner spawner/voxelhub_sandbox service/voxelhub_service \
	extensions/lab/voxelhub_lab extensions/planner/voxelhub_planner extensions/planner/voxelhub_planner_widgets kernels/voxelhub tools/adapter/voxelhub_tool helm/reference.py

.DEFAULT_GOAL := help
.PHONY: help setup up test-setup test check check-python check-pages types bench planner-table kubernetes-setup kubernetes-images kubernetes test-kubernetes bench-kubernetes soak fresh bundle images archive kernel-torch clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:
	@$(BOOTSTRAP) $(RUNTIME)

up: setup ## install what is missing, start everything, print the address; Ctrl-C ends it
	@exec ./voxelhub up

test-setup:
	@sh tests/support/system_packages.sh & $(BOOTSTRAP) $(RUNTIME) test s3proxy helm; code=$$?; wait; exit $$code

test: test-setup check ## checks, then the whole suite, cheap to dear, two files at a time
	@$(TEST)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST)

check: test-setup ## ruff, mypy, tsc, eslint, prettier
	$(TEST)/ruff check .
	@$(MAKE) -j 2 --output-sync check-python check-pages

check-python:
	$(TEST)/mypy $(PACKAGES)

check-pages:
	$(NPM) run -s check

types: test-setup ## the panels' TypeScript types, from the service's OpenAPI document
	cd extensions/lab && $(NPM) run -s types

bench: test-setup ## the measurements of docs/measured
	@$(BOOTSTRAP) bench-deid
	@$(TEST)/python tests/benchmarks/bench.py $(BENCH)

bench-kubernetes: kubernetes-setup ## installs, servers beside plain KubeSpawner, many at once: docs/measured/kubernetes.md
	@$(TEST)/python tests/benchmarks/kubernetes.py $(BENCH)

planner-table: ## the planner beside the paper's method and other solvers: docs/measured/planner.md
	@$(BOOTSTRAP) planner-bench
	@OMP_NUM_THREADS=1 $(ENVS)/planner-bench/bin/python tests/benchmarks/planner_table.py $(TABLE)

kubernetes-setup:
	@$(BOOTSTRAP) core test helm
	@sh tests/kubernetes/system_packages.sh
	@$(KUBERNETES) build

kubernetes-images: kubernetes-setup
	@$(KUBERNETES) images

kubernetes: kubernetes-setup ## a Kubernetes of one node for the tests; prints its KUBECONFIG, Ctrl-C ends it
	@exec $(KUBERNETES)

test-kubernetes: kubernetes-setup ## tests/kubernetes, on a cluster of their own or on that of KUBECONFIG; and of the images
	@$(TEST)/python -m pytest -m 'not slow' --timeout 1800 tests/kubernetes tests/images $(PYTEST)

soak: test-setup ## the long runs: kill storms, fuzzing, scale
	@$(TEST)/python -m pytest -m slow --timeout 7200 -s $(PYTEST)

fresh: ## `make up` and `make test` on a new minimal Debian (needs root and mmdebstrap)
	@sh tests/fresh/run.sh

bundle: setup ## an archive of everything that `make up` needs, for a machine without internet
	@./voxelhub bundle

images: ## container images for Kubernetes, by podman: IMAGES="hub proxy" for some, SAVE=folder for archives
	@$(PYTHON) images/build.py $(IMAGES) $(if $(SAVE),--save $(SAVE))

archive: images ## chart, images and checksums in one archive, for a cluster without internet
	@$(BOOTSTRAP) helm
	@$(PYTHON) images/archive.py $(IMAGES)

kernel-torch: ## the kernel imaging-torch (5.2 GB on disk)
	@$(BOOTSTRAP) imaging-torch kernelspecs

clean: ## remove what can be made again; the state folder stays
	rm -rf $(ENVS) node_modules dist-lab dist .mypy_cache .ruff_cache .pytest_cache .hypothesis test-results
