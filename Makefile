# SPDX-License-Identifier: BSD-2-Clause
# Builds the image and runs everything a developer runs. "make help" lists the targets.
# Knows no source file by name: every .c and .S under the four source folders is part of the image.

ifeq ($(origin CC),default)
CC := gcc
endif
BUILD   ?= $(if $(findstring clang,$(CC)),build-clang,build)
VERSION := 0.1
MACHINE ?= qemu
PYTHON  := /usr/bin/python3

# Parallel unless told otherwise; V=1 shows the commands.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
Q := $(if $(V),,@)

SRCS := $(sort $(shell find boot arch hv drivers -path boot/efi -prune -o -name '*.[cS]' -print 2>/dev/null))
OBJS := $(SRCS:%=$(BUILD)/obj/%.o)

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wundef -Wstrict-prototypes -Wmissing-prototypes \
	-Wvla -Wframe-larger-than=2048 -Werror
CFLAGS := -std=gnu11 -O2 -g -ffreestanding -nostdlib -fno-pic -fno-pie -mcmodel=kernel \
	-mgeneral-regs-only -mno-red-zone -fno-strict-aliasing -fcf-protection=none \
	-fstack-protector-strong -mstack-protector-guard=global -fno-asynchronous-unwind-tables \
	-fno-omit-frame-pointer -fdebug-prefix-map=$(CURDIR)=. $(WARNINGS)
# NOPs before branch targets inside functions: 23 KB of image, and they are executed.
CFLAGS += $(if $(findstring clang,$(CC)),,-fno-align-jumps -fno-align-loops)
CPPFLAGS := -I. -I$(BUILD)/gen
LDFLAGS  := -nostdlib -static --build-id=none -z max-page-size=0x1000 -z noexecstack \
	--no-warn-rwx-segments -T linker.ld
MKSYMTAB := $(PYTHON) hv/base/mksymtab.py

.PHONY: all
all: $(BUILD)/insula.elf $(BUILD)/insula.asm ## build the image, its .map and its .asm

# What runs at a command, and not for guests, is small rather than fast.
$(BUILD)/obj/hv/mgmt/%.o: CFLAGS += -Os

.PHONY: objs
objs: $(OBJS) ## compile everything, link nothing

$(BUILD)/obj/%.o: % Makefile | $(BUILD)/gen/version.h
	@mkdir -p $(@D)
	$(if $(V),,@echo "  $(CC) $<")
	$(Q)$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

# The symbol table for backtraces holds the addresses of the image that contains it: link with an
# empty table, make the table from that, link again, and check that no function moved.
$(BUILD)/insula.elf: $(OBJS) linker.ld hv/base/mksymtab.py
	$(if $(V),,@echo "  $(LD) $@")
	@$(MKSYMTAB) </dev/null >$(BUILD)/gen/symtab0.S
	@$(CC) $(CFLAGS) -c -o $(BUILD)/gen/symtab0.o $(BUILD)/gen/symtab0.S
	@$(LD) $(LDFLAGS) -o $(BUILD)/gen/pass1.elf $(OBJS) $(BUILD)/gen/symtab0.o
	@nm $(BUILD)/gen/pass1.elf | $(MKSYMTAB) >$(BUILD)/gen/symtab1.S
	@$(CC) $(CFLAGS) -c -o $(BUILD)/gen/symtab1.o $(BUILD)/gen/symtab1.S
	$(Q)$(LD) $(LDFLAGS) -Map $(BUILD)/insula.map -o $@.tmp $(OBJS) $(BUILD)/gen/symtab1.o
	@nm $@.tmp | $(MKSYMTAB) | cmp - $(BUILD)/gen/symtab1.S
	@mv $@.tmp $@

$(BUILD)/insula.asm: $(BUILD)/insula.elf
	@objdump -d --no-show-raw-insn $< >$@

