/* SPDX-License-Identifier: MIT */
/* Floppy controller: every command by registers, DMA and PIO, the results that the data sheet's
 * tables give, all sizes of disks, and guests that do not keep to any of it. */
#include "devices/fdc_state.h"
#include "tests/unit/disk_files.h"
#include "tests/unit/disk_images.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/floppy_board.h"

#define DOR   0x3f2
#define MSR   0x3f4
#define FIFO  0x3f5
#define DIR   0x3f7
#define KIB   1024u
#define BUF   0x10000
#define MFM   0x40
#define MT    0x80
#define READY 0x80 /* MSR */
#define SIZE  (1440 * KIB)

static struct vm *vm;
static uint8_t image[2880 * KIB];
static uint8_t result[16];

static void outb(uint16_t port, unsigned val)
{
    bus_port_out(vm, port, 1, val);
}

static unsigned inb(uint16_t port)
{
    return bus_port_in(vm, port, 1);
}

static bool irq(void)
{
    outb(0x20, 0x0a);
    return inb(0x20) & 0x40;
}

/* IRQ 6 was seen: an edge starts the next one. */
static void ack(void)
{
    outb(0x20, 0x0a);
    if (inb(0x20) & 0x40) {
        outb(0x20, 0x0c); /* poll */
        inb(0x20);
        outb(0x20, 0x20);
    }
}

static void set_up_pic(void)
{
    outb(0x20, 0x11);
    outb(0x21, 8);
    outb(0x21, 4);
    outb(0x21, 1);
    outb(0x21, 0xbf);
}

static void send(const uint8_t *bytes, unsigned n)
{
    for (unsigned k = 0; k < n; k++) {
        ck_assert_uint_eq(inb(MSR) & 0xc0, READY);
        outb(FIFO, bytes[k]);
    }
}

#define SEND(...) send((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void get(unsigned n)
{
    memset(result, 0xee, sizeof(result));
    for (unsigned k = 0; k < n; k++) {
        ck_assert_uint_eq(inb(MSR) & 0xd0, 0xd0);
        result[k] = (uint8_t)inb(FIFO);
    }
    ck_assert_uint_eq(inb(MSR) & 0xd0, READY);
}

#define CK_RESULT(...)                                                                             \
    do {                                                                                           \
        const uint8_t want[] = {__VA_ARGS__};                                                      \
        get(sizeof(want));                                                                         \
        ck_assert_mem_eq(result, want, sizeof(want));                                              \
    } while (0)

static uint8_t *ram(uint32_t pa)
{
    return vm->mem.host + pa; /* the machine has no translator, so pages are side by side */
}

static void reset_fdc(void)
{
    outb(DOR, 0);
    outb(DOR, 0x3c); /* both motors, drive A */
    for (unsigned k = 0; k < 4; k++) {
        SEND(8);
        get(2);
    }
    ack();
}

static void seek(unsigned unit, unsigned head, unsigned track)
{
    SEND(0x0f, (uint8_t)(head << 2 | unit), (uint8_t)track);
    floppy_wait(vm, NS_PER_SEC / 100);
    SEND(8);
    CK_RESULT((uint8_t)(0x20 | unit), (uint8_t)track);
    ack();
}

static void start_with(const char *a, const char *b)
{
    const struct drive_config drives[] = {
        {.interface = DRIVE_FLOPPY, .index = 0, .image = {.file = a, .format = "raw"}},
        {.interface = DRIVE_FLOPPY, .index = 1, .image = {.file = b, .format = "raw"}},
    };

    vm = floppy_vm(drives, 2);
    set_up_pic();
    reset_fdc();
    outb(DIR, 0);        /* 500 kb/s */
    SEND(3, 0xdf, 0x02); /* DMA */
}

static void make_disk(const char *name, unsigned bytes)
{
    for (unsigned k = 0; k < sizeof(image); k++)
        image[k] = (uint8_t)(k * 3 + (k >> 9) * 29 + (k >> 17));
    make_file(name, image, bytes, bytes);
}

static void setup(void)
{
    enter_folder();
    make_disk("a", SIZE);
    start_with("a", NULL);
}

static void teardown(void)
{
    vm_destroy(vm);
    leave_folder();
}

/* A sector's bytes on 1.44 MB. */
static const uint8_t *at(unsigned c, unsigned h, unsigned r)
{
    return image + ((c * 2 + h) * 18 + r - 1) * 512;
}

