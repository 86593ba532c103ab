/* SPDX-License-Identifier: MIT */
/* 8042 keyboard controller with the PS/2 firmware (IBM PS/2 Hardware Interface Technical Reference,
 * "Keyboard and Auxiliary Device Controller") at ports 60 and 64, a keyboard and a mouse behind it.
 *
 * A byte for the host waits in its device until the one output buffer is free; answers of the
 * controller itself go first. Commands take no time, so the input buffer is never full. Left out:
 * password security, the multiplexing extension, pulsing output bits other than reset. */
#include "devices/i8042.h"

#include <limits.h>
#include <string.h>

#include "devices/isa.h"
#include "devices/port92.h"
#include "devices/ps2.h"
#include "vmm/vm.h"

#define STATUS_OBF      0x01
#define STATUS_SYSTEM   0x04
#define STATUS_COMMAND  0x08
#define STATUS_UNLOCKED 0x10
#define STATUS_AUX_OBF  0x20

/* Command byte: byte 0 of the controller's RAM. */
#define MODE_KEYBOARD_INT 0x01
#define MODE_MOUSE_INT    0x02
#define MODE_SYSTEM       0x04
#define MODE_NO_KEYBOARD  0x10
#define MODE_NO_MOUSE     0x20
#define MODE_TRANSLATE    0x40

#define OUT_RESET        0x01 /* low: reset */
#define OUT_A20          0x02
#define OUT_KEYBOARD_OBF 0x10
#define OUT_MOUSE_OBF    0x20
#define OUT_POWER_ON     0xcf

#define RAM_LEN  32
#define NO_REPLY (-1)

enum i8042_command {
    I8042_READ_RAM = 0x20,  /* 20-3F */
    I8042_WRITE_RAM = 0x60, /* 60-7F, with data */
    I8042_PASSWORD_TEST = 0xa4,
    I8042_MOUSE_OFF = 0xa7,
    I8042_MOUSE_ON = 0xa8,
    I8042_MOUSE_TEST = 0xa9,
    I8042_SELF_TEST = 0xaa,
    I8042_KEYBOARD_TEST = 0xab,
    I8042_KEYBOARD_OFF = 0xad,
    I8042_KEYBOARD_ON = 0xae,
    I8042_READ_INPUT = 0xc0,
    I8042_READ_OUTPUT = 0xd0,
    I8042_WRITE_OUTPUT = 0xd1,  /* with data */
    I8042_FROM_KEYBOARD = 0xd2, /* with data, which comes back */
    I8042_FROM_MOUSE = 0xd3,    /* the same */
    I8042_TO_MOUSE = 0xd4,      /* with data */
    I8042_A20_OFF = 0xdd,
    I8042_A20_ON = 0xdf,
    I8042_READ_TEST = 0xe0,
    I8042_PULSE = 0xf0, /* F0-FF */
};

struct i8042 {
    struct device dev;
    struct ps2_keyboard keyboard;
    struct ps2_mouse mouse;
    uint8_t ram[RAM_LEN];
    uint8_t output_port;
    uint8_t command;   /* that waits for its data; 0: data go to the keyboard */
    uint8_t data;      /* output buffer */
    bool full;         /* it holds a byte */
    bool from_mouse;   /* the byte is the mouse's */
    bool last_command; /* the host wrote port 64 last */
    bool break_seen;   /* translation: F0 has been taken */
    int16_t reply;     /* the controller's own answer, or NO_REPLY */
    bool reply_as_mouse;
    struct irq irq1, irq12;
};

/* -- Output buffer -------------------------------------------------------------------------------
 */

static void update_irqs(struct i8042 *s)
{
    uint8_t mode = s->ram[0];
    bool keyboard = s->full && !s->from_mouse && !(mode & MODE_NO_KEYBOARD);

    irq_set(&s->irq1, keyboard && (mode & MODE_KEYBOARD_INT));
    irq_set(&s->irq12, s->full && s->from_mouse && (mode & MODE_MOUSE_INT));
}

/* Next byte of the keyboard as the host shall see it, or -1. */
static int keyboard_byte(struct i8042 *s)
{
    int val = ps2_keyboard_read(&s->keyboard);

    if (!(s->ram[0] & MODE_TRANSLATE))
        return val;
    while (val == 0xf0) { /* no byte of its own: it sets bit 7 of the next one */
        s->break_seen = true;
        val = ps2_keyboard_read(&s->keyboard);
    }
    if (val < 0)
        return -1;
    val = ps2_translate((uint8_t)val) | (s->break_seen ? 0x80 : 0);
    s->break_seen = false;
    return val;
}

