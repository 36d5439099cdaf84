#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Boots the built image in an emulator and joins its serial console to stdin and stdout.

As a module: `with Machine("qemu", modules={"insula.conf": "x.conf"}) as m: m.expect("insula> ")`;
m is a pexpect object (m.send, m.expect, m.before). Owns the emulators' settings and nothing else:
what the image prints is the tests' business.
"""
import argparse
import atexit
import ctypes
import json
import os
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import termios
import time
import tty

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.join(ROOT, "guests/linux")]
import iso  # noqa: E402
import newc  # noqa: E402

KINDS = ("qemu", "bochs", "kvm")
CPUS = {"qemu": "EPYC,+svm,+npt", "kvm": "host", "bochs": "corei7_haswell_4770"}
# One TCG thread for all CPUs: with a thread each, QEMU 7.2 on an idle build machine ends by itself in
# one run of the mix out of three (5 of 16; with one thread 0 of 24). The first fetch behind #VMEXIT
# finds the host's page "not present" in tables that are whole.
ACCEL = {"qemu": "tcg,thread=single", "kvm": "kvm"}
CTRL_A = 1
# A log line makes the console draw its row again, prompt included: that ends no command.
REDRAWN = "\x1b[Kinsula> "
NEW_PROMPT = re.compile(rb"(?<!\x1b\[K)insula> ")
LOG_LINE = re.compile(r"(\x1b\[K)?\[ *\d+\.\d{6}\] .*\n")  # may come in the middle of an answer

BOCHSRC = """\
config_interface: textconfig
display_library: rfb, options="timeout=0,hideIPS"
cpu: model={cpu}, count={cpus}, ips={ips}, reset_on_triple_fault=0
memory: guest={memory}, host={memory}
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
vga: extension=none, update_freq=1, realtime=0
ata1-master: type=cdrom, path="{iso}", status=inserted
boot: cdrom
clock: sync={sync}, time0=946684800
pci: enabled=1, chipset=i440fx{slots}
log: {dir}/bochs.log
debugger_log: {dir}/debugger.log
panic: action=fatal
error: action=report
speaker: enabled=0
sound: waveoutdrv=dummy, waveout=none
"""


def size_mib(text):
    """'1G', '512M' or a plain number of MiB, in MiB."""
    units = {"M": 1, "G": 1024}
    return int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text)


def bundle(files):
    """A cpio archive of {name: path}: the one initrd that a PVH boot can carry."""
    archive = newc.Archive()
    for name, path in files.items():
        with open(path, "rb") as file:
            archive.add(name, stat.S_IFREG | 0o644, file.read())
    return archive.finish()


def die_with_parent():
    """Runs in the child: the emulator gets SIGKILL when this script ends, however it ends."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Emulator:
    """One running emulator: .sock is its serial port, .proc the process, .dir its scratch files."""

    def __init__(self, kind, *, cpus=1, memory="1G", icount=False, disks=(), nics=(), cpu=None,
                 modules=None, cmdline="", image=None, iso_file=None, ips=50000000,
                 serial_file=None, gdb=False, debugger=("c",), extra=()):
        if kind not in KINDS:
            raise ValueError(f"machine {kind!r}: allowed are {', '.join(KINDS)}")
        self.kind = kind
        self.cpus, self.memory, self.icount = cpus, size_mib(memory), icount
        self.disks, self.nics, self.cpu = list(disks), list(nics), cpu or CPUS[kind]
        self.modules, self.cmdline, self.iso_file = dict(modules or {}), cmdline, iso_file
        self.image = image or os.path.join(ROOT, "build", "insula.elf")
        self.ips, self.serial_file, self.gdb, self.extra = ips, serial_file, gdb, list(extra)
        self.debugger = list(debugger)
        self.sock = self.proc = None
        self.dir = tempfile.mkdtemp(prefix="insula-")
        atexit.register(self.stop)
        try:
            (self._start_bochs if kind == "bochs" else self._start_qemu)()
        except BaseException:
            self.stop()
            raise

    def _spawn(self, argv, **kwargs):
        with open(os.path.join(self.dir, "emulator.log"), "ab") as log:
            self.proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                         preexec_fn=die_with_parent, **kwargs)

    def log_tail(self):
        """What the emulator itself wrote: Bochs' panics, or the last lines. Why it ended."""
        lines, panics = [], []
        for name in ("emulator.log", "bochs.log"):
            path = os.path.join(self.dir, name)
            if os.path.exists(path):
                with open(path, errors="replace") as file:
                    text = file.read().splitlines()
                panics += [line for line in text if ">>PANIC<<" in line or re.match(r"\d+p\[", line)]
                lines += text[-8:]
        return "\n".join(panics or lines)

    # ---- QEMU ----

    def _start_qemu(self):
        ours, theirs = socket.socketpair()
        argv = ["qemu-system-x86_64", "-machine", "q35", "-cpu", self.cpu, "-m", str(self.memory),
                "-smp", str(self.cpus), "-accel", ACCEL[self.kind],
                "-display", "none", "-no-reboot", "-nodefaults"]
        if self.serial_file:
            argv += ["-serial", f"file:{self.serial_file}"]
        else:
            argv += ["-chardev", f"socket,id=com1,fd={theirs.fileno()}", "-serial", "chardev:com1"]
        if self.iso_file:
            argv += ["-cdrom", self.iso_file]
        else:
            argv += ["-kernel", self.image]
            if self.cmdline:
                argv += ["-append", self.cmdline]
            if self.modules:
                path = os.path.join(self.dir, "bundle.cpio")
                with open(path, "wb") as file:
                    file.write(bundle(self.modules))
                argv += ["-initrd", path]
        if self.icount:
            argv += ["-icount", "shift=0,sleep=off"]
        if self.gdb:
            argv += ["-s", "-S"]
        buses = [split_spec(spec)[1].get("bus", "ahci") for spec in self.disks]
        for i, spec in enumerate(self.disks):
            argv += self._qemu_disk(f"disk{i}", spec, buses[:i].count(buses[i]))
        for i, spec in enumerate(self.nics):
            argv += self._qemu_nic(f"nic{i}", spec)
        self._spawn(argv + self.extra, pass_fds=[theirs.fileno()])
        theirs.close()
        self.sock = ours

    @staticmethod
    def _qemu_disk(name, spec, nth):
        """FILE[,bus=ahci|nvme|virtio|ide][,format=raw|qcow2|...][,rate=BYTES/S]; default ahci, raw.

        latency=SECONDS instead of those behind bus: 64 MiB of zeros, and each request takes so long.
        nth: how many there are of that bus before. IDE disks take turns on the two channels: the first
        two do not wait for each other. The third port of AHCI is the CD drive's.
        """
        file, options = split_spec(spec)
        drive = (f"if=none,id={name},format={options.get('format', 'raw')},file={file}"
                 ",cache=writeback,discard=unmap")
        if "rate" in options:
            drive += f",throttling.bps-total={options['rate']}"
        if "latency" in options:
            drive = (f"if=none,id={name},driver=null-co,size=64M,read-zeroes=on,"
                     f"latency-ns={options['latency']}000000000")
        told = "werror=report,rerror=report"  # QEMU would stop itself when there is no space
        devices = {"ahci": f"ide-hd,bus=ide.{nth + nth // 2},drive={name},{told}",
                   "nvme": f"nvme,drive={name},serial={name}",
                   "virtio": f"virtio-blk-pci,drive={name},disable-legacy=on,{told}",
                   "ide": f"ide-hd,bus=piix.{nth % 2},unit={nth // 2},drive={name},{told}"}
        device = ["-device", devices[options.get("bus", "ahci")]]
        if options.get("bus") == "ide" and nth == 0:  # q35 has no legacy IDE: add the PIIX3 function
            device = ["-device", "piix3-ide,id=piix"] + device
        return ["-drive", drive] + device

    @staticmethod
    def _qemu_nic(name, spec):
        """MODEL[,mac=..][,BACKEND...]: e1000 or virtio; BACKEND is a -netdev, default user."""
        model, _, rest = spec.partition(",")
        mac, backend = "", "user"
        if rest.startswith("mac="):
            mac, _, rest = rest.partition(",")
            mac = "," + mac
        if rest:
            backend = rest
        head, _, tail = backend.partition(",")
        netdev = f"{head},id={name}" + ("," + tail if tail else "")
        device = {"e1000": "e1000", "virtio": "virtio-net-pci,disable-legacy=on"}[model]
        return ["-netdev", netdev, "-device", f"{device},netdev={name}{mac}"]

    # ---- Bochs ----

    def _start_bochs(self):
        path = self.iso_file
        if not path:
            path = os.path.join(self.dir, "boot.iso")
            iso.make(path, self.image, self.modules, self.cmdline)
        debugger = os.path.join(self.dir, "debugger.rc")
        with open(debugger, "w") as file:  # Debian's build stops in its debugger: continue
            file.write("\n".join(self.debugger) + "\n")
        for _ in range(5):  # a free port may be taken before Bochs binds it
            port = free_port()
            config = self._bochs_config(path, port)
            self._spawn(["bochs-bin", "-q", "-f", config, "-rc", debugger], cwd=self.dir)
            if self.serial_file:
                return
            if self._connect(port):
                return
        raise RuntimeError("Bochs did not open its serial port:\n" + self.log_tail())

    def _bochs_config(self, iso_path, port):
        self._unlock_disks()  # a killed Bochs leaves its lock files behind
        slots, lines = "", []
        if self.serial_file:
            lines.append(f"com1: enabled=1, mode=file, dev={os.path.abspath(self.serial_file)}")
        else:
            lines.append(f"com1: enabled=1, mode=socket-server, dev=127.0.0.1:{port}")
        for i, spec in enumerate(self.disks[:2]):
            file, options = split_spec(spec)
            lines.append(f'ata0-{("master", "slave")[i]}: type=disk, path="{os.path.abspath(file)}"'
                         f", mode={options.get('mode', 'flat')}, cylinders=0")
        for spec in self.nics[:1]:  # spec: e1000,mac=..,ethmod=..,ethdev=..
            slots = ", slot1=e1000"
            rest = spec.partition(",")[2] or "mac=52:54:00:12:34:56, ethmod=null, ethdev=none"
            lines.append("e1000: enabled=1, " + rest)
        path = os.path.join(self.dir, "bochsrc")
        with open(path, "w") as file:
            # A network has real time beyond: idle time is then not skipped.
            file.write(BOCHSRC.format(cpu=self.cpu, cpus=self.cpus, ips=self.ips, slots=slots,
                                      sync="slowdown" if self.nics else "none",
                                      memory=self.memory, iso=os.path.abspath(iso_path),
                                      dir=self.dir))
            file.write("\n".join(lines + self.extra) + "\n")
        return path

    def _unlock_disks(self):
        for spec in self.disks if self.kind == "bochs" else ():
            lock = split_spec(spec)[0] + ".lock"
            if os.path.exists(lock):
                os.unlink(lock)

    def _connect(self, port):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.proc.poll() is None:
            try:
                self.sock = socket.create_connection(("127.0.0.1", port), timeout=5)
                self.sock.settimeout(None)
                return True
            except ConnectionRefusedError:
                time.sleep(0.05)
        self._kill()
        return False

    # ---- end of life ----

    def _kill(self):
        if self.proc and self.proc.poll() is None:
            self.proc.kill()
        if self.proc:
            self.proc.wait()

    def wait(self, timeout=None):
        """Waits for the emulator to end by itself; its exit status."""
        return self.proc.wait(timeout)

    def ended_well(self, timeout=None):
        """Waits as wait() does; True if the machine was switched off, not broken."""
        status = self.wait(timeout)
        if self.kind == "bochs":  # which calls every end a panic
            return re.search("soft power off|shutdown requested", self.log_tail()) is not None
        return status == 0

    def stop(self):
        """Ends the emulator and removes its files; harmless when repeated. Says how it ended, if it had."""
        if self.dir and os.path.isdir(self.dir) and getattr(self, "proc", None):
            status = self.proc.poll()
            if status is not None:
                print(f"{self.kind} had ended with status {status}:\n{self.log_tail()}")
        self._kill()
        self._unlock_disks()
        if self.sock:
            self.sock.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def split_spec(spec):
    """'FILE,key=value,...' as (FILE, {key: value})."""
    file, *options = spec.split(",")
    return file, dict(option.split("=", 1) for option in options)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def Machine(kind, *, timeout=60, logfile=None, **options):
    """A started machine as a pexpect object on its console; also a context manager.

    timeout is the default of each expect, in seconds; logfile (binary) receives the transcript.
    .emulator is the Emulator. options are those of Emulator.
    """
    import pexpect.fdpexpect

    class Console(pexpect.fdpexpect.fdspawn):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            del self.command  # pexpect's attribute of the spawned command hides the method

        def __exit__(self, *exc):
            self.emulator.stop()

        def command(self, line, timeout=-1):
            """Types a line at the prompt; the text that it printed, up to the next prompt."""
            self.send(line + "\r")
            self.expect_exact(line[-40:], timeout=timeout)  # a long line scrolls in its row
            self.expect(NEW_PROMPT, timeout=timeout)
            text = self.before.decode(errors="replace").replace("\r", "")
            return text.rpartition(REDRAWN + line)[2].strip("\n")

        def json(self, line, timeout=-1):
            """The value that a command prints when asked for --json."""
            text = LOG_LINE.sub("", self.command(line + " --json", timeout) + "\n")
            found = re.search(r"(?<!\x1b)[\[{].*[\]}]", text.replace("\n", ""))
            assert found, f"{line} --json gives no JSON: {text}"
            return json.loads(found[0])

    emulator = Emulator(kind, **options)
    logfile = logfile or console_log(kind)
    console = Console(emulator.sock.fileno(), timeout=timeout, logfile=None)
    console.logfile_read = logfile
    console.emulator = emulator
    return console


