/* SPDX-License-Identifier: MIT */
/* AArch64 hosts have no backend: the interpreter runs everything. */
#include <errno.h>
#include <stdio.h>

#include "jit/code.h"

int backend_create(struct jit *j, char *err)
{
    (void)j;
    snprintf(err, 256, "there is no translator for this host's processor");
    return -ENOTSUP;
}

void backend_free(struct jit *j)
{
    (void)j;
}

void backend_translate(struct jit *j, struct code *x)
{
    (void)j, (void)x;
}

enum code_why backend_enter(struct jit *j, const uint8_t *code, unsigned fp_ready)
{
    (void)j, (void)code, (void)fp_ready;
    return WHY_STATE;
}

void backend_link(struct jit *j, const struct code_exit *exit, const struct code *to)
{
    (void)j, (void)exit, (void)to;
}

void backend_forward(struct jit *j, struct code *from, const uint8_t *to)
{
    (void)j, (void)from, (void)to;
}

int backend_thread_enter(struct jit *j)
{
    (void)j;
    return 0;
}

void backend_thread_leave(struct jit *j)
{
    (void)j;
}

unsigned backend_text(const struct jit *j, const struct code *x, const uint8_t *p, unsigned n,
                      char text[HOST_TEXT])
{
    (void)j, (void)x, (void)p;
    text[0] = '\0';
    return n;
}

const char *backend_disassembler(void)
{
    return NULL;
}

void backend_nudge(struct jit *j)
{
    (void)j;
}