/* READ, WRITE, SCAN, VERIFY...: nine bytes on drive A. */
static void command(unsigned op, unsigned c, unsigned h, unsigned r, unsigned eot)
{
    SEND((uint8_t)op, (uint8_t)(h << 2), (uint8_t)c, (uint8_t)h, (uint8_t)r, 2, (uint8_t)eot, 0x1b,
         0xff);
    floppy_wait(vm, 0);
}

/* -- Commands without sectors ------------------------------------------------------------------ */

START_TEST(reset_polls_four_drives)
{
    outb(DOR, 8);
    ck_assert_uint_eq(inb(MSR), 0);
    ck_assert(!irq());
    outb(DOR, 0x0c);
    ck_assert(irq());
    ck_assert_uint_eq(inb(MSR), READY);
    for (uint8_t k = 0; k < 4; k++) {
        SEND(8);
        CK_RESULT((uint8_t)(0xc0 | k), 0);
    }
    SEND(8);
    CK_RESULT(0x80);
    ack();
    outb(DOR, 0); /* the gate is closed: no interrupt */
    outb(DOR, 0x04);
    ck_assert(!irq());
    SEND(8);
    CK_RESULT(0xc0, 0);
    outb(DOR, 0x0c);
    outb(MSR, 0x80); /* DSR's own reset */
    ck_assert(irq());
    SEND(0x13, 0, 0x10, 0); /* no polling any more, and that survives a reset by LOCK */
    SEND(0x94);
    CK_RESULT(0x10);
    ack();
    outb(DOR, 8);
    outb(DOR, 0x0c);
    ck_assert(!irq());
    SEND(8);
    CK_RESULT(0x80);
}
END_TEST

START_TEST(registers_are_kept)
{
    SEND(0x10);
    CK_RESULT(0x90);
    SEND(0x13, 0, 0x57, 0x12);
    SEND(0x12, 0xbf); /* PERPENDICULAR, with OW */
    SEND(0x12, 0x00); /* without it, drives stay */
    SEND(0x0e);
    CK_RESULT(0, 0, 0, 0, 0xdf, 0x02, 0, 0x3c, 0x57, 0x12);
    SEND(0x94);
    CK_RESULT(0x10);
    outb(DOR, 8);
    outb(DOR, 0x0c);
    SEND(0x0e);
    CK_RESULT(0, 0, 0, 0, 0xdf, 0x02, 0, 0xbc, 0x57, 0x12);
    SEND(0x14);
    CK_RESULT(0);
    outb(DOR, 8);
    outb(DOR, 0x0c);
    SEND(0x0e);
    CK_RESULT(0, 0, 0, 0, 0xdf, 0x02, 0, 0x3c, 0x20, 0);
    for (unsigned k = 0; k < 4; k++) {
        SEND(8);
        get(2);
    }
    SEND(0x18); /* PART ID is the 82078's */
    CK_RESULT(0x80);
    SEND(0x1f);
    CK_RESULT(0x80);
    SEND(0x88);
    CK_RESULT(0x80);
    outb(0x3f3, 0xff);
    ck_assert_uint_eq(inb(0x3f3), 3);
    ck_assert_uint_eq(inb(DOR), 0x0c);
}
END_TEST

START_TEST(heads_move)
{
    ck_assert_uint_eq(inb(DIR) & 0x80, 0x80); /* no step yet */
    SEND(0x0f, 0, 40);
    ck_assert_uint_eq(inb(MSR), READY | 1);
    ck_assert(!irq());
    SEND(0x0f, 3, 7); /* two at once, one of them without a drive */
    ck_assert_uint_eq(inb(MSR), READY | 9);
    floppy_wait(vm, NS_PER_SEC / 100);
    ck_assert_uint_eq(inb(MSR), READY);
    ck_assert(irq());
    ack();
    SEND(8);
    CK_RESULT(0x20, 40);
    ck_assert(irq());
    SEND(8);
    CK_RESULT(0x23, 7);
    ck_assert_uint_eq(inb(DIR) & 0x80, 0);
    SEND(0xcf, 0, 5); /* relative, inwards */
    floppy_wait(vm, NS_PER_SEC / 100);
    SEND(8);
    CK_RESULT(0x20, 45);
    SEND(0x8f, 0, 50);
    floppy_wait(vm, NS_PER_SEC / 100);
    SEND(8);
    CK_RESULT(0x20, 0);
    SEND(4, 4);
    CK_RESULT(0x3c);
    seek(0, 0, 3);
    SEND(4, 0);
    CK_RESULT(0x28);
    SEND(7, 0);
    floppy_wait(vm, NS_PER_SEC / 100);
    SEND(8);
    CK_RESULT(0x20, 0);
    SEND(7, 2); /* no drive, no track 0 */
    floppy_wait(vm, NS_PER_SEC / 100);
    SEND(8);
    CK_RESULT(0x72, 0);
    SEND(4, 2);
    CK_RESULT(0x2a);
}
END_TEST

