#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the command line: help, version, and that mistakes give one clear line and status 1.

    cli_test.py [--emulator build/calque]

Prints "ok cli NAME" or "FAIL cli NAME" per case; the status is 1 if one failed.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=20, check=False)


def complain_of_success(emulator, arguments, expected):
    """Arguments that are understood: status 0, and the expected text on standard output."""
    result = run(emulator + arguments)
    if result.returncode != 0:
        return f"status {result.returncode}"
    if expected not in result.stdout.decode("utf-8", "replace"):
        return f"no {expected!r} in {result.stdout!r}"
    return None


def complain_of_mistake(emulator, arguments, expected):
    """Arguments that are wrong: status 1, one line on standard error that names the culprit."""
    result = run(emulator + arguments)
    text = result.stderr.decode("utf-8", "replace")
    if result.returncode != 1:
        return f"status {result.returncode}, {text!r}"
    if result.stdout:
        return f"standard output says {result.stdout[:80]!r}"
    if text.count("\n") != 1 or not text.endswith("\n"):
        return f"not one line: {text!r}"
    if expected not in text:
        return f"no {expected!r} in {text!r}"
    return None


def complain_of_fallback(emulator, arguments, expected):
    """Where the translator cannot be had: one line says so, and the guest runs all the same."""
    result = run(emulator + arguments)
    text = result.stderr.decode("utf-8", "replace")
    if result.returncode != 0 or b"all checks passed" not in result.stdout:
        return f"status {result.returncode}, {text!r}"
    if text.count("\n") != 1 or expected not in text:
        return f"not one line with {expected!r}: {text!r}"
    return None


# Too little address space for the translator's tables.
LITTLE_SPACE = ["sh", "-c", 'ulimit -v 1100000; exec "$@"', "sh"]


def little_space(judge):
    return lambda emulator, arguments, expected: judge(LITTLE_SPACE + emulator, arguments, expected)


def cases(folder):
    """Name, judge, arguments, expected text."""
    empty, text, short_elf, short_linux = (f"{folder}/{n}" for n in ("empty", "text", "elf", "bz"))
    with open(empty, "wb"):
        pass
    with open(text, "wb") as file:
        file.write(b"not a kernel\n" * 5000)
    with open(short_elf, "wb") as file:
        file.write(b"\x7fELF\x01\x01\x01" + bytes(9))
    with open(short_linux, "wb") as file:
        file.write(bytes(0x1fe) + b"\x55\xaa\xeb\x66HdrS\x0f\x02" + bytes(20))
    good, bad = complain_of_success, complain_of_mistake
    yield "-version", good, ["-version"], "alque"
    yield "-help", good, ["-help"], "-kernel"
    yield "-accel help", good, ["-accel", "help"], "interp"
    yield "unknown accelerator", bad, ["-accel", "steam"], "steam"
    yield "too little code", bad, ["-accel", "jit,tb-size=0"], "tb-size"
    yield "lockstep without translator", bad, ["-accel", "interp", "-d", "lockstep"], "-d lockstep"
    yield "map without translator", bad, ["-accel", "interp", "-perfmap"], "-perfmap"
    selftest = ["-append", "selftest"]
    yield "no translator", little_space(complain_of_fallback), selftest, "interpreting"
    yield ("no translator in a list", little_space(complain_of_fallback),
           ["-accel", "jit", "-accel", "interp"] + selftest, "interpreting")
    yield "no translator, but asked for", little_space(bad), ["-accel", "jit"], "-accel jit"
    yield "no translator for lockstep", little_space(bad), ["-d", "lockstep"], "-d lockstep"
    yield "unknown option", bad, ["-bogus"], "-bogus"
    yield "missing value", bad, ["-m"], "-m"
    yield "memory of no size", bad, ["-m", "lots"], "lots"
    yield "memory of size 0", bad, ["-m", "0"], "0"
    yield "unknown processor", bad, ["-cpu", "z80"], "z80"
    yield "unknown device", bad, ["-device", "toaster"], "toaster"
    yield "unknown serial end", bad, ["-serial", "pigeon"], "pigeon"
    yield "unknown monitor end", bad, ["-monitor", "pigeon"], "pigeon"
    yield "monitor in no folder", bad, ["-monitor", f"unix:{folder}/none/m,server,nowait"], folder
    yield "-display help", good, ["-display", "help"], "vnc"
    yield "unknown display", bad, ["-display", "crystal ball"], "crystal ball"
    yield "unknown log item", bad, ["-d", "gossip"], "gossip"
    yield "too many processors", bad, ["-smp", "999"], "999"
    yield "missing kernel", bad, ["-kernel", f"{folder}/none"], f"{folder}/none"
    yield "kernel is a folder", bad, ["-kernel", folder], folder
    yield "empty kernel", bad, ["-kernel", empty], empty
    yield "kernel of text", bad, ["-kernel", text], text
    yield "truncated ELF", bad, ["-kernel", short_elf], short_elf
    yield "truncated bzImage", bad, ["-kernel", short_linux], short_linux
    yield "missing firmware", bad, ["-bios", f"{folder}/none"], f"{folder}/none"
    yield "firmware of odd size", bad, ["-bios", text], "64 KiB"
    yield "firmware and kernel", bad, ["-bios", text, "-kernel", text], "-bios"
    yield "missing image", bad, ["-bios", text, f"{folder}/none"], f"{folder}/none"
    yield "missing disk", bad, ["-kernel", text, "-hda", f"{folder}/none"], f"{folder}/none"
    yield "disk is a folder", bad, ["-kernel", text, "-hda", folder], folder
    yield ("disk of no format", bad, ["-kernel", text, "-drive", f"file={text},format=none"],
           "none")
    yield "unwritable log", bad, ["-D", f"{folder}/none/log", "-d", "int"], f"{folder}/none/log"
    kernel = f"{TOP}/guests/amd64/vmlinuz"
    if os.path.exists(kernel):
        yield ("missing initrd", bad, ["-kernel", kernel, "-initrd", f"{folder}/none"],
               f"{folder}/none")
        yield "kernel larger than memory", bad, ["-m", "4", "-kernel", kernel], "memory"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    emulator = shlex.split(parser.parse_args().emulator)
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for name, judge, arguments, expected in cases(folder):
            try:
                complaint = judge(emulator, arguments, expected)
            except (OSError, subprocess.TimeoutExpired) as error:
                complaint = str(error)
            print(f"FAIL cli {name}: {complaint}" if complaint else f"ok cli {name}", flush=True)
            failed |= complaint is not None
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
