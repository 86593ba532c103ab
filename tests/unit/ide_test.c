/* SPDX-License-Identifier: MIT */
/* The IDE controller and its disks, by their registers. */
#include <sys/syscall.h>

#include "tests/unit/disk_images.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/ide_host.h"

#define DISK_BYTES (UINT64_C(8) << 20)
#define LARGE      (UINT64_C(200) << 30)
#define READY      (ATA_DRDY | ATA_DSC)

#define MANAGE_DATA  0x06
#define READ         0x20
#define READ_EXT     0x24
#define READ_DMA_EXT 0x25
#define WRITE        0x30
#define WRITE_EXT    0x34
#define VERIFY       0x40
#define DIAGNOSE     0x90
#define SET_GEOMETRY 0x91
#define SMART        0xb0
#define READ_MULTI   0xc4
#define WRITE_MULTI  0xc5
#define SET_MULTI    0xc6
#define READ_DMA     0xc8
#define WRITE_DMA    0xca
#define FLUSH        0xe7
#define IDENTIFY     0xec
#define SET_FEATURES 0xef

/* A host that reads as slowly as the test wants. */
static atomic_bool reads_hang;

ssize_t pread(int fd, void *buf, size_t n, off_t off)
{
    while (atomic_load(&reads_hang))
        usleep(1000);
    return syscall(SYS_pread64, fd, buf, n, off);
}

static const struct drive_config disks[] = {
    {.image = {.file = "a", .format = "raw"}, .unmap = true},
    {.index = 2, .media = DRIVE_CDROM},
    {.index = 3, .image = {.file = "large", .format = "raw"}},
};

static struct host host;
static struct host *const h = &host;

static void setup(void)
{
    enter_folder();
    make_image("a", DISK_BYTES);
    make_image("large", LARGE);
    host = host_create(disks, 3);
    host_connect(h);
}

static void teardown(void)
{
    vm_destroy(h->vm);
    leave_folder();
}

static void command(unsigned op, uint32_t lba, unsigned count)
{
    out(h, R_COUNT, count);
    out(h, R_LBA0, lba & 0xff);
    out(h, R_LBA1, lba >> 8 & 0xff);
    out(h, R_LBA2, lba >> 16 & 0xff);
    out(h, R_DEVICE, (in(h, R_DEVICE) & ATA_DEV) | ATA_LBA | lba >> 24);
    out(h, R_STATUS, op);
}

static void command48(unsigned op, uint64_t lba, unsigned count)
{
    out(h, R_COUNT, count >> 8);
    out(h, R_COUNT, count & 0xff);
    for (unsigned k = 0; k < 3; k++) {
        out(h, R_LBA0 + k, lba >> (24 + 8 * k) & 0xff);
        out(h, R_LBA0 + k, lba >> (8 * k) & 0xff);
    }
    out(h, R_DEVICE, (in(h, R_DEVICE) & ATA_DEV) | ATA_LBA);
    out(h, R_STATUS, op);
}

static void select_large(void)
{
    h->port = SECONDARY;
    out(h, R_DEVICE, ATA_DEV);
}

/* -- Registers --------------------------------------------------------------------------------- */

static void check_signature(bool cd)
{
    ck_assert_uint_eq(in(h, R_COUNT), 1);
    ck_assert_uint_eq(in(h, R_LBA0), 1);
    ck_assert_uint_eq(in(h, R_LBA1), cd ? 0x14 : 0);
    ck_assert_uint_eq(in(h, R_LBA2), cd ? 0xeb : 0);
    ck_assert_uint_eq(in(h, R_ERROR), 1);
    ck_assert_uint_eq(in(h, R_STATUS), cd ? 0 : READY);
}

START_TEST(signatures)
{
    check_signature(false);
    out(h, R_DEVICE, ATA_DEV); /* nothing there */
    for (unsigned reg = R_ERROR; reg <= R_STATUS; reg++)
        ck_assert_uint_eq(in(h, reg), 0);
    out(h, R_STATUS, IDENTIFY);
    ck_assert_uint_eq(wait_status(h), 0);
    out(h, R_DEVICE, 0);
    out(h, R_COUNT, 0x55);
    out(h, R_LBA0, 0xaa);
    ck_assert_uint_eq(in(h, R_COUNT), 0x55);
    ck_assert_uint_eq(in(h, R_LBA0), 0xaa);
    h->port = SECONDARY;
    check_signature(true);
    out(h, R_DEVICE, ATA_DEV);
    check_signature(false);
    ck_assert_uint_eq(in(h, R_DEVICE), 0xa0 | ATA_DEV);
    out(h, R_STATUS, DIAGNOSE);
    ck_assert_uint_eq(in(h, R_DEVICE), 0xa0); /* the first device is selected */
    check_signature(true);
    ck_assert_uint_eq(h->irqs[1], 1);
}
END_TEST

