#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What `make run` and `make debug` start: the ISO on the best machine there is, console joined.

demo.py [--debug] qemu|bochs ISO. KVM is used only if a probe of ten seconds has seen one VM exit.
"""
import argparse
import os
import sys
import time

import boot

PROBE_SECONDS = 10
PROBE_LINE = b"hvm: one VM exit done"  # the image says so after its self-test at boot


def kvm_works(iso):
    """Boots the ISO under KVM for at most ten seconds: (True, "") or (False, why not)."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False, "/dev/kvm is not there or not ours"
    print(f"trying KVM for at most {PROBE_SECONDS} s", flush=True)
    try:
        machine = boot.Emulator("kvm", iso_file=iso, memory="512M")
    except OSError as error:
        return False, str(error)
    seen, deadline = b"", time.monotonic() + PROBE_SECONDS
    try:
        while PROBE_LINE not in seen:
            machine.sock.settimeout(max(0.01, deadline - time.monotonic()))
            data = machine.sock.recv(65536)
            if not data:
                return False, machine.log_tail().strip().split("\n")[0] or "QEMU ended"
            seen += data
        return True, ""
    except OSError:
        return False, f"no VM exit within {PROBE_SECONDS} s (no nested virtualization?)"
    finally:
        machine.stop()


def run(kind, iso, **options):
    machine = boot.Emulator(kind, iso_file=iso, memory="1G", **options)
    try:
        boot.converse(machine)
    finally:
        machine.stop()


def debug(iso):
    """QEMU in a child with its console in a file; GDB in the terminal."""
    log = "build/debug-console.log"
    machine = boot.Emulator("qemu", iso_file=iso, gdb=True, serial_file=log)
    print(f"the console is written to {log}", flush=True)
    script = ["-x", "tests/gdb/insula.py"] if os.path.exists("tests/gdb/insula.py") else []
    try:
        os.spawnvp(os.P_WAIT, "gdb", ["gdb", "-q", *script, "-ex", "target remote :1234",
                                      "build/insula.elf"])
    finally:
        machine.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("machine", choices=["qemu", "bochs"])
    parser.add_argument("iso")
    parser.add_argument("--debug", action="store_true")
    args = parser.parse_args()
    if args.debug:
        return debug(args.iso)
    if args.machine == "bochs":
        print("machine: Bochs, Intel with VT-x and EPT", flush=True)
        return run("bochs", args.iso)
    works, reason = kvm_works(args.iso)
    if works:
        print("machine: QEMU with KVM, nested virtualization", flush=True)
        return run("kvm", args.iso)
    print(f"machine: QEMU emulating AMD-V (not KVM: {reason})", flush=True)
    return run("qemu", args.iso)


if __name__ == "__main__":
    sys.exit(main())
