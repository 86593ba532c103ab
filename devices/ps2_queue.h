/* SPDX-License-Identifier: MIT */
/* The bytes that a PS/2 device has to send. What finds no room is lost. */
#ifndef DEVICES_PS2_QUEUE_H
#define DEVICES_PS2_QUEUE_H

#include "devices/ps2.h"

/* Answers of both kinds of devices. */
#define PS2_ACK              0xfa
#define PS2_RESEND           0xfe
#define PS2_SELF_TEST_PASSED 0xaa

static inline bool ps2_queue_has_room(const struct ps2_queue *q, unsigned n)
{
    return q->len + n <= PS2_QUEUE_LEN;
}

static inline void ps2_queue_put(struct ps2_queue *q, uint8_t val)
{
    if (!ps2_queue_has_room(q, 1))
        return;
    q->data[(q->head + q->len) % PS2_QUEUE_LEN] = val;
    q->len++;
}

static inline int ps2_queue_take(struct ps2_queue *q)
{
    uint8_t val = q->data[q->head];

    if (q->len == 0)
        return -1;
    q->head = (q->head + 1) % PS2_QUEUE_LEN;
    q->len--;
    return val;
}

static inline void ps2_queue_clear(struct ps2_queue *q)
{
    q->len = 0;
}

static inline void ps2_queue_loaded(struct ps2_queue *q)
{
    q->head %= PS2_QUEUE_LEN;
    if (q->len > PS2_QUEUE_LEN)
        q->len = 0;
}

static const struct field ps2_queue_fields[] = {
    FIELD_ARRAY(struct ps2_queue, data),
    FIELD(struct ps2_queue, head),
    FIELD(struct ps2_queue, len),
    FIELDS_END,
};

#endif
