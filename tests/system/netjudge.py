# SPDX-License-Identifier: BSD-2-Clause
"""What is wrong with TCP connections in a capture, by tshark, and by the counters of a Linux. Beyond the
first packet: a SYN whose answer takes a second is sent again by any machine that is busy."""
import re
import subprocess

BAD_SUM = "tcp.checksum.status == 0"
# Also 0xffff where 0 belongs, the other zero (RFC 1624): any receiver takes it.
BAD_SUM_OF_CARD = f"{BAD_SUM} && !tcp.checksum.ffff"
WRONG = ("ip.checksum.status == 0", "tcp.analysis.out_of_order",
         "tcp.analysis.retransmission && tcp.flags.syn == 0",
         "tcp.analysis.spurious_retransmission && tcp.flags.syn == 0")
HOLES = ("tcp.analysis.lost_segment", "tcp.analysis.ack_lost_segment")  # if the capture has none of its own
FIELDS = ("tcp.stream", "tcp.srcport", "tcp.seq", "tcp.len", "tcp.ack", "tcp.window_size", "tcp.flags.syn")
# Of /proc/net/snmp and netstat: what must not grow in a transfer without losses.
COUNTERS = ("RetransSegs", "InErrs", "InCsumErrors", "TCPOFOQueue", "TCPTimeouts", "TCPLostRetransmit",
            "TCPDSACKRecv", "TCPChallengeACK", "PAWSEstab", "TCPRcvQDrop", "OutOfWindowIcmps")


def tshark(path, *arguments):
    """Without joining segments: a dissector that takes the data for its own would have 100 MB joined, in
    quadratic time."""
    return subprocess.run(["tshark", "-n", "-r", path, "-o", "tcp.check_checksum:TRUE", "-o",
                           "ip.check_checksum:TRUE", "-o", "tcp.desegment_tcp_streams:FALSE",
                           *arguments], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def outside_windows(rows):
    """Segments behind the end of the window that the other end had announced by then."""
    edges, wrong, ports = {}, [], {}
    for stream, port, *_ in rows:
        ports.setdefault(stream, set()).add(port)
    for row in rows:
        stream, port, seq, length, ack, window, syn = row
        if not syn and length and seq + length > edges.get((stream, port), seq + length):
            wrong.append(row)
        for other in ports[stream] - {port}:
            edges[stream, other] = max(edges.get((stream, other), 0), ack + window)
    return wrong


def segments(path, port):
    """[(stream, source port, seq, length, ack, window, SYN)] of connections to or from that port."""
    said = tshark(path, "-Y", f"tcp.port == {port} && tcp.flags.reset == 0", "-T", "fields",
                  *(word for field in FIELDS for word in ("-e", field)))
    return [tuple(int(word or 0) if word not in ("True", "False") else int(word == "True")
                  for word in line.split("\t")) for line in said.splitlines()]


def faults(path, port, whole=True, card=False):
    """What tshark has against the packets of that port, in words, and the bytes of data in all. whole:
    the capture is. card: an emulated card filled in checksums; QEMU's never writes 0, for UDP's sake."""
    wanted = WRONG + (BAD_SUM_OF_CARD if card else BAD_SUM,) + (HOLES if whole else ())
    wrong = tshark(path, "-Y", f"tcp.port == {port} && ({' || '.join(f'({w})' for w in wanted)})")
    rows = segments(path, port)
    late = outside_windows(rows) if whole else []
    return wrong + "".join(f"out of window: {row}\n" for row in late), sum(row[3] for row in rows)


def checked(path, port):
    """How many packets of that port are whole and have a good checksum."""
    return len(tshark(path, "-Y", f"tcp.port == {port} && tcp.checksum.status == 1").splitlines())


def counters(text):
    """{name: value} of what /proc/net/snmp and netstat say."""
    lines, values = text.splitlines(), {}
    for names, numbers in zip(lines, lines[1:]):
        kind, _, names = names.partition(": ")
        if numbers.startswith(kind + ": ") and re.match(r"[A-Z]", names):
            for name, number in zip(names.split(), numbers.split()[1:]):
                values[name if kind in ("Tcp", "TcpExt") else f"{kind}.{name}"] = int(number)
    return values


def grown(before, after):
    """{end: what must not have grown}, of {end: counters}. A SYN that was sent again counts as such only,
    and as one that is refused where it had come before."""
    grew = {end: {name: after[end].get(name, 0) - before[end].get(name, 0)
                  for name in (*COUNTERS, "TCPSynRetrans")} for end in before}
    again = {end: grew[end].pop("TCPSynRetrans") for end in before}
    for end in before:
        others = sum(again.values()) - again[end]
        for name, excused in (("RetransSegs", again[end]), ("TCPTimeouts", again[end]),
                              ("InErrs", others), ("TCPChallengeACK", others)):
            grew[end][name] = max(0, grew[end][name] - excused)
    return {end: wrong for end in before if (wrong := {name: n for name, n in grew[end].items() if n})}
