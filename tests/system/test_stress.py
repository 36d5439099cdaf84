# SPDX-License-Identifier: BSD-2-Clause
"""Debian's kernel with several CPUs under a load of forks, wake-ups, sleeps, page faults and memory
checks (stress.c): nothing is wrong, no wake-up is lost, and the kernel has no complaint.

In `make soak` with 1, 2, 4 and 8 vCPUs on 1, 2 and 4 host CPUs, 60 s each by the guest's clock.
"""
import os
import tempfile

from lab import Guest, linux, machine, prompt
from programs import built, guest_files

SOAK = bool(os.environ.get("INSULA_SOAK"))
SECONDS = 60 if SOAK else 1
LIMIT = 7200 if SOAK else 300  # of the build machine's clock
BOCHS_IPS = 62500000 if SOAK else 250000000  # a second at 1 GHz would be minutes


def stress(kind, vcpus, cpus):
    exact = {"ips": BOCHS_IPS} if kind == "bochs" else {"icount": cpus == 1}
    with tempfile.TemporaryDirectory() as directory, \
            machine(kind, linux("linux", "256M", cpus=vcpus, autostart=True),
                    guest_files([built(directory, "stress")], directory), cpus=cpus, **exact) as m:
        prompt(m)
        with Guest(m, "linux") as guest:
            guest.ready()
            assert guest.run("nproc").strip() == str(vcpus)
            said = guest.run(f"stress {SECONDS}", timeout=LIMIT).strip()
            print(f"{vcpus} vCPUs on {cpus} CPUs: {said}", flush=True)
            assert said.endswith(f"stress on {vcpus} CPUs is right"), said
            guest.run("w='soft lockup|rcu.*stall|not responding|BUG:|Oops|Call Trace'")
            found = guest.run('dmesg | grep -E "$w"', timeout=180).strip()
            assert not found, found


def test_stress(kind):
    if not SOAK:
        stress(kind, 4 if kind == "qemu" else 2, 2)
        return
    for cpus in (1, 2, 4):
        for vcpus in (1, 2, 4, 8):
            stress(kind, vcpus, cpus)


test_stress.timeout = 12 * LIMIT if SOAK else 600