START_TEST(interrupts)
{
    command(READ, 0, 1);
    ck_assert_uint_eq(in(h, CONTROL), READY | ATA_BSY);
    settle(h);
    ck_assert(h->irq[0]);
    ck_assert_uint_eq(in(h, CONTROL), READY | ATA_DRQ); /* alternate status: as it was */
    ck_assert(h->irq[0]);
    out(h, CONTROL, ATA_NIEN);
    ck_assert(!h->irq[0]);
    out(h, CONTROL, 0);
    ck_assert(h->irq[0]);
    ck_assert_uint_eq(in(h, R_STATUS), READY | ATA_DRQ);
    ck_assert(!h->irq[0]);
    ck_assert_uint_eq(h->irqs[0], 2);
    ck_assert_uint_eq(bm_status(h) & BM_INTERRUPT, BM_INTERRUPT);
    bus_port_out(h->vm, bm_port(h, 2), 1, BM_INTERRUPT);
    ck_assert_uint_eq(bm_status(h), 0);
}
END_TEST

START_TEST(busy_takes_no_writes)
{
    command(READ, 5, 1);
    out(h, R_COUNT, 9);
    out(h, R_DEVICE, ATA_DEV);
    out(h, R_STATUS, IDENTIFY);
    settle(h);
    ck_assert_uint_eq(in(h, R_COUNT), 1);
    ck_assert_uint_eq(in(h, R_DEVICE) & ATA_DEV, 0);
    ck_assert_uint_eq(bus_port_in(h->vm, PRIMARY, 1), pattern(5 * 512));
}
END_TEST

START_TEST(software_reset)
{
    command(READ, 0, 4);
    out(h, R_ERROR, 0);
    out(h, CONTROL, ATA_SRST); /* while the request is under way */
    ck_assert_uint_eq(in(h, R_STATUS), ATA_BSY);
    out(h, R_STATUS, IDENTIFY);
    settle(h);
    ck_assert_uint_eq(h->irqs[0], 0);
    out(h, CONTROL, 0);
    check_signature(false);
    command(READ, 1, 2);
    settle(h);
    bus_port_in(h->vm, PRIMARY, 2);
    out(h, CONTROL, ATA_SRST);
    out(h, CONTROL, 0);
    check_signature(false);
    ck_assert(!h->irq[0]);
}
END_TEST

/* Nobody waits for the disk: the devices are busy until it is done, as they may be. */
START_TEST(reset_of_a_slow_disk)
{
    atomic_store(&reads_hang, true);
    command(READ, 0, 4);
    usleep(20000); /* the drive begins */
    for (unsigned k = 0; k < 2; k++) {
        out(h, CONTROL, ATA_SRST);
        out(h, CONTROL, k == 0 ? 0 : ATA_SRST);
        ck_assert_uint_eq(in(h, R_STATUS), ATA_BSY);
    }
    atomic_store(&reads_hang, false);
    settle(h);
    ck_assert_uint_eq(in(h, R_STATUS), ATA_BSY);
    out(h, CONTROL, 0);
    check_signature(false);
    ck_assert_uint_eq(h->irqs[0], 0);

    atomic_store(&reads_hang, true);
    command(READ, 0, 4);
    usleep(20000);
    out(h, CONTROL, ATA_SRST);
    out(h, CONTROL, 0);
    out(h, R_STATUS, IDENTIFY); /* too early */
    ck_assert_uint_eq(in(h, R_STATUS), ATA_BSY);
    atomic_store(&reads_hang, false);
    settle(h);
    check_signature(false);
    command(READ, 0, 1);
    ck_assert_uint_eq(wait_status(h), READY | ATA_DRQ);
}
END_TEST

/* -- Identification ---------------------------------------------------------------------------- */

static void identify(uint16_t *words)
{
    uint8_t sum = 0;

    out(h, R_STATUS, IDENTIFY);
    ck_assert_uint_eq(wait_status(h), READY | ATA_DRQ);
    read_data(h, words, 512);
    ck_assert_uint_eq(in(h, R_STATUS), READY);
    for (unsigned k = 0; k < 512; k++)
        sum = (uint8_t)(sum + ((uint8_t *)words)[k]);
    ck_assert_uint_eq(sum, 0);
}

START_TEST(identification)
{
    uint16_t w[256];

    identify(w);
    ck_assert_uint_eq(h->irqs[0], 1);
    ck_assert_uint_eq(w[1] * w[3] * w[6], DISK_BYTES / 512 / 1008 * 1008);
    ck_assert_uint_eq(w[60] | w[61] << 16, DISK_BYTES / 512);
    ck_assert_uint_eq(w[100] | w[101] << 16, DISK_BYTES / 512);
    ck_assert_uint_eq(w[27], 'C' << 8 | 'A');
    ck_assert_uint_eq(w[59], 0x110);
    select_large();
    identify(w);
    ck_assert_uint_eq(w[1], 16383);
    ck_assert_uint_eq(w[60] | w[61] << 16, 0x0fffffff);
    ck_assert_uint_eq(w[100] | (uint64_t)w[101] << 16 | (uint64_t)w[102] << 32, LARGE / 512);
}
END_TEST