/* -- Reading and writing ----------------------------------------------------------------------- */

START_TEST(reads_by_dma)
{
    seek(0, 0, 5);
    floppy_dma(vm, DMA_TO_MEMORY, BUF, 512 * 20);
    SEND(0xe6, 0, 5, 0, 17, 2, 18, 0x1b, 0xff);
    floppy_wait(vm, 0);
    ck_assert(irq());
    CK_RESULT(0x04, 0, 0, 6, 0, 1, 2); /* two of side 0, eighteen of side 1 */
    ck_assert_mem_eq(ram(BUF), at(5, 0, 17), 1024);
    ck_assert_mem_eq(ram(BUF + 1024), at(5, 1, 1), 512 * 18);
    ck_assert_uint_eq(inb(8) & 4, 4); /* terminal count */
    ack();
    ck_assert(!irq());
    floppy_dma(vm, DMA_TO_MEMORY, BUF, 700); /* ends within a sector */
    memset(ram(BUF), 0, 1024);
    command(MFM | 6, 5, 1, 3, 18);
    CK_RESULT(0x04, 0, 0, 5, 1, 5, 2);
    ck_assert_mem_eq(ram(BUF), at(5, 1, 3), 700);
    ck_assert_uint_eq(*ram(BUF + 700), 0);
    floppy_dma(vm, DMA_TO_MEMORY, BUF, 2048); /* wants more than there is */
    command(MFM | 6, 5, 0, 17, 18);
    CK_RESULT(0x40, 0x80, 0, 6, 0, 1, 2);
}
END_TEST

START_TEST(writes_by_dma)
{
    seek(0, 0, 79);
    for (unsigned k = 0; k < 1000; k++)
        *ram(BUF + k) = (uint8_t)(k * 7 + 1);
    floppy_dma(vm, DMA_FROM_MEMORY, BUF, 1000);
    command(MFM | 5, 79, 1, 18, 18); /* the image's last sector; the next is not there */
    CK_RESULT(0x44, 0x80, 0, 80, 1, 1, 2);
    floppy_dma(vm, DMA_FROM_MEMORY, BUF, 1000);
    command(MFM | 9, 79, 1, 16, 18); /* deleted data, as plain data; the rest of it is zero */
    CK_RESULT(0x04, 0, 0, 79, 1, 18, 2);
    vm_destroy(vm);
    FILE *f = fopen("a", "rb");
    static uint8_t now[SIZE];
    ck_assert_uint_eq(fread(now, 1, SIZE, f), SIZE);
    fclose(f);
    ck_assert_mem_eq(now, image, SIZE - 3 * 512);
    for (unsigned k = 0; k < 1024; k++) {
        uint8_t want = k < 1000 ? (uint8_t)(k * 7 + 1) : 0;
        if (now[SIZE - 3 * 512 + k] != want || (k < 512 && now[SIZE - 512 + k] != want))
            ck_abort_msg("byte %u", k);
    }
    start_with("a", NULL);
}
END_TEST

START_TEST(data_by_pio)
{
    uint8_t back[1024];

    SEND(3, 0xdf, 0x03);
    SEND(MFM | 5, 0, 0, 0, 17, 2, 18, 0x1b, 0xff);
    for (unsigned k = 0; k < 1024; k++) {
        floppy_wait(vm, 0);
        ck_assert(irq()); /* each byte asks */
        ack();
        ck_assert_uint_eq(inb(MSR), 0xb0);
        outb(FIFO, k / 3);
    }
    floppy_wait(vm, 0);
    CK_RESULT(0x40, 0x80, 0, 1, 0, 1, 2); /* nobody says terminal count */
    ack();
    SEND(MFM | 6, 0, 0, 0, 17, 2, 18, 0x1b, 0xff);
    for (unsigned k = 0; k < 1024; k++) {
        floppy_wait(vm, 0);
        ck_assert_uint_eq(inb(MSR), 0xf0);
        back[k] = (uint8_t)inb(FIFO);
    }
    CK_RESULT(0x40, 0x80, 0, 1, 0, 1, 2);
    for (unsigned k = 0; k < 1024; k++)
        ck_assert_uint_eq(back[k], (uint8_t)(k / 3));
}
END_TEST

