# SPDX-License-Identifier: BSD-2-Clause
"""virtq.*: one notification, one completed buffer (of eight in one notification), one interrupt by
MSI-X, and exits under load with the device's largest ring and with one of eight, as the guest
guests/virtio_bench measures them at the entropy device: buffers of one byte, so that the ring
counts and not what is in it. There is no native figure: a bare machine has no such device. QEMU's
has a ring of eight and completes later than the notification: the guest waits for it."""
import json
import re

import emulated
import peer

NAMES = ("virtq.notify", "virtq.complete", "virtq.interrupt", "virtq.exits", "virtq.exits.ring8")
ELF = "build/guests/virtio_bench.elf"
LOADS = (2560, 12800)  # buffers of two runs: their difference has no start in it
RINGS = {"virtq.exits": 256, "virtq.exits.ring8": 8}
PEER_RUNS = (peer.Run("virtq", ELF, "", "virtio_bench done"),
             *(peer.Run(f"load{n}", ELF, f"buffers={n}", "notifications") for n in LOADS))


def config(name, arguments):
    return (f'[vm.{name}]\nmemory = "16M"\nboot = "multiboot"\nkernel = "boot:bench.elf"\n'
            f'cmdline = "{arguments}"\n')


def rate(few, many):
    return round(1000 * (many - few) / (LOADS[1] - LOADS[0]), 1)


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


def exits(machine, ring, buffers):
    name = f"load{ring}x{buffers}"
    run(machine, name, f"ring of {ring}, {buffers // ring} notifications")
    return json.loads(machine.command(f"vm stats {name} --json").splitlines()[-1])["exits"]


def measure(kind):
    vms = config("plain", "") + "".join(config(f"load{ring}x{n}", f"ring={ring} buffers={n}")
                                        for ring in RINGS.values() for n in LOADS)
    with emulated.insula(kind, vms, {"bench.elf": ELF}) as machine:
        text = run(machine, "plain", "virtio_bench done")
        for name, least in re.findall(r"(virtq\.\w+) min=(-?\d+)", text):
            yield {"name": name, "value": int(least), "unit": "instructions"}
        for name, ring in RINGS.items():
            yield {"name": name, "value": rate(*(exits(machine, ring, n) for n in LOADS)),
                   "unit": "exits/1,000 buffers"}


def peer_figures(done):
    for n in LOADS:
        if f"ring of 8, {n // 8} notifications" not in done[f"load{n}"].text:
            raise RuntimeError(f"not a ring of 8:\n{done[f'load{n}'].text}")
    return {**peer.figures(done["virtq"].text),
            "virtq.exits.ring8": {"peer": rate(*(done[f"load{n}"].exits for n in LOADS))}}
