# SPDX-License-Identifier: BSD-2-Clause
"""vm save and vm restore: a bare guest that checks its memory, in every way that they can be used;
files that are refused; Linux under load again and again."""
import base64
import os
import re
import unittest

from guestvm import Guests
from lab import BOOT_SECONDS, Guest, linux, machine, prompt

KEYS = {"kernel": "memcheck", "memory": "4M"}
ROUND = re.compile(rb"memcheck ok (\d+)\r")


def rounds(g, name, more):
    """Watches memcheck until it has told of `more` rounds; the last one's number."""
    m = g.machine
    m.send(f"vm console {name}\r")
    m.expect_exact("comes back]")
    for _ in range(more):
        m.expect(ROUND)
    last = int(m.match.group(1))
    m.send("\x1d")
    m.expect_exact("insula> ")
    assert b"FAILED" not in m.before
    return last


def refused(g, line, why):
    text = g.machine.command(line)
    assert "error: " in text and why in text, f"{line}: {text}"


def state(g, name):
    return g.info(name)["state"]


def check_ways(g):
    """Running, paused, stopped; back under its own name, as another (whose console is new), paused."""
    before = rounds(g, "a", 2)
    assert "it is running" in g.command("vm save a ram:run")
    g.command("vm pause a")
    assert "it is paused" in g.command("vm save a ram:paused")
    assert "it is stopped" in g.command("vm save a ram:stopped --stop")
    g.command("vm restore ram:run")
    g.command("vm restore ram:paused b --paused")
    assert state(g, "b") == "paused"
    g.command("vm resume b")
    assert rounds(g, "b", 2) > before
    g.stop("b")
    g.command("vm delete b")
    g.command("vm restore ram:stopped b")
    assert rounds(g, "b", 2) > before
    g.stop("b")
    g.command("vm delete b")


def check_refusals(g):
    refused(g, "vm save a ram:run", "already")
    refused(g, "vm save a boot:x", "read-only")
    refused(g, "vm save a x", "STORE:FILE")
    refused(g, "vm restore ram:run", "stop it first")
    refused(g, "vm restore ram:none", "there is no")
    refused(g, "vm restore boot:memcheck.elf", "not the file of a saved VM")
    refused(g, "vm save full ram:y", "it is stopped")
    g.stop("a")
    g.command("vm set a memory=6M")
    refused(g, "vm restore ram:run", "another memory")


def check_room(g):
    """All of host memory is in use: the file does not fit, and none is left of it."""
    g.command("vm set a memory=4M")
    g.command("vm restore ram:run")
    for name in ("run", "paused", "stopped"):
        g.command(f"store delete ram:{name}")
    free = g.machine.command("host memory --json")
    room = int(re.search(r'"free":(\d+)', free).group(1)) >> 20
    g.command(f"vm set full memory={(room - 3) & ~1}M")
    g.start("full")
    refused(g, "vm save a ram:none", "no room")
    assert "ram:none" not in g.command("store ls ram:")
    rounds(g, "a", 2)
    g.stop("full")
    g.command("vm save a ram:some")


def test_bare(kind):
    vms = {"a": KEYS, "full": {"kernel": "spin", "memory": "4M"}}
    with Guests(kind, vms, memory="128M") as g:
        g.start("a")
        check_ways(g)
        check_refusals(g)
        check_room(g)


def counts(g, name, more):
    """[(count, TSC)] of a `work` guest: that many of its reports."""
    m = g.machine
    m.send(f"vm console {name}\r")
    m.expect_exact("comes back]")
    found = []
    while len(found) < more:
        m.expect(rb"work (\d+) at (\d+)\r")
        found.append((int(m.match.group(1)), int(m.match.group(2))))
    m.send("\x1d")
    m.expect_exact("insula> ")
    return found


def print_file(m, name, path):
    """What `store print` gives, decoded into a file: too long for expect() to look through again and again."""
    m.send(f"store print {name}\r")
    m.expect_exact("\n")
    text, m.buffer = bytearray(m.buffer), b""
    while not text.endswith(b"insula> "):
        text += m.read_nonblocking(1 << 16, timeout=120)
    lines = re.findall(rb"^[A-Za-z0-9+/]{4,76}={0,2}\r?$", bytes(text), re.M)
    with open(path, "wb") as file:
        file.write(base64.b64decode(b"".join(lines)))


def test_reboot(kind):
    """A VM crosses a reboot of the hypervisor: its file is printed, and a boot module of the next."""
    path = os.path.join(os.environ["TMPDIR"], "saved")
    with Guests(kind, {"a": {"kernel": "work", "memory": "4M"}}, memory="128M") as g:
        g.start("a")
        before = counts(g, "a", 3)[-1]
        g.command("vm save a ram:a --stop")
        print_file(g.machine, "ram:a", path)
    with Guests(kind, {"b": {"kernel": "work", "memory": "4M"}}, files={"saved": path},
                memory="128M") as g:
        g.command("vm restore boot:saved")
        after = counts(g, "a", 3)  # its console is new: all of these were counted here
        for i in (0, 1):  # count and TSC go on together from where they stood
            assert before[i] < after[0][i] < after[1][i] < after[2][i], f"{before}, then {after}"


test_bare.timeout = test_reboot.timeout = 200


# ---- Linux ----

