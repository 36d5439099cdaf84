# SPDX-License-Identifier: BSD-2-Clause
"""The C programs of this folder, built for the build machine and for Debian guests alike. Runs none."""
import os
import subprocess

import newc
from lab import LINUX

HERE = os.path.dirname(os.path.abspath(__file__))


def built(directory, name):
    """The path of the program of name.c."""
    path = os.path.join(directory, name)
    subprocess.run(["gcc", "-O2", "-static", "-pthread", "-Wall", "-Wextra", "-Werror", "-s", "-o", path,
                    os.path.join(HERE, f"{name}.c")], check=True)
    return path


def guest_files(programs, directory):
    """The guests' boot modules, their initramfs with the programs in it."""
    image = os.path.join(directory, "initrd.img")
    with open(LINUX["initrd.img"], "rb") as file:
        data = newc.extended(file.read(), {f"bin/{os.path.basename(path)}": path for path in programs})
    with open(image, "wb") as file:
        file.write(data)
    return {**LINUX, "initrd.img": image}