START_TEST(features)
{
    static const struct {
        uint8_t feature, count;
        unsigned word, mask, val;
    } rows[] = {
        {0x03, 0x22, 63, 0xff00, 0x0400}, {0x03, 0x22, 88, 0xff00, 0},
        {0x03, 0x45, 88, 0xff00, 0x2000}, {0x03, 0x45, 63, 0xff00, 0},
        {0x03, 0x0c, 88, 0xff00, 0x2000}, {0x82, 0, 85, 0x20, 0},
        {0x02, 0, 85, 0x20, 0x20},        {0x55, 0, 85, 0x40, 0},
        {0xaa, 0, 85, 0x40, 0x40},
    };
    uint16_t w[256];

    for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
        out(h, R_ERROR, rows[k].feature);
        out(h, R_COUNT, rows[k].count);
        out(h, R_STATUS, SET_FEATURES);
        ck_assert_uint_eq(wait_status(h), READY);
        identify(w);
        ck_assert_uint_eq(w[rows[k].word] & rows[k].mask, rows[k].val);
    }
    out(h, R_ERROR, 0x03);
    out(h, R_COUNT, 0x47); /* no such mode */
    out(h, R_STATUS, SET_FEATURES);
    ck_assert_uint_eq(in(h, R_STATUS), READY | ATA_ERR);
    ck_assert_uint_eq(in(h, R_ERROR), ATA_ABRT);
}
END_TEST

START_TEST(smart)
{
    uint8_t table[512], sum = 0;

    out(h, R_ERROR, 0xd0);
    out(h, R_LBA1, 0x4f);
    out(h, R_LBA2, 0xc2);
    out(h, R_STATUS, SMART);
    ck_assert_uint_eq(wait_status(h), READY | ATA_DRQ);
    read_data(h, table, 512);
    for (unsigned k = 0; k < 512; k++)
        sum = (uint8_t)(sum + table[k]);
    ck_assert_uint_eq(sum, 0);
    out(h, R_ERROR, 0xda);
    out(h, R_STATUS, SMART);
    ck_assert_uint_eq(in(h, R_STATUS), READY);
    ck_assert_uint_eq(in(h, R_LBA1), 0x4f); /* no threshold exceeded */
    out(h, R_ERROR, 0xd9);
    out(h, R_STATUS, SMART);
    ck_assert_uint_eq(in(h, R_STATUS), READY);
    out(h, R_ERROR, 0xda);
    out(h, R_STATUS, SMART);
    ck_assert_uint_eq(in(h, R_STATUS), READY | ATA_ERR);
    out(h, R_ERROR, 0xd8);
    out(h, R_LBA1, 0);
    out(h, R_STATUS, SMART);
    ck_assert_uint_eq(in(h, R_STATUS), READY | ATA_ERR); /* without the key */
}
END_TEST

/* -- PIO --------------------------------------------------------------------------------------- */

/* Reads n sectors that were asked for, `block` of them at a time. */
static void take_sectors(uint64_t lba, unsigned n, unsigned block)
{
    uint8_t bytes[512];
    unsigned irqs = h->irqs[channel_of(h)];

    for (unsigned k = 0; k < n; k++) {
        if (k % block == 0) {
            ck_assert_uint_eq(wait_status(h), READY | ATA_DRQ);
            ck_assert_uint_eq(h->irqs[channel_of(h)], irqs + k / block + 1);
        }
        read_data(h, bytes, 512);
        check_pattern(bytes, (lba + k) * 512, 512);
    }
    ck_assert_uint_eq(in(h, R_STATUS), READY);
    ck_assert_uint_eq(h->irqs[channel_of(h)], irqs + (n + block - 1) / block);
}

START_TEST(pio_read)
{
    command(READ, 3, 1);
    take_sectors(3, 1, 1);
    command(READ, 100, 0); /* 256 */
    take_sectors(100, 256, 1);
    command(READ_MULTI, 7, 40);
    take_sectors(7, 40, 16);
    command(SET_MULTI, 0, 4);
    ck_assert_uint_eq(in(h, R_STATUS), READY);
    command(READ_MULTI, 1, 255);
    take_sectors(1, 255, 4);
    command48(READ_EXT, 9, 700);
    take_sectors(9, 700, 1);
    command48(0x29, 9, 700); /* READ MULTIPLE EXT */
    take_sectors(9, 700, 4);
}
END_TEST

START_TEST(pio_widths)
{
    uint32_t wide;

    command(READ, 3, 1);
    settle(h);
    for (unsigned k = 0; k < 512; k += 4) {
        wide = bus_port_in(h->vm, PRIMARY, 4);
        check_pattern((uint8_t *)&wide, 3 * 512 + k, 4);
    }
    ck_assert_uint_eq(in(h, R_STATUS), READY);
    ck_assert_uint_eq(bus_port_in(h->vm, PRIMARY, 2), 0xffff); /* nothing is left */
    ck_assert_uint_eq(in(h, R_STATUS), READY);
}
END_TEST

