/* SPDX-License-Identifier: MIT */
/* MC146818 real-time clock with 128 bytes of CMOS memory at ports 70-71 (Motorola data sheet
 * ADI-856; the use of the bytes is the PC AT's and, for memory above 16 MiB, QEMU's).
 *
 * While the clock runs, the time registers are computed from the machine's wall clock and an
 * offset; while SET or a divider reset stops it, they are plain bytes in `cmos`. One timer ends
 * each second's update, another one makes periodic interrupts; register accesses catch up with
 * both, so polling never sees them late. Left out: daylight saving, square wave output, 4 and 1 MHz
 * time bases. */
#include "devices/rtc.h"

#include <string.h>

#include "devices/acpi_pm.h"
#include "devices/isa.h"
#include "vmm/vm.h"

enum rtc_reg {
    RTC_SECONDS,
    RTC_SECONDS_ALARM,
    RTC_MINUTES,
    RTC_MINUTES_ALARM,
    RTC_HOURS,
    RTC_HOURS_ALARM,
    RTC_WEEKDAY,
    RTC_DAY,
    RTC_MONTH,
    RTC_YEAR,
    RTC_A,
    RTC_B,
    RTC_C,
    RTC_D,
    CMOS_BASE_KB = 0x15,
    CMOS_EXT_KB = 0x17,
    CMOS_CHECKED_FIRST = 0x10,
    CMOS_CHECKSUM = 0x2e, /* high byte first */
    CMOS_EXT_KB_FOUND = 0x30,
    RTC_CENTURY = 0x32,
    CMOS_ABOVE_16M = 0x34, /* 64 KiB units */
    CMOS_PS2_CENTURY = 0x37,
    CMOS_BOOT_THIRD = 0x38, /* bits 7-4 */
    CMOS_BOOT = 0x3d,       /* first device in bits 3-0, second in 7-4 */
    CMOS_ABOVE_4G = 0x5b,   /* 64 KiB units, 3 bytes */
    CMOS_EXTRA_CPUS = 0x5f,
    CMOS_SIZE = 0x80,
};

#define RTC_A_UIP         0x80
#define RTC_A_DIVIDER     0x70
#define RTC_A_DIVIDER_RUN 0x20 /* up to here it runs; 6x and 7x hold it in reset */
#define RTC_A_RATE        0x0f
#define RTC_B_SET         0x80
#define RTC_B_PIE         0x40
#define RTC_B_UIE         0x10
#define RTC_B_ENABLES     0x70 /* PIE AIE UIE, at the places of the flags in C */
#define RTC_B_SQWE        0x08
#define RTC_B_BINARY      0x04
#define RTC_B_24H         0x02
#define RTC_C_IRQF        0x80
#define RTC_C_PF          0x40
#define RTC_C_AF          0x20
#define RTC_C_UF          0x10
#define RTC_D_VRT         0x80

#define RTC_CLOCK_HZ 32768
#define UIP_NS       244000 /* UIP is set this long before the update */
#define MIN_REARM_NS 10000
#define MAX_OFFSET_S (INT64_C(1) << 40)
#define DAY_S        86400

struct rtc {
    struct device dev;
    bool booted;             /* not the first reset */
    uint8_t cmos[CMOS_SIZE]; /* time registers: valid only while the clock is stopped */
    uint8_t index;
    bool nmi_masked;
    bool inhibited;
    int64_t offset_s;       /* clock time = wall time + these two */
    uint32_t offset_ns;     /* 0..999,999,999 */
    int64_t updated_s;      /* second of the last update cycle */
    uint64_t periodic_next; /* tick of the 32,768 Hz divider at which PF is set next */
    struct timer update, periodic;
    struct irq irq8;
};

struct date {
    int64_t year;
    unsigned month, day; /* from 1 */
};

/* -- Calendar (proleptic Gregorian; years are counted from March, so that leap days come last) ---
 */

static int64_t days_from_date(struct date d)
{
    int64_t y = d.month > 2 ? d.year : d.year - 1;
    int64_t month = (d.month + 9) % 12; /* March is 0 */

    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * month + 2) / 5 + d.day - 1 - 719468;
}

/* `days` since 1970-01-01, from year 0 on. */
static struct date date_from_days(int64_t days)
{
    int64_t n = days + 719468;
    int64_t era = n / 146097, of_era = n % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    struct date d;

    d.day = (unsigned)(of_year - (153 * month + 2) / 5 + 1);
    d.month = (unsigned)(month < 10 ? month + 3 : month - 9);
    d.year = year + era * 400 + (d.month <= 2);
    return d;
}

