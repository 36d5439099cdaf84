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

SRCS := $(sort $(shell find boot arch hv drivers -path boot/efi -prune -o -name '*.[cS]' -print 2>/dev/null))
OBJS := $(SRCS:%=$(BUILD)/obj/%.o)

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wundef -Wstrict-prototypes -Wmissing-prototypes \
	-Wvla -Wframe-larger-than=2048 -Werror
CFLAGS := -std=gnu11 -O2 -g -ffreestanding -nostdlib -fno-pic -fno-pie -mcmodel=kernel \
	-mgeneral-regs-only -mno-red-zone -fno-strict-aliasing -fcf-protection=none \
	-fstack-protector-strong -mstack-protector-guard=global -fno-asynchronous-unwind-tables \
	-fno-omit-frame-pointer -fdebug-prefix-map=$(CURDIR)=. $(WARNINGS)
CPPFLAGS := -I. -I$(BUILD)/gen
LDFLAGS  := -nostdlib -static --build-id=none -z max-page-size=0x1000 -z noexecstack \
	--no-warn-rwx-segments -T linker.ld
MKSYMTAB := $(PYTHON) hv/base/mksymtab.py

.PHONY: all
all: $(if $(wildcard linker.ld),$(BUILD)/insula.elf $(BUILD)/insula.asm,$(OBJS)) ## build the image, its .map and its .asm

$(BUILD)/obj/%.o: % Makefile | $(BUILD)/gen/version.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

# The symbol table for backtraces holds the addresses of the image that contains it: link with an
# empty table, make the table from that, link again, and check that no function moved.
$(BUILD)/insula.elf: $(OBJS) linker.ld hv/base/mksymtab.py
	@$(MKSYMTAB) </dev/null >$(BUILD)/gen/symtab0.S
	@$(CC) $(CFLAGS) -c -o $(BUILD)/gen/symtab0.o $(BUILD)/gen/symtab0.S
	@$(LD) $(LDFLAGS) -o $(BUILD)/gen/pass1.elf $(OBJS) $(BUILD)/gen/symtab0.o
	@nm $(BUILD)/gen/pass1.elf | $(MKSYMTAB) >$(BUILD)/gen/symtab1.S
	@$(CC) $(CFLAGS) -c -o $(BUILD)/gen/symtab1.o $(BUILD)/gen/symtab1.S
	$(LD) $(LDFLAGS) -Map $(BUILD)/insula.map -o $@.tmp $(OBJS) $(BUILD)/gen/symtab1.o
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
guests: build/guests/vmlinuz ## a Linux guest (kernel and initramfs) from Debian packages
build/guests/vmlinuz build/guests/initrd.img &: $(wildcard guests/linux/*)
	guests/linux/build.py build/guests

.PHONY: unit
unit: ## unit tests on the build machine; K=name narrows
	@tests/unit/run.py $(K)

.PHONY: clean
clean: ## remove everything built
	rm -rf build build-clang

.PHONY: help
help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

-include $(OBJS:.o=.d)
