#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boot loaders and tools that are booted instead of a system: GRUB, ISOLINUX, SYSLINUX, iPXE and
memtest86+, from floppies, disks and CDs of every kind, driven by keyboard and screen.

    loaders_test.py [--emulator build/calque] [--scale N] [grub|linux|seabios|ipxe|memtest...]

The media are those of make-loaders.sh. Prints a line per check, as boot_test.py does. What the
monitor said goes to build/loaders-*.log. QEMU is tested with --emulator "qemu-system-x86_64".
"""

import argparse
import os
import re
import shlex
import shutil
import sys
import tempfile
import time

from machine import TOP, Machine, Report, require_equal, until

MEDIA = f"{TOP}/guests/loaders"
DEBS = f"{MEDIA}/.debs"
SEABIOS = ["-bios", f"{DEBS}/usr/share/seabios/bios-256k.bin"]
FILE_TEXT = "A file on the medium"
GRUB_ENTRIES = ("686", "amd64", "memtest86+", "iPXE")
MACHINES = {"686": "i686", "amd64": "x86_64"}


class Guest(Machine):
    """A machine whose user waits for texts and types."""

    def see(self, text, seconds=30):
        self.monitor.wait_screen(text, seconds)

    def key(self, name, count=1):
        for _ in range(count):
            self.monitor.command(f"sendkey {name} 20")
            time.sleep(0.1)

    def ask(self, command, answer, seconds=30):
        self.monitor.type(command + "\n")
        self.see(answer, seconds)

    def yield_host(self):
        """From now on it gets what others leave of the host's processors."""
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            os.setpriority(os.PRIO_PROCESS, int(thread), 19)


# -- GRUB ----------------------------------------------------------------------------------------


def at_prompt(guest, command, answer):
    """A command of GRUB's, and its prompt again: some commands drop what is typed meanwhile."""
    guest.ask(command, answer)
    until(lambda: guest.monitor.screen().rstrip().endswith("\ngrub>"), 20 * guest.scale,
          f"no prompt after {command!r}")


def commands(guest, device, root, folder):
    """Commands at GRUB's prompt."""
    guest.see("grub>")
    at_prompt(guest, "ls", f"({device})")
    at_prompt(guest, "cat /hello.txt", f"\n{FILE_TEXT}\n")
    at_prompt(guest, "echo $root,$prefix", f"\n{root},({root}){folder}")
    at_prompt(guest, "set colour=green", "\ngrub> set colour=green\ngrub>")
    at_prompt(guest, "set", "\ncolour=green\n")
    at_prompt(guest, "help cat", "\nShow the contents of a file.")


def again_and_off(guest, text):
    """A reset brings the text back; then the machine is turned off."""
    at_prompt(guest, "echo be''fore", "\nbefore\n")
    guest.monitor.type("reboot\n")
    until(lambda: "before" not in guest.monitor.screen(), 20 * guest.scale, "no reset")
    guest.see(text)
    if text != "grub>":
        guest.monitor.type("c")
        guest.see("grub>")
    guest.monitor.type("halt\n")
    require_equal(guest.wait_end(20), 0)


def grub_prompt(guest):
    commands(guest, "fd0", "fd0", "/grub")
    again_and_off(guest, "grub>")


def grub_menu(device, root):
    """The menu, from there the prompt, and back."""
    def act(guest):
        guest.see("Linux amd64")
        guest.monitor.type("c")
        commands(guest, device, root, "/boot/grub")
        guest.key("esc")
        guest.see("Linux amd64")
        guest.monitor.type("c")
        again_and_off(guest, "Linux amd64")
    return act


def choose_entry(guest, name):
    guest.see("iPXE")
    guest.key("down", GRUB_ENTRIES.index(name))
    guest.key("ret")


# -- Linux ---------------------------------------------------------------------------------------


def shell(guest, kernel):
    guest.see("\n/ #", 60)
    guest.ask("uname -m", f"\n{MACHINES[kernel]}\n")
    guest.monitor.type("poweroff -f\n")
    require_equal(guest.wait_end(30), 0)


def from_grub(kernel):
    def act(guest):
        choose_entry(guest, kernel)
        shell(guest, kernel)
    return act


def from_syslinux(kernel):
    """ISOLINUX, too."""
    def act(guest):
        guest.see("boot:")
        guest.ask(kernel, f"boot: {kernel}")
        shell(guest, kernel)
    return act


def from_menu(guest):
    """The BIOS's menu, and there the CD."""
    guest.see("boot menu")
    guest.key("f12")
    guest.see("3. CD 1")
    guest.key("3")
    guest.see("ISOLINUX")
    guest.see("boot:")


def sees(*texts):
    def act(guest):
        for text in texts:
            guest.see(text)
    return act


