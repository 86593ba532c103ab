/* SPDX-License-Identifier: MIT */
/* The -d log. Lines are built in memory and written whole, so that threads do not mix them. */
#include "vmm/log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "vmm/vmm_internal.h"

#define LINE_MAX_BYTES 1024
#define RATE_LIMITED   (LOG_GUEST_ERROR | LOG_UNIMP)
#define RATE_LINES     100 /* a second */

struct log_name {
    unsigned item;
    const char *name, *desc;
};

static const struct log_name log_names[] = {
#define LOG_ITEM(id, name, desc) {LOG_##id, name, desc},
    LOG_ITEMS(LOG_ITEM)
#undef LOG_ITEM
};

int log_parse_items(const char *items, unsigned *mask, const char **bad)
{
    *mask = 0;
    for (const char *p = items; *p != '\0';) {
        size_t len = strcspn(p, ","), i;

        for (i = 0; i < ARRAY_SIZE(log_names); i++) {
            if (strlen(log_names[i].name) == len && memcmp(log_names[i].name, p, len) == 0)
                break;
        }
        if (i == ARRAY_SIZE(log_names)) {
            *bad = p;
            return -EINVAL;
        }
        *mask |= log_names[i].item;
        p += len;
        if (*p == ',')
            p++;
    }
    return 0;
}

void log_list_items(FILE *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(log_names); i++)
        fprintf(out, "%-14s %s\n", log_names[i].name, log_names[i].desc);
}

/* True where the line may be written; tells how many were left out in the second before. */
static bool within_rate(struct log *l, unsigned item)
{
    unsigned bit = (unsigned)__builtin_ctz(item);
    uint64_t second = host_now_ns() / NS_PER_SEC;

    if (l->rate[bit].second != second) {
        if (l->rate[bit].lines > RATE_LINES)
            fprintf(l->out, "(%u more lines like these)\n", l->rate[bit].lines - RATE_LINES);
        l->rate[bit].second = second;
        l->rate[bit].lines = 0;
    }
    return l->rate[bit].lines++ < RATE_LINES;
}

/* `item` 0: of none. */
static void write_line(struct log *l, unsigned item, const char *fmt, va_list ap)
{
    char line[LINE_MAX_BYTES];
    int len;

    len = vsnprintf(line, sizeof(line) - 1, fmt, ap);
    if (len < 0)
        return;
    if ((size_t)len > sizeof(line) - 2)
        len = sizeof(line) - 2;
    if (len == 0 || line[len - 1] != '\n')
        line[len++] = '\n';
    pthread_mutex_lock(&l->lock);
    if (!(item & RATE_LIMITED) || within_rate(l, item))
        fwrite(line, 1, (size_t)len, l->out);
    pthread_mutex_unlock(&l->lock);
}

void log_line(struct vm *vm, unsigned item, const char *fmt, va_list ap)
{
    if (vm->log.items & item)
        write_line(&vm->log, item, fmt, ap);
}

void vm_warn(struct vm *vm, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    write_line(&vm->log, 0, fmt, ap);
    va_end(ap);
}

void vm_log(struct vm *vm, unsigned item, const char *fmt, ...)
{
    va_list ap;

    if (!(vm->log.items & item))
        return;
    va_start(ap, fmt);
    log_line(vm, item, fmt, ap);
    va_end(ap);
}

void log_init(struct vm *vm)
{
    vm->log.items = vm->cfg.log_items;
    vm->log.out = vm->cfg.log != NULL ? vm->cfg.log : stderr;
    pthread_mutex_init(&vm->log.lock, NULL);
}

void log_free(struct vm *vm)
{
    fflush(vm->log.out);
    pthread_mutex_destroy(&vm->log.lock);
}