SOAK = bool(os.environ.get("INSULA_SOAK"))
BOOTED = 1800 if SOAK else BOOT_SECONDS
TIMES = {"qemu": 50 if SOAK else 2, "bochs": 50 if SOAK else 1}
LOAD = """
mkdir -p /tmp/l; cd /tmp/l; dd if=/dev/hwrng of=seed bs=1024 count=64 iflag=fullblock 2>/dev/null
md5sum seed >sum
for n in 1 2; do (while :; do cat seed seed >c$n; head -c 65536 c$n >d$n; cmp seed d$n || echo BAD$n;
md5sum -c sum >/dev/null || echo BAD; echo >>n$n; sleep 0.01; done) >bad 2>&1 & done
"""


# Its disks are a saved VM's file and a disk of the host: so that file leaves the machine.
COPIER = linux("copier", "96M", disks=['{ file = "ram:x", format = "raw", readonly = true }',
                                       '{ disk = "ide0", format = "raw" }'])
DISK_SIZE = 160 << 20


def linux_config(cpus):
    return linux("linux", words="nokaslr", cpus=cpus, autostart=True)


def times(guest):
    """Uptime, date by the kernel and date by the RTC, in seconds."""
    text = guest.run("cat /proc/uptime; date +%s; cat /sys/class/rtc/rtc0/since_epoch")
    return [float(line.split()[0]) for line in text.splitlines()]


def check_hvc0(m):
    """A shell there answers: its prompt may have been printed in another hypervisor's time."""
    m.send("vm console linux --port 1\r")
    m.expect_exact("comes back]")
    m.send("\r")
    m.expect(rb"/ # (?:\x1b\[6n)?")
    m.send("echo answer=$((6*7))\r")
    m.expect_exact("answer=42")
    m.send("\x1d")
    m.expect_exact("insula> ")


def check_guest(guest, before):
    """No memory is wrong, clocks go on where they stood, and no device is confused."""
    now = times(guest)
    assert before[0] <= now[0] < before[0] + 120, f"{before} then {now}"
    assert abs((now[0] - before[0]) - (now[1] - before[1])) <= 2, f"{before} then {now}"
    assert abs((now[0] - before[0]) - (now[2] - before[2])) <= 2, f"{before} then {now}"
    assert guest.run("jobs | grep -c Running; wc -c <bad").split() == ["2", "0"]
    said = guest.run("sleep 0.05; dd if=/dev/hwrng bs=512 count=1 2>/dev/null | wc -c")
    assert said.strip() == "512", said
    return now


def load(m, guest):
    """Starts what it is to check from then on; the time there."""
    guest.ready(BOOTED)
    for line in LOAD.strip().splitlines():
        m.send(line + "\n")
    return times(guest)


def check_log(kind, guest):
    wrong = "lockup|stall|nobody cared|BUG:|oops"
    if kind == "bochs":  # QEMU's TSC runs on while QEMU itself waits for a CPU
        wrong += "|unstable"
    guest.run(f"w='{wrong}'")  # apart: a line that wraps is echoed in pieces
    found = guest.run('dmesg | grep -iE "$w"', timeout=180).strip()
    assert not found, found


def run_linux(kind, cpus, host_cpus):
    exact = {"ips": 1000000000} if kind == "bochs" else {}
    with machine(kind, linux_config(cpus), cpus=host_cpus, memory="512M", **exact) as m:
        prompt(m, BOOTED)
        with Guest(m, "linux") as guest:
            now = load(m, guest)
        for n in range(TIMES[kind]):
            text = m.command("vm save linux ram:x --stop", timeout=120)
            assert "it is stopped" in text, text
            text = m.command("vm restore ram:x", timeout=120)
            assert "running" in text, text
            m.command("store delete ram:x")
            with Guest(m, "linux") as guest:
                now = check_guest(guest, now)
        check_hvc0(m)
        with Guest(m, "linux") as guest:
            check_log(kind, guest)


def copy_out(m, path):
    """ram:x to the host's disk by a guest; path is that disk's file, and becomes ram:x."""
    size = next(f["bytes"] for f in m.json("store ls ram:") if f["name"] == "x")
    said = m.command("vm start copier")
    assert "error: " not in said, said
    with Guest(m, "copier") as guest:
        guest.ready(BOOTED)
        said = guest.run("dd if=/dev/vda of=/dev/vdb bs=64k conv=fsync 2>&1 && echo O'K'", timeout=900)
        assert "OK" in said, said
    m.emulator.stop()
    os.truncate(path, size)


def test_linux_reboot(kind):
    """Linux under load crosses a reboot of the hypervisor: its file is a boot module of the next."""
    if not SOAK:
        raise unittest.SkipTest("three starts of Linux: make soak")
    path = os.path.join(os.environ["TMPDIR"], "saved")
    with open(path, "wb") as file:
        file.truncate(DISK_SIZE)
    exact = {"ips": 1000000000} if kind == "bochs" else {}
    with machine(kind, linux_config(2) + COPIER, cpus=2, memory="512M", disks=[f"{path},bus=ide"],
                 **exact) as m:
        prompt(m, BOOTED)
        with Guest(m, "linux") as guest:
            now = load(m, guest)
        text = m.command("vm save linux ram:x --stop", timeout=300)
        assert "it is stopped" in text, text
        copy_out(m, path)
    with machine(kind, "", {"saved": path}, cpus=2, memory="512M", **exact) as m:
        prompt(m, BOOTED)
        text = m.command("vm restore boot:saved", timeout=300)
        assert "running" in text, text
        with Guest(m, "linux") as guest:
            check_guest(guest, now)
        check_hvc0(m)
        with Guest(m, "linux") as guest:
            check_log(kind, guest)


def test_linux(kind):
    run_linux(kind, 2, 2 if SOAK and kind == "qemu" else 1)


test_linux.timeout = 14400 if SOAK else 900
test_linux_reboot.timeout = 7200
