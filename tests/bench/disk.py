# SPDX-License-Identifier: BSD-2-Clause
"""blk.added*: instructions for a read from a qcow2 image in RAM through virtio-blk, from the notification
to the interrupt at its end, divided by the requests of one notification: 32, or 1 (.d1). Measured by the
guest guests/blk_bench, whose driver costs nothing, so that this is what we add. No native figure: a bare
machine has no such disk.

blk.exits: of such a read of 4 KiB, 32 of them by one notification; what 200 rounds more cost.
blk.first_write_ratio: a write of 4 KiB to a cluster that is not there yet against the same write again;
blk.host_bytes: how the image's file grows per byte that the guest writes, in whole clusters;
blk.clone_bytes: the file of a linked clone of an empty qcow2 of 1 TiB."""
import json
import os
import re
import subprocess

import emulated

NAMES = ("blk.added4k", "blk.added4k.d1", "blk.added64k", "blk.added64k.d1", "blk.exits",
         "blk.first_write_ratio", "blk.host_bytes", "blk.clone_bytes")
ELF = "build/guests/blk_bench.elf"
SIZE = 32 << 20
CONFIG = ('[vm.bench]\nmemory = "16M"\nboot = "multiboot"\nkernel = "boot:bench.elf"\n'
          f'cmdline = "sectors={SIZE // 512}"\n'
          'disks = [{ file = "boot:bench.qcow2", format = "qcow2", readonly = true }]\n'
          + "".join(f'[vm.deep{rounds}]\nmemory = "16M"\nboot = "multiboot"\nkernel = "boot:bench.elf"\n'
                    f'cmdline = "deep rounds={rounds} sectors={SIZE // 512}"\n'
                    'disks = [{ file = "boot:bench.qcow2", format = "qcow2", readonly = true }]\n'
                    for rounds in (100, 300))
          + "".join(f'[vm.{name}]\nmemory = "16M"\nboot = "multiboot"\nkernel = "boot:bench.elf"\n'
                    f'cmdline = "{words}"\n'
                    f'disks = [{{ file = "ram:{name}.qcow2", format = "qcow2" }}]\n'
                    for name, words in (("thin", "clusters=100"), ("fill", "fill clusters=160"))))
FILLED = 160 << 16


def make_image(path):
    """Every cluster holds numbers, none is empty."""
    raw = f"{path}.raw"
    with open(raw, "wb") as file:
        file.write(b"".join(b"%015d\n" % n for n in range(SIZE // 16)))
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, path], check=True)
    os.remove(raw)


def run(machine, name):
    """What the guest printed."""
    machine.command(f"vm start {name}")
    machine.send(f"vm console {name}\r")
    machine.expect_exact("blk_bench done, 0 bad")
    text = machine.before.decode(errors="replace")
    machine.send("\x1d")
    machine.expect_exact("insula> ")
    return text


def exits(machine, name):
    """Of a whole run."""
    run(machine, name)
    while "stopped" not in machine.command(f"vm info {name}"):
        pass
    return json.loads(machine.command(f"vm stats {name} --json").splitlines()[-1])["exits"]


def file_bytes(machine, name):
    return {file["name"]: file["bytes"] for file in machine.json("store ls ram:")}[name]


def measure(kind):
    image = f"build/bench-{kind}.qcow2"
    make_image(image)
    with emulated.insula(kind, CONFIG, {"bench.elf": ELF, "bench.qcow2": image}) as machine:
        for name, least in re.findall(r"blk\.read(\w+(?:\.d1)?) min=(\d+)", run(machine, "bench")):
            yield {"name": f"blk.added{name}", "value": int(least), "unit": "instructions"}
        more = exits(machine, "deep300") - exits(machine, "deep100")
        yield {"name": "blk.exits", "value": round(more / (200 * 32), 3), "unit": "exits"}
        for name in ("thin", "fill"):
            machine.command(f"disk create ram:{name}.qcow2 --size 64M")
        mean = dict(re.findall(r"blk\.(\w+) mean=(\d+)", run(machine, "thin")))
        yield {"name": "blk.first_write_ratio", "unit": "ratio",
               "value": round(int(mean["first4k"]) / int(mean["rewrite4k"]), 2)}
        before = file_bytes(machine, "fill.qcow2")
        run(machine, "fill")
        yield {"name": "blk.host_bytes", "unit": "bytes/byte",
               "value": round((file_bytes(machine, "fill.qcow2") - before) / FILLED, 3)}
        machine.command("disk create ram:huge.qcow2 --size 1T")
        machine.command("disk clone ram:huge.qcow2 ram:clone.qcow2")
        yield {"name": "blk.clone_bytes", "unit": "bytes",
               "value": file_bytes(machine, "clone.qcow2")}
