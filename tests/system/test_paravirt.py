# SPDX-License-Identifier: BSD-2-Clause
"""Debian's kernel finds KVM's interfaces, uses those that are offered, and keeps the right time.

Linux prefers its TSC to kvm-clock where CPUID calls the TSC invariant: Bochs' Haswell does, QEMU's
EPYC does not. There kvm-clock is the clock source; its scheduler's clock is kvm-clock on both.
"""
import re

from lab import Guest, linux, machine, prompt

CLOCK = "/sys/devices/system/clocksource/clocksource0"
CLOCKSOURCE = {"qemu": "kvm-clock", "bochs": "tsc"}
IN_USE = ["kvmclock", "pv-eoi", "steal-time"]
SECONDS = {"qemu": 3, "bochs": 60}  # between two looks at the clocks; Bochs' idle time flies
CONFIG = linux("linux", autostart=True)


def uptime(m):
    return m.json("vm info linux")["uptime_ns"] / 1e9


def clocks(m, guest):
    """(least, most) that the guest's uptime is ahead of its VM's; checks its date on the way."""
    early, before = m.json("host info")["time"], uptime(m)
    with guest:
        up, date = guest.run("cut -d ' ' -f 1 /proc/uptime; date +%s").split()
    after, late = uptime(m), m.json("host info")["time"]
    assert early - 1 <= int(date) <= late + 1, f"guest's date {date}, host's {early} to {late}"
    return float(up) - after, float(up) - before


# All of the kernel's log through the serial port would be most of the test.
MESSAGES = "dmesg | grep -iE 'kvm|skew|unstable|BUG:'"


def complaints(dmesg):
    return [line for line in dmesg.splitlines() if not re.search("kvm", line, re.I)]


def test_linux_uses_it(kind):
    with machine(kind, CONFIG, memory="256M") as m:
        prompt(m)
        guest = Guest(m, "linux")
        with guest:
            guest.ready()
            dmesg = guest.run(MESSAGES)
            source = guest.run(f"cat {CLOCK}/current_clocksource").strip()
            sources = guest.run(f"cat {CLOCK}/available_clocksource").split()
        assert "Hypervisor detected: KVM" in dmesg, dmesg
        assert "kvm-clock: Using msrs 4b564d01 and 4b564d00" in dmesg, dmesg
        assert not complaints(dmesg), complaints(dmesg)
        assert source == CLOCKSOURCE[kind] and "kvm-clock" in sources, (source, sources)
        assert m.json("vm info linux")["paravirt"] == IN_USE
        first = clocks(m, guest)
        with guest:
            guest.run(f"sleep {SECONDS[kind]}")
        second = clocks(m, guest)
        assert first[0] <= second[1] + 0.02 and second[0] <= first[1] + 0.02, (first, second)


def test_switched_off(kind):
    with machine(kind, CONFIG + "paravirt = false\n", memory="256M") as m:
        prompt(m)
        guest = Guest(m, "linux")
        with guest:
            guest.ready()
            dmesg = guest.run(MESSAGES)
            sources = guest.run(f"cat {CLOCK}/available_clocksource").split()
        assert "kvm" not in dmesg.lower(), dmesg
        assert "kvm-clock" not in sources
        assert m.json("vm info linux")["paravirt"] == []


test_linux_uses_it.timeout = 400
test_switched_off.timeout = 300
test_switched_off.machines = ["qemu"]  # the same code; the unit tests have the rest
