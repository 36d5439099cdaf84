#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Reads and checks QCOW images of version 1, with backing file and compressed clusters.

Written from the public description alone: Mark McLoughlin's "The QCOW Image Format", as the format
document of the libqcow project has it. Shares nothing with the hypervisor's driver, on purpose.
"""
import os
import struct
import zlib

import image
import read_vhd

HEADER = struct.Struct(">4sIQIIQBBHIQ")
MAGIC = b"QFI\xfb"
COMPRESSED = 1 << 63  # in an entry of an L2 table
NO_CIPHER, AES = 0, 1
LONGEST_NAME = 1023
MOST_ENTRIES = 1 << 26  # of an L1 table, as far as memory is concerned


class Qcow1(image.Image):
    def __init__(self, path, options):
        super().__init__(path, options)
        if self.file.size < HEADER.size:
            raise image.Unreadable(f"{path}: too short for a header")
        (magic, version, self.name_offset, self.name_length, _, self.size, self.cluster_bits,
         self.l2_bits, self.padding, self.cipher, self.l1_offset) = HEADER.unpack(
             self.file.read(0, HEADER.size))
        if magic != MAGIC or version != 1:
            raise image.Unreadable(f"{path}: not of QCOW version 1")
        if not (9 <= self.cluster_bits <= 16 and 6 <= self.l2_bits <= 13):
            raise image.Unreadable(f"{path}: cluster bits {self.cluster_bits}, "
                                   f"L2 bits {self.l2_bits}")
        if self.cipher == AES:
            self.fatal.append("header cipher at 0x24: the content is encrypted")  # by right
        elif self.cipher != NO_CIPHER:
            self.bad("header cipher", 36, f"{self.cipher} is unknown", fatal=True)
        self.cluster = 1 << self.cluster_bits
        self.layout = image.Layout(self, self.file.size, "the end of the file")
        self.layout.place("header", 0, HEADER.size)
        self.parent = self.open_parent()
        self.l1 = self.read_l1()

    # Finding the structures

    def open_parent(self):
        if self.name_offset == 0:
            self.require(self.name_length == 0, "backing file name", 16,
                         f"{self.name_length} bytes of no offset")
            return None
        self.require(0 < self.name_length <= LONGEST_NAME, "backing file name", 16,
                     f"{self.name_length} bytes long")
        if not self.layout.place("backing file name", self.name_offset, self.name_length):
            return None
        name = os.fsdecode(self.file.read(self.name_offset, self.name_length))
        if "\0" in name or not name:
            self.bad("backing file name", self.name_offset, f"{name!r} is none", fatal=True)
            return None
        path = self.options.parent or os.path.join(os.path.dirname(self.path), name)
        try:
            parent = self.reader_of(path)(path, self.options.below(self.path))
        except image.Unreadable as error:
            self.bad("backing file", self.name_offset, f"cannot read: {error}", fatal=True)
            return None
        if parent.fatal:
            self.bad("backing file", self.name_offset, f"{path}: {parent.fatal[0]}", fatal=True)
        return parent

    def reader_of(self, path):
        """By the magic number if the caller does not know: the header has no field for it."""
        known = {"raw": image.Raw, "qcow": Qcow1, "vpc": read_vhd.Vhd}
        if self.options.parent_format:
            return known[self.options.parent_format]
        file = image.File(path)
        start = file.read(0, min(8, file.size))
        if start.startswith(MAGIC):
            return Qcow1
        return read_vhd.Vhd if start == b"conectix" else image.Raw

    def read_l1(self):
        count = -(-self.size // (self.cluster << self.l2_bits))
        if not self.layout.place("L1 table", self.l1_offset, count * 8) or count > MOST_ENTRIES:
            raise image.Unreadable(f"{self.path}: no L1 table of {count} entries in the file")
        table = struct.unpack(f">{count}Q", self.file.read(self.l1_offset, count * 8))
        for index, offset in enumerate(table):
            if offset:
                self.layout.place(f"L2 table {index} (L1 entry at {self.l1_offset + 8 * index:#x})",
                                  offset, 8 << self.l2_bits)
        return table

    def l2(self, index):
        """The L2 table of an index of the L1 table, () where there is none."""
        if self.l1[index] == 0:
            return ()
        return struct.unpack(f">{1 << self.l2_bits}Q",
                             self.file.read(self.l1[index], 8 << self.l2_bits))

    def place_of(self, entry):
        """Offset and length in the file of the cluster that an L2 entry names."""
        if not entry & COMPRESSED:
            return entry, self.cluster
        shift = 63 - self.cluster_bits
        return entry & ((1 << shift) - 1), (entry & ~COMPRESSED) >> shift

    # The content

    def inflate(self, entry):
        """The content of a compressed cluster, and whether its deflate stream ends as it should."""
        offset, length = self.place_of(entry)
        stream = zlib.decompressobj(-12)
        try:
            data = stream.decompress(self.file.read(offset, length), self.cluster + 1)
        except zlib.error as error:
            raise image.Unreadable(f"compressed cluster at {offset:#x}: {error}") from error
        if len(data) != self.cluster:
            raise image.Unreadable(f"compressed cluster at {offset:#x}: {len(data)} bytes of "
                                   f"{self.cluster}")
        return data, stream.eof and not stream.unused_data

    def chunks(self, start, end):
        span = self.cluster << self.l2_bits
        while start < end:
            index, stop = start // span, min(end, (start // span + 1) * span)
            if self.l1[index] == 0:
                yield from self.chunks_below(self.parent, start, stop)
            else:
                yield from self.table_chunks(self.l2(index), index * span, start, stop)
            start = stop

    def table_chunks(self, table, base, start, end):
        """The clusters of one L2 table, whose first stands for `base`."""
        while start < end:
            number = (start - base) // self.cluster
            entry, stop = table[number], min(end, base + (number + 1) * self.cluster)
            skip = (start - base) % self.cluster
            if entry == 0:
                yield from self.chunks_below(self.parent, start, stop)
            elif entry & COMPRESSED:
                yield start, self.inflate(entry)[0][skip:skip + stop - start]
            else:
                yield from self.chunks_at(start, entry + skip, stop - start)
            start = stop

    # The check

    def check(self):
        self.require(self.padding == 0, "header padding", 34, f"{self.padding:#x}")
        self.require(self.l1_offset % 8 == 0, "L1 table", self.l1_offset, "not aligned to 8 bytes")
        self.require(self.size > 0, "header size", 24, "zero")
        for index, offset in enumerate(self.l1):
            at = self.l1_offset + 8 * index
            if offset % self.cluster:
                self.bad(f"L1 entry {index}", at, f"{offset:#x} is not aligned to a cluster")
            if offset and offset + (8 << self.l2_bits) <= self.file.size:
                for number, entry in enumerate(self.l2(index)):
                    if entry:
                        self.check_entry(offset + 8 * number, (index << self.l2_bits) + number,
                                         entry)
        self.layout.report_overlaps()

    def check_entry(self, at, cluster, entry):
        offset, length = self.place_of(entry)
        name = f"cluster {cluster} (L2 entry at {at:#x})"
        self.require(cluster << self.cluster_bits < self.size, name, offset, "past the disk's end")
        inside = self.layout.place(name, offset, length)
        if entry & COMPRESSED and inside and self.cipher == NO_CIPHER:
            try:
                if not self.inflate(entry)[1]:
                    self.unusual(name, offset, "its deflate stream is not as long as said")
            except image.Unreadable as error:
                self.bad(name, offset, f"does not decode: {error}", fatal=True)
        if not entry & COMPRESSED:
            self.require(entry % self.cluster == 0, name, offset, "not aligned to a cluster")


if __name__ == "__main__":
    image.main(Qcow1, "QCOW version 1")