# No date in it: the same commit gives the same image, byte for byte.
$(BUILD)/gen/version.h: FORCE
	@mkdir -p $(@D)
	@printf '#define INSULA_VERSION "%s"\n#define INSULA_GIT     "%s"\n' '$(VERSION)' \
		"$$(git describe --always --dirty --abbrev=12 --match= 2>/dev/null || echo unknown)" >$@.new
	@cmp -s $@ $@.new && rm $@.new || mv $@.new $@

.PHONY: FORCE
FORCE:

.PHONY: guests
guests: build/guests/vmlinuz build/guests/dhclient.img ## a Linux guest (kernel and initramfs) from Debian packages
build/guests/vmlinuz build/guests/initrd.img build/guests/dhclient.img &: $(wildcard guests/linux/*)
	guests/linux/build.py build/guests

.PHONY: unit
unit: ## unit tests on the build machine; K=name narrows
	@tests/unit/run.py $(K)

.PHONY: formats
formats: ## the independent readers of disk images, on sound and damaged ones; K=name narrows
	@tests/formats/run.py $(K)

.PHONY: coverage
coverage: ## line coverage by the unit tests; K=name narrows
	@tests/unit/coverage.py $(K)

.PHONY: fuzz
fuzz: ## run every fuzz target FUZZ_SECONDS (60) long; K=name narrows
	@tests/fuzz/run.py $(K)

.PHONY: system
system: $(BUILD)/insula.elf build/guests/vmlinuz bare-guests ## boot tests in both emulators; K=name narrows
	@tests/system/run.py $(K)

.PHONY: lint
lint: ## the include rule, format, cppcheck, both compilers; K=name narrows
	@tests/lint/run.py $(K)

.PHONY: format
format: ## let clang-format rewrite every source file
	git ls-files '*.c' '*.h' | xargs clang-format -i

# Every stage runs, also after a failure; the last line is the sum and gives the status.
.PHONY: test
test: ## install what is missing, then lint, unit, formats and system tests; K=name narrows
	@tests/setup.sh build run bochs test
	@rm -rf build/results
	-@$(MAKE) --no-print-directory lint
	-@$(MAKE) --no-print-directory unit
	-@$(MAKE) --no-print-directory formats
	-@$(MAKE) --no-print-directory system
	@tests/results.py lint unit formats system

.PHONY: soak
soak: ## every long check in full; takes hours
	@INSULA_SOAK=1 $(MAKE) --no-print-directory test

.PHONY: bench
bench: $(BUILD)/insula.elf build/guests/vmlinuz bare-guests ## measure in both emulators; K=name narrows, PEERS=1 measures KVM+QEMU too (minutes)
	@tests/bench/run.py $(if $(PEERS),--peers) $(K)

.PHONY: iso
iso: build/insula.iso ## a BIOS boot ISO with two demo guests, or CONFIG=file.conf
CONFIG ?= guests/demo.conf
build/insula.iso: build/insula.elf build/guests/vmlinuz $(CONFIG) boot/grub/grub.cfg FORCE
	@tests/system/iso.py $@ --module insula.conf=$(CONFIG) \
		--module vmlinuz=build/guests/vmlinuz --module initrd.img=build/guests/initrd.img

.PHONY: run
run: ## the management console of a machine with two guests; MACHINE=bochs, CONFIG=file.conf
	@tests/setup.sh build run $(filter bochs,$(MACHINE))
	@$(MAKE) --no-print-directory iso
	@tests/system/demo.py $(MACHINE) build/insula.iso

.PHONY: debug
debug: ## the same in QEMU, stopped at its first instruction, with GDB attached
	@tests/setup.sh build run debug
	@$(MAKE) --no-print-directory iso
	@tests/system/demo.py --debug qemu build/insula.iso

.PHONY: clean
clean: ## remove everything built
	rm -rf build build-clang

.PHONY: help
help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

include guests/guests.mk
-include $(OBJS:.o=.d)
