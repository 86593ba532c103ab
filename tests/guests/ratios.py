#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what self-modification costs: the guests that tell times "plain" and "modified" of the
same work run some rounds, and the shortest times are compared.

    ratios.py                                              # build/calque -accel jit, ten rounds
    ratios.py --emulator 'qemu-system-x86_64 -accel tcg' --rounds 3
"""

import argparse
import os
import re
import shlex
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GUESTS = ["packed", "patching"]
TOLD = re.compile(r"^(.*): (\d+) us plain, (\d+) us modified", re.M)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque -accel jit", help="what to run")
    parser.add_argument("--guests", default=f"{TOP}/build/guests", help="where NAME.bin are")
    parser.add_argument("--rounds", type=int, default=10, help="runs of each guest")
    options = parser.parse_args()
    print(f"{'':32} {'plain, us':>10} {'modified, us':>13} {'ratio':>6}")
    for guest in GUESTS:
        command = shlex.split(options.emulator) + [
            "-m", "16", "-nographic", "-no-reboot",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4",
            "-kernel", f"{options.guests}/{guest}.bin"]
        best = {}
        for _ in range(options.rounds):
            output = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    timeout=300, check=False).stdout.decode(errors="replace")
            for name, *times in TOLD.findall(output):
                best[name] = [min(pair) for pair in
                              zip(best.get(name, [2**63] * 2), map(int, times))]
        for name, (plain, modified) in best.items():
            print(f"{name:32} {plain:10} {modified:13} {modified / max(plain, 1):6.2f}")


if __name__ == "__main__":
    main()
