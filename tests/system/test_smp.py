# SPDX-License-Identifier: BSD-2-Clause
"""Guests with several vCPUs, on fewer and on as many CPUs: a bare-metal guest that tries every way
CPUs start and interrupt each other, and Debian's kernel."""
import os
import re

from guestvm import Guests
from lab import Guest, machine, prompt

SOAK = bool(os.environ.get("INSULA_SOAK"))
OVERCOMMITTED = {"pv-ipi", "pv-tlb-flush"}  # what Linux uses for several targets, of which some wait
BOCHS_GHZ = 1000000000  # a tick is 1 ns: Linux with several CPUs needs it


def run_bare(kind, vcpus, cpus, rounds):
    """The smp guest finds nothing wrong."""
    keys = {"kernel": "smp", "cpus": vcpus, "cmdline": f"cpus={vcpus} rounds={rounds}"}
    with Guests(kind, {"a": keys}, cpus=cpus) as guests:
        text = guests.run("a", timeout=150)
    found = re.search(rf"^smp {vcpus} CPUs, (\d+) checks, (\d+) failed$", text, re.M)
    assert found and int(found.group(1)) >= 15 and found.group(2) == "0", text


def test_bare_one_cpu(kind):
    run_bare(kind, 4, 1, 400)


def test_bare_two_cpus(kind):
    run_bare(kind, 4, 2, 400)
    if SOAK:
        run_bare(kind, 16, 4, 20000)


def linux_config(vcpus):
    return f"""[vm.linux]
memory = "256M"
cpus = {vcpus}
kernel = "boot:vmlinuz"
initrd = "boot:initrd.img"
cmdline = "console=ttyS0 quiet name=linux"
autostart = true
"""


def run_linux(kind, vcpus, cpus):
    """Debian's kernel starts all its CPUs, and each of them runs a process and takes interrupts."""
    exact = {"ips": BOCHS_GHZ} if kind == "bochs" else {"icount": cpus == 1}
    with machine(kind, linux_config(vcpus), cpus=cpus, **exact) as m:
        prompt(m)
        with Guest(m, "linux") as guest:
            guest.ready()
            assert guest.run("nproc").strip() == str(vcpus)
            for n in range(vcpus):
                assert guest.run(f"taskset {1 << n:x} echo y").strip() == "y", n
            wrong = "soft lockup|rcu.*stall|not responding"
            if kind == "bochs":  # QEMU's TSC runs on while QEMU itself waits for a CPU
                wrong += "|unsynchronized|unstable"
            guest.run(f"w='{wrong}'")  # apart: a line that wraps is echoed in pieces
            found = guest.run('dmesg | grep -iE "$w"', timeout=180).strip()
            assert not found, found
            stolen = int(guest.run("head -n 1 /proc/stat").split()[8])  # in 10 ms
            assert stolen > 0 or vcpus <= cpus, f"{vcpus} on {cpus}: none waited"
        used = m.json("vm info linux")["paravirt"]
        print(f"in use: {used}")
        wanted = {"kvmclock", "pv-eoi", "steal-time"} | (OVERCOMMITTED if vcpus > 2 else set())
        assert wanted <= set(used), used


def test_linux(kind):
    if kind == "qemu":
        run_linux(kind, 4, 1)
    run_linux(kind, 2, 2)
    if SOAK:
        for vcpus, cpus in ((2, 1), (4, 2), (8, 4)):
            run_linux(kind, vcpus, cpus)


test_bare_one_cpu.timeout = test_bare_two_cpus.timeout = 1800 if SOAK else 200
test_linux.timeout = 3600 if SOAK else 400
