# SPDX-License-Identifier: BSD-2-Clause
"""The image boots to its banner and prompt with no configuration, on every machine."""
from boot import Machine


def test_prompt(kind):
    with Machine(kind, memory="512M") as machine:
        machine.expect(rb"(?m)^(?:\[[ .0-9]+\] )?Insula [0-9]\S* \([0-9a-f]{12}")
        machine.expect_exact("insula> ")
