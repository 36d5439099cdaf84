# SPDX-License-Identifier: BSD-2-Clause
"""A Debian guest's disks on the host's disks: raw and qcow2 directly on partitions; what it wrote is
in the file afterwards. I/O errors reach the guest that made the request and nobody else, or pause it;
a slow disk holds up only who waits for it."""
import itertools
import os
import re
import subprocess
import time

import parttable
from boot import Machine
from lab import LINUX, linux

MIB = 1 << 20
ends = itertools.count()
BUSES = {"qemu": ["ide", "ahci", "nvme", "virtio"], "bochs": ["ide"]}


def config(path, vms):
    """vms: {name: [disk]}."""
    with open(path, "w") as file:
        for name, disks in vms.items():
            file.write(linux(name, "96M", disks=disks))
    return path


def pattern(size, seed):
    return b"".join(b"%c%014d\n" % (65 + seed, n) for n in range(size // 16))


def blank(name, size):
    path = os.path.join(os.environ["TMPDIR"], name)
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def put(path, at, data):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


def get(path, at, size):
    with open(path, "rb") as file:
        file.seek(at)
        return file.read(size)


def machine(kind, disks, vms):
    path = config(os.path.join(os.environ["TMPDIR"], "disk.conf"), vms)
    return Machine(kind, memory="512M", timeout=600, disks=disks,
                   modules=dict(LINUX, **{"insula.conf": path}))


def join(m, name):
    m.send(f"vm console {name}\r")
    m.expect_exact("Ctrl-] comes back]")


def start(m, name):
    text = m.command(f"vm start {name}")
    assert "error" not in text, text
    join(m, name)
    m.expect_exact(f"insula guest ready: {name}")


def leave(m):
    m.send("\x1d")
    m.expect_exact("insula> ")


def shell(m, line):
    """Runs one line in the guest's shell that we have joined; what it printed.

    A console that is joined again begins with what it showed before: no two ends are the same.
    """
    number = next(ends)
    m.send(f"{line}; echo E'ND'{number}.\r")
    m.expect_exact(f"END{number}.")
    return m.before.decode(errors="replace").replace("\r", "")


def written(data, at, size):
    """What the guest's `seq` makes of data: lines of numbers over [at, at + size)."""
    lines = b"".join(b"%d\n" % n for n in range(1, size // 4))[:size]
    return data[:at] + lines + data[at + size:]


def wait_for(done):
    deadline = time.monotonic() + 200
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.5)


WRITE = ("for d in a b; do seq 99999 | head -c 65536 >/tmp/new; "
         "dd if=/tmp/new of=/dev/vd$d bs=4096 seek=100 conv=notrunc,fsync || echo B'AD'; done")


def partitions(kind, bus):
    size = 2 * MIB
    disk, image = blank(f"{bus}.img", 16 * MIB), blank("image.qcow2", 0)
    raw, inside = pattern(size, 0), pattern(size, 1)
    twin = blank("twin.raw", size)
    put(twin, 0, inside[:MIB])  # the other half is a hole: the guest's writes allocate
    inside = inside[:MIB] + bytes(MIB)
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", twin, image], check=True)
    parttable.write_gpt(disk, [("raw", 2048, size // 512), ("image", 8192, 6 * MIB // 512)])
    put(disk, 2048 * 512, raw)
    put(disk, 8192 * 512, get(image, 0, 6 * MIB))
    name = f"{bus}0"
    mine = [f'{{ disk = "{name}", partition = 1, format = "raw" }}',
            f'{{ disk = "{name}", partition = 2, format = "qcow2" }}']
    with machine(kind, [f"{disk},bus={bus}"],
                 {"mine": mine, "other": mine[:1],
                  "whole": [f'{{ disk = "{name}", format = "raw", readonly = true }}'],
                  "none": [f'{{ disk = "{name}", partition = 3, format = "raw" }}']}) as m:
        m.expect_exact("insula> ")
        assert f"{name} has no partition 3" in m.command("vm start none")
        start(m, "mine")
        assert "BAD" not in shell(m, WRITE)
        shell(m, "dd if=/tmp/new of=/dev/vdb bs=4096 seek=300 conv=notrunc,fsync; "
                 "echo 3 >/proc/sys/vm/drop_caches")
        assert "SAME" in shell(m, "dd if=/dev/vda bs=4096 skip=100 count=16 | cmp - /tmp/new && "
                                  "echo SA'ME'")
        leave(m)
        for vm in ("other", "whole"):  # even to read: it would read what changes
            assert "in use by mine" in m.command(f"vm start {vm}")
        rows = [row for row in m.json("disk list") if "host_disk" in row]
        assert [row["host_disk"] for row in rows] == [name], rows
        assert [(p["partition"], p["name"], p["used_by"]) for p in rows[0]["partitions"]] == [
            (1, "raw", "mine"), (2, "image", "mine")], rows
        assert "it writes to a disk" in m.command("vm save mine ram:mine")
        info = m.json("vm info mine")["disks"]
        assert [d["errors"] for d in info] == [0, 0], info
        join(m, "mine")
        m.send("poweroff\r")
        m.expect_exact("mine is stopped")
        leave(m)
        assert rows[0]["errors"] == 0
        m.send("host poweroff\r")
        m.emulator.wait(60)
    assert get(disk, 2048 * 512, size) == written(raw, 409600, 65536)
    put(image, 0, get(disk, 8192 * 512, 6 * MIB))
    subprocess.run(["qemu-img", "check", "-f", "qcow2", image], check=True)
    result = blank("result.raw", size)
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, result], check=True)
    assert get(result, 0, size) == written(written(inside, 409600, 65536), 1228800, 65536)


def fails(path, *rules, errno=5, once="off"):
    """A blkdebug drive over an image: each rule an I/O type and perhaps a sector that fails."""
    rules_path = path + ".rules"
    with open(rules_path, "w") as file:
        for iotype, sector in rules:
            file.write(f'[inject-error]\nevent = "none"\niotype = "{iotype}"\nerrno = "{errno}"\n'
                       f'once = "{once}"\n' + (f'sector = "{sector}"\n' if sector else ""))
    return f"blkdebug:{rules_path}:{path}"


def errors(kind, bus):
    """Reads of one sector, writes of another and every flush of the first disk fail; a write to the
    last, whose VM is to be paused then, finds no space, once."""
    size = 4 * MIB
    bad, good, full = blank("bad.img", size), blank("good.img", size), blank("full.img", size)
    put(bad, 0, pattern(size, 0))
    put(good, 0, pattern(size, 1))
    spec = fails(bad, ("read", 2000), ("write", 4000), ("flush", None))
    # A queued command that fails is tried once more, alone.
    tight = fails(full, *[("write", 4000)] * (2 if bus == "ahci" else 1), errno=28, once="on")
    # The third IDE disk is the first channel's second.
    names = ["ide0", "ide2", "ide1"] if bus == "ide" else [f"{bus}{i}" for i in range(3)]
    disk = [f'{{ disk = "{name}", format = "raw" }}' for name in names[:2]]
    pausing = f'{{ disk = "{names[2]}", format = "raw", on_io_error = "pause" }}'
    with machine(kind, [f"{spec},bus={bus}", f"{good},bus={bus}", f"{tight},bus={bus}"],
                 {"unlucky": [disk[0], pausing], "neighbour": disk[1:]}) as m:
        m.expect_exact("insula> ")
        start(m, "neighbour")
        assert "BAD" not in shell(m, "md5sum /dev/vda >/tmp/sum || echo B'AD'")
        leave(m)
        start(m, "unlucky")
        text = shell(m, "dd if=/dev/vda of=/tmp/x bs=4k skip=250 count=1 || echo RE'AD'")
        assert "READ" in text, text
        assert "BAD" not in shell(m, "dd if=/dev/vda of=/tmp/x bs=4k skip=251 count=1 || "
                                     "echo B'AD'")
        text = shell(m, "dd if=/tmp/x of=/dev/vda bs=4k seek=500 count=1 conv=fsync || "
                        "echo WRI'TE'")
        assert "WRITE" in text, text
        text = shell(m, "dd if=/tmp/x of=/dev/vda bs=4k seek=750 count=1 conv=fsync || "
                        "echo FLU'SH'")
        assert "FLUSH" in text, text
        assert "READS" in shell(m, "dd if=/dev/vda of=/dev/null bs=4k skip=900 count=8 "
                                   "&& echo REA'DS'")
        leave(m)
        info = m.json("vm info unlucky")
        assert info["state"] == "running" and info["disks"][0]["errors"] >= 3, info
        rows = {row["host_disk"]: row for row in m.json("disk list") if "host_disk" in row}
        assert rows[names[0]]["errors"] >= 3 and rows[names[1]]["errors"] == 0, rows
        log = m.command("host log")  # one line about the disk, one about who suffers
        assert log.count("failed: the disk reports an error (told once)") == 1, log
        assert log.count("vm unlucky: disk 0") == 1, log
        paused(m, names[2])
        join(m, "neighbour")
        assert "SOUND" in shell(m, "echo 3 >/proc/sys/vm/drop_caches; "
                                   "md5sum -c /tmp/sum && dd if=/dev/zero of=/dev/vda bs=4k count=9 "
                                   "conv=fsync && echo SOU'ND'")
        leave(m)
        assert m.json("vm info neighbour")["disks"][0]["errors"] == 0
        m.command("vm resume unlucky")
        join(m, "unlucky")
        m.expect_exact("TIGHT")  # the write, again: its guest saw no error
        leave(m)
        assert m.json("vm info unlucky")["disks"][1]["errors"] == 1
    assert get(full, 4000 * 512, 4096) == pattern(size, 0)[251 * 4096:252 * 4096]


def paused(m, name):
    """The unlucky VM writes to its second disk and is paused for that, which is said once."""
    join(m, "unlucky")
    m.send("dd if=/tmp/x of=/dev/vdb bs=4k seek=500 count=1 conv=fsync && echo TI'GHT'\r")
    leave(m)
    wait_for(lambda: m.json("vm info unlucky")["state"] == "paused")
    log = m.command("host log")
    assert log.count(f"vm unlucky: disk 1, {name}: ") == 1, log
    assert log.count("it is paused, vm resume tries again") == 1, log


def test_errors(kind):
    for bus in BUSES[kind]:
        errors(kind, bus)


test_errors.machines = ["qemu"]
test_errors.timeout = 1500


def limit(m):
    """The limits of a disk whose guest runs: lower, and lifted. Leaves the guest's console."""
    read = "dd if=/dev/vdb of=/dev/null bs=4k count=8 iflag=direct 2>/dev/null"
    times = "cut -d' ' -f1 /proc/uptime"
    leave(m)
    assert "waits: disk 1: set" in m.command("disk limit waits 1 iops=2 bandwidth=1M")
    assert "iops: found x, allowed" in m.command("disk limit waits 1 iops=x")
    assert "waits has no disk 2" in m.command("disk limit waits 2 iops=0")
    assert "at most 2 requests/s, at most 1 MiB/s" in m.command("vm info waits")
    join(m, "waits")
    found = re.findall(r"^(\d+\.\d+)$", shell(m, f"{times}; {read}; {times}"), re.MULTILINE)
    begun, ended = map(float, found[-2:])
    assert ended - begun > 3, (begun, ended)
    leave(m)
    assert "set" in m.command("disk limit waits 1 iops=0 bandwidth=0")
    assert "iops = 2" not in m.command("vm info waits")


def slow(kind, bus):
    """A disk of 64 KiB a second has several requests under way, and holds up neither the VM's other
    disk nor another VM, nor its end. Reading all of it takes longer than the test may."""
    disks = [blank(f"{bus}{i}.img", size * MIB) for i, size in enumerate((64, 4, 4))]
    disk = [f'{{ disk = "{name}", format = "raw" }}' for name in (f"{bus}0", f"{bus}1", "ahci0")]
    with machine(kind, [f"{disks[0]},bus={bus},rate=65536", f"{disks[1]},bus={bus}",
                        f"{disks[2]},bus=ahci", "none,bus=ahci,latency=8"],
                 {"waits": disk[:2], "beside": disk[2:]}) as m:
        m.expect_exact("insula> ")
        start(m, "waits")
        shell(m, "(dd if=/dev/vda of=/dev/null bs=64k; touch /tmp/slow) >/dev/null 2>&1 & :")
        for i in range(3):
            text = shell(m, f"dd if=/dev/vdb of=/dev/null bs=64k skip={10 * i} count=4 && "
                            "echo FA'ST'; ls /tmp")
            assert "FAST" in text and "slow" not in text, text
        leave(m)
        start(m, "beside")
        text = shell(m, "dd if=/dev/vda of=/dev/null bs=64k && echo FA'ST'")
        assert "FAST" in text, text
        leave(m)
        text = m.command("vm stop beside --force")
        assert "error" not in text, text
        join(m, "waits")
        text = shell(m, "ls /tmp; echo LI'ST'")
        assert "LIST" in text and "slow" not in text.rpartition("FAST")[2], text
        shell(m, "for i in 1 2 3 4 5 6 7 8; do dd if=/dev/vda of=/dev/null bs=32k skip=$i count=1 "
                 "iflag=direct 2>/dev/null & done; :")
        limit(m)
        wait_for(lambda: m.json("vm info waits")["disks"][0]["at_once"] == 4)
        m.command("vm pause waits")
        m.command("vm resume waits")
        text = m.command("vm reset waits")  # under way
        assert "error" not in text, text
        join(m, "waits")
        m.expect_exact("insula guest ready: waits")  # of before
        m.expect_exact("insula guest ready: waits")
        shell(m, "dd if=/dev/vda of=/dev/null bs=64k >/dev/null 2>&1 & :")
        leave(m)
        text = m.command("vm stop waits --force")
        assert "error" not in text and m.json("vm info waits")["state"] == "stopped", text
        rows = [row for row in m.json("disk list") if "host_disk" in row]
        assert [row["used_by"] for row in rows] == [None] * 4, rows
        assert rows[-1]["table"] == "no answer in 5 s", rows  # and the console waits no longer


def test_slow(kind):
    slow(kind, "ide")


test_slow.machines = ["qemu"]
test_slow.timeout = 800


def test_queue(kind):
    """Of a guest's reads that take two seconds each, eight at once, four are under way at a time."""
    buses = [bus for bus in BUSES[kind] if bus != "ide"]
    disks = [f'{{ disk = "{bus}0", format = "raw" }}' for bus in buses]
    times = "cut -d' ' -f1 /proc/uptime"
    with machine(kind, [f"none,bus={bus},latency=2" for bus in buses], {"deep": disks}) as m:
        m.expect_exact("insula> ")
        start(m, "deep")
        for i, bus in enumerate(buses):
            text = shell(m, f"{times}; for i in 1 2 3 4 5 6 7 8; do dd if=/dev/vd{'abc'[i]} "
                            "of=/dev/null bs=4k skip=${i}00 count=1 iflag=direct 2>/dev/null & done; "
                            f"wait; {times}")
            begun, ended = map(float, re.findall(r"^(\d+\.\d+)$", text, re.MULTILINE)[-2:])
            assert 4 <= ended - begun < 10, (bus, begun, ended)
            print(f"{bus}: {ended - begun} s")


test_queue.machines = ["qemu"]
test_queue.timeout = 300


def test_shared(kind):
    """A guest that reads a bad sector over and over: another one, on the same disks, sees no error."""
    buses, size = BUSES[kind], 16 * MIB
    specs = []
    for bus in buses:
        disk = blank(f"{bus}.img", size)
        parttable.write_gpt(disk, [("bad", 2048, 8192), ("good", 16384, 8192)])
        specs.append(f"{fails(disk, ('read', 2048 + 64))},bus={bus},rate=131072")
    disks = [[f'{{ disk = "{bus}0", partition = {n}, format = "raw" }}' for bus in buses]
             for n in (1, 2)]
    with machine(kind, specs, {"unlucky": disks[0], "neighbour": disks[1]}) as m:
        m.expect_exact("insula> ")
        start(m, "neighbour")
        leave(m)
        start(m, "unlucky")
        shell(m, "for d in " + " ".join("abcd"[:len(buses)]) + "; do (while :; do dd if=/dev/vd$d "
                 "of=/dev/null bs=512 skip=64 count=1 iflag=direct 2>/dev/null; done) & done; :")
        leave(m)
        join(m, "neighbour")
        for i, bus in enumerate(buses):
            text = shell(m, "for j in 1 2 3 4; do (for i in $(seq 20); do "
                            f"dd if=/dev/vd{'abcd'[i]} of=/dev/null bs=4k skip=$((i*20+j)) count=1 "
                            "iflag=direct 2>/dev/null || echo B'AD'; done) & done; wait; echo DO'NE'")
            assert "BAD" not in text and "DONE" in text, (bus, text)
        leave(m)
        disks = m.json("vm info neighbour")["disks"]
        assert [disk["errors"] for disk in disks] == [0] * len(buses), disks
        assert all(disk["errors"] > 0 for disk in m.json("vm info unlucky")["disks"])


test_shared.machines = ["qemu"]
test_shared.timeout = 400


def test_partitions(kind):
    for bus in BUSES[kind]:
        partitions(kind, bus)


test_partitions.timeout = 1500
