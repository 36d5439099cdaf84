#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes a BIOS boot ISO: GRUB, the image, boot/grub/grub.cfg and the boot modules as files.

iso.py OUT [--image ELF] [--cmdline TEXT] [--module NAME=FILE]...
"""
import argparse
import os
import shutil
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GRUB_MODULES = "biosdisk iso9660 normal multiboot2 regexp serial terminal terminfo configfile"


def make(out, image, modules, cmdline=""):
    """Writes the ISO to out; modules is {name: path}. Raises RuntimeError if GRUB cannot."""
    with open(os.path.join(ROOT, "boot/grub/grub.cfg")) as file:
        config = file.read()
    with tempfile.NamedTemporaryFile("w", prefix="insula-options-") as options:
        quoted = cmdline.replace("'", "'\\''")
        options.write(f"set insula_options='{quoted}'\n")
        options.flush()
        files = {f"modules/{name}": path for name, path in modules.items()}
        make_tree(out, config, {"insula.elf": image, "options.cfg": options.name, **files})


def make_tree(out, config, files, grub_modules=GRUB_MODULES):
    """Any boot ISO: grub.cfg's text and files, {path below /boot: path}."""
    with tempfile.TemporaryDirectory(prefix="insula-iso-") as tree:
        os.makedirs(f"{tree}/boot/grub")
        os.makedirs(f"{tree}/boot/modules")
        with open(f"{tree}/boot/grub/grub.cfg", "w") as file:
            file.write(config)
        for name, path in files.items():
            shutil.copy(path, f"{tree}/boot/{name}")
        run = subprocess.run(
            ["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", out, "--compress=no",
             f"--install-modules={grub_modules}", "--locales=", "--themes=", "--fonts=", tree],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if run.returncode != 0:
            raise RuntimeError("grub-mkrescue failed:\n" + run.stdout.decode(errors="replace"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--image", default=os.path.join(ROOT, "build/insula.elf"))
    parser.add_argument("--cmdline", default="")
    parser.add_argument("--module", action="append", default=[], metavar="NAME=FILE")
    args = parser.parse_args()
    make(args.out, args.image, dict(m.split("=", 1) for m in args.module), args.cmdline)


if __name__ == "__main__":
    main()
