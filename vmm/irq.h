/* SPDX-License-Identifier: MIT */
/* An interrupt line as a device sees it: a function to call with the new level. The device never
 * knows which controller is at the other end. */
#ifndef VMM_IRQ_H
#define VMM_IRQ_H

#include <stdbool.h>
#include <stddef.h>

struct irq {
    void (*set)(void *opaque, int n, bool level); /* NULL: line not connected */
    void *opaque;
    int n;
};

/* Drive the line. Called with the machine lock held. Setting the level that it already has is
 * legal and has no effect in the controller. */
static inline void irq_set(const struct irq *line, bool level)
{
    if (line->set != NULL)
        line->set(line->opaque, line->n, level);
}

/* A rising and a falling edge. */
static inline void irq_pulse(const struct irq *line)
{
    irq_set(line, true);
    irq_set(line, false);
}

#endif
