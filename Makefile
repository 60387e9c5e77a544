# make demo [KEEP=1] | make demo-vm [KEEP=1] | make demo-mirrors [KEEP=1] | make test [ARGS=...] | make molecule [ARGS=...] | make fuzz | make check | make changelog | make docs | make bench [ARGS=...] | make setup | make images | make clean

BIN := .venv/bin
ARGS ?=
FUZZ_SECONDS ?= 60

# Where tests and benchmarks have their images: outside the checkout, so that one build serves them all.
export LBKIT_IMAGES ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/lbkit/images

.PHONY: demo demo-vm demo-mirrors test molecule fuzz check changelog docs bench setup images clean

demo:
	@tools/setup demo
	@$(BIN)/lbkit demo --svg build/web.svg $(if $(KEEP),--keep)

# The same with its HAProxys in virtual machines. The first time it builds their image, which takes minutes.
demo-vm:
	@tools/setup demo-vm
	@$(BIN)/lbkit demo --vm --svg build/web-vm.svg $(if $(KEEP),--keep)

# A mirror fleet: fifty publications, and what can go wrong meanwhile.
demo-mirrors:
	@tools/setup demo
	@$(BIN)/lbkit demo --mirrors --svg build/mirrors.svg $(if $(KEEP),--keep)

# All in one sandbox; each of the workers is a host of its own in it (tests/conftest.py).
test: setup images
	@$(BIN)/lbkit sandbox -- $(BIN)/pytest -n 4 --dist loadgroup $(ARGS)

# A scenario of molecule/, `default` where ARGS says no other.
molecule: setup images
	@PATH="$(CURDIR)/$(BIN):$$PATH" lbkit sandbox --libvirt -- molecule test $(ARGS)

# Thousands of load balancers and raw lines by chance, each shown to every HAProxy: minutes. Then FUZZ_SECONDS of texts that
# atheris makes of recorded ones, for each kind; what it found stays in build/fuzz.
fuzz: setup
	@$(BIN)/pip install -q --disable-pip-version-check 'atheris>=3.0'
	@FUZZ_EXAMPLES=2000 $(BIN)/lbkit sandbox -- $(BIN)/pytest -q tests/haproxy/test_backends.py -k "accepted or raw_line"
	@for kind in values files replies; do \
	  mkdir -p build/fuzz/$$kind && $(BIN)/python tests/haproxy/fuzz.py $$kind build/fuzz/$$kind \
	    tests/haproxy/importing/cases tests/haproxy/recorded \
	    -artifact_prefix=build/fuzz/ -max_total_time=$(FUZZ_SECONDS) -max_len=8000 || exit 1; \
	done

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	tools/collection-checks

# The collection's CHANGELOG.md, of its fragments and of what modules and plugins say of themselves.
changelog: setup
	cd ansible_collections/lbkit/core && PATH="$(CURDIR)/$(BIN):$$PATH" \
	  antsibull-changelog release --update-existing --refresh-plugins --reload-plugins

# The documentation site, in build/docs.
docs: setup
	tools/docs

bench: setup images
	@tools/setup bench
	@$(BIN)/python bench/run.py $(ARGS)

setup:
	@tools/setup
	@tools/haproxy-versions
	@tools/ansible-newest

# Minutes for the first time, from Debian packages; nothing where it was built of the same recipe before.
images: setup
	@$(BIN)/lbkit image build

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
