#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drives a kernel on the screen and the keyboard through the monitor.

    monitor_test.py [--emulator build/calque] [--scale N] [GUEST...]     (default: amd64)

Each check prints one line, "ok NAME" or "FAIL NAME"; the status is 1 if one failed. The monitor's
conversation goes to build/monitor-GUEST.log.
"""

import argparse
import shlex
import sys
import tempfile
import time

from machine import TOP, Failure, Machine, Report, require_equal, until


def check_shell(monitor, _):
    monitor.wait_screen("\n/ #", 60)


def check_typing(monitor, _):
    monitor.type("echo $((6*7)) 'Calque|_x'\n")
    monitor.wait_screen("\n42 Calque|_x\n", 20)


def check_caps_lock(monitor, _):
    monitor.command("sendkey caps_lock")
    monitor.type("echo q")
    monitor.wait_screen("ECHO Q", 20)
    monitor.command("sendkey caps_lock")
    monitor.command("sendkey ctrl-c")


def check_repetition(monitor, _):
    monitor.type("echo ")
    monitor.command("sendkey z 2000")
    monitor.type("\n")
    monitor.wait_screen("\nzzzz", 20)


def check_pause(monitor, _):
    monitor.command("stop")
    before = monitor.command("info registers")
    if monitor.command("info status") != "VM status: paused\n":
        raise Failure("it is not paused")
    time.sleep(0.2)
    if monitor.command("info registers") != before:
        raise Failure("it goes on")
    monitor.command("cont")
    monitor.type("echo on''ward\n")
    monitor.wait_screen("\nonward\n", 20)


def check_picture(monitor, folder):
    for name, magic in (("screen.png", b"\x89PNG\r\n\x1a\n"), ("screen.ppm", b"P6\n720 400\n255\n")):
        complaint = monitor.command(f"screendump {folder}/{name}")
        if complaint:
            raise Failure(complaint)
        with open(f"{folder}/{name}", "rb") as file:
            data = file.read()
        if not data.startswith(magic):
            raise Failure(f"{name} begins with {data[:16]!r}")
    if len(data) != 15 + 720 * 400 * 3 or len(set(data[15:])) < 2:
        raise Failure("the picture is empty")


def check_mouse(monitor, _):
    """Linux's driver knows the mouse with a wheel and five buttons, and hands on what it sends."""
    monitor.type("clear; load-mouse; until grep ImEx /proc/bus/input/devices; do sleep 1; done\n")
    monitor.wait_screen('N: Name="ImExPS/2 Generic Explorer Mouse"', 30)
    monitor.type("clear; hexdump -v -e '3/1 \"%02x \" \"\\n\"' /dev/input/mice\n")

    def reads():
        monitor.command("mouse_move 1 0")
        return "\n08 01 00" in monitor.screen()
    until(reads, 20 * monitor.scale, "no movements")
    for command, packet in (("mouse_move 7 -4", "08 07 04"), ("mouse_button 1", "09 00 00"),
                            ("mouse_move 2 2", "29 02 fe"), ("mouse_button 4", "0a 00 00"),
                            ("mouse_button 2", "0c 00 00"), ("mouse_button 0", "08 00 00"),
                            ("mouse_move -100 50", "38 9c ce")):
        monitor.command(command)
        monitor.wait_screen(f"\n{packet}\n", 10)
    monitor.command("sendkey ctrl-c")


# While the guest spins, the monitor answers at once.
def check_response(monitor, _):
    monitor.type("while true; do true; done\n")
    time.sleep(0.5)
    for _ in range(20):
        monitor.command("info registers")
    monitor.command("sendkey ctrl-c")
    monitor.type("echo sp''un\n")
    monitor.wait_screen("\nspun\n", 20)


CHECKS = (("shell on the screen", check_shell), ("typing", check_typing),
          ("caps lock", check_caps_lock), ("repetition", check_repetition), ("pause", check_pause),
          ("pictures", check_picture), ("mouse", check_mouse), ("response", check_response))


def check_reset(machine):
    """Ctrl-Alt-Delete resets, which ends the emulator here."""
    machine.monitor.socket.sendall(b"sendkey ctrl-alt-delete\n")
    require_equal(machine.wait_end(20), 0)


def test(guest, options):
    report = Report(f"boot {guest}: monitor:")
    folder = f"{TOP}/guests/{guest}"
    with tempfile.NamedTemporaryFile() as initrd:
        for part in ("initrd.gz", "mouse.gz"):
            with open(f"{folder}/{part}", "rb") as file:
                initrd.write(file.read())
        initrd.flush()
        machine = Machine(
            shlex.split(options.emulator),
            ["-m", "256", "-no-reboot", "-serial", "none", "-kernel", f"{folder}/vmlinuz",
             "-initrd", initrd.name, "-append", "console=tty0 cryptomgr.notests quiet"],
            f"{options.log_dir}/monitor-{guest}.log", options.scale)
    try:
        if all(report.check(name, check, machine.monitor, machine.folder) for name, check in CHECKS):
            report.check("Ctrl-Alt-Delete", check_reset, machine)
    finally:
        machine.close()
    return not report.failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--scale", type=float, default=3, help="stretches every time limit")
    parser.add_argument("--log-dir", default=f"{TOP}/build")
    parser.add_argument("guests", nargs="*", default=["amd64"])
    options = parser.parse_args()
    good = True
    for guest in options.guests:
        try:
            good &= test(guest, options)
        except (Failure, OSError) as failure:
            print(f"FAIL boot {guest}: monitor: {failure}", flush=True)
            good = False
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
