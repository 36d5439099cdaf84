#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Turns `nm` output on stdin into the assembly source of the table that hv/base/symtab.c reads.

Keeps functions only: text symbols but those of linker.ld (image_*). Empty input gives an empty
table, for the first link. The section stands last in linker.ld, so that its size moves nothing.
What a record consists of stands in hv/base/symtab.h.
"""
import os
import sys

HEAD = """\
.section .symtab_insula, "a"
.balign 8
.globl symtab_groups, symtab_count, symtab_records"""
GROUP = 32  # SYMTAB_GROUP
LONGEST = 47  # SYMTAB_NAME and no NUL


def functions(lines):
    """{address: name}; of aliases the first by alphabet stands for all."""
    found = {}
    for fields in map(str.split, lines):
        if len(fields) == 3 and fields[1] in "tTwW" and not fields[2].startswith(("image_", ".")):
            addr = int(fields[0], 16)
            found[addr] = min(fields[2], found.get(addr, fields[2]))
    return dict(sorted(found.items()))


def distance(value):
    """Seven bits a byte, lowest first."""
    out = []
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out + [value])


def main():
    groups, records = [], b""
    for i, (addr, name) in enumerate(functions(sys.stdin).items()):
        if i % GROUP == 0:
            groups.append((addr, len(records)))
            addr_before, name_before = addr, ""
        name = name[:LONGEST]
        shared = len(os.path.commonprefix([name_before, name]))
        records += distance(addr - addr_before) + bytes([shared]) + name[shared:].encode() + b"\0"
        addr_before, name_before = addr, name
    print(HEAD)
    print("symtab_groups:", *(f".quad {addr:#x}, {record}" for addr, record in groups), sep="\n")
    print(f"symtab_count: .quad {i + 1 if groups else 0}")
    print("symtab_records:", *(f".byte {byte}" for byte in records), sep="\n")
    print('.section .note.GNU-stack, ""')


main()
