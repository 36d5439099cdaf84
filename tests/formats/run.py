#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests the readers here beside qemu-img, vhdiinfo and 7z, on sound and on damaged images.

run.py [NAME]: only tests whose name contains NAME. Works in build/formats.
"""
import argparse
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import traceback

os.chdir(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = ["tests", "tests/formats"]
import image  # noqa: E402
import read_qcow1  # noqa: E402
import read_vhd  # noqa: E402
import results  # noqa: E402

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
READERS = {"vpc": read_vhd.Vhd, "qcow": read_qcow1.Qcow1}
TIME_LIMIT = 300  # seconds for one run of another program
OLD_TIME = 500  # a time stamp that is the one of no file


def tool(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
                          stderr=subprocess.STDOUT, timeout=TIME_LIMIT)
    text = done.stdout.decode(errors="replace")
    assert done.returncode == 0, f"{' '.join(argv)}: status {done.returncode}\n{text}"
    return text


def read(file_format, path, out=None, check=True, strict=False, **options):
    """What the reader says of an image: (status, lines)."""
    arguments = {"parent": None, "parent_format": None, **options}
    return image.run(READERS[file_format], argparse.Namespace(
        image=path, out=out, check=check, strict=strict, **arguments))


def content(path, size, seed):
    """A raw file, sparse, with data at its ends, at places around 2 MiB, and at some of chance."""
    rng = random.Random(seed)
    with open(path, "wb") as file:
        file.truncate(size)
        for at in [0, 2 * MIB - 700, 2 * MIB + 5 * KIB, size - 300, *rng.choices(range(size), k=3)]:
            length = min(size - at, rng.choice((1, 511, 512, 4096, 70000)))
            if 0 <= at and length > 0:
                file.seek(at)
                file.write(rng.randbytes(length // 2) + b"ab" * (length // 4 + 1))
        file.truncate(size)
    return path


def accepted(file_format, path, **options):
    """The reader finds nothing to blame and reads what qemu-img reads."""
    assert read(file_format, path, "out.raw", **options) == (0, []), (path, read(file_format, path))
    same("out.raw", "raw", path, file_format)


def same(first, first_format, second, second_format):
    """To qemu-img, two images have one size and one content; a difference in size is a warning."""
    said = tool("qemu-img", "compare", "-f", first_format, "-F", second_format, first, second)
    assert said == "Images are identical.\n", said


def by_7z(path):
    """The content of an image, as 7z reads it."""
    return subprocess.run(["7z", "x", "-so", path], stdout=subprocess.PIPE, check=True,
                          stderr=subprocess.DEVNULL, timeout=TIME_LIMIT).stdout


def patch(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset, os.SEEK_END if offset < 0 else os.SEEK_SET)
        file.write(data)


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def found(file_format, path, structure, status=1):
    """The reader blames the structure, by name, with that status, in its first line or another."""
    got, lines = read(file_format, path)
    assert got == status and any(structure in line for line in lines), (structure, got, lines)


# VHD


def test_vhd_geometry():
    """The CHS algorithm against qemu-img's, in each of its branches and at their edges."""
    for sectors in (1, 68, 4 * 1024 * 17 - 1, 4 * 1024 * 17, 16 * 1024 * 17, 16 * 1024 * 31 + 9,
                    16 * 1024 * 63, 65535 * 16 * 63 - 1, 65535 * 16 * 63, 65535 * 16 * 255):
        tool("qemu-img", "create", "-q", "-f", "vpc", "g.vhd", str(sectors * 512))
        assert read("vpc", "g.vhd", strict=True) == (0, []), (sectors, read("vpc", "g.vhd"))


def test_vhd_of_qemu():
    for seed, size in enumerate((1, 5000001, 33 * MIB + 1536, 200 * GIB)):
        raw = content("in.raw", size, seed)
        for kind in ("dynamic", "fixed"):
            for force in ("off", "on"):
                tool("qemu-img", "convert", "-f", "raw", "-O", "vpc", "-o",
                     f"subformat={kind},force_size={force}", raw, "q.vhd")
                accepted("vpc", "q.vhd")
    assert "Dynamic" in tool("vhdiinfo", vhd("d.vhd"))