# -- iPXE ----------------------------------------------------------------------------------------


def ipxe_prompt(guest, card):
    guest.see("Ctrl-B", 60)
    guest.key("ctrl-b")
    guest.see("iPXE>")
    guest.ask("ifstat", f"using {card} on 0000:00:03.0 (closed)")


def ipxe(card, start=None):
    """The prompt, and an address from the network."""
    def act(guest):
        if start is not None:
            start(guest)
        ipxe_prompt(guest, card)
        guest.ask("dhcp", " ok\niPXE>")
        guest.ask("show net0/ip", "= 10.0.2.15")
    return act


def ipxe_of_syslinux(guest):
    guest.see("boot:")
    guest.monitor.type("ipxe\n")


def ipxe_of_grub(guest):
    choose_entry(guest, "iPXE")


def network_boot(guest):
    """A kernel and its initial RAM disk by TFTP, as the script says that DHCP has named."""
    guest.see("boot.ipxe... ok", 60)
    shell(guest, "686")


def tftp_options(folder):
    with open(f"{folder}/boot.ipxe", "w", encoding="ascii") as file:
        file.write("#!ipxe\nkernel 686 console=tty0 cryptomgr.notests quiet\n"
                   "initrd initrd.gz\nboot\n")
    shutil.copy(f"{TOP}/guests/686/vmlinuz", f"{folder}/686")
    shutil.copy(f"{TOP}/guests/686/initrd.gz", folder)
    return ["-nic", f"user,model=rtl8139,tftp={folder},bootfile=boot.ipxe"]


def of_kernel(guest):
    """By -kernel: iPXE does what is in its RAM disk."""
    guest.see("\nFrom the RAM disk\n", 60)
    guest.monitor.type("reboot\n")
    until(lambda: "From the RAM disk" not in guest.monitor.screen(), 20 * guest.scale, "no reset")
    guest.see("\nFrom the RAM disk\n", 60)


def kernel_options(folder):
    with open(f"{folder}/initrd", "w", encoding="ascii") as file:
        file.write("#!ipxe\necho From the RAM disk\nshell\n")
    return ["-kernel", f"{DEBS}/boot/ipxe.lkrn", "-initrd", f"{folder}/initrd"]


# -- memtest86+ ----------------------------------------------------------------------------------


def memtest_state(guest):
    """Name of the running test, complete passes, errors."""
    screen = guest.monitor.screen()
    number = re.search(r"Test #(\d+)", screen)
    counts = re.search(r"Pass:\s+(\d+)\s+Errors:\s+(\d+)", screen)
    return number and int(number.group(1)), *(map(int, counts.groups()) if counts else (0, 0))


def memtest_pass(guest):
    """All tests once. The last one, bit fade, spends its time in loops that wait."""
    choose_entry(guest, "memtest86+")
    guest.see("<Enter> to start")
    guest.key("ret")

    def reached(test):
        number, passes, errors = memtest_state(guest)
        require_equal(errors, 0)
        return passes > 0 or number is not None and number >= test
    until(lambda: reached(10), 100 * guest.scale, "the last test is not reached")
    guest.yield_host()
    until(lambda: memtest_state(guest)[1] > 0, 300 * guest.scale, "no complete pass")
    require_equal(memtest_state(guest)[1:], (1, 0))
    guest.key("esc")
    guest.see("iPXE")


def memtest_starts(start):
    def act(guest):
        start(guest)
        guest.see("<Enter> to start")
        guest.key("ret")
        until(lambda: memtest_state(guest)[0] is not None, 30 * guest.scale, "no test")
        require_equal(memtest_state(guest)[1:], (0, 0))
    return act


def memtest_of_syslinux(guest):
    guest.see("boot:")
    guest.monitor.type("memtest\n")


# -- What is run ---------------------------------------------------------------------------------

FLOPPY, CD, DISK = "-fda", "-cdrom", "-hda"
ALONE = "alone"         # the image is the only argument that says what to boot
ALL_MEDIA = [FLOPPY, "grub-floppy.img", CD, "isolinux.iso", DISK, "syslinux-disk.img"]
IPXE_ROM = f"{DEBS}/usr/lib/ipxe/qemu/pxe-e1000.rom"


def card(model):
    return ["-nic", f"user,model={model}"]