/* -- Time registers ------------------------------------------------------------------------------
 */

static bool is_running(const struct rtc *s)
{
    return !(s->cmos[RTC_B] & RTC_B_SET) && (s->cmos[RTC_A] & RTC_A_DIVIDER) <= RTC_A_DIVIDER_RUN;
}

static int64_t clock_seconds(const struct rtc *s)
{
    return (int64_t)((clock_wall(s->dev.vm) + s->offset_ns) / NS_PER_SEC) + s->offset_s;
}

static uint32_t clock_fraction(const struct rtc *s)
{
    return (uint32_t)((clock_wall(s->dev.vm) + s->offset_ns) % NS_PER_SEC);
}

/* Let the clock show `seconds` and a fraction now. */
static void set_clock(struct rtc *s, int64_t seconds, uint32_t fraction)
{
    uint64_t wall = clock_wall(s->dev.vm);
    uint32_t wall_fraction = (uint32_t)(wall % NS_PER_SEC);

    s->offset_ns = (uint32_t)((NS_PER_SEC + fraction - wall_fraction) % NS_PER_SEC);
    s->offset_s = seconds - (int64_t)((wall + s->offset_ns) / NS_PER_SEC);
    s->updated_s = seconds;
}

static uint8_t encode(const struct rtc *s, unsigned val)
{
    return (uint8_t)((s->cmos[RTC_B] & RTC_B_BINARY) ? val : val / 10 << 4 | val % 10);
}

static unsigned decode(const struct rtc *s, uint8_t val)
{
    return (s->cmos[RTC_B] & RTC_B_BINARY) ? val : (val >> 4) * 10u + (val & 15u);
}

static uint8_t encode_hour(const struct rtc *s, unsigned hour)
{
    if (s->cmos[RTC_B] & RTC_B_24H)
        return encode(s, hour);
    return encode(s, (hour + 11) % 12 + 1) | (hour >= 12 ? 0x80 : 0);
}

static unsigned decode_hour(const struct rtc *s, uint8_t val)
{
    if (s->cmos[RTC_B] & RTC_B_24H)
        return decode(s, val);
    return decode(s, val & 0x7f) % 12 + ((val & 0x80) ? 12 : 0);
}

/* Write the time registers as they stand at `seconds`. */
static void seconds_to_regs(struct rtc *s, int64_t seconds)
{
    int64_t days = seconds / DAY_S;
    unsigned of_day = (unsigned)(seconds % DAY_S);
    struct date d = date_from_days(days);

    s->cmos[RTC_SECONDS] = encode(s, of_day % 60);
    s->cmos[RTC_MINUTES] = encode(s, of_day / 60 % 60);
    s->cmos[RTC_HOURS] = encode_hour(s, of_day / 3600);
    s->cmos[RTC_WEEKDAY] = encode(s, (unsigned)((days + 4) % 7) + 1); /* Sunday is 1 */
    s->cmos[RTC_DAY] = encode(s, d.day);
    s->cmos[RTC_MONTH] = encode(s, d.month);
    s->cmos[RTC_YEAR] = encode(s, (unsigned)(d.year % 100));
    s->cmos[RTC_CENTURY] = encode(s, (unsigned)(d.year / 100 % 100));
}

/* What the time registers say; values out of range carry over. Never before 1970. */
static int64_t regs_to_seconds(const struct rtc *s)
{
    unsigned month = decode(s, s->cmos[RTC_MONTH]);
    struct date d = {
        .year = decode(s, s->cmos[RTC_CENTURY]) * 100 + decode(s, s->cmos[RTC_YEAR]),
        .month = (month + 11) % 12 + 1,
        .day = decode(s, s->cmos[RTC_DAY]),
    };
    int64_t seconds = days_from_date(d) * DAY_S;

    seconds += decode_hour(s, s->cmos[RTC_HOURS]) * 3600;
    seconds += decode(s, s->cmos[RTC_MINUTES]) * 60 + decode(s, s->cmos[RTC_SECONDS]);
    return seconds < 0 ? 0 : seconds;
}

static bool is_time_reg(unsigned index)
{
    return (index <= RTC_YEAR && index != RTC_SECONDS_ALARM && index != RTC_MINUTES_ALARM &&
            index != RTC_HOURS_ALARM) ||
           index == RTC_CENTURY;
}

/* -- Interrupts ----------------------------------------------------------------------------------
 */

