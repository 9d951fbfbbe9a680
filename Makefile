# SPDX-License-Identifier: Apache-2.0
# nved: agent and datapath of an external NVE.  'make help' lists what can be made.
#
# Everything that is built goes below build/: build/gen holds what is generated (protobuf, BPF
# skeletons, vmlinux.h), build/release, /san, /tsan and /fuzz the ways to compile the agent.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
.DEFAULT_GOAL := all

VARIANT ?= release
G := build/gen
B := build/$(VARIANT)
V ?= 0
Q := $(if $(filter 1,$V),,@)
say = $(if $(filter 1,$V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

CLANG ?= clang
CC := $(if $(filter fuzz,$(VARIANT)),$(CLANG),gcc)
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

PKGS := libbpf libelf libprotobuf-c libuv sqlite3 libcyaml libsystemd libmicrohttpd openssl \
	libseccomp
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wpointer-arith -Wformat=2 -Wundef -Wwrite-strings -Wno-missing-field-initializers
CPPFLAGS += -D_GNU_SOURCE -Iagent -Ibpf -I$(G)
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection \
	-fcf-protection -fPIE
LDFLAGS_release := -pie -Wl,-z,relro,-z,now
CFLAGS_san := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all
LDFLAGS_san := -fsanitize=address,undefined
CFLAGS_fuzz := $(CFLAGS_san) -fsanitize=fuzzer-no-link
LDFLAGS_fuzz := $(LDFLAGS_san)
CFLAGS_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
LDFLAGS_tsan := -fsanitize=thread
ALL_CFLAGS := -std=c11 $(WARN) $(CFLAGS_$(VARIANT)) $(CFLAGS)
ALL_LDFLAGS := $(LDFLAGS_$(VARIANT)) $(LDFLAGS)
LIBS = $(shell pkg-config --libs $(PKGS)) -lgrpc -lgpr -lpthread

# --- sources -----------------------------------------------------------------------------------

OUR_PROTOS := $(shell cd proto && find . -name '*.proto' | sed 's,^\./,,' | sort)
# Standard services, from Debian's grpc-proto and libprotobuf-dev.
STD_PROTOS := google/protobuf/any.proto grpc/health/v1/health.proto \
	grpc/reflection/v1/reflection.proto grpc/reflection/v1alpha/reflection.proto
PROTOPATH := --proto_path=proto --proto_path=/usr/share/grpc-proto --proto_path=/usr/include
PROTOS := $(OUR_PROTOS) $(STD_PROTOS)
PROTO_C := $(PROTOS:%.proto=$(G)/%.pb-c.c)
PROTO_H := $(PROTOS:%.proto=$(G)/%.pb-c.h)
PROTO_O := $(PROTOS:%.proto=$(B)/gen/%.pb-c.o)
BPF_SRCS := $(sort $(wildcard bpf/*.bpf.c))
BPF_SKELS := $(BPF_SRCS:bpf/%.bpf.c=$(G)/%.skel.h)
# Raw descriptors for server reflection, embedded so that they cannot be missing at run time.
DESC_H := $(if $(PROTOS),$(G)/descriptors.h)

AGENT_SRCS := $(sort $(filter-out agent/main.c agent/nvectl/%,\
	$(shell find agent -name '*.c')))
NVECTL_SRCS := $(sort $(wildcard agent/nvectl/*.c))
LIB_OBJS := $(AGENT_SRCS:%.c=$(B)/%.o) $(PROTO_O)
TEST_SRCS := $(sort $(shell find tests -name '*_test.c'))
TEST_LIB_SRCS := $(sort $(shell find tests/lib -name '*.c' 2>/dev/null))
TEST_BINS := $(TEST_SRCS:%.c=$(B)/%)

PROGRAMS := $(if $(wildcard agent/main.c),$(B)/nved) $(if $(NVECTL_SRCS),$(B)/nvectl)

# --- what people ask for -----------------------------------------------------------------------

.PHONY: all help deps bpf proto tests clean install lint check
all: $(PROGRAMS) ## build nved, nvectl and the BPF objects

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

deps: ## install what the build and the tests need (apt), or print the list
	$(Q).ci/deps

bpf: $(BPF_SKELS) ## build the BPF programs alone

proto: $(PROTO_C) ## generate the protobuf C code alone

tests: $(TEST_BINS) ## build the C tests (VARIANT=san for the sanitizers)

install: all ## install below DESTDIR and PREFIX (/usr/local), with the systemd unit
check: ## layers, licences, budgets, style
lint: check ## check, and clang-format, clang-tidy, shellcheck

clean: ## remove build/
	$(Q)rm -rf build

# --- install and lint --------------------------------------------------------------------------

PREFIX ?= /usr/local
BINDIR := $(PREFIX)/sbin
MANDIR := $(PREFIX)/share/man
COMPDIR := $(PREFIX)/share/bash-completion/completions
DOCDIR := $(PREFIX)/share/doc/nved
UNITDIR ?= $(PREFIX)/lib/systemd/system
MAN_PAGES := $(sort $(wildcard agent/*.[158] agent/nvectl/*.[158]))

install:
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(DOCDIR) $(DESTDIR)$(UNITDIR)
	$(Q)install -m 755 $(PROGRAMS) $(DESTDIR)$(BINDIR)
	$(Q)for m in $(MAN_PAGES); do \
		install -D -m 644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/} || exit 1; done
	$(Q)install -d $(DESTDIR)$(COMPDIR)
	$(Q)$(B)/nvectl completion bash >$(DESTDIR)$(COMPDIR)/nvectl
	$(Q)chmod 644 $(DESTDIR)$(COMPDIR)/nvectl
	$(Q)install -m 644 agent/nved.example.yaml $(DESTDIR)$(DOCDIR)
	$(Q)install -m 644 agent/nved-policy.example.yaml $(DESTDIR)$(DOCDIR)
	$(Q)install -m 644 agent/nva/local.example.yaml $(DESTDIR)$(DOCDIR)/vns.example.yaml
	$(Q)sed 's,@BINDIR@,$(BINDIR),' agent/nved.service.in >$(DESTDIR)$(UNITDIR)/nved.service
	$(Q)chmod 644 $(DESTDIR)$(UNITDIR)/nved.service

CHECKS := $(sort $(wildcard tests/check/*.sh))
OUR_C := $(sort $(shell find agent bpf tests -name '*.[ch]'))
SCRIPTS := $(sort $(shell grep -rlE '^\#!(/usr)?/bin/(env )?(ba)?sh' .ci tests vagrant 2>/dev/null))
TIDY := $(AGENT_SRCS:%=tidy-%) $(if $(wildcard agent/main.c),tidy-agent/main.c) \
	$(NVECTL_SRCS:%=tidy-%)
.PHONY: $(CHECKS) $(TIDY) format-check shell-check

check: $(CHECKS)
$(CHECKS):
	$(call say,CHECK,$@)
	$(Q)sh $@

lint: format-check shell-check $(TIDY)
format-check:
	$(call say,FORMAT,$(words $(OUR_C)) files)
	$(Q)clang-format --dry-run -Werror $(OUR_C)
shell-check:
	$(call say,SHELL,$(words $(SCRIPTS)) files)
	$(Q)shellcheck -x $(SCRIPTS)
$(TIDY): tidy-%: | $(PROTO_H) $(BPF_SKELS) $(DESC_H)
	$(call say,TIDY,$*)
	$(Q)clang-tidy --quiet $* -- -std=c11 $(CPPFLAGS:-I$(G)=-isystem $(G)) -DNVED_VERSION='"lint"' 2>&1 | \
		awk '/warning:|error:/ { bad = 1 } !/^[0-9]+ warnings? (and|generated)|^Suppressed|^Use -header/ \
			{ print } END { exit bad }'

# --- rules -------------------------------------------------------------------------------------

# protoc-c writes all headers before anything includes one of them.
$(B)/%.o: %.c | $(PROTO_H) $(BPF_SKELS) $(DESC_H)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -DNVED_VERSION='"$(VERSION)"' -MMD -MP -c $< -o $@

$(B)/gen/%.o: $(G)/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=c11 $(CFLAGS_$(VARIANT)) -MMD -MP -c $< -o $@

$(OUR_PROTOS:%.proto=$(G)/%.pb-c.c): $(G)/%.pb-c.c: proto/%.proto
$(PROTO_C): $(G)/%.pb-c.c:
	$(call say,PROTOC,$*.proto)
	@mkdir -p $(@D)
	$(Q)protoc $(PROTOPATH) --c_out=$(G) $*.proto
$(PROTO_H): %.h: %.c ;

$(G)/descriptors.h: $(OUR_PROTOS:%=proto/%) .ci/embed-descriptors
	$(call say,DESC,$@)
	@mkdir -p $(@D)
	$(Q).ci/embed-descriptors '$(PROTOPATH)' $(PROTOS) >$@

$(G)/vmlinux.h:
	$(call say,BTF,$@)
	@mkdir -p $(@D)
	$(Q)bpftool btf dump file /sys/kernel/btf/vmlinux format c >$@

BPFFLAGS := -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -Wall -Wextra -Werror \
	-Wno-unused-parameter -Wno-missing-declarations
$(G)/%.bpf.o: bpf/%.bpf.c $(G)/vmlinux.h
	$(call say,BPF,$<)
	$(Q)$(CLANG) $(BPFFLAGS) -Ibpf -I$(G) -MMD -MP -MF $(G)/$*.bpf.d -MT $@ -c $< -o $@.full
	$(Q)bpftool gen object $@ $@.full && rm $@.full

$(G)/%.skel.h: $(G)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)bpftool gen skeleton $< name $(subst -,_,$*) >$@

$(B)/libnve.a: $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/nved: $(B)/agent/main.o $(B)/libnve.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

$(B)/nvectl: $(NVECTL_SRCS:%.c=$(B)/%.o) $(B)/libnve.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

$(B)/libtest.a: $(TEST_LIB_SRCS:%.c=$(B)/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

# A test links what it uses out of the archives, and may include a .c file to reach its statics.
$(TEST_BINS): $(B)/%: $(B)/%.o $(B)/libtest.a $(B)/libnve.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -lcmocka -o $@

$(B)/tests/%.o: CPPFLAGS += -Itests

-include $(wildcard $(G)/*.d) $(shell find build -name '*.d' 2>/dev/null)
-include tests/targets.mk