START_TEST(what_is_not_there)
{
    floppy_dma(vm, DMA_TO_MEMORY, BUF, 512);
    command(MFM | 6, 1, 0, 1, 18); /* the heads are on track 0 */
    CK_RESULT(0x40, 0x04, 0x10, 1, 0, 1, 2);
    command(MFM | 6, 0, 0, 19, 19);
    CK_RESULT(0x40, 0x04, 0, 0, 0, 19, 2);
    command(MFM | 6, 0, 0, 0, 18);
    CK_RESULT(0x40, 0x04, 0, 0, 0, 0, 2);
    SEND(MFM | 6, 0, 0, 1, 1, 2, 18, 0x1b, 0xff); /* another side's ID */
    CK_RESULT(0x40, 0x04, 0, 0, 1, 1, 2);
    SEND(MFM | 6, 0, 0, 0, 1, 3, 18, 0x1b, 0xff); /* 1024 bytes */
    CK_RESULT(0x40, 0x04, 0, 0, 0, 1, 3);
    command(6, 0, 0, 1, 18); /* FM */
    CK_RESULT(0x40, 0x01, 0, 0, 0, 1, 2);
    outb(DIR, 2); /* 250 kb/s */
    command(MFM | 6, 0, 0, 1, 18);
    CK_RESULT(0x40, 0x01, 0, 0, 0, 1, 2);
    outb(DIR, 0);
    SEND(MFM | 6, 1, 0, 0, 1, 2, 18, 0x1b, 0xff); /* B is empty */
    CK_RESULT(0x41, 0x01, 0, 0, 0, 1, 2);
    SEND(MFM | 6, 3, 0, 0, 1, 2, 18, 0x1b, 0xff);
    CK_RESULT(0x43, 0x01, 0, 0, 0, 1, 2);
    seek(0, 0, 80);
    SEND(MFM | 0x0a, 0);
    CK_RESULT(0x40, 0x01, 0, 80, 0, 1, 2);
    SEND(0x13, 0, 0x40, 0); /* implied seek */
    command(MFM | 6, 3, 1, 2, 18);
    CK_RESULT(0x04, 0, 0, 3, 1, 3, 2);
    ck_assert_mem_eq(ram(BUF), at(3, 1, 2), 512);
}
END_TEST

START_TEST(dma_may_be_late)
{
    floppy_dma(vm, DMA_TO_MEMORY, BUF, 512);
    outb(0x0a, 6);
    command(MFM | 6, 0, 0, 4, 18);
    ck_assert_uint_eq(inb(MSR), 0x10);
    ck_assert_uint_eq(inb(8) & 0x40, 0x40); /* it asks */
    outb(0x0a, 2);
    floppy_wait(vm, NS_PER_SEC / 500);
    CK_RESULT(0, 0, 0, 0, 0, 5, 2);
    ck_assert_mem_eq(ram(BUF), at(0, 0, 4), 512);
    ack();
    command(MFM | 6, 0, 0, 4, 18); /* the channel is masked again */
    for (unsigned k = 0; k < 300 && !irq(); k++)
        floppy_wait(vm, NS_PER_SEC / 1000);
    CK_RESULT(0x40, 0x10, 0, 0, 0, 4, 2); /* overrun */
    command(MFM | 6, 0, 0, 4, 18);
    ck_assert_uint_eq(inb(MSR), 0x10);
    reset_fdc(); /* stops it */
    floppy_wait(vm, NS_PER_SEC);
    ck_assert(!irq());
    ck_assert_uint_eq(inb(8) & 0x40, 0);
}
END_TEST

/* -- The other commands that find sectors ------------------------------------------------------ */

