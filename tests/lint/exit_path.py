# SPDX-License-Identifier: BSD-2-Clause
"""After an exit no general register keeps a guest's value: follows the image's disassembly.

From the instruction behind each VMRUN, and from VT-x' exit points, everything runs in a line. Before the
first call, return or the end of masked NMIs, each register must have been written anew. There is no
jump before it: mispredicted, it would lead past what is done about speculation (barrier_switch.S).
"""
import re

NAMES = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split()
FULL = {name: name for name in NAMES}
FULL.update({"e" + name[1:]: name for name in NAMES[:8]})
FULL.update({name + "d": name for name in NAMES[8:]})
STARTS = (  # the first instruction, what is the host's there
    ("VMRUN", r":\tvmrun.*\n", {"rsp", "rax"}),
    ("vmx_exit", r"<vmx_exit_(?:point|guarded)>:\n", {"rsp"}),
)
END = re.compile(r"call|j\w+|ret|stgi|sti$")
WRITES = (r"xor +%(\w+),%\1$", r"pop +%(\w+)$", r"mov +-?\w*\(%\w+\),%(\w+)$", r"xchg +%(\w+),\(")


def kept(asm, at, own):
    """(registers that a guest's value is still in, the instruction that comes too early)"""
    left = set(NAMES) - own
    for line in asm[at:].splitlines():
        insn = line.split("\t", 1)[-1].split("#")[0].strip()
        if END.match(insn):
            return left, insn
        for pattern in WRITES:
            found = re.match(pattern, insn)
            if found and found[1] in FULL:
                left.discard(FULL[found[1]])
    raise ValueError("no end")


def exits(asm):
    """[(name, where its first instruction is, what is the host's there)]: two of each."""
    found = [(name, match.end(), own) for name, begin, own in STARTS for match in re.finditer(begin, asm)]
    if [name for name, _, _ in found] != [name for name, _, _ in STARTS for _ in range(2)]:
        raise ValueError(f"exits: {found}")
    return found


def check(asm):
    complaints = []
    for name, at, own in exits(asm):
        left, insn = kept(asm, at, own)
        if left:
            complaints.append(f"{name}: a guest's {' '.join(sorted(left))} at {insn!r}")
        if insn.startswith("j"):
            complaints.append(f"{name}: {insn!r} could be mispredicted")
    return complaints


def self_test(asm):
    """Each line that clears a register is missed; RAX and RDI are the host's before theirs."""
    complaints = []
    for name, at, own in exits(asm):
        end = at + re.search(r"\t(?:ret|call)", asm[at:]).start()
        for line in re.findall(r".*\t(?:xor|pop) +%(?!rax|rdi).*\n", asm[at:end]):
            without = asm[:at] + asm[at:].replace(line, "", 1)
            if not kept(without, at, own)[0]:
                complaints.append(f"self-test: {name} passes without {line.strip()}")
    return complaints