/* CHS: the same sectors, by other names. */
START_TEST(geometry)
{
    uint8_t bytes[512];

    for (unsigned k = 0; k < 2; k++) {
        unsigned heads = k ? 4 : 16, spt = k ? 17 : 63, lba = (3 * heads + 2) * spt + 4;

        if (k) {
            out(h, R_COUNT, spt);
            out(h, R_DEVICE, heads - 1);
            out(h, R_STATUS, SET_GEOMETRY);
            ck_assert_uint_eq(in(h, R_STATUS), READY);
        }
        out(h, R_COUNT, 1);
        out(h, R_LBA0, 5);
        out(h, R_LBA1, 3);
        out(h, R_LBA2, 0);
        out(h, R_DEVICE, 2);
        out(h, R_STATUS, READ);
        ck_assert_uint_eq(wait_status(h), READY | ATA_DRQ);
        read_data(h, bytes, 512);
        check_pattern(bytes, lba * 512, 512);
    }
    out(h, R_LBA0, 0); /* the first is 1 */
    out(h, R_STATUS, READ);
    ck_assert_uint_eq(wait_status(h), READY | ATA_ERR);
    ck_assert_uint_eq(in(h, R_ERROR), ATA_IDNF);
    out(h, R_LBA0, 18);
    out(h, R_STATUS, READ);
    ck_assert_uint_eq(wait_status(h), READY | ATA_ERR);
    out(h, R_LBA0, 1);
    out(h, R_DEVICE, 4);
    out(h, R_STATUS, READ);
    ck_assert_uint_eq(wait_status(h), READY | ATA_ERR);
}
END_TEST

static void check_image(const char *name, uint64_t lba, const void *bytes, size_t n)
{
    uint8_t *is = malloc(n);
    FILE *f = fopen(name, "rb");

    ck_assert_int_eq(fseeko(f, (off_t)(lba * 512), SEEK_SET), 0);
    ck_assert_uint_eq(fread(is, 1, n, f), n);
    fclose(f);
    ck_assert_mem_eq(is, bytes, n);
    free(is);
}

/* n sectors of fresh contents for a write that was begun. */
static void give_sectors(const char *image, uint64_t lba, unsigned n, unsigned block)
{
    uint8_t *bytes = malloc(n * 512);
    unsigned irqs = h->irqs[channel_of(h)];

    for (unsigned k = 0; k < n * 512; k++)
        bytes[k] = (uint8_t)~pattern(k + n);
    for (unsigned k = 0; k < n; k++) {
        if (k % block == 0) {
            ck_assert_uint_eq(wait_status(h), READY | ATA_DRQ);
            ck_assert_uint_eq(h->irqs[channel_of(h)], irqs + k / block);
        }
        write_data(h, bytes + k * 512, 512);
    }
    ck_assert_uint_eq(wait_status(h), READY);
    ck_assert_uint_eq(h->irqs[channel_of(h)], irqs + (n + block - 1) / block);
    check_image(image, lba, bytes, n * 512);
    free(bytes);
}

START_TEST(pio_write)
{
    command(WRITE, 3, 1);
    give_sectors("a", 3, 1, 1);
    command(WRITE, 50, 0);
    give_sectors("a", 50, 256, 1);
    command(WRITE_MULTI, 1000, 37);
    give_sectors("a", 1000, 37, 16);
    command48(WRITE_EXT, 2000, 300);
    give_sectors("a", 2000, 300, 1);
    command(FLUSH, 0, 0);
    ck_assert_uint_eq(wait_status(h), READY);
    command(VERIFY, 0, 0);
    ck_assert_uint_eq(wait_status(h), READY);
    select_large();
    command48(WRITE_EXT, (LARGE >> 9) - 9, 9);
    give_sectors("large", (LARGE >> 9) - 9, 9, 1);
    out(h, R_ERROR, 0x82); /* without cache: each write waits for the host's disk */
    out(h, R_STATUS, SET_FEATURES);
    ck_assert_uint_eq(wait_status(h), READY);
    command(WRITE, 17, 2);
    ck_assert(ide_channel_of(h)->sync);
    give_sectors("large", 17, 2, 1);
}
END_TEST

/* -- Errors ------------------------------------------------------------------------------------ */