static void update_irq(struct rtc *s)
{
    bool level = (s->cmos[RTC_C] & s->cmos[RTC_B] & RTC_B_ENABLES) != 0;

    if (level && !(s->cmos[RTC_C] & RTC_C_IRQF))
        acpi_pm_rtc_alarm(s->dev.vm);
    s->cmos[RTC_C] = (s->cmos[RTC_C] & (uint8_t)~RTC_C_IRQF) | (level ? RTC_C_IRQF : 0);
    irq_set(&s->irq8, level && !s->inhibited);
}

static bool alarm_field(uint8_t alarm, uint8_t now)
{
    return (alarm & 0xc0) == 0xc0 || alarm == now;
}

/* Whether one of the seconds after `from`, up to `to`, is the alarm time. */
static bool alarm_passed(const struct rtc *s, int64_t from, int64_t to)
{
    if (to - from > DAY_S)
        from = to - DAY_S; /* all times of day */
    while (from < to) {
        unsigned of_day = (unsigned)(++from % DAY_S);

        if (alarm_field(s->cmos[RTC_SECONDS_ALARM], encode(s, of_day % 60)) &&
            alarm_field(s->cmos[RTC_MINUTES_ALARM], encode(s, of_day / 60 % 60)) &&
            alarm_field(s->cmos[RTC_HOURS_ALARM], encode_hour(s, of_day / 3600)))
            return true;
    }
    return false;
}

/* Clocks of the divider between two periodic interrupts; 0: none. */
static uint64_t period_ticks(const struct rtc *s)
{
    unsigned rate = s->cmos[RTC_A] & RTC_A_RATE;

    if (rate == 0 || (s->cmos[RTC_A] & RTC_A_DIVIDER) > RTC_A_DIVIDER_RUN)
        return 0;
    return UINT64_C(1) << (rate <= 2 ? rate + 6 : rate - 1);
}

static uint64_t ticks_now(const struct rtc *s)
{
    return clock_muldiv(clock_now(s->dev.vm), RTC_CLOCK_HZ, NS_PER_SEC);
}

static void arm_update(struct rtc *s)
{
    uint64_t left = NS_PER_SEC - clock_fraction(s);

    if (is_running(s))
        timer_arm(s->dev.vm, &s->update,
                  clock_now(s->dev.vm) + (left < MIN_REARM_NS ? MIN_REARM_NS : left));
    else
        timer_cancel(s->dev.vm, &s->update);
}

/* Choose the next multiple of the period, and wait for it where somebody wants the interrupt. */
static void arm_periodic(struct rtc *s)
{
    uint64_t period = period_ticks(s), ns;

    s->periodic_next = period == 0 ? UINT64_MAX : (ticks_now(s) / period + 1) * period;
    if (period == 0 || !(s->cmos[RTC_B] & RTC_B_PIE)) {
        timer_cancel(s->dev.vm, &s->periodic);
        return;
    }
    ns = clock_muldiv(s->periodic_next, NS_PER_SEC, RTC_CLOCK_HZ);
    timer_arm(s->dev.vm, &s->periodic, ns + 1); /* rounded up */
}

/* Set the flags of all that has happened until now. */
static void catch_up(struct rtc *s)
{
    int64_t seconds = clock_seconds(s);

    if (is_running(s) && seconds != s->updated_s) {
        s->cmos[RTC_C] |= RTC_C_UF;
        if (alarm_passed(s, s->updated_s, seconds))
            s->cmos[RTC_C] |= RTC_C_AF;
        s->updated_s = seconds;
        arm_update(s);
    }
    if (ticks_now(s) >= s->periodic_next) {
        s->cmos[RTC_C] |= RTC_C_PF;
        arm_periodic(s);
    }
    update_irq(s);
}

static void update_due(void *opaque)
{
    struct rtc *s = opaque;

    catch_up(s);
    if (s->update.due_ns == TIMER_IDLE)
        arm_update(s); /* the wall clock lags the timers a little */
}

static void periodic_due(void *opaque)
{
    struct rtc *s = opaque;

    catch_up(s);
    if (s->periodic.due_ns == TIMER_IDLE)
        arm_periodic(s);
}

void rtc_inhibit_irq(struct vm *vm, bool inhibit)
{
    struct rtc *s = (struct rtc *)device_find(vm, &rtc_class, 0);

    if (s == NULL)
        return;
    s->inhibited = inhibit;
    update_irq(s);
}

/* -- Registers -----------------------------------------------------------------------------------
 */