START_TEST(tracks_are_formatted)
{
    uint8_t *ids = ram(BUF);

    seek(0, 0, 2);
    for (unsigned k = 0; k < 18; k++)
        memcpy(ids + k * 4, (uint8_t[]){2, 1, (uint8_t)(k * 5 % 18 + 1), 2}, 4);
    floppy_dma(vm, DMA_FROM_MEMORY, BUF, 72);
    SEND(MFM | 0x0d, 4, 2, 18, 0x54, 0xf6);
    floppy_wait(vm, 0);
    CK_RESULT(0x04, 0, 0, 2, 1, 17 * 5 % 18 + 1, 2);
    floppy_dma(vm, DMA_TO_MEMORY, BUF, 512 * 18);
    command(MFM | 6, 2, 1, 1, 18);
    get(7);
    for (unsigned k = 0; k < 512 * 18; k++) {
        if (*ram(BUF + k) != 0xf6)
            ck_abort_msg("byte %u", k);
    }
    memcpy(ram(BUF), (uint8_t[]){2, 1, 19, 2}, 4); /* the image has no place for it */
    floppy_dma(vm, DMA_FROM_MEMORY, BUF, 72);
    SEND(MFM | 0x0d, 4, 2, 18, 0x54, 0xf6);
    floppy_wait(vm, 0);
    CK_RESULT(0x44, 0x04, 0, 2, 1, 19, 2);
    SEND(MFM | 0x0d, 4, 3, 18, 0x54, 0xf6);
    CK_RESULT(0x44, 0x04, 0, 2, 1, 1, 3);
    floppy_dma(vm, DMA_TO_MEMORY, BUF, 512); /* the other side is as it was */
    command(MFM | 6, 2, 0, 18, 18);
    get(7);
    ck_assert_mem_eq(ram(BUF), at(2, 0, 18), 512);
}
END_TEST

static void scan(unsigned op, int difference, uint8_t st2, unsigned r)
{
    memcpy(ram(BUF), at(0, 0, 2), 512);
    memset(ram(BUF + 100), 0xff, 50); /* equal to all */
    *ram(BUF + 300) = (uint8_t)(0x80 + difference);
    floppy_dma(vm, DMA_FROM_MEMORY, BUF, 512);
    command(MFM | op, 0, 0, 2, 18);
    CK_RESULT(0, 0, st2, 0, 0, (uint8_t)r, 2);
}

START_TEST(sectors_are_compared)
{
    uint8_t sector[512];

    memcpy(sector, at(0, 0, 2), 512);
    sector[300] = 0x80;
    memcpy(ram(BUF), sector, 512);
    floppy_dma(vm, DMA_FROM_MEMORY, BUF, 512);
    command(MFM | 5, 0, 0, 2, 18);
    get(7);
    scan(0x11, 0, 8, 3);
    scan(0x11, 1, 4, 3);
    scan(0x19, 0, 8, 3);
    scan(0x19, 1, 0, 3); /* the disk's is lower */
    scan(0x19, -1, 4, 3);
    scan(0x1d, 1, 4, 3);
    scan(0x1d, -1, 0, 3);
    memset(ram(BUF), 0, 512 * 18); /* no sector is like that */
    floppy_dma(vm, DMA_FROM_MEMORY, BUF, 512 * 19);
    command(MFM | 0x11, 0, 0, 1, 18);
    CK_RESULT(0, 0, 4, 1, 0, 1, 2);
}
END_TEST

