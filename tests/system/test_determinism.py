# SPDX-License-Identifier: BSD-2-Clause
"""Bochs with one CPU and a file as serial port: two runs of one ISO are the same to the byte and tick.

The debugger stops both at the same tick. Compared are all registers, the hypervisor's data and what
was written to the serial port.
"""
import os
import re
import subprocess
import tempfile
import unittest

import boot
import iso

MACHINES = ["bochs"]
MEMORY_MIB = 160
IMAGE_VIRT = 0xffffffff80000000  # linker.ld
BARE = """
[vm.{name}]
memory = "16M"
boot = "multiboot"
kernel = "boot:{name}.elf"
autostart = true
"""
LINUX = """
[vm.linux]
memory = "112M"
boot = "linux"
kernel = "boot:vmlinuz"
initrd = "boot:initrd.img"
cmdline = "console=ttyS0 nokaslr"
cpuid = ["-rdrand", "-rdseed"]
rng = false  # Bochs seeds the host's RDRAND by the build machine's clock
autostart = true
"""


def data_area():
    """Physical addresses of the image's data, where lists, statistics and queues begin."""
    symbols = subprocess.run(["nm", "build/insula.elf"], check=True, stdout=subprocess.PIPE,
                             text=True).stdout
    return [int(re.search(rf"^([0-9a-f]{{16}}) . {name}$", symbols, re.M)[1], 16) - IMAGE_VIRT
            for name in ("image_data_start", "image_data_end")]


def run(image, ticks):
    """(serial output, the debugger's answers) of one run that ends after that many ticks."""
    start, end = data_area()
    commands = [f"sb {ticks}", "c", "ptime", "r", "sreg", "creg",
                f"xp /{(end - start) // 4}wx 0x{start:x}", "q"]
    with tempfile.TemporaryDirectory() as scratch:
        serial = os.path.join(scratch, "serial")
        emulator = boot.Emulator("bochs", iso_file=image, memory=f"{MEMORY_MIB}M",
                                 serial_file=serial, debugger=commands)
        emulator.wait()
        with open(os.path.join(emulator.dir, "emulator.log"), errors="replace") as file:
            said = file.read()
        with open(serial, "rb") as file:
            written = file.read()
        emulator.stop()
    return written, said[said.index("ptime"):] if "ptime" in said else said


def compare(config, modules, ticks, wanted):
    with tempfile.TemporaryDirectory() as scratch:
        path, image = os.path.join(scratch, "insula.conf"), os.path.join(scratch, "boot.iso")
        with open(path, "w") as file:
            file.write(config)
        iso.make(image, "build/insula.elf", {"insula.conf": path, **modules})
        first, second = run(image, ticks), run(image, ticks)
    print(first[0].decode(errors="replace"), first[1][:2000])
    for text in wanted:
        assert text in first[0], f"{text} is not in the output: the run was too short"
    # In HLT time jumps to the next interrupt: it stops at the first instruction from that tick on.
    stopped = re.search(r"ptime: (\d+)", first[1])
    assert stopped and ticks <= int(stopped[1]) < ticks * 1.1, "it did not stop at that tick"
    assert first[1].count("0x") > 10000, "no dump of the data"
    assert first[0] == second[0], "the serial output differs:\n" + second[0].decode()
    differ = [pair for pair in zip(first[1].splitlines(), second[1].splitlines())
              if pair[0] != pair[1]]
    assert not differ, f"the state differs in {len(differ)} lines: {differ[:20]}"


def test_bare_metal(kind):
    names = ("hello", "exits", "memcheck", "work", "spin")
    compare("".join(BARE.format(name=name) for name in names),
            {f"{name}.elf": f"build/guests/{name}.elf" for name in names}, 400000000,
            (b"vm spin: started", b"vm exits: powered off"))


def test_linux(kind):
    if not os.environ.get("INSULA_SOAK"):
        raise unittest.SkipTest("four minutes: in make soak")
    files = {"vmlinuz": "build/guests/vmlinuz", "initrd.img": "build/guests/initrd.img"}
    for ticks in (1500000000, 4000000000):  # its kernel at work; its shell waiting for a key
        compare(LINUX, files, ticks, (b"vm linux: started",))


test_bare_metal.timeout = 300
test_linux.timeout = 1200
