# SPDX-License-Identifier: BSD-2-Clause
"""Linux reads virtual disks that qemu-img made, in every format, to the byte; what it writes to an
overlay is there until the VM is off, and the image below stays as it was."""
import hashlib
import os
import re
import subprocess

from boot import Machine

LINUX = {"vmlinuz": "build/guests/vmlinuz", "initrd.img": "build/guests/initrd.img"}
SIZE = 2 << 20
FORMATS = [("raw", "raw", []), ("qcow2", "qcow2", []), ("vdi", "vdi", []),
           ("vhd", "vpc", ["-o", "force_size=on"]), ("qed", "qed", []), ("qcow", "qcow", []),
           ("vmdk", "vmdk", [])]


def pattern():
    """Numbers, a hole, and numbers again: clusters that are there, and clusters that are not."""
    numbers = b"".join(b"%015d\n" % n for n in range(SIZE // 16))
    return numbers[:SIZE // 4] + bytes(SIZE // 4) + numbers[SIZE // 2:]


def images(folder, content):
    """{module: path}: the content in every format."""
    raw = os.path.join(folder, "disk.raw")
    with open(raw, "wb") as file:
        file.write(content)
    found = {}
    for name, qemu, options in FORMATS:
        found[f"disk.{name}"] = os.path.join(folder, f"disk.{name}")
        if name != "raw":
            subprocess.run(["qemu-img", "convert", "-O", qemu, *options, raw,
                            found[f"disk.{name}"]], check=True)
    return found


def config():
    disks = [f'{{ file = "boot:disk.{name}", format = "{name}", ' +
             ('readonly = true }' if name == "raw" else 'overlay = "8M" }')
             for name, _, _ in FORMATS]
    return ('[vm.disks]\nmemory = "128M"\ncpus = 2\nkernel = "boot:vmlinuz"\n'
            'initrd = "boot:initrd.img"\ncmdline = "console=ttyS0 quiet name=disks"\n'
            f"disks = [{', '.join(disks)}]\n")


def shell(m, line):
    """Runs one line in the guest's shell that we have joined; what it printed."""
    m.send(line + "; echo E'ND'\r")
    m.expect_exact("END")
    return m.before.decode(errors="replace").replace("\r", "")


def start(m):
    assert "error" not in m.command("vm start disks")
    m.send("vm console disks\r")
    m.expect_exact("insula guest ready: disks")


def leave(m):
    m.send("\x1d")
    m.expect_exact("insula> ")


def sums(m):
    text = shell(m, "md5sum /dev/vd?")
    return dict(re.findall(r"^([0-9a-f]{32})  /dev/(vd.)$", text, re.MULTILINE)[i][::-1]
                for i in range(len(FORMATS)))


def test_formats(kind):
    folder = os.environ["TMPDIR"]
    content = pattern()
    modules = images(folder, content)
    path = os.path.join(folder, "disk.conf")
    with open(path, "w") as file:
        file.write(config())
    disks = [f"vd{letter}" for letter in "abcdefg"[:len(FORMATS)]]
    whole = hashlib.md5(content).hexdigest()
    with Machine(kind, memory="512M", timeout=600,
                 modules=dict(LINUX, **modules, **{"insula.conf": path})) as m:
        m.expect_exact("insula> ")
        before = m.json("host memory")["hypervisor"]
        start(m)
        assert sums(m) == {disk: whole for disk in disks}
        text = shell(m, "cat /sys/block/vd[ab]/ro /sys/block/vdb/serial")
        assert re.search(r"^1\n0\ndisk1-disks", text, re.MULTILINE), text
        # A pattern of its own over a part of each overlay, not in whole pages, and into the hole.
        text = shell(m, "for d in b c d e f g; do seq 9000 | sed s/^/$d/ | head -c 50176 >/tmp/$d; "
                        "dd if=/tmp/$d of=/dev/vd$d bs=512 seek=1001 conv=notrunc,fsync || "
                        "echo B'AD'; done; "
                        "echo 3 >/proc/sys/vm/drop_caches")
        assert "BAD" not in text, text
        assert "REFUSED" in shell(m, "echo x | dd of=/dev/vda || echo REF'USED'")
        found = sums(m)
        for disk, letter in zip(disks, "abcdefg"):
            lines = b"".join(b"%c%d\n" % (ord(letter), n) for n in range(1, 9001))[:50176]
            want = content[:512512] + lines + content[512512 + 50176:]
            want = content if letter == "a" else want
            assert found[disk] == hashlib.md5(want).hexdigest(), disk
        leave(m)
        assert "a disk of it has an overlay" in m.command("vm save disks ram:disks")
        info = m.json("vm info disks")["disks"]
        assert [d["errors"] for d in info] == [0] * len(info)
        assert all(d["read"]["bytes"] >= SIZE for d in info), info
        assert [d["overlay_used"] > 50176 for d in info] == [False] + [True] * (len(info) - 1)
        assert m.command("disk list").count("boot:disk.") == len(FORMATS)
        assert "2097152 bytes, 2 MiB" in m.command("disk info boot:disk.vhd")
        # A reset keeps what was written; that the VM is off does not.
        m.command("vm reset disks")
        m.send("vm console disks\r")
        m.expect_exact("insula guest ready: disks")  # of before
        m.expect_exact("insula guest ready: disks")
        assert sums(m) == found
        leave(m)
        m.command("vm stop disks --force")
        assert m.json("host memory")["of_hypervisor"]["disks"] == 0
        start(m)
        assert sums(m) == {disk: whole for disk in disks}
        leave(m)
        m.command("vm stop disks --force")
        assert m.json("host memory")["hypervisor"] <= before + (1 << 20)


test_formats.timeout = 900
