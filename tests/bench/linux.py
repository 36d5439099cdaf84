# SPDX-License-Identifier: BSD-2-Clause
"""What a Linux guest sees: its way to /init, late timers; and what its start costs the host.

The guest is Debian's kernel as guests/linux builds it, with an initramfs whose /sbin/init is
sleeper.c. Natively the same files run in the same emulator with the same memory.
"""
import json
import os
import re
import stat
import struct
import subprocess

import emulated
import newc

NAMES = ("boot.to_init", "boot.to_guest", "timer.overshoot", "root.longest", "mem.per_guest")
MEMORY = "128M"
CMDLINE = "console=ttyS0 quiet"
KERNEL = "build/guests/vmlinuz"
CONFIG = "".join(f"""
[vm.{name}]
memory = "{MEMORY}"
boot = "linux"
kernel = "boot:vmlinuz"
initrd = "boot:initrd.img"
cmdline = "{CMDLINE}"
autostart = {autostart}
""" for name, autostart in (("measured", "true"), ("second", "false")))


def initramfs(kind):
    """The guests' initramfs with a second archive behind it that replaces /sbin/init."""
    program = emulated.compile_static("sleeper.c", f"{emulated.SCRATCH}/{kind}-sleeper")
    extra = newc.Archive()
    with open(program, "rb") as file:
        extra.add("sbin/init", stat.S_IFREG | 0o755, file.read())
    with open("build/guests/initrd.img", "rb") as file:
        image = file.read()
    path = f"{emulated.SCRATCH}/{kind}-initrd.img"
    with open(path, "wb") as file:
        file.write(image + b"\0" * (-len(image) % 4) + extra.finish())
    return path


def stamped_kernel(kind):
    """The kernel with entry.S over its protected-mode entry: as large, so loaded in the same time."""
    code = f"{emulated.SCRATCH}/{kind}-entry"
    subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-Wl,--build-id=none,--oformat=binary",
                    "-Wl,-Ttext=0", "-o", code, "tests/bench/entry.S"], check=True)
    with open(KERNEL, "rb") as file:
        image = bytearray(file.read())
    with open(code, "rb") as file:
        patch = file.read()
    setup_sectors = image[0x1f1]  # "The Linux/x86 Boot Protocol", setup_sects
    at = (setup_sectors + 1) * 512
    image[at:at + len(patch)] = patch
    path = f"{emulated.SCRATCH}/{kind}-stamped"
    with open(path, "wb") as file:
        file.write(image)
    return path


def guest_lines(machine):
    """(TSC at /init, mean lateness of a sleep)."""
    machine.expect(rb"INIT-REACHED tsc=([0-9a-f]{16})")
    init = int(machine.match.group(1), 16)
    machine.expect(rb"SLEEPER mean= *(-?\d+)[^\d]")
    return init, int(machine.match.group(1))


def json_command(machine, line):
    return json.loads(re.search(r"^[\[{].*", machine.command(line + " --json"), re.M | re.S)[0])


def memory_of_second(machine):
    before = json_command(machine, "host memory")["hypervisor"]
    machine.command("vm start second")
    running = json_command(machine, "host memory")["hypervisor"]
    machine.command("vm stop second --force")
    return running - before


def ours(kind, initrd):
    modules = {"vmlinuz": KERNEL, "initrd.img": initrd}
    with emulated.insula(kind, CONFIG, modules) as machine:
        machine.send("vm console measured\r")
        init, late = guest_lines(machine)
        machine.send("\x1d\r")
        machine.expect_exact("insula> ")
        while json_command(machine, "vm info measured")["state"] != "stopped":
            pass
        stats = json_command(machine, "vm stats measured")
        entry = json_command(machine, "host info")["entry_ticks"]
        per_guest = memory_of_second(machine)
        masked = json_command(machine, "host cpus")
    return {"boot.to_init": init - (stats["entered_ticks"] - stats["started_ticks"]),
            "boot.to_guest": stats["entered_ticks"] - entry,
            "timer.overshoot": late,
            "root.longest": max(cpu["longest_masked_ticks"] for cpu in masked),
            "mem.per_guest": per_guest}, stats["reasons"], masked


def native(kind, initrd):
    with emulated.native_linux(kind, stamped_kernel(kind), initrd, CMDLINE, MEMORY) as machine:
        machine.expect(rb"@([0-9a-f]{16})")
        entry = int(machine.match.group(1), 16)
    with emulated.native_linux(kind, KERNEL, initrd, CMDLINE, MEMORY) as machine:
        init, late = guest_lines(machine)
    return {"boot.to_init": init - entry, "timer.overshoot": late}


UNITS = {"timer.overshoot": "ns", "mem.per_guest": "bytes"}


def measure(kind):
    initrd = initramfs(kind)
    mine, reasons, masked = ours(kind, initrd)
    bare = native(kind, initrd)
    for name in NAMES:
        row = {"name": name, "value": mine[name], "unit": UNITS.get(name, "instructions")}
        if name in bare:
            row["native"] = bare[name]
        if name == "boot.to_init":
            row["exits"] = {r["name"]: {"count": r["count"], "ticks": r["ticks"]} for r in reasons}
        if name == "root.longest":
            row["ended_in"] = [cpu["longest_masked_ended_in"] for cpu in masked]
        yield row
