#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes a Linux guest from Debian packages: OUT/vmlinuz and OUT/initrd.img, reproducibly.

build.py OUT [--flavour cloud-amd64|amd64]. The newest 6.1 kernel and busybox-static are fetched
with apt-get once, into ~/.cache/insula. Nothing of them is ever in git.
"""
import argparse
import glob
import os
import re
import shutil
import stat
import subprocess
import tempfile

import newc

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "insula")

# What guests/linux/rc loads, by the name that it uses; depended-on modules are found and added.
MODULES = {
    "button": ["button", "evdev"],
    "virtio": ["virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "virtio-rng",
               "virtio_balloon"],
    "ide": ["ata_piix", "sd_mod", "sr_mod", "isofs"],
    "e1000": ["e1000"],  # in the full flavour only
}
FILES = {"etc/inittab": 0o644, "etc/rc": 0o755, "etc/acpi/PWRF/00000080": 0o755,
         "etc/udhcpc/default.script": 0o755}


def run(*argv, **kwargs):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, **kwargs).stdout


def newest_kernel(flavour):
    pattern = rf"^linux-image-6\.1\.0-[0-9]+-{flavour}$"
    names = [line.split()[0] for line in run("apt-cache", "search", "-n", pattern).splitlines()]
    if not names:
        raise SystemExit(f"no {pattern} in the package lists: run apt-get update")
    return max(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])


def package(cache_glob, name):
    """The unpacked tree of a package; name() is asked only when the cache has no such file."""
    os.makedirs(CACHE, exist_ok=True)
    if not glob.glob(os.path.join(CACHE, cache_glob)):
        with tempfile.TemporaryDirectory(dir=CACHE) as part:  # no half file under the final name
            subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", name()],
                           cwd=part, check=True)
            for file in os.listdir(part):
                os.rename(os.path.join(part, file), os.path.join(CACHE, file))
    deb = sorted(glob.glob(os.path.join(CACHE, cache_glob)), key=os.path.getmtime)[-1]
    tree = tempfile.mkdtemp(prefix="insula-deb-")
    subprocess.run(["dpkg-deb", "-x", deb, tree], check=True)
    return tree


def module_files(tree):
    """{module name: path} of every module of the kernel package."""
    files = glob.glob(f"{tree}/lib/modules/*/kernel/**/*.ko", recursive=True)
    return {os.path.basename(file)[:-3].replace("-", "_"): file for file in files}


def depends(path):
    """The modules that a module names in its .modinfo section."""
    with open(path, "rb") as file:
        found = re.search(rb"\0depends=([^\0]*)\0", file.read())
    return [name.replace("-", "_") for name in found.group(1).decode().split(",") if name]


def load_order(names, files):
    """names and all that they depend on, each after what it needs; leaves out what is built in."""
    order = []

    def visit(name):
        if name in files and name not in order:
            for needed in depends(files[name]):
                visit(needed)
            order.append(name)

    for name in names:
        visit(name.replace("-", "_"))
    return order


def reach_init(scratch):
    """The static program that becomes /init."""
    out = os.path.join(scratch, "init")
    subprocess.run(["gcc", "-O2", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector",
                    "-fcf-protection=none", "-fno-asynchronous-unwind-tables", "-Wall", "-Wextra",
                    "-Werror", "-Wl,--build-id=none", "-s", "-o", out, f"{HERE}/init.c"], check=True)
    return out


def contents(kernel, busybox, scratch):
    """{path in the archive: (mode, data, device)}."""
    files = {"dev/console": (stat.S_IFCHR | 0o600, b"", (5, 1))}

    def put(name, path, mode):
        with open(path, "rb") as file:
            files[name] = (stat.S_IFREG | mode, file.read(), (0, 0))

    put("init", reach_init(scratch), 0o755)
    put("bin/busybox", f"{busybox}/bin/busybox", 0o755)
    for applet in run(f"{busybox}/bin/busybox", "--list-full").split():
        files.setdefault(applet, (stat.S_IFLNK | 0o777, b"/bin/busybox", (0, 0)))
    for name, mode in FILES.items():
        put(name, os.path.join(HERE, os.path.basename(name)), mode)
    available = module_files(kernel)
    for group, names in MODULES.items():
        order = load_order(names, available)
        for name in order:
            put(f"lib/modules/{name}.ko", available[name], 0o644)
        listing = "".join(f"{name}\n" for name in order).encode()
        files[f"lib/modules/{group}.list"] = (stat.S_IFREG | 0o644, listing, (0, 0))
    for name in ("proc", "sys", "tmp", "mnt", "root", "var/log", "var/run"):
        files[name] = (stat.S_IFDIR | 0o755, b"", (0, 0))
    for name in list(files):  # every parent is an entry of its own
        while os.path.dirname(name):
            name = os.path.dirname(name)
            files.setdefault(name, (stat.S_IFDIR | 0o755, b"", (0, 0)))
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--flavour", default="cloud-amd64", choices=["cloud-amd64", "amd64"])
    args = parser.parse_args()
    flavour = args.flavour
    kernel = package(f"linux-image-6.1.0-*[0-9]-{flavour}_*.deb", lambda: newest_kernel(flavour))
    busybox = package("busybox-static_*.deb", lambda: "busybox-static")
    scratch = tempfile.mkdtemp(prefix="insula-init-")
    try:
        archive = newc.Archive()
        for name, (mode, data, device) in sorted(contents(kernel, busybox, scratch).items()):
            archive.add(name, mode, data, device)
        os.makedirs(args.out, exist_ok=True)
        with open(f"{args.out}/initrd.img", "wb") as file:
            file.write(archive.finish())  # gzip would cost 70 M instructions before /init
        shutil.copyfile(glob.glob(f"{kernel}/boot/vmlinuz-*")[0], f"{args.out}/vmlinuz")
    finally:
        for tree in (kernel, busybox, scratch):
            shutil.rmtree(tree)


if __name__ == "__main__":
    main()