START_TEST(verify_track_and_deleted)
{
    SEND(MFM | 0x16, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    floppy_wait(vm, 0);
    CK_RESULT(0, 0, 0, 1, 0, 1, 2);
    SEND(MFM | 0x16, 0x80, 0, 0, 3, 2, 18, 0x1b, 4); /* EC: four sectors */
    floppy_wait(vm, 0);
    CK_RESULT(0, 0, 0, 0, 0, 7, 2);
    SEND(MFM | 0x16, 0, 0, 0, 1, 2, 19, 0x1b, 0xff);
    floppy_wait(vm, 0);
    CK_RESULT(0x40, 4, 0, 0, 0, 19, 2);

    floppy_dma(vm, DMA_TO_MEMORY, BUF, 512 * 18);
    command(MFM | 2, 0, 0, 1, 3); /* READ TRACK: three of them */
    CK_RESULT(0, 0, 0, 0, 0, 4, 2);
    ck_assert_mem_eq(ram(BUF), at(0, 0, 1), 512 * 3);
    floppy_dma(vm, DMA_TO_MEMORY, BUF, 512 * 2);
    command(MFM | 2, 0, 0, 9, 18); /* it begins at the index hole all the same */
    CK_RESULT(0, 4, 0, 0, 0, 11, 2);
    ck_assert_mem_eq(ram(BUF), at(0, 0, 1), 1024);

    floppy_dma(vm, DMA_TO_MEMORY, BUF, 512 * 2);
    command(MFM | 0x0c, 0, 0, 5, 18); /* the first is a plain one: read, and the end */
    CK_RESULT(0, 0, 0x40, 0, 0, 5, 2);
    ck_assert_mem_eq(ram(BUF), at(0, 0, 5), 512);
    command(MFM | 0x2c, 0, 0, 5, 18); /* skipped, all of them */
    CK_RESULT(0x40, 0x80, 0x40, 1, 0, 1, 2);
}
END_TEST

/* -- Disks ------------------------------------------------------------------------------------- */

static const struct size {
    unsigned bytes, cylinders, heads, sectors, rate, type;
} sizes[] = {
    {160 * KIB, 40, 1, 8, 2, 2},   {180 * KIB, 40, 1, 9, 1, 2},   {320 * KIB, 40, 2, 8, 2, 2},
    {360 * KIB, 40, 2, 9, 1, 2},   {640 * KIB, 80, 2, 8, 2, 4},   {720 * KIB, 80, 2, 9, 2, 4},
    {1200 * KIB, 80, 2, 15, 0, 2}, {1440 * KIB, 80, 2, 18, 0, 4}, {1680 * KIB, 80, 2, 21, 0, 4},
    {2880 * KIB, 80, 2, 36, 3, 5},
};

START_TEST(all_sizes)
{
    const struct size *z = &sizes[_i];
    uint8_t c = (uint8_t)(z->cylinders - 1), h = (uint8_t)(z->heads - 1), r = (uint8_t)z->sectors;

    vm_destroy(vm);
    make_disk("a", z->bytes);
    start_with("a", NULL);
    ck_assert_uint_eq(rtc_cmos(vm, 0x10), z->type << 4 | 4);
    ck_assert_uint_eq(rtc_cmos(vm, 0x14), 0x47);
    outb(DIR, z->rate);
    seek(0, 0, c);
    floppy_dma(vm, DMA_TO_MEMORY, BUF, 512);
    command(MFM | 6, c, h, r, r);
    CK_RESULT((uint8_t)(h << 2), 0, 0, (uint8_t)(c + 1), h, 1, 2);
    ck_assert_mem_eq(ram(BUF), image + z->bytes - 512, 512);
    command(MFM | 6, c, h, r + 1, r + 1);
    CK_RESULT((uint8_t)(0x40 | h << 2), 4, 0, c, h, (uint8_t)(r + 1), 2);
    outb(DIR, (z->rate + 2) & 3);
    SEND(MFM | 0x0a, 0);
    get(7);
    ck_assert_uint_eq(result[1], 1);
    outb(DIR, z->rate);
    bool seen[64] = {false};
    for (unsigned k = 0; k < 200; k++) { /* one millisecond after the other passes by */
        SEND(MFM | 0x0a, (uint8_t)(h << 2));
        get(7);
        ck_assert_uint_eq(result[0], h << 2);
        ck_assert(result[3] == c && result[4] == h && result[6] == 2);
        ck_assert(result[5] >= 1 && result[5] <= r);
        seen[result[5]] = true;
        floppy_wait(vm, NS_PER_SEC / 1000);
    }
    for (unsigned k = 1; k <= r; k++)
        ck_assert(seen[k]);
}
END_TEST

START_TEST(odd_sizes_are_padded)
{
    vm_destroy(vm);
    make_disk("a", 512 * 3);
    start_with("a", NULL);
    floppy_dma(vm, DMA_TO_MEMORY, BUF, 512 * 4);
    command(MFM | 6, 0, 0, 1, 18);
    CK_RESULT(0, 0, 0, 0, 0, 5, 2);
    ck_assert_mem_eq(ram(BUF), image, 512 * 3);
    for (unsigned k = 0; k < 512; k++)
        ck_assert_uint_eq(*ram(BUF + 512 * 3 + k), 0);
    SEND(MFM | 0x16, 0, 0, 0, 1, 2, 18, 0x1b, 0xff); /* VERIFY */
    floppy_wait(vm, 0);
    CK_RESULT(0, 0, 0, 1, 0, 1, 2);
    floppy_dma(vm, DMA_FROM_MEMORY, BUF, 512);
    command(MFM | 5, 0, 0, 4, 18);
    CK_RESULT(0x40, 0x20, 0x20, 0, 0, 4, 2);
}
END_TEST

START_TEST(protected_and_changed)
{
    struct disk_options o = {.file = "b", .format = "raw", .readonly = true};
    char err[DRIVE_ERR_LEN];
    struct drive *d = drive_find(vm, DRIVE_FLOPPY, 0);

    seek(0, 0, 1);
    ck_assert_uint_eq(inb(DIR) & 0x80, 0);
    make_disk("b", 720 * KIB);
    vm_lock(vm);
    ck_assert_int_eq(drive_change(d, &o, false, err), 0);
    vm_unlock(vm);
    ck_assert_uint_eq(inb(DIR) & 0x80, 0x80);
    outb(DOR, 0x0c); /* without its motor the drive does not drive the line */
    ck_assert_uint_eq(inb(DIR) & 0x80, 0);
    outb(DOR, 0x1c);
    seek(0, 0, 0);
    ck_assert_uint_eq(inb(DIR) & 0x80, 0);
    SEND(4, 0);
    CK_RESULT(0x78);
    outb(DIR, 2);
    floppy_dma(vm, DMA_FROM_MEMORY, BUF, 512);
    command(MFM | 5, 0, 0, 1, 9);
    CK_RESULT(0x40, 2, 0, 0, 0, 1, 2);
    SEND(MFM | 0x0d, 0, 2, 9, 0x54, 0xf6);
    CK_RESULT(0x40, 2, 0, 0, 0, 1, 2);
    vm_lock(vm);
    ck_assert_int_eq(drive_eject(d, false, err), 0);
    vm_unlock(vm);
    seek(0, 0, 5);
    ck_assert_uint_eq(inb(DIR) & 0x80, 0x80); /* as long as there is none */
    command(MFM | 6, 5, 0, 1, 9);
    CK_RESULT(0x40, 1, 0, 5, 0, 1, 2);
}
END_TEST

/* A sector that the drive has read already is not what was written since, nor the next disk's. */
START_TEST(read_ahead_is_forgotten)
{
    struct disk_options o = {.file = "b", .format = "raw"};
    char err[DRIVE_ERR_LEN];

    seek(0, 0, 5);
    floppy_dma(vm, DMA_TO_MEMORY, BUF, 512);
    command(MFM | 6, 5, 0, 3, 18);
    CK_RESULT(0, 0, 0, 5, 0, 4, 2);
    memset(ram(BUF), 0x5a, 512);
    floppy_dma(vm, DMA_FROM_MEMORY, BUF, 512);
    command(MFM | 5, 5, 0, 4, 18);
    CK_RESULT(0, 0, 0, 5, 0, 5, 2);
    floppy_dma(vm, DMA_TO_MEMORY, BUF + 512, 1024);
    command(MFM | 6, 5, 0, 4, 18);
    CK_RESULT(0, 0, 0, 5, 0, 6, 2);
    ck_assert_mem_eq(ram(BUF + 512), ram(BUF), 512);
    ck_assert_mem_eq(ram(BUF + 1024), at(5, 0, 5), 512);
    memset(image, 0xc3, SIZE);
    make_file("b", image, SIZE, SIZE);
    vm_lock(vm);
    ck_assert_int_eq(drive_change(drive_find(vm, DRIVE_FLOPPY, 0), &o, false, err), 0);
    vm_unlock(vm);
    floppy_dma(vm, DMA_TO_MEMORY, BUF, 512);
    command(MFM | 6, 5, 0, 6, 18);
    CK_RESULT(0, 0, 0, 5, 0, 7, 2);
    ck_assert_mem_eq(ram(BUF), image, 512);
}
END_TEST

/* A sector on a track cannot be read: those before it can. */
START_TEST(a_bad_sector_fails_alone)
{
    const struct qcow2_spec spec = {.version = 3, .cluster_bits = 9, .refcount_order = 4, SIZE};
    struct disk_options o = {.file = "b", .format = "qcow2", .readonly = true};
    char err[DRIVE_ERR_LEN];
    unsigned bad = 3 * 32 * KIB; /* where the fourth table of clusters begins */

    make_qcow2("b", &spec);
    patch_file("b", 3 * 512 + 3 * 8, 8, UINT64_C(1) << 63 | 1 << 30); /* behind the file */
    ck_assert_ptr_eq(image + bad, at(5, 0, 13));
    vm_lock(vm);
    ck_assert_int_eq(drive_change(drive_find(vm, DRIVE_FLOPPY, 0), &o, false, err), 0);
    vm_unlock(vm);
    seek(0, 0, 5);
    memset(ram(BUF), 0xff, 1024);
    floppy_dma(vm, DMA_TO_MEMORY, BUF, 512);
    command(MFM | 6, 5, 0, 12, 18);
    CK_RESULT(0, 0, 0, 5, 0, 13, 2);
    floppy_dma(vm, DMA_TO_MEMORY, BUF, 1024);
    command(MFM | 6, 5, 0, 12, 18);
    CK_RESULT(0x40, 0x20, 0x20, 5, 0, 13, 2);
    ck_assert_uint_eq(*ram(BUF + 511), 0);
    ck_assert_uint_eq(*ram(BUF + 512), 0xff);
}
END_TEST

/* -- States and hostile guests ----------------------------------------------------------------- */

START_TEST(saved_within_a_command)
{
    struct device *d = device_find(vm, &fdc_class, 0);
    uint8_t *state = malloc(device_state_size(d));

    seek(0, 0, 9);
    floppy_dma(vm, DMA_TO_MEMORY, BUF, 512 * 9);
    SEND(MFM | 6, 0, 9, 0, 3, 2, 18, 0x1b, 0xff);
    vm_lock(vm);
    device_save(d, state);
    d->cls->reset(d);
    device_load(d, state);
    vm_unlock(vm);
    floppy_wait(vm, 0);
    CK_RESULT(0, 0, 0, 9, 0, 12, 2);
    ck_assert_mem_eq(ram(BUF), at(9, 0, 3), 512 * 9);
    free(state);
}
END_TEST

/* A command that looks for deleted data marks and does not move on would look for ever. */
START_TEST(loads_a_command_without_steps)
{
    struct fdc *s = (struct fdc *)device_find(vm, &fdc_class, 0);
    uint8_t *state = malloc(device_state_size(&s->dev));

    vm_lock(vm);
    s->phase = FDC_PIO_IN;
    s->data_pos = FLOPPY_SECTOR - 1;
    s->x = (struct fdc_transfer){
        .op = MFM | FDC_OP_SK, .use = FDC_USE_READ_DELETED, .r = 1, .n = 2, .eot = 18, .step = 0};
    device_save(&s->dev, state);
    device_load(&s->dev, state);
    vm_unlock(vm);
    inb(FIFO);
    CK_RESULT(0x40, 0x80, 0x40, 1, 0, 1, 2);
    free(state);
}
END_TEST

/* More bytes than any command has, more than any result, in every phase. */
START_TEST(the_fifo_has_an_end)
{
    for (unsigned nd = 0; nd < 2; nd++) {
        reset_fdc();
        SEND(3, 0xdf, (uint8_t)nd);
        for (unsigned k = 0; k < 3000; k++)
            outb(FIFO, _i);
        floppy_wait(vm, NS_PER_SEC);
        for (unsigned k = 0; k < 3000; k++)
            inb(FIFO);
        for (unsigned k = 0; k < 2000; k++) {
            outb(FIFO, _i + k);
            outb(FIFO, 0);
            inb(FIFO);
        }
        floppy_wait(vm, NS_PER_SEC);
        outb(DOR, 0);
        outb(DOR, 0x3c);
        SEND(0x14); /* it may have been locked */
        CK_RESULT(0);
        reset_fdc();
        SEND(0x10);
        CK_RESULT(0x90);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fdc");
    TCase *tc = tcase_create("fdc");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, reset_polls_four_drives);
    tcase_add_test(tc, registers_are_kept);
    tcase_add_test(tc, heads_move);
    tcase_add_test(tc, reads_by_dma);
    tcase_add_test(tc, writes_by_dma);
    tcase_add_test(tc, data_by_pio);
    tcase_add_test(tc, what_is_not_there);
    tcase_add_test(tc, dma_may_be_late);
    tcase_add_test(tc, tracks_are_formatted);
    tcase_add_test(tc, sectors_are_compared);
    tcase_add_test(tc, verify_track_and_deleted);
    tcase_add_loop_test(tc, all_sizes, 0, sizeof(sizes) / sizeof(sizes[0]));
    tcase_add_test(tc, odd_sizes_are_padded);
    tcase_add_test(tc, protected_and_changed);
    tcase_add_test(tc, read_ahead_is_forgotten);
    tcase_add_test(tc, a_bad_sector_fails_alone);
    tcase_add_test(tc, saved_within_a_command);
    tcase_add_test(tc, loads_a_command_without_steps);
    tcase_add_loop_test(tc, the_fifo_has_an_end, 0, 32);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
