# SPDX-License-Identifier: BSD-2-Clause
"""After an exit no general register keeps a guest's value: follows the image's disassembly.

From the instruction behind VMRUN, and from vmx_exit_point, everything runs in a line. Before the
first call, jump, return or the end of masked NMIs, each register must have been written anew.
"""
import re

NAMES = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split()
FULL = {name: name for name in NAMES}
FULL.update({"e" + name[1:]: name for name in NAMES[:8]})
FULL.update({name + "d": name for name in NAMES[8:]})
STARTS = (  # the first instruction, what is the host's there
    ("VMRUN", r":\tvmrun.*\n", {"rsp", "rax"}),
    ("vmx_exit_point", r"<vmx_exit_point>:\n", {"rsp"}),
)
END = re.compile(r"call|j\w+|ret|stgi|sti$")
WRITES = (r"xor +%(\w+),%\1$", r"pop +%(\w+)$", r"mov +-?\w*\(%\w+\),%(\w+)$", r"xchg +%(\w+),\(")


def kept(asm, begin, own):
    """(registers that a guest's value is still in, the instruction that comes too early)"""
    left = set(NAMES) - own
    for line in asm[re.search(begin, asm).end():].splitlines():
        insn = line.split("\t", 1)[-1].split("#")[0].strip()
        if END.match(insn):
            return left, insn
        for pattern in WRITES:
            found = re.match(pattern, insn)
            if found and found[1] in FULL:
                left.discard(FULL[found[1]])
    raise ValueError("no end")


def check(asm):
    complaints = []
    for name, begin, own in STARTS:
        left, insn = kept(asm, begin, own)
        if left:
            complaints.append(f"{name}: a guest's {' '.join(sorted(left))} at {insn!r}")
    return complaints


def self_test(asm):
    """Each line that clears a register is missed; RAX and RDI are the host's before theirs."""
    complaints = []
    for name, begin, own in STARTS:
        at = re.search(begin, asm).end()
        for line in re.findall(r".*\t(?:xor|pop) +%(?!rax|rdi).*\n", asm[at:at + asm[at:].index("\tret")]):
            without = asm[:at] + asm[at:].replace(line, "", 1)
            if not kept(without, begin, own)[0]:
                complaints.append(f"self-test: {name} passes without {line.strip()}")
    return complaints
