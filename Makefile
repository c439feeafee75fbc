# Reeve. One build graph; every flavour has its own tree (BUILD=...). `make help` lists the targets.

BUILD    ?= build
CC       ?= gcc
PREFIX   ?= /usr/local
VERSION  := 0.1.0
OPT      ?= -O2 -g

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wsign-conversion \
        -Wswitch-enum -Wvla -Wformat=2 -Wundef -Wcast-qual -Wno-gnu-zero-variadic-macro-arguments
HARDEN := -fstack-protector-strong -fcf-protection=full -fno-delete-null-pointer-checks -fno-strict-aliasing \
          -fno-strict-overflow $(if $(SAN)$(findstring -O0,$(OPT)),,-D_FORTIFY_SOURCE=2)
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -I. -I$(BUILD) -DREEVE_VERSION='"$(VERSION)"' $(WARN) $(HARDEN) $(OPT) \
             $(if $(WERROR),-Werror) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all) $(CFLAGS)
ALL_LDFLAGS = $(if $(SAN),-fsanitize=$(SAN)) -Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS)

# --- libraries: one archive per layer, so a program links only what it uses ---------------------------------------
layer = $(patsubst %.c,$(BUILD)/%.o,$(filter-out %/main.c,$(wildcard $(1)/*.c)))
LAYERS := base base/io quotas quotas/store quotas/reports policies scheduler/core scheduler scheduler/sim agent/core agent/fairio isolation/spec cli
archive = $(BUILD)/lib/$(subst /,-,$(1)).a
ARCHIVES := $(foreach l,$(LAYERS),$(if $(wildcard $(l)/*.c),$(call archive,$(l))))

define ARCHIVE_RULE
$(call archive,$(1)): $(call layer,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	@$$(AR) crsD $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call ARCHIVE_RULE,$(l))))

# --- programs --------------------------------------------------------------------------------------------------
# The keeper is linked statically and small: it is pid 1 of every sandbox and its pages are multiplied by jobs.
KEEPER_ONLY := $(wildcard isolation/keeper*.c isolation/zygote*.c isolation/sandbox*.c isolation/mover*.c isolation/stager*.c) \
               $(patsubst %,isolation/own_filter_%.c,keeper zygote mover stager) isolation/digest.c
KEEPER_SRC  := $(KEEPER_ONLY) isolation/spec/keeper.c isolation/spec/mover.c isolation/spec/stage.c isolation/spec/network.c isolation/landlock.c isolation/own_filter.c
SECCOMP_SRC := $(filter-out isolation/seccomp_main.c,$(wildcard isolation/seccomp*.c)) isolation/bpf.c
WARDEN_SRC  := $(filter-out $(KEEPER_ONLY) $(SECCOMP_SRC) isolation/seccomp_main.c,$(wildcard isolation/*.c))
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))

LIBS_COMMON := -ljansson -lyaml -levent -lcrypto
ALLOCATOR := $(if $(SAN),,-ljemalloc) # of whoever holds a cell's jobs in memory (docs/adr/0017); a sanitizer has its own
PROGRAMS := $(BUILD)/reeved $(BUILD)/reeve-agent $(BUILD)/reeve-warden $(BUILD)/reeve-keeper $(BUILD)/reeve-seccomp \
            $(BUILD)/reeve-reportd $(BUILD)/reeve-sim $(BUILD)/reeve

# What programs of jobs link to have files copied: the C library is all that it needs.
$(BUILD)/lib/libreeve-transfer.a: $(call objects,base/io/transfer_client.c)
	@mkdir -p $(@D)
	@rm -f $@
	@$(AR) crsD $@ $^

all: $(PROGRAMS) $(BUILD)/lib/libreeve-transfer.a ## build every program into $(BUILD)/

$(BUILD)/reeved: $(call objects,scheduler/main.c scheduler/allocator.c)
$(BUILD)/reeved: LIBS = -lhiredis -luring $(ALLOCATOR)
$(BUILD)/reeve-agent: $(call objects,$(wildcard agent/*.c))
$(BUILD)/reeve-agent: LIBS = -luring
$(BUILD)/reeve-warden: $(call objects,$(WARDEN_SRC))
$(BUILD)/reeve-warden: LIBS = -lcgroup
$(BUILD)/reeve-seccomp: $(call objects,$(SECCOMP_SRC) isolation/seccomp_main.c)
$(BUILD)/reeve-seccomp: LIBS = -lseccomp
$(BUILD)/reeve-reportd: $(call objects,quotas/reports/main.c)
$(BUILD)/reeve-reportd: LIBS = -lhiredis -lsqlite3 -lcurl -lm
$(BUILD)/reeve-sim: $(call objects,scheduler/sim/main.c scheduler/allocator.c)
$(BUILD)/reeve-sim: LIBS = $(ALLOCATOR)
$(BUILD)/reeve: $(call objects,cli/main.c)
$(BUILD)/reeve: LIBS = -lhiredis

$(filter-out $(BUILD)/reeve-keeper,$(PROGRAMS)): $(ARCHIVES)
	@echo "  LINK $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS) $(LIBS_COMMON)

# Sanitizers don't link statically; the keeper keeps its own flags in every flavour.
$(BUILD)/reeve-keeper: SAN :=
$(BUILD)/reeve-keeper: $(call objects,$(KEEPER_SRC))
	@echo "  LINK $@"
	@$(CC) -static $(ALL_LDFLAGS) -Wl,--gc-sections -o $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# --- Redis Functions library, embedded as text -----------------------------------------------------------------
$(BUILD)/quotas/store/library.h: quotas/store/functions/reeve.lua
	@mkdir -p $(@D)
	@xxd -i -n store_library_lua $< > $@
$(BUILD)/quotas/store/store_library.o: $(BUILD)/quotas/store/library.h

# --- our own seccomp profiles, embedded as text ------------------------------------------------------------------
$(BUILD)/isolation/seccomp_text.h: policies/data/seccomp/default.json policies/data/seccomp/floor.json
	@mkdir -p $(@D)
	@for f in $^; do xxd -i -n seccomp_$$(basename $$f .json)_json $$f; done | sed 's/^unsigned/static const unsigned/' > $@
$(BUILD)/isolation/seccomp_builtin.o: $(BUILD)/isolation/seccomp_text.h

# --- tests: one program per tests/**/test_*.c; each prints Check's closing line ----------------------------------
TESTS := $(patsubst %.c,$(BUILD)/%,$(shell find tests -name 'test_*.c' -not -path 'tests/system/*' 2>/dev/null | sort))
TEST_LIBS := -lcheck -lm -lrt -lsubunit -lpthread -lhiredis -luring -lcgroup -lseccomp -lsqlite3 -lcurl $(LIBS_COMMON)
# These drive the real scheduler.
$(BUILD)/tests/scheduler/test_flow $(BUILD)/tests/scheduler/test_load $(BUILD)/tests/scheduler/test_crash \
$(BUILD)/tests/scheduler/test_admitted: $(BUILD)/reeved
# The agent's tests link the agent itself; an archive would clash with reeved's, whose files have the same nouns.
AGENT_PARTS := $(filter-out agent/main.c,$(wildcard agent/*.c))
$(filter $(BUILD)/tests/agent/test_%,$(TESTS)): $(patsubst %.c,$(BUILD)/%.o,$(AGENT_PARTS))
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	@$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(TEST_LIBS)

# What the warden is made of, beside its main; and the keeper's pure part.
$(filter $(BUILD)/tests/isolation/%,$(TESTS)): $(call objects,$(filter-out isolation/warden% isolation/launch.c,$(WARDEN_SRC)) \
    $(SECCOMP_SRC) isolation/warden_options.c isolation/keeper_ends.c isolation/own_filter_keeper.c \
    isolation/own_filter_zygote.c isolation/own_filter_mover.c isolation/own_filter_stager.c isolation/digest.c)

# A daemon's command line is held against the program itself.
$(BUILD)/tests/scheduler/test_options: $(BUILD)/reeved
$(BUILD)/tests/quotas/reports/test_options: $(BUILD)/reeve-reportd
$(BUILD)/tests/agent/test_options: $(BUILD)/reeve-agent
$(BUILD)/tests/scheduler/sim/test_options: $(BUILD)/reeve-sim
$(BUILD)/tests/cli/test_commands: $(BUILD)/reeve
# Profiles are compiled by the program that does it.
$(BUILD)/tests/agent/test_profiles: $(BUILD)/reeve-seccomp
$(BUILD)/tests/isolation/test_options: $(BUILD)/reeve-warden

# Two at a time: most of a test is waiting. What each prints stays together; one that fails doesn't stop the others.
TWO = $(MAKE) --no-print-directory -k -O $(if $(findstring jobserver,$(MAKEFLAGS)),,-j2)
unit: $(TESTS) ## build and run the unit tests
	@$(TWO) $(TESTS:=.unit)
$(TESTS:=.unit): %.unit: %
	@CK_DEFAULT_TIMEOUT=60 $<

# A cell full of faults, in one thread, around the scheduler's own core.
WORLD := $(call objects,$(wildcard tests/sim/fault_*.c))
FAULT_SECONDS ?= 10
test-faults: $(BUILD)/tests/sim/faults ## worlds full of faults for FAULT_SECONDS; a failing one: --seed N --trace
	@$< --for $(FAULT_SECONDS)
$(BUILD)/tests/sim/faults $(BUILD)/tests/fuzz/fuzz_faults $(BUILD)/tests/bench/bench_faults: $(WORLD)
HASHED := build build-clang build-O0 build-clang-O0
test-hashes: ## the same worlds and load come to the same hash with gcc and clang, -O0 and -O2
	@for b in $(HASHED); do case $$b in *clang*) cc=clang ;; *) cc=gcc ;; esac; case $$b in *O0) opt=-O0 ;; *) opt='-O2 -g' ;; esac; \
	    $(MAKE) --no-print-directory -j2 BUILD=$$b CC=$$cc OPT="$$opt" $$b/reeve-sim $$b/tests/sim/faults || exit 1; done
	@tests/sim/same_hash.sh $(HASHED)
MUTANTS_FEW := wall-clock-lease epoch-not-checked refund-twice budget-not-asked told-before-it-is-safe key-not-asked
test-mutants: $(BUILD)/tests/sim/faults ## every planted defect breaks a rule of the fault worlds (minutes); MUTANTS="NAME..."
	@MUTANT_CC='$(subst ','\'',$(CC) $(filter-out -g,$(ALL_CFLAGS)))' MUTANT_LINK='$(CC) $(ALL_LDFLAGS)' \
	    MUTANT_LIBS='$(LIBS_COMMON) -lhiredis -luring -lsqlite3' tests/sim/mutants.sh $(BUILD) $(MUTANTS)

PLANTED_FEW := budget-looked-at-before-the-ask file-not-filled-from-redis adjusted-as-often-as-sent torn-tail-stays \
    half-up rest-of-a-beat-lost product-wraps list-cost-at-the-discounted-price copies-not-held-together \
    recount-passes-lost-accounts late-usage-in-a-closed-month threshold-said-for-ever export-of-everybody
test-few: tests ## some of both
	@MUTANT_JOBS=1 $(MAKE) --no-print-directory test-mutants MUTANTS="$(MUTANTS_FEW)"
	@MUTANT_JOBS=1 $(MAKE) --no-print-directory test-planted MUTANTS="$(PLANTED_FEW)"
test-planted: all $(TESTS) ## every planted defect fails its test of quotas, money, journal, reports (minutes); MUTANTS="NAME..."
	@MAKE='$(MAKE)' tests/mutants/planted.sh $(BUILD) $(MUTANTS)

# --- what people call --------------------------------------------------------------------------------------------
demo: ## install what is missing, build, show everything on this machine in under a minute (root)
	@packaging/need-root "make demo" && packaging/install-deps && $(MAKE) --no-print-directory -j2 all && \
	    packaging/demo/run $(BUILD)

test: ## install what is missing, build, run the whole test suite (root)
	@packaging/need-root "make test" && packaging/install-deps test && $(MAKE) --no-print-directory -j2 all && \
	    $(MAKE) --no-print-directory -j2 tests && \
	    $(TWO) unit test-faults test-few test-system test-flow test-docs test-cgroup2

up: ## build, then run a single-node system in $(BUILD)/up until Ctrl-C (root)
	@packaging/need-root "make up" && packaging/install-deps && $(MAKE) --no-print-directory -j2 all && \
	    exec $(BUILD)/reeve up --dir $(BUILD)/up --http-port 0

lint: all ## layers, purity, style, manuals, scripts
	@tests/lint/lint.sh $(BUILD)

asan: ## the unit tests and the fault worlds with address and undefined-behaviour sanitizers, in their own tree
	@CK_TIMEOUT_MULTIPLIER=4 $(MAKE) --no-print-directory BUILD=build-asan SAN=address,undefined OPT='-O1 -g' \
	    unit test-faults

CONFINE := $(BUILD)/tests/system/test_confine
PROFILES := $(BUILD)/tests/system/test_profiles
LIMITS := $(BUILD)/tests/system/test_ends $(BUILD)/tests/system/test_limits $(BUILD)/tests/system/test_frozen $(BUILD)/tests/system/test_paused $(BUILD)/tests/system/test_machine
HOSTILE := $(BUILD)/tests/system/test_hostile
FAULTY := $(BUILD)/tests/system/test_faults
TAKEN_OVER := $(BUILD)/tests/system/test_hostile_agent
GROUPS := $(BUILD)/tests/isolation/test_cgroup
ROOTS := $(BUILD)/tests/system/test_root
COMMANDS := $(BUILD)/tests/system/test_command $(BUILD)/tests/system/test_doctor
ATTACKED := $(HOSTILE) $(FAULTY) $(TAKEN_OVER)
ATTACKS := $(call objects,$(filter-out %/hostile_program.c,$(wildcard tests/system/hostile_*.c)))
STAGES := $(BUILD)/tests/system/test_stage $(BUILD)/tests/system/test_stage_ends $(BUILD)/tests/system/test_stage_disk
MOVER := $(BUILD)/tests/system/test_mover $(STAGES)
SYSTEM := $(MOVER) $(CONFINE) $(PROFILES) $(LIMITS) $(ROOTS) $(ATTACKED) $(COMMANDS)
FLOWS := $(patsubst %,$(BUILD)/tests/system/test_%,flow node prices rerate paid_end staging copies meters gang)
tests: all $(TESTS) $(SYSTEM) $(FLOWS) $(BUILD)/tests/sim/faults $(BUILD)/tests/system/uml_xstate.so ## build every test
test-system: all $(SYSTEM) ## confinement on this machine's cgroups: ordinary and hostile programs (root)
	@$(TWO) $(SYSTEM:=.system)
$(SYSTEM:=.system): %.system: % | all
	@$<
METERS := $(BUILD)/tests/system/test_meters
test-cgroup2: all $(SYSTEM) $(GROUPS) $(METERS) $(BUILD)/tests/system/uml_xstate.so ## the same on pure cgroup v2, in user-mode-linux (root)
	@$(TWO) $(addsuffix .cgroup2,$(SYSTEM) $(GROUPS) $(METERS))
$(METERS).cgroup2: CGROUP2_MORE = $(BUILD)
$(addsuffix .cgroup2,$(SYSTEM) $(GROUPS) $(METERS)): %.cgroup2: % $(BUILD)/tests/system/uml_xstate.so | all
	@tests/system/cgroup2.sh $< $(CGROUP2_MORE)
test-qemu: all $(SYSTEM) $(GROUPS) ## all that on a Debian kernel with cgroup v2, in an emulated machine (root; minutes)
	@fail=0; for t in $(SYSTEM) $(GROUPS); do tests/system/qemu.sh $$t || fail=1; done; exit $$fail
$(MOVER) $(CONFINE) $(PROFILES) $(LIMITS) $(ROOTS) $(ATTACKED) $(BUILD)/tests/bench/bench_launch $(BUILD)/tests/bench/bench_confine: $(BUILD)/tests/system/driver.o
$(CONFINE) $(PROFILES) $(LIMITS) $(ROOTS): $(BUILD)/tests/system/confine_rows.o
$(CONFINE) $(LIMITS): $(BUILD)/tests/system/limits.o
$(ROOTS): $(call objects,isolation/landlock.c isolation/idmap.c)
$(HOSTILE): $(ATTACKS)
$(FAULTY): $(BUILD)/tests/system/faults.o
$(HOSTILE) $(FAULTY): $(BUILD)/tests/system/hostile_program
# What is broken there on purpose is built with it (tests/mutants).
$(STAGES): $(BUILD)/tests/system/stage_desk.o
$(STAGES) $(LIMITS): $(BUILD)/reeve-keeper $(BUILD)/reeve-warden
$(MOVER): $(BUILD)/tests/system/transfer_program $(call objects,isolation/spec/mover.c tests/system/granter.c)
$(BUILD)/tests/system/transfer_program: $(call objects,tests/system/transfer_program.c base/io/transfer_client.c)
	@$(CC) $(ALL_LDFLAGS) -s -o $@ $^
# Runs inside: small enough to be handed to a job as its script.
$(BUILD)/tests/system/hostile_program: $(BUILD)/tests/system/hostile_program.o $(ATTACKS)
	@$(CC) $(ALL_LDFLAGS) -s -o $@ $^ -lpthread -lrt
$(BUILD)/%.so: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(ALL_CFLAGS) -fPIC -shared -o $@ $<

KILL_SECONDS ?= 20
test-flow: all $(FLOWS) ## the whole system: jobs, money, bad input, kill -9, a stopped store (root)
	@$(TWO) $(FLOWS:=.flow)
$(BUILD)/tests/system/test_flow.flow: FLOW_MORE = $(KILL_SECONDS)
$(FLOWS:=.flow): %.flow: % | all
	@$< $(BUILD) $(FLOW_MORE)
$(FLOWS) $(BUILD)/tests/bench/bench_system $(BUILD)/tests/bench/bench_stage: $(BUILD)/tests/system/system.o
$(BUILD)/tests/system/test_gang: $(BUILD)/tests/system/second_node.o

CRASH_POINTS ?= 200
test-crash: all $(BUILD)/tests/scheduler/test_crash $(BUILD)/tests/scheduler/test_torn ## reeved, Redis or both killed at CRASH_POINTS points; both files cut at every byte of their tails (minutes)
	@CK_DEFAULT_TIMEOUT=3600 REEVE_CRASH_POINTS=$(CRASH_POINTS) $(BUILD)/tests/scheduler/test_crash
	@CK_DEFAULT_TIMEOUT=3600 REEVE_TORN_ALL=1 $(BUILD)/tests/scheduler/test_torn

test-docs: all ## README and manuals: their examples, as printed, against a real system (root)
	@tests/docs/run $(BUILD)

test-fresh: ## both README commands in a bare Debian 12 root made by debootstrap (root; minutes)
	@tests/system/fresh.sh

FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 10
# Where the reader of journals begins: a history, written by a test.
SEEDED := $(BUILD)/tests/scheduler/sim/test_past_seeds
fuzz: $(SEEDED) ## each fuzz target for FUZZ_SECONDS (clang)
	@$(MAKE) --no-print-directory BUILD=build-fuzz CC=clang SAN=address,undefined,fuzzer-no-link OPT='-O1 -g' \
	    $(addprefix build-fuzz/tests/fuzz/,$(FUZZERS))
	@mkdir -p build-fuzz/corpus/fuzz_past && REEVE_SEEDS=build-fuzz/corpus/fuzz_past $(SEEDED) >build-fuzz/seeds.log
	@for f in $(FUZZERS); do echo "  FUZZ $$f"; mkdir -p build-fuzz/corpus/$$f; \
	    build-fuzz/tests/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
	        build-fuzz/corpus/$$f 2>build-fuzz/$$f.log || { tail -30 build-fuzz/$$f.log; exit 1; }; done
$(BUILD)/tests/fuzz/fuzz_seccomp: $(call objects,$(SECCOMP_SRC))
$(BUILD)/tests/fuzz/fuzz_seccomp: FUZZ_LIBS = -lseccomp
# The warden itself, but for its main.
$(BUILD)/tests/fuzz/fuzz_request: $(call objects,$(filter-out isolation/warden.c,$(WARDEN_SRC)))
$(BUILD)/tests/fuzz/fuzz_request: FUZZ_LIBS = -lcgroup
$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	@$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $(filter %.o,$^) \
	    -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(FUZZ_LIBS) $(LIBS_COMMON)

$(BUILD)/tests/bench/bench_core: $(call objects,scheduler/allocator.c)
$(BUILD)/tests/bench/bench_core $(BUILD)/tests/bench/bench_faults: TEST_LIBS += $(ALLOCATOR)
$(BUILD)/tests/bench/bench_fairio: $(call objects,agent/calibrate.c)
$(BUILD)/tests/bench/bench_logs: $(call objects,agent/logs.c agent/fair.c agent/folder.c)
BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(wildcard tests/bench/bench_*.c))
bench: all $(BENCHES) ## every benchmark: `name value unit`, floor and result in the same run (root)
	@packaging/install-deps bench && tests/bench/run $(BUILD)

install: all ## honours DESTDIR and PREFIX
	@install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/man/man1 \
	    $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8
	@install -d $(DESTDIR)$(PREFIX)/include/reeve $(DESTDIR)$(PREFIX)/lib
	@install -m 644 base/transfer.h $(DESTDIR)$(PREFIX)/include/reeve/transfer.h
	@sed 's|"base/transfer.h"|"reeve/transfer.h"|' base/io/transfer_client.h >$(DESTDIR)$(PREFIX)/include/reeve/transfer_client.h
	@install -m 644 $(BUILD)/lib/libreeve-transfer.a $(DESTDIR)$(PREFIX)/lib/
	@install -m 755 $(BUILD)/reeve $(BUILD)/reeve-sim $(DESTDIR)$(PREFIX)/bin/
	@for p in reeved reeve-agent reeve-warden reeve-keeper reeve-seccomp reeve-reportd; do \
	    install -m 755 $(BUILD)/$$p $(DESTDIR)$(PREFIX)/sbin/$$p; done
	@for m in docs/man/*.[158]; do install -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/; done

clean: ## remove every build tree
	rm -rf build build-*

help: ## list these targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: all unit tests test-few $(TESTS:=.unit) $(SYSTEM:=.system) $(SYSTEM:=.cgroup2) $(GROUPS:=.cgroup2) $(METERS:=.cgroup2) $(FLOWS:=.flow) \
    demo test up lint asan test-faults test-hashes test-mutants test-planted test-system test-cgroup2 test-qemu test-flow test-crash test-docs test-fresh fuzz bench install clean help
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