static void write_control(struct rtc *s, unsigned index, uint8_t val)
{
    bool was_running = is_running(s);
    bool was_reset = (s->cmos[RTC_A] & RTC_A_DIVIDER) > RTC_A_DIVIDER_RUN;
    int64_t seconds = clock_seconds(s);
    uint32_t fraction = clock_fraction(s);

    if (was_running) /* in the format that the registers have up to now */
        seconds_to_regs(s, seconds);
    if (index == RTC_B)
        s->cmos[RTC_B] = (val & RTC_B_SET) ? val & (uint8_t)~RTC_B_UIE : val;
    else
        s->cmos[RTC_A] = val & (uint8_t)~RTC_A_UIP;
    if (!was_running && is_running(s)) {
        /* a divider that was held in reset makes its first update after half a second */
        set_clock(s, regs_to_seconds(s), was_reset ? NS_PER_SEC / 2 : fraction);
    }
    arm_update(s);
    arm_periodic(s);
    update_irq(s);
}

static void write_time(struct rtc *s, unsigned index, uint8_t val)
{
    uint32_t fraction = clock_fraction(s);

    if (is_running(s))
        seconds_to_regs(s, clock_seconds(s));
    s->cmos[index] = val;
    if (is_running(s))
        set_clock(s, regs_to_seconds(s), fraction);
}

static void write_data(struct rtc *s, uint8_t val)
{
    catch_up(s);
    if (is_time_reg(s->index))
        write_time(s, s->index, val);
    else if (s->index == RTC_A || s->index == RTC_B)
        write_control(s, s->index, val);
    else if (s->index != RTC_C && s->index != RTC_D)
        s->cmos[s->index] = val;
}

static uint8_t read_data(struct rtc *s)
{
    uint8_t val;

    catch_up(s);
    if (is_running(s) && is_time_reg(s->index))
        seconds_to_regs(s, clock_seconds(s));
    val = s->cmos[s->index];
    if (s->index == RTC_A && is_running(s) && clock_fraction(s) >= NS_PER_SEC - UIP_NS)
        val |= RTC_A_UIP;
    if (s->index == RTC_C) {
        s->cmos[RTC_C] = 0;
        update_irq(s);
    }
    return val;
}

static uint64_t rtc_read(void *dev, uint32_t off, unsigned n)
{
    (void)n;
    return off == 0 ? 0xff : read_data(dev); /* the index is write-only */
}

static void rtc_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct rtc *s = dev;

    (void)n;
    if (off == 0) {
        s->index = val & (CMOS_SIZE - 1);
        s->nmi_masked = (val & 0x80) != 0;
        if (s->index == CMOS_PS2_CENTURY)
            s->index = RTC_CENTURY;
    } else {
        write_data(s, (uint8_t)val);
    }
}

/* -- CMOS memory ---------------------------------------------------------------------------------
 */

static void set_cmos(struct rtc *s, unsigned index, uint8_t val)
{
    unsigned sum = 0;

    s->cmos[index] = val;
    for (unsigned k = CMOS_CHECKED_FIRST; k < CMOS_CHECKSUM; k++)
        sum += s->cmos[k];
    s->cmos[CMOS_CHECKSUM] = (uint8_t)(sum >> 8);
    s->cmos[CMOS_CHECKSUM + 1] = (uint8_t)sum;
}

static void set_cmos16(struct rtc *s, unsigned index, uint64_t val)
{
    if (val > 0xffff)
        val = 0xffff;
    set_cmos(s, index, (uint8_t)val);
    set_cmos(s, index + 1, (uint8_t)(val >> 8));
}

void rtc_set_cmos(struct vm *vm, unsigned index, uint8_t val)
{
    struct rtc *s = (struct rtc *)device_find(vm, &rtc_class, 0);

    if (s != NULL && index > RTC_D && index < CMOS_SIZE)
        set_cmos(s, index, val);
}

uint8_t rtc_cmos(struct vm *vm, unsigned index)
{
    struct rtc *s = (struct rtc *)device_find(vm, &rtc_class, 0);

    return s != NULL && index > RTC_D && index < CMOS_SIZE ? s->cmos[index] : 0;
}

