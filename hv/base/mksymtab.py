#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Turns `nm` output on stdin into the assembly source of the table that hv/base/symtab.c reads.

Keeps functions only: text symbols but those of linker.ld (image_*). Empty input gives an empty
table, for the first link. The section stands last in linker.ld, so that its size moves nothing.
"""
import sys

HEAD = """\
.section .symtab_insula, "a"
.balign 8
.globl symtab_entries, symtab_count, symtab_names
"""


def main():
    rows = set()
    for line in sys.stdin:
        fields = line.split()
        if len(fields) == 3 and fields[1] in "tTwW" and not fields[2].startswith(("image_", ".")):
            rows.add((int(fields[0], 16), fields[2]))
    out, names, offset = [HEAD, "symtab_entries:"], ["symtab_names:"], 0
    last = None
    for addr, name in sorted(rows):
        if addr == last:  # an alias: the first name by alphabet stands for all
            continue
        last = addr
        out.append(f".quad {addr:#x}, {offset}")
        names.append(f'.asciz "{name}"')
        offset += len(name) + 1
    out.append(f"symtab_count: .quad {len(names) - 1}")
    print("\n".join(out + names + ['.section .note.GNU-stack, ""']))


main()