START_TEST(errors)
{
    static const struct {
        uint8_t op;
        uint32_t lba;
        unsigned count;
        uint8_t error;
    } rows[] = {
        {READ, DISK_BYTES / 512, 1, ATA_IDNF},
        {READ, DISK_BYTES / 512 - 1, 2, ATA_IDNF},
        {WRITE, DISK_BYTES / 512 - 255, 0, ATA_IDNF},
        {READ_DMA, 0x0fffffff, 1, ATA_IDNF},
        {VERIFY, DISK_BYTES / 512, 1, ATA_IDNF},
        {0x70, DISK_BYTES / 512, 1, ATA_IDNF}, /* SEEK */
        {SET_MULTI, 0, 3, ATA_ABRT},
        {SET_MULTI, 0, 32, ATA_ABRT},
        {SET_GEOMETRY, 0, 0, ATA_ABRT},
        {0xa0, 0, 0, ATA_ABRT}, /* PACKET is for others */
        {0x00, 0, 0, ATA_ABRT},
        {0xff, 0, 0, ATA_ABRT},
        {0x08, 0, 0, ATA_ABRT},
    };

    for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
        unsigned irqs = h->irqs[0];

        command(rows[k].op, rows[k].lba, rows[k].count);
        ck_assert_msg(wait_status(h) == (READY | ATA_ERR), "row %u", k);
        ck_assert_uint_eq(in(h, R_ERROR), rows[k].error);
        ck_assert_uint_eq(h->irqs[0], irqs + 1);
    }
    command(SET_MULTI, 0, 0);
    command(READ_MULTI, 0, 1);
    ck_assert_uint_eq(wait_status(h), READY | ATA_ERR);
    command(READ, 0, 1); /* all is well again */
    take_sectors(0, 1, 1);
    ck_assert_uint_eq(in(h, R_ERROR), 0);
}
END_TEST

/* An image with a hole in it: what 32 KiB from 64 KiB on lead to is not there. */
START_TEST(host_errors)
{
    static const struct qcow2_spec spec = {3, 9, 4, DISK_BYTES, NULL, NULL};
    static const struct drive_config cfg = {.image = {.file = "bad", .format = "qcow2"}};

    make_qcow2("bad", &spec);
    patch_file("bad", 3 * 512 + 2 * 8, 8, UINT64_C(1) << 63 | UINT64_C(1) << 40);
    vm_destroy(h->vm);
    host = host_create(&cfg, 1);
    host_connect(h);
    command(READ, 0, 128);
    for (unsigned k = 0; k < 128 * 256; k++) {
        settle(h);
        bus_port_in(h->vm, PRIMARY, 2);
    }
    ck_assert_uint_eq(in(h, R_STATUS), READY);
    command(READ, 120, 16);
    ck_assert_uint_eq(wait_status(h), READY | ATA_ERR);
    ck_assert_uint_eq(in(h, R_ERROR), ATA_UNC);
    ck_assert_uint_eq(in(h, R_LBA0), 120);
    command(VERIFY, 128, 1);
    ck_assert_uint_eq(wait_status(h), READY | ATA_ERR);
    ck_assert_uint_eq(in(h, R_ERROR), ATA_UNC);
    command(WRITE, 128, 1);
    for (unsigned k = 0; k < 256; k++)
        bus_port_out(h->vm, PRIMARY, 2, 0);
    ck_assert_uint_eq(wait_status(h), READY | ATA_ERR);
    ck_assert_uint_eq(in(h, R_ERROR), ATA_ABRT);
}
END_TEST

START_TEST(native_size)
{
    uint64_t last = (LARGE >> 9) - 1, is = 0;

    select_large();
    command(0xf8, 0, 0);
    ck_assert_uint_eq(wait_status(h), READY);
    ck_assert_uint_eq(in(h, R_LBA2) << 16 | in(h, R_LBA1) << 8 | in(h, R_LBA0) |
                          (in(h, R_DEVICE) & 15) << 24,
                      0x0fffffff);
    command(0x27, 0, 0); /* READ NATIVE MAX ADDRESS EXT */
    ck_assert_uint_eq(wait_status(h), READY);
    for (unsigned hob = 0; hob < 2; hob++) {
        out(h, CONTROL, hob ? ATA_HOB : 0);
        for (unsigned k = 0; k < 3; k++)
            is |= (uint64_t)in(h, R_LBA0 + k) << (24 * hob + 8 * k);
    }
    ck_assert_uint_eq(is, last);
}
END_TEST

/* -- DMA --------------------------------------------------------------------------------------- */

#define MEMORY 0x100000u

/* Descriptors of odd sizes for n bytes from MEMORY on, without gaps. */
static void descriptors(uint32_t n)
{
    uint32_t at = 0, piece = 2;

    for (unsigned k = 0; at < n; k++, piece = piece * 5 % 60002 & ~1u) {
        uint32_t len = piece != 0 ? piece : 0x10000;

        len = len < n - at ? len : n - at;
        put_descriptor(h, k, MEMORY + at, len, at + len == n);
        at += len;
    }
}

static void check_memory(uint64_t lba, uint32_t n)
{
    uint8_t *bytes = malloc(n);

    from_memory(h, MEMORY, bytes, n);
    check_pattern(bytes, lba * 512, n);
    free(bytes);
}

