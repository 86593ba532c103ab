/* SPDX-License-Identifier: MIT */
/* Formats, recognised by an image's first sector. A raw image has no mark of its own, so this also
 * knows formats that are not supported: an image of them must not be taken for raw. */
#include <string.h>

#include "disk/format.h"

static const struct disk_format *const formats[] = {&disk_raw, &disk_qcow2};

/* Marks of formats that are known by name only. */
static const struct {
    const char *format;
    unsigned off, len;
    const char *mark;
} foreign_marks[] = {
    {"qcow", 0, 4, "QFI\xfb"},
    {"qed", 0, 4, "QED"},
    {"vmdk version 3", 0, 4, "COWD"},
    {"vmdk", 0, 4, "KDMV"},
    {"vhdx", 0, 8, "vhdxfile"},
    {"vpc", 0, 8, "conectix"},
    {"vdi", 64, 4, "\x7f\x10\xda\xbe"},
    {"parallels", 0, 16, "WithoutFreeSpace"},
    {"parallels", 0, 16, "WithouFreSpacExt"},
    {"luks", 0, 6, "LUKS\xba\xbe"},
    {"bochs", 0, 22, "Bochs Virtual HD Image"},
    {"cloop", 0, 48, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && "},
};

/* A vmdk's description as text: comments and empty lines, then its version. */
static bool is_vmdk_text(const uint8_t *p, const uint8_t *end)
{
    static const char version[] = "version=";

    while (p < end && (*p == '#' || *p == '\n' || *p == '\r' || *p == ' ')) {
        if (*p != '#') {
            p++;
            continue;
        }
        while (p < end && *p != '\n')
            p++;
    }
    return (size_t)(end - p) >= sizeof(version) && memcmp(p, version, sizeof(version) - 1) == 0;
}

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
    if (is_vmdk_text(head, head + DISK_HEAD_BYTES))
        *foreign = "vmdk";
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
