#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs every check of the sources that needs no emulator and prints what each found.

run.py [NAME]: only checks whose name contains NAME. A check is a function that returns complaints;
none means passed. Generates nothing outside build/ and build-clang/.
"""
import os
import subprocess
import sys
import time

os.chdir(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = ["tests", "tests/lint"]
import exit_path  # noqa: E402
import includes  # noqa: E402
import results  # noqa: E402
import text  # noqa: E402

JOBS = str(os.cpu_count())
LAST_LINES = 20  # of a tool that fails


def tracked(*suffixes):
    """Files of the project, new ones included, that git does not ignore."""
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    return [f for f in sorted(set(out.split("\n"))) if f.endswith(suffixes) and os.path.isfile(f)]


def tool(*argv):
    """Complaints of a program: the end of its output if it failed."""
    env = {k: v for k, v in os.environ.items() if "MAKE" not in k}
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    lines = done.stdout.splitlines()[-LAST_LINES:] or [f"status {done.returncode}"]
    return ["\n".join(lines)] if done.returncode else []


def check_include_rule():
    return includes.self_test() + includes.check(tracked(".c", ".h", ".S"))


def check_opening_lines():
    return text.opening(tracked(".c", ".h", ".S", ".py", ".sh", ".mk", ".ld", "Makefile"))


def check_white_space():
    return text.spaces(tracked(".c", ".h", ".S", ".py", ".sh", ".mk", ".ld", ".md", ".cfg", ".conf",
                               "Makefile"))


def check_braces():
    os.makedirs("build", exist_ok=True)
    return text.self_test("build/braces-self-test.c") + text.braces(tracked(".c", ".h"))


def check_format():
    """The first line that clang-format would change in each file; `make format` changes them."""
    complaints = []
    for file in tracked(".c", ".h"):
        done = subprocess.run(["clang-format", "--dry-run", "-Werror", file], check=False,
                              stderr=subprocess.PIPE, text=True)
        complaints += done.stderr.splitlines()[:1]
    return complaints


def check_scripts():
    complaints = []
    for file in tracked(".py"):
        complaints += tool(sys.executable, "-c", "import sys; f = sys.argv[1]; "
                           "compile(open(f).read(), f, 'exec')", file)
    for file in tracked(".sh", ".ci/run"):
        complaints += tool("bash", "-n", file)
    return complaints


def check_cppcheck():
    os.makedirs("build/cppcheck", exist_ok=True)
    return tool("cppcheck", "--quiet", "--error-exitcode=1", "-j", JOBS, "--std=c11", "-I.",
                "--enable=warning,portability", "--inline-suppr", "--platform=unix64",
                "--suppressions-list=tests/lint/cppcheck.txt", "--cppcheck-build-dir=build/cppcheck",
                *[d for d in ("boot", "arch", "hv", "drivers") if os.path.isdir(d)])


def check_build_gcc():
    return tool("make", "-s", "-j", JOBS, "CC=gcc")


def check_build_clang():
    return tool("make", "-s", "-j", JOBS, "CC=clang")


def check_exit_registers():
    complaints = check_build_gcc()
    if complaints:
        return complaints
    with open("build/insula.asm") as file:
        asm = file.read()
    return exit_path.self_test(asm) + exit_path.check(asm)


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    passed = failed = 0
    for function, check in list(globals().items()):
        if not function.startswith("check_") or name not in function:
            continue
        started = time.monotonic()
        complaints = check()
        verdict = "FAILED" if complaints else "ok"
        print(f"lint {function[6:]:<14} {verdict} {time.monotonic() - started:6.1f} s", flush=True)
        for complaint in complaints:
            print(complaint.rstrip())
        passed, failed = passed + (not complaints), failed + bool(complaints)
    results.report("lint", passed, failed)


if __name__ == "__main__":
    main()
