# SPDX-License-Identifier: ISC
# pipevm: microVMs for shell pipelines. `make help` says what there is to make.

VERSION := 0.1
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= cc

# Debian packages: what building, running and testing need. The one list.
PACKAGES := gcc libc6-dev make qemu-system-x86 qemu-system-common busybox-static kmod lz4 xz-utils \
	zstd bzip2 jq bats shellcheck mandoc acpica-tools tmux vim-tiny less expect socat strace cpio dash procps \
	util-linux iproute2 clang libclang-rt-14-dev perl rsync git \
	dropbear-bin openssh-client openssl libslirp-dev passt slirp4netns tshark tcpdump ndisc6 isc-dhcp-client

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wtype-limits
CFLAGS ?= -O2 -g
BASE := -std=gnu11 -D_GNU_SOURCE -DPIPEVM_VERSION='"$(VERSION)"' $(WARN) -fno-common -MMD -MP
HARDEN := -fstack-protector-strong -fPIE
INCLUDES := -Ilib/common

# Another BUILD, BIN and CFLAGS keep a sanitized build beside this one: see `asan`.
BUILD ?= .build
BIN ?= bin

COMMON := $(wildcard lib/common/*.c)
BOOT := $(filter-out vm-boot/vm-ctl.c,$(wildcard vm-boot/*.c)) \
	$(wildcard vm-boot/virtio/*.c vm-boot/engine/*/*.c vm-boot/engine/kvm/x86/*.c)
CONSOLE := $(wildcard vm-console/*.c)
VMEXEC := $(wildcard vm-exec/*.c)
NET := $(wildcard vm-net/*.c)
AGENT := $(wildcard vm-agent/*.c) lib/common/loop.c lib/common/wire.c
SCRIPTS := vm-run vm-shell vm-rsh vm-cp vm-image vm-ls vm-check
BUILT := vm-boot vm-ctl vm-console vm-exec vm-net vm-agent

$(BUILD)/vm-boot/%.o: INCLUDES += -Ivm-boot -Ivm-boot/virtio -Ivm-boot/engine -Ivm-boot/engine/kvm
$(BUILD)/t/%.o: INCLUDES += -It/unit -Ivm-boot -Ivm-boot/virtio -Ivm-boot/engine \
	-Ivm-boot/engine/kvm -iquote vm-console -Ivm-net -Ivm-agent
# The headers of one tool alone: another has an agent.h, too.
$(BUILD)/t/unit/session_test.o: INCLUDES := -Ilib/common -It/unit -Ivm-exec

# V=1 shows the commands.
Q := $(if $(V),,@)
say := @echo

objs = $(patsubst %.c,$(BUILD)/%.o,$(1))
LIB := $(BUILD)/libcommon.a
BOOT_LIB := $(BUILD)/libboot.a
CONSOLE_LIB := $(BUILD)/libconsole.a
VMEXEC_LIB := $(BUILD)/libexec.a
NET_LIB := $(BUILD)/libnet.a

all: $(addprefix $(BIN)/,$(BUILT)) ## build the programs into bin/

$(BUILD)/%.o: %.c Makefile
	$(say) "  CC    $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE) $(HARDEN) $(CFLAGS) $(INCLUDES) -c $< -o $@

$(LIB): $(call objs,$(COMMON))
$(BOOT_LIB): $(call objs,$(filter-out vm-boot/main.c,$(BOOT)))
$(CONSOLE_LIB): $(call objs,$(filter-out vm-console/main.c,$(CONSOLE)))
$(VMEXEC_LIB): $(call objs,$(filter-out vm-exec/main.c,$(VMEXEC)))
$(NET_LIB): $(call objs,$(filter-out vm-net/main.c,$(NET)))
$(LIB) $(BOOT_LIB) $(CONSOLE_LIB) $(VMEXEC_LIB) $(NET_LIB):
	$(Q)rm -f $@ && ar rcs $@ $^

link = $(say) "  LINK  $@" && mkdir -p $(@D)
link += && $(CC) $(HARDEN) $(CFLAGS) -pie -Wl,-z,relro,-z,now $(LDFLAGS) $(filter %.o %.a,$^) -pthread $(LDLIBS) -o $@

$(BIN)/vm-boot: $(call objs,vm-boot/main.c) $(BOOT_LIB) $(LIB)
	$(link)
$(BIN)/vm-ctl: $(call objs,vm-boot/vm-ctl.c) $(LIB)
	$(link)
$(BIN)/vm-console: $(call objs,vm-console/main.c) $(CONSOLE_LIB) $(LIB)
	$(link)
$(BIN)/vm-exec: $(call objs,vm-exec/main.c) $(VMEXEC_LIB) $(LIB)
	$(link)
$(BIN)/vm-net: LDLIBS += -lslirp
$(BIN)/vm-net: $(call objs,vm-net/main.c) $(NET_LIB) $(LIB)
	$(link)

# It runs in the guest: static, small, never sanitized.
$(BIN)/vm-agent: $(AGENT) $(wildcard vm-agent/*.h lib/common/*.h) Makefile
	$(say) "  AGENT $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP,$(BASE)) -Os -ffunction-sections -fdata-sections -fno-pie $(INCLUDES) \
		-static -s -Wl,--gc-sections $(AGENT) -o $@

# Unit tests, t/unit/NAME_test.c, and test tools, any other t/unit/*.c.
UNIT := $(patsubst %.c,$(BUILD)/%,$(wildcard t/unit/*.c))
$(BUILD)/t/unit/%: $(BUILD)/t/unit/%.o $(BOOT_LIB) $(CONSOLE_LIB) $(VMEXEC_LIB) $(NET_LIB) $(BUILD)/vm-agent/parse.o $(BUILD)/vm-agent/networds.o $(LIB)
	$(link)
$(BUILD)/t/unit/exec_server: $(call objs,t/unit/exec_server.c $(wildcard t/unit/exec/*.c)) $(LIB)
	$(link)
# The agent's parts and headers, with a loop of the test's own.
$(BUILD)/t/unit/life_test.o: INCLUDES = -Ilib/common -It/unit -iquote vm-agent
$(BUILD)/t/unit/life_test: $(call objs,t/unit/life_test.c vm-agent/life.c vm-agent/control.c) $(LIB)
	$(link)
$(addprefix $(BUILD)/t/unit/,stack_test ends_test forward_test inlet_test netverbs_test redirect_test): LDLIBS += -lslirp
# They run in a guest, too, as vm-agent does.
IN_GUEST := $(addprefix $(BUILD)/t/unit/,guest_udp guest_vsock world_ask world_client world_server)
$(BUILD)/t/unit/guest_udp: t/unit/guest_udp.c
$(BUILD)/t/unit/guest_vsock: t/unit/guest_vsock.c lib/common/wire.c
WORLD_COMMON := vm-net/addr.c $(addprefix lib/common/,fds.c log.c opts.c)
$(BUILD)/t/unit/world_ask: LDLIBS += -lresolv
$(BUILD)/t/unit/world_ask: t/unit/world_ask.c $(WORLD_COMMON)
$(BUILD)/t/unit/world_client: t/unit/world_client.c $(WORLD_COMMON)
$(BUILD)/t/unit/world_server: t/unit/world_server.c lib/common/loop.c $(WORLD_COMMON)
$(IN_GUEST): $(wildcard t/unit/world.h t/unit/dns_build.h vm-net/*.h lib/common/*.h) Makefile
	$(say) "  LINK  $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP,$(BASE)) -O2 -fno-pie $(INCLUDES) -Ivm-net -static -s $(filter %.c,$^) $(LDLIBS) -o $@
# What a test loads before a program.
PRELOADS := $(patsubst %.c,$(BUILD)/%.so,$(wildcard t/lib/*.c))
$(BUILD)/t/lib/%.so: t/lib/%.c Makefile
	$(say) "  LINK  $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP,$(BASE)) -O2 -fPIC -shared $< -o $@
unit: $(UNIT) $(PRELOADS) ## build the unit tests and the tools of tests

# Fuzz entries, t/fuzz/NAME_fuzz.c, with clang's libFuzzer, in a build of their own.
FUZZERS := $(patsubst %.c,$(BUILD)/%,$(wildcard t/fuzz/*_fuzz.c))
FUZZ_SECONDS ?= 60
$(BUILD)/t/fuzz/%: $(BUILD)/t/fuzz/%.o $(BOOT_LIB) $(CONSOLE_LIB) $(NET_LIB) $(BUILD)/vm-agent/request.o $(BUILD)/vm-agent/networds.o $(LIB)
	$(link)
# vm-exec's own headers, and its library alone: vm-boot, vm-console and vm-agent have files and names like them.
$(BUILD)/t/fuzz/exec_records_fuzz.o: INCLUDES = -Ilib/common -iquote vm-exec
$(BUILD)/t/fuzz/exec_records_fuzz: $(BUILD)/t/fuzz/exec_records_fuzz.o $(VMEXEC_LIB) $(LIB)
	$(link)
fuzz-programs: $(FUZZERS)
fuzzers: ## build the fuzz entries into .build/fuzz
	@$(MAKE) --no-print-directory BUILD=.build/fuzz CC=clang LDFLAGS=-fsanitize=fuzzer \
		CFLAGS="$(SANITIZE) -fsanitize=fuzzer-no-link" fuzz-programs
fuzz: fuzzers ## run every fuzz entry FUZZ_SECONDS (60)
	t/check --fuzz $(FUZZ_SECONDS)

SANITIZE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
# Beside a shared libasan a shared libubsan hears of no log_path (t/check).
asan: ## build everything with ASan and UBSan into .build/asan
	@$(MAKE) --no-print-directory BUILD=.build/asan BIN=.build/asan/bin CFLAGS="$(SANITIZE)" \
		LDFLAGS="-static-libasan -static-libubsan" all unit
	@cp $(addprefix bin/,$(SCRIPTS)) .build/asan/bin && ln -sfn ../../../../lib/common/image .build/asan/lib/common/image

clang: ## see that clang is content, too
	@$(MAKE) --no-print-directory CC=clang BUILD=.build/clang BIN=.build/clang/bin CFLAGS="-O2 -Werror" all unit

deps: ## install the Debian packages that are missing (root or sudo)
	@t/deps $(PACKAGES)

check: deps ## build, and run every test; ends with `N passed, N failed, N skipped`
	@$(MAKE) --no-print-directory -j$$(nproc) all unit fuzzers asan
	@t/check

soak: deps ## the same tests with larger numbers, and long fuzz runs
	@$(MAKE) --no-print-directory -j$$(nproc) all unit fuzzers asan
	@t/check --soak

demo: deps ## set everything up and boot a guest: a shell, or its uname without a terminal
	@$(MAKE) --no-print-directory all
	@t/demo

lab: deps ## a shell in the machine where KVM works
	@$(MAKE) --no-print-directory all
	@t/lab/run -t bash

bench: deps ## boot and memory against QEMU, commands against ssh, vsock against vhost-vsock, vm-net against QEMU and passt
	@$(MAKE) --no-print-directory all
	@missed=0; for b in run exec vsock net; do t/bench/$$b || missed=1; done; exit $$missed

lint: ## shellcheck, mandoc, compiler warnings as errors
	@t/lint

MANPAGES = $(wildcard man/*.[1-9])
install: all ## install under PREFIX (/usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/pipevm/image/etc
	install $(addprefix $(BIN)/,$(BUILT)) $(addprefix bin/,$(SCRIPTS)) $(DESTDIR)$(PREFIX)/bin
	install -m 644 lib/common/image/*.sh $(DESTDIR)$(PREFIX)/share/pipevm/image
	install -m 644 lib/common/image/etc/* $(DESTDIR)$(PREFIX)/share/pipevm/image/etc
	install -m 644 lib/common/bats/vm.bash $(DESTDIR)$(PREFIX)/share/pipevm
	install -d $(DESTDIR)$(PREFIX)/share/pipevm/guest
	install -m 644 vm-agent/vm-agent.service $(DESTDIR)$(PREFIX)/share/pipevm/guest
	install vm-agent/vm-agent.initd $(DESTDIR)$(PREFIX)/share/pipevm/guest
	install -D -m 644 lib/common/completion/pipevm.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/vm-boot
	for p in vm-ctl vm-console vm-exec vm-net $(SCRIPTS); do \
		ln -sf vm-boot $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$p; done
	for m in $(MANPAGES); do install -D -m 644 $$m \
		$(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/}; done

uninstall: ## take away what install put there
	for p in $(BUILT) $(SCRIPTS); do rm -f $(DESTDIR)$(PREFIX)/bin/$$p \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$p; done
	for m in $(MANPAGES); do rm -f $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/}; done
	rm -rf $(DESTDIR)$(PREFIX)/share/pipevm

clean: ## remove what was built
	rm -rf .build $(addprefix bin/,$(BUILT))

help: ## this
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | sort | while IFS="	" read -r t h; do \
		printf '  %-10s %s\n' "$$t" "$$h"; done

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

.PHONY: all unit fuzz-programs fuzzers fuzz asan clang deps check soak demo lab bench lint install uninstall clean help
.SECONDARY:
