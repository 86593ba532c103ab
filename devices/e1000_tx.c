/* SPDX-License-Identifier: MIT */
/* Transmission of the 82540EM (317453, chapter 3.3): legacy and data descriptors, contexts,
 * checksums, segmentation.
 *
 * A packet is collected from its descriptors, then sent as one frame or as segments. Tail writes
 * do a bounded amount of work; the rest of the packet's segments, and of the ring, is left to a
 * timer that is due at once. */
#include <string.h>

#include "devices/e1000_state.h"
#include "devices/ether.h"

#define DESC_SIZE  16
#define BURST      128 /* descriptors, and what they may cost, in one go */
#define BURST_SIZE (1u << 18)
#define FRAME_COST 64    /* a frame's beside its bytes */
#define TCP_FLAGS  13    /* offset in the header */
#define TCP_LAST   0x09u /* FIN and PSH: only in the last segment */

/* A descriptor, taken apart. */
struct desc {
    uint64_t buffer;
    uint32_t len; /* of the data */
    uint8_t type, command;
    uint8_t cso, css; /* of a legacy descriptor */
    uint8_t options;  /* of a data descriptor */
    uint16_t special;
};

static uint32_t get32(const uint8_t *at)
{
    return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

static struct desc parse(const uint8_t raw[DESC_SIZE])
{
    struct desc d = {.buffer = get32(raw) | (uint64_t)get32(raw + 4) << 32,
                     .command = raw[11],
                     .special = (uint16_t)(raw[14] | raw[15] << 8)};

    if (d.command & TXD_DEXT) {
        d.type = raw[10] >> 4;
        d.len = get32(raw + 8) & 0xfffff;
        d.options = raw[13];
    } else {
        d.len = get32(raw + 8) & 0xffff;
        d.cso = raw[10];
        d.css = raw[13];
    }
    return d;
}

static void take_context(struct e1000 *s, const uint8_t raw[DESC_SIZE])
{
    struct e1000_context *c = &s->tx.context[(raw[11] & TXD_TSE) != 0];

    *c = (struct e1000_context){
        .ipcss = raw[0],
        .ipcso = raw[1],
        .ipcse = (uint16_t)(raw[2] | raw[3] << 8),
        .tucss = raw[4],
        .tucso = raw[5],
        .tucse = (uint16_t)(raw[6] | raw[7] << 8),
        .paylen = get32(raw + 8) & 0xfffff,
        .tucmd = raw[11],
        .hdrlen = raw[13],
        .mss = (uint16_t)(raw[14] | raw[15] << 8),
    };
}

/* -- Frames ------------------------------------------------------------------------------------ */

/* Put the checksum of bytes css..cse at cso, where all that is in the packet. */
static void insert_sum(uint8_t *data, uint32_t len, unsigned css, unsigned cso, unsigned cse)
{
    uint32_t end = cse != 0 && cse + 1 < len ? cse + 1 : len;
    uint16_t sum;

    if (css >= end || cso + 2 > len)
        return;
    sum = (uint16_t)~ether_sum(0, data + css, end - css);
    ether_put16(data + cso, sum);
}

/* A UDP checksum of 0 would say that there is none; TCP's and UDP's arithmetic takes both. */
static void insert_payload_sum(uint8_t *data, uint32_t len, const struct e1000_context *c)
{
    insert_sum(data, len, c->tucss, c->tucso, c->tucse);
    if (c->tucso + 2u <= len && ether_get16(data + c->tucso) == 0)
        ether_put16(data + c->tucso, 0xffff);
}

static void send_frame(struct e1000 *s, const uint8_t *frame, uint32_t len)
{
    uint32_t wire = len + ETHER_CRC;

    if (len < ETHER_HEADER || len > NET_FRAME_MAX)
        return;
    e1000_count(s, E1000_TPT);
    e1000_count(s, E1000_GPTC);
    e1000_count_bytes(s, E1000_TOTL, wire);
    e1000_count_bytes(s, E1000_GOTCL, wire);
    e1000_count_frame(s, frame, wire, E1000_PTC64, E1000_BPTC, E1000_MPTC);
    if ((e1000_get(s, E1000_RCTL) & RCTL_LBM) == RCTL_LBM || e1000_phy_is_looped(s)) {
        uint8_t padded[NET_FRAME_MIN] = {0};

        if (len < sizeof(padded))
            frame = memcpy(padded, frame, len);
        e1000_receive(s, frame, len < sizeof(padded) ? sizeof(padded) : len);
    } else {
        netdev_send(s->net, frame, len);
    }
}

/* Last steps: options of the packet's first descriptor, then the tag that its last one asks for. */
static void finish_frame(struct e1000 *s, uint8_t *frame, uint32_t len, const struct desc *last)
{
    const struct e1000_context *c = &s->tx.context[s->tx.segmented];
    uint8_t tagged[NET_FRAME_MAX];

    if (s->tx.options & TXD_TXSM)
        insert_payload_sum(frame, len, c);
    if (s->tx.options & TXD_IXSM)
        insert_sum(frame, len, c->ipcss, c->ipcso, c->ipcse);
    if (!(last->command & TXD_VLE) || !(e1000_get(s, E1000_CTRL) & CTRL_VME) || len < 12 ||
        len > NET_FRAME_MAX - ETHER_VLAN_TAG) {
        send_frame(s, frame, len);
        return;
    }
    memcpy(tagged, frame, 12);
    ether_put16(tagged + 12, e1000_get(s, E1000_VET));
    ether_put16(tagged + 14, last->special);
    memcpy(tagged + 16, frame + 12, len - 12);
    send_frame(s, tagged, len + ETHER_VLAN_TAG);
}

/* -- Segmentation ------------------------------------------------------------------------------ */

static void add16(uint8_t *data, uint32_t len, unsigned off, uint32_t val)
{
    if (off + 2 <= len)
        ether_put16(data + off, ether_get16(data + off) + val);
}

static void put16(uint8_t *data, uint32_t len, unsigned off, uint32_t val)
{
    if (off + 2 <= len)
        ether_put16(data + off, val);
}

/* What differs in the headers of segment n, whose payload starts at `at` of the packet's. */
static void adapt_headers(const struct e1000_context *c, uint8_t *seg, uint32_t len, unsigned n,
                          uint32_t at, bool last)
{
    bool ipv4 = c->tucmd & TXD_IS_IPV4;
    uint32_t payload = len > c->tucss ? len - c->tucss : 0, seq;

    if (ipv4) {
        put16(seg, len, c->ipcss + 2u, len > c->ipcss ? len - c->ipcss : 0);
        add16(seg, len, c->ipcss + 4u, n);
    } else {
        put16(seg, len, c->ipcss + 4u, len > c->ipcss + 40u ? len - c->ipcss - 40 : 0);
    }
    if (!(c->tucmd & TXD_IS_TCP)) {
        put16(seg, len, c->tucss + 4u, payload);
    } else if (c->tucss + 20u <= len) {
        seq = (uint32_t)ether_get16(seg + c->tucss + 4) << 16 | ether_get16(seg + c->tucss + 6);
        seq += at;
        ether_put16(seg + c->tucss + 4, seq >> 16);
        ether_put16(seg + c->tucss + 6, seq);
        if (!last)
            seg[c->tucss + TCP_FLAGS] &= (uint8_t)~TCP_LAST;
    }
    /* The driver left the pseudo-header's sum without the length. */
    if (c->tucso + 2u <= len)
        ether_put16(seg + c->tucso, ether_sum(payload, seg + c->tucso, 2));
}

/* Send the next segments; what they cost. The last descriptor stays the ring's first until all are
 * sent. */
static uint32_t send_segments(struct e1000 *s, const struct desc *last)
{
    const struct e1000_context *c = &s->tx.context[1];
    struct e1000_tx *t = &s->tx;
    uint32_t header = c->hdrlen, total = t->len, mss = c->mss, cost = 0;
    uint8_t seg[NET_FRAME_MAX];

    t->cutting = false;
    if (header > total || mss == 0 || header + mss > sizeof(seg))
        return 0;
    if (t->cut_count == 0)
        e1000_count(s, E1000_TSCTC);
    for (; t->cut_at < total - header && cost < BURST_SIZE; t->cut_at += mss, t->cut_count++) {
        uint32_t left = total - header - t->cut_at, len = left < mss ? left : mss;

        memcpy(seg, t->data, header);
        memcpy(seg + header, t->data + header + t->cut_at, len);
        adapt_headers(c, seg, header + len, t->cut_count, t->cut_at, left <= mss);
        finish_frame(s, seg, header + len, last);
        cost += FRAME_COST + header + len;
    }
    t->cutting = t->cut_at < total - header;
    return cost;
}

/* -- Packets ----------------------------------------------------------------------------------- */

static void begin_packet(struct e1000 *s, const struct desc *d)
{
    bool is_data = d->command & TXD_DEXT;

    s->tx.started = true;
    s->tx.legacy = !is_data;
    s->tx.segmented = is_data && (d->command & TXD_TSE);
    s->tx.options = is_data ? d->options : 0;
    s->tx.len = 0;
}

static void collect(struct e1000 *s, const struct desc *d)
{
    struct e1000_tx *t = &s->tx;

    if (t->len > E1000_TX_MAX || d->len > E1000_TX_MAX - t->len) {
        t->len = E1000_TX_MAX + 1; /* it is lost */
        return;
    }
    dma_read(s->pci.dev.vm, d->buffer, t->data + t->len, d->len);
    t->len += d->len;
}

/* What that costs beside the descriptors' bytes. */
static uint32_t end_packet(struct e1000 *s, const struct desc *d)
{
    struct e1000_tx *t = &s->tx;

    t->started = false;
    if (t->len > E1000_TX_MAX)
        return 0;
    if (t->segmented) {
        t->cut_count = t->cut_at = 0;
        return send_segments(s, d);
    }
    if (t->legacy && (d->command & TXD_IC))
        insert_sum(t->data, t->len, d->css, d->cso, 0);
    finish_frame(s, t->data, t->len, d);
    return 0;
}

/* One descriptor; what it costs. */
static uint32_t process(struct e1000 *s, const uint8_t raw[DESC_SIZE])
{
    struct desc d = parse(raw);

    if (s->tx.cutting)
        return send_segments(s, &d);
    if ((d.command & TXD_DEXT) && d.type == TXD_DTYP_CTX) {
        take_context(s, raw);
        return 0;
    }
    if (!s->tx.started)
        begin_packet(s, &d);
    collect(s, &d);
    return d.len + (d.command & TXD_EOP ? end_packet(s, &d) : 0);
}

/* -- The ring ---------------------------------------------------------------------------------- */

/* Write a descriptor back; the cause that it gives, unless it comes later. */
static uint32_t write_back(struct e1000 *s, uint64_t at, uint8_t raw[DESC_SIZE])
{
    struct vm *vm = s->pci.dev.vm;
    uint32_t tadv = e1000_get(s, E1000_TADV);

    if (!(raw[11] & (TXD_RS | TXD_RPS)))
        return 0;
    raw[12] |= TXD_DD;
    dma_write(vm, at + 12, raw + 12, 1);
    if (!(raw[11] & TXD_IDE) || e1000_get(s, E1000_TIDV) == 0)
        return INT_TXDW;
    if (s->tx_delay.due_ns == TIMER_IDLE)
        s->tx_latest = tadv != 0 ? clock_now(vm) + e1000_ticks_ns(tadv) : UINT64_MAX;
    e1000_delay(s, &s->tx_delay, e1000_get(s, E1000_TIDV), s->tx_latest);
    return 0;
}

void e1000_transmit(struct e1000 *s)
{
    uint32_t count, causes = 0, cost = 0, tail = e1000_get(s, E1000_TDT);
    uint64_t ring = e1000_ring(s, E1000_TDBAL, &count);
    uint32_t *head = e1000_reg(s, E1000_TDH);

    if (!(e1000_get(s, E1000_TCTL) & TCTL_EN) || tail >= count || *head == tail)
        return;
    if (*head >= count)
        *head = 0;
    for (unsigned k = 0; k < BURST && cost < BURST_SIZE && *head != tail; k++) {
        uint8_t raw[DESC_SIZE];
        uint64_t at = ring + *head * DESC_SIZE;

        dma_read(s->pci.dev.vm, at, raw, sizeof(raw));
        cost += process(s, raw);
        if (s->tx.cutting)
            break;
        causes |= write_back(s, at, raw);
        *head = *head + 1 == count ? 0 : *head + 1;
    }
    if (*head == tail)
        causes |= INT_TXQE;
    else
        timer_arm(s->pci.dev.vm, &s->more, clock_now(s->pci.dev.vm));
    e1000_raise(s, causes);
}

/* -- State ------------------------------------------------------------------------------------- */

void e1000_tx_reset(struct e1000 *s)
{
    memset(&s->tx, 0, sizeof(s->tx));
}

/* A file may hold anything. */
void e1000_tx_check(struct e1000 *s)
{
    if (s->tx.len > E1000_TX_MAX) {
        s->tx.len = E1000_TX_MAX + 1;
        s->tx.cutting = false;
    }
}

static const struct field context_fields[] = {
    FIELD(struct e1000_context, ipcss),
    FIELD(struct e1000_context, ipcso),
    FIELD(struct e1000_context, tucss),
    FIELD(struct e1000_context, tucso),
    FIELD(struct e1000_context, ipcse),
    FIELD(struct e1000_context, tucse),
    FIELD(struct e1000_context, paylen),
    FIELD(struct e1000_context, mss),
    FIELD(struct e1000_context, hdrlen),
    FIELD(struct e1000_context, tucmd),
    FIELDS_END,
};

const struct field e1000_tx_fields[] = {
    FIELD_SUBS(struct e1000_tx, context, context_fields),
    FIELD(struct e1000_tx, started),
    FIELD(struct e1000_tx, segmented),
    FIELD(struct e1000_tx, legacy),
    FIELD(struct e1000_tx, options),
    FIELD(struct e1000_tx, len),
    FIELD(struct e1000_tx, cutting),
    FIELD(struct e1000_tx, cut_count),
    FIELD(struct e1000_tx, cut_at),
    FIELD_ARRAY(struct e1000_tx, data),
    FIELDS_END,
};
