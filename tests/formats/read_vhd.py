#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Reads and checks VHD images: fixed, dynamic and differencing.

Written from Microsoft's "Virtual Hard Disk Image Format Specification", version 1.0, alone; quotes
in the comments are its section titles. Shares nothing with the hypervisor's driver, on purpose.
"""
import os
import re
import struct
import urllib.parse

import image

SECTOR = 512
FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4
UNUSED = 0xffffffff
NO_OFFSET = (0xffffffff, 0xffffffffffffffff)  # the text says the first, the field is 8 bytes
EPOCH = 946684800  # 2000-01-01 in the host's seconds
MOST_BYTES = 2040 << 30  # "Dynamic Hard Disk Image"
WINDOWS_RELATIVE, WINDOWS_ABSOLUTE, MAC_URL, MAC_ALIAS = b"W2ru", b"W2ku", b"MacX", b"Mac "
DEPRECATED = (b"Wi2r", b"Wi2k")
LARGEST_GEOMETRY = (65535, 16, 255)
MOST_ENTRIES = 1 << 26  # of a BAT, as far as memory is concerned

FOOTER = struct.Struct(">8sIIQI4sI4sQQHBBII16sB427s")
FOOTER_FIELDS = ("cookie features version data_offset time_stamp creator creator_version host "
                 "original_size current_size cylinders heads sectors type checksum unique_id "
                 "saved reserved").split()
HEADER = struct.Struct(">8sQQIIII16sII512s192s256s")
HEADER_FIELDS = ("cookie data_offset table_offset version entries block_size checksum parent_id "
                 "parent_time reserved parent_name locators reserved2").split()
LOCATOR = struct.Struct(">4sIIIQ")


def checksum(raw, at):
    """ "Checksum Calculation": the complement of the sum of all bytes but the checksum's own."""
    return ~(sum(raw) - sum(raw[at:at + 4])) & 0xffffffff


