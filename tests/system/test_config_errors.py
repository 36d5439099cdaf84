# SPDX-License-Identifier: BSD-2-Clause
"""A configuration full of mistakes: every one is reported at once, and the host comes to its prompt."""
from lab import guest_modules, machine, plain, states

CONFIG = """[host]
name = "bad"
colour = "blue"

[vm.good]
memory = "8M"
boot = "multiboot"
kernel = "boot:hello.elf"

[vm.wrong]
memory = "much"
cpus = 999
boot = "floppy"
kernal = "boot:hello.elf"

[vm.lost]
memory = "8M"
boot = "multiboot"
kernel = "boot:nowhere.elf"

[vm.twice]
memory = "8M"

[vm.twice]
memory = "9M"
"""
# line, the words that must be in its message
EXPECTED = [(3, "colour"), (11, "memory", "much"), (12, "cpus", "999"), (13, "boot", "floppy", "linux"),
            (14, "kernal", "kernel"), (24, "twice", "21")]


def test_all_at_once(kind):
    with machine(kind, CONFIG, guest_modules("hello"), memory="256M") as m:
        m.expect_exact("Type help for a list of commands.")
        said = plain(m.before.decode(errors="replace"))
        m.expect_exact("insula> ")
        errors = [line for line in said.splitlines() if line.startswith("error: ")]
        print("\n".join(errors))
        for line, *words in EXPECTED:
            found = [e for e in errors if f"boot:insula.conf:{line}:" in e]
            assert found, f"nothing about line {line}:\n{said}"
            assert all(any(word in e for e in found) for word in words), found
        shown = states(m)
        assert shown == {"good": "stopped", "lost": "stopped"}, shown
        why = plain(m.command("vm start lost"))
        assert why.startswith("error: cannot start lost: ") and "boot modules" in why, why
        assert "hello from guest" in run_good(m)


def run_good(m):
    """What is right in the file works."""
    m.command("vm start good")
    m.send("vm console good\r")
    m.expect_exact("goodbye")
    said = m.before.decode(errors="replace")
    m.send("\x1d")
    m.expect_exact("[left the console of good]")
    return said
