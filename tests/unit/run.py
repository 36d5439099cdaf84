#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Builds and runs the unit tests: every tests/unit/**/test_*.c is one cmocka program for the host.

run.py [NAME]: only programs whose path contains NAME. What a program is made of stands in comment
lines of the test itself: see tests/unit/README.md.
"""
import concurrent.futures
import glob
import os
import re
import shlex
import subprocess
import sys

os.chdir(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, "tests")
import results  # noqa: E402

BUILD = "build/unit"
CC = os.environ.get("UNIT_CC", "gcc")
CFLAGS = ("-std=gnu11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined "
          "-fno-omit-frame-pointer -fno-strict-aliasing -Wall -Wextra -Werror -I. -Itests/unit "
          "-include setjmp.h -include stdarg.h -include stddef.h -include stdint.h")
# Seconds for one program, on a busy machine as well: against what hangs.
TIME_LIMIT = 14400 if os.environ.get("INSULA_SOAK") else 240

# Functions of hv/lib/libc.c that libc and the sanitizers own: a program with that source gets
# them under other names, in every one of its files.
LIBC_NAMES = ("memcpy memmove memset memcmp memchr strlen strnlen strcmp strncmp strchr strrchr "
              "strstr").split()


def fields(path):
    """The TEST_SOURCES, TEST_LIBS and TEST_CFLAGS of a test, each a list of words."""
    found = {"SOURCES": [], "LIBS": [], "CFLAGS": []}
    with open(path) as file:
        for key, words in re.findall(r"TEST_(SOURCES|LIBS|CFLAGS):(.*?)(?:\*/|$)", file.read(),
                                     re.MULTILINE):
            found[key] += shlex.split(words)
    return found


def rule(path):
    """The makefile rule of one program, with its header dependencies in a file beside it."""
    field = fields(path)
    program = f"{BUILD}/{path[len('tests/unit/'):-2]}"
    sources = " ".join([path] + field["SOURCES"])
    cflags = " ".join([CFLAGS] + field["CFLAGS"])
    if "hv/lib/libc.c" in field["SOURCES"]:
        cflags += "".join(f" -D{name}=hv_{name}" for name in LIBC_NAMES)
    return program, (f"all: {program}\n"
                     f"{program}: {sources} tests/unit/run.py\n"
                     f"\t@mkdir -p $(@D) && rm -f $@\n"
                     f"\t@{CC} {cflags} -MM -MP -MT $@ {sources} >$@.d\n"
                     f"\t@{CC} {cflags} -o $@ {sources} -lcmocka {' '.join(field['LIBS'])}\n"
                     f"-include {program}.d\n")


def build(tests):
    """Builds what is out of date; the programs, and the compiler's words for those it refused."""
    os.makedirs(BUILD, exist_ok=True)
    rules = dict(rule(test) for test in tests)
    with open(f"{BUILD}/rules.mk", "w") as file:
        file.write("all:\n" + "".join(rules.values()))
    make = subprocess.run(["make", "-s", "-k", f"-j{os.cpu_count()}", "-f", f"{BUILD}/rules.mk"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env={k: v for k, v in os.environ.items() if "MAKE" not in k})
    return list(rules), make.stdout.decode(errors="replace") if make.returncode else ""


def run(program):
    """Runs one program: (program, tests passed, tests failed, output)."""
    if not os.path.exists(program):
        return program, 0, 1, "not built"
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    try:
        done = subprocess.run([program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env,
                              stderr=subprocess.STDOUT, timeout=TIME_LIMIT, check=False)
        text, status = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as late:
        text, status = (late.stdout or b"").decode(errors="replace") + "time limit\n", 1
    passed = len(re.findall(r"^ok \d", text, re.MULTILINE))
    failed = len(re.findall(r"^not ok \d+(?! # SKIP)", text, re.MULTILINE))
    if failed == 0 and (status != 0 or passed == 0):  # a crash, a sanitizer report, or no test
        failed = 1
        text += f"exit status {status}\n"
    return program, passed, failed, text


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    tests = sorted(t for t in glob.glob("tests/unit/**/test_*.c", recursive=True) if name in t)
    if not tests:
        print(f"unit: there are no tests{' named ' + name if name else ''}")
    programs, complaint = build(tests)
    if complaint:
        print(complaint)
    total = [0, 0]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for program, passed, failed, text in pool.map(run, programs):
            if failed:
                print(f"FAILED {program}\n{text}")
            total[0] += passed
            total[1] += failed
    print(f"unit: {len(programs)} programs")
    results.report("unit", *total)


if __name__ == "__main__":
    main()
