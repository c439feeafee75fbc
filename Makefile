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
layer = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)/*.c))
LAYERS := base base/io quotas quotas/store policies scheduler/core agent/core agent/fairio isolation/spec
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
KEEPER_SRC  := $(wildcard isolation/keeper*.c isolation/zygote*.c isolation/sandbox*.c)
WARDEN_SRC  := $(filter-out $(KEEPER_SRC),$(wildcard isolation/*.c))
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))

LIBS_COMMON := -ljansson -lyaml -levent -lcrypto
PROGRAMS := $(BUILD)/reeved $(BUILD)/reeve-agent $(BUILD)/reeve-warden $(BUILD)/reeve-keeper $(BUILD)/reeve-reportd \
            $(BUILD)/reeve

all: $(PROGRAMS) ## build every program into $(BUILD)/

$(BUILD)/reeved: $(call objects,$(wildcard scheduler/*.c))
$(BUILD)/reeved: LIBS = -lhiredis -luring
$(BUILD)/reeve-agent: $(call objects,$(wildcard agent/*.c))
$(BUILD)/reeve-agent: LIBS = -luring
$(BUILD)/reeve-warden: $(call objects,$(WARDEN_SRC))
$(BUILD)/reeve-warden: LIBS = -lcgroup -lseccomp
$(BUILD)/reeve-reportd: $(call objects,$(wildcard quotas/reports/*.c))
$(BUILD)/reeve-reportd: LIBS = -lhiredis -lsqlite3
$(BUILD)/reeve: $(call objects,$(wildcard cli/*.c))
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

# --- tests: one program per tests/**/test_*.c; each prints Check's closing line ----------------------------------
TESTS := $(patsubst %.c,$(BUILD)/%,$(shell find tests -name 'test_*.c' -not -path 'tests/system/*' 2>/dev/null | sort))
TEST_LIBS := -lcheck -lm -lrt -lsubunit -lpthread -lhiredis -luring -lcgroup -lseccomp -lsqlite3 $(LIBS_COMMON)
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	@$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(TEST_LIBS)

unit: $(TESTS) ## build and run the unit tests
	@fail=0; for t in $(TESTS); do $$t || fail=1; done; exit $$fail

clean: ## remove every build tree
	rm -rf build build-*

help: ## list these targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: all unit clean help
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
