/* SPDX-License-Identifier: MIT */
/* 16550A serial port (National Semiconductor PC16550D data sheet) over a chardev.
 *
 * Sending takes no time: a byte written to THR is with the host at once, so the transmitter is
 * always empty and each write makes a new THR-empty condition. Receiving fills the FIFO as far as
 * it has room; the character timeout is timed by the programmed line speed. As in QEMU's machine,
 * OUT2 does not gate the interrupt, and CTS, DSR and DCD are always asserted. Left out: line errors
 * and breaks from the host, the effect of the line format on data, DMA mode. */
#include "devices/uart.h"

#include <errno.h>
#include <string.h>

#include "devices/isa.h"
#include "vmm/vm.h"

#define FIFO_LEN      16
#define UART_CLOCK_HZ 1843200
#define TIMEOUT_CHARS 4

enum uart_reg {
    UART_DATA,
    UART_IER,
    UART_IIR_FCR,
    UART_LCR,
    UART_MCR,
    UART_LSR,
    UART_MSR,
    UART_SCR
};

#define UART_IER_RDI  0x01
#define UART_IER_THRI 0x02
#define UART_IER_RLSI 0x04
#define UART_IER_MSI  0x08

#define UART_IIR_MSI     0x00
#define UART_IIR_NONE    0x01
#define UART_IIR_THRI    0x02
#define UART_IIR_RDI     0x04
#define UART_IIR_RLSI    0x06
#define UART_IIR_TIMEOUT 0x0c
#define UART_IIR_FIFOS   0xc0

#define UART_FCR_ENABLE   0x01
#define UART_FCR_CLEAR_RX 0x02

#define UART_LCR_STOP   0x04
#define UART_LCR_PARITY 0x08
#define UART_LCR_DLAB   0x80

#define UART_MCR_DTR  0x01
#define UART_MCR_RTS  0x02
#define UART_MCR_OUT1 0x04
#define UART_MCR_OUT2 0x08
#define UART_MCR_LOOP 0x10

#define UART_LSR_DR     0x01
#define UART_LSR_OE     0x02
#define UART_LSR_ERRORS 0x1e
#define UART_LSR_THRE   0x20
#define UART_LSR_TEMT   0x40

#define UART_MSR_DCTS   0x01
#define UART_MSR_TERI   0x04
#define UART_MSR_DELTAS 0x0f
#define UART_MSR_CTS    0x10
#define UART_MSR_DSR    0x20
#define UART_MSR_RI     0x40
#define UART_MSR_DCD    0x80

struct uart {
    struct device dev;
    uint16_t divisor;
    uint8_t ier, lcr, mcr, lsr, msr, scr;
    uint8_t fcr;          /* enable and trigger bits */
    bool thr_pending;     /* THR-empty interrupt, not yet seen in IIR */
    bool timeout_pending; /* characters wait below the trigger level */
    uint8_t rx[FIFO_LEN]; /* oldest first; one entry without FIFOs */
    uint8_t rx_len;
    struct timer timeout;
    const struct uart_cfg *cfg;
    struct chardev *cd;
    struct irq irq;
};

const struct uart_cfg uart_com[4] = {
    {0x3f8, 4, 0},
    {0x2f8, 3, 1},
    {0x3e8, 4, 2},
    {0x2e8, 3, 3},
};

static bool has_fifos(const struct uart *s)
{
    return (s->fcr & UART_FCR_ENABLE) != 0;
}

static unsigned trigger_level(const struct uart *s)
{
    static const uint8_t level[4] = {1, 4, 8, 14};

    return has_fifos(s) ? level[s->fcr >> 6] : 1;
}

/* Identification of the highest pending interrupt (data sheet, table IV). */
static uint8_t interrupt_id(const struct uart *s)
{
    if ((s->ier & UART_IER_RLSI) && (s->lsr & UART_LSR_ERRORS))
        return UART_IIR_RLSI;
    if ((s->ier & UART_IER_RDI) && s->rx_len >= trigger_level(s))
        return UART_IIR_RDI;
    if ((s->ier & UART_IER_RDI) && s->timeout_pending)
        return UART_IIR_TIMEOUT;
    if ((s->ier & UART_IER_THRI) && s->thr_pending)
        return UART_IIR_THRI;
    if ((s->ier & UART_IER_MSI) && (s->msr & UART_MSR_DELTAS))
        return UART_IIR_MSI;
    return UART_IIR_NONE;
}

static void update_irq(struct uart *s)
{
    irq_set(&s->irq, interrupt_id(s) != UART_IIR_NONE);
}

/* -- Receiver ------------------------------------------------------------------------------------
 */

static uint64_t timeout_ns(const struct uart *s)
{
    /* start, 5..8 data, parity, 1 or 2 stop bits; 16 clocks of the divided clock each */
    uint64_t bits =
        7 + (s->lcr & 3u) + ((s->lcr & UART_LCR_PARITY) != 0) + ((s->lcr & UART_LCR_STOP) != 0);
    uint64_t divisor = s->divisor == 0 ? 1 : s->divisor;

    return clock_muldiv(TIMEOUT_CHARS * bits * 16 * divisor, NS_PER_SEC, UART_CLOCK_HZ);
}