# Name, what is done, what the emulator gets.
GROUPS = {
    "grub": [
        ("GRUB floppy", grub_prompt, [ALONE, "grub-floppy.img"]),
        ("GRUB CD", grub_menu("cd", "hd96"), [ALONE, "grub.iso"]),
        ("GRUB CD as disk", grub_menu("hd0", "hd0"), [DISK, "grub.iso"]),
        ("floppy emulation", grub_prompt, [CD, "cd-floppy.iso"]),
        ("boot order", sees("ISOLINUX", "boot:"), [*ALL_MEDIA, "-boot", "d"]),
        ("boot menu", from_menu, [*ALL_MEDIA, "-boot", "menu=on"]),
    ],
    "linux": [
        ("GRUB CD 686", from_grub("686"), [CD, "grub.iso"]),
        ("GRUB CD amd64", from_grub("amd64"), [CD, "grub.iso"]),
        ("ISOLINUX CD 686", from_syslinux("686"), [CD, "isolinux.iso"]),
        ("ISOLINUX CD amd64", from_syslinux("amd64"), [ALONE, "isolinux.iso"]),
        ("ISOLINUX CD as disk", from_syslinux("686"), [DISK, "isolinux.iso"]),
        ("SYSLINUX disk", from_syslinux("686"), [ALONE, "syslinux-disk.img"]),
        ("disk emulation", from_syslinux("686"), [CD, "cd-disk.iso"]),
    ],
    "seabios": [
        ("GRUB floppy", grub_prompt, [*SEABIOS, FLOPPY, "grub-floppy.img"]),
        ("GRUB CD", grub_menu("cd", "hd96"), [*SEABIOS, CD, "grub.iso"]),
        ("floppy emulation", grub_prompt, [*SEABIOS, CD, "cd-floppy.iso"]),
        ("disk emulation", from_syslinux("686"), [*SEABIOS, CD, "cd-disk.iso"]),
        ("ISOLINUX CD as disk", from_syslinux("686"), [*SEABIOS, DISK, "isolinux.iso"]),
        ("iPXE CD", ipxe("rtl8139", ipxe_of_grub), [*SEABIOS, CD, "grub.iso", *card("rtl8139")]),
    ],
    "ipxe": [
        ("floppy, NE2000", ipxe("rtl8029", ipxe_of_syslinux),
         [FLOPPY, "syslinux-floppy.img", *card("ne2k_pci")]),
        ("CD, RTL8139", ipxe("rtl8139"), [CD, f"{DEBS}/usr/lib/ipxe/ipxe.iso", *card("rtl8139")]),
        ("GRUB CD, e1000", ipxe("82540em", ipxe_of_grub), [CD, "grub.iso", *card("e1000")]),
        ("kernel", of_kernel, [kernel_options]),
        ("ROM, e1000", ipxe("82540em"), ["-option-rom", IPXE_ROM, "-boot", "n", *card("e1000")]),
        ("network boot", network_boot, ["-option-rom", f"{DEBS}/usr/lib/ipxe/rtl8139.rom",
                                        "-boot", "n", tftp_options]),
    ],
    "memtest": [
        ("from a floppy", memtest_starts(memtest_of_syslinux), [FLOPPY, "syslinux-floppy.img"]),
        ("by -kernel", memtest_starts(lambda guest: None),
         ["-kernel", f"{DEBS}/boot/memtest86+ia32.bin"]),
        ("pass", memtest_pass, ["-m", "16", CD, "grub.iso"]),
    ],
}
OWN_ONLY = ("seabios", "boot menu")


def arguments_of(options, wanted, folder):
    """The emulator's, from those of a row: media have paths, and QEMU takes no image alone."""
    result = ["-snapshot", "-display", "none"]
    for word in wanted:
        if callable(word):
            result += word(folder)
        elif os.path.exists(f"{MEDIA}/{word}"):
            result.append(f"{MEDIA}/{word}")
        elif word == ALONE and not options.qemu:
            pass
        elif word == ALONE:
            result.append(CD if "iso" in wanted[-1] else FLOPPY if "fl" in wanted[-1] else DISK)
        else:
            result.append(word)
    return result


def run(options, group, row):
    name, act, wanted = row
    log = re.sub(r"\W+", "-", f"loaders-{group}-{name}")
    with tempfile.TemporaryDirectory() as folder:
        guest = Guest(shlex.split(options.emulator), arguments_of(options, wanted, folder),
                      f"{options.log_dir}/{log}.log", options.scale)
        try:
            act(guest)
        finally:
            guest.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on all time limits")
    parser.add_argument("--log-dir", default=f"{TOP}/build", help="where logs go")
    parser.add_argument("--only", default="", help="only checks with this in their names")
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)}")
    options = parser.parse_args()
    options.qemu = "qemu-system" in options.emulator
    os.makedirs(options.log_dir, exist_ok=True)
    failed = False
    for group in options.groups or GROUPS:
        report = Report(f"loaders {group}:")
        for row in GROUPS[group]:
            if options.only not in row[0]:
                continue
            if options.qemu and (group in OWN_ONLY or row[0] in OWN_ONLY):
                print(f"skip loaders {group}: {row[0]}")
            else:
                report.check(row[0], run, options, group, row)
        failed |= report.failed
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
