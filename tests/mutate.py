#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Do the unit tests see a mistake? Makes random single-line mutants of a source file and runs tests.

mutate.py SOURCE TEST [--count 100] [--seed 1]: each mutant of SOURCE (drivers/block/fmt_vdi.c)
is built into the unit test programs whose path contains TEST, as `make unit K=TEST` does; those that
do not compile are drawn anew, those that hang count as caught. Prints the mutants that were not
caught, and the rate. The tree stays as it is.
"""
import argparse
import glob
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "unit"))
import run as unit  # noqa: E402  (from here on this is the root folder)

# (what, what it becomes): each place where it stands in code is one possible mutant.
SWAPS = [("<=", "<"), (">=", ">"), ("==", "!="), ("!=", "=="), (" < ", " <= "), (" > ", " >= "),
         (" && ", " || "), (" || ", " && "), (" + ", " - "), (" - ", " + "), (" * ", " / "),
         (" / ", " * "), (" % ", " / "), (" & ", " | "), (" << ", " >> "), (" >> ", " << "),
         ("++", "--"), (" += ", " -= "), ("u64_min", "u64_max"), ("u64_max", "u64_min"),
         ("ALIGN_UP", "ALIGN_DOWN"), ("true", "false"), ("false", "true"), ("!", ""),
         ("le32", "be32"), ("be32", "le32"), ("le64", "be64"), ("be64", "le64")]
NUMBER = re.compile(r"(?<![\w\"%])(\d+)(?=u?l?\b)")
STATEMENT = re.compile(r"^\t+(?!\t|return|break|continue|goto|case|default|struct|const|static|uint|int|bool"
                       r"|size_t|char|unsigned)[^{}#/*]*;$")


def code_lines(lines):
    """The numbers of lines within functions' bodies, without comments and declarations of data."""
    inside, comment = False, False
    for number, line in enumerate(lines):
        comment = comment or "/*" in line
        if line == "{":
            inside = True
        elif line.startswith("}"):
            inside = False
        elif inside and not comment and line.strip() not in ("", "{", "}", "} else {"):
            yield number
        comment = comment and "*/" not in line


def mutants(line):
    """All that one change can make of a line; what stands in quotes is not changed."""
    quotes = [m.span() for m in re.finditer(r'"(?:[^"\\]|\\.)*"', line)]

    def free(at):
        return not any(a <= at < b for a, b in quotes)

    for old, new in SWAPS:
        for m in re.finditer(re.escape(old), line):
            if free(m.start()):
                yield line[:m.start()] + new + line[m.end():]
    for m in NUMBER.finditer(line):
        if free(m.start()):
            yield line[:m.start()] + str(int(m[1]) + 1) + line[m.end():]
    if STATEMENT.match(line):
        yield re.match(r"\t+", line)[0] + ";"


def draw(lines, rand):
    """(number, new line) of a random mutant: lines are equally likely."""
    numbers = list(code_lines(lines))
    while True:
        number = rand.choice(numbers)
        found = [m for m in mutants(lines[number]) if m != lines[number]]
        if found:
            return number, rand.choice(found)


class Program:
    """A unit test program of which one source changes: all others are compiled once."""

    def __init__(self, path, source, folder):
        self.name = os.path.join(folder, os.path.basename(path)[:-2])
        field = unit.fields(path)
        self.cflags = shlex.split(unit.CFLAGS) + field["CFLAGS"]
        self.libs = ["-lcmocka", *field["LIBS"]]
        self.objects = []
        for number, name in enumerate([path, *field["SOURCES"]]):
            if name != source:
                self.objects.append(f"{self.name}.{number}.o")
                subprocess.run([unit.CC, *self.cflags, "-c", "-o", self.objects[-1], name],
                               check=True)

    def run(self, mutant, seconds):
        """"passed", "caught", or "broken" if it does not compile."""
        build = [unit.CC, *self.cflags, "-o", self.name, mutant, *self.objects, *self.libs]
        if subprocess.run(build, stderr=subprocess.DEVNULL, check=False).returncode:
            return "broken"
        with open(self.name + ".log", "w") as log:
            test = subprocess.Popen([self.name], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    start_new_session=True)
            try:
                return "caught" if test.wait(seconds) else "passed"
            except subprocess.TimeoutExpired:
                os.killpg(test.pid, signal.SIGKILL)
                test.wait()
                return "caught"


def run_all(programs, mutant, seconds):
    """The first that is not "passed", or that."""
    for program in programs:
        result = program.run(mutant, seconds)
        if result != "passed":
            return result
    return "passed"


def prepare(source, test, folder):
    """The programs that the mutants are built into."""
    paths = sorted(glob.glob("tests/unit/**/test_*.c", recursive=True))
    programs = [Program(p, source, folder) for p in paths
                if test in p and source in unit.fields(p)["SOURCES"]]
    if not programs:
        sys.exit(f"mutate: no unit test whose path contains {test} is made of {source}")
    cost = {}
    for program in programs:
        begun = time.monotonic()
        if program.run(source, 120) != "passed":
            sys.exit(f"mutate: {program.name} does not pass as it is")
        cost[program] = time.monotonic() - begun
    return sorted(programs, key=cost.get)  # most mutants are caught by the first


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("test")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rand = random.Random(args.seed)
    with open(args.source) as file:
        lines = file.read().split("\n")
    caught = tried = 0
    with tempfile.TemporaryDirectory() as folder:
        programs = prepare(args.source, args.test, folder)
        mutant = os.path.join(folder, os.path.basename(args.source))
        while tried < args.count:
            number, new = draw(lines, rand)
            with open(mutant, "w") as file:
                file.write("\n".join(lines[:number] + [new] + lines[number + 1:]))
            result = run_all(programs, mutant, 120)
            if result == "broken":
                continue
            tried += 1
            caught += result == "caught"
            if result == "passed":
                print(f"{args.source}:{number + 1}: {lines[number].strip()}  ->  {new.strip()}",
                      flush=True)
    print(f"mutate: {args.source}: {caught} of {tried} caught, {100 * caught // tried} %")


if __name__ == "__main__":
    main()
