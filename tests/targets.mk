# SPDX-License-Identifier: Apache-2.0
# What runs things: the demo and the tests.  Included by the Makefile.

.PHONY: demo test test-unit test-e2e e2e-tools need-root

PY := /usr/bin/python3
PY_PROTOS := $(OUR_PROTOS:%.proto=%)
PY_GEN := $(PY_PROTOS:%=$(G)/py/%_pb2.py)
TAG_OBJ := $(G)/tests/tag.bpf.o

$(PY_GEN): $(G)/py/%_pb2.py: proto/%.proto
	$(call say,PROTOC,$@)
	@mkdir -p $(G)/py
	$(Q)protoc $(PROTOPATH) --python_out=$(G)/py --grpc_out=$(G)/py \
		--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin $*.proto

$(TAG_OBJ): tests/e2e/tag.bpf.c $(G)/vmlinux.h
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPFFLAGS) -I$(G) -MMD -MP -MF $(G)/tag.bpf.d -MT $@ -c $< -o $@

# Many clients at once, on one thread.
STORM := $(B)/storm
$(STORM): $(B)/tests/tools/storm.o $(B)/libnve.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

$(G)/tests/stream: tests/e2e/stream.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 $(WARN) $< -o $@

# Two more agents, for upgrades and back.  "newer" has other programs over the same maps (compiled
# with other optimizations, so that their tags differ), "next" has another layout.
OTHER_SRCS := agent/main.c agent/dp/ebpf_load.c agent/dp/ebpf_why.c agent/dp/ebpf_glean.c \
	agent/dp/ebpf_migrate.c
OTHER_AGENTS := $(B)/newer/nved $(B)/next/nved
newer_FLAGS :=
next_FLAGS := -DNVE_ABI_VERSION=1000

define OTHER_AGENT
$(G)/$(1)/%.skel.h: bpf/%.bpf.c $(G)/%.bpf.o
	$$(call say,BPF,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CLANG) $$(BPFFLAGS) -fno-unroll-loops $$($(1)_FLAGS) -Ibpf -I$(G) -c $$< -o $(G)/$(1)/$$*.full
	$$(Q)bpftool gen object $(G)/$(1)/$$*.bpf.o $(G)/$(1)/$$*.full
	$$(Q)bpftool gen skeleton $(G)/$(1)/$$*.bpf.o name $$(subst -,_,$$*) >$$@

$(B)/$(1)/%.o: %.c $(BPF_SKELS:$(G)/%=$(G)/$(1)/%)
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) -I$(G)/$(1) $$(CPPFLAGS) $$(ALL_CFLAGS) $$($(1)_FLAGS) -DNVED_VERSION='"$(1)"' \
		-MMD -MP -c $$< -o $$@

$(B)/$(1)/nved: $(OTHER_SRCS:%.c=$(B)/$(1)/%.o) $(B)/libnve.a
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$(ALL_LDFLAGS) $$^ $$(LIBS) -o $$@
endef
$(eval $(call OTHER_AGENT,newer))
$(eval $(call OTHER_AGENT,next))

e2e-tools: $(PY_GEN) $(TAG_OBJ) $(G)/tests/stream $(STORM) $(OTHER_AGENTS) ## what the end-to-end tests need besides nved and nvectl
	@:

need-root:
	@test "$$(id -u)" = 0 || { echo "this needs root, for packages, network namespaces and BPF:" \
		"run it as root or with sudo" >&2; exit 1; }

# The packages come first, so the rest is a make of its own: what this one has read of the
# machine may be out of date by then.
demo: need-root ## two NVEs, two hypervisors and the kernel's VXLAN device, in a minute (root)
	$(Q).ci/deps
	$(Q)$(MAKE) --no-print-directory all e2e-tools
	$(Q)$(PY) tests/demo/demo.py

test: need-root ## install and run everything else (root)
	$(Q).ci/deps
	$(Q)$(MAKE) --no-print-directory all e2e-tools
	$(Q)$(MAKE) --no-print-directory VARIANT=san all tests
	$(Q)$(MAKE) --no-print-directory tsan-session
	$(Q)$(PY) tests/run.py

test-unit: ## the C tests with ASan and UBSan, and the style checks
	$(Q)$(MAKE) --no-print-directory VARIANT=san all tests
	$(Q)$(PY) tests/run.py --only=build/san/tests --only=tests/check

test-e2e: need-root all e2e-tools ## the end-to-end tests alone (root)
	$(Q)$(PY) tests/run.py --only=tests/e2e

# --- frames in bursts, for a test of the datapath ------------------------------------------------

$(G)/tests/burst.bpf.o: tests/bpf/burst.bpf.c $(G)/vmlinux.h
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPFFLAGS) -I$(G) -c $< -o $@

$(G)/tests/burst.skel.h: $(G)/tests/burst.bpf.o
	$(call say,SKEL,$@)
	$(Q)bpftool gen skeleton $< name burst >$@

$(B)/tests/bpf/replicate_test.o: | $(G)/tests/burst.skel.h

# --- the benchmark -----------------------------------------------------------------------------

.PHONY: bench
BENCH_SRCS := $(filter-out %.bpf.c,$(wildcard tests/bench/*.c))
BENCH_OBJS := $(BENCH_SRCS:%.c=$(B)/%.o)

$(G)/tests/bench.bpf.o: tests/bench/bench.bpf.c tests/bench/plan.bpf.h $(G)/vmlinux.h
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPFFLAGS) -I$(G) -c $< -o $@

$(G)/tests/bench.skel.h: $(G)/tests/bench.bpf.o
	$(call say,SKEL,$@)
	$(Q)bpftool gen skeleton $< name bench_skel >$@

$(BENCH_OBJS): | $(G)/tests/bench.skel.h
$(B)/bench: $(BENCH_OBJS) $(B)/libnve.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

bench: need-root ## measure the datapath against what it is compared with, about ten minutes (root)
	$(Q).ci/deps
	$(Q)$(MAKE) --no-print-directory $(B)/bench
	$(Q)$(PY) tests/bench/bench.py

# --- the control plane's benchmark -------------------------------------------------------------

.PHONY: bench-control
CONTROL_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/bench/control/*.c))

$(B)/bench-control: $(CONTROL_OBJS) $(B)/libnve.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

bench-control: need-root ## measure the agent against a bare echo server, about five minutes (root)
	$(Q).ci/deps
	$(Q)$(MAKE) --no-print-directory all e2e-tools $(B)/bench-control
	$(Q)$(PY) tests/bench/control/control.py

# --- chaos -------------------------------------------------------------------------------------

.PHONY: chaos
SECONDS ?= 290
chaos: need-root ## what can fail fails while tenants' frames pass, ten minutes (root; SECONDS, SEED)
	$(Q).ci/deps
	$(Q)$(MAKE) --no-print-directory all e2e-tools
	$(Q)$(PY) tests/e2e/test_chaos.py --seconds=$(SECONDS) $(if $(SEED),--seed=$(SEED))

# --- other kernels -----------------------------------------------------------------------------

.PHONY: test-kernels
test-kernels: need-root ## the datapath suite on Debian's stock kernel, under qemu, in minutes (root)
	$(Q).ci/deps
	$(Q)$(MAKE) --no-print-directory all tests e2e-tools $(G)/tests/bench.bpf.o
	$(Q)$(PY) tests/kernels/run.py $(WORDS)

-include tests/fuzz/fuzz.mk
-include tests/analysis.mk