def console_log(kind):
    """The transcript that tests/system/run.py asks for, or None when run by hand."""
    directory = os.environ.get("INSULA_LOG_DIR")
    if not directory:
        return None
    number = len(os.listdir(directory))
    return open(os.path.join(directory, f"console{number}-{kind}.log"), "wb", buffering=0)


def join(sock, deadline=None):
    """Copies stdin to sock and sock to stdout. Why it ended: "end" (of the machine), "quit", "time".

    On a terminal Ctrl-A x quits.
    """
    stdin = sys.stdin.fileno()
    inputs, saved, escape = [sock, stdin], None, False
    if os.isatty(stdin):
        print("(Ctrl-A x ends the machine, Ctrl-A Ctrl-A sends Ctrl-A)", flush=True)
        saved = termios.tcgetattr(stdin)
        tty.setraw(stdin)
    try:
        while deadline is None or time.monotonic() < deadline:
            ready, _, _ = select.select(inputs, [], [], 0.5)
            if sock in ready:
                data = sock.recv(65536)
                if not data:
                    return "end"
                os.write(sys.stdout.fileno(), data)
            if stdin in ready:
                data = os.read(stdin, 4096)
                if not data:
                    inputs.remove(stdin)
                elif not saved:
                    sock.sendall(data)
                for byte in data if saved else ():
                    if escape and byte == ord("x"):
                        return "quit"
                    escape = byte == CTRL_A and not escape
                    if not escape:
                        sock.sendall(bytes([byte]))
        return "time"
    except ConnectionError:
        return "end"
    finally:
        if saved:
            termios.tcsetattr(stdin, termios.TCSADRAIN, saved)
            print()


