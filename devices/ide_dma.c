/* SPDX-License-Identifier: MIT */
/* The bus master (82371SB data sheet 290550, 2.3 and 5.3): for each channel a command, a status and
 * a pointer to a table of descriptors, which say where in memory the data of the channel's next DMA
 * command are. Either side may be ready first. */
#include "devices/ide_state.h"
#include "vmm/vm.h"

#define PRD_LAST UINT32_C(0x80000000)

#define BM_CHANNEL 8    /* ports of a channel */
#define BM_CAPABLE 0x60 /* drives can do DMA: firmware's notes */

static bool is_running(const struct ide_channel *ch)
{
    return ch->phase == IDE_DMA && (ch->bm_status & BM_ACTIVE) &&
           (pci_get16(&ch->ide->pci, PCI_COMMAND) & PCI_COMMAND_MASTER);
}

static uint32_t get32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The table stays within its 64 KiB. */
static bool next_descriptor(struct ide_channel *ch)
{
    uint8_t prd[8];
    uint32_t count;

    if (!dma_read(ch->ide->pci.dev.vm, ch->bm_next, prd, sizeof(prd)))
        return false;
    ch->bm_next = (ch->bm_next & 0xffff0000) | ((ch->bm_next + sizeof(prd)) & 0xffff);
    ch->bm_addr = get32(prd) & ~1u;
    count = get32(prd + 4);
    ch->bm_last = (count & PRD_LAST) != 0;
    ch->bm_left = count & 0xfffe;
    if (ch->bm_left == 0)
        ch->bm_left = 0x10000;
    return true;
}

static bool move(struct ide_channel *ch, uint32_t n)
{
    struct vm *vm = ch->ide->pci.dev.vm;

    if (n - 1 > UINT32_MAX - ch->bm_addr)
        return false;
    return ide_is_to_host(ch) ? dma_write(vm, ch->bm_addr, ch->buf + ch->pos, n)
                              : dma_read(vm, ch->bm_addr, ch->buf + ch->pos, n);
}

static void bus_error(struct ide_channel *ch)
{
    ch->bm_status = (ch->bm_status & ~BM_ACTIVE) | BM_ERROR;
    if (ide_selected(ch)->is_cd)
        atapi_abort(ch);
    else
        ata_fail(ch, ATA_ABRT, UINT64_MAX);
}

void ide_dma_run(struct ide_channel *ch)
{
    if (!is_running(ch))
        return;
    while (ch->pos < ch->end) {
        uint32_t n = ch->end - ch->pos;

        if (ch->bm_left == 0 && ch->bm_last) { /* too short a table: the device goes on waiting */
            ch->bm_status &= (uint8_t)~BM_ACTIVE;
            return;
        }
        if (ch->bm_left == 0 && !next_descriptor(ch)) {
            bus_error(ch);
            return;
        }
        n = n < ch->bm_left ? n : ch->bm_left;
        if (!move(ch, n)) {
            bus_error(ch);
            return;
        }
        ch->pos += n;
        ch->bm_addr += n;
        ch->bm_left -= n;
    }
    if (ch->bm_left == 0 && ch->bm_last)
        ch->bm_status &= (uint8_t)~BM_ACTIVE;
    ide_buffer_moved(ch);
}

/* -- Registers --------------------------------------------------------------------------------- */

static void write_command(struct ide_channel *ch, uint8_t val)
{
    bool was_on = ch->bm_command & BM_START;

    ch->bm_command = val & (BM_START | BM_TO_MEMORY);
    if (!(val & BM_START)) {
        ch->bm_status &= (uint8_t)~BM_ACTIVE;
    } else if (!was_on) {
        ch->bm_status |= BM_ACTIVE;
        ch->bm_next = ch->bm_table;
        ch->bm_left = 0;
        ch->bm_last = false;
        ide_dma_run(ch);
    }
}

static void write_status(struct ide_channel *ch, uint8_t val)
{
    uint8_t kept = ch->bm_status & (BM_ACTIVE | BM_ERROR | BM_INTERRUPT);

    kept &= (uint8_t) ~(val & (BM_ERROR | BM_INTERRUPT));
    ch->bm_status = kept | (val & BM_CAPABLE);
}

static uint8_t read_byte(const struct ide_channel *ch, unsigned off)
{
    if (off == 0)
        return ch->bm_command;
    if (off == 2)
        return ch->bm_status;
    return off >= 4 ? (uint8_t)(ch->bm_table >> 8 * (off - 4)) : 0;
}

static void write_byte(struct ide_channel *ch, unsigned off, uint8_t val)
{
    if (off == 0) {
        write_command(ch, val);
    } else if (off == 2) {
        write_status(ch, val);
    } else if (off >= 4) {
        unsigned shift = 8 * (off - 4);

        ch->bm_table &= ~(UINT32_C(0xff) << shift);
        ch->bm_table |= (uint32_t)val << shift;
        ch->bm_table &= ~3u;
    }
}

static uint64_t bm_read(void *dev, uint32_t off, unsigned n)
{
    struct ide *s = dev;
    uint64_t val = 0;

    for (unsigned k = 0; k < n; k++) {
        unsigned at = off + k;

        val |= (uint64_t)read_byte(&s->channel[at / BM_CHANNEL], at % BM_CHANNEL) << (8 * k);
    }
    return val;
}

static void bm_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct ide *s = dev;

    for (unsigned k = 0; k < n; k++) {
        unsigned at = off + k;

        write_byte(&s->channel[at / BM_CHANNEL], at % BM_CHANNEL, (uint8_t)(val >> (8 * k)));
    }
}

const struct io_ops ide_bm_ops = {bm_read, bm_write, IO_8 | IO_16 | IO_32};
