/* SPDX-License-Identifier: MIT */
/* The floppy disk controller's state, which fdc.c (registers, commands) and fdc_transfer.c
 * (commands that find sectors) share. */
#ifndef DEVICES_FDC_STATE_H
#define DEVICES_FDC_STATE_H

#include "devices/floppy.h"
#include "vmm/vm.h"

#define FDC_UNITS  4 /* that commands can name */
#define FDC_DRIVES 2 /* that are connected at most */

#define FDC_DOR_SELECT 0x03
#define FDC_DOR_NRESET 0x04
#define FDC_DOR_GATE   0x08 /* interrupt and DMA request reach the bus */
#define FDC_DOR_MOTOR  0x10 /* of unit 0; the others follow */

#define FDC_ST0_HEAD     0x04
#define FDC_ST0_EC       0x10 /* no track 0 */
#define FDC_ST0_SE       0x20 /* seek end */
#define FDC_ST0_ABNORMAL 0x40
#define FDC_ST0_INVALID  0x80
#define FDC_ST0_POLL     0xc0
#define FDC_ST1_MA       0x01 /* no address mark: unformatted, another data rate, no disk */
#define FDC_ST1_NW       0x02 /* write protected */
#define FDC_ST1_ND       0x04 /* no such sector */
#define FDC_ST1_OR       0x10 /* DMA did not take the data */
#define FDC_ST1_DE       0x20
#define FDC_ST1_EN       0x80 /* went beyond the last sector, without terminal count */
#define FDC_ST2_SN       0x04 /* scan not satisfied */
#define FDC_ST2_SH       0x08 /* scan met an equal sector */
#define FDC_ST2_WC       0x10 /* sectors here are of another cylinder */
#define FDC_ST2_DD       0x20
#define FDC_ST2_CM       0x40 /* a mark of the kind that was not asked for */

#define FDC_OP_MT  0x80 /* both sides of the cylinder */
#define FDC_OP_MFM 0x40
#define FDC_OP_SK  0x20 /* skip sectors with the other kind of mark */

#define FDC_CONFIG_EIS  0x40 /* implied seek */
#define FDC_CONFIG_POLL 0x10 /* polling disabled */
#define FDC_PIO         0x01 /* of SPECIFY's third byte: ND */

enum fdc_phase {
    FDC_COMMAND, /* takes a command's bytes */
    FDC_BUSY,    /* carries it out */
    FDC_PIO_IN,  /* the guest reads data */
    FDC_PIO_OUT, /* the guest writes data */
    FDC_RESULT,
};

/* How a command uses the sectors that it finds. */
enum fdc_use {
    FDC_USE_NONE,
    FDC_USE_READ,
    FDC_USE_READ_DELETED,
    FDC_USE_READ_TRACK,
    FDC_USE_WRITE,
    FDC_USE_FORMAT,
    FDC_USE_VERIFY,
    FDC_USE_SCAN_EQUAL,
    FDC_USE_SCAN_LOW,
    FDC_USE_SCAN_HIGH,
};

/* The command that moves data. */
struct fdc_transfer {
    uint8_t op; /* with its options */
    uint8_t use;
    uint8_t unit, head;
    uint8_t c, h, r, n; /* of the sector that it is at */
    uint8_t eot, step;
    uint8_t fill;    /* FORMAT TRACK */
    uint8_t left;    /* sectors, where the command counts them */
    uint8_t passed;  /* READ TRACK: sectors */
    uint8_t retries; /* DMA */
    bool tc;
    bool stop; /* after this sector */
};

/* What the drive read together with the last sector that it was asked for: the rest of the track.
 */
struct fdc_ahead {
    struct drive *drive;
    uint64_t off;
    size_t n; /* 0: nothing */
    uint8_t data[FLOPPY_TRACK];
};

struct fdc {
    struct device dev;
    uint8_t dor, tdr, dsr;
    uint8_t srt_hut, hlt_nd; /* SPECIFY */
    uint8_t config, pretrk;  /* CONFIGURE */
    uint8_t perpendicular, last_eot;
    bool lock;
    uint8_t phase;    /* enum fdc_phase */
    uint8_t fifo[16]; /* a command, then its results */
    uint8_t fifo_pos, fifo_len;
    uint8_t st1, st2;
    struct fdc_transfer x;
    uint8_t sector[FLOPPY_SECTOR]; /* the disk's */
    uint8_t data[FLOPPY_SECTOR];   /* the guest's */
    uint16_t data_pos;
    uint64_t disk_off;
    bool disk_busy; /* a request is under way */
    bool irq;
    uint8_t seeking; /* set of units */
    uint8_t target[FDC_UNITS];
    uint8_t sense[FDC_UNITS]; /* ST0 for SENSE INTERRUPT STATUS */
    uint8_t sense_pending;    /* set of units */
    uint8_t track[FDC_UNITS]; /* where the controller thinks that the heads are (PCN) */
    struct floppy drive[FDC_DRIVES];
    struct timer seek_end, retry;
    struct drive_request request;
    struct drive *requested; /* where that is, or was last */
    struct fdc_ahead ahead;
    struct irq line;
};

/* The drive of a unit; NULL: there is none. */
struct floppy *fdc_drive(struct fdc *s, unsigned unit);

/* Ends a command: interrupts, and the guest reads `n` bytes of results from the FIFO. */
void fdc_end(struct fdc *s, unsigned n);
void fdc_interrupt(struct fdc *s);

/* Moves the heads, and remembers it. */
void fdc_move(struct fdc *s, unsigned unit, uint8_t track);

/* -- fdc_transfer.c */

/* Begins what the FIFO holds. */
void fdc_transfer_begin(struct fdc *s, enum fdc_use use);
void fdc_read_id(struct fdc *s);
/* Stops it where it is. */
void fdc_transfer_cancel(struct fdc *s);
/* The guest has read or written a byte in a PIO phase. */
uint8_t fdc_pio_in(struct fdc *s);
void fdc_pio_out(struct fdc *s, uint8_t val);
/* After a state was loaded, which may hold anything. */
void fdc_transfer_loaded(struct fdc *s);
/* Another disk may be in. */
void fdc_forget_ahead(struct fdc *s);
void fdc_retry_due(void *opaque);

#endif
