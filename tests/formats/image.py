# SPDX-License-Identifier: BSD-2-Clause
"""What the readers of image formats share: files, findings, the map of a file, the command line.

Knows no format. A reader is a class that takes (path, options) and has `size`, `check()` and
`chunks(start, end)`; the latter yields (offset, bytes) in ascending order, and what it leaves out
of the range is zero.
"""
import argparse
import errno
import os
import sys

CHUNK = 1 << 20  # bytes held in memory at once
SHOWN = 100  # findings printed of one image
CHAIN = 64  # images that may stand upon each other


class Unreadable(Exception):
    """The image gives no answer to what the guest would see."""


class Options:
    def __init__(self, parent=None, parent_format=None, strict=False, seen=()):
        self.parent = parent
        self.parent_format = parent_format
        self.strict = strict
        self.seen = seen  # real paths of the images that stand upon this one

    def below(self, path):
        """The options to open the parent of `path` with."""
        return Options(strict=self.strict, seen=(*self.seen, os.path.realpath(path)))


class File:
    """A file of bytes, read in bounds only."""

    def __init__(self, path):
        self.path = path
        try:
            self.fd = os.open(path, os.O_RDONLY)
            self.size = os.lseek(self.fd, 0, os.SEEK_END)
        except OSError as error:
            raise Unreadable(f"{path}: {error.strerror}") from error

    def __del__(self):
        if hasattr(self, "fd"):
            os.close(self.fd)

    def read(self, start, length):
        data = b""
        if 0 <= start and start + length <= self.size:
            data = os.pread(self.fd, length, start)
        if len(data) != length:
            raise Unreadable(f"{self.path}: {length} bytes at {start:#x} are not in the file")
        return data

    def chunks(self, start, end):
        """(offset, bytes) of what is data in the range, as far as the file system knows."""
        if end > self.size:
            raise Unreadable(f"{self.path}: {end:#x} is past the end of the file")
        while start < end:
            try:
                start = os.lseek(self.fd, start, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                    return
                raise
            hole = min(end, os.lseek(self.fd, start, os.SEEK_HOLE)) if start < end else end
            while start < hole:
                length = min(CHUNK, hole - start)
                yield start, self.read(start, length)
                start += length


class Image:
    """The base of the readers: a file, and what is wrong with it."""

    def __init__(self, path, options):
        if os.path.realpath(path) in options.seen or len(options.seen) >= CHAIN:
            raise Unreadable(f"{path}: the chain of images has a loop or is too long")
        self.file = File(path)
        self.path = path
        self.options = options
        self.findings = []
        self.fatal = []  # those of the findings that leave the content in doubt

    def bad(self, structure, offset, text, fatal=False):
        line = f"{structure} at {offset:#x}: {text}"
        self.findings.append(line)
        if fatal:
            self.fatal.append(line)

    def unusual(self, structure, offset, text):
        """Against the letter of the specification, but what common writers do."""
        if self.options.strict:
            self.bad(structure, offset, text)

    def require(self, good, structure, offset, text):
        if not good:
            self.bad(structure, offset, text)

    def chunks_at(self, at, start, length):
        """The file's bytes from `start` on as those of the disk from `at` on."""
        for offset, data in self.file.chunks(start, start + length):
            yield at + offset - start, data

    def chunks_below(self, parent, start, end):
        """What the parent, if any, shows in the range; zero behind its end."""
        if parent is not None and start < parent.size:
            yield from parent.chunks(start, min(end, parent.size))


class Raw(Image):
    """An image that is its content."""

    def __init__(self, path, options):
        super().__init__(path, options)
        self.size = self.file.size

    def check(self):
        pass

    def chunks(self, start, end):
        return self.file.chunks(start, end)


class Layout:
    """Who lies where in a file, to find what leaves it or shares bytes."""

    def __init__(self, image, limit, limit_name):
        self.image, self.limit, self.limit_name = image, limit, limit_name
        self.places = []

    def place(self, name, start, length):
        """Notes a structure; says whether its bytes are in the file at all."""
        end = start + length
        self.places.append((start, end, name))
        inside = end <= self.image.file.size
        if end > self.limit:
            self.image.bad(name, start, f"reaches to {end:#x}, past {self.limit_name} "
                           f"at {self.limit:#x}", fatal=not inside)
        return inside

    def report_overlaps(self):
        last = (0, 0, "nothing")
        for place in sorted(self.places):
            start, end, name = place
            if start < last[1] and end > start:
                self.image.bad(name, start, f"overlaps {last[2]} at {last[0]:#x}-{last[1]:#x}")
            if end > last[1]:
                last = place


def write_raw(image, path):
    """Writes the content, with holes where it is zero."""
    zeros = bytes(4096)
    with open(path, "wb", buffering=0) as out:
        os.ftruncate(out.fileno(), image.size)
        for at, data in image.chunks(0, image.size):
            start = 0  # of the bytes not written yet
            for page in range(0, len(data) + 1, 4096):
                piece = data[page:page + 4096]
                if piece == zeros[:len(piece)]:  # also the empty piece at the end
                    if page > start:
                        os.pwrite(out.fileno(), data[start:page], at + start)
                    start = page + len(piece)
            if start < len(data):
                os.pwrite(out.fileno(), data[start:], at + start)


def run(reader, arguments):
    """Reads and checks as told: (status, lines to print)."""
    options = Options(arguments.parent, arguments.parent_format, arguments.strict)
    image = None
    try:
        image = reader(arguments.image, options)
        if arguments.check:
            image.check()
        if arguments.out and not image.fatal:
            write_raw(image, arguments.out)
    except (Unreadable, OSError, OverflowError, MemoryError) as error:
        return 2, (image.findings if image else []) + [f"cannot read: {error}"]
    if arguments.out and image.fatal:
        return 2, image.fatal
    return (1, image.findings) if arguments.check and image.findings else (0, [])


def main(reader, format_name):
    parser = argparse.ArgumentParser(
        description=f"Reads an image of format {format_name} by its specification alone.",
        epilog="Exit status: 0 clean, 1 findings (one line each), 2 cannot be read.")
    parser.add_argument("image")
    parser.add_argument("out", nargs="?", help="where to write what the guest sees, as raw")
    parser.add_argument("--check", action="store_true", help="verify what the format demands")
    parser.add_argument("--strict", action="store_true",
                        help="--check also against habits of common writers")
    parser.add_argument("--parent", help="the image below, in place of the one that is named")
    parser.add_argument("--parent-format", choices=["raw", "qcow", "vpc"],
                        help="its format, where the image does not say")
    arguments = parser.parse_args()
    arguments.check |= arguments.strict
    if not arguments.check and not arguments.out:
        parser.error("nothing to do: neither OUT nor --check")
    status, lines = run(reader, arguments)
    for line in lines[:SHOWN]:
        print(f"{arguments.image}: {line}")
    if len(lines) > SHOWN:
        print(f"{arguments.image}: and {len(lines) - SHOWN} more")
    sys.exit(status)
