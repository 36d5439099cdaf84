#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the system tests: functions test_*(machine_kind) of tests/system/test_*.py.

run.py [NAME]: only those whose "file::function[machine]" contains NAME. A test is one process with a
time limit of its own; two run side by side. Nothing is ever tried twice.

A test file may say MACHINES = ["qemu", "bochs"] (the default); a function may carry the attributes
machines and timeout (seconds, 120 by default). Console transcripts: build/test-logs/.
"""
import concurrent.futures
import glob
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.chdir(ROOT)
sys.path[:0] = ["tests", "tests/system"]
import boot  # noqa: E402
import results  # noqa: E402

LOGS = "build/test-logs"
SIDE_BY_SIDE = int(os.environ.get("INSULA_JOBS", "2"))
TIMEOUT = 120
SKIPPED = 77  # exit status of a test that raised unittest.SkipTest


def load(path):
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def discover(wanted):
    """[(path, function, machine, seconds)] in the order of the files."""
    found = []
    for path in sorted(glob.glob("tests/system/test_*.py")):
        module = load(path)
        for name, function in vars(module).items():
            if not name.startswith("test_") or not callable(function):
                continue
            machines = getattr(function, "machines", getattr(module, "MACHINES", ["qemu", "bochs"]))
            found += [(path, name, machine, getattr(function, "timeout", TIMEOUT))
                      for machine in machines if wanted in title(path, name, machine)]
    return found


def title(path, name, machine):
    return f"{os.path.basename(path)[5:-3]}::{name[5:]}[{machine}]"


def run(test):
    """Runs one test in its own process group: (title, verdict, seconds, what it said)."""
    path, name, machine, limit = test
    what = title(path, name, machine)
    logs = os.path.join(LOGS, re.sub(r"[^\w.-]+", "-", what).strip("-"))
    os.makedirs(logs)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="insula-test-") as scratch:
        env = dict(os.environ, INSULA_LOG_DIR=os.path.abspath(logs), TMPDIR=scratch)
        with open(os.path.join(logs, "output.txt"), "w+b") as output:
            child = subprocess.Popen([sys.executable, __file__, "--one", path, name, machine],
                                     stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env,
                                     start_new_session=True,
                                     preexec_fn=boot.die_with_parent)
            try:
                status = child.wait(limit)
                verdict = {0: "ok", SKIPPED: "skipped"}.get(status, "FAILED")
            except subprocess.TimeoutExpired:
                verdict = "FAILED"
                output.write(f"time limit of {limit} s\n".encode())
            finally:
                end_group(child)
            output.seek(0)
            said = output.read().decode(errors="replace")
    return what, verdict, time.monotonic() - started, said, logs


def end_group(child):
    """Whatever the test left running ends with it."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()


def run_one(path, name, machine):
    import unittest
    try:
        getattr(load(path), name)(machine)
    except unittest.SkipTest as reason:
        print(reason)
        sys.exit(SKIPPED)
    except BaseException:
        traceback.print_exc()
        sys.exit(1)


def main():
    if sys.argv[1:2] == ["--one"]:
        return run_one(*sys.argv[2:])
    tests = discover(sys.argv[1] if len(sys.argv) > 1 else "")
    shutil.rmtree(LOGS, ignore_errors=True)
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run, test) for test in tests]):
            what, verdict, seconds, said, logs = done.result()
            print(f"system {what:<52} {verdict:<7} {seconds:6.1f} s", flush=True)
            if verdict != "ok":
                print(said.rstrip() + f"\n(transcripts: {logs})", flush=True)
            passed, failed = passed + (verdict == "ok"), failed + (verdict == "FAILED")
    if not tests:
        print("system: there are no such tests")
    return results.report("system", passed, failed)


if __name__ == "__main__":
    main()
