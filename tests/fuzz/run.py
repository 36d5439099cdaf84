#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Builds and runs the fuzz targets: every tests/fuzz/fuzz_*.c is one libFuzzer program.

run.py [NAME]: only targets whose name contains NAME. Each runs FUZZ_SECONDS (60), or FUZZ_RUNS times
if that is less, from its corpus in build/fuzz/NAME.corpus, which grows from run to run. FUZZ_SOURCES, FUZZ_LIBS and FUZZ_CFLAGS in
comment lines of a target say what it is made of, as TEST_* do for unit tests. A source with
FUZZ_TARGET lines is one target for each: its name, macros, and the sources that it is about, whose
line coverage by the corpus is told if FUZZ_COVERAGE is set. FUZZ_SEED lines: a target, and shell
commands that make a file $F for it to start from, which it finds in the folder FUZZ_SEEDS.
"""
import glob
import json
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
RUNS = int(os.environ.get("FUZZ_RUNS", "-1"))
CFLAGS = ("-std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined "
          "-fno-strict-aliasing -I. -Itests/unit").split()


def fields(path):
    """The FUZZ_SOURCES, FUZZ_LIBS and FUZZ_CFLAGS of a target, each a list of words; and its
    FUZZ_TARGET and FUZZ_SEED lines."""
    found = {"SOURCES": [], "LIBS": [], "CFLAGS": [], "TARGET": [], "SEED": []}
    with open(path) as file:
        for key, words in re.findall(r"FUZZ_(SOURCES|LIBS|CFLAGS|TARGET|SEED):(.*?)(?: \*/|$)",
                                     file.read(), re.MULTILINE):
            found[key] += [words.strip()] if key in ("TARGET", "SEED") else shlex.split(words)
    return found


def targets(path):
    """(name, fields, sources that it is about) of each target that a source makes."""
    field = fields(path)
    if not field["TARGET"]:
        return [("fuzz_" + os.path.basename(path)[5:-2], field, [])]
    found = []
    for line in field["TARGET"]:
        name, *words = line.split()
        about = [p for w in words if not w.startswith("-") for p in sorted(glob.glob(w))]
        flags = [w for w in words if w.startswith("-")]
        seeds = [s.split(None, 1)[1] for s in field["SEED"] if s.split()[0] == name]
        found.append(("fuzz_" + name, dict(field, SOURCES=field["SOURCES"] + about, SEED=seeds,
                                           CFLAGS=field["CFLAGS"] + flags), about))
    return found


def make_seeds(name, commands):
    """The folder with the files that the target starts from."""
    folder = os.path.abspath(f"{BUILD}/{name}.seeds")
    os.makedirs(folder, exist_ok=True)
    for i, command in enumerate(commands):
        subprocess.run(["sh", "-c", command], env=dict(os.environ, F=f"{folder}/{i}"),
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return folder


def coverage(name, build, about):
    """Line coverage of the sources by the corpus, in percent each."""
    program, corpus = f"{BUILD}/{name}.cov", f"{BUILD}/{name}.corpus"
    build = [w.replace("-fsanitize=fuzzer,address,undefined", "-fsanitize=fuzzer") for w in build]
    build[build.index("-o") + 1] = program
    subprocess.run([*build, "-fprofile-instr-generate", "-fcoverage-mapping"], check=True)
    env = dict(os.environ, LLVM_PROFILE_FILE=f"{program}.raw", FUZZ_SEEDS=f"{BUILD}/{name}.seeds")
    subprocess.run([program, "-runs=0", corpus], env=env, stderr=subprocess.DEVNULL, check=True)
    subprocess.run(["llvm-profdata", "merge", "-o", f"{program}.prof", f"{program}.raw"],
                   check=True)
    text = subprocess.run(["llvm-cov", "export", "-summary-only", "-instr-profile",
                           f"{program}.prof", program, *about], check=True,
                          stdout=subprocess.PIPE).stdout
    for file in json.loads(text)["data"][0]["files"]:
        lines = file["summary"]["lines"]
        path = os.path.relpath(file["filename"])
        print(f"  {path}: {lines['percent']:.1f} % of {lines['count']} lines")


def cpu_seconds():
    """Of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(path, name, field, about):
    """Builds and runs one target; True if it found nothing."""
    program, corpus = f"{BUILD}/{name}", f"{BUILD}/{name}.corpus"
    os.makedirs(corpus, exist_ok=True)
    build = ["clang", *CFLAGS, *field["CFLAGS"], "-o", program, path, *field["SOURCES"],
             *field["LIBS"]]
    if subprocess.run(build, check=False).returncode:
        return False
    env = dict(os.environ, FUZZ_SEEDS=make_seeds(name, field["SEED"]))
    before = cpu_seconds()
    with open(f"{BUILD}/{name}.log", "w") as log:
        status = subprocess.run([program, f"-max_total_time={SECONDS}", f"-runs={RUNS}",
                                 "-timeout=60", "-print_final_stats=1", f"-artifact_prefix={BUILD}/{name}-",
                                 corpus], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                timeout=SECONDS + 120, check=False).returncode
    with open(f"{BUILD}/{name}.log") as log:
        text = log.read()
    runs = re.search(r"number_of_executed_units: *(\d+)", text)
    cover = re.findall(r"cov: (\d+)", text)
    used = cpu_seconds() - before
    print(f"{name}: {runs[1] if runs else '?'} runs in {used:.0f} s of CPU time, "
          f"coverage {cover[-1] if cover else '?'}, "
          f"{'nothing found' if status == 0 else f'FAILED, see {BUILD}/{name}.log'}", flush=True)
    if about and os.environ.get("FUZZ_COVERAGE"):
        coverage(name, build, about)
    return status == 0


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    found = [(path, *target) for path in sorted(glob.glob("tests/fuzz/fuzz_*.c"))
             for target in targets(path)]
    exact = [t for t in found if t[1] == "fuzz_" + name]
    done = [run(*t) for t in exact or found if name in t[1]]
    results.report("fuzz", sum(done), len(done) - sum(done))


if __name__ == "__main__":
    main()
