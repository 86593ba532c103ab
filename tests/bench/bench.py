#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times Calque beside other emulators on this machine: Linux amd64 from start to shell, and integer
instructions per second of a program in that guest. Needs guests/amd64 (tests/boot/fetch-guests.sh).

    bench.py [CALQUE-OPTION...]        # options are passed to calque
"""

import os
import re
import shutil
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tests/boot")
from boot_test import Console, Failure  # noqa: E402 (found through the line above)

GUEST = f"{TOP}/guests/amd64"
LIMIT_SECONDS = 600

# Needs a disk image to boot from, so it is not run here: one measurement of the same system.
BOCHS_REFERENCE = ("Bochs 2.7 (measured before)", 59.0, None)


def measure(command):
    """Seconds to the shell, and million integer instructions per second."""
    command = command + ["-m", "512", "-nographic", "-no-reboot", "-kernel", f"{GUEST}/vmlinuz",
                         "-initrd", f"{GUEST}/initrd.gz", "-append", "console=ttyS0"]
    start = time.monotonic()
    console = Console(command, f"{TOP}/build/bench.log", 1.0)
    try:
        console.expect(r"Calque guest is up.*?\n/ # ", LIMIT_SECONDS)
        boot_seconds = time.monotonic() - start
        if not os.path.exists(f"{GUEST}/guestcheck"):
            return boot_seconds, None
        console.shell("dmesg -n 1")
        start = time.monotonic()
        text = console.shell("guestcheck mips", LIMIT_SECONDS)
        run_seconds = time.monotonic() - start
        millions = int(re.search(r"million instructions: (\d+)", text).group(1))
        return boot_seconds, millions / run_seconds
    finally:
        console.close()


def main():
    emulators = [("calque", [f"{TOP}/build/calque"] + sys.argv[1:])]
    if shutil.which("qemu-system-x86_64"):
        emulators.append(("QEMU TCG", ["qemu-system-x86_64", "-accel", "tcg"]))
    rows = []
    failed = False
    for name, command in emulators:
        print(f"Running {name} ...", flush=True)
        try:
            rows.append((name, *measure(command)))
        except (Failure, OSError) as error:
            print(f"  {error}")
            failed = True
    rows.append(BOCHS_REFERENCE)

    print(f"\n{'':30} {'boot, s':>10} {'MIPS':>10}")
    for name, boot_seconds, mips in rows:
        print(f"{name:30} {boot_seconds:10.1f} {f'{mips:.0f}' if mips else '-':>10}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
