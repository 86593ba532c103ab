/* SPDX-License-Identifier: MIT */
/* The argument of -boot, in QEMU's words. */
#include "frontend/boot_option.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_LEN 32

typedef bool (*set_fn)(struct vm_boot *b, const char *value);

/* At most VM_BOOT_DEVICES different letters. */
static bool set_letters(char *out, const char *value)
{
    size_t len = strlen(value);

    if (len == 0 || len > VM_BOOT_DEVICES || strspn(value, "acdn") != len)
        return false;
    for (size_t k = 0; k < len; k++) {
        if (strchr(value + k + 1, value[k]) != NULL)
            return false;
    }
    memcpy(out, value, len + 1);
    return true;
}

static bool set_order(struct vm_boot *b, const char *value)
{
    return set_letters(b->order, value);
}

static bool set_once(struct vm_boot *b, const char *value)
{
    return set_letters(b->once, value);
}

static bool set_menu(struct vm_boot *b, const char *value)
{
    b->menu = strcmp(value, "on") == 0;
    return b->menu || strcmp(value, "off") == 0;
}

static bool set_time(struct vm_boot *b, const char *value)
{
    char *end;
    unsigned long ms = strtoul(value, &end, 10);

    if (!isdigit((unsigned char)*value) || *end != '\0' || ms > UINT16_MAX)
        return false;
    b->menu_ms = (uint16_t)ms;
    return true;
}

static const struct property {
    const char *name;
    set_fn set;
    const char *values;
} properties[] = {
    {"order", set_order, "up to three of the letters a, c, d, n"},
    {"once", set_once, "up to three of the letters a, c, d, n"},
    {"menu", set_menu, "on or off"},
    {"splash-time", set_time, "0 to 65535 ms"},
};
#define PROPERTIES (sizeof(properties) / sizeof(properties[0]))

/* One property of `len` characters; without a name it is the order. */
static int set_property(struct vm_boot *b, const char *text, size_t len, char *err, size_t err_len)
{
    const char *equals = memchr(text, '=', len);
    const char *value = equals != NULL ? equals + 1 : text;
    size_t name_len = equals != NULL ? (size_t)(equals - text) : 0, n = 0;
    char copy[VALUE_LEN];

    while (
        equals != NULL && n < PROPERTIES &&
        (strlen(properties[n].name) != name_len || memcmp(properties[n].name, text, name_len) != 0))
        n++;
    if (n == PROPERTIES) {
        snprintf(err, err_len, "-boot %.*s: wrong property; it has order, once, menu, splash-time",
                 (int)len, text);
        return -EINVAL;
    }
    snprintf(copy, sizeof(copy), "%.*s", (int)(text + len - value), value);
    if ((size_t)(text + len - value) < sizeof(copy) && properties[n].set(b, copy))
        return 0;
    snprintf(err, err_len, "-boot %.*s: %s is %s", (int)len, text, properties[n].name,
             properties[n].values);
    return -EINVAL;
}

int boot_option_parse(struct vm_boot *b, const char *arg, char *err, size_t err_len)
{
    for (;;) {
        size_t len = strcspn(arg, ",");
        int rc = set_property(b, arg, len, err, err_len);

        if (rc != 0 || arg[len] == '\0')
            return rc;
        arg += len + 1;
    }
}
