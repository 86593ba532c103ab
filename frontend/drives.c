/* SPDX-License-Identifier: MIT */
/* See drives.h. */
#include "frontend/drives.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/floppy.h"

#define SHOWN  200  /* characters of an argument in a message */
#define UNUSED (-1) /* no such property given */

/* What one -drive says. */
struct parse {
    struct drive_set *s;
    const char *option;
    struct drive_config cfg;
    long index, bus, unit;
    bool media_given, snapshot_given;
    char *err;
    size_t err_len;
};

static int wrong(struct parse *p, const char *what, const char *why)
{
    snprintf(p->err, p->err_len, "%s%s%.*s: %s", p->option, *p->option != '\0' ? " " : "", SHOWN,
             what, why);
    return -EINVAL;
}

/* -- Values ------------------------------------------------------------------------------------ */

struct name {
    const char *text;
    int value;
};

/* -1: no such name. */
static int find_name(const struct name *names, const char *text)
{
    while (names->text != NULL && strcmp(names->text, text) != 0)
        names++;
    return names->text != NULL ? names->value : -1;
}

static int set_number(struct parse *p, const char *word, const char *text, long *to)
{
    char *end;

    *to = strtol(text, &end, 0);
    if (!isdigit((unsigned char)*text) || *end != '\0' || *to > DRIVE_MAX)
        return wrong(p, word, "not a small number");
    return 0;
}

static int set_switch(struct parse *p, const char *word, const char *text, bool *to)
{
    static const struct name names[] = {{"on", 1}, {"off", 0}, {NULL, 0}};
    int value = find_name(names, text);

    if (value < 0)
        return wrong(p, word, "only 'on' and 'off' are possible");
    *to = value;
    return 0;
}

/* -- Properties -------------------------------------------------------------------------------- */

/* Handlers get the whole property, for messages, and its value, which stays where it is. */

static int set_file(struct parse *p, const char *word, const char *text)
{
    if (*text == '\0')
        return wrong(p, word, "no file's name");
    p->cfg.image.file = text;
    return 0;
}

static int set_format(struct parse *p, const char *word, const char *text)
{
    (void)word;
    p->cfg.image.format = text;
    return 0;
}

static int set_interface(struct parse *p, const char *word, const char *text)
{
    static const struct name names[] = {{"ide", DRIVE_IDE}, {"floppy", DRIVE_FLOPPY}, {NULL, 0}};
    int value = find_name(names, text);

    if (value < 0)
        return wrong(p, word, "only 'ide' and 'floppy' are supported");
    p->cfg.interface = (enum drive_if)value;
    return 0;
}

static int set_index(struct parse *p, const char *word, const char *text)
{
    return set_number(p, word, text, &p->index);
}

static int set_bus(struct parse *p, const char *word, const char *text)
{
    return set_number(p, word, text, &p->bus);
}

static int set_unit(struct parse *p, const char *word, const char *text)
{
    return set_number(p, word, text, &p->unit);
}

static int set_media(struct parse *p, const char *word, const char *text)
{
    static const struct name names[] = {{"disk", DRIVE_DISK}, {"cdrom", DRIVE_CDROM}, {NULL, 0}};
    int value = find_name(names, text);

    if (value < 0)
        return wrong(p, word, "only 'disk' and 'cdrom' are possible");
    p->cfg.media = (enum drive_media)value;
    return 0;
}

static int set_readonly(struct parse *p, const char *word, const char *text)
{
    return set_switch(p, word, text, &p->cfg.image.readonly);
}

static int set_snapshot(struct parse *p, const char *word, const char *text)
{
    p->snapshot_given = true;
    return set_switch(p, word, text, &p->cfg.image.snapshot);
}

static int set_cache(struct parse *p, const char *word, const char *text)
{
    static const struct name names[] = {
        {"writeback", DISK_CACHE_WRITEBACK},
        {"none", DISK_CACHE_NONE},
        {"off", DISK_CACHE_NONE},
        {"writethrough", DISK_CACHE_WRITETHROUGH},
        {"directsync", DISK_CACHE_DIRECTSYNC},
        {"unsafe", DISK_CACHE_UNSAFE},
        {NULL, 0},
    };
    int value = find_name(names, text);

    if (value < 0)
        return wrong(p, word, "writeback, none, writethrough, directsync or unsafe");
    p->cfg.image.cache = (enum disk_cache)value;
    return 0;
}

