# SPDX-License-Identifier: BSD-2-Clause
"""Debian guests that boot from disk images and write to them, in each format and variant: qemu-img made
the images, and what comes out again is judged by imagelab. Clones of one image, changed at once."""
import hashlib
import os
import re

import imagelab
import lab

SOAK = bool(os.environ.get("INSULA_SOAK"))
# {the root disk of a VM: its other disks}, of the names of imagelab.VARIANTS
SHORT = {"qemu": {"qcow2": ["vdi", "vmdk", "vhd", "qed", "qcow", "qcow2-backed"]},
         "bochs": {"qcow2": ["vmdk", "vhd", "qcow"]}}
ALL = {"qcow2": ["raw", "vdi-fixed", "vmdk-stream", "vhd-fixed", "qcow2-512", "qcow2-4k"],
       "vdi": ["qcow2-2m", "qcow2-v2", "qcow2-lazy", "qcow2-compressed", "qcow2-backed", "qed-backed"],
       "vmdk": ["vmdk-flat", "vdi", "vmdk", "vhd", "qed", "qcow"],
       "vhd": ["qcow2"], "qed": [], "qcow": [], "raw": []}
BUSES = {"qemu": ("ahci", "nvme"), "bochs": ("ide", "ide")}
SECTOR = 512
LONG = 1200  # seconds, for what takes a few on an idle machine


class Station:
    """A VM, its images and where they lie."""

    def __init__(self, name, images, bus, host_disk, twin_disk):
        self.name, self.images = name, images
        self.host_disk, self.twin_disk = host_disk, twin_disk
        self.bus = bus
        self.twin = "abcdefgh"[len(images)]
        self.place = {}  # image's name: number of the partition
        self.sums = {}

    def config(self, twin_partition):
        disks = [self.disk(image) for image in self.images]
        disks.append(f'{{ disk = "{self.twin_disk}", partition = {twin_partition}, '
                     'format = "raw" }')
        return lab.linux(self.name, "96M", "rooted.img", "rdinit=/rootinit", disks=disks)

    def disk(self, image):
        more = ", readonly = true" if image.readonly else ""
        if image.variant == "vmdk-flat":  # two files
            return f'{{ file = "ram:{image.name}", format = "vmdk" }}'
        return (f'{{ disk = "{self.host_disk}", partition = {self.place[image.name]}, '
                f'format = "{image.format}"{more} }}')

    def work(self, m):
        """Starts it, has it read and write each disk, the one that it runs from last, and ends it."""
        text = m.command(f"vm start {self.name}", timeout=LONG)
        assert "error" not in text, text
        with lab.Guest(m, self.name) as guest:
            guest.ready(LONG)
            for i in [*range(1, len(self.images)), 0]:
                self.work_on(guest, i)
        infos = m.json(f"vm info {self.name}")["disks"]
        assert [d["errors"] for d in infos] == [0] * len(infos), infos
        with lab.Guest(m, self.name):
            m.send("poweroff\r")
            m.expect_exact(f"{self.name} is stopped", timeout=LONG)

    def work_on(self, guest, i):
        image = self.images[i]
        mode = "root" if image.root else "readonly" if image.readonly else "rw"
        text = guest.run(f"sh /etc/work {'abcdefgh'[i]} {self.twin} {i * imagelab.SLOT // SECTOR} "
                         f"{image.fs // SECTOR} {mode}", timeout=LONG)
        assert "BAD" not in text and f"done /dev/vd{'abcdefgh'[i]}" in text, f"{image.name}: {text}"
        self.sums[image.name] = re.search(r"^sum /dev/vd. ([0-9a-f]{32})", text, re.MULTILINE)[1]


def make_images(folder):
    imagelab.make_raw(folder, "base.raw", False)
    imagelab.make_raw(folder, "root.raw", True)


def stations(kind, folder, plan):
    """The VMs, and the machine's two disks: each VM's images on one, their twins on the other."""
    buses, names = BUSES[kind], ("ide0", "ide1") if kind == "bochs" else ("ahci0", "nvme0")
    found, sizes = [], ([], [])
    for k, (root, others) in enumerate(plan.items()):
        images = [imagelab.Image(folder, root, True)]
        images += [imagelab.Image(folder, name) for name in others]
        s = Station(f"f{k}", images, buses[k % 2], names[k % 2], names[(k + 1) % 2])
        for image in images:
            if image.variant != "vmdk-flat":
                sizes[k % 2].append(image.room())
                s.place[image.name] = len(sizes[k % 2])
        sizes[(k + 1) % 2].append(len(images) * imagelab.SLOT)
        s.twin_place = len(sizes[(k + 1) % 2])
        found.append(s)
    disks = [imagelab.Disk(os.path.join(folder, f"disk{i}"), sizes[i]) for i in range(2)]
    for k, s in enumerate(found):
        for image in s.images:
            if image.name in s.place:
                disks[k % 2].write(s.place[image.name], image.bytes())
    return found, disks


