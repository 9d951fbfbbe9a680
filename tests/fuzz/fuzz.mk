# SPDX-License-Identifier: Apache-2.0
# Fuzzing.  Every tests/fuzz/NAME_fuzz.c is a target, with its corpus in tests/fuzz/corpus/NAME_fuzz.
# 'make tests' links each with replay.c, so that 'make test' replays the corpora; VARIANT=fuzz links
# it with libFuzzer (clang).  Included by the Makefile.

.PHONY: fuzz fuzz-seeds fuzz-merge fuzzers

FUZZ_SECONDS ?= 60
FUZZERS := $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/fuzz/*_fuzz.c)))
ifeq ($(VARIANT),fuzz)
FUZZ_MAIN :=
FUZZ_LINK := -fsanitize=fuzzer
else
FUZZ_MAIN := $(B)/tests/fuzz/replay.o
FUZZ_LINK :=
endif

$(FUZZERS): $(B)/%: $(B)/%.o $(FUZZ_MAIN) $(B)/libtest.a $(B)/libnve.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(FUZZ_LINK) $^ $(LIBS) -lcmocka -o $@

fuzzers: $(FUZZERS)
tests: fuzzers

# Finds go to build/fuzz/corpus, what breaks a target to build/fuzz/crashes.
fuzz: ## fuzz every target for FUZZ_SECONDS (60); TARGETS="codec core" for some
	$(Q)$(MAKE) --no-print-directory VARIANT=fuzz fuzzers
	$(Q)$(PY) tests/fuzz/fuzz.py run --seconds=$(FUZZ_SECONDS) $(TARGETS)

fuzz-seeds: $(PY_GEN) ## write valid inputs into the corpora, from the protocol and the examples
	$(Q)$(PY) tests/fuzz/seeds.py

fuzz-merge: ## add to the corpora what 'make fuzz' found, the fewest inputs that reach it all
	$(Q)$(MAKE) --no-print-directory VARIANT=fuzz fuzzers
	$(Q)$(PY) tests/fuzz/fuzz.py merge $(TARGETS)