static void refill(struct i8042 *s)
{
    int val = -1;

    if (!s->full && s->reply != NO_REPLY) {
        val = s->reply;
        s->from_mouse = s->reply_as_mouse;
        s->reply = NO_REPLY;
    }
    if (!s->full && val < 0 && !(s->ram[0] & MODE_NO_KEYBOARD)) {
        val = keyboard_byte(s);
        s->from_mouse = false;
    }
    if (!s->full && val < 0 && !(s->ram[0] & MODE_NO_MOUSE)) {
        val = ps2_mouse_read(&s->mouse);
        s->from_mouse = true;
    }
    if (val >= 0) {
        s->data = (uint8_t)val;
        s->full = true;
    }
    update_irqs(s);
}

static void answer(struct i8042 *s, uint8_t val, bool as_mouse)
{
    s->reply = val;
    s->reply_as_mouse = as_mouse;
}

static void key_event(void *dev, enum key_code key, bool down)
{
    struct i8042 *s = dev;

    ps2_keyboard_key(&s->keyboard, key, down);
    refill(s);
}

static void mouse_event(void *dev, int dx, int dy, int dz, unsigned buttons)
{
    struct i8042 *s = dev;

    ps2_mouse_move(&s->mouse, dx, dy > -INT_MAX ? -dy : INT_MAX, dz, (uint8_t)buttons);
    refill(s);
}

static void device_ready(void *opaque)
{
    refill(opaque);
}

/* -- Commands ------------------------------------------------------------------------------------
 */

static void write_output_port(struct i8042 *s, uint8_t val)
{
    s->output_port = val;
    port92_set_keyboard_a20(s->dev.vm, (val & OUT_A20) != 0);
    if (!(val & OUT_RESET))
        vm_request_reset(s->dev.vm);
}

static uint8_t read_output_port(const struct i8042 *s)
{
    uint8_t val = s->output_port & (uint8_t) ~(OUT_KEYBOARD_OBF | OUT_MOUSE_OBF);

    if (s->full)
        val |= s->from_mouse ? OUT_MOUSE_OBF : OUT_KEYBOARD_OBF;
    return val;
}

static void run_command(struct i8042 *s, uint8_t val)
{
    switch (val) {
    case I8042_PASSWORD_TEST: answer(s, 0xf1, false); break; /* none is installed */
    case I8042_MOUSE_OFF: s->ram[0] |= MODE_NO_MOUSE; break;
    case I8042_MOUSE_ON: s->ram[0] &= (uint8_t)~MODE_NO_MOUSE; break;
    case I8042_MOUSE_TEST:
    case I8042_KEYBOARD_TEST: answer(s, 0x00, false); break;
    case I8042_SELF_TEST:
        s->ram[0] |= MODE_SYSTEM;
        answer(s, 0x55, false);
        break;
    case I8042_KEYBOARD_OFF: s->ram[0] |= MODE_NO_KEYBOARD; break;
    case I8042_KEYBOARD_ON: s->ram[0] &= (uint8_t)~MODE_NO_KEYBOARD; break;
    case I8042_READ_INPUT: answer(s, 0x80, false); break; /* keyboard not locked */
    case I8042_READ_OUTPUT: answer(s, read_output_port(s), false); break;
    case I8042_READ_TEST: answer(s, 0x00, false); break;
    case I8042_A20_OFF: write_output_port(s, s->output_port & (uint8_t)~OUT_A20); break;
    case I8042_A20_ON: write_output_port(s, s->output_port | OUT_A20); break;
    case I8042_WRITE_OUTPUT:
    case I8042_FROM_KEYBOARD:
    case I8042_FROM_MOUSE:
    case I8042_TO_MOUSE: s->command = val; break;
    default:
        if ((val & 0xe0) == I8042_READ_RAM)
            answer(s, s->ram[val & (RAM_LEN - 1)], false);
        else if ((val & 0xe0) == I8042_WRITE_RAM)
            s->command = val;
        else if (val >= I8042_PULSE && !(val & OUT_RESET))
            vm_request_reset(s->dev.vm);
        else if (val < I8042_PULSE)
            vm_log(s->dev.vm, LOG_UNIMP, "i8042: command %02x", val);
        break;
    }
}

static void take_data(struct i8042 *s, uint8_t val)
{
    uint8_t command = s->command;

    s->command = 0;
    switch (command) {
    case 0: /* talking to a device turns its clock on */
        s->ram[0] &= (uint8_t)~MODE_NO_KEYBOARD;
        ps2_keyboard_write(&s->keyboard, val);
        break;
    case I8042_TO_MOUSE:
        s->ram[0] &= (uint8_t)~MODE_NO_MOUSE;
        ps2_mouse_write(&s->mouse, val);
        break;
    case I8042_WRITE_OUTPUT: write_output_port(s, val); break;
    case I8042_FROM_KEYBOARD: answer(s, val, false); break;
    case I8042_FROM_MOUSE: answer(s, val, true); break;
    default: s->ram[command & (RAM_LEN - 1)] = val; break;
    }
}

