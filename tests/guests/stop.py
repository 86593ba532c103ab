#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ends guests that do not come to an end by themselves: SIGTERM and SIGINT must be answered.

    stop.py [--emulator build/calque] [LETTER...]

Prints one line, "ok stop WAY" or "FAIL stop WAY", for each way to spin that tests/guests/spin.asm
knows; the status is 1 if one failed.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tests/boot")
from machine import leashed  # noqa: E402 (found through the line above)

# Letter for spin.asm: what it does.
WAYS = {
    "j": "jump", "w": "walk through memory", "l": "loop", "c": "call", "i": "indirect jump",
    "r": "return", "s": "string instructions", "o": "string to a device",
    "b": "string instructions backwards", "m": "self-modifying code",
    "u": "undefined instruction", "p": "page fault", "t": "single step", "d": "device",
    "3": "ring 3", "x": "16-bit code", "h": "halt",
}
SPINNING = 0.3      # seconds, until whatever translates it has done so
PATIENCE = 5        # until an emulator that does not end counts as hung


def complain(letter, number, options):
    """Ends a guest by a signal; what is wrong, or None."""
    command = shlex.split(options.emulator) + [
        "-m", "16", "-nographic", "-no-reboot", "-append", letter,
        "-kernel", f"{options.guests}/spin.bin"]
    with subprocess.Popen(leashed(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as emulator:
        silence = threading.Timer(PATIENCE * 4 * options.scale, emulator.kill)
        silence.start()
        try:
            said = b""
            while b"spin: begins" not in said:
                line = emulator.stdout.readline()
                if not line:
                    return f"it ended before, with {said[-200:]!r}"
                said += line
            time.sleep(SPINNING * options.scale)
            if emulator.poll() is not None:
                return f"it ended by itself with status {emulator.returncode}"
            emulator.send_signal(number)
            status = emulator.wait(PATIENCE * options.scale)
            return None if status == 0 else f"status {status}"
        except subprocess.TimeoutExpired:
            return "it goes on in spite of the signal"
        finally:
            silence.cancel()
            emulator.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--guests", default=f"{TOP}/build/guests", help="where spin.bin is")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the times")
    parser.add_argument("ways", nargs="*", metavar="LETTER", help=f"of {', '.join(WAYS)}")
    options = parser.parse_args()
    failed = False
    for letter in options.ways or WAYS:
        number = signal.SIGTERM if letter in "jwsuph3" else signal.SIGINT
        complaint = complain(letter, number, options)
        failed |= complaint is not None
        print(f"FAIL stop {WAYS[letter]}: {complaint}" if complaint else
              f"ok stop {WAYS[letter]}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
