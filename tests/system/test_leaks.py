# SPDX-License-Identifier: BSD-2-Clause
"""What the CPU leaks by speculation is said, and the barriers between two VMs are no fault of theirs.

No emulator speculates: that a barrier works cannot be seen here, only that it is chosen and taken.
"""
from lab import guest_modules, machine, plain, prompt

CONFIG = "".join(f"""[vm.{name}]
memory = "8M"
boot = "multiboot"
kernel = "boot:spin.elf"
autostart = true
""" for name in ("a", "b"))
MEANS = {  # of each CPU model: the words of the boot log, and one row
    ("qemu", None): ("nothing", "mds", "Not affected"),
    ("bochs", None): ("nothing", "mds", "Vulnerable: no microcode"),
    ("bochs", "corei7_icelake_u"): ("IBRS on, RSB filled", "l1tf", "Not affected"),
}


def test_means(kind):
    for (where, cpu), (means, name, status) in MEANS.items():
        if where == kind:
            with machine(kind, CONFIG, guest_modules("spin"), memory="256M", cpu=cpu) as m:
                prompt(m)
                said = [line for line in plain(m.command("host log")).splitlines() if "leaks" in line]
                rows = m.json("host cpus")[0]["vulnerabilities"]
                print(cpu, said, rows)
                assert len(said) == 1 and means in said[0], said
                assert rows[name] == status, rows
                took_turns(m)


def took_turns(m):
    """Both VMs run on the one CPU, so it changed from one to the other many times."""
    def times():
        return {vm["name"]: vm["cpu_time_ns"] for vm in m.json("vm list")}
    before = times()
    while not all(used > before[name] + 50e6 for name, used in times().items()):
        pass
