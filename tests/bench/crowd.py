# SPDX-License-Identifier: BSD-2-Clause
"""mem.per_guest_64: hypervisor memory for each of 64 guests that run at once on 2 GiB and use a timer, a
virtio console and the entropy device: what is no longer free, less the guests' RAM, by 64."""
import json
import re

import emulated

NAMES = ("mem.per_guest_64",)
ELF = "build/guests/crowd.elf"
GUESTS = 64
MIB = 24


def free(machine):
    return json.loads(re.search(r"^{.*", machine.command("host memory --json"), re.M)[0])["free"]


def run(machine, name):
    machine.command(f"vm create {name} memory={MIB}M boot=multiboot kernel=boot:crowd.elf")
    machine.command(f"vm start {name}")


def measure(kind):
    with emulated.insula(kind, "", {"crowd.elf": ELF}, memory="2G") as machine:
        before = free(machine)
        for i in range(GUESTS):
            run(machine, f"g{i}")
        machine.send(f"vm console g{GUESTS - 1} --port 1\r")
        machine.expect(rb"tick \d+")
        machine.send("\x1d")
        machine.expect_exact("insula> ")
        used = before - free(machine)
    yield {"name": NAMES[0], "value": used // GUESTS - (MIB << 20), "unit": "bytes"}