static int set_discard(struct parse *p, const char *word, const char *text)
{
    static const struct name names[] = {
        {"ignore", 0}, {"off", 0}, {"unmap", 1}, {"on", 1}, {NULL, 0}};
    int value = find_name(names, text);

    if (value < 0)
        return wrong(p, word, "only 'ignore' and 'unmap' are possible");
    p->cfg.unmap = value;
    return 0;
}

static int set_policy(struct parse *p, const char *word, const char *text, enum drive_policy *to)
{
    static const struct name names[] = {{"enospc", DRIVE_STOP_IF_FULL},
                                        {"report", DRIVE_REPORT},
                                        {"stop", DRIVE_STOP},
                                        {"ignore", DRIVE_IGNORE},
                                        {NULL, 0}};
    int value = find_name(names, text);

    if (value < 0)
        return wrong(p, word, "enospc, report, stop or ignore");
    *to = (enum drive_policy)value;
    return 0;
}

static int set_read_error(struct parse *p, const char *word, const char *text)
{
    if (strcmp(text, "enospc") == 0)
        return wrong(p, word, "report, stop or ignore");
    return set_policy(p, word, text, &p->cfg.on_read_error);
}

static int set_write_error(struct parse *p, const char *word, const char *text)
{
    return set_policy(p, word, text, &p->cfg.on_write_error);
}

static int set_id(struct parse *p, const char *word, const char *text)
{
    size_t n = strlen(text);

    if (n == 0 || n >= DRIVE_ID_LEN)
        return wrong(p, word, "the length of a name is 1 to 63");
    p->cfg.id = text;
    return 0;
}

static int set_follow(struct parse *p, const char *word, const char *text)
{
    return set_switch(p, word, text, &p->cfg.image.follow_backing);
}

static const struct property {
    const char *name;
    int (*set)(struct parse *p, const char *word, const char *text);
} properties[] = {
    {"file", set_file},
    {"format", set_format},
    {"if", set_interface},
    {"index", set_index},
    {"bus", set_bus},
    {"unit", set_unit},
    {"media", set_media},
    {"readonly", set_readonly},
    {"read-only", set_readonly},
    {"snapshot", set_snapshot},
    {"cache", set_cache},
    {"discard", set_discard},
    {"rerror", set_read_error},
    {"werror", set_write_error},
    {"id", set_id},
    {"follow-backing", set_follow},
};

/* -- Places ------------------------------------------------------------------------------------ */

#define UNITS 2 /* on a bus */

static const long places[] = {[DRIVE_IDE] = 4, [DRIVE_FLOPPY] = 2};

static bool is_taken(const struct drive_set *s, enum drive_if interface, unsigned index)
{
    for (unsigned k = 0; k < s->count; k++) {
        if (s->drive[k].interface == interface && s->drive[k].index == index)
            return true;
    }
    return false;
}

/* The index that index=, bus= and unit= give; without them the first free one. */
static int find_place(struct parse *p, const char *arg)
{
    long first = p->bus != UNUSED ? p->bus * UNITS : 0;
    long index = p->index;

    if (index != UNUSED && (p->bus != UNUSED || p->unit != UNUSED))
        return wrong(p, arg, "index= excludes bus= and unit=");
    if (p->unit >= UNITS)
        return wrong(p, arg, "a bus has units 0 and 1");
    if (index == UNUSED && p->unit != UNUSED)
        index = first + p->unit;
    if (index == UNUSED) {
        index = first;
        while (index < places[p->cfg.interface] &&
               is_taken(p->s, p->cfg.interface, (unsigned)index))
            index++;
    }
    if (index >= places[p->cfg.interface])
        return wrong(p, arg, "there is no such place for a drive, or none is free");
    p->cfg.index = (unsigned)index;
    return 0;
}

static int append(struct parse *p, const char *arg)
{
    struct drive_set *s = p->s;

    if (p->cfg.media == DRIVE_CDROM && p->cfg.interface != DRIVE_IDE)
        return wrong(p, arg, "a CD-ROM needs if=ide");
    if (is_taken(s, p->cfg.interface, p->cfg.index))
        return wrong(p, arg, "there is another drive in this place");
    if (p->cfg.image.file == NULL && p->cfg.media == DRIVE_DISK && p->cfg.interface == DRIVE_IDE)
        return wrong(p, arg, "file= is missing");
    if (s->count == DRIVE_MAX)
        return wrong(p, arg, "too many drives");
    s->drive[s->count] = p->cfg;
    s->snapshot_given[s->count++] = p->snapshot_given;
    return 0;
}

