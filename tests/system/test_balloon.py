# SPDX-License-Identifier: BSD-2-Clause
"""A running Linux gives memory back and takes it again while it checks what is in the rest; the host's
account stays exact; who gets that memory meanwhile sees zeros only."""
import time

from guestvm import LOG_LINE, Guests, Neighbour
from lab import Guest, LINUX, account, guest_modules, linux, machine, prompt, wait_state

MIB = 1 << 20
CONFIG = linux("linux", "256M", cpus=2, autostart=True) + """[vm.fresh]
memory = "128M"
boot = "multiboot"
kernel = "boot:fresh.elf"
"""


def resize(m, size, timeout=300):
    """Asks the guest to have that many MiB, waits until it does; what the host holds for it then."""
    text = m.command(f"vm set linux memory={size}M")
    assert "error: " not in text, text
    deadline = time.monotonic() + timeout
    while True:
        info = m.json("vm info linux")
        account(m)
        if info["balloon"]["actual"] == size * MIB:
            return info["memory_held"]
        assert time.monotonic() < deadline, info["balloon"]
        time.sleep(0.2)


def refused(m, line, words):
    text = m.command(line)
    assert "error: " in text and words in text, text


def test_linux(kind):
    files = dict(LINUX, **guest_modules("fresh"))
    with machine(kind, CONFIG, files, memory="400M") as m:
        prompt(m)
        with Guest(m, "linux") as guest:
            guest.ready()
            guest.run("dd if=/dev/urandom of=/tmp/f bs=1M count=8 2>/dev/null; md5sum /tmp/f >/tmp/s")
            guest.run("(while md5sum -c /tmp/s >/dev/null 2>&1; do :; done; echo >/tmp/bad) & true")
        refused(m, "vm start fresh", "not enough free host memory")
        refused(m, "vm set linux memory=1G", "up to 256 MiB")
        before = account(m)
        held = resize(m, 112)
        assert held <= 160 * MIB, held
        after = account(m)
        assert after["free"] - before["free"] >= 90 * MIB, (before, after)
        m.command("vm start fresh")
        refused(m, "vm set linux memory=256M", "not enough free host memory")
        with Guest(m, "fresh") as guest:
            m.expect(rb"fresh \d+ KiB, (\d+) words not zero", timeout=120)
            assert m.match.group(1) == b"0"
        wait_state(m, "fresh", "stopped")
        assert resize(m, 256) == 256 * MIB
        with Guest(m, "linux") as guest:
            text = guest.run("dd if=/dev/urandom of=/tmp/g bs=1M count=8 2>/dev/null; ls /tmp; "
                             "dmesg | grep -iE 'bad page|corrupt|oops'; kill %1; md5sum -c /tmp/s")
            assert "bad" not in text and "/tmp/f: OK" in text, text
        assert account(m)["vms"] == {"linux": 256 * MIB}
        assert "crash" not in LOG_LINE.sub("", m.command("vm list"))



def test_rude_driver(kind):
    """What is no RAM, the same twice, a ring in use: only the guilty VM ends, memory adds up, a
    neighbour finds its own unharmed."""
    vms = {"odd": {"kernel": "balloon"}, "ring": {"kernel": "balloon", "cmdline": "ring"},
           "neighbour": Neighbour.CONFIG}
    with Guests(kind, vms, memory="256M", timeout=120) as guests:
        before = account(guests.machine)
        with Neighbour(guests):
            assert "balloon 5 checks, 0 failed" in guests.run("odd")
            guests.start("ring")
            info = guests.wait("ring", 60)
            assert info["state"] == "crashed" and "gave away" in info["crash_reason"], info
        guests.stop("neighbour")
        assert account(guests.machine)["guest"] == before["guest"]


def test_fault_of_root_mode(kind):
    """A device meets memory that its guest gave away and got back: the guest sees nothing of that fault."""
    with Guests(kind, {"ring": {"kernel": "balloon"}}, memory="256M", timeout=120) as guests:
        guests.start("ring", "ring back")
        guests.machine.send("vm console ring\r")
        guests.machine.expect_exact("balloon waits")
        guests.machine.send("\x1d")
        guests.machine.expect_exact("[left the console of")
        guests.machine.expect_exact("insula> ")
        guests.command("vm set ring memory=16M")  # that much is reserved for it
        guests.machine.send("vm console ring\r")
        guests.machine.expect_exact("comes back]")
        guests.machine.send("!")
        guests.machine.expect(r"balloon (\d+) checks, (\d+) failed")
        assert guests.machine.match.groups() == (b"7", b"0"), guests.machine.before
        guests.machine.send("\x1d")
        guests.machine.expect_exact("[left the console of")
        guests.machine.expect_exact("insula> ")
        assert guests.wait("ring", 60)["state"] == "stopped"


def test_race(kind):
    """Four vCPUs use pages while the balloon takes them and gives them back: no stale translation is seen,
    no write is lost, and a neighbour finds its own unharmed."""
    vms = {"race": {"kernel": "balloon", "cpus": 4}, "neighbour": Neighbour.CONFIG}
    with Guests(kind, vms, memory="256M", timeout=120, cpus=2) as guests:
        before = account(guests.machine)
        with Neighbour(guests):
            text = guests.run("race", "race cpus=4 rounds=2", timeout=150)
            assert "balloon 21 checks, 0 failed" in text, text
        guests.stop("neighbour")
        assert account(guests.machine)["guest"] == before["guest"]


test_race.timeout = 200
test_linux.timeout = 900
