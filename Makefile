# `make run` sets everything up and shows this machine; `make test` checks everything.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
DEMO ?= $(or $(TMPDIR),/tmp)/modelyard-demo
SOURCES := pyproject.toml setup.py $(wildcard src/modelyard/*/native/*)

# $(call install, programs, Debian packages): installs the packages when a program is missing.
install = PATH="$$PATH:/usr/sbin:/sbin"; for each in $(1); do command -v $$each >/dev/null || missing=1; done; \
	[ -z "$$missing" ] || { apt-get update -qq && apt-get install -y -qq $(2) >/dev/null; }

# What was compiled is kept, whatever the machine says: tests start hundreds of processes that would compile it again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run demo test filesystems engines clients check bench docs deps clean

run: $(VENV)/installed
	@$(BIN)/modelyard $(ARGS)

demo: $(VENV)/installed
	@[ -e "$(DEMO)" ] || $(BIN)/modelyard demo "$(DEMO)"
	@$(BIN)/modelyard --home "$(DEMO)"

# What is installed for the tests and what is checked without them go side by side.
test:
	@$(MAKE) --no-print-directory -j 2 --output-sync=line check filesystems engines clients
	$(BIN)/pytest -n auto --dist loadfile --ignore tests/clients --durations 12
	$(BIN)/pytest -n auto --dist loadfile tests/clients

# The tests make xfs, btrfs and ext4 file systems on loop devices and one in user space, which takes root and these
# programs; strace lets system calls fail.
filesystems:
	@$(call install, mkfs.xfs mkfs.btrfs mkfs.ext4 strace setfacl fusermount3, xfsprogs btrfs-progs e2fsprogs strace acl fuse3)

# They start a Docker engine and Podman of their own, too; nothing of the machine's is touched. One after the other:
# packages of Debian are installed by one process at a time.
engines: | filesystems
	@$(call install, dockerd podman runc conmon busybox, --no-install-recommends docker.io podman runc busybox-static)

# What the tests in tests/clients run: the programs whose caches modelyard reads, in an environment of their own that
# sees the packages of $(VENV) too. Compilers and git are needed by some of them.
clients: .deps/clients/installed | engines
	@$(call install, g++ git, g++ git)

check: deps
	$(BIN)/ruff check src tests benchmarks docs examples setup.py
	$(BIN)/ruff format --check src tests benchmarks docs examples setup.py
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest tests/test_architecture.py

# Peers come from Debian where it has them; others by MODELYARD_PEERS="dust=/path/to/dust;dua=/path/to/dua".
bench: deps
	-@$(call install, ncdu gdu jdupes rdfind fdupes rmlint rsync wrk b3sum openssl, ncdu gdu jdupes rdfind fdupes rmlint rsync wrk b3sum openssl)
	$(BIN)/pip install -q -r requirements/bench.txt
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/installed
	$(BIN)/python docs/make.py

deps: $(VENV)/installed $(VENV)/tested .deps/hub-0.36 .deps/runners .deps/tools/installed

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python $(SOURCES)
	@echo "setting up $(VENV) ..." >&2
	@$(BIN)/pip install -q --disable-pip-version-check -e .
	@$(BIN)/python -m compileall -q src/modelyard
	@touch $@

# torch first and pinned: what needs torch would otherwise bring the newest one with its CUDA packages.
# Some come alone: catboost brings what draws pictures, others are wanted for a schema that lies in them.
$(VENV)/tested: $(VENV)/installed requirements/test.txt requirements/test-alone.txt requirements/torch.txt
	$(BIN)/pip install -q --disable-pip-version-check -r requirements/torch.txt
	$(BIN)/pip install -q --disable-pip-version-check -r requirements/test.txt
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -r requirements/test-alone.txt
	@touch $@

.deps/hub-0.36: $(VENV)/bin/python
	$(BIN)/pip install -q --disable-pip-version-check --target $@ huggingface_hub==0.36.0

.deps/runners: $(VENV)/bin/python
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --target $@ -r requirements/runners.txt

# Real clients of their own caches, in a venv of their own; pip is one that still writes what newer ones never read.
.deps/tools/installed: requirements/tools.txt
	@$(PYTHON) -m venv --clear .deps/tools
	@.deps/tools/bin/python -m pip install -q --disable-pip-version-check -r requirements/tools.txt
	@touch $@

# Some are installed alone: their torch or TensorFlow would come a second time, with CUDA. pip 23.2 is the last one of
# its old cache, and torchvision, which needs CUDA when it is found by others, is seen by timm alone.
INSTALL := pip install -q --disable-pip-version-check --no-compile
.deps/clients/installed: requirements/clients.txt requirements/clients-alone.txt | $(VENV)/tested
	@echo "setting up the clients ..." >&2
	@rm -rf .deps/clients .deps/vision .deps/pip-23.2
	@$(PYTHON) -m venv .deps/clients
	@$(BIN)/python -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
		> "$$(.deps/clients/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/beside.pth"
	.deps/clients/bin/$(INSTALL) -r requirements/clients.txt
	.deps/clients/bin/$(INSTALL) --no-deps -r requirements/clients-alone.txt
	.deps/clients/bin/$(INSTALL) --no-deps --target .deps/vision timm==1.0.31 torchvision==0.28.0
	.deps/clients/bin/$(INSTALL) --no-deps --target .deps/pip-23.2 pip==23.2.1
	@touch $@

clean:
	rm -rf $(VENV) .deps build dist src/*.egg-info src/modelyard/walk/*.so
