# SPDX-License-Identifier: BSD-2-Clause
"""flood.*: what is left to others while one guest floods their network with the shortest packets, to one
machine and to all in turn. Four VMs of equal weight share a CPU: one floods, one computes, one sends a
stream of 1,500-byte packets to the fourth. flood.cpu_share is the computing one's part of the CPU, by its own
count, in percent of the quarter that is its share; flood.stream the stream's rate, in percent of what
it is while the first VM computes instead of flooding."""
import emulated

NAMES = ("flood.cpu_share", "flood.stream")
MODULES = {"work.elf": "build/guests/work.elf", "bench.elf": "build/guests/net_bench.elf"}
COMPUTES = ("work", "ms=100")
VMS = {"floods": ("bench", "flood from=1 to=4"), "busy": COMPUTES, "computes": COMPUTES,
       "from": ("bench", f"send=1514 count={1 << 60} from=3 to=4"), "to": ("bench", "report=1000")}
MACS = {"floods": 1, "busy": 1, "computes": 2, "from": 3, "to": 4}
BETWEEN = ("to", "from", "computes")  # in the order of their start
SHARE = 1 / (1 + len(BETWEEN))
REPORTS = 20
EARLY = 2  # reports from before all VMs ran


def config(names):
    text = "[net.lan]\n"
    for name in names:
        kernel, arguments = VMS[name]
        text += (f'[vm.{name}]\nmemory = "16M"\nboot = "multiboot"\nkernel = "boot:{kernel}.elf"\n'
                 f'cmdline = "{arguments}"\nautostart = true\nballoon = false\n'
                 f'nics = [{{ net = "lan", mac = "52:54:00:00:00:0{MACS[name]}" }}]\n')
    return text


def rate(machine, name):
    """What it counts by tick of the TSC; a report is "WORD COUNT at TICK"."""
    said = []
    machine.send(f"vm console {name}\r")
    while len(said) <= EARLY + REPORTS:
        machine.expect(rb"\w (\d+) at (\d+)\r?\n")
        said.append(tuple(map(int, machine.match.groups())))
    machine.send("\x1d")
    machine.expect_exact("[left the console of")
    machine.expect_exact("insula> ")
    (c0, t0), (c1, t1) = said[EARLY], said[-1]
    return (c1 - c0) / (t1 - t0)


def rates(kind, names, wanted):
    with emulated.insula(kind, config(names), MODULES) as machine:
        return [rate(machine, name) for name in wanted]


def measure(kind):
    alone, = rates(kind, ("computes",), ("computes",))
    got = {name: rates(kind, (*BETWEEN, name), ("computes", "to")) for name in ("busy", "floods")}
    yield {"name": "flood.cpu_share", "value": round(100 * got["floods"][0] / alone / SHARE, 1),
           "unit": "% of its share", "beside_busy": round(100 * got["busy"][0] / alone / SHARE, 1)}
    yield {"name": "flood.stream", "value": round(100 * got["floods"][1] / got["busy"][1], 1),
           "unit": "% of its rate",
           "instructions_a_packet": {name: round(1 / stream) for name, (_, stream) in got.items()}}
