/* SPDX-License-Identifier: MIT */
/* Receiving of the 82540EM: filters, VLAN tags, checksums, descriptors (317453, chapter 3.2). */
#include <string.h>

#include "devices/e1000_state.h"
#include "devices/ether.h"

#define DESC_SIZE   16
#define PROTO_TCP   6
#define PROTO_UDP   17
#define VLAN_OFFSET 12 /* of the tag in a frame */

/* -- Filters ----------------------------------------------------------------------------------- */

static bool is_tagged(const struct e1000 *s, const uint8_t *frame, size_t len)
{
    return len >= VLAN_OFFSET + ETHER_VLAN_TAG + 2 &&
           ether_get16(frame + VLAN_OFFSET) == e1000_get(s, E1000_VET);
}

static bool is_vlan_wanted(const struct e1000 *s, const uint8_t *frame)
{
    unsigned id = ether_get16(frame + VLAN_OFFSET + 2) & 0xfff;

    return e1000_get(s, E1000_VFTA + 4 * (id >> 5)) >> (id & 31) & 1;
}

/* One of the 16 addresses. */
static bool is_exact(const struct e1000 *s, const uint8_t *mac)
{
    uint32_t low = mac[0] | mac[1] << 8 | mac[2] << 16 | (uint32_t)mac[3] << 24;
    uint32_t high = mac[4] | (uint32_t)mac[5] << 8;

    for (unsigned k = 0; k < 16; k++) {
        uint32_t rah = e1000_get(s, E1000_RA + 8 * k + 4);

        if ((rah & RAH_AV) && e1000_get(s, E1000_RA + 8 * k) == low && (rah & 0xffff) == high)
            return true;
    }
    return false;
}

/* Twelve bits of the address, from where RCTL.MO says. */
static bool is_hashed(const struct e1000 *s, const uint8_t *mac)
{
    static const uint8_t shift[] = {4, 3, 2, 0};
    unsigned hash = (mac[4] | mac[5] << 8) >> shift[e1000_get(s, E1000_RCTL) >> 12 & 3] & 0xfff;

    return e1000_get(s, E1000_MTA + 4 * (hash >> 5)) >> (hash & 31) & 1;
}

static bool is_wanted(const struct e1000 *s, const uint8_t *frame, size_t len)
{
    uint32_t rctl = e1000_get(s, E1000_RCTL);

    if ((rctl & RCTL_VFE) && is_tagged(s, frame, len) && !is_vlan_wanted(s, frame))
        return false;
    if (ether_is_broadcast(frame) && (rctl & RCTL_BAM))
        return true;
    if (ether_is_multicast(frame))
        return (rctl & RCTL_MPE) || is_exact(s, frame) || is_hashed(s, frame);
    return (rctl & RCTL_UPE) || is_exact(s, frame);
}

/* -- Checksums --------------------------------------------------------------------------------- */

/* TCP or UDP in IPv4; `ip` has `len` bytes, of which the header is whole. */
static bool is_payload_good(const uint8_t *ip, size_t header, size_t len)
{
    uint32_t pseudo = ether_sum((uint32_t)(ip[9] + (len - header)), ip + 12, 8);

    return ether_sum(pseudo, ip + header, len - header) == 0xffff;
}

static void check_payload(const uint8_t *ip, size_t header, size_t len, uint8_t *status,
                          uint8_t *errors)
{
    bool is_fragment = ether_get16(ip + 6) & 0x3fff;

    if (is_fragment || (ip[9] != PROTO_TCP && ip[9] != PROTO_UDP))
        return;
    if (len - header < 8 || (ip[9] == PROTO_UDP && ether_get16(ip + header + 6) == 0))
        return;
    *status |= RXD_TCPCS;
    if (!is_payload_good(ip, header, len))
        *errors |= RXE_TCPE;
}

/* What the status and error bits say about a frame's sums. */
static void check_sums(const struct e1000 *s, const uint8_t *frame, size_t len, uint8_t *status,
                       uint8_t *errors)
{
    uint32_t rxcsum = e1000_get(s, E1000_RXCSUM);
    size_t at = VLAN_OFFSET + (is_tagged(s, frame, len) ? ETHER_VLAN_TAG : 0);
    const uint8_t *ip = frame + at + 2;
    size_t left = len - at - 2, header, total;

    if (!(rxcsum & (RXCSUM_IPOFL | RXCSUM_TUOFL)) || ether_get16(frame + at) != ETHER_TYPE_IPV4 ||
        left < 20 || ip[0] >> 4 != 4) {
        *status |= RXD_IXSM;
        return;
    }
    header = (ip[0] & 15u) * 4;
    total = ether_get16(ip + 2);
    if (header < 20 || total < header || total > left) {
        *status |= RXD_IXSM;
        return;
    }
    if (rxcsum & RXCSUM_IPOFL) {
        *status |= RXD_IPCS;
        if (ether_sum(0, ip, header) != 0xffff)
            *errors |= RXE_IPE;
    }
    if (rxcsum & RXCSUM_TUOFL)
        check_payload(ip, header, total, status, errors);
}

/* -- Descriptors ------------------------------------------------------------------------------- */

static uint32_t buffer_size(const struct e1000 *s)
{
    uint32_t rctl = e1000_get(s, E1000_RCTL), size = 2048u >> (rctl >> 16 & 3);

    return (rctl & RCTL_BSEX) && size < 2048 ? size * 16 : size;
}

static uint32_t descriptors_left(const struct e1000 *s, uint32_t count)
{
    uint32_t head = e1000_get(s, E1000_RDH), tail = e1000_get(s, E1000_RDT);

    if (head >= count || tail >= count)
        return 0;
    return tail >= head ? tail - head : count - head + tail;
}