static void fill_cmos(struct rtc *s)
{
    uint64_t low = mem_below_4g(s->dev.vm), high = mem_above_4g(s->dev.vm) >> 16;
    uint64_t above_1m = low > 0x100000 ? low - 0x100000 : 0;
    uint64_t above_16m = low > 0x1000000 ? low - 0x1000000 : 0;
    unsigned cpus = vm_config(s->dev.vm)->cpus;

    set_cmos(s, RTC_EQUIPMENT, 0x06); /* FPU and PS/2 mouse */
    set_cmos16(s, CMOS_BASE_KB, 640);
    set_cmos16(s, CMOS_EXT_KB, above_1m >> 10);
    set_cmos16(s, CMOS_EXT_KB_FOUND, above_1m >> 10);
    set_cmos16(s, CMOS_ABOVE_16M, above_16m >> 16);
    for (unsigned k = 0; k < 3; k++)
        set_cmos(s, CMOS_ABOVE_4G + k, (uint8_t)(high >> 8 * k));
    set_cmos(s, CMOS_EXTRA_CPUS, (uint8_t)(cpus > 0 ? cpus - 1 : 0));
}

/* The order of devices that firmware boots from, as Bochs and QEMU have it: 1 floppy, 2 hard disk,
 * 3 CD, 4 network. */
static void set_boot_order(struct rtc *s, const char *letters)
{
    static const char devices[] = "acdn";
    unsigned order = 0;

    for (unsigned k = 0; letters[k] != '\0' && k < VM_BOOT_DEVICES; k++) {
        const char *at = strchr(devices, letters[k]);

        if (at != NULL)
            order |= (unsigned)(at - devices + 1) << 4 * k;
    }
    set_cmos(s, CMOS_BOOT, (uint8_t)order);
    set_cmos(s, CMOS_BOOT_THIRD, (uint8_t)(order >> 4 & 0xf0));
}

/* -- Device --------------------------------------------------------------------------------------
 */

/* The memory and the time are kept by the battery. */
static void reset(struct device *d)
{
    struct rtc *s = (struct rtc *)d;
    const struct vm_boot *boot = &vm_config(d->vm)->boot;
    const char *order = boot->order[0] != '\0' ? boot->order : "cad";

    set_boot_order(s, boot->once[0] != '\0' && !s->booted ? boot->once : order);
    s->booted = true;
    write_control(s, RTC_B, s->cmos[RTC_B] & (uint8_t) ~(RTC_B_ENABLES | RTC_B_SQWE));
    s->cmos[RTC_C] = 0;
    s->index = 0;
    s->nmi_masked = false;
    s->inhibited = false;
    update_irq(s);
}

static void loaded(struct device *d)
{
    struct rtc *s = (struct rtc *)d;

    s->index &= CMOS_SIZE - 1; /* a file may hold anything */
    s->offset_ns %= NS_PER_SEC;
    if (s->offset_s < -MAX_OFFSET_S || s->offset_s > MAX_OFFSET_S || clock_seconds(s) < 0)
        s->offset_s = 0;
    if (s->updated_s < -MAX_OFFSET_S || s->updated_s > MAX_OFFSET_S)
        s->updated_s = clock_seconds(s);
    s->cmos[RTC_A] &= (uint8_t)~RTC_A_UIP;
}

static int realize(struct device *d)
{
    static const struct io_ops ops = {rtc_read, rtc_write, IO_8};
    struct rtc *s = (struct rtc *)d;

    s->irq8 = isa_irq(d->vm, 8);
    timer_init(&s->update, update_due, s);
    timer_init(&s->periodic, periodic_due, s);
    s->cmos[RTC_A] = 0x26; /* 32,768 Hz, 1024 Hz periodic */
    s->cmos[RTC_B] = RTC_B_24H;
    s->cmos[RTC_D] = RTC_D_VRT;
    s->updated_s = clock_seconds(s);
    fill_cmos(s);
    return bus_claim_ports(d->vm, "rtc", 0x70, 2, &ops, s);
}

static const struct field rtc_fields[] = {
    FIELDS_DEVICE(struct rtc),       FIELD_ARRAY(struct rtc, cmos),
    FIELD(struct rtc, booted),       FIELD(struct rtc, index),
    FIELD(struct rtc, nmi_masked),   FIELD(struct rtc, inhibited),
    FIELD(struct rtc, offset_s),     FIELD(struct rtc, offset_ns),
    FIELD(struct rtc, updated_s),    FIELD(struct rtc, periodic_next),
    FIELD_TIMER(struct rtc, update), FIELD_TIMER(struct rtc, periodic),
    UNSAVED(struct rtc, irq8),       FIELDS_END,
};

const struct device_class rtc_class = {
    .name = "rtc",
    .desc = "MC146818 real-time clock and CMOS memory",
    .size = sizeof(struct rtc),
    .fields = rtc_fields,
    .realize = realize,
    .reset = reset,
    .loaded = loaded,
};
