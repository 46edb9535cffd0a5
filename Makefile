SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Everything that is built lives here, outside the tree, keyed by content.
export MM_CACHE ?= $(HOME)/.cache/model-maintenance
export PYTHONPATH := $(CURDIR)/contract/src:$(CURDIR)/core/src:$(CURDIR)/operator/src:$(CURDIR)/trainer/src

# Without bytecode every program compiles thousands of modules anew: three to five times the start.
unexport PYTHONDONTWRITEBYTECODE

WITH_VENV = PATH="$$(dev/venv)/bin:$$PATH"
WITH_OPERATOR_VENV = PATH="$$(dev/venv --operator)/bin:$$PATH"
WITH_CLUSTER = PATH="$$(dev/cluster/build):$$PATH"

##@ The two commands
CASE ?= package-sections
CASES := $(patsubst examples/%/manifests/modelmaintenance.yaml,%,$(wildcard examples/*/manifests/modelmaintenance.yaml))
KNOWN_CASE = $(if $(filter-out $(CASES),$(CASE)),$(error CASE=$(CASE): there is no such story; write one of: $(CASES)))
demo: ## The whole loop on a real one-node Kubernetes made for it (CASE=NAME: another story; KUBECONFIG=FILE: on a cluster of yours; under 20 minutes cold, some 6 warm)
ifeq ($(origin KUBECONFIG),command line)
	@:$(KNOWN_CASE)
	@dev/prerequisites $(if $(REGISTRY),images,given)
	@$(WITH_OPERATOR_VENV) examples/demo "$(CASE)" --kubeconfig="$(KUBECONFIG)" --registry="$(REGISTRY)"
else
	@:$(KNOWN_CASE)
	@dev/prerequisites demo
	@dev/setup
	@$(WITH_OPERATOR_VENV) examples/demo "$(CASE)"
endif
demo-down: ## Remove what the demo has put into a cluster of yours: make demo-down KUBECONFIG=FILE
	@$(WITH_OPERATOR_VENV) examples/demo "$(CASE)" --remove $(if $(filter command line,$(origin KUBECONFIG)),--kubeconfig="$(KUBECONFIG)")
test: ## Set everything up and pass every test, up to the whole product on a real node (some 40 minutes on two cores; twelve more where all is built anew)
	@dev/test

##@ Every day
check: ## Format, lint, types, import contracts and the tests that need no cluster (a minute and a half on two cores; dev/check --static: half a minute)
	@dev/prerequisites check
	@$(WITH_VENV) dev/check
format: ## Format the code and repair what the linter can
	@$(WITH_VENV) ruff check --fix-only --quiet; $(WITH_VENV) ruff format
docs: ## Write again what the documentation takes from code (API reference, decision table), and its site into build/site
	@$(WITH_VENV) dev/docs
vet: ## go vet over the Go of this repository (ten minutes at first, as Kubernetes is read; then seconds)
	@for folder in dev/cluster dev/gitops dev/images/builder; do (cd $$folder && go vet ./...) || exit; done
bench-operator: ## Measure the operator on a real API server; writes benchmarks/results/operator.json
	@dev/prerequisites bench
	@export $(WITH_CLUSTER); $(WITH_VENV) python benchmarks/operator
bench-scale: ## Measure the operator with 1,000 and 10,000 resources, and with broken ones (25 minutes)
	@dev/prerequisites bench
	@export $(WITH_CLUSTER); $(WITH_VENV) python benchmarks/operator scale
	@export $(WITH_CLUSTER); $(WITH_VENV) python benchmarks/operator broken
bench-keda: ## Measure the same work by KEDA 2.21 and by this operator (builds KEDA first: 6 to 15 minutes)
	@dev/prerequisites bench
	@dev/keda/build >/dev/null
	@export $(WITH_CLUSTER); $(WITH_VENV) python benchmarks/operator keda

bench-decision: ## Measure causes, alarms and actions (quick: five minutes; benchmarks/README.md has the full runs)
	@dev/prerequisites check
	@$(WITH_VENV) python benchmarks/decision cause --seeds 12
	@$(WITH_VENV) python benchmarks/decision cause --families --n 500 --seeds 12
	@$(WITH_VENV) python benchmarks/decision alarm --seeds 8
	@$(WITH_VENV) python benchmarks/decision action --n 500 --seeds 2

##@ A real Kubernetes on this machine
cluster-up: ## Start it (repeatable); prints how to point kubectl at it
	@dev/prerequisites cluster
	@$(WITH_CLUSTER) mm-cluster up
cluster-down: ## Stop it and leave nothing running or mounted
	@$(WITH_CLUSTER) mm-cluster down

##@ Images
images: ## Build the images and import them into the cluster of this machine
	@dev/prerequisites images
	@dev/images/build
push: ## Build the operator and trainer images and push them: make images push REGISTRY=registry.example/team
	@dev/images/push "$(REGISTRY)"

##@ The house
venv: ## Make the development environment (tools and both images' libraries, by the locks)
	@dev/venv >/dev/null
venv-path: ## Print where it is:  source $$(make -s venv-path)/bin/activate
	@dev/venv
lock: ## Look up the newest versions that requirements/*.in allow and write the locks
	@dev/lock
clean: ## Remove what tools left in the tree; CACHE=yes also everything built (cluster, images, environments)
	@dev/clean "$(CACHE)"

help: ## This list
	@printf '%s\n\n' "Model Maintenance for Kubernetes. Start with: make demo"
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "%s%s\n", (n++ ? "\n" : ""), substr($$0, 5) } \
	  /^[a-z-]+:.*## / { gsub(/\$$\$$/, "$$", $$2); printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n%s\n' "Built things are cached in $(MM_CACHE) (MM_CACHE=... moves it)."

# The recipes know what is up to date; make only names them.
.PHONY: demo demo-down test check format docs vet bench-operator bench-scale bench-keda bench-decision cluster-up cluster-down images push venv venv-path lock clean help
