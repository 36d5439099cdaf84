# SPDX-License-Identifier: BSD-2-Clause
"""Checks of plain text: the opening lines of a file, white space, and braces around every body."""
import re

SPDX = "SPDX-License-Identifier: BSD-2-Clause"


def lines_of(path):
    with open(path, errors="replace") as file:
        return file.read().split("\n")


def opening(files):
    """C and assembly open with three comment lines; scripts say SPDX and then what they do."""
    complaints = []
    for path in files:
        lines = lines_of(path)
        if path.endswith((".c", ".h", ".S")):
            good = (lines[0] == f"/* {SPDX} */"
                    and all(line.startswith("/* ") for line in lines[1:3]))
            if not good:
                complaints.append(f"{path}:1: not opened by SPDX, what it owns, what it does not")
        elif path.endswith((".py", ".sh", ".mk", ".ld", "Makefile")):
            if not any(SPDX in line for line in lines[:2]):
                complaints.append(f"{path}:1: no SPDX line")
    return complaints


def spaces(files):
    """No white space at a line's end, and one newline at the file's."""
    complaints = []
    for path in files:
        lines = lines_of(path)
        complaints += [f"{path}:{number}: white space at the end of the line"
                       for number, line in enumerate(lines, 1) if line != line.rstrip(" \t\r")]
        if lines[-1] != "" or (len(lines) > 1 and lines[-2] == ""):
            complaints.append(f"{path}:{len(lines)}: not ended by exactly one newline")
    return complaints


def braces(files):
    """if, else, for, while and do have braces. clang-format 14 cannot insert or demand them."""
    complaints = []
    for path in files:
        inside_macro = False
        lines = lines_of(path)
        for number, line in enumerate(lines, 1):
            text = re.sub(r"/\*.*?\*/|//.*", "", line).rstrip()
            macro = inside_macro or text.lstrip().startswith("#")
            inside_macro = macro and text.endswith("\\")
            head = re.match(r"\s*(?:\} )?(?:(if|for|while|list_for_each\w*) ?(\(.*)|(else|do))$", text)
            if macro or not head or lines[number].strip() == "{":
                continue
            condition = head.group(2) or ""
            closed = condition.count("(") == condition.count(")") and not condition.endswith("{")
            if closed and not text.startswith("}") and not re.match(r"\s*\} while", text):
                complaints.append(f"{path}:{number}: no brace after {head.group(1) or head.group(3)}")
    return complaints


SELF_TEST = "if (a)\n\tb();\nfor (;;) {\n}\nwhile (x(y))\n\tz();\ndo {\n} while (q);\nelse\n\tc();\n"


def self_test(scratch):
    """Complaints about the brace check itself."""
    with open(scratch, "w") as file:
        file.write(SELF_TEST)
    found = [int(complaint.split(":")[1]) for complaint in braces([scratch])]
    return [] if found == [1, 5, 9] else [f"text.py: braces found in lines {found}, not 1, 5, 9"]
