/* SPDX-License-Identifier: MIT */
/* The CD-ROM drive, by the controller's registers and packets. */
#include <errno.h>

#include "tests/unit/fake_cpu.h"
#include "tests/unit/ide_host.h"

#define SECTORS 700u
#define MEMORY  0x100000u
#define READY   (ATA_DRDY | ATA_DSC)
#define FAILED  (READY | ATA_ERR)

#define TEST_UNIT_READY 0x00
#define REQUEST_SENSE   0x03
#define INQUIRY         0x12
#define START_STOP      0x1b
#define PREVENT         0x1e
#define READ_CAPACITY   0x25
#define READ_10         0x28
#define READ_TOC        0x43
#define GET_CONFIG      0x46
#define GET_EVENT       0x4a
#define MODE_SENSE      0x5a
#define READ_12         0xa8
#define READ_CD         0xbe

static const struct drive_config drives[] = {
    {.index = 2, .media = DRIVE_CDROM, .image = {.file = "a"}},
    {.index = 3, .media = DRIVE_CDROM},
};

static struct host host;
static struct host *const h = &host;
static uint8_t data[256 << 10]; /* what a command gave */
static unsigned blocks;         /* in how many pieces */

static void setup(void)
{
    enter_folder();
    make_image("a", SECTORS * 2048);
    make_image("b", SECTORS / 2 * 2048);
    host = host_create(drives, 2);
    host_connect(h);
    h->port = SECONDARY;
}

static void teardown(void)
{
    vm_destroy(h->vm);
    leave_folder();
}

/* Sends a packet; `features` has bit 0 for DMA. */
static void send(const uint8_t *packet, unsigned limit, unsigned features)
{
    out(h, R_ERROR, features);
    out(h, R_LBA1, limit & 0xff);
    out(h, R_LBA2, limit >> 8);
    out(h, R_STATUS, 0xa0);
    ck_assert_uint_eq(in(h, R_STATUS), READY | ATA_DRQ);
    ck_assert_uint_eq(in(h, R_COUNT), ATAPI_COD);
    ck_assert(!h->irq[1]);
    write_data(h, packet, IDE_PACKET);
}

/* A command by PIO, to its end: how many bytes came; -1: it failed. */
static int run_limited(const uint8_t *packet, unsigned limit)
{
    unsigned n = 0;
    uint8_t status;

    blocks = 0;
    send(packet, limit, 0);
    settle(h);
    ck_assert(h->irq[1]);
    while ((status = wait_status(h)) & ATA_DRQ) {
        unsigned len = in(h, R_LBA1) | in(h, R_LBA2) << 8;

        ck_assert_uint_eq(in(h, R_COUNT), ATAPI_IO);
        ck_assert_uint_gt(len, 0);
        ck_assert_uint_le(len, limit);
        ck_assert_uint_le(n + len, sizeof(data));
        read_data(h, data + n, len);
        n += len;
        blocks++;
        settle(h);
        ck_assert(h->irq[1]);
    }
    ck_assert_uint_eq(in(h, R_COUNT), ATAPI_COD | ATAPI_IO);
    ck_assert_uint_eq(status & ~ATA_ERR, READY);
    ck_assert(!h->irq[1]);
    return status & ATA_ERR ? -1 : (int)n;
}

static int run(const uint8_t *packet)
{
    return run_limited(packet, 0xfffe);
}

#define RUN(...) run((const uint8_t[IDE_PACKET]){__VA_ARGS__})

