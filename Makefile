# SmartRouter. `make demo` and `make test` do all the set-up; `make help` lists the targets.
#
# config=debug|release|sanitize|coverage   output goes to build/$(config)/   (default release)
# werror=1                                 warnings are errors (CI)
# downloads=DIR                            where fetched packages are kept (default build/downloads)

config ?= release
werror ?= 0
downloads ?= build/downloads
out := build/$(config)
jobs := $(shell nproc 2>/dev/null || echo 2)

CC_release := cc
CC_debug := cc
CC_coverage := cc
CC_sanitize := clang-22
CC := $(CC_$(config))

# -ffp-contract=off: every instruction set must give the same floats (kernel/kernel.h)
CFLAGS_common := -std=c11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wno-missing-field-initializers -Isrc -ffp-contract=off -D_POSIX_C_SOURCE=200809L -MMD -MP
CFLAGS_release := -O3 -DNDEBUG -g
CFLAGS_debug := -O0 -g
CFLAGS_coverage := -O0 -g --coverage
CFLAGS_sanitize := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS := $(CFLAGS_common) $(CFLAGS_$(config)) $(if $(filter 1,$(werror)),-Werror)
LDFLAGS_coverage := --coverage
LDFLAGS_sanitize := -fsanitize=address,undefined
LDLIBS := -lcjson -lcurl -llapacke -llapack -lblas -lpthread -lm

# The matcher is the heart and stands alone; the writer, the embedders and the programs come on top of it.
matcher_sources := src/container.c src/asset.c src/router.c
library_sources := $(wildcard src/*.c src/embed/*.c)
kernel_sources := src/kernel/scalar.c src/kernel/kernels.c src/kernel/avx2.c
program_sources := $(wildcard src/program/*.c)

library_objects := $(patsubst src/%.c,$(out)/obj/%.o,$(library_sources) $(kernel_sources))
program_objects := $(patsubst src/%.c,$(out)/obj/%.o,$(program_sources))
test_programs := $(patsubst tests/c/%.c,$(out)/tests/%,$(wildcard tests/c/test_*.c))

.PHONY: help all cli wasm model routes demo test test-c test-js test-browser bench fuzz evaluate format check pack site librechat clean setup-native setup-wasm
.DELETE_ON_ERROR:

help:
	@echo 'make demo      install what is missing, build, route a few prompts, serve the demo page'
	@echo 'make test      everything that is tested: C, JavaScript, browsers'
	@echo 'make all       native program, WebAssembly, model and route assets'
	@echo 'make check     formatting, types, generated files'
	@echo 'make bench     timings, against peers; writes build/bench.json'
	@echo 'make pack      npm packages under build/pack/'
	@echo 'make clean     remove build output (downloads are kept)'

all: cli wasm model routes

# ---- native ----------------------------------------------------------------------------------------------------
setup-native:
	@build/setup native $(if $(filter sanitize,$(config)),sanitize)

cli: setup-native $(out)/smartrouter

$(out)/obj/%.o: src/%.c | setup-native
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@
$(out)/obj/kernel/avx2.o: CFLAGS += -mavx2

$(out)/libsmartrouter.a: $(library_objects)
	@rm -f $@
	ar rcs $@ $^

$(out)/smartrouter: $(program_objects) $(out)/libsmartrouter.a
	$(CC) $(LDFLAGS_$(config)) $^ $(LDLIBS) -o $@

# C tests: one program a module; program sources other than main.c are linked in, so commands can be tested too
$(out)/tests/%: tests/c/%.c $(filter-out $(out)/obj/program/main.o,$(program_objects)) $(out)/libsmartrouter.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Itests/c $(LDFLAGS_$(config)) $^ $(LDLIBS) -o $@

-include $(shell find $(out) -name '*.d' 2>/dev/null)
