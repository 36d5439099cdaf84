# SPDX-License-Identifier: BSD-2-Clause
# Bare-metal guests: each folder with a main.c becomes build/guests/NAME.elf, linked with guests/lib.
# Included by the Makefile.

GUEST_NAMES  := $(sort $(patsubst guests/%/main.c,%,$(wildcard guests/*/main.c)))
GUEST_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -nostdlib -fno-pic -fno-pie -mno-red-zone \
	-mgeneral-regs-only -fno-strict-aliasing -fcf-protection=none -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns \
	-fdebug-prefix-map=$(CURDIR)=. $(WARNINGS)
GUEST_LIB    := $(patsubst %,build/guests/obj/%.o,$(wildcard guests/lib/*.[cS]))
GUEST_ELFS   := $(GUEST_NAMES:%=build/guests/%.elf)

.PHONY: bare-guests
bare-guests: $(GUEST_ELFS) ## the bare-metal guests of tests and benchmarks

define guest_rule
build/guests/$(1).elf: $(GUEST_LIB) $(patsubst %,build/guests/obj/%.o,$(wildcard guests/$(1)/*.[cS])) guests/lib/guest.ld
	@$(LD) -nostdlib -static --build-id=none -z max-page-size=0x1000 -z noexecstack \
		--no-warn-rwx-segments -T guests/lib/guest.ld -o $$@ $$(filter %.o,$$^)
endef
$(foreach g,$(GUEST_NAMES),$(eval $(call guest_rule,$(g))))

build/guests/obj/%.o: % Makefile guests/guests.mk
	@mkdir -p $(@D)
	@gcc $(GUEST_CFLAGS) -I. -MMD -MP -c -o $@ $<

-include $(shell find build/guests/obj -name '*.d' 2>/dev/null)