/* Key, code and qualifier of the last failure, which asking clears. */
static uint32_t sense(void)
{
    ck_assert_int_eq(RUN(REQUEST_SENSE, 0, 0, 0, 18), 18);
    ck_assert_uint_eq(data[0], 0x70);
    return (uint32_t)(data[2] << 16 | data[12] << 8 | data[13]);
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* -- The drive --------------------------------------------------------------------------------- */

START_TEST(identification)
{
    uint16_t w[256];

    out(h, R_STATUS, 0xec);
    ck_assert_uint_eq(wait_status(h), FAILED);
    ck_assert_uint_eq(in(h, R_LBA1), 0x14);
    ck_assert_uint_eq(in(h, R_LBA2), 0xeb);
    out(h, R_STATUS, 0xa1);
    ck_assert_uint_eq(wait_status(h), READY | ATA_DRQ);
    read_data(h, w, 512);
    ck_assert_uint_eq(w[0], 0x85c0);
    ck_assert_int_eq(RUN(INQUIRY, 0, 0, 0, 36), 36);
    ck_assert_uint_eq(data[0], 5);
    ck_assert_uint_eq(data[1], 0x80);
    ck_assert_mem_eq(data + 8, "CALQUE  CALQUE CD-ROM   ", 24);
    ck_assert_int_eq(RUN(INQUIRY, 0, 0, 0, 5), 5); /* no more than there is room for */
    ck_assert_int_eq(RUN(INQUIRY), 0);
}
END_TEST

START_TEST(device_reset)
{
    send((const uint8_t[IDE_PACKET]){READ_10, 0, 0, 0, 0, 0, 0, 0, 9}, 2048, 0);
    out(h, R_STATUS, 0x08); /* though it is busy */
    ck_assert_uint_eq(in(h, R_STATUS), 0);
    ck_assert_uint_eq(in(h, R_LBA1), 0x14);
    settle(h);
    ck_assert(!h->irq[1]);
    ck_assert_int_eq(RUN(TEST_UNIT_READY), 0);
}
END_TEST

START_TEST(mistakes)
{
    ck_assert_int_eq(RUN(0xff), -1);
    ck_assert_uint_eq(in(h, R_ERROR), 0x54);
    ck_assert_uint_eq(sense(), 0x052000);
    ck_assert_uint_eq(sense(), 0);
    ck_assert_int_eq(RUN(READ_10, 0, 0, 0, SECTORS >> 8, SECTORS & 0xff, 0, 0, 1), -1);
    ck_assert_uint_eq(sense(), 0x052100);
    ck_assert_int_eq(RUN(READ_10, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 2), -1);
    ck_assert_uint_eq(sense(), 0x052100);
    ck_assert_int_eq(RUN(READ_12, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff), -1);
    ck_assert_uint_eq(sense(), 0x052100);
    ck_assert_int_eq(RUN(READ_CD, 0, 0, 0, 0, 0, 0, 0, 1, 0x20), -1);
    ck_assert_uint_eq(sense(), 0x052400);
    ck_assert_int_eq(RUN(MODE_SENSE, 0, 0x20, 0, 0, 0, 0, 0, 255), -1);
    ck_assert_uint_eq(sense(), 0x052400);
    ck_assert_int_eq(RUN(MODE_SENSE, 0, 0xc1, 0, 0, 0, 0, 0, 255), -1);
    ck_assert_uint_eq(sense(), 0x053900);
    out(h, R_STATUS, 0x20); /* no disk's commands */
    ck_assert_uint_eq(wait_status(h), FAILED);
}
END_TEST

START_TEST(pages)
{
    ck_assert_int_eq(RUN(MODE_SENSE, 0, 0x2a, 0, 0, 0, 0, 0, 255), 8 + 22);
    ck_assert_uint_eq(data[1], 28);
    ck_assert_uint_eq(data[8], 0x2a);
    ck_assert_int_eq(RUN(MODE_SENSE, 0, 0x3f, 0, 0, 0, 0, 0, 255), 8 + 8 + 16 + 22);
    ck_assert_int_eq(RUN(GET_CONFIG, 0, 0, 0, 0, 0, 0, 0, 255), 8 + 12 + 12 + 8);
    ck_assert_uint_eq(be32(data), 36);
    ck_assert_uint_eq(data[7], 0x08); /* CD-ROM */
    ck_assert_int_eq(RUN(GET_CONFIG, 2, 0, 3, 0, 0, 0, 0, 255), 8 + 8);
    ck_assert_int_eq(RUN(0x51, 0, 0, 0, 0, 0, 0, 0, 255), 34);
    ck_assert_int_eq(RUN(0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 255), 8);
    ck_assert_int_eq(RUN(0xbb), 0);
}
END_TEST

/* -- Reading ----------------------------------------------------------------------------------- */

START_TEST(capacity_and_contents)
{
    ck_assert_int_eq(RUN(READ_CAPACITY), 8);
    ck_assert_uint_eq(be32(data), SECTORS - 1);
    ck_assert_uint_eq(be32(data + 4), 2048);
    ck_assert_int_eq(RUN(READ_TOC, 2, 0, 0, 0, 0, 0, 0, 255), 20);
    ck_assert_uint_eq(data[1], 18);
    ck_assert_uint_eq(data[6], 1);
    ck_assert_mem_eq(data + 8, "\0\0\2\0", 4); /* 00:02:00 */
    ck_assert_uint_eq(data[14], 0xaa);
    ck_assert_mem_eq(data + 16, "\0\0\13\31", 4); /* 850 frames: 00:11:25 */
    ck_assert_int_eq(RUN(READ_TOC, 0, 0, 0, 0, 0, 0xaa, 0, 255), 12);
    ck_assert_uint_eq(be32(data + 8), SECTORS);
    ck_assert_int_eq(RUN(READ_TOC, 0, 1, 0, 0, 0, 0, 0, 255), 12);
    ck_assert_int_eq(RUN(READ_TOC, 0, 2, 0, 0, 0, 0, 0, 255), 4 + 44);
    ck_assert_int_eq(RUN(READ_TOC, 0, 0, 0, 0, 0, 0, 0, 255, 0x40), 12); /* session, as of old */
    ck_assert_int_eq(RUN(READ_TOC, 0, 0, 0, 0, 0, 2, 0, 255), -1);
}
END_TEST

static const unsigned limits[] = {2048, 2, 100, 511, 4096, 63488, 65534, 65535};

START_TEST(read_by_pio)
{
    static const uint8_t packet[IDE_PACKET] = {READ_10, 0, 0, 0, 1, 2, 0, 0, 5};
    unsigned limit = limits[_i], even = limit & ~1u;

    ck_assert_int_eq(run_limited(packet, limit), 5 * 2048);
    check_pattern(data, 0x102 * 2048, 5 * 2048);
    ck_assert_uint_eq(blocks, (5 * 2048 + even - 1) / even);
}
END_TEST

START_TEST(read_long)
{
    ck_assert_int_eq(RUN(READ_12, 0, 0, 0, 0, 3, 0, 0, 0, 100), 100 * 2048);
    check_pattern(data, 3 * 2048, 100 * 2048);
    ck_assert_int_eq(RUN(READ_10, 0, 0, 0, 0, 3), 0);
    ck_assert_int_eq(RUN(READ_CD, 0, 0, 0, 0, 7, 0, 0, 3, 0x10), 3 * 2048);
    check_pattern(data, 7 * 2048, 3 * 2048);
    ck_assert_int_eq(RUN(READ_CD, 0, 0, 0, 0, 7, 0, 0, 3, 0), 0);
}
END_TEST

START_TEST(raw_sectors)
{
    static const uint8_t sync[12] = {0,    0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0};

    ck_assert_int_eq(RUN(READ_CD, 0, 0, 0, 0, 10, 0, 0, 100, 0xf8), 100 * 2352);
    for (unsigned k = 0; k < 100; k++) {
        const uint8_t *s = data + k * 2352;
        unsigned frames = 10 + k + 150;

        ck_assert_mem_eq(s, sync, 12);
        ck_assert_uint_eq(s[12], 0);
        ck_assert_uint_eq(s[13], frames / 75);
        ck_assert_uint_eq(s[14], frames % 75 / 10 * 16 + frames % 75 % 10);
        ck_assert_uint_eq(s[15], 1);
        check_pattern(s + 16, (10 + k) * 2048, 2048);
    }
}
END_TEST

START_TEST(read_by_dma)
{
    for (unsigned k = 0; k < 4; k++)
        put_descriptor(h, k, MEMORY + 0x10000 * k, 0x10000, k == 3);
    send((const uint8_t[IDE_PACKET]){READ_10, 0, 0, 0, 0, 9, 0, 0, 128}, 0, 1);
    bm_start(h, true);
    settle(h);
    ck_assert_uint_eq(bm_status(h), BM_INTERRUPT);
    bm_stop(h);
    ck_assert_uint_eq(in(h, R_STATUS), READY);
    ck_assert_uint_eq(in(h, R_COUNT), ATAPI_COD | ATAPI_IO);
    from_memory(h, MEMORY, data, 0x40000);
    check_pattern(data, 9 * 2048, 0x40000);

    put_descriptor(h, 0, 0xf0000000, 0x1000, true);
    send((const uint8_t[IDE_PACKET]){READ_10, 0, 0, 0, 0, 9, 0, 0, 1}, 0, 1);
    bm_start(h, true);
    settle(h);
    bm_stop(h);
    ck_assert_uint_eq(in(h, R_STATUS), FAILED);
    ck_assert_uint_eq(sense(), 0x0b4b00);
}
END_TEST

/* -- Media ------------------------------------------------------------------------------------- */

static int event(void)
{
    ck_assert_int_eq(RUN(GET_EVENT, 1, 0, 0, 0x10, 0, 0, 0, 8), 8);
    ck_assert_uint_eq(data[2], 4);
    return data[4] << 8 | data[5];
}

static struct drive *tray(void)
{
    return drive_find(h->vm, DRIVE_IDE, 2);
}

static int user_change(const char *file)
{
    const struct disk_options o = {.file = file};
    char err[DRIVE_ERR_LEN];
    int ret;

    vm_lock(h->vm);
    ret = file != NULL ? drive_change(tray(), &o, false, err) : drive_eject(tray(), false, err);
    vm_unlock(h->vm);
    return ret;
}

START_TEST(changed_medium)
{
    ck_assert_int_eq(event(), 0x0002);
    ck_assert_int_eq(user_change("b"), 0);
    ck_assert_int_eq(event(), 0x0202); /* new medium */
    ck_assert_int_eq(event(), 0x0002);
    ck_assert_int_eq(RUN(TEST_UNIT_READY), -1);
    ck_assert_uint_eq(sense(), 0x062800);
    ck_assert_int_eq(RUN(TEST_UNIT_READY), 0);
    ck_assert_int_eq(RUN(READ_CAPACITY), 8);
    ck_assert_uint_eq(be32(data), SECTORS / 2 - 1);

    ck_assert_int_eq(user_change(NULL), 0);
    ck_assert_int_eq(event(), 0x0301); /* removed; the tray is open */
    ck_assert_int_eq(RUN(READ_10, 0, 0, 0, 0, 0, 0, 0, 1), -1);
    ck_assert_uint_eq(sense(), 0x023a02);
    ck_assert_int_eq(user_change("a"), 0);
    ck_assert_uint_eq(sense(), 0x062800); /* asking is telling */
    ck_assert_int_eq(RUN(TEST_UNIT_READY), 0);
}
END_TEST

START_TEST(empty_drive)
{
    out(h, R_DEVICE, ATA_DEV);
    ck_assert_int_eq(RUN(TEST_UNIT_READY), -1);
    ck_assert_uint_eq(sense(), 0x023a01);
    ck_assert_int_eq(RUN(READ_CAPACITY), -1);
    ck_assert_int_eq(RUN(INQUIRY, 0, 0, 0, 36), 36);
    ck_assert_int_eq(event(), 0x0000);
}
END_TEST

START_TEST(guest_moves_tray)
{
    ck_assert_int_eq(RUN(PREVENT, 0, 0, 0, 1), 0);
    ck_assert(drive_tray_is_locked(tray()));
    ck_assert_int_eq(RUN(START_STOP, 0, 0, 0, 2), -1);
    ck_assert_uint_eq(sense(), 0x055302);
    ck_assert_int_eq(user_change("b"), -EBUSY);
    ck_assert_int_eq(event(), 0x0102); /* somebody wants it */
    ck_assert_int_eq(RUN(PREVENT), 0);
    ck_assert_int_eq(RUN(START_STOP, 0, 0, 0, 2), 0);
    ck_assert(!drive_present(tray()) && drive_tray_is_open(tray()));
    ck_assert_int_eq(RUN(TEST_UNIT_READY), -1);
    ck_assert_uint_eq(sense(), 0x023a02);
    ck_assert_int_eq(RUN(START_STOP, 0, 0, 0, 3), 0);
    ck_assert(drive_present(tray()));
    ck_assert_int_eq(RUN(TEST_UNIT_READY), -1);
    ck_assert_uint_eq(sense(), 0x062800);
    ck_assert_int_eq(RUN(START_STOP, 0, 0, 0, 1), 0); /* spin up */
    ck_assert_int_eq(RUN(TEST_UNIT_READY), 0);
    ck_assert_int_eq(RUN(PREVENT, 0, 0, 0, 1), 0);
    vm_lock(h->vm);
    ide_class.reset(device_find(h->vm, &ide_class, 0));
    vm_unlock(h->vm);
    ck_assert(!drive_tray_is_locked(tray()));
}
END_TEST

/* The medium goes while it is read. */
START_TEST(removed_while_read)
{
    send((const uint8_t[IDE_PACKET]){READ_10, 0, 0, 0, 0, 0, 0, 1, 0}, 2048, 0);
    settle(h);
    read_data(h, data, 2048);
    check_pattern(data, 0, 2048);
    ck_assert_int_eq(user_change(NULL), 0);
    for (unsigned k = 1; wait_status(h) & ATA_DRQ; k++)
        read_data(h, data, 2048);
    ck_assert_uint_eq(in(h, R_STATUS), FAILED);
    ck_assert_uint_eq(sense(), 0x023a02);
}
END_TEST

START_TEST(saved)
{
    send((const uint8_t[IDE_PACKET]){READ_CD, 0, 0, 0, 0, 0, 0, 0, 90, 0xf8}, 2352, 0);
    save_and_load(h);
    for (unsigned k = 0; k < 90; k++) {
        ck_assert_uint_eq(wait_status(h), READY | ATA_DRQ);
        read_data(h, data, 1000);
        save_and_load(h);
        read_data(h, data + 1000, 1352);
        check_pattern(data + 16, k * 2048, 2048);
    }
    ck_assert_uint_eq(in(h, R_STATUS), READY);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("atapi");
    TCase *t = tcase_create("atapi");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, identification);
    tcase_add_test(t, device_reset);
    tcase_add_test(t, mistakes);
    tcase_add_test(t, pages);
    tcase_add_test(t, capacity_and_contents);
    tcase_add_loop_test(t, read_by_pio, 0, ARRAY_SIZE(limits));
    tcase_add_test(t, read_long);
    tcase_add_test(t, raw_sectors);
    tcase_add_test(t, read_by_dma);
    tcase_add_test(t, changed_medium);
    tcase_add_test(t, empty_drive);
    tcase_add_test(t, guest_moves_tray);
    tcase_add_test(t, removed_while_read);
    tcase_add_test(t, saved);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
