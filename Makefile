# Needs Node >= 20 with npm; end-to-end targets also need openssl, Python >= 3.10 with venv, and Go >= 1.26 once.
# Node 24 and all tools come from package-lock.json.
.DEFAULT_GOAL := help
.PHONY: help demo demo-down test unit e2e bench soak clean
.NOTPARALLEL:

export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
packages := node_modules/.package-lock.json

help: ## show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name what; do \
		printf '  make %-10s %s\n' "$$name" "$$what"; done

demo: $(packages) ## show a Certificate signed by a Key Vault key (KEEP=1 leaves the cluster running)
	@node e2e/demo.ts

demo-down: $(packages) ## end what KEEP=1 make demo left running
	@node e2e/demo_down.ts

test: $(packages) ## unit and end-to-end tests
	@node e2e/stages.ts test

unit: $(packages) ## lint, types and unit tests; needs no Go
	@node e2e/stages.ts unit

e2e: $(packages) ## end-to-end tests (ONLY=word: files whose name has the word)
	@node e2e/stages.ts e2e

bench: $(packages) ## benchmarks (ONLY=word)
	@node e2e/stages.ts bench

soak: $(packages) ## long runs (ONLY=word)
	@node e2e/stages.ts soak

clean: ## remove what these commands made here; built test tools stay in the user's cache
	@if [ -e .demo/processes.json ]; then echo 'a demo is running; end it with: make demo-down' >&2; exit 1; fi
	rm -rf node_modules dist .demo

# npm writes this file last, so it is missing after an interrupted install.
$(packages): package-lock.json
	@command -v npm >/dev/null || { echo 'npm is missing; install Node.js 20 or newer with npm' >&2; exit 1; }
	@echo '== npm packages, about 30 s'
	@npm ci --ignore-scripts --loglevel=error
	@[ -x node_modules/.bin/node ] || { rm -f $@; \
		echo "Node 24 is packaged for Linux on x64 and arm64; this is $$(uname -sm)" >&2; exit 1; }
	@touch $@
