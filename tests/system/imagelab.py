# SPDX-License-Identifier: BSD-2-Clause
"""Disk images with a known tree in ext4, made by qemu-img; put on a disk's partitions, taken out again
and judged there by those who know the format: qemu-img, e2fsck, the readers of tests/formats.

Knows nothing of consoles and emulators. Tools are run in the folder that everything lies in.
"""
import hashlib
import os
import shutil
import stat
import subprocess
import sys

import boot
import newc
import parttable

sys.path.insert(0, os.path.join(boot.ROOT, "guests/linux"))
import build  # noqa: E402

KIB, MIB = 1 << 10, 1 << 20
DATA_FS, ROOT_FS, TAIL = 1536 * KIB, 6 * MIB, 512 * KIB
SLOT = 8 * MIB  # of the disk with the twins
GARBAGE = b"\xee"  # what lies behind an image on its partition, and in no image

# name: (format, as qemu-img calls it, options of qemu-img convert or create)
VARIANTS = {
    "raw": ("raw", "raw", []),
    "vdi": ("vdi", "vdi", []),
    "vdi-fixed": ("vdi", "vdi", ["-o", "static=on"]),
    "vmdk": ("vmdk", "vmdk", []),
    "vmdk-flat": ("vmdk", "vmdk", ["-o", "subformat=monolithicFlat"]),
    "vmdk-stream": ("vmdk", "vmdk", ["-o", "subformat=streamOptimized"]),
    "vhd": ("vhd", "vpc", ["-o", "force_size=on"]),
    "vhd-fixed": ("vhd", "vpc", ["-o", "subformat=fixed,force_size=on"]),
    "qcow": ("qcow", "qcow", []),
    "qed": ("qed", "qed", []),
    "qed-backed": ("qed", "qed", ["-b", "base.raw", "-F", "raw"]),
    "qcow2": ("qcow2", "qcow2", []),
    "qcow2-v2": ("qcow2", "qcow2", ["-o", "compat=0.10"]),
    "qcow2-512": ("qcow2", "qcow2", ["-o", "cluster_size=512"]),
    "qcow2-4k": ("qcow2", "qcow2", ["-o", "cluster_size=4k,refcount_bits=1"]),
    "qcow2-2m": ("qcow2", "qcow2", ["-o", "cluster_size=2M"]),
    "qcow2-compressed": ("qcow2", "qcow2", ["-c"]),
    "qcow2-lazy": ("qcow2", "qcow2", ["-o", "lazy_refcounts=on"]),
    "qcow2-backed": ("qcow2", "qcow2", ["-b", "base.raw", "-F", "raw"]),
}
READONLY = {"vmdk-stream"}
EXACT = {"raw", "vdi-fixed", "vhd-fixed", "vmdk-stream"}  # what is at the file's end counts, or all
CHECKED = {"vdi", "vmdk", "qed", "qcow2"}  # by qemu-img check

