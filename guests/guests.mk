# SPDX-License-Identifier: BSD-2-Clause
# Bare-metal guests: each folder with a main.c becomes build/guests/NAME.elf, linked with guests/lib.
# A multiboot1 loader wants ELF32, so the 64-bit link is wrapped in one. Included by the Makefile.

GUEST_OBJ    := $(BUILD)/obj
GUEST_LIB    := $(patsubst %,$(GUEST_OBJ)/%.o,$(sort $(wildcard guests/lib/*.[cS])))
GUEST_NAMES  := $(sort $(patsubst guests/%/main.c,%,$(wildcard guests/*/main.c)))
GUEST_ELFS   := $(GUEST_NAMES:%=build/guests/%.elf)
GUEST_CFLAGS := -std=gnu11 -O2 -g -m64 -ffreestanding -nostdlib -fno-pic -fno-pie \
	-mgeneral-regs-only -mno-red-zone -fno-strict-aliasing -fcf-protection=none \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fno-omit-frame-pointer \
	-fdebug-prefix-map=$(CURDIR)=. $(WARNINGS)
GUEST_LDFLAGS := -nostdlib -static --build-id=none -z max-page-size=0x1000 -z noexecstack \
	--no-warn-rwx-segments -T guests/lib/guest.ld

.PHONY: bare-guests
bare-guests: $(GUEST_ELFS) ## the bare-metal guests of tests and benchmarks
guests: bare-guests

guest_objs = $(patsubst %,$(GUEST_OBJ)/%.o,$(sort $(wildcard guests/$(1)/*.[cS])))

$(GUEST_OBJ)/guests/%.o: guests/% Makefile guests/guests.mk
	@mkdir -p $(@D)
	$(if $(V),,@echo "  $(CC) $<")
	$(Q)$(CC) $(GUEST_CFLAGS) -I. -MMD -MP -c -o $@ $<

define guest_rule
build/guests/$(1).elf: $(call guest_objs,$(1)) $(GUEST_LIB) guests/lib/guest.ld
	@mkdir -p $$(@D)
	$(if $(V),,@echo "  $(LD) $$@")
	$(Q)$(LD) $(GUEST_LDFLAGS) -o $(GUEST_OBJ)/guests/$(1).elf64 $$(filter %.o,$$^)
	$(Q)objcopy -I elf64-x86-64 -O elf32-i386 $(GUEST_OBJ)/guests/$(1).elf64 $$@
endef
$(foreach name,$(GUEST_NAMES),$(eval $(call guest_rule,$(name))))

-include $(patsubst %.o,%.d,$(GUEST_LIB) $(foreach name,$(GUEST_NAMES),$(call guest_objs,$(name))))