/* After the FIFO was filled or read: the timeout counts from the last of either. */
static void receiver_touched(struct uart *s)
{
    s->timeout_pending = false;
    if (s->rx_len > 0) {
        s->lsr |= UART_LSR_DR;
        if (has_fifos(s))
            timer_arm(s->dev.vm, &s->timeout, clock_now(s->dev.vm) + timeout_ns(s));
    } else {
        s->lsr &= (uint8_t)~UART_LSR_DR;
        timer_cancel(s->dev.vm, &s->timeout);
    }
}

static void timeout_due(void *opaque)
{
    struct uart *s = opaque;

    if (has_fifos(s) && s->rx_len > 0)
        s->timeout_pending = true;
    update_irq(s);
}

static unsigned receiver_room(const struct uart *s)
{
    unsigned size = has_fifos(s) ? FIFO_LEN : 1;

    return s->rx_len < size ? size - s->rx_len : 0;
}

static void receive_byte(struct uart *s, uint8_t byte)
{
    if (receiver_room(s) > 0)
        s->rx[s->rx_len++] = byte;
    else {
        s->lsr |= UART_LSR_OE;
        if (!has_fifos(s))
            s->rx[0] = byte; /* RBR is overwritten, a full FIFO is not */
    }
}

static size_t can_receive(void *dev)
{
    const struct uart *s = dev;

    return (s->mcr & UART_MCR_LOOP) ? 0 : receiver_room(s);
}

static void receive(void *dev, const uint8_t *data, size_t n)
{
    struct uart *s = dev;

    while (n-- > 0)
        receive_byte(s, *data++);
    receiver_touched(s);
    update_irq(s);
}

static const struct chardev_ops uart_chardev_ops = {.can_receive = can_receive, .receive = receive};

static void accept_input(struct uart *s)
{
    if (can_receive(s) > 0)
        chardev_accept_input(s->cd);
}

static uint8_t read_rbr(struct uart *s)
{
    uint8_t byte = s->rx[0];
    bool was_full = receiver_room(s) == 0;

    if (s->rx_len > 0) {
        s->rx_len--;
        memmove(s->rx, s->rx + 1, s->rx_len);
        receiver_touched(s);
        update_irq(s);
        if (was_full)
            accept_input(s);
    }
    return byte;
}

static void clear_rx(struct uart *s)
{
    s->rx_len = 0;
    receiver_touched(s);
    accept_input(s);
}

/* -- Transmitter and modem lines ------------------------------------------------------------------
 */

static void write_thr(struct uart *s, uint8_t byte)
{
    s->thr_pending = false; /* for a moment: who writes without reading IIR needs an edge */
    update_irq(s);
    if (s->mcr & UART_MCR_LOOP) {
        receive_byte(s, byte);
        receiver_touched(s);
    } else {
        chardev_write(s->cd, &byte, 1);
    }
    s->thr_pending = true; /* it is empty again */
    update_irq(s);
}

static uint8_t modem_inputs(const struct uart *s)
{
    uint8_t in = 0;

    if (!(s->mcr & UART_MCR_LOOP))
        return UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD;
    if (s->mcr & UART_MCR_RTS)
        in |= UART_MSR_CTS;
    if (s->mcr & UART_MCR_DTR)
        in |= UART_MSR_DSR;
    if (s->mcr & UART_MCR_OUT1)
        in |= UART_MSR_RI;
    if (s->mcr & UART_MCR_OUT2)
        in |= UART_MSR_DCD;
    return in;
}

static void update_modem(struct uart *s)
{
    uint8_t in = modem_inputs(s), old = s->msr & (uint8_t)~UART_MSR_DELTAS;
    uint8_t deltas = (uint8_t)((in ^ old) >> 4);

    if (in & UART_MSR_RI)
        deltas &= (uint8_t)~UART_MSR_TERI; /* only its trailing edge counts */
    s->msr = in | (s->msr & UART_MSR_DELTAS) | deltas;
}

/* -- Registers -----------------------------------------------------------------------------------
 */

static void write_ier(struct uart *s, uint8_t val)
{
    uint8_t rising = val & (uint8_t)~s->ier;

    s->ier = val & 0x0f;
    if (rising & UART_IER_THRI)
        s->thr_pending = true; /* enabling it with THR empty interrupts at once */
    update_irq(s);
}

static void write_fcr(struct uart *s, uint8_t val)
{
    if ((val ^ s->fcr) & UART_FCR_ENABLE)
        val |= UART_FCR_CLEAR_RX;
    if (!(val & UART_FCR_ENABLE))
        s->fcr = 0;
    else
        s->fcr = val & (0xc0 | UART_FCR_ENABLE);
    if (val & UART_FCR_CLEAR_RX)
        clear_rx(s);
    update_irq(s);
}

static uint8_t read_iir(struct uart *s)
{
    uint8_t id = interrupt_id(s);

    if (id == UART_IIR_THRI) {
        s->thr_pending = false;
        update_irq(s);
    }
    return has_fifos(s) ? id | UART_IIR_FIFOS : id;
}

