# SPDX-License-Identifier: BSD-2-Clause
"""virtq.*: one notification, one completed buffer, one interrupt by MSI-X, and exits under load, as the
guest guests/virtio_bench measures them at the entropy device: buffers of one byte, so that the ring
counts and not what is in it. There is no native figure: a bare machine has no such device."""
import json
import re

import emulated

NAMES = ("virtq.notify", "virtq.complete", "virtq.interrupt", "virtq.exits")
ELF = "build/guests/virtio_bench.elf"
LOADS = (2560, 12800)  # buffers of two runs: their difference has no start in it


def config(name, arguments):
    return (f'[vm.{name}]\nmemory = "16M"\nboot = "multiboot"\nkernel = "boot:bench.elf"\n'
            f'cmdline = "{arguments}"\n')


def run(machine, name, until):
    machine.command(f"vm start {name}")
    machine.send(f"vm console {name}\r")
    machine.expect_exact(until)
    text = machine.before.decode(errors="replace")
    machine.send("\x1d")
    machine.expect_exact("insula> ")
    while "stopped" not in machine.command(f"vm info {name}"):
        pass
    return text


def exits(machine, name):
    run(machine, name, "notifications")
    return json.loads(machine.command(f"vm stats {name} --json").splitlines()[-1])["exits"]


def measure(kind):
    vms = config("plain", "") + "".join(config(f"load{n}", f"buffers={n}") for n in LOADS)
    with emulated.insula(kind, vms, {"bench.elf": ELF}) as machine:
        text = run(machine, "plain", "virtio_bench done")
        for name, least in re.findall(r"(virtq\.\w+) min=(\d+)", text):
            yield {"name": name, "value": int(least), "unit": "instructions"}
        few, many = (exits(machine, f"load{n}") for n in LOADS)
    yield {"name": "virtq.exits", "value": round(1000 * (many - few) / (LOADS[1] - LOADS[0]), 1),
           "unit": "exits/1,000 buffers"}
