# SPDX-License-Identifier: BSD-2-Clause
"""exit.*: the length of one round trip, as the guest guests/exits measures it, least of 1,000."""
import re

import emulated
import peer

NAMES = ("exit.cpuid", "exit.rdmsr", "exit.io", "exit.mmio", "exit.mmio_write", "exit.mmio_eoi",
         "exit.hlt_wake")
MEMORY = "64M"
ELF = "build/guests/exits.elf"
PEER_RUNS = (peer.Run("exits", ELF, "", "exits done"),)
CONFIG = f"""
[vm.exits]
memory = "{MEMORY}"
boot = "multiboot"
kernel = "boot:exits.elf"
"""


def figures(text):
    if "exit.prefix ok" not in text:
        raise RuntimeError("CPUID with prefixes is not stepped over:\n" + text)
    return {name: int(least) for name, least in re.findall(r"(exit\.\w+) min=(\d+)", text)}


def until_done(machine):
    machine.expect_exact("exits done")
    return machine.before.decode(errors="replace")


def ours(kind):
    with emulated.insula(kind, CONFIG, {"exits.elf": ELF}) as machine:
        machine.command("vm start exits")
        machine.send("vm console exits\r")
        return figures(until_done(machine))


def native(kind):
    with emulated.native_multiboot(kind, ELF, MEMORY) as machine:
        return figures(until_done(machine))


def measure(kind):
    mine, bare = ours(kind), native(kind)
    for name in NAMES:
        yield {"name": name, "value": mine[name], "unit": "instructions", "native": bare[name]}


def peer_figures(done):
    return peer.figures(done["exits"].text)