/* -- Ports ---------------------------------------------------------------------------------------
 */

static uint64_t data_read(void *dev, uint32_t off, unsigned n)
{
    struct i8042 *s = dev;
    uint8_t val = s->data; /* an empty buffer still shows the last byte */

    (void)off;
    (void)n;
    if (s->full) {
        s->full = false;
        update_irqs(s); /* the line falls before the next byte raises it */
        refill(s);
    }
    return val;
}

static void data_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct i8042 *s = dev;

    (void)off;
    (void)n;
    s->last_command = false;
    take_data(s, (uint8_t)val);
    refill(s);
}

static uint64_t status_read(void *dev, uint32_t off, unsigned n)
{
    struct i8042 *s = dev;
    uint8_t val = STATUS_UNLOCKED;

    (void)off;
    (void)n;
    if (s->full)
        val |= s->from_mouse ? STATUS_OBF | STATUS_AUX_OBF : STATUS_OBF;
    if (s->ram[0] & MODE_SYSTEM)
        val |= STATUS_SYSTEM;
    if (s->last_command)
        val |= STATUS_COMMAND;
    return val;
}

static void command_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct i8042 *s = dev;

    (void)off;
    (void)n;
    s->last_command = true;
    s->command = 0;
    run_command(s, (uint8_t)val);
    refill(s);
}

/* -- Device --------------------------------------------------------------------------------------
 */

static void reset(struct device *d)
{
    struct i8042 *s = (struct i8042 *)d;

    ps2_keyboard_reset(&s->keyboard);
    ps2_mouse_reset(&s->mouse);
    memset(s->ram, 0, sizeof(s->ram));
    s->ram[0] = MODE_KEYBOARD_INT | MODE_MOUSE_INT;
    s->output_port = OUT_POWER_ON;
    s->command = s->data = 0;
    s->full = s->from_mouse = s->break_seen = false;
    s->last_command = true;
    s->reply = NO_REPLY;
    port92_set_keyboard_a20(d->vm, true);
    update_irqs(s);
}

static void loaded(struct device *d)
{
    struct i8042 *s = (struct i8042 *)d;

    ps2_keyboard_loaded(&s->keyboard);
    ps2_mouse_loaded(&s->mouse);
    if (s->reply < 0 || s->reply > 0xff)
        s->reply = NO_REPLY;
}

static int realize(struct device *d)
{
    static const struct io_ops data_ops = {data_read, data_write, IO_8};
    static const struct io_ops command_ops = {status_read, command_write, IO_8};
    static const struct input_ops input = {key_event, mouse_event};
    struct i8042 *s = (struct i8042 *)d;
    const struct ps2_host host = {d->vm, device_ready, s};
    int err;

    ps2_keyboard_init(&s->keyboard, &host);
    ps2_mouse_init(&s->mouse, &host);
    s->irq1 = isa_irq(d->vm, 1);
    s->irq12 = isa_irq(d->vm, 12);
    s->reply = NO_REPLY;
    err = bus_claim_ports(d->vm, "i8042-data", 0x60, 1, &data_ops, s);
    if (err == 0)
        err = bus_claim_ports(d->vm, "i8042-command", 0x64, 1, &command_ops, s);
    if (err == 0)
        input_attach(d->vm, &input, s);
    return err;
}

static void unrealize(struct device *d)
{
    input_detach(d->vm, d);
}

static const struct field i8042_fields[] = {
    FIELDS_DEVICE(struct i8042),
    FIELD_SUB(struct i8042, keyboard, ps2_keyboard_fields),
    FIELD_SUB(struct i8042, mouse, ps2_mouse_fields),
    FIELD_ARRAY(struct i8042, ram),
    FIELD(struct i8042, output_port),
    FIELD(struct i8042, command),
    FIELD(struct i8042, data),
    FIELD(struct i8042, full),
    FIELD(struct i8042, from_mouse),
    FIELD(struct i8042, last_command),
    FIELD(struct i8042, break_seen),
    FIELD(struct i8042, reply),
    FIELD(struct i8042, reply_as_mouse),
    UNSAVED(struct i8042, irq1),
    UNSAVED(struct i8042, irq12),
    FIELDS_END,
};

const struct device_class i8042_class = {
    .name = "i8042",
    .desc = "keyboard controller, PS/2 keyboard and mouse",
    .size = sizeof(struct i8042),
    .fields = i8042_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
    .loaded = loaded,
};
