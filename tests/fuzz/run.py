#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Builds and runs the fuzz targets: every tests/fuzz/fuzz_*.c is one libFuzzer program.

run.py [NAME]: only targets whose path contains NAME. Each runs FUZZ_SECONDS (60) from its corpus
in build/fuzz/NAME.corpus, which grows from run to run. FUZZ_SOURCES, FUZZ_LIBS and FUZZ_CFLAGS in
comment lines of a target say what it is made of, as TEST_* do for unit tests.
"""
import glob
import os
import re
import resource
import shlex
import subprocess
import sys

os.chdir(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, "tests")
import results  # noqa: E402

BUILD = "build/fuzz"
SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))
CFLAGS = ("-std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined "
          "-fno-strict-aliasing -I. -Itests/unit").split()


def fields(path):
    """The FUZZ_SOURCES, FUZZ_LIBS and FUZZ_CFLAGS of a target, each a list of words."""
    found = {"SOURCES": [], "LIBS": [], "CFLAGS": []}
    with open(path) as file:
        for key, words in re.findall(r"FUZZ_(SOURCES|LIBS|CFLAGS):(.*?)(?:\*/|$)", file.read(),
                                     re.MULTILINE):
            found[key] += shlex.split(words)
    return found


def run(path):
    """Builds and runs one target; True if it found nothing."""
    name = os.path.basename(path)[:-2]
    field = fields(path)
    program, corpus = f"{BUILD}/{name}", f"{BUILD}/{name}.corpus"
    os.makedirs(corpus, exist_ok=True)
    build = ["clang", *CFLAGS, *field["CFLAGS"], "-o", program, path, *field["SOURCES"],
             *field["LIBS"]]
    if subprocess.run(build, check=False).returncode:
        return False
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    with open(f"{BUILD}/{name}.log", "w") as log:
        status = subprocess.run([program, f"-max_total_time={SECONDS}", "-timeout=10",
                                 "-print_final_stats=1", f"-artifact_prefix={BUILD}/{name}-",
                                 corpus], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                timeout=SECONDS + 120, check=False).returncode
    with open(f"{BUILD}/{name}.log") as log:
        text = log.read()
    runs = re.search(r"number_of_executed_units: *(\d+)", text)
    cover = re.findall(r"cov: (\d+)", text)
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    print(f"{name}: {runs[1] if runs else '?'} runs in {used:.0f} s of CPU time, "
          f"coverage {cover[-1] if cover else '?'}, "
          f"{'nothing found' if status == 0 else f'FAILED, see {BUILD}/{name}.log'}", flush=True)
    return status == 0


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    done = [run(path) for path in sorted(glob.glob("tests/fuzz/fuzz_*.c")) if name in path]
    results.report("fuzz", sum(done), len(done) - sum(done))


if __name__ == "__main__":
    main()