START_TEST(dma_to_memory)
{
    for (unsigned k = 0; k < 4; k++) { /* either side first, short and long */
        unsigned n = k & 2 ? 1500 : 3;

        descriptors(n * 512);
        if (k & 1)
            bm_start(h, true);
        command48(READ_DMA_EXT, 11 + k, n);
        settle(h);
        if (!(k & 1)) {
            ck_assert_uint_eq(in(h, CONTROL), READY | ATA_DRQ);
            bm_start(h, true);
        }
        settle(h);
        ck_assert_uint_eq(bm_status(h), BM_INTERRUPT);
        ck_assert_uint_eq(h->irqs[0], k + 1);
        bm_stop(h);
        ck_assert_uint_eq(in(h, R_STATUS), READY);
        check_memory(11 + k, n * 512);
    }
}
END_TEST

START_TEST(dma_from_memory)
{
    unsigned n = 1000;
    uint8_t *bytes = malloc(n * 512);

    for (unsigned k = 0; k < n * 512; k++)
        bytes[k] = (uint8_t)(k * 3 + (k >> 8));
    to_memory(h, MEMORY, bytes, n * 512);
    descriptors(n * 512);
    command48(0x35, 70, n);
    bm_start(h, false);
    settle(h);
    ck_assert_uint_eq(bm_status(h), BM_INTERRUPT);
    bm_stop(h);
    ck_assert_uint_eq(in(h, R_STATUS), READY);
    check_image("a", 70, bytes, n * 512);
    free(bytes);
}
END_TEST

/* -- TRIM -------------------------------------------------------------------------------------- */

struct range {
    uint64_t lba;
    uint16_t n;
};

/* Starts the command with as many sectors as it is told of. */
static void put_ranges(const struct range *ranges, unsigned n, unsigned sectors)
{
    uint8_t *bytes = calloc(sectors, 512);

    for (unsigned k = 0; k < n; k++) {
        uint64_t entry = ranges[k].lba | (uint64_t)ranges[k].n << 48;

        memcpy(bytes + 8 * k, &entry, sizeof(entry));
    }
    to_memory(h, MEMORY, bytes, sectors * 512);
    free(bytes);
    descriptors(sectors * 512);
    out(h, R_ERROR, 0x01);
    command48(MANAGE_DATA, 0, sectors);
    bm_start(h, false);
}

/* The status at its end. */
static uint8_t trim(const struct range *ranges, unsigned n, unsigned sectors)
{
    put_ranges(ranges, n, sectors);
    save_and_load(h);
    settle(h);
    bm_stop(h);
    return in(h, R_STATUS);
}

/* A range's sectors are zeros, those around it as they were. */
static void check_trimmed(uint32_t lba, unsigned n)
{
    static const uint8_t zeros[512];
    uint8_t bytes[512];

    for (unsigned k = 0; k < n + 2; k++) {
        command(READ, lba - 1 + k, 1);
        ck_assert_uint_eq(wait_status(h), READY | ATA_DRQ);
        read_data(h, bytes, sizeof(bytes));
        if (k > 0 && k <= n)
            ck_assert_mem_eq(bytes, zeros, sizeof(zeros));
        else
            check_pattern(bytes, (uint64_t)(lba - 1 + k) * 512, sizeof(bytes));
    }
}

START_TEST(trimmed)
{
    static struct range many[130] = {{16, 8}, {100, 0}, {64, 16}, [129] = {800, 8}};
    uint16_t w[256];

    identify(w);
    ck_assert_uint_eq(w[169], 1);
    ck_assert_uint_eq(w[80], 0xfe);
    ck_assert_uint_eq(trim(many, 130, w[105]), READY);
    check_trimmed(16, 8);
    check_trimmed(64, 16);
    check_trimmed(800, 8);
}
END_TEST

START_TEST(neighbours_are_trimmed_together)
{
    static const struct range parts[] = {{16, 4}, {20, 3}, {23, 1}, {64, 8}, {75, 0}, {72, 8}};
    static const struct range empty = {16, 0};

    put_ranges(parts, 6, 1);
    ck_assert_uint_eq(ide_channel_of(h)->left, 8);
    settle(h);
    bm_stop(h);
    check_trimmed(16, 8);
    check_trimmed(64, 16);
    ck_assert_uint_eq(trim(&empty, 1, 1), READY);
}
END_TEST

START_TEST(trim_mistakes)
{
    static const struct range behind[] = {{32, 8}, {DISK_BYTES / 512 - 1, 2}};

    ck_assert_uint_eq(trim(behind, 2, 1), READY | ATA_ERR);
    ck_assert_uint_eq(in(h, R_ERROR), ATA_ABRT);
    check_trimmed(32, 8);
    out(h, R_ERROR, 0x01);
    command48(MANAGE_DATA, 0, IDE_BUF / 512 + 1);
    ck_assert_uint_eq(in(h, R_STATUS), READY | ATA_ERR);
    out(h, R_ERROR, 0x02); /* no such function */
    command48(MANAGE_DATA, 0, 1);
    ck_assert_uint_eq(in(h, R_STATUS), READY | ATA_ERR);
}
END_TEST

