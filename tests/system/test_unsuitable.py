# SPDX-License-Identifier: BSD-2-Clause
"""A CPU that cannot run VMs: the boot log says what is missing, and the prompt is there to use."""
from lab import guest_modules, machine, plain, prompt, states

CONFIG = """[vm.one]
memory = "8M"
boot = "multiboot"
kernel = "boot:hello.elf"
autostart = true
"""
CPUS = {
    "qemu": {"EPYC,-svm": "AMD-V", "EPYC,+svm,-npt": "nested paging",
             "qemu64,-svm,vendor=GenuineIntel": "VMX"},
    "bochs": {"core2_penryn_t9600": "EPT"},
}


def test_says_what_is_missing(kind):
    for cpu, missing in CPUS[kind].items():
        with machine(kind, CONFIG, guest_modules("hello"), memory="256M", cpu=cpu) as m:
            prompt(m)
            said = [line for line in plain(m.command("host log")).splitlines() if "MISSING, required" in line]
            print(cpu, said)
            assert any(missing in line for line in said), m.command("host log")
            look_around(m, missing)
            if kind == "qemu" and "-svm" in cpu:  # what only AMD-V could have is not said to lack
                assert len(said) == 1, said


def look_around(m, missing):
    assert states(m) == {"one": "stopped"}
    why = plain(m.command("vm start one"))
    print(why)
    assert why.startswith("error: cannot start one: ") and "host info" in why, why
    shown = m.json("host info")
    assert shown["virtualization"] is None
    lacking = [f["name"] for f in shown["features"] if f["required"] and not f["present"]]
    assert any(missing in name for name in lacking), shown
    assert missing in m.command("host info")