def converse(emulator, deadline=None):
    """join() with the emulator's console; says why the emulator ended if that was not in order ("failed")."""
    why = join(emulator.sock, deadline)
    if why == "end" and not emulator.ended_well():
        print(f"{emulator.kind} ended:\n{emulator.log_tail()}", file=sys.stderr)
        return "failed"
    return why


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("machine", choices=KINDS)
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--memory", default="1G", help="e.g. 512M (default 1G)")
    parser.add_argument("--cpu", help="CPU model of the emulator")
    parser.add_argument("--icount", action="store_true", help="QEMU: one instruction = 1 ns")
    parser.add_argument("--ips", type=int, default=50000000, help="Bochs: instructions a second")
    parser.add_argument("--disk", action="append", default=[], help="FILE[,bus=..][,format=..]")
    parser.add_argument("--nic", action="append", default=[], help="MODEL[,mac=..][,BACKEND]")
    parser.add_argument("--module", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--cmdline", default="", help="options for the image")
    parser.add_argument("--image", help="another image than build/insula.elf")
    parser.add_argument("--iso", dest="iso_file", help="boot this ISO; modules are then ignored")
    parser.add_argument("--serial-file", help="write the console to a file; no input")
    parser.add_argument("--timeout", type=float, help="seconds; then exit status 124")
    parser.add_argument("--gdb", action="store_true", help="QEMU: wait for GDB on port 1234")
    parser.add_argument("--extra", action="append", default=[],
                        help="one more argument for QEMU, or line for the bochsrc")
    return parser.parse_args()


def main():
    args = vars(arguments())
    timeout = args.pop("timeout")
    deadline = time.monotonic() + timeout if timeout else None
    args["modules"] = dict(module.split("=", 1) for module in args.pop("module"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        emulator = Emulator(args.pop("machine"), disks=args.pop("disk"), nics=args.pop("nic"),
                            **args)
    except RuntimeError as error:
        sys.exit(str(error))
    try:
        if emulator.serial_file:
            emulator.wait(timeout)
        else:
            sys.exit({"failed": 1, "time": 124}.get(converse(emulator, deadline), 0))
    except subprocess.TimeoutExpired:
        sys.exit(124)
    finally:
        emulator.stop()


if __name__ == "__main__":
    main()
