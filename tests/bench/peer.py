# SPDX-License-Identifier: BSD-2-Clause
"""KVM with QEMU on the same work: bare-metal guests as its VMs, counted in instructions as ours.

Debian's cloud kernel with its kvm-amd, and an initramfs of busybox and of this machine's own QEMU,
run in QEMU's emulated AMD-V where Insula runs otherwise. Which guests: the benches say.
"""
import collections
import os
import re
import shutil
import sys

import build
import emulated

QEMU = "/usr/bin/qemu-system-x86_64"
FIRMWARE = ("/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/multiboot_dma.bin")
MODULES = ["kvm_amd", "tun", "bridge", "vhost_net", "virtio_pci", "virtio_net"]
INIT = "tests/bench/peer_init"
MEMORY = "1G"

# name: unique; last: the words after which a guest has no more to say; tap: "", or the number of the tap that is
# behind its virtio card, by vhost; both taps are of one bridge. sender: "", or the arguments of a second guest of
# the same kind on tap 1, that is started when the first one says that it is ready. Without one the bridge has
# the machine's own card, too: what goes there is dropped, and at once.
Run = collections.namedtuple("Run", "name elf arguments last tap sender", defaults=["", ""])
CARD = ["-netdev", "hubport,id=wire,hubid=0", "-netdev", "hubport,id=nowhere,hubid=0",
        "-device", f"{emulated.EXACT_VIRTIO_NET},netdev=wire"]
Done = collections.namedtuple("Done", "text exits")


class Failed(Exception):
    """A nested machine that did not do its work."""


def missing():
    """What this machine lacks, in words; None if nothing."""
    lacking = [path for path in (QEMU, *FIRMWARE) if not os.path.exists(path)]
    return f"{', '.join(lacking)}: install qemu-system-x86 and seabios" if lacking else None


def libraries(program):
    """The paths of what a program is linked with, loader included."""
    return re.findall(r"(/\S+) \(0x", build.run("ldd", program))


def contents(kernel, busybox, runs):
    files = build.Files()
    files.copy("init", INIT, 0o755)
    files.busybox(f"{busybox}/bin/busybox")
    files.modules("kvm", MODULES, build.module_files(kernel))
    for path in (QEMU, *libraries(QEMU)):
        files.copy(path, path, 0o755)
    for path in FIRMWARE:
        files.copy(path, path)
    for elf in {run.elf for run in runs}:
        files.copy(f"guests/{os.path.basename(elf)}", elf)
    files.put("runs", "".join(f"{run.name}|{os.path.basename(run.elf)}|{run.arguments}|{run.last}|"
                              f"{run.tap}|{run.sender}\n" for run in runs).encode())
    for name in ("proc", "sys", "tmp"):
        files.directory(name)
    return files


def make(runs):
    """(kernel, initramfs) as files."""
    paths = f"{emulated.SCRATCH}/peer-vmlinuz", f"{emulated.SCRATCH}/peer-initrd.img"
    kernel, busybox = build.kernel_package("cloud-amd64"), build.busybox_package()
    try:
        shutil.copyfile(build.kernel_image(kernel), paths[0])
        with open(paths[1], "wb") as file:
            file.write(contents(kernel, busybox, runs).archive())
    finally:
        shutil.rmtree(kernel)
        shutil.rmtree(busybox)
    return paths


def expect(machine, pattern):
    """The text up to the pattern; Failed if the machine ends, hangs or complains first."""
    import pexpect

    which = machine.expect([pattern, rb"PEER failed[^\r\n]*", pexpect.EOF, pexpect.TIMEOUT])
    text = machine.before.decode(errors="replace").replace("\r", "")
    if which:
        raise Failed(("", "it complained", "it ended", "it hung")[which] + ":\n" + text)
    return text


def boot(kernel, initrd, runs):
    """{name of a run: Done}."""
    done = {}
    with emulated.native_linux("qemu", kernel, initrd, "console=ttyS0 quiet", MEMORY,
                               CARD) as machine:
        for run in runs:
            expect(machine, b"PEER begin " + run.name.encode() + rb"\r")
            text = expect(machine, rb"PEER exits (\d+)")
            if run.last not in text:
                raise Failed(f"{run.name} did not say {run.last!r}:\n{text}")
            done[run.name] = Done(text, int(machine.match.group(1)))
    return done


def measure(runs):
    """({name of a run: Done}, how often it was repeated): nested machines may hang, once."""
    kernel, initrd = make(runs)
    try:
        return boot(kernel, initrd, runs), 0
    except Failed as failure:
        print(f"bench peer: repeated, since {failure}", file=sys.stderr, flush=True)
    return boot(kernel, initrd, runs), 1


def figures(text):
    """What a guest printed as "NAME min=N mean=N", as parts of the rows of the JSON file.

    The mean has in it what else ran on the one CPU: QEMU's own thread above all.
    """
    found = re.findall(r"^(\w+\.\w+) min=(-?\d+) mean=(-?\d+)$", text, re.M)
    return {name: {"peer": int(least), "peer_mean": int(mean)} for name, least, mean in found}
