# SPDX-License-Identifier: BSD-2-Clause
"""blk.added*: instructions for a read from a qcow2 image in RAM through virtio-blk, from the notification
to the interrupt at its end, divided by the requests of one notification: 32, or 1 (.d1). Measured by the
guest guests/blk_bench, whose driver costs nothing, so that this is what we add. No native figure: a bare
machine has no such disk."""
import os
import re
import subprocess

import emulated

NAMES = ("blk.added4k", "blk.added4k.d1", "blk.added64k", "blk.added64k.d1")
ELF = "build/guests/blk_bench.elf"
SIZE = 32 << 20
CONFIG = ('[vm.bench]\nmemory = "16M"\nboot = "multiboot"\nkernel = "boot:bench.elf"\n'
          f'cmdline = "sectors={SIZE // 512}"\n'
          'disks = [{ file = "boot:bench.qcow2", format = "qcow2", readonly = true }]\n')


def make_image(path):
    """Every cluster holds numbers, none is empty."""
    raw = f"{path}.raw"
    with open(raw, "wb") as file:
        file.write(b"".join(b"%015d\n" % n for n in range(SIZE // 16)))
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, path], check=True)
    os.remove(raw)


def measure(kind):
    image = f"build/bench-{kind}.qcow2"
    make_image(image)
    with emulated.insula(kind, CONFIG, {"bench.elf": ELF, "bench.qcow2": image}) as machine:
        machine.command("vm start bench")
        machine.send("vm console bench\r")
        machine.expect_exact("blk_bench done, 0 bad")
        text = machine.before.decode(errors="replace")
    for name, least in re.findall(r"blk\.read(\w+(?:\.d1)?) min=(\d+)", text):
        yield {"name": f"blk.added{name}", "value": int(least), "unit": "instructions"}