/* -- Arguments --------------------------------------------------------------------------------- */

/* Copies the property at *at, two commas as one, and moves *at behind it; NULL: too much text. */
static char *take_property(struct drive_set *s, const char **at)
{
    const char *c = *at;
    char *word = s->text + s->used;

    for (; *c != '\0'; c++) {
        if (*c == ',' && *++c != ',')
            break;
        if (s->used + 2 > sizeof(s->text))
            return NULL;
        s->text[s->used++] = *c;
    }
    s->text[s->used++] = '\0';
    *at = c;
    return word;
}

static int set_property(struct parse *p, const char *word)
{
    size_t name = strcspn(word, "=");

    for (size_t k = 0; k < sizeof(properties) / sizeof(properties[0]); k++) {
        const struct property *prop = &properties[k];

        if (strlen(prop->name) == name && strncmp(prop->name, word, name) == 0)
            return word[name] == '=' ? prop->set(p, word, word + name + 1)
                                     : wrong(p, word, "needs a value");
    }
    return wrong(
        p, word,
        "unknown; there are file, format, if, index, bus, unit, media, readonly, snapshot, "
        "cache, discard, rerror, werror, id and follow-backing");
}

int drives_add(struct drive_set *s, const char *arg, char *err, size_t err_len)
{
    struct parse p = {.s = s,
                      .option = "-drive",
                      .index = UNUSED,
                      .bus = UNUSED,
                      .unit = UNUSED,
                      .err = err,
                      .err_len = err_len};
    int ret = 0;

    for (const char *at = arg; *at != '\0' && ret == 0;) {
        const char *word = s->used < sizeof(s->text) ? take_property(s, &at) : NULL;

        ret = word != NULL ? set_property(&p, word) : wrong(&p, arg, "too long");
    }
    if (ret == 0)
        ret = find_place(&p, arg);
    return ret == 0 ? append(&p, arg) : ret;
}

int drives_add_file(struct drive_set *s, const struct drive_place *at, const char *file, char *err,
                    size_t err_len)
{
    struct parse p = {.s = s, .option = at->option, .err = err, .err_len = err_len};

    p.cfg = (struct drive_config){.interface = at->interface,
                                  .index = at->index,
                                  .media = at->media,
                                  .image = {.file = file}};
    return append(&p, file);
}

/* -- Guesses ----------------------------------------------------------------------------------- */

#define ISO9660_AT 0x8001 /* identifier of the first volume descriptor */

static bool is_iso9660(int fd)
{
    char id[5];

    return pread(fd, id, sizeof(id), ISO9660_AT) == (ssize_t)sizeof(id) &&
           memcmp(id, "CD001", sizeof(id)) == 0;
}

int drives_add_guessed(struct drive_set *s, const char *file, char *err, size_t err_len)
{
    struct drive_place at = {"", DRIVE_IDE, 0, DRIVE_DISK};
    struct stat st;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) < 0) {
        snprintf(err, err_len, "%.*s: cannot open: %s", SHOWN, file, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -EINVAL;
    }
    if (is_iso9660(fd))
        at = (struct drive_place){"", DRIVE_IDE, 2, DRIVE_CDROM};
    else if (S_ISREG(st.st_mode) && floppy_is_usual((uint64_t)st.st_size))
        at.interface = DRIVE_FLOPPY;
    close(fd);
    return drives_add_file(s, &at, file, err, err_len);
}

/* -- The whole --------------------------------------------------------------------------------- */

static void add_empty(struct drive_set *s, enum drive_if interface, unsigned index,
                      enum drive_media media)
{
    if (!is_taken(s, interface, index) && s->count < DRIVE_MAX)
        s->drive[s->count++] =
            (struct drive_config){.interface = interface, .index = index, .media = media};
}

void drives_finish(struct drive_set *s, bool snapshot, bool defaults)
{
    for (unsigned k = 0; k < s->count; k++) {
        if (snapshot && !s->snapshot_given[k] && s->drive[k].media == DRIVE_DISK)
            s->drive[k].image.snapshot = true;
    }
    if (!defaults)
        return;
    add_empty(s, DRIVE_IDE, 2, DRIVE_CDROM);
    add_empty(s, DRIVE_FLOPPY, 0, DRIVE_DISK);
}
