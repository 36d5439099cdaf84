#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs a bare-metal guest without the hypervisor: what it prints there is the reference.

native.py qemu|bochs NAME [ARGUMENTS...] [--icount] [--ips N] [--cpu MODEL] [--timeout S]
QEMU loads build/guests/NAME.elf itself; Bochs gets an ISO whose GRUB does.
"""
import argparse
import os
import shutil
import subprocess
import tempfile

from boot import Machine, ROOT

GRUB_MODULES = "biosdisk iso9660 normal multiboot"


def make_iso(out, name, arguments):
    """A BIOS boot ISO whose GRUB starts the guest."""
    with tempfile.TemporaryDirectory(prefix="insula-native-") as tree:
        os.makedirs(f"{tree}/boot/grub")
        shutil.copy(os.path.join(ROOT, "build/guests", name + ".elf"), f"{tree}/boot/guest.elf")
        with open(f"{tree}/boot/grub/grub.cfg", "w") as file:
            file.write(f"multiboot /boot/guest.elf {arguments}\nboot\n")
        subprocess.run(
            ["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", out, "--compress=no",
             f"--install-modules={GRUB_MODULES}", "--locales=", "--themes=", "--fonts=", tree],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            check=True)


def machine(kind, name, arguments="", **options):
    """The guest on a bare emulated machine, as boot.Machine."""
    options.setdefault("memory", "64M")
    if kind != "bochs":
        # The guests know the i440FX; q35 keeps its power management elsewhere.
        extra = ["-machine", "pc", *options.pop("extra", [])]
        image = os.path.join(ROOT, "build/guests", name + ".elf")
        return Machine(kind, image=image, cmdline=arguments, extra=extra, **options)
    with tempfile.NamedTemporaryFile(suffix=".iso") as iso:
        make_iso(iso.name, name, arguments)
        return Machine(kind, iso_file=iso.name, **options)  # connected: Bochs holds it open


def run(kind, name, arguments="", timeout=60, **options):
    """Everything that the guest prints until its machine is off; TimeoutError if it stays on."""
    import pexpect

    with machine(kind, name, arguments, timeout=timeout, **options) as console:
        try:
            console.expect(pexpect.EOF)
        except pexpect.TIMEOUT:
            raise TimeoutError(console.before.decode(errors="replace")) from None
        except OSError:  # Bochs closes its end the hard way
            pass
        return console.before.decode(errors="replace").replace("\r", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("machine", choices=["qemu", "bochs"])
    parser.add_argument("name")
    parser.add_argument("arguments", nargs="*")
    parser.add_argument("--icount", action="store_true")
    parser.add_argument("--ips", type=int, default=50000000)
    parser.add_argument("--cpu")
    parser.add_argument("--timeout", type=float, default=60)
    args = parser.parse_args()
    try:
        print(run(args.machine, args.name, " ".join(args.arguments), timeout=args.timeout,
                  icount=args.icount, ips=args.ips, cpu=args.cpu), end="")
    except TimeoutError as error:
        print(error, end="")
        raise SystemExit(124) from None


if __name__ == "__main__":
    main()