/* Without discard=unmap the image keeps what it has. */
START_TEST(trim_is_ignored)
{
    static const struct range range = {16, 8};
    uint8_t bytes[512];

    select_large();
    ck_assert_uint_eq(trim(&range, 1, 1), READY);
    command(READ, 16, 1);
    ck_assert_uint_eq(wait_status(h), READY | ATA_DRQ);
    read_data(h, bytes, sizeof(bytes));
    check_pattern(bytes, 16 * 512, sizeof(bytes));
}
END_TEST

/* A longer table: the bus master stays active. A shorter one: no interrupt, and the device goes on
 * with the next table. */
START_TEST(dma_lengths)
{
    put_descriptor(h, 0, MEMORY, 4096, true);
    command(READ_DMA, 0, 4);
    bm_start(h, true);
    settle(h);
    ck_assert_uint_eq(bm_status(h), BM_INTERRUPT | BM_ACTIVE);
    bm_stop(h);
    ck_assert_uint_eq(bm_status(h), BM_INTERRUPT);
    ck_assert_uint_eq(in(h, R_STATUS), READY);
    check_memory(0, 2048);

    command(READ_DMA, 8, 12);
    bm_start(h, true);
    settle(h);
    ck_assert_uint_eq(bm_status(h), 0);
    ck_assert_uint_eq(in(h, R_STATUS), READY | ATA_DRQ);
    check_memory(8, 4096);
    bm_stop(h);
    bm_start(h, true);
    settle(h);
    check_memory(16, 2048);
    ck_assert_uint_eq(in(h, R_STATUS), READY);
}
END_TEST

START_TEST(dma_nowhere)
{
    put_descriptor(h, 0, MEMORY, 512, false);
    put_descriptor(h, 1, 0xf0000000, 512, true); /* no RAM there */
    command(READ_DMA, 8, 2);
    bm_start(h, true);
    settle(h);
    ck_assert_uint_eq(bm_status(h), BM_INTERRUPT | BM_ERROR);
    ck_assert_uint_eq(in(h, R_STATUS), READY | ATA_ERR);
    ck_assert_uint_eq(in(h, R_ERROR), ATA_ABRT);
    bm_stop(h);

    bus_port_out(h->vm, bm_port(h, 4), 4, 0xfffffff0); /* no table there */
    bus_port_out(h->vm, bm_port(h, 2), 1, BM_ERROR | BM_INTERRUPT);
    bus_port_out(h->vm, bm_port(h, 0), 1, BM_START | BM_TO_MEMORY);
    command(READ_DMA, 8, 2);
    settle(h);
    ck_assert_uint_eq(bm_status(h), BM_INTERRUPT | BM_ERROR);
    ck_assert_uint_eq(in(h, R_STATUS), READY | ATA_ERR);
    bm_stop(h);

    vm_lock(h->vm);
    pci_config_write(h->vm, IDE_DEVFN, PCI_COMMAND, 2, 1); /* not a bus master */
    vm_unlock(h->vm);
    put_descriptor(h, 0, MEMORY, 1024, true);
    command(READ_DMA, 8, 2);
    bm_start(h, true);
    settle(h);
    ck_assert_uint_eq(bm_status(h), BM_ACTIVE);
    vm_lock(h->vm);
    pci_config_write(h->vm, IDE_DEVFN, PCI_COMMAND, 2, 5);
    vm_unlock(h->vm);
    ck_assert_uint_eq(bm_status(h), BM_INTERRUPT);
    check_memory(8, 1024);
}
END_TEST

START_TEST(dma_stopped)
{
    descriptors(600 * 512);
    command48(READ_DMA_EXT, 0, 600);
    bm_start(h, true);
    bm_stop(h); /* the rest waits */
    settle(h);
    ck_assert_uint_eq(in(h, R_STATUS), READY | ATA_DRQ);
    ck_assert_uint_eq(h->irqs[0], 0);
    out(h, CONTROL, ATA_SRST);
    out(h, CONTROL, 0);
    check_signature(false);
}
END_TEST

/* -- State ------------------------------------------------------------------------------------- */

START_TEST(saved_while_reading)
{
    uint8_t bytes[512];

    command48(READ_EXT, 30, 400);
    save_and_load(h); /* the request is under way */
    for (unsigned k = 0; k < 400; k++) {
        ck_assert_uint_eq(wait_status(h), READY | ATA_DRQ);
        read_data(h, bytes, 200);
        if (k % 50 == 0)
            save_and_load(h);
        read_data(h, bytes + 200, 312);
        check_pattern(bytes, (30 + k) * 512, 512);
    }
    ck_assert_uint_eq(in(h, R_STATUS), READY);
}
END_TEST

START_TEST(saved_in_dma)
{
    descriptors(600 * 512);
    command48(READ_DMA_EXT, 5, 600);
    bm_start(h, true);
    save_and_load(h);
    ck_assert(h->irqs[0] == 0);
    for (unsigned k = 0; k < 10; k++) {
        vm_lock(h->vm);
        drives_complete(h->vm);
        vm_unlock(h->vm);
        save_and_load(h);
    }
    settle(h);
    ck_assert_uint_eq(in(h, R_STATUS), READY);
    check_memory(5, 600 * 512);
}
END_TEST

