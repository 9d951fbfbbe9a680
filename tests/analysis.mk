# SPDX-License-Identifier: Apache-2.0
# Races and static analysis.  Included by tests/targets.mk.

.PHONY: test-tsan tsan-session scan scan-cppcheck

# gRPC is not built for ThreadSanitizer: what it does itself is left out (agent/session/grpc_tag.h
# says how it orders what we do).
TSAN_OPTIONS := ignore_noninstrumented_modules=1:history_size=4:exitcode=66
# Alone in having threads, and so part of 'make test'.
TSAN_SESSION := build/tsan/tests/session/grpc_test
# One thread and billions of steps: minutes, for nothing that could race.
TSAN_TESTS := $(filter-out %/explore_test,$(TEST_SRCS:%.c=build/tsan/%))

tsan-session:
	$(Q)$(MAKE) --no-print-directory VARIANT=tsan $(TSAN_SESSION)

test-tsan: need-root ## the C tests with ThreadSanitizer, in minutes (root)
	$(Q)$(MAKE) --no-print-directory VARIANT=tsan $(TSAN_TESTS)
	$(Q)bad=0; for t in $(TSAN_TESTS); do \
		TSAN_OPTIONS=$(TSAN_OPTIONS) $$t >$$t.log 2>&1 && echo "ok   $$t" || \
			{ bad=1; echo "FAIL $$t"; tail -n 60 $$t.log; }; \
	done; exit $$bad

# The checks that .clang-tidy leaves out, and why, are left out here as well.
ANALYZE := $(CLANG) --analyze --analyzer-output text -Xclang -analyzer-werror \
	-Xclang -analyzer-disable-checker=unix.Malloc
SCAN := $(addprefix scan-,$(AGENT_SRCS) agent/main.c $(NVECTL_SRCS))
.PHONY: $(SCAN)

scan: $(SCAN) scan-cppcheck ## clang's analyzer and cppcheck over the agent
$(SCAN): scan-%: | $(PROTO_H) $(BPF_SKELS) $(DESC_H)
	$(call say,SCAN,$*)
	$(Q)$(ANALYZE) -std=c11 $(CPPFLAGS:-I$(G)=-isystem $(G)) -DNVED_VERSION='"scan"' $* -o /dev/null

scan-cppcheck: | $(PROTO_H) $(BPF_SKELS) $(DESC_H)
	$(call say,SCAN,cppcheck)
	$(Q)cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
		--error-exitcode=1 --suppressions-list=tests/cppcheck.suppressions -j2 \
		--template='{file}:{line}: {severity}: {message} [{id}]' \
		-D_GNU_SOURCE -DNVED_VERSION='""' -D'LIBBPF_OPTS(type,name,...)=struct type name = {0}' \
		-D'DECLARE_LIBBPF_OPTS(type,name,...)=struct type name = {0}' -Iagent -Ibpf agent