static uint8_t read_lsr(struct uart *s)
{
    uint8_t val = s->lsr;

    s->lsr &= (uint8_t)~UART_LSR_ERRORS;
    update_irq(s);
    return val;
}

static uint8_t read_msr(struct uart *s)
{
    uint8_t val = s->msr;

    s->msr &= (uint8_t)~UART_MSR_DELTAS;
    update_irq(s);
    return val;
}

static uint64_t uart_read(void *dev, uint32_t off, unsigned n)
{
    struct uart *s = dev;
    bool dlab = (s->lcr & UART_LCR_DLAB) != 0;

    (void)n;
    switch (off) {
    case UART_DATA: return dlab ? s->divisor & 0xff : read_rbr(s);
    case UART_IER: return dlab ? s->divisor >> 8 : s->ier;
    case UART_IIR_FCR: return read_iir(s);
    case UART_LCR: return s->lcr;
    case UART_MCR: return s->mcr;
    case UART_LSR: return read_lsr(s);
    case UART_MSR: return read_msr(s);
    default: return s->scr;
    }
}

static void uart_write(void *dev, uint32_t off, unsigned n, uint64_t val64)
{
    struct uart *s = dev;
    uint8_t val = (uint8_t)val64;
    bool dlab = (s->lcr & UART_LCR_DLAB) != 0;

    (void)n;
    switch (off) {
    case UART_DATA:
        if (dlab)
            s->divisor = (uint16_t)((s->divisor & 0xff00) | val);
        else
            write_thr(s, val);
        break;
    case UART_IER:
        if (dlab)
            s->divisor = (uint16_t)((s->divisor & 0x00ff) | val << 8);
        else
            write_ier(s, val);
        break;
    case UART_IIR_FCR: write_fcr(s, val); break;
    case UART_LCR: s->lcr = val; break;
    case UART_MCR:
        s->mcr = val & 0x1f;
        update_modem(s);
        update_irq(s);
        accept_input(s);
        break;
    case UART_SCR: s->scr = val; break;
    default: break; /* LSR and MSR: factory test only */
    }
}

/* -- Device --------------------------------------------------------------------------------------
 */

static void reset(struct device *d)
{
    struct uart *s = (struct uart *)d;

    if (s->cd == NULL)
        return;
    s->ier = s->lcr = s->mcr = s->scr = s->fcr = 0;
    s->divisor = 12; /* 9600 baud */
    s->lsr = UART_LSR_THRE | UART_LSR_TEMT;
    s->msr = modem_inputs(s);
    s->thr_pending = false;
    memset(s->rx, 0, sizeof(s->rx));
    clear_rx(s);
    update_irq(s);
}

static void loaded(struct device *d)
{
    struct uart *s = (struct uart *)d;

    if (s->rx_len > FIFO_LEN) /* a file may hold anything */
        s->rx_len = 0;
}

static int realize(struct device *d)
{
    static const struct io_ops ops = {uart_read, uart_write, IO_8};
    struct uart *s = (struct uart *)d;
    const char *spec;
    char err[VM_ERR_LEN], label[16];

    s->cfg = d->cfg;
    timer_init(&s->timeout, timeout_due, s);
    spec = vm_config(d->vm)->serial[s->cfg->chardev];
    if (spec == NULL)
        return 0; /* an empty socket */
    snprintf(label, sizeof(label), "serial%u", s->cfg->chardev);
    s->cd = chardev_open(d->vm, label, spec, err);
    if (s->cd == NULL)
        return vm_fail(d->vm, -EINVAL, "serial port %u: %s", s->cfg->chardev, err);
    chardev_attach(s->cd, &uart_chardev_ops, s);
    s->irq = isa_irq(d->vm, s->cfg->irq);
    return bus_claim_ports(d->vm, "uart", s->cfg->base, 8, &ops, s);
}

static void unrealize(struct device *d)
{
    struct uart *s = (struct uart *)d;

    if (s->cd != NULL)
        chardev_close(s->cd);
    s->cd = NULL;
}

static const struct field uart_fields[] = {
    FIELDS_DEVICE(struct uart),
    FIELD(struct uart, divisor),
    FIELD(struct uart, ier),
    FIELD(struct uart, lcr),
    FIELD(struct uart, mcr),
    FIELD(struct uart, lsr),
    FIELD(struct uart, msr),
    FIELD(struct uart, scr),
    FIELD(struct uart, fcr),
    FIELD(struct uart, thr_pending),
    FIELD(struct uart, timeout_pending),
    FIELD_ARRAY(struct uart, rx),
    FIELD(struct uart, rx_len),
    FIELD_TIMER(struct uart, timeout),
    UNSAVED(struct uart, cfg),
    UNSAVED(struct uart, cd),
    UNSAVED(struct uart, irq),
    FIELDS_END,
};

const struct device_class uart_class = {
    .name = "uart",
    .desc = "16550A serial port",
    .size = sizeof(struct uart),
    .fields = uart_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
    .loaded = loaded,
};
