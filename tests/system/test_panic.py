# SPDX-License-Identifier: BSD-2-Clause
"""What the hypervisor reports of its own end: the boot option crash=HOW breaks it on purpose.

Each report names the functions that led there, stops the other CPU and says no more.
"""
import pexpect
from boot import Machine
from lab import plain


def report(kind, how, timeout=60):
    """The text from the announcement to the last line; nothing may come after that."""
    with Machine(kind, cpus=2, memory="256M", cmdline=f"crash={how}") as m:
        m.expect_exact(f"as the boot options say: crashing by {how}", timeout=timeout)
        m.expect_exact("stopped: reset the machine", timeout=timeout)
        said = plain(m.before.decode(errors="replace"))
        m.send("version\r")  # all CPUs stand still: nobody answers
        assert m.expect([pexpect.TIMEOUT, rb"Insula"], timeout=2) == 0
        return said


def in_order(said, *words):
    at = 0
    for word in words:
        at = said.find(word, at)
        assert at >= 0, f"no {word!r} (in this order) in:\n{said}"


def test_bug(kind):
    said = report(kind, "bug")
    in_order(said, "PANIC on CPU 0:", "BUG_ON(depth == 0) at hv/crash_test.c:", "panic_stop+0x",
             "crash_by_bug+0x", "crash+0x", "thread_main+0x")


def test_fault_on_the_other_cpu(kind):
    said = report(kind, "fault")
    in_order(said, "cr2 ffffffff00000000", "crash_by_fault+0x", "thread_main+0x",
             "PANIC on CPU 1:", "#PF page fault in root mode")


def test_stack_overflow(kind):
    said = report(kind, "stack")
    in_order(said, "crash_by_recursion+0x", "crash_by_recursion+0x", "PANIC on CPU 0:",
             "stack overflow: a guard page was hit")


def test_hang(kind):
    """The watchdog's NMI finds a CPU that opens no interrupt window, and what it is doing."""
    said = report(kind, "hang", 120)
    in_order(said, "crash_by_hang+0x", "thread_main+0x", "PANIC on CPU 1:",
             "CPU 1 has taken no interrupt for 10 s")


test_hang.timeout = 240