def take_flat(m, folder, image):
    """A flat VMDK's two files, through the console."""
    for name in (image.name, image.name.replace(".vmdk", "-flat.vmdk")):
        text = m.command(f"store print ram:{name}", timeout=LONG)
        imagelab.put(os.path.join(folder, name), lab.printed(text))


def bring_flat(m, image):
    for name in (image.name, image.name.replace(".vmdk", "-flat.vmdk")):
        text = m.command(f"disk convert boot:{name} ram:{name} --from raw --format raw", timeout=LONG)
        assert "as raw" in text, text


def judge(s, k, disks):
    twins = disks[(k + 1) % 2].read(s.twin_place)
    for i, image in enumerate(s.images):
        if image.name in s.place:
            image.take(disks[k % 2].read(s.place[image.name]))
        twin = twins[i * imagelab.SLOT:i * imagelab.SLOT + image.size]
        assert image.readonly or twin[image.fs:] == imagelab.expected_tail(image.fs), image.name
        image.judge(twin, s.sums[image.name])
        print(f"{image.name}{' (root)' if image.root else ''}: written and judged", flush=True)


def test_written(kind):
    folder = os.environ["TMPDIR"]
    make_images(folder)
    found, disks = stations(kind, folder, ALL if SOAK else SHORT[kind])
    modules = dict(lab.LINUX, **{"rooted.img": imagelab.initrd(folder),
                                 "base.raw": os.path.join(folder, "base.raw")})
    flat = [image for s in found for image in s.images if image.variant == "vmdk-flat"]
    for image in flat:
        for name in (image.name, image.name.replace(".vmdk", "-flat.vmdk")):
            modules[name] = os.path.join(folder, name)
    config = "".join(s.config(s.twin_place) for s in found)
    specs = [f"{disk.path},bus={bus}" for disk, bus in zip(disks, BUSES[kind])]
    with lab.machine(kind, config, modules, memory="512M", timeout=LONG, disks=specs) as m:
        lab.prompt(m)
        for image in flat:
            bring_flat(m, image)
        for s in found:
            s.work(m)
        for image in flat:
            take_flat(m, folder, image)
        m.send("host poweroff\r")
        m.emulator.wait(LONG)
    for k, s in enumerate(found):
        judge(s, k, disks)


test_written.timeout = 14400 if SOAK else 1800


CLONES = "".join(
    lab.linux(name, "96M", "rooted.img", "rdinit=/rootinit",
              disks=[f'{{ file = "ram:{name}.qcow2", format = "qcow2" }}']) for name in "ab") + lab.linux(
                  "look", "96M", disks=['{ file = "ram:base.qcow2", format = "raw", readonly = true }',
                                        '{ file = "ram:a.qcow2", format = "qcow2", readonly = true }',
                                        '{ file = "ram:b.qcow2", format = "qcow2", readonly = true }'])


def test_clones(kind):
    """Two VMs on linked clones of one image, running and writing at once: the image stays as it was."""
    folder = os.environ["TMPDIR"]
    imagelab.make_raw(folder, "root.raw", True)
    base = imagelab.Image(folder, "qcow2", True)
    whole = hashlib.md5(base.bytes()).hexdigest()
    modules = dict(lab.LINUX, **{"rooted.img": imagelab.initrd(folder), "base.qcow2": base.path})
    with lab.machine(kind, CLONES, modules, memory="512M", timeout=LONG) as m:
        lab.prompt(m)
        text = m.command("disk convert boot:base.qcow2 ram:base.qcow2 --from raw --format raw")
        assert "as raw" in text, text
        for name in "ab":
            assert "a clone" in m.command(f"disk clone ram:base.qcow2 ram:{name}.qcow2 "
                                             "--format qcow2")
            text = m.command(f"vm start {name}")
            assert "error" not in text, text
        for name in "ab":
            with lab.Guest(m, name) as guest:
                guest.ready(LONG)
                text = guest.run("md5sum -c SUMS 2>&1 | grep -v ': OK$'; cp -r data mine; "
                                 f"seq 1 5000 | sed s/^/{name}/ >new; rm data/gone; sync; "
                                 "mount -o remount,ro / && echo kept", timeout=LONG)
                assert text.strip() == "kept", text
        for name in "ab":
            with lab.Guest(m, name):
                m.send("poweroff\r")
                m.expect_exact(f"{name} is stopped", timeout=LONG)
            assert "clean" in m.command(f"disk check ram:{name}.qcow2")
        text = m.command("vm start look")
        assert "error" not in text, text
        with lab.Guest(m, "look") as guest:
            guest.ready(LONG)
            text = guest.run("md5sum /dev/vda", timeout=LONG)
            assert whole in text, f"{whole} became {text}"
            text = guest.run("for d in b c; do mount -o ro /dev/vd$d /mnt && head -n 1 /mnt/new && "
                             "cmp /mnt/data/big /mnt/mine/big && umount /mnt; done", timeout=LONG)
            assert text.split() == ["a1", "b1"], text
        m.command("vm stop look --force")


test_clones.timeout = 1800
test_clones.machines = ["qemu", "bochs"] if SOAK else ["qemu"]  # as long as two boots there
