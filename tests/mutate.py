#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Do the unit tests see a mistake? Makes random single-line mutants of a source file and runs tests.

mutate.py SOURCE TEST [--count 100] [--seed 1] [--only NAME]… [--plain]: each mutant of SOURCE
(drivers/block/fmt_vdi.c) is built into the unit test programs whose path contains TEST, as
`make unit K=TEST` does; those that do not compile are drawn anew, those that hang count as caught.
With --only, of programs with a lab_group_run just the tests whose name matches one of the patterns
run: those that can see the source. Mutants that pass without the sanitizers, which is fast, are tried
with them, but with --plain: that is faster and may miss some that are caught. Prints the mutants that
were not caught, and the rate. The tree stays as it is.
"""
import argparse
import glob
import os
import random
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

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


FLAGS = shlex.split(unit.CFLAGS)
FAST = [flag for flag in FLAGS if flag != "-g" and not flag.startswith("-fsanitize")]
# A program ends with its first failing test, or when a mutant eats memory.
ENV = dict(os.environ, CMOCKA_TEST_ABORT="1",
           ASAN_OPTIONS="max_allocation_size_mb=2048:hard_rss_limit_mb=4096")
MEMORY = 8 << 30  # bytes of address space without sanitizers
WALL = 3600  # seconds: machines are busy. What hangs runs out of CPU time long before


class Compiler:
    """Object files in a folder, each made once."""

    def __init__(self, folder):
        self.folder = folder
        self.made = {}
        self.count = 0

    def object(self, source, cflags):
        """The object's path; None if it does not compile."""
        key = (source, *cflags)
        if key not in self.made:
            self.count += 1
            path = f"{self.folder}/{self.count}.o"
            build = [unit.CC, *cflags, "-c", "-o", path, source]
            failed = subprocess.run(build, stderr=subprocess.DEVNULL, check=False).returncode
            self.made[key] = None if failed else path
        return self.made[key]

    def forget(self, source):
        """It was changed."""
        self.made = {key: path for key, path in self.made.items() if key[0] != source}


class Program:
    """A unit test program of which one source changes."""

    def __init__(self, path, source, compiler, flags, only):
        self.name = os.path.join(compiler.folder, os.path.basename(path)[:-2])
        field = unit.fields(path)
        self.fast = flags is FAST
        self.cflags = flags + field["CFLAGS"]
        self.libs = ["-lcmocka", *field["LIBS"]]
        self.compiler = compiler
        self.sources = [s for s in [path, *field["SOURCES"]] if s != source]
        self.only = only or [None]
        self.seconds = 60  # of CPU time

    def link(self, mutant):
        """False if there is no such program."""
        objects = [self.compiler.object(s, self.cflags) for s in [mutant, *self.sources]]
        if None in objects:
            return False
        link = [unit.CC, *self.cflags, "-o", self.name, *objects, *self.libs]
        return subprocess.run(link, stderr=subprocess.DEVNULL, check=False).returncode == 0

    def passes(self):
        """Do the tests that matter pass?"""
        return all(self.run(pattern) for pattern in self.only)

    def limit(self):
        """In the child."""
        resource.setrlimit(resource.RLIMIT_CPU, (self.seconds, self.seconds))
        if self.fast:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    def run(self, pattern):
        """Do the tests of that pattern pass?"""
        env = dict(ENV, LAB_TESTS=pattern) if pattern else ENV
        with open(self.name + ".log", "w") as log:
            test = subprocess.Popen(
                [self.name], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                start_new_session=True, preexec_fn=self.limit)
            try:
                return test.wait(WALL) == 0
            except subprocess.TimeoutExpired:
                return False
            finally:
                end(test)


def end(test):
    """Ends what a test left behind: its children, and the scratch folder of lab.c."""
    try:
        os.killpg(test.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    test.wait()
    for parent in ("/dev/shm", "/tmp"):
        for folder in glob.glob(f"{parent}/insula-lab-{test.pid}-*"):
            shutil.rmtree(folder, ignore_errors=True)


def cpu_time():
    """Seconds that ended children took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def judge(programs, mutant):
    """"passed", "caught", or "broken" if it does not compile."""
    for program in programs:
        if not program.link(mutant):
            return "broken"
        if not program.passes():
            return "caught"
    return "passed"


def prepare(args, compiler, mutant):
    """The programs that the mutants are built into, in the order in which they are tried."""
    paths = [p for p in sorted(glob.glob("tests/unit/**/test_*.c", recursive=True))
             if args.test in p and args.source in unit.fields(p)["SOURCES"]]
    if not paths:
        sys.exit(f"mutate: no unit test whose path contains {args.test} is made of {args.source}")
    cost = {}
    shutil.copy(args.source, mutant)
    for flags in [FAST] if args.plain else [FAST, FLAGS]:
        for path in paths:
            program = Program(path, args.source, compiler, flags, args.only)
            if not program.link(mutant):
                sys.exit(f"mutate: {path} does not compile as it is")
            begun = cpu_time()
            if not program.passes():
                sys.exit(f"mutate: {path} does not pass as it is")
            cost[program] = cpu_time() - begun
            program.seconds = int(5 + 4 * cost[program])
    return sorted(cost, key=lambda program: (not program.fast, cost[program]))


def try_mutants(args, compiler):
    """Prints those that are not caught, and how many are."""
    rand = random.Random(args.seed)
    mutant = os.path.join(compiler.folder, os.path.basename(args.source))
    programs = prepare(args, compiler, mutant)
    caught = tried = 0
    results = {}  # of what is drawn again
    with open(args.source) as file:
        lines = file.read().split("\n")
    while tried < args.count:
        number, new = draw(lines, rand)
        if (number, new) not in results:
            with open(mutant, "w") as file:
                file.write("\n".join(lines[:number] + [new] + lines[number + 1:]))
            compiler.forget(mutant)
            results[number, new] = judge(programs, mutant)
        result = results[number, new]
        tried += result != "broken"
        caught += result == "caught"
        if result == "passed":
            print(f"{args.source}:{number + 1}: {lines[number].strip()}  ->  {new.strip()}",
                  flush=True)
    print(f"mutate: {args.source}: {caught} of {tried} caught, {100 * caught // tried} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("test")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append")
    parser.add_argument("--plain", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try_mutants(args, Compiler(folder))


if __name__ == "__main__":
    main()
