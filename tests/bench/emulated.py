# SPDX-License-Identifier: BSD-2-Clause
"""The two machines of the benchmarks, set up so that one tick of the TSC is one instruction and 1 ns.

Boots either Insula with boot modules, or a guest natively: the same files in the same emulator
without a hypervisor. Measures nothing.
"""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/system"), os.path.join(ROOT, "guests/linux")]
import boot  # noqa: E402
import iso  # noqa: E402

KINDS = ("qemu", "bochs")
# Sends a nanosecond after the notification, not when QEMU's main loop has its turn.
EXACT_VIRTIO_NET = "virtio-net-pci,disable-legacy=on,ioeventfd=off,tx=timer,x-txtimer=1"
EXACT = {"qemu": {"icount": True}, "bochs": {"ips": 1000000000}}
TIMEOUT = 600  # seconds, for each thing waited for: the machine may be busy
SCRATCH = os.path.join(ROOT, "build/bench")

GRUB_CFG = """\
serial --unit=0 --speed=115200
terminal_output serial
{lines}
boot
"""


def insula(kind, config, modules=None, memory="1G", **options):
    """Insula with this configuration (text) and boot modules {name: path}, at its prompt; options of boot.Machine."""
    path = os.path.join(SCRATCH, f"{kind}.conf")
    with open(path, "w") as file:
        file.write(config)
    machine = boot.Machine(kind, timeout=TIMEOUT, memory=memory,
                           modules={"insula.conf": path, **(modules or {})}, **EXACT[kind],
                           **options)
    machine.expect_exact("insula> ")
    return machine


def native_multiboot(kind, elf, memory):
    if kind == "qemu":
        return boot.Machine(kind, timeout=TIMEOUT, memory=memory, image=elf, **EXACT[kind])
    return native_grub(kind, memory, {"guest": elf}, ["multiboot /boot/guest"])


def native_linux(kind, kernel, initrd, cmdline, memory, devices=()):
    """devices: QEMU's words for more of them."""
    if kind == "qemu":
        return boot.Machine(kind, timeout=TIMEOUT, memory=memory, image=kernel, cmdline=cmdline,
                            extra=["-machine", "pc", "-initrd", initrd, *devices], **EXACT[kind])
    return native_grub(kind, memory, {"vmlinuz": kernel, "initrd.img": initrd},
                       [f"linux /boot/vmlinuz {cmdline}", "initrd /boot/initrd.img"])


def native_grub(kind, memory, files, lines):
    name = os.path.join(SCRATCH, f"{kind}-native.iso")
    iso.make_tree(name, GRUB_CFG.format(lines="\n".join(lines)), files,
                  "biosdisk iso9660 normal multiboot linux serial terminal")
    return boot.Machine(kind, timeout=TIMEOUT, memory=memory, iso_file=name, **EXACT[kind])


def compile_static(source, out):
    """A program without libc from tests/bench/SOURCE."""
    subprocess.run(["gcc", "-O2", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector",
                    "-fcf-protection=none", "-fno-asynchronous-unwind-tables", "-Wall", "-Wextra",
                    "-Werror", "-Wl,--build-id=none", "-s", "-o", out,
                    os.path.join(ROOT, "tests/bench", source)], check=True)
    return out
