/* SPDX-License-Identifier: MIT */
/* Formats, recognised by an image's first sector. A raw image has no mark of its own, so this also
 * knows formats that are not supported: an image of them must not be taken for raw. */
#include <string.h>

#include "disk/format.h"

static const struct disk_format *const formats[] = {&disk_raw, &disk_qcow2, &disk_vmdk, &disk_vpc,
                                                    &disk_vdi};

/* Marks of formats that are known by name only. */
static const struct {
    const char *format;
    unsigned off, len;
    const char *mark;
} foreign_marks[] = {
    {"qcow", 0, 4, "QFI\xfb"},
    {"qed", 0, 4, "QED"},
    {"vmdk version 3", 0, 4, "COWD"},
    {"vhdx", 0, 8, "vhdxfile"},
    {"parallels", 0, 16, "WithoutFreeSpace"},
    {"parallels", 0, 16, "WithouFreSpacExt"},
    {"luks", 0, 6, "LUKS\xba\xbe"},
    {"bochs", 0, 22, "Bochs Virtual HD Image"},
    {"cloop", 0, 48, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && "},
};

const struct disk_format *disk_probe(const uint8_t head[DISK_HEAD_BYTES], const char **foreign)
{
    *foreign = NULL;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (formats[i]->probe != NULL && formats[i]->probe(head))
            return formats[i];
    }
    for (size_t i = 0; i < sizeof(foreign_marks) / sizeof(foreign_marks[0]); i++) {
        if (memcmp(head + foreign_marks[i].off, foreign_marks[i].mark, foreign_marks[i].len) == 0)
            *foreign = foreign_marks[i].format;
    }
    return NULL;
}

const struct disk_format *disk_format_called(const char *name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    }
    return NULL;
}
