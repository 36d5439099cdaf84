# SPDX-License-Identifier: BSD-2-Clause
"""Captures as pcap files: of the peer's tap device, and out of the lines of `net capture`. Both end when a
TCP connection has been seen from its SYN to both FINs."""
import base64
import contextlib
import re
import socket
import struct
import threading
import time

HEADER = struct.pack("<IHHQII", 0xa1b23c4d, 2, 4, 0, 65535, 1)  # with nanoseconds
FLAGS, FIN, SYN, ACK = 47, 0x01, 0x02, 0x10  # of a TCP segment without IP options, in its frame
ETH_P_ALL, SO_RCVBUFFORCE, BUFFER, POLL = 3, 33, 1 << 28, 0.5


class Whole:
    """Looks at frames for such a connection; .client is its client's port then."""

    def __init__(self):
        self.ends, self.client = {}, None

    def look(self, frame):
        if frame[12:14] != b"\x08\0" or frame[23] != socket.IPPROTO_TCP:
            return
        ports = struct.unpack_from("!HH", frame, 34)
        if frame[FLAGS] & (SYN | ACK) == SYN:
            self.ends[max(ports)] = set()
        if frame[FLAGS] & FIN and max(ports) in self.ends:
            self.ends[max(ports)].add(ports)
            if len(self.ends[max(ports)]) == 2:
                self.client = max(ports)


@contextlib.contextmanager
def of_device(name, path, seconds):
    """What passes a network device, until such a connection is over."""
    whole, failed = Whole(), []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as sock, \
            open(path, "wb") as file:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        sock.bind((name, ETH_P_ALL))
        sock.settimeout(POLL)
        file.write(HEADER)
        stop = threading.Event()

        def record():
            while whole.client is None and not stop.is_set():
                with contextlib.suppress(socket.timeout):
                    frame = sock.recv(65536)
                    now = time.time_ns()
                    file.write(struct.pack("<IIII", now // 10**9, now % 10**9, len(frame), len(frame)))
                    file.write(frame)
                    whole.look(frame)

        thread = threading.Thread(target=record, daemon=True)
        thread.start()
        try:
            yield
            thread.join(seconds)
            assert whole.client is not None, "no whole connection"
        finally:
            stop.set()
            thread.join()


def of_console(m, command, path, seconds):
    """By net capture: the client's port and how many packets the console was too slow for."""
    whole, rest, skip = Whole(), b"", len(HEADER)
    m.send(command + "\r")
    with open(path, "wb") as file:
        while whole.client is None:
            m.expect(rb"pcap:(\S+)\r?\n", timeout=seconds)
            rest += base64.b64decode(m.match[1])
            file.write(rest[:skip])
            rest, skip = rest[skip:], max(0, skip - len(rest))
            while len(rest) >= 16 and len(rest) >= 16 + (kept := struct.unpack_from("<I", rest, 8)[0]):
                file.write(rest[:16 + kept])
                whole.look(rest[16:16 + kept])
                rest = rest[16 + kept:]
    m.send("\x03")
    m.expect(re.compile(rb"packets, (\d+) lost"), timeout=seconds)
    lost = int(m.match[1])
    m.expect_exact("insula> ", timeout=seconds)
    return whole.client, lost