def geometry(sectors):
    """ "CHS Calculation": cylinders, heads and sectors per track of a disk."""
    sectors = min(sectors, 65535 * 16 * 255)
    if sectors >= 65535 * 16 * 63:
        return sectors // 255 // 16, 16, 255
    heads = max(4, (sectors // 17 + 1023) // 1024)
    if sectors // 17 < heads * 1024 and heads <= 16:
        return sectors // 17 // heads, heads, 17
    track = 31 if sectors // 31 < 16 * 1024 else 63
    return sectors // track // 16, 16, track


class Fields:
    """A structure of the file, its fields by name."""

    def __init__(self, layout, names, raw, offset, checksum_at):
        self.raw, self.offset = raw, offset
        self.__dict__.update(zip(names, layout.unpack(raw)))
        self.sound = self.checksum == checksum(raw, checksum_at)


def footer_fields(raw, offset):
    return Fields(FOOTER, FOOTER_FIELDS, raw, offset, 64)


class Vhd(image.Image):
    def __init__(self, path, options):
        super().__init__(path, options)
        self.parent = None
        self.table = ()
        self.footer = self.choose_footer()
        self.size = self.footer.current_size
        self.type = self.footer.type
        if self.type not in (FIXED, DYNAMIC, DIFFERENCING):
            raise image.Unreadable(f"{path}: disk type {self.type} is none that has content")
        self.layout = image.Layout(self, self.end, "the footer")
        if self.type == FIXED:
            self.layout.place("disk data", 0, self.size)
            return
        self.read_header()
        self.locators = self.read_locators()
        self.read_table()
        if self.type == DIFFERENCING:
            self.open_parent()

    # Finding the structures

    def choose_footer(self):
        """ "Checksum": a footer that does not add up is replaced by its copy at the start."""
        size = self.file.size
        if size < SECTOR:
            raise image.Unreadable(f"{self.path}: too short for a footer")
        raw, self.end = self.file.read(size - SECTOR, SECTOR), size - SECTOR
        if not raw.startswith(b"conectix") and raw[1:].startswith(b"conectix"):
            raw, self.end = raw[1:] + b"\0", size - 511  # before Virtual PC 2004
        last = footer_fields(raw, self.end)
        first = footer_fields(self.file.read(0, SECTOR), 0)
        self.copy = first
        if last.cookie == b"conectix" and last.sound:
            return last
        name = "footer cookie" if last.cookie != b"conectix" else "footer checksum"
        usable = first.cookie == b"conectix" and first.sound and first.type != FIXED
        if not usable and last.cookie != b"conectix" and first.cookie != b"conectix":
            raise image.Unreadable(f"{self.path}: no footer, neither at the end nor at the start")
        self.bad(name, self.end, "wrong" + (", its copy is good" if usable else ""),
                 fatal=not usable)
        if last.cookie != b"conectix":
            self.end = size
        return last if last.cookie == b"conectix" and not usable else first

    def read_header(self):
        offset = self.footer.data_offset
        self.layout.place("footer copy", 0, SECTOR)
        if not self.layout.place("dynamic header", offset, HEADER.size):
            raise image.Unreadable(f"{self.path}: no dynamic header at {offset:#x}")
        self.header = header = Fields(HEADER, HEADER_FIELDS, self.file.read(offset, HEADER.size),
                                      offset, 36)
        if header.cookie != b"cxsparse":
            raise image.Unreadable(f"{self.path}: no dynamic header at {offset:#x}")
        if not header.sound:
            self.bad("dynamic header checksum", offset + 36, "wrong", fatal=True)
        block = header.block_size
        if block < SECTOR or block & (block - 1):
            raise image.Unreadable(f"{self.path}: blocks of {block} bytes")
        self.block_sectors = block // SECTOR
        self.bitmap_bytes = -(-self.block_sectors // 8 // SECTOR) * SECTOR
        self.blocks = -(-self.size // block)

    def read_locators(self):
        """The parent locator entries that are in use: (code, offset of the entry, its bytes)."""
        found = []
        for index in range(8):
            at = self.header.offset + 576 + 24 * index
            code, space, length, reserved, offset = LOCATOR.unpack_from(self.header.locators,
                                                                        24 * index)
            name = f"parent locator {index + 1}"
            if self.type == DYNAMIC or code == bytes(4):
                self.require(not any((*code, space, length, reserved, offset)), name, at,
                             "not zero though unused")
                continue
            self.require(reserved == 0, name, at, "reserved field not zero")
            if space < SECTOR or space % SECTOR:
                space *= SECTOR
            else:
                self.unusual(name, at, "space given in bytes, not in sectors")
            self.require(0 < length <= space, name, at, f"{length} bytes in a space of {space}")
            if self.layout.place(name + " data", offset, max(space, length)):
                found.append((code, at, name, self.file.read(offset, length)))
        return found

    def read_table(self):
        offset, entries = self.header.table_offset, self.header.entries
        length = -(-entries * 4 // SECTOR) * SECTOR
        if entries < self.blocks:
            self.bad("dynamic header entries", self.header.offset + 28,
                     f"{entries} for {self.blocks} blocks", fatal=True)
        if not self.layout.place("BAT", offset, length) and offset + entries * 4 > self.file.size:
            raise image.Unreadable(f"{self.path}: the BAT is not in the file")
        if entries > MOST_ENTRIES:
            raise image.Unreadable(f"{self.path}: a BAT of {entries} entries")
        raw = self.file.read(offset, entries * 4)
        self.table = struct.unpack(f">{entries}I", raw)
        for index, sector in enumerate(self.table):
            if sector != UNUSED:
                self.layout.place(f"block {index} (BAT entry at {offset + 4 * index:#x})",
                                  sector * SECTOR, self.bitmap_bytes + self.header.block_size)

    # The parent of a differencing disk

    def locator_path(self, code, data):
        """The path in a locator as this machine would write it, or None if it is none."""
        try:
            if code == MAC_URL:
                return urllib.parse.unquote(urllib.parse.urlparse(data.decode()).path)
            if code not in (WINDOWS_RELATIVE, WINDOWS_ABSOLUTE):
                return None
            big = data[:1] == b"\0" and data[1:2] != b"\0"  # no file name starts with U+xx00
            text = data.decode("utf-16-be" if big else "utf-16-le").rstrip("\0")
        except ValueError:
            return None
        text = text.replace("\\", "/")
        absolute = re.match("([A-Za-z]:)?/", text) is not None
        if absolute != (code == WINDOWS_ABSOLUTE):
            return None
        return re.sub("^[A-Za-z]:", "", text)

    def parent_name(self):
        try:
            text = self.header.parent_name.decode("utf-16-be")
        except ValueError:
            return ""
        return text.split("\0")[0].replace("\\", "/").rsplit("/", maxsplit=1)[-1]

    def parent_paths(self):
        """Where the parent may be, the most portable way first."""
        here = os.path.dirname(self.path)
        paths = {code: self.locator_path(code, data) for code, _, _, data in self.locators}
        for code in (WINDOWS_RELATIVE, MAC_URL, WINDOWS_ABSOLUTE):
            if paths.get(code):
                yield os.path.join(here, paths[code])
        if self.parent_name():
            yield os.path.join(here, self.parent_name())

    def open_parent(self):
        below = self.options.below(self.path)
        given = self.options.parent
        candidates = [given] if given else list(self.parent_paths())
        path = next((p for p in candidates if os.path.isfile(p)), None)
        at = self.header.offset
        if path is None:
            tried = ", ".join(candidates) or "none named"
            self.bad("parent name", at + 64, f"no such file: {tried}", fatal=True)
            return
        try:
            self.parent = Vhd(path, below)
        except image.Unreadable as error:
            self.bad("parent", at + 40, f"cannot read: {error}", fatal=True)
            return
        if self.parent.fatal:
            self.bad("parent", at + 40, f"{path}: {self.parent.fatal[0]}", fatal=True)
        if self.parent.footer.unique_id != self.header.parent_id:
            self.bad("parent unique id", at + 40, f"not that of {path}", fatal=True)
        # "Modification of Parent Hard Disk Image": writers store the file's time or the footer's.
        file_time = int(os.stat(path).st_mtime) - EPOCH
        if self.header.parent_time not in (self.parent.footer.time_stamp, file_time):
            self.bad("parent time stamp", at + 56, f"{self.header.parent_time} is neither that in "
                     f"the footer of {path} nor that of the file")

    # The content

    def bitmap(self, index):
        """The bitmap of an allocated block as runs: (set, first sector, sectors)."""
        raw = self.file.read(self.table[index] * SECTOR, self.bitmap_bytes)
        bits = f"{int.from_bytes(raw, 'big'):0{len(raw) * 8}b}"[:self.block_sectors]
        for run in re.finditer("0+|1+", bits):
            yield bits[run.start()] == "1", run.start(), run.end() - run.start()

    def data_offset(self, index, sector=0):
        return self.table[index] * SECTOR + self.bitmap_bytes + sector * SECTOR

    def chunks(self, start, end):
        if self.type == FIXED:
            yield from self.file.chunks(start, end)
            return
        block = self.header.block_size
        while start < end:
            index, stop = start // block, min(end, (start // block + 1) * block)
            if self.table[index] == UNUSED:
                yield from self.chunks_below(self.parent, start, stop)
            else:
                yield from self.block_chunks(index, start, stop)
            start = stop

    def block_chunks(self, index, start, end):
        base = index * self.header.block_size
        for own, sector, count in self.bitmap(index):
            first = max(start, base + sector * SECTOR)
            stop = min(end, base + (sector + count) * SECTOR)
            if first < stop and own:
                yield from self.chunks_at(first, self.data_offset(index) + first - base,
                                          stop - first)
            elif first < stop:
                yield from self.chunks_below(self.parent, first, stop)

    # The check

    def check(self):
        self.check_footer()
        if self.type != FIXED:
            self.check_copy()
            self.check_header()
            self.check_blocks()
        if self.type == DIFFERENCING:
            self.check_names()
        self.layout.report_overlaps()

    def check_footer(self):
        f, at = self.footer, self.footer.offset
        self.require(f.features & ~1 == 2, "footer features", at + 8, f"{f.features:#x}")
        self.require(f.version == 0x10000, "footer version", at + 12, f"{f.version:#x}")
        self.require(self.size and self.size % SECTOR == 0,
                     "footer current size", at + 48, f"{self.size} is no number of sectors")
        self.require(f.saved in (0, 1), "footer saved state", at + 84, f"{f.saved}")
        self.require(not any(f.reserved), "footer reserved", at + 85, "not zero")
        self.require(any(f.unique_id), "footer unique id", at + 68, "zero")
        chs = (f.cylinders, f.heads, f.sectors)
        expected = geometry(self.size // SECTOR)
        if chs == LARGEST_GEOMETRY != expected:
            self.unusual("footer geometry", at + 56, f"the largest, by the size {expected}")
        else:
            self.require(chs == expected, "footer geometry", at + 56, f"{chs}, not {expected}")
        if self.type == FIXED:
            self.require(f.data_offset in NO_OFFSET, "footer data offset", at + 16,
                         f"{f.data_offset:#x} on a fixed disk")
            self.require(self.size >= self.end, "footer current size", at + 48,
                         f"{self.size}, but the footer is at {self.end}")
        else:
            self.require(f.data_offset % SECTOR == 0, "footer data offset", at + 16,
                         f"{f.data_offset:#x} is no sector")
            self.require(self.size <= MOST_BYTES, "footer current size", at + 48,
                         f"{self.size} is above 2040 GiB")

    def check_copy(self):
        if self.footer is self.copy:
            return
        if self.copy.raw[:511] != self.footer.raw[:511]:
            names = [n for n in FOOTER_FIELDS if getattr(self.copy, n) != getattr(self.footer, n)]
            self.bad("footer copy", 0, f"differs from the footer in {', '.join(names)}")
        elif self.file.size - self.end == SECTOR:
            self.require(self.copy.raw == self.footer.raw, "footer copy", 0, "differs")

    def check_header(self):
        h, at = self.header, self.header.offset
        self.require(h.data_offset in NO_OFFSET, "dynamic header data offset", at + 8,
                     f"{h.data_offset:#x}")
        self.require(h.version == 0x10000, "dynamic header version", at + 24, f"{h.version:#x}")
        self.require(h.entries <= self.blocks, "dynamic header entries", at + 28,
                     f"{h.entries} for {self.blocks} blocks")
        self.require(h.table_offset % SECTOR == 0, "dynamic header table offset", at + 16,
                     f"{h.table_offset:#x} is no sector")
        self.require(h.reserved == 0 and not any(h.reserved2), "dynamic header reserved", at + 60,
                     "not zero")
        if self.type == DYNAMIC:
            self.require(not any(h.parent_id) and h.parent_time == 0 and not any(h.parent_name),
                         "dynamic header parent", at + 40, "named by a disk that has none")
        padding = -h.entries * 4 % SECTOR
        if h.table_offset + h.entries * 4 + padding <= self.file.size:
            raw = self.file.read(h.table_offset + h.entries * 4, padding)
            if raw != b"\xff" * padding:
                self.unusual("BAT", h.table_offset + h.entries * 4, "padding is not all ones")

    def check_blocks(self):
        """ "Block Allocation Table and Data Blocks": what the bitmap leaves out is zero."""
        length = self.bitmap_bytes + self.header.block_size
        for index, first in enumerate(self.table):
            if first == UNUSED or first * SECTOR + length > self.file.size:
                continue
            for own, sector, count in self.bitmap(index):
                start = self.data_offset(index, sector)
                if not own and any(any(data) for _, data in
                                   self.file.chunks(start, start + count * SECTOR)):
                    self.bad(f"block {index} bitmap", first * SECTOR,
                             f"clear for sectors {sector} to {sector + count - 1} of the block, "
                             "which are not zero")

    def check_names(self):
        at = self.header.offset
        self.require(any(self.header.parent_id), "parent unique id", at + 40, "zero")
        self.require(self.parent_name(), "parent name", at + 64, "no text")
        self.require(self.locators, "parent locator", at + 576, "none in use")
        for code, where, name, data in self.locators:
            path = self.locator_path(code, data)
            if code in DEPRECATED:
                self.unusual(name, where, f"of the deprecated kind {code.decode()}")
            elif code not in (WINDOWS_RELATIVE, WINDOWS_ABSOLUTE, MAC_URL, MAC_ALIAS):
                self.bad(name, where, f"of the unknown kind {code}")
            elif code != MAC_ALIAS:
                self.require(path and os.path.basename(path) == self.parent_name(), name, where,
                             f"leads to {path}, the parent's name is {self.parent_name()!r}")
            if code in (WINDOWS_RELATIVE, WINDOWS_ABSOLUTE) and data[:1] == b"\0":
                self.unusual(name, where, "in the other byte order than Windows'")


if __name__ == "__main__":
    image.main(Vhd, "VHD")
