# SPDX-License-Identifier: BSD-2-Clause
"""Linux complains of nothing in a VM that it does not complain of natively in the same emulator.

The same kernel, initramfs, command line and memory both ways; compared are the kernel's messages
of level "warning" and worse. All differences, of every level, go to build/test-logs. QEMU counts
instructions (icount): else its TSC runs on while QEMU itself waits for the build machine's CPU, and
Linux rightly complains of it.
"""
import difflib
import os
import re
import shutil
import subprocess
import tempfile

from boot import ROOT, Machine
from lab import BOOT_SECONDS, LINUX, Guest, machine, plain, prompt

CMDLINE = "console=ttyS0 quiet name=linux"
MEMORY = "256M"
WARNING = 4
GRUB_MODULES = "biosdisk iso9660 normal linux"
CONFIG = f"""[vm.linux]
memory = "{MEMORY}"
boot = "linux"
kernel = "boot:vmlinuz"
initrd = "boot:initrd.img"
cmdline = "{CMDLINE}"
autostart = true
"""


class Native(Guest):
    """The same shell, on the machine's own serial port: no console of ours to join or leave."""

    def __enter__(self):
        return self

    def leave(self):
        pass


def native(kind):
    """Linux on the emulator itself, as boot.Machine."""
    if kind != "bochs":
        return Machine(kind, image=LINUX["vmlinuz"], cmdline=CMDLINE, memory=MEMORY, icount=True,
                       extra=["-initrd", LINUX["initrd.img"]])
    with tempfile.TemporaryDirectory(prefix="insula-native-") as tree:
        os.makedirs(f"{tree}/boot/grub")
        for name, path in LINUX.items():
            shutil.copy(os.path.join(ROOT, path), f"{tree}/boot/{name}")
        with open(f"{tree}/boot/grub/grub.cfg", "w") as file:
            file.write(f"linux /boot/vmlinuz {CMDLINE}\ninitrd /boot/initrd.img\nboot\n")
        iso = f"{tree}.iso"
        subprocess.run(
            ["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", iso, "--compress=no",
             f"--install-modules={GRUB_MODULES}", "--locales=", "--themes=", "--fonts=", tree],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            check=True)
    try:
        return Machine(kind, iso_file=iso, memory=MEMORY)  # connected: Bochs holds it open
    finally:
        os.unlink(iso)


def messages(guest):
    """[(level, text)] of the kernel's log, times taken out."""
    guest.ready()
    found = []
    for line in guest.run("dmesg -r", BOOT_SECONDS).splitlines():
        match = re.match(r"<(\d+)>\[ *[\d.]+\] ?(.*)", line)
        if match:
            found.append((int(match.group(1)) & 7, match.group(2)))
        else:
            assert not re.match(r"<\d+>", line), line
    assert len(found) > 100, found
    return found


def in_vm(kind):
    with machine(kind, CONFIG, memory="512M", icount=kind == "qemu") as m:
        prompt(m)
        with Guest(m, "linux") as guest:
            return messages(guest)


def on_machine(kind):
    with native(kind) as m:
        with Native(m, "linux") as guest:
            return messages(guest)


def kin(text):
    """What makes two messages the same: their words, not their numbers."""
    return re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{6,}\b|\d+", "#", plain(text)).strip()


def test_no_new_complaint(kind):
    ours, theirs = in_vm(kind), on_machine(kind)
    lines = [[f"<{level}> {kin(text)}" for level, text in log] for log in (theirs, ours)]
    diff = "\n".join(difflib.unified_diff(*lines, "native", "in a VM", lineterm="", n=0))
    with open(os.path.join(os.environ.get("INSULA_LOG_DIR", "."), "dmesg.diff"), "w") as file:
        file.write(diff + "\n")
    complaints = [{kin(text): text for level, text in log if level <= WARNING}
                  for log in (theirs, ours)]
    print("native:", *complaints[0].values(), "in a VM:", *complaints[1].values(), sep="\n  ")
    new = [text for words, text in complaints[1].items() if words not in complaints[0]]
    assert not new, "only in the VM:\n" + "\n".join(new)


test_no_new_complaint.timeout = 600
