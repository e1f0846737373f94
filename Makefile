# moongate: `make help` lists the targets.

VERSION := 0.1.0
CC      := gcc
BUILD   := build
VARIANT := release
TRAFFIC := $(or $(MOONGATE_TRAFFIC),../shared/traffic)

# ---- flags -------------------------------------------------------------------------------

LIBS     := libmicrohttpd libcurl luajit libcrypto sqlite3 hiredis
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
HARDEN   := -fstack-protector-strong -fstack-clash-protection -fcf-protection -funwind-tables
SAN_DEFS := -O1 -g -fno-omit-frame-pointer

# One entry a variant: what is compiled in, and with which compiler where only one can.
MODE_release  := -O2 -g -D_FORTIFY_SOURCE=2 $(HARDEN)
MODE_asan     := $(SAN_DEFS) -fsanitize=address,undefined -fno-sanitize-recover=undefined
MODE_tsan     := $(SAN_DEFS) -fsanitize=thread
MODE_coverage := -O1 -g -fprofile-instr-generate -fcoverage-mapping
MODE_fuzz     := $(SAN_DEFS) -fsanitize=fuzzer-no-link,address,undefined
CC_asan       := clang
CC_tsan       := clang
CC_coverage   := clang
CC_fuzz       := clang

COMPILER  := $(or $(CC_$(VARIANT)),$(CC))
MODE      := $(MODE_$(VARIANT))
# Recursive on purpose: `make test` must be able to install pkg-config first.
LIB_FLAGS  = $(shell pkg-config --cflags $(LIBS) libpq)# libpq: loaded when it is asked for
LIB_LINK   = $(shell pkg-config --libs $(LIBS)) -lpthread -lm
CFLAGS     = -std=c11 -D_GNU_SOURCE $(MODE) -fPIC -fvisibility=hidden $(WARNINGS) -Iengine
LDFLAGS    = $(filter -fsanitize=% -fprofile-%,$(subst fuzzer-no-link$(comma),,$(MODE))) -pie -Wl,-z,relro,-z,now,-z,noexecstack
comma     := ,

# ---- files -------------------------------------------------------------------------------

# Release builds land in build/, the others in build/<variant>/.
OUT := $(BUILD)$(if $(filter-out release,$(VARIANT)),/$(VARIANT))
OBJ := $(BUILD)/obj/$(VARIANT)