/* Any bytes as state: nothing may go wrong. */
START_TEST(loads_nonsense)
{
    struct device *d = device_find(h->vm, &ide_class, 0);
    size_t n = device_state_size(d);
    uint8_t *state = malloc(n);
    uint64_t rng = (uint64_t)_i + 1;

    for (unsigned round = 0; round < 20; round++) {
        for (size_t k = 0; k < n; k++) {
            rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407;
            state[k] = (uint8_t)(rng >> 33) & (round & 1 ? 0x83 : 0x0f);
        }
        vm_lock(h->vm);
        device_load(d, state);
        vm_unlock(h->vm);
        for (unsigned k = 0; k < 600; k++) {
            bus_port_in(h->vm, (uint16_t)(k & 1 ? PRIMARY : SECONDARY), 2);
            bus_port_out(h->vm, (uint16_t)(k & 1 ? PRIMARY : SECONDARY), 2, k);
        }
        bm_start(h, true);
        settle(h);
    }
    free(state);
}
END_TEST

/* A geometry that no host can set: numbers by which the disk's size is divided. */
START_TEST(loads_no_geometry)
{
    struct device *d = device_find(h->vm, &ide_class, 0);
    uint8_t *state = malloc(device_state_size(d)), bytes[512];
    struct ide_unit *u = &ide_channel_of(h)->unit[0];

    vm_lock(h->vm);
    if (_i == 0)
        u->heads = 0;
    else
        u->spt = 0;
    device_save(d, state);
    device_load(d, state);
    vm_unlock(h->vm);
    command(IDENTIFY, 0, 0);
    ck_assert_uint_eq(wait_status(h), READY | ATA_DRQ);
    read_data(h, bytes, sizeof(bytes));
    ck_assert_uint_eq(bytes[110], 16);
    ck_assert_uint_eq(bytes[112], 63);
    free(state);
}
END_TEST

/* Saved while a software reset waited for a drive: nobody is there to end it. */
START_TEST(loads_a_reset)
{
    struct device *d = device_find(h->vm, &ide_class, 0);
    struct ide_channel *ch = ide_channel_of(h);
    uint8_t *state = malloc(device_state_size(d));

    vm_lock(h->vm);
    ch->phase = IDE_DISK;
    ch->job = IDE_NOTHING;
    ch->unit[0].status = ATA_BSY;
    device_save(d, state);
    device_load(d, state);
    vm_unlock(h->vm);
    check_signature(false);
    free(state);
}
END_TEST

START_TEST(read_only_disk_is_refused)
{
    static const struct board_row rows[] = {{&pci_class, NULL}, {&ide_class, NULL}, {NULL, NULL}};
    static const struct board board = {"ide", rows};
    const struct drive_config cfg = {.image = {.file = "b", .format = "raw", .readonly = true}};
    const struct vm_config c = {
        .ram_bytes = VM_MIN_RAM, .cpus = 1, .drives = &cfg, .drive_count = 1};
    char err[VM_ERR_LEN];
    struct vm *vm;

    make_image("b", DISK_BYTES);
    ck_assert_int_lt(vm_create(&vm, &c, &board, err), 0);
    ck_assert_ptr_nonnull(strstr(err, "snapshot=on"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ide");
    TCase *t = tcase_create("ide");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, signatures);
    tcase_add_test(t, interrupts);
    tcase_add_test(t, busy_takes_no_writes);
    tcase_add_test(t, software_reset);
    tcase_add_test(t, reset_of_a_slow_disk);
    tcase_add_test(t, identification);
    tcase_add_test(t, features);
    tcase_add_test(t, smart);
    tcase_add_test(t, pio_read);
    tcase_add_test(t, pio_widths);
    tcase_add_test(t, geometry);
    tcase_add_test(t, pio_write);
    tcase_add_test(t, errors);
    tcase_add_test(t, host_errors);
    tcase_add_test(t, native_size);
    tcase_add_test(t, dma_to_memory);
    tcase_add_test(t, dma_from_memory);
    tcase_add_test(t, trimmed);
    tcase_add_test(t, neighbours_are_trimmed_together);
    tcase_add_test(t, trim_mistakes);
    tcase_add_test(t, trim_is_ignored);
    tcase_add_test(t, dma_lengths);
    tcase_add_test(t, dma_nowhere);
    tcase_add_test(t, dma_stopped);
    tcase_add_test(t, saved_while_reading);
    tcase_add_test(t, saved_in_dma);
    tcase_add_loop_test(t, loads_nonsense, 0, 4);
    tcase_add_loop_test(t, loads_no_geometry, 0, 2);
    tcase_add_test(t, loads_a_reset);
    tcase_add_test(t, read_only_disk_is_refused);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