bool e1000_can_receive(void *dev)
{
    const struct e1000 *s = dev;
    uint32_t count;

    if (!(e1000_get(s, E1000_RCTL) & RCTL_EN))
        return true;
    e1000_ring(s, E1000_RDBAL, &count);
    return descriptors_left(s, count) > 0;
}

/* A frame as it goes to memory. */
struct stored {
    uint8_t data[NET_FRAME_MAX + ETHER_CRC];
    uint32_t len;
    uint16_t special;
    uint8_t status, errors;
};

static void store(struct e1000 *s, const struct stored *f)
{
    uint32_t count, size = buffer_size(s), head = e1000_get(s, E1000_RDH);
    uint64_t ring = e1000_ring(s, E1000_RDBAL, &count);
    unsigned from = e1000_get(s, E1000_RXCSUM) & 0xff;
    uint16_t sum = (uint16_t)~ether_sum(0, f->data + from, f->len > from ? f->len - from : 0);

    for (uint32_t at = 0; at < f->len; at += size) {
        uint32_t n = f->len - at < size ? f->len - at : size;
        bool last = at + n == f->len;
        uint8_t desc[DESC_SIZE];
        uint64_t buffer;

        dma_read(s->pci.dev.vm, ring + head * DESC_SIZE, desc, DESC_SIZE);
        memcpy(&buffer, desc, sizeof(buffer));
        dma_write(s->pci.dev.vm, buffer, f->data + at, n);
        desc[8] = (uint8_t)n;
        desc[9] = (uint8_t)(n >> 8);
        ether_put16(desc + 10, sum);
        desc[12] = RXD_DD | (last ? RXD_EOP | f->status : 0);
        desc[13] = last ? f->errors : 0;
        desc[14] = (uint8_t)f->special;
        desc[15] = (uint8_t)(f->special >> 8);
        dma_write(s->pci.dev.vm, ring + head * DESC_SIZE + 8, desc + 8, DESC_SIZE - 8);
        head = head + 1 == count ? 0 : head + 1;
    }
    *e1000_reg(s, E1000_RDH) = head;
}

/* After a packet: now, or when RDTR or RADV say. */
static void interrupt(struct e1000 *s, uint32_t count)
{
    uint32_t rdtr = e1000_get(s, E1000_RDTR), radv = e1000_get(s, E1000_RADV);
    uint32_t few = count >> 1 >> (e1000_get(s, E1000_RCTL) >> 8 & 3);
    struct vm *vm = s->pci.dev.vm;

    if (descriptors_left(s, count) <= few)
        e1000_raise(s, INT_RXDMT0);
    if (rdtr == 0) {
        e1000_raise(s, INT_RXT0);
        return;
    }
    if (s->rx_delay.due_ns == TIMER_IDLE)
        s->rx_latest = radv != 0 ? clock_now(vm) + e1000_ticks_ns(radv) : UINT64_MAX;
    e1000_delay(s, &s->rx_delay, rdtr, s->rx_latest);
}

static void count_received(struct e1000 *s, const uint8_t *frame, uint32_t len)
{
    e1000_count(s, E1000_GPRC);
    e1000_count_bytes(s, E1000_GORCL, len);
    e1000_count_frame(s, frame, len, E1000_PRC64, E1000_BPRC, E1000_MPRC);
}

/* -- A frame ----------------------------------------------------------------------------------- */

static void prepare(const struct e1000 *s, const uint8_t *frame, uint32_t len, struct stored *f)
{
    uint32_t crc = ether_crc(frame, len);

    f->len = 0;
    f->status = f->errors = 0;
    f->special = 0;
    check_sums(s, frame, len, &f->status, &f->errors);
    if (ether_is_multicast(frame) && !ether_is_broadcast(frame) && !is_exact(s, frame))
        f->status |= RXD_PIF;
    if ((e1000_get(s, E1000_CTRL) & CTRL_VME) && is_tagged(s, frame, len)) {
        f->special = ether_get16(frame + VLAN_OFFSET + 2);
        f->status |= RXD_VP;
        f->len = VLAN_OFFSET;
        memcpy(f->data, frame, VLAN_OFFSET);
        frame += VLAN_OFFSET + ETHER_VLAN_TAG;
        len -= VLAN_OFFSET + ETHER_VLAN_TAG;
    }
    memcpy(f->data + f->len, frame, len);
    f->len += len;
    if (!(e1000_get(s, E1000_RCTL) & RCTL_SECRC)) {
        memcpy(f->data + f->len, &crc, ETHER_CRC);
        f->len += ETHER_CRC;
    }
}

void e1000_receive(void *dev, const uint8_t *frame, size_t len)
{
    struct e1000 *s = dev;
    bool tagged = is_tagged(s, frame, len);
    uint32_t wire = (uint32_t)len + ETHER_CRC, count;
    struct stored f;

    if (!(e1000_get(s, E1000_RCTL) & RCTL_EN))
        return;
    e1000_count(s, E1000_TPR);
    e1000_count_bytes(s, E1000_TORL, wire);
    if (len > ETHER_MAX + (tagged ? ETHER_VLAN_TAG : 0) && !(e1000_get(s, E1000_RCTL) & RCTL_LPE)) {
        e1000_count(s, E1000_ROC);
        return;
    }
    if (!is_wanted(s, frame, len))
        return;
    prepare(s, frame, (uint32_t)len, &f);
    e1000_ring(s, E1000_RDBAL, &count);
    if ((uint64_t)descriptors_left(s, count) * buffer_size(s) < f.len) {
        e1000_count(s, E1000_MPC);
        e1000_count(s, E1000_RNBC);
        e1000_raise(s, INT_RXO);
        return;
    }
    store(s, &f);
    count_received(s, frame, wire);
    interrupt(s, count);
}
