# SPDX-License-Identifier: BSD-2-Clause
"""Writes cpio archives in the "newc" format: what Linux takes as initramfs and the image as bundle.

Reproducible: owner 0, time 0, entries in the order in which they are added.
"""
import stat


class Archive:
    """An archive being written. mode is the full st_mode, file type included."""

    def __init__(self):
        self._out = bytearray()
        self._inode = 0

    def add(self, name, mode, data=b"", device=(0, 0)):
        raw = name.encode() + b"\0"
        self._inode += 1
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(raw), 0)
        self._out += b"070701" + b"".join(b"%08X" % field for field in fields)
        for part in (raw, data):
            self._out += part
            self._out += b"\0" * (-len(self._out) % 4)

    def finish(self):
        """The whole archive; nothing may be added after it."""
        self.add("TRAILER!!!", 0)
        return bytes(self._out)


def extended(image, files):
    """An initramfs with a second archive behind it, as Linux takes it: {name: program's path} as well."""
    more = Archive()
    for name, path in files.items():
        with open(path, "rb") as file:
            more.add(name, stat.S_IFREG | 0o755, file.read())
    return image + b"\0" * (-len(image) % 4) + more.finish()