ENGINE_C := $(sort $(wildcard engine/*.c))
SHIPPED  := $(sort $(shell find scripts providers -name '*.lua' -not -path 'scripts/meta/*' 2>/dev/null) \
              $(wildcard routes.lua engine/prelude.lua))
MAIN_OBJ := $(patsubst engine/%.c,$(OBJ)/engine/%.o,$(filter engine/main.c engine/cli.c engine/cli_%.c engine/lua_cli%.c,$(ENGINE_C)))
LIB_OBJ  := $(filter-out $(MAIN_OBJ),$(ENGINE_C:engine/%.c=$(OBJ)/engine/%.o)) $(OBJ)/embedded.o

C_TESTS := $(patsubst tests/c/%.c,$(OUT)/tests/%,$(wildcard tests/c/test_*.c tests/c/embed_test.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS := $(patsubst tests/fuzz/fuzz_%.c,$(OUT)/tests/replay_%,$(wildcard tests/fuzz/fuzz_*.c))
TOOLS   := $(addprefix $(OUT)/tests/,faultd swarm source faulty counter speed disk.so intruder.so faultpre.so)
VOCABULARIES := $(BUILD)/vocabularies/made
MODULE  := $(wildcard tests/c/engine_module.c tests/c/lua_jit.c tests/c/jit_scan.c)

THREADED := L-01 L-05 C-01 C-10 S-27# rows that the thread sanitizer looks at

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all run test unit live lint fmt fmt-check asan tsan fuzz fuzzers coverage bench golden \
        watch hooks help clean check-tools force exact tokens-table providers-matrix matrix fire \
        clients

# ---- what people type --------------------------------------------------------------------

### all        the binary build/moongate and the library build/libmoongate.a; warnings are errors
all: $(OUT)/libmoongate.a $(if $(wildcard engine/main.c),$(OUT)/moongate) $(VOCABULARIES)

### run        installs what is missing, builds, serves routes.lua on 127.0.0.1:4000
run:
	@sh tests/tools/deps.sh build
	@$(MAKE) --no-print-directory all
	@$(BUILD)/moongate serve

### test       installs what is missing, builds, runs everything a change needs; CI calls this
test:
	@sh tests/tools/deps.sh build test lint
	@MOONGATE_TRAFFIC=$(TRAFFIC) sh tests/tools/run.sh

### unit       unit, C, golden, layer and example tests, on LuaJIT
unit: check-tools
	@VARIANT=$(VARIANT) sh tests/tools/run.sh c unit

### live       the real binary against the replay upstream: streams, reload, hang-up, bad input
live: all check-tools
	@VARIANT=$(VARIANT) MOONGATE_TRAFFIC=$(TRAFFIC) sh tests/tools/run.sh live

### fire       faults, row by row, with the invariants checked after each
fire: all check-tools
	@VARIANT=$(VARIANT) sh tests/tools/run.sh fire

### matrix     the fault matrix, row by row: ROWS="U A-33" for some, JSON=1, WRITE=1 into docs/matrix.md
matrix: all check-tools
	@MOONGATE_BIN=$(OUT)/moongate MOONGATE_TOOLS=$(OUT)/tests \
	    luajit tests/matrix/matrix.lua $(if $(JSON),--json) $(if $(WRITE),--write docs/matrix.md) $(ROWS)

### lint       luacheck, clang-tidy, cppcheck, banned functions, `check` on every example
lint: $(BUILD)/embedded.c
	@sh tests/tools/lint.sh

### fmt        clang-format in place; trailing space and final newline for Lua
fmt:
	@sh tests/tools/fmt.sh write

### fmt-check  says what fmt would change
fmt-check:
	@sh tests/tools/fmt.sh check

### asan       everything (C, unit, live, fire: the whole matrix) under ASan, UBSan and LeakSanitizer
asan:
	@sh tests/tools/deps.sh build test clang
	@$(MAKE) --no-print-directory VARIANT=asan all check-tools
	@VARIANT=asan MOONGATE_TRAFFIC=$(TRAFFIC) sh tests/tools/run.sh c unit live fire

### tsan       C and live tests and the rows of load, reload and stop under the thread sanitizer
tsan:
	@sh tests/tools/deps.sh build test clang
	@$(MAKE) --no-print-directory VARIANT=tsan all check-tools
	@VARIANT=tsan MOONGATE_TRAFFIC=$(TRAFFIC) ROWS="$(THREADED)" sh tests/tools/run.sh c live rows

### fuzz       libFuzzer on every parser (ONLY="head sse": some), T seconds each (60); crashes are kept
fuzz:
	@sh tests/tools/deps.sh build clang
	@$(MAKE) --no-print-directory VARIANT=release build/tests/engine.so
	@$(MAKE) --no-print-directory VARIANT=fuzz fuzzers
	@sh tests/tools/fuzz.sh $(or $(T),60) $(BUILD)/fuzz/tests $(ONLY)

### coverage   clang source coverage of unit and live tests; prints files below 80 %
coverage:
	@sh tests/tools/deps.sh build test clang
	@$(MAKE) --no-print-directory VARIANT=coverage all check-tools
	@sh tests/tools/coverage.sh

### exact      token counts against OpenAI's own tokenizer: N hostile strings (default 200000)
exact: all check-tools
	@sh tests/tokens/run.sh $(or $(N),200000)

### tokens-table  counts of recorded requests beside what their providers reported
tokens-table: all check-tools
	@MOONGATE_TRAFFIC=$(TRAFFIC) luajit tests/tokens/table.lua $(if $(ALL),all)

### providers-matrix  recorded answers of every provider at every door; prints what passed (JSON=1)
providers-matrix: all check-tools
	@MOONGATE_BIN=$(OUT)/moongate MOONGATE_TOOLS=$(OUT)/tests MOONGATE_TRAFFIC=$(TRAFFIC) \
	    luajit tests/tools/providers_matrix.lua $(if $(JSON),--json)

### clients    real clients × cases × families of providers, a matrix; STAGE=quick, sdk (default) or cli
clients: all check-tools
	@sh tests/tools/deps.sh test
	@sh tests/clients/run.sh $(or $(STAGE),sdk)

### bench      nginx and moongate to one upstream, token counters side by side; prints tables
bench: all check-tools
	@sh tests/tools/deps.sh bench
	@luajit tests/bench/bench.lua
	@luajit tests/bench/idle.lua
	@luajit tests/bench/doors.lua
	@sh tests/tokens/run.sh speed

### figures    what is stated about holding under fire, measured: a few minutes; prints a table
figures: all check-tools
	@luajit tests/fire/figures.lua $(FIGURES)

### golden     rewrites the golden files; the review is the diff
golden: $(if $(MODULE),$(OUT)/tests/engine.so)
	@GOLDEN=write busted tests/unit/golden_spec.lua tests/unit/compatible_spec.lua

### watch      serves and reloads whenever routes.lua is saved
watch: all
	@$(BUILD)/moongate serve --watch

### hooks      installs a pre-commit hook: formatting, luacheck on what changed, unit tests
hooks:
	@install -D -m 755 tests/tools/pre-commit "$$(git rev-parse --git-path hooks)/pre-commit"
	@echo "installed; 'git commit --no-verify' skips it"

### clean      removes build/
clean:
	@rm -rf $(BUILD)

### help       this list
help:
	@sed -n 's/^### /  make /p' $(firstword $(MAKEFILE_LIST))

# ---- how it is made (V=1 shows the commands) ----------------------------------------------

Q    := $(if $(V),,@)
SAY   = $(if $(V),@:,@echo "  $(1)	$(patsubst $(BUILD)/%,%,$@)")

# Compiler and flags of the last build: another one rebuilds everything.
$(OBJ)/flags: force
	@mkdir -p $(@D)
	@echo '$(COMPILER) $(MODE) $(WARNINGS) $(VERSION)' | cmp -s - $@ || echo '$(COMPILER) $(MODE) $(WARNINGS) $(VERSION)' > $@

$(OBJ)/%.o: %.c $(OBJ)/flags
	@mkdir -p $(@D)
	$(call SAY,cc)
	$(Q)$(COMPILER) $(CFLAGS) $(LIB_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tools/embed: engine/tools/embed.c
	@mkdir -p $(@D)
	$(call SAY,cc)
	$(Q)$(CC) -std=c11 -O1 $(WARNINGS) $(shell pkg-config --cflags luajit) -o $@ $< $(shell pkg-config --libs luajit)

$(BUILD)/tools/vocabulary: engine/tools/vocabulary.c engine/tokens_file.h
	@mkdir -p $(@D)
	$(call SAY,cc)
	$(Q)$(CC) -std=c11 -O2 $(WARNINGS) -Iengine -o $@ $<

# Where they cannot be made, it says so, and the next make tries again.
$(VOCABULARIES): $(BUILD)/tools/vocabulary engine/tools/vocabularies.sh
	$(call SAY,pack)
	$(Q)sh engine/tools/vocabularies.sh $< $(@D)

# The list of files, rewritten only when it changes: a file that is gone must be noticed.
$(BUILD)/embedded.list: force
	@mkdir -p $(@D)
	@echo '$(SHIPPED)' | cmp -s - $@ || echo '$(SHIPPED)' > $@

$(BUILD)/embedded.c: $(BUILD)/tools/embed $(BUILD)/embedded.list $(SHIPPED) Makefile
	$(call SAY,pack)
	$(Q)$(BUILD)/tools/embed $(VERSION) $(SHIPPED) > $@

$(OBJ)/embedded.o: $(BUILD)/embedded.c engine/embedded.h $(OBJ)/flags
	@mkdir -p $(@D)
	$(call SAY,cc)
	$(Q)$(COMPILER) $(CFLAGS) -Wno-overlength-strings -c -o $@ $<

# All of the engine, for the binary and the tests, which see its insides.
$(OBJ)/engine.a: $(LIB_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	$(call SAY,ar)
	$(Q)ar rcs $@ $^

# The same as one object in which only moongate.h's calls have names: nothing of ours can clash
# with an embedder's.
$(OUT)/libmoongate.a: $(LIB_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	$(call SAY,ar)
	$(Q)ld -r -o $(OBJ)/moongate.o $^
	$(Q)objcopy --localize-hidden $(OBJ)/moongate.o
	$(Q)ar rcs $@ $(OBJ)/moongate.o

# The sanitizer's allocator is part of the program, so that nothing preloaded can make it fail: this
# asks what is preloaded first.
STARVED := $(if $(filter asan,$(VARIANT)),$(OBJ)/tests/fire/starved.o)

$(OUT)/moongate: $(MAIN_OBJ) $(STARVED) $(OBJ)/engine.a
	$(call SAY,link)
	$(Q)$(COMPILER) $(LDFLAGS) -o $@ $^ $(LIB_LINK)

# Test programs see the whole library, its headers, and check.h.
check-tools: $(C_TESTS) $(TOOLS) $(REPLAYS) $(if $(MODULE),$(OUT)/tests/engine.so) \
             $(if $(filter asan,$(VARIANT)),$(OUT)/tests/host)

$(OUT)/tests/embed_test: $(OBJ)/tests/c/embed_test.o $(OUT)/libmoongate.a
	@mkdir -p $(@D)
	$(call SAY,link)
	$(Q)$(COMPILER) $(LDFLAGS) -o $@ $^ $(LIB_LINK)

$(OUT)/tests/%: $(OBJ)/tests/c/%.o $(OBJ)/engine.a
	@mkdir -p $(@D)
	$(call SAY,link)
	$(Q)$(COMPILER) $(LDFLAGS) -o $@ $^ $(LIB_LINK)

$(OUT)/tests/faultd: $(patsubst %.c,$(OBJ)/%.o,$(wildcard tests/faultd/*.c))
	@mkdir -p $(@D)
	$(call SAY,link)
	$(Q)$(COMPILER) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs openssl)

# Preloaded into a gateway: a disk that fails, somebody who got in, a machine out of sorts.
$(OUT)/tests/disk.so: $(OBJ)/tests/disk/disk.o
$(OUT)/tests/intruder.so: $(OBJ)/tests/fire/intruder.o
$(OUT)/tests/faultpre.so: $(OBJ)/tests/fire/faultpre.o
$(OUT)/tests/disk.so $(OUT)/tests/intruder.so $(OUT)/tests/faultpre.so:
	@mkdir -p $(@D)
	$(call SAY,link)
	$(Q)$(COMPILER) -shared $(filter-out -pie,$(LDFLAGS)) -o $@ $^

# The provider under load, the swarm of clients, and what sanitizers find.
$(OUT)/tests/source: $(patsubst %.c,$(OBJ)/%.o,$(wildcard tests/bench/*.c))
$(OUT)/tests/swarm: $(patsubst %.c,$(OBJ)/%.o,$(wildcard tests/fire/swarm*.c))
$(OUT)/tests/faulty: $(OBJ)/tests/fire/faulty.o
$(OUT)/tests/source $(OUT)/tests/swarm $(OUT)/tests/faulty:
	@mkdir -p $(@D)
	$(call SAY,link)
	$(Q)$(COMPILER) $(LDFLAGS) -o $@ $^ -lm

$(OUT)/tests/counter $(OUT)/tests/speed: $(OUT)/tests/%: $(OBJ)/tests/tokens/%.o $(OBJ)/engine.a
	@mkdir -p $(@D)
	$(call SAY,link)
	$(Q)$(COMPILER) $(LDFLAGS) -o $@ $^ $(LIB_LINK)

# A Lua module holding the pure half of the engine, for busted. It stays loaded to the end: the
# state allocates through it.
$(OUT)/tests/engine.so: $(MODULE:%.c=$(OBJ)/%.o) $(OBJ)/engine.a
	@mkdir -p $(@D)
	$(call SAY,link)
	$(Q)$(COMPILER) -shared -Wl,-z,nodelete $(filter-out -pie,$(LDFLAGS)) -o $@ $^ $(LIB_LINK)

fuzzers: $(FUZZERS)

$(BUILD)/fuzz/tests/fuzz_%: $(BUILD)/obj/fuzz/tests/fuzz/fuzz_%.o \
                            $(MODULE:%.c=$(BUILD)/obj/fuzz/%.o) $(BUILD)/obj/fuzz/engine.a
	@mkdir -p $(@D)
	$(call SAY,link)
	$(Q)clang -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIB_LINK)

# The same targets without a fuzzer, for what is known (tests/unit/fuzz_spec.lua).
$(OUT)/tests/replay_%: $(OBJ)/tests/fuzz/fuzz_%.o $(OBJ)/tests/fuzz/replay.o \
                       $(MODULE:%.c=$(OBJ)/%.o) $(OBJ)/engine.a
	@mkdir -p $(@D)
	$(call SAY,link)
	$(Q)$(COMPILER) $(LDFLAGS) -o $@ $^ $(LIB_LINK)

force:

-include $(wildcard $(OBJ)/*/*.d $(OBJ)/*/*/*.d)
