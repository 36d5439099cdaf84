#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes a Linux guest from Debian packages: OUT/vmlinuz and OUT/initrd.img, reproducibly; and
OUT/dhclient.img, an archive to be put behind the latter by who wants ISC's DHCP client as well.

build.py OUT [--flavour cloud-amd64|amd64]. The newest 6.1 kernel, busybox-static and so on are
fetched with apt-get once, into ~/.cache/insula. Nothing of them is ever in git.
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
# (netem: tests load that, for lines that lose packets.)
MODULES = {
    "button": ["button", "evdev"],
    "virtio": ["virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "virtio-rng",
               "virtio_balloon"],
    "ide": ["ata_piix", "sd_mod", "sr_mod", "isofs"],
    "e1000": ["e1000"],  # in the full flavour only
    "netem": ["sch_netem"],
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


class Files:
    """What an initramfs holds, in whatever order it is put in."""

    def __init__(self):
        self._files = {"dev/console": (stat.S_IFCHR | 0o600, b"", (5, 1))}

    def put(self, name, data, mode=0o644):
        self._files[name.lstrip("/")] = (stat.S_IFREG | mode, data, (0, 0))

    def copy(self, name, path, mode=0o644):
        with open(path, "rb") as file:
            self.put(name, file.read(), mode)

    def directory(self, name):
        self._files[name] = (stat.S_IFDIR | 0o755, b"", (0, 0))

    def busybox(self, path):
        """The program, and a link for each applet that has no file of its own yet."""
        self.copy("bin/busybox", path, 0o755)
        for applet in run(path, "--list-full").split():
            self._files.setdefault(applet, (stat.S_IFLNK | 0o777, b"/bin/busybox", (0, 0)))

    def modules(self, group, names, available):
        """Modules of module_files(), what they need, and lib/modules/GROUP.list in load order."""
        order = load_order(names, available)
        for name in order:
            self.copy(f"lib/modules/{name}.ko", available[name])
        self.put(f"lib/modules/{group}.list", "".join(f"{name}\n" for name in order).encode())

    def archive(self):
        """The cpio archive; every parent is an entry of its own."""
        for name in list(self._files):
            while os.path.dirname(name):
                name = os.path.dirname(name)
                if name not in self._files:
                    self.directory(name)
        archive = newc.Archive()
        for name, (mode, data, device) in sorted(self._files.items()):
            archive.add(name, mode, data, device)
        return archive.finish()


def contents(kernel, busybox, scratch):
    """The guest's initramfs, as Files."""
    files = Files()
    files.copy("init", reach_init(scratch), 0o755)
    files.busybox(f"{busybox}/bin/busybox")
    for name, mode in FILES.items():
        files.copy(name, os.path.join(HERE, os.path.basename(name)), mode)
    available = module_files(kernel)
    for group, names in MODULES.items():
        files.modules(group, names, available)
    for name in ("proc", "sys", "tmp", "mnt", "root", "var/log", "var/run"):
        files.directory(name)
    return files


def kernel_package(flavour):
    """The unpacked tree of the newest 6.1 kernel, to be removed by the caller."""
    return package(f"linux-image-6.1.0-*[0-9]-{flavour}_*.deb", lambda: newest_kernel(flavour))


def kernel_image(tree):
    return glob.glob(f"{tree}/boot/vmlinuz-*")[0]


def busybox_package():
    return package("busybox-static_*.deb", lambda: "busybox-static")


def dhclient():
    """ISC's DHCP client with the C library that it needs, as Files; its script is ours."""
    files = Files()
    for name, paths in {"isc-dhcp-client": {"sbin/dhclient": "sbin/dhclient"},
                        "libc6": {"lib/x86_64-linux-gnu/libc.so.6": "lib/x86_64-linux-gnu/libc.so.6",
                                  "lib64/ld-linux-x86-64.so.2":
                                  "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"}}.items():
        tree = package(f"{name}_*.deb", lambda name=name: name)
        for inside, path in paths.items():
            files.copy(inside, os.path.join(tree, path), 0o755)
        shutil.rmtree(tree)
    files.copy("etc/dhclient.script", f"{HERE}/dhclient.script", 0o755)
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--flavour", default="cloud-amd64", choices=["cloud-amd64", "amd64"])
    args = parser.parse_args()
    kernel, busybox = kernel_package(args.flavour), busybox_package()
    scratch = tempfile.mkdtemp(prefix="insula-init-")
    try:
        os.makedirs(args.out, exist_ok=True)
        with open(f"{args.out}/initrd.img", "wb") as file:
            # Not by gzip: that would cost 70 M instructions before /init.
            file.write(contents(kernel, busybox, scratch).archive())
        with open(f"{args.out}/dhclient.img", "wb") as file:
            file.write(dhclient().archive())
        shutil.copyfile(kernel_image(kernel), f"{args.out}/vmlinuz")
    finally:
        for tree in (kernel, busybox, scratch):
            shutil.rmtree(tree)


if __name__ == "__main__":
    main()