# What a guest does to a disk: /etc/work LETTER TWIN'S-LETTER SLOT FS MODE, places in sectors.
WORK = r"""#!/bin/sh
d=/dev/vd$1 t=/dev/vd$2 slot=$3 fs=$4 mode=$5 m=/mnt
bad() { echo "BA""D $d $*"; cat /tmp/said; }
forget() { sync; echo 3 >/proc/sys/vm/drop_caches; }
sums() { (cd $m/ && md5sum -c $1) >/tmp/said 2>&1 || bad sums $1; }
put() { # /tmp/p to the sector behind the file system, on both
	dd if=/tmp/p of=$d bs=512 seek=$((fs + $1)) conv=notrunc,fsync 2>/tmp/said || bad put $1
	dd if=/tmp/p of=$t bs=512 seek=$((slot + fs + $1)) conv=notrunc,fsync 2>/tmp/said || bad twin $1
}
mounted() { [ $mode = root ] || mount -t ext4 -o noatime,$1 $d /mnt 2>/tmp/said || bad mount; }
unmounted() { [ $mode = root ] || umount /mnt 2>/tmp/said || bad umount; }
[ $mode != root ] || m=
mounted ro
sums SUMS
unmounted
if [ $mode != readonly ]; then
	seq 1$fs 99999999 | head -c 204800 >/tmp/p
	put 33
	head -c 51200 /dev/zero >/tmp/p
	put 233
	blkdiscard -o $(((fs + 400) * 512)) -l 65536 $d
	seq 2$fs 99999999 | head -c 65536 >/tmp/p
	put 400
	mounted rw
	cp $m/data/big $m/new1
	rm $m/data/gone
	seq 20000 >$m/new2
	dd if=$m/new2 of=$m/data/over bs=1000 seek=3 count=4 conv=notrunc 2>/tmp/said || bad over
	mkdir $m/dir
	for i in 0 1 2 3 4 5 6 7 8 9; do echo $i >$m/dir/$i; done
	(cd $m/ && md5sum new1 new2 data/over data/a/b/deep dir/7) >/tmp/new
	unmounted
	[ $mode != root ] || { sync; mount -o remount,ro / 2>/tmp/said || bad remount; }
	forget
	mounted ro
	sums /tmp/new
	unmounted
	dd if=$d of=$t bs=64k count=$((fs / 128)) seek=$((slot / 128)) conv=notrunc,fsync 2>/tmp/said ||
		bad copy
	forget
fi
echo "sum $d $(md5sum <$d)"
echo "do""ne $d"
"""
RC = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /tmp
mount -o remount,rw,noatime /
for word in $(cat /proc/cmdline); do
	case $word in
	name=*) hostname ${word#name=} ;;
	esac
done
echo "insula guest ready: $(hostname)"
"""
ROOTINIT = """#!/bin/sh
mount -t devtmpfs devtmpfs /dev
while read -r module; do
	insmod /lib/modules/$module.ko
done </lib/modules/virtio.list
mount -t ext4 -o ro /dev/vda /mnt
mount --move /dev /mnt/dev
exec switch_root /mnt /sbin/init
"""


def run(*argv, folder, status=0):
    done = subprocess.run(argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, check=False)
    text = done.stdout.decode(errors="replace")
    assert done.returncode == status, f"{' '.join(argv)}: status {done.returncode}\n{text}"
    return done.stdout


def put(path, data, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)


def numbers(count, step):
    return b"".join(b"%015d\n" % (n * step) for n in range(count))


TREE = {"data/big": numbers(9000, 7), "data/gone": numbers(1200, 11), "data/over": numbers(1875, 3),
        "data/empty": b"", "data/a/b/deep": b"deep\n"}
SEQ = b"".join(b"%d\n" % n for n in range(1, 20001))
AFTER = {"new1": TREE["data/big"], "new2": SEQ, "data/a/b/deep": b"deep\n", "dir/7": b"7\n",
         "data/over": TREE["data/over"][:3000] + SEQ[:4000] + TREE["data/over"][7000:]}


def make_tree(path):
    for name, data in TREE.items():
        put(os.path.join(path, name), data)
    os.symlink("data/big", os.path.join(path, "link"))
    put(os.path.join(path, "SUMS"), b"".join(
        b"%s  %s\n" % (hashlib.md5(data).hexdigest().encode(), name.encode())
        for name, data in TREE.items()))


def make_root(path):
    """The tree, and a Linux to run from: busybox, its links, and what a guest does to a disk."""
    make_tree(path)
    package = build.busybox_package()
    shutil.move(f"{package}/bin/busybox", f"{path}/busybox")
    shutil.rmtree(package)
    for applet in build.run(f"{path}/busybox", "--list-full").split():
        os.makedirs(os.path.dirname(f"{path}/{applet}"), exist_ok=True)
        if applet != "bin/busybox":
            os.symlink("/bin/busybox", f"{path}/{applet}")
    os.rename(f"{path}/busybox", f"{path}/bin/busybox")
    for name in ("dev", "proc", "sys", "tmp", "mnt", "root"):
        os.makedirs(f"{path}/{name}")
    os.makedirs(f"{path}/etc", exist_ok=True)
    shutil.copy(os.path.join(boot.ROOT, "guests/linux/inittab"), f"{path}/etc/inittab")
    put(f"{path}/etc/rc", RC.encode(), 0o755)
    put(f"{path}/etc/work", WORK.encode(), 0o755)


def make_raw(folder, name, root):
    """An ext4 with the tree in a raw file, a tail of zeros behind it."""
    tree = os.path.join(folder, "tree-" + name)
    (make_root if root else make_tree)(tree)
    size = ROOT_FS if root else DATA_FS
    options = ["-J", "size=1"] if root else ["-O", "^has_journal"]
    run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-m", "0", *options, "-d", tree, name,
        f"{size // KIB}k", folder=folder)
    os.truncate(os.path.join(folder, name), size + TAIL)
    shutil.rmtree(tree)


class Image:
    """A variant's image in a folder that holds root.raw and base.raw; root: to boot from."""

    def __init__(self, folder, variant, root=False):
        self.folder, self.variant, self.root = folder, variant, root
        self.format, self.qemu, options = VARIANTS[variant]
        self.fs = ROOT_FS if root else DATA_FS
        self.size = self.fs + TAIL
        self.readonly = variant in READONLY
        self.name = f"{variant}{'-root' if root else ''}.{self.format}"
        self.path = os.path.join(folder, self.name)
        if "-b" in options:
            run("qemu-img", "create", "-q", "-f", self.qemu, *options, self.name, folder=folder)
        else:
            run("qemu-img", "convert", "-f", "raw", "-O", self.qemu, *options,
                "root.raw" if root else "base.raw", self.name, folder=folder)

    def bytes(self):
        with open(self.path, "rb") as file:
            return file.read()

    def room(self):
        """Of its partition, bytes."""
        size = -(-os.path.getsize(self.path) // 512) * 512
        return size if self.variant in EXACT else -(-(size + self.size + 4 * MIB) // MIB) * MIB

    def take(self, data):
        """Replaces the image by what is on the partition, without what nobody wrote behind it."""
        data = data if self.variant in EXACT else data.rstrip(GARBAGE)
        with open(self.path, "wb") as file:
            file.write(data)

    def judge(self, twin, seen):
        """twin: the raw bytes that the disk must hold; seen: the MD5 sum that the guest had of it."""
        raw = self.name + ".out"
        if self.format in CHECKED:
            run("qemu-img", "check", "-f", self.qemu, self.name, folder=self.folder)
        run("qemu-img", "convert", "-f", self.qemu, "-O", "raw", self.name, raw, folder=self.folder)
        self.read_apart(raw)
        with open(os.path.join(self.folder, raw), "rb") as file:
            data = file.read()
        assert hashlib.md5(data).hexdigest() == seen, f"{self.name} is not what the guest saw"
        if not self.readonly:
            put(os.path.join(self.folder, "twin"), twin)
            run("qemu-img", "compare", "-f", self.qemu, "-F", "raw", self.name, "twin",
                folder=self.folder)
            self.judge_files(raw)

    def read_apart(self, raw):
        """By a reader that nobody of qemu-img or of drivers/block has seen."""
        reader = {"vhd": "read_vhd.py", "qcow": "read_qcow1.py"}.get(self.format)
        if reader:
            run("/usr/bin/python3", os.path.join(boot.ROOT, "tests/formats", reader), "--check",
                self.name, "apart", folder=self.folder)
            run("cmp", "apart", raw, folder=self.folder)

    def judge_files(self, raw):
        os.truncate(os.path.join(self.folder, raw), self.fs)
        run("e2fsck", "-fn", raw, folder=self.folder)
        for name, data in AFTER.items():
            run("debugfs", "-R", f"dump /{name} dumped", raw, folder=self.folder)
            with open(os.path.join(self.folder, "dumped"), "rb") as file:
                assert file.read() == data, f"{self.name}: {name} is not what was written"


def expected_tail(fs):
    """What WORK makes of the tail of zeros."""
    def lines(first, size):
        data = bytearray()
        while len(data) < size:
            data += b"%d\n" % first
            first += 1
        return bytes(data[:size])

    sectors = fs // 512
    tail = bytearray(TAIL)
    for at, data in ((33, lines(int(f"1{sectors}"), 204800)), (233, bytes(51200)),
                     (400, lines(int(f"2{sectors}"), 65536))):
        tail[at * 512:at * 512 + len(data)] = data
    return bytes(tail)


class Disk:
    """A disk of the machine: partitions of (name, bytes), each found by its number from 1 on."""

    def __init__(self, path, sizes):
        self.path, self.places, at = path, [], MIB
        for size in sizes:
            self.places.append((at, size))
            at += -(-size // MIB) * MIB
        put(path, b"")
        os.truncate(path, at + MIB)
        parttable.write_gpt(path, [(f"p{i}", at // 512, size // 512)
                                   for i, (at, size) in enumerate(self.places)])

    def write(self, number, data):
        at, size = self.places[number - 1]
        with open(self.path, "r+b") as file:
            file.seek(at)
            file.write(data + GARBAGE * (size - len(data)))

    def read(self, number):
        at, size = self.places[number - 1]
        with open(self.path, "rb") as file:
            file.seek(at)
            return file.read(size)


def initrd(folder):
    """The guest's initramfs with one more way to begin: rdinit=/rootinit, from the disk vda."""
    script, out = os.path.join(folder, "rootinit"), os.path.join(folder, "rooted.img")
    put(script, ROOTINIT.encode(), stat.S_IRWXU)
    with open(os.path.join(boot.ROOT, "build/guests/initrd.img"), "rb") as file:
        put(out, newc.extended(file.read(), {"rootinit": script}))
    return out
