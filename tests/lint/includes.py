#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds every #include to the layer table: a folder includes itself and what its row lists.

The table is the plan's; change both together. Patterns are glob-like with '/' never matched by '*';
the first row whose pattern matches the including file is the one that counts.
"""
import re

COMPILER = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "limits.h", "stdatomic.h", "cpuid.h"}
LOW = ["hv/lib/*", "hv/base/*"]  # layers 0 and 2
FIRST = LOW + ["arch/*", "boot/boot_info.h"]  # layers 0-2 and the hand-over from boot
MACHINE = ["arch/x86/cpu/*", "arch/x86/mm/*", "arch/x86/irq/*", "arch/x86/acpi/*"]
HVM = FIRST + MACHINE + ["boot/*", "hv/*", "arch/x86/hvm/*"]
PORTS = ["drivers/block/block.h", "drivers/net/netport.h", "drivers/net/netqueue.h"]
PURE = LOW + ["hv/timer.h", "hv/thread.h"]
GUEST_CHIPS = LOW + PORTS + ["arch/clock.h", "hv/*", "drivers/emul/*", "drivers/virtio/*"]
NOT_X86 = FIRST + ["hv/*", "hv/mgmt/*", "boot/*", "drivers/**", "version.h"]

# files, what they may include (besides their own folder)
TABLE = [
    ("tests/**", ["**"]),
    ("guests/**", ["guests/**", "hv/hypercall_abi.h", "drivers/virtio/virtio_regs.h"]),
    ("hv/main.c", NOT_X86),
    ("hv/mgmt/*", NOT_X86),
    ("hv/lib/*", []),
    ("hv/base/*", ["hv/lib/*", "arch/*", "boot/boot_info.h", "version.h"]),
    ("hv/*", FIRST),
    ("arch/x86/vmx/*", HVM),
    ("arch/x86/svm/*", HVM),
    ("arch/x86/hvm/*", HVM + ["arch/x86/vmx/*", "arch/x86/svm/*"]),
    ("arch/x86/*/*", FIRST + MACHINE),
    ("arch/*", ["hv/lib/*"]),
    ("boot/**", ["hv/lib/*", "boot/**"]),
    ("drivers/block/*", PURE),
    ("drivers/net/*", PURE),
    ("drivers/host/*", PURE + PORTS + ["arch/*", "hv/mutex.h", "drivers/virtio/virtio_regs.h",
                                       "drivers/virtio/virtio_net_hdr.h"]),
    ("drivers/emul/*", GUEST_CHIPS + ["arch/clock.h"]),  # chips that count time
    ("drivers/virtio/*", GUEST_CHIPS),
]
ANY_ANGLE = ("tests/", "guests/", "boot/efi/")  # where a libc or GNU-EFI is at hand


def matches(path, pattern):
    regex = re.escape(pattern).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
    return re.fullmatch(regex, path) is not None


def refusal(path, included, angle):
    """Why the file path may not include that, or None."""
    if angle:
        allowed = path.startswith(ANY_ANGLE) or included in COMPILER
        return None if allowed else f"<{included}> is not one of the compiler's own headers"
    folder = path.rsplit("/", 1)[0]
    for pattern, allowed in TABLE:
        if matches(path, pattern):
            if any(matches(included, a) for a in allowed + [folder + "/*"]):
                return None
            return f'"{included}" is not in the row of {pattern}'
    return "no row of the layer table covers this file"


def check(files):
    """Complaints about a list of source files, as 'path:line: text'."""
    complaints = []
    for path in files:
        with open(path) as file:
            for number, line in enumerate(file, 1):
                found = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
                reason = found and refusal(path, found.group(2), found.group(1) == "<")
                if reason:
                    complaints.append(f"{path}:{number}: {reason}")
    return complaints


SELF_TEST = [  # file, include, angle, allowed
    ("hv/lib/fmt.c", "hv/lib/fmt.h", False, True),
    ("hv/lib/fmt.c", "hv/base/log.h", False, False),
    ("hv/lib/fmt.c", "stdint.h", True, True),
    ("hv/lib/fmt.c", "stdio.h", True, False),
    ("hv/lib/fmt.c", "fmt.h", False, False),
    ("arch/mm.h", "hv/lib/types.h", False, True),
    ("arch/mm.h", "hv/vm.h", False, False),
    ("arch/x86/vmx/vmx.c", "arch/x86/svm/vmcb.h", False, False),
    ("arch/x86/svm/svm.c", "arch/x86/vmx/vmcs.h", False, False),
    ("arch/x86/vmx/vmx.c", "hv/vcpu.h", False, True),
    ("arch/x86/vmx/vmx.c", "drivers/emul/vpic.h", False, False),
    ("arch/x86/mm/paging.c", "hv/vm.h", False, False),
    ("arch/x86/mm/paging.c", "boot/boot_info.h", False, True),
    ("arch/x86/mm/paging.c", "boot/memmap.h", False, False),
    ("hv/vm.c", "arch/x86/cpu/x86.h", False, False),
    ("hv/vm.c", "arch/hvm.h", False, True),
    ("hv/vm.c", "hv/mgmt/shell.h", False, False),
    ("hv/main.c", "hv/mgmt/shell.h", False, True),
    ("hv/main.c", "arch/x86/cpu/x86.h", False, False),
    ("hv/mgmt/shell.c", "drivers/net/nat.h", False, True),
    ("drivers/block/thin.c", "drivers/net/netport.h", False, False),
    ("drivers/block/thin.c", "arch/cpu.h", False, False),
    ("drivers/host/ahci.c", "drivers/block/block.h", False, True),
    ("drivers/host/ahci.c", "drivers/block/thin.h", False, False),
    ("drivers/emul/vide.c", "drivers/block/block.h", False, True),
    ("drivers/emul/vide.c", "arch/cpu.h", False, False),
    ("drivers/emul/vpit.c", "arch/clock.h", False, True),
    ("guests/lib/io.h", "hv/vm.h", False, False),
    ("boot/pvh/pvh.c", "hv/base/log.h", False, False),
    ("elsewhere/x.c", "hv/lib/fmt.h", False, False),
]


def self_test():
    """Complaints about this script itself: rows that decide wrongly on known examples."""
    return [f"includes.py: {path} including {name}: expected {'yes' if want else 'no'}"
            for path, name, angle, want in SELF_TEST
            if (refusal(path, name, angle) is None) != want]
