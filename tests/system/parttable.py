#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes partition tables into disk images, for tests: MBR and GPT, from their specifications."""
import struct
import uuid
import zlib

SECTOR = 512
LINUX_GUID = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
DISK_GUID = uuid.UUID("7d5f1d3e-5c0f-4e59-9f0c-30a1b2c3d4e5")
ENTRIES, ENTRY_SIZE = 128, 128
TABLE_SECTORS = ENTRIES * ENTRY_SIZE // SECTOR


def mbr(parts):
    """The first sector for up to four (type, first sector, sectors)."""
    entries = b"".join(struct.pack("<B3sB3sII", 0, b"\0" * 3, kind, b"\0" * 3, first, count)
                       for kind, first, count in parts)
    return b"\0" * 446 + entries.ljust(64, b"\0") + b"\x55\xaa"


def write_mbr(path, parts):
    with open(path, "r+b") as file:
        file.write(mbr(parts))


def gpt_header(me, other, entries_at, last, table):
    def pack(crc):
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, me, other,
                           2 + TABLE_SECTORS, last, DISK_GUID.bytes_le, entries_at, ENTRIES,
                           ENTRY_SIZE, zlib.crc32(table))
    return pack(zlib.crc32(pack(0))).ljust(SECTOR, b"\0")


def write_gpt(path, parts):
    """parts: (name, first sector, sectors)."""
    with open(path, "r+b") as file:
        total = file.seek(0, 2) // SECTOR
        table = b"".join(struct.pack("<16s16sQQQ72s", LINUX_GUID.bytes_le, uuid.uuid4().bytes_le,
                                     first, first + count - 1, 0, name.encode("utf-16le"))
                         for name, first, count in parts).ljust(ENTRIES * ENTRY_SIZE, b"\0")
        last = total - 2 - TABLE_SECTORS
        for at, data in ((0, mbr([(0xee, 1, total - 1)])),
                         (1, gpt_header(1, total - 1, 2, last, table)), (2, table),
                         (last + 1, table),
                         (total - 1, gpt_header(total - 1, 1, last + 1, last, table))):
            file.seek(at * SECTOR)
            file.write(data)
