# SPDX-License-Identifier: BSD-2-Clause
"""mem.image and mem.host: what the image takes, and what is not free on a 1 GiB machine without guests."""
import json
import re
import struct

import emulated

NAMES = ("mem.image", "mem.host")
PT_LOAD = 1


def image_bytes():
    """Memory of the loadable segments (ELF-64 Object File Format, "Program Header")."""
    with open("build/insula.elf", "rb") as file:
        elf = file.read()
    offset, = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    total = 0
    for i in range(count):
        kind, = struct.unpack_from("<I", elf, offset + i * size)
        memory, = struct.unpack_from("<Q", elf, offset + i * size + 40)
        total += memory if kind == PT_LOAD else 0
    return total


def measure(kind):
    yield {"name": "mem.image", "value": image_bytes(), "unit": "bytes"}
    with emulated.insula(kind, "", memory="1G") as machine:
        text = machine.command("host memory --json")
    memory = json.loads(re.search(r"^{.*", text, re.M)[0])
    yield {"name": "mem.host", "value": memory["total"] - memory["free"], "unit": "bytes"}
