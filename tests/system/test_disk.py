# SPDX-License-Identifier: BSD-2-Clause
"""Linux reads virtual disks that qemu-img made, in every format, to the byte; what it writes to an
overlay is there until the VM is off, and the image below stays as it was."""
import hashlib
import os
import re
import subprocess

import lab
from boot import Machine
from guestvm import Guests

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
    return lab.linux("disks", cpus=2, disks=disks)


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
                 modules=dict(lab.LINUX, **modules, **{"insula.conf": path})) as m:
        m.expect_exact("insula> ")
        before = m.json("host memory")["hypervisor"]
        start(m)
        assert sums(m) == {disk: whole for disk in disks}
        text = shell(m, "cat /sys/block/vd[ab]/ro /sys/block/vdb/serial")
        assert re.search(r"^1\n0\ndisk1-disks", text, re.MULTILINE), text
        assert "vda: 0 1" in shell(m, "echo vda: $(ls /sys/block/vda/mq)")  # a queue for each vCPU
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
        assert "an overlay, which is not saved" in m.command("vm save disks ram:disks")
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


RAM_DISK = lab.linux("web", disks=['{ file = "ram:web.qcow2", format = "qcow2" }'])


def test_images(kind):
    """A disk made in ram:, written by a guest, kept, cloned and converted on the console."""
    folder = os.environ["TMPDIR"]
    path = os.path.join(folder, "web.conf")
    with open(path, "w") as file:
        file.write(RAM_DISK)
    with Machine(kind, memory="512M", timeout=600,
                 modules=dict(lab.LINUX, **{"insula.conf": path})) as m:
        m.expect_exact("insula> ")
        assert "there is no ram:web.qcow2" in m.command("vm start web")
        assert "created, qcow2, 256 KiB" in m.command("disk create ram:web.qcow2 --size 256K")
        m.command("vm start web")
        m.send("vm console web\r")
        m.expect_exact("insula guest ready: web")
        assert "GOOD" in shell(m, "seq 9000 | head -c 40960 >/tmp/p; dd if=/tmp/p of=/dev/vda "
                                  "bs=512 seek=17 conv=fsync && echo GO'OD'")
        leave(m)
        for command in ("snapshot ram:web.qcow2 one", "clone ram:web.qcow2 ram:c.qcow2",
                        "convert ram:web.qcow2 ram:c.vdi", "check ram:web.qcow2",
                        "resize ram:web.qcow2 1M", "delete ram:web.qcow2"):
            assert "is in use" in m.command("disk " + command), command
        m.command("vm stop web --force")
        assert "snapshot one" in m.command("disk snapshot ram:web.qcow2 one")
        assert "a clone" in m.command("disk clone ram:web.qcow2 ram:clone.qcow2")
        assert "as vmdk" in m.command("disk convert ram:clone.qcow2 ram:web.vmdk")
        for name in ("web.qcow2", "clone.qcow2", "web.vmdk"):
            assert "clean" in m.command(f"disk check ram:{name}"), name
        assert [s["name"] for s in m.json("disk info ram:web.qcow2")["snapshots"]] == [
            "one"]
        assert m.json("disk info ram:clone.qcow2")["base"] == "web.qcow2"
        assert "stands on  web.qcow2" in m.command("disk info ram:clone.qcow2")
        for command in ("vm start web", "disk snapshot ram:web.qcow2 two"):
            assert "ram:web.qcow2 cannot be written: clone.qcow2 stands on it" in m.command(command)
        assert "clone.qcow2 stands on it" in m.command("disk delete ram:web.qcow2")
        assert "is no configuration" in m.command("config save ram:web.qcow2")
        image = os.path.join(folder, "web.vmdk")
        with open(image, "wb") as file:
            file.write(lab.printed(m.command("store print ram:web.vmdk")))
        for name in ("clone.qcow2", "web.qcow2", "web.vmdk"):
            m.command(f"disk delete ram:{name}")
        assert m.json("store ls ram:") == []
    subprocess.run(["qemu-img", "check", "-f", "vmdk", image], check=True)
    subprocess.run(["qemu-img", "convert", "-f", "vmdk", "-O", "raw", image, image + ".raw"],
                   check=True)
    with open(image + ".raw", "rb") as file:
        found = file.read()
    lines = b"".join(b"%d\n" % n for n in range(1, 9001))[:40960]
    assert found == bytes(17 * 512) + lines + bytes((256 << 10) - 17 * 512 - 40960)


test_images.timeout = 600


LIMITS = [({"iops": 200}, {"depth": 1, "len": 4096, "count": 100}, 200),
          ({"iops": 1000}, {"depth": 8, "len": 512, "count": 500}, 1000),
          ({"bandwidth": "1M"}, {"depth": 4, "len": 65536, "count": 8}, 16)]


def test_limits(kind):
    """As the guest measures it: 2 % of what was configured."""
    path = os.path.join(os.environ["TMPDIR"], "limited.raw")
    with open(path, "wb") as file:
        file.truncate(1 << 20)
    vms = {f"vm{i}": {"kernel": "blk_rate", "cmdline": " ".join(f"{k}={v}" for k, v in how.items())}
           for i, (_, how, _) in enumerate(LIMITS)}
    with Guests(kind, vms, files={"limited.raw": path}, icount=kind == "qemu") as guests:
        hz = guests.machine.json("host info")["tsc_hz"]
        for i, (limit, how, ideal) in enumerate(LIMITS):
            (key, value), = limit.items()
            guests.command(f"vm set vm{i} disks=[{{file=boot:limited.raw,format=raw,readonly=true,"
                           f"{key}={value}}}]")
            found = re.search(r"blk_rate \d+ requests in (\d+) ticks, 0 bad",
                              guests.run(f"vm{i}", timeout=300))
            rate = how["count"] * hz / int(found.group(1))
            assert 0.98 * ideal <= rate <= 1.02 * ideal, (limit, how, rate)
            print(limit, how, rate)


test_limits.timeout = 600
