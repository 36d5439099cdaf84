# SPDX-License-Identifier: BSD-2-Clause
"""Reading a VM's memory from root mode faults: of another VM always, of its own outside its map."""
import re

from lab import guest_modules, machine, plain, prompt

CONFIG = "".join(f"""[vm.{name}]
memory = "8M"
boot = "multiboot"
kernel = "boot:spin.elf"
autostart = true
""" for name in ("a", "b"))


def test_isolation(kind):
    with machine(kind, CONFIG, guest_modules("spin"), memory="256M", cpus=2) as m:
        prompt(m)
        said = plain(m.command("host isolation"))
        print(said)
    views = re.split(r"From a thread of (.*):\n", said)[1:]
    assert views[0::2] == ["the hypervisor", "a", "b"]
    for view in views[1::2]:  # the RAM of every VM, at every other place than its own map
        for name in ("a", "b"):
            assert re.search(rf"(?m)^  {name} +[0-9a-f]+  page fault$", view), view
        assert re.search(r"own memory +[0-9a-f]+  readable", view), view
    assert re.search(r"VM's RAM is mapped +[0-9a-f]+  page fault", views[1])
    assert "WRONG" not in said
    assert said.splitlines()[-1] == "Every read ended as it must."