def vhd(path, size=9 * MIB, kind="dynamic"):
    """A VHD of qemu-img's with some content, of the size asked for."""
    raw = content("vhd.raw", size, 77)
    tool("qemu-img", "convert", "-f", "raw", "-O", "vpc", "-o", f"subformat={kind},force_size=on",
         raw, path)
    return path


def sealed(raw, at):
    """The bytes of a footer or header with the checksum put right."""
    raw = raw[:at] + bytes(4) + raw[at + 4:]
    return raw[:at] + struct.pack(">I", read_vhd.checksum(raw, at)) + raw[at + 4:]


def locator_data(code, name):
    if code == b"MacX":
        return b"file://localhost" + os.path.abspath(name).encode()
    return (".\\" + name if code == b"W2ru" else "C:\\old\\" + name).encode("utf-16-le")


def differencing(path, parent, size, written, block=512 * KIB, codes=(b"W2ru", b"W2ku")):
    """Makes a differencing disk that holds the sectors of `written`, a dictionary."""
    parent_footer = read_vhd.Vhd(parent, image.Options()).footer
    blocks = sorted({sector * 512 // block for sector in written})
    entries = -(-size // block)
    table = [0xffffffff] * (-(-entries // 128) * 128)
    locators, texts = b"", b""
    first = 1536 + 4 * len(table)
    for code in codes:
        text = locator_data(code, parent)
        locators += struct.pack(">4sIIIQ", code, 1, len(text), 0, first + len(texts))
        texts += text.ljust(512, b"\0")
    body = b""
    for index in blocks:
        table[index] = (first + len(texts) + len(body)) // 512
        bitmap, data = bytearray(512), bytearray(block)
        for sector, piece in written.items():
            inside = sector - index * block // 512
            if 0 <= inside < block // 512:
                bitmap[inside // 8] |= 0x80 >> inside % 8
                data[inside * 512:inside * 512 + 512] = piece
        body += bitmap + data
    header = sealed(struct.pack(
        ">8sQQIIII16sII512s192s256s", b"cxsparse", (1 << 64) - 1, 1536, 0x10000, entries, block, 0,
        parent_footer.unique_id, parent_footer.time_stamp, 0, parent.encode("utf-16-be"), locators,
        b""), 36)
    footer = sealed(struct.pack(
        ">8sIIQI4sI4sQQHBBII16sB427s", b"conectix", 2, 0x10000, 512, OLD_TIME, b"test", 0, b"Wi2k",
        size, size, *read_vhd.geometry(size // 512), 4, 0, os.urandom(16), 0, b""), 64)
    with open(path, "wb") as file:
        file.write(footer + header + struct.pack(f">{len(table)}I", *table) + texts + body + footer)
    return path


def overlay(parent, size, written):
    """The content of a parent, cut or filled up to the size, with sectors written over."""
    data = bytearray(parent[:size].ljust(size, b"\0"))
    for sector, piece in written.items():
        data[sector * 512:sector * 512 + 512] = piece
    return bytes(data)


def sectors(seed, size, count=40):
    """Sectors to write: some of chance, a run of them, the last one, and zeros over data."""
    rng = random.Random(seed)
    places = [*rng.sample(range(size // 512), count), *range(1020, 1030), size // 512 - 1]
    return {**{place: rng.randbytes(512) for place in places}, 0: bytes(512)}


def test_vhd_differencing():
    """Children and grandchildren of every kind of parent; 7z and vhdiinfo agree about them."""
    for kind, size, child_size in (("dynamic", 5 * MIB, 5 * MIB), ("fixed", 5 * MIB, 5 * MIB),
                                   ("dynamic", 3 * MIB, 5 * MIB), ("fixed", 5 * MIB, 3 * MIB)):
        vhd("parent.vhd", size, kind)
        tool("qemu-img", "convert", "-f", "vpc", "-O", "raw", "parent.vhd", "parent.raw")
        first, second = sectors(1, child_size), sectors(2, child_size)
        differencing("child.vhd", "parent.vhd", child_size, first)
        differencing("grandchild.vhd", "child.vhd", child_size, second, block=2 * MIB)
        with open("parent.raw", "rb") as file:
            middle = overlay(file.read(), child_size, first)
        for path, data in (("child.vhd", middle),
                           ("grandchild.vhd", overlay(middle, child_size, second))):
            assert read("vpc", path, "out.raw", strict=True) == (0, []), read("vpc", path)
            with open("out.raw", "rb") as file:
                assert file.read() == data, (path, kind)
            if size == child_size:
                assert by_7z(path) == data, (path, kind)
    info = tool("vhdiinfo", "child.vhd")
    assert "Differential" in info and "parent.vhd" in info, info


def test_vhd_finds_parent():
    """By each kind of locator, by the name alone, and by the command line."""
    vhd("parent.vhd")
    for codes in ((b"W2ru",), (b"W2ku",), (b"MacX",), (b"W2ku", b"MacX", b"W2ru")):
        differencing("child.vhd", "parent.vhd", 9 * MIB, {5: b"x" * 512}, codes=codes)
        assert read("vpc", "child.vhd") == (0, []), read("vpc", "child.vhd")
    os.rename("parent.vhd", "moved.vhd")
    found("vpc", "child.vhd", "parent name")
    assert read("vpc", "child.vhd", "out.raw")[0] == 2
    assert read("vpc", "child.vhd", "out.raw", parent="moved.vhd") == (0, [])


def test_vhd_strict():
    """What only --strict blames, each by its name."""
    path = vhd("strict.vhd")
    assert any("footer geometry" in line for line in read("vpc", path, strict=True)[1])
    patch(path, 1536 + 4 * 5, bytes(4))
    assert any("BAT at" in line for line in read("vpc", path, strict=True)[1])
    assert read("vpc", path) == (0, [])
    differencing("child.vhd", path, 9 * MIB, {5: b"x" * 512}, codes=(b"W2ru", b"MacX"))
    assert read("vpc", "child.vhd", strict=True) == (0, [])
    patch("child.vhd", 2048, locator_data(b"W2ru", path).decode("utf-16-le").encode("utf-16-be"))
    seal("child.vhd", "header", 576 + 24 + 4, number(512))
    status, lines = read("vpc", "child.vhd", strict=True)
    assert status == 1 and "byte order" in lines[1] and "in bytes" in lines[0], lines
    assert read("vpc", "child.vhd") == (0, [])


def test_vhd_every_byte():
    """No byte of a footer, its copy or the header can change unseen."""
    for kind, ranges in (("dynamic", ((0, 1536), (-512, 0))), ("fixed", ((-512, 0),))):
        path = vhd("sound.vhd", 2 * MIB, kind)
        size = os.path.getsize(path)
        for start, end in ranges:
            for offset in range(start % size, end % size or size):
                flip(path, offset)
                status, lines = read("vpc", path)
                assert status != 0 and lines, (kind, offset)
                flip(path, offset)
        assert read("vpc", path) == (0, [])


def seal(path, where, at, field):
    """Changes bytes of the footer (both) or the header, with the checksum put right."""
    size = os.path.getsize(path)
    places, length = {"footer": ([0, size - 512], 512), "copy": ([0], 512),
                      "fixed": ([size - 512], 512), "header": ([512], 1024)}[where]
    for place in places:
        with open(path, "rb") as file:
            file.seek(place)
            raw = file.read(length)
        raw = raw[:at] + field + raw[at + len(field):]
        patch(path, place, sealed(raw, 36 if where == "header" else 64))


def number(value, length=4):
    return value.to_bytes(length, "big")


# Of the footer and the header with right checksums: where, offset, bytes, who is to blame
FOOTER_DAMAGES = (
    ("footer", 8, number(0), "footer features"), ("footer", 8, number(6), "footer features"),
    ("footer", 12, number(0x20000), "footer version"),
    ("footer", 16, number(513, 8), "cannot read"),
    ("footer", 16, number(1 << 60, 8), "dynamic header"),
    ("footer", 48, number(9 * MIB + 1, 8), "footer current size"),
    ("footer", 48, number(0, 8), "footer current size"),
    ("footer", 48, number(11 * MIB, 8), "dynamic header entries"),
    ("footer", 48, number(7 * MIB, 8), "dynamic header entries"),
    ("footer", 48, number(2041 * GIB, 8), "2040 GiB"),
    ("footer", 56, number(1, 2), "footer geometry"), ("footer", 58, b"\5", "footer geometry"),
    ("footer", 60, number(0), "disk type"), ("footer", 60, number(6), "disk type"),
    ("footer", 68, bytes(16), "footer unique id"), ("footer", 84, b"\2", "footer saved state"),
    ("footer", 300, b"\1", "footer reserved"), ("copy", 24, number(7), "footer copy"),
    ("header", 8, number(5, 8), "dynamic header data offset"),
    ("header", 16, number(1, 8), "table offset"), ("header", 16, number(1 << 40, 8), "BAT"),
    ("header", 16, number(1024, 8), "BAT"),
    ("header", 24, number(0x20000), "dynamic header version"),
    ("header", 28, number(4), "dynamic header entries"),
    ("header", 28, number(6), "dynamic header entries"),
    ("header", 32, number(3 * MIB), "blocks of"), ("header", 32, number(256), "blocks of"),
    ("header", 40, b"\1", "dynamic header parent"), ("header", 56, b"\1", "dynamic header parent"),
    ("header", 60, b"\1", "dynamic header reserved"),
    ("header", 64, b"\0a", "dynamic header parent"),
    ("header", 576, b"W2ru", "parent locator 1"), ("header", 576 + 7 * 24 + 12, b"\1", "locator 8"),
    ("header", 1000, b"\1", "dynamic header reserved"),
)
FIXED_DAMAGES = (
    ("fixed", 16, number(512, 8), "footer data offset"),
    ("fixed", 48, number(9 * MIB - 512, 8), "footer current size"),
    ("fixed", 48, number(9 * MIB + 512, 8), "disk data"),
    ("fixed", 48, number(90 * MIB, 8), "disk data"),
)


def damaged(file_format, path, cases):
    """Each case is (what to do to a copy, its arguments, who is to blame)."""
    assert read(file_format, path) == (0, []), read(file_format, path)
    for action, arguments, structure in cases:
        shutil.copy(path, "damaged")
        action("damaged", *arguments)
        status = 2 if structure in ("cannot read", "disk type", "blocks of") else 1
        got, lines = read(file_format, "damaged")
        named = any(structure in line and ("at 0x" in line or got == 2) for line in lines)
        right = got == status or (got == 2 and lines[-1].startswith("cannot read"))
        assert named and right, (arguments, structure, got, lines)


def test_vhd_damaged_fields():
    damaged("vpc", vhd("sound.vhd"), [(seal, case[:3], case[3]) for case in FOOTER_DAMAGES])
    damaged("vpc", vhd("sound.vhd", kind="fixed"), [(seal, c[:3], c[3]) for c in FIXED_DAMAGES])


def test_vhd_damaged_blocks():
    path = vhd("sound.vhd")
    table = read_vhd.Vhd(path, image.Options()).table
    used = [index for index, sector in enumerate(table) if sector != 0xffffffff]
    first, second = used[:2]
    block = table[first] * 512
    size = os.path.getsize(path)

    def entry(path, index, value):
        patch(path, 1536 + 4 * index, number(value))

    damaged("vpc", path, [
        (entry, (first, 0), "footer copy"), (entry, (first, 1), "dynamic header"),
        (entry, (first, 3), "overlaps BAT"), (entry, (first, table[second]), "overlaps block"),
        (entry, (first, table[second] + 9), "overlaps block"),
        (entry, (first, size // 512 - 1), f"block {first}"),
        (entry, (first, table[used[-1]] + 1), "past the footer"),
        (entry, (first, 0x7fffffff), f"block {first}"),
        (entry, (first, 0xfffffffe), f"block {first}"),
        (patch, (block, b"\0"), f"block {first} bitmap"),
        (patch, (block + 511, b"\xfe"), f"block {first} bitmap"),
        (os.truncate, (size - 512,), "footer cookie"),
        (os.truncate, (size - MIB,), "footer cookie"),
        (patch, (-512, b"C"), "footer cookie"), (patch, (-100, b"\1"), "footer checksum"),
        (patch, (0, b"C"), "footer copy"), (patch, (600, b"\1"), "dynamic header checksum"),
        (patch, (512, b"C"), "cannot read"),
    ])
    for damage in ((-512, b"C"), (-100, b"\1")):  # the copy is good: the content can be read
        shutil.copy(path, "damaged")
        patch("damaged", *damage)
        assert read("vpc", "damaged", "out.raw", check=False) == (0, [])
        same("out.raw", "raw", path, "vpc")
    for damage in ((1536 + 4 * first, number(0x7fffffff)), (512 + 36, b"\0")):
        shutil.copy(path, "damaged")
        patch("damaged", *damage)
        assert read("vpc", "damaged", "out.raw", check=False)[0] == 2


def test_vhd_damaged_bitmap():
    """A clear bit over data, on a dynamic disk and on a differencing one, the last sector too."""
    vhd("parent.vhd")
    last = 9 * MIB // 512 - 1
    differencing("child.vhd", "parent.vhd", 9 * MIB, {0: b"x" * 512, last: b"y" * 512})
    table = read_vhd.Vhd("child.vhd", image.Options()).table
    damaged("vpc", "child.vhd", [
        (patch, (table[0] * 512, b"\0"), "block 0 bitmap"),
        (patch, (table[-1] * 512 + 127, b"\0"), f"block {len(table) - 1} bitmap")])


def test_vhd_damaged_parent():
    vhd("parent.vhd")
    vhd("other.vhd")
    differencing("child.vhd", "parent.vhd", 9 * MIB, {5: b"x" * 512})
    locator = 576
    other = "other.vhd".encode("utf-16-be")
    cases = [(seal, ("header", *case[:2]), case[2]) for case in (
        (40, b"\1\2", "parent unique id"), (40, bytes(16), "parent unique id"),
        (56, number(OLD_TIME), "parent time stamp"), (64, other, "parent locator 1"),
        (64, bytes(512), "parent name"), (64, b"\xd8\0\0a", "parent name"),
        (locator, b"None", "parent locator 1"), (locator, bytes(4), "parent locator 1"),
        (locator, bytes(48), "parent locator"), (locator + 4, number(0), "parent locator 1"),
        (locator + 8, number(513), "parent locator 1"),
        (locator + 8, number(0), "parent locator 1"),
        (locator + 8, number(3), "parent locator 1"), (locator + 12, number(1), "parent locator 1"),
        (locator + 16, number(512, 8), "parent locator 1 data"),
        (locator + 16, number(1 << 50, 8), "parent locator 1 data"),
        (locator + 24, b"W2ru", "parent locator 2"))]
    damaged("vpc", "child.vhd", cases)
    seal("child.vhd", "header", 64, other.ljust(64, b"\0"))
    patch("child.vhd", 2048, ".\\other.vhd".encode("utf-16-le").ljust(64, b"\0"))
    found("vpc", "child.vhd", "parent unique id")
    assert read("vpc", "child.vhd", "out.raw", check=False)[0] == 2
    differencing("a.vhd", "parent.vhd", 9 * MIB, {5: b"x" * 512})
    differencing("b.vhd", "a.vhd", 9 * MIB, {5: b"x" * 512})
    differencing("a.vhd", "b.vhd", 9 * MIB, {5: b"x" * 512})
    found("vpc", "b.vhd", "parent at")
    differencing("child.vhd", "parent.vhd", 9 * MIB, {5: b"x" * 512})
    seal("parent.vhd", "footer", 24, number(OLD_TIME + 1))
    os.utime("parent.vhd", (0, 0))
    found("vpc", "child.vhd", "parent time stamp")


def test_vhd_footer_of_511_bytes():
    """What was made before Virtual PC 2004 has a footer without its last byte."""
    path = vhd("old.vhd", kind="fixed")
    os.truncate(path, os.path.getsize(path) - 1)
    assert read("vpc", path, "out.raw") == (0, []), read("vpc", path)
    assert os.path.getsize("out.raw") == 9 * MIB


# QCOW version 1


def qcow(path, raw, *options, compare=True):
    """Makes an image with the content of the raw one."""
    # With -c, QEMU 7.2 writes all and then ends with status 1 and no word: look at the result.
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow", *options, raw, path],
                   check="-c" not in options, timeout=TIME_LIMIT)
    if compare:
        same(raw, "raw", path, "qcow")
    return path


def write(path, *commands):
    tool("qemu-io", "-t", "unsafe", "-f", "qcow", *[part for c in commands for part in ("-c", c)],
         path)


def test_qcow_of_qemu():
    for seed, size in enumerate((2, 5000192, 9 * MIB + 1536)):
        raw = content("in.raw", size, seed)
        accepted("qcow", qcow("q.qcow", raw))
        with open("out.raw", "rb") as file:  # 7z cannot read compressed clusters of version 1
            assert file.read() == by_7z("q.qcow")
        accepted("qcow", qcow("c.qcow", raw, "-c"))
        for at in (0, 2 * MIB + 4 * KIB, size - 512):  # over and between what is compressed
            if 0 <= at <= size - 512:
                write("c.qcow", f"write -q -P 0x5a {at} 512")
        accepted("qcow", "c.qcow")


def test_qcow_large():
    """Above 127 GiB, compared by ourselves: qemu-img takes minutes to compare this."""
    raw = content("in.raw", 200 * GIB, 4)
    for options in ((), ("-c",)):
        qcow("q.qcow", raw, *options, compare=False)
        assert read("qcow", "q.qcow", "out.raw") == (0, [])
        pair = [image.File(path) for path in (raw, "out.raw")]
        assert pair[0].size == pair[1].size
        for one, other in (pair, pair[::-1]):
            for at, data in one.chunks(0, one.size):
                assert other.read(at, len(data)) == data, f"differ near {at:#x}"


def backed(path, base, base_format, size, *commands):
    tool("qemu-img", "create", "-q", "-f", "qcow", "-b", base, "-F", base_format, path, str(size))
    write(path, *commands)
    return path


def test_qcow_backing():
    writes = ("write -q -P 0x11 512 512", "write -q -z 1M 9k", "write -q -P 0x22 1536k 70000")
    raw = content("base.raw", 3 * MIB, 5)
    bases = ((raw, "raw"), (qcow("base.qcow", raw, "-c"), "qcow"), (vhd("base.vhd"), "vpc"))
    for base, base_format in bases:
        for size in (3 * MIB, 4 * MIB, 2 * MIB):
            accepted("qcow", backed("b.qcow", base, base_format, size, *writes))
        accepted("qcow", backed("bb.qcow", "b.qcow", "qcow", 3 * MIB, "write -q -P 3 2M 1k"))
    os.rename("base.vhd", "elsewhere.vhd")
    backed("b.qcow", "base.raw", "raw", 3 * MIB)
    os.remove("base.raw")
    found("qcow", "b.qcow", "backing file")
    assert read("qcow", "b.qcow", "out.raw")[0] == 2
    assert read("qcow", "b.qcow", "out.raw", parent="elsewhere.vhd", parent_format="vpc")[0] == 0


def entry_of(path, cluster):
    """Where in the file the L2 entry of a cluster is, and its value."""
    reader = read_qcow1.Qcow1(path, image.Options())
    index, inside = divmod(cluster, 1 << reader.l2_bits)
    return reader.l1[index] + 8 * inside, reader.l2(index)[inside]


def test_qcow_damaged():
    raw = content("in.raw", 9 * MIB, 8)
    path = qcow("sound.qcow", raw)
    size = os.path.getsize(path)
    (at, value), (_, other) = entry_of(path, 0), entry_of(path, 513)
    l2_table = read_qcow1.Qcow1(path, image.Options()).l1[0]
    damaged("qcow", path, [(patch, case[:2], case[2]) for case in (
        (0, b"q", "cannot read"), (7, b"\2", "cannot read"), (16, number(7), "backing file name"),
        (8, number(48, 8) + number(2000), "backing file name"),
        (8, number(1 << 40, 8) + number(7), "backing file name"),
        (8, number(48, 8) + number(4), "overlaps"),
        (24, bytes(8), "header size"), (24, number(1 << 62, 8), "L1 table"),
        (24, number(1 * MIB, 8), "L2 entry"), (32, b"\x08", "cannot read"),
        (32, b"\x20", "cannot read"), (33, b"\x20", "cannot read"), (34, b"\1", "header padding"),
        (36, number(2), "header cipher"), (40, number(40, 8), "L1 table"),
        (40, number(50, 8), "L1 table"), (40, number(1 << 40, 8), "L1 table"),
        (48, number(size, 8), "L2 table 0"), (48, number(l2_table | 1 << 63, 8), "L2 table 0"),
        (48, number(l2_table + 8, 8), "L1 entry 0"), (48, number(other, 8), "L2 table 0"),
        (56, number(l2_table, 8), "overlaps L2 table"), (at, number(other, 8), "overlaps cluster"),
        (at, number(value + 512, 8), "cluster 0"), (at, number(size, 8), "cluster 0"),
        (at, number(value | 1 << 63, 8), "cluster 0"), (at, number(l2_table, 8), "cluster 0"),
        (at, number(value | 1 << 62, 8), "cluster 0"), (at, number(8, 8), "cluster 0"))]
        + [(os.truncate, (size - 4096,), "past the end of the file"),
           (os.truncate, (40,), "cannot read")])
    patch(path, at, number(size, 8))
    assert read("qcow", path, "out.raw", check=False)[0] == 2


def test_qcow_damaged_compressed():
    raw = content("in.raw", 9 * MIB, 8)
    path = qcow("sound.qcow", raw, "-c")
    (at, value), (_, other) = entry_of(path, 0), entry_of(path, 513)
    offset, length = value & (1 << 51) - 1, value >> 51 & 4095
    flag, size = 1 << 63, os.path.getsize(path)
    damaged("qcow", path, [(patch, case, "cluster 0") for case in (
        (at, number(flag | offset, 8)), (at, number(flag | (length - 1) << 51 | offset, 8)),
        (at, number(flag | length << 51 | offset + 1, 8)), (at, number(other, 8)),
        (at, number(value ^ flag, 8)), (at, number(flag | length << 51 | size, 8)),
        (offset, b"\xff" * 9), (at, number(flag | 4095 << 51 | offset, 8)))])


def test_qcow_encrypted():
    """The structures of an encrypted image are checked, its content is not to be had."""
    path = qcow("aes.qcow", content("in.raw", MIB, 3))
    patch(path, 36, number(1))
    assert read("qcow", path) == (0, [])
    assert read("qcow", path, "out.raw")[0] == 2


# The command line


def test_command_line():
    """The exit status, and a line for each finding that names file, structure and offset."""
    here = os.path.join(ROOT, "tests", "formats")
    good, bad = vhd("good.vhd"), vhd("bad.vhd")
    seal(bad, "footer", 84, b"\2")
    with open("none", "wb"):
        pass
    for program, arguments, status, line in (
            ("read_vhd.py", ["--check", good, "o.raw"], 0, ""),
            ("read_vhd.py", ["--check", bad], 1, "bad.vhd: footer saved state at 0x"),
            ("read_vhd.py", ["none", "o.raw"], 2, "none: cannot read: "),
            ("read_qcow1.py", [good, "o.raw"], 2, "cannot read: "),
            ("read_qcow1.py", [good], 2, "nothing to do")):
        done = subprocess.run([os.path.join(here, program), *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=TIME_LIMIT)
        assert done.returncode == status and line in done.stdout, (arguments, done)
        assert bool(done.stdout) == bool(line), done


def run_test(function):
    """Runs a test in a folder of its own: what went wrong, or nothing."""
    with tempfile.TemporaryDirectory(dir=os.path.join(ROOT, "build", "formats")) as folder:
        os.chdir(folder)
        try:
            function()
        except Exception:  # any: the next test is not to suffer
            return traceback.format_exc(limit=-4)
        finally:
            os.chdir(ROOT)
    return ""


ROOT = os.getcwd()


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    os.makedirs("build/formats", exist_ok=True)
    passed = failed = 0
    for function_name, function in list(globals().items()):
        if function_name.startswith("test_") and name in "formats/" + function_name:
            started = time.monotonic()
            complaint = run_test(function)
            verdict = "FAILED" if complaint else "ok"
            print(f"formats {function_name[5:]:<24} {verdict} {time.monotonic() - started:5.1f} s")
            print(complaint, end="", flush=True)
            passed, failed = passed + (not complaint), failed + bool(complaint)
    results.report("formats", passed, failed)


if __name__ == "__main__":
    main()
