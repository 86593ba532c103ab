#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a CD that boots a floppy's image (El Torito 1.0): iso.py IMAGE none|floppy|disk CD

"none": without emulation, 2 KiB of the image are loaded; its bytes 12-15 then say where it is on the
CD. There are no files on the CD.
"""

import os
import struct
import sys

BLOCK = 2048
CATALOG, IMAGE = 19, 20     # blocks
MEDIA = {"none": 0, "floppy": 2, "disk": 4}


def descriptor(kind, text=b""):
    return (bytes([kind]) + b"CD001\1" + text).ljust(BLOCK, b"\0")


def make_cd(image_name, emulation, cd_name):
    """Writes the CD; emulation: of MEDIA."""
    with open(image_name, "rb") as file:
        image = bytearray(file.read())
    media = MEDIA[emulation]
    if media == 0:
        struct.pack_into("<I", image, 12, IMAGE)
    validation = bytearray(struct.pack("<BBH24sHBB", 1, 0, 0, b"CALQUE", 0, 0x55, 0xaa))
    total = sum(struct.unpack("<16H", validation))
    struct.pack_into("<H", validation, 28, -total & 0xffff)
    entry = struct.pack("<BBHBBHI", 0x88, media, 0, 0, 0, 4 if media == 0 else 1, IMAGE)
    record = b"EL TORITO SPECIFICATION".ljust(64, b"\0") + struct.pack("<I", CATALOG)
    blocks = [b"\0" * BLOCK] * 16 + [descriptor(1), descriptor(0, record), descriptor(255)]
    blocks.append((bytes(validation) + entry).ljust(BLOCK, b"\0"))
    image.extend(b"\0" * (-len(image) % BLOCK))
    part = f"{cd_name}.{os.getpid()}"       # others may be making the same CD, or using it
    with open(part, "wb") as file:
        file.write(b"".join(blocks) + image)
    os.replace(part, cd_name)


if __name__ == "__main__":
    make_cd(*sys.argv[1:4])
