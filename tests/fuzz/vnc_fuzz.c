/* SPDX-License-Identifier: MIT */
/* The VNC server, for whoever connects. Input: whether it wants a password, and what a client says:
 * messages, also with a byte that is wrong, or anything. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/pc.h"
#include "frontend/screens.h"
#include "tests/fuzz/input.h"
#include "vmm/vmm_internal.h"

#define FIRST_PORT 5900u

/* What clients say. */
#define MESSAGE(text)                                                                              \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }
static const struct {
    const char *text;
    size_t n;
} messages[] = {
    MESSAGE("RFB 003.008\n\1\1"), /* no password, shared */
    MESSAGE("RFB 003.008\n\2sixteen bytes...\1"),
    MESSAGE("RFB 003.007\n\1\1"),
    MESSAGE("RFB 003.003\n\1"),
    MESSAGE(
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nHost: a\r\nOrigin: a\r\nSec-WebSocket-Key: a\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"),
    MESSAGE("\202\214\1\2\3\4SDA$11004:::"),                       /* a WebSocket's frame */
    MESSAGE("\0\0\0\0\40\30\0\1\0\377\0\377\0\377\20\10\0\0\0\0"), /* SetPixelFormat */
    MESSAGE("\0\0\0\0\10\10\0\0\0\7\0\7\0\3\0\3\6\0\0\0"),
    MESSAGE("\2\0\0\1\0\0\0\0"), /* SetEncodings */
    MESSAGE("\2\0\0\2\0\0\0\7\377\377\377\41"),
    MESSAGE("\3\0\0\0\0\0\2\320\1\220"),                           /* FramebufferUpdateRequest */
    MESSAGE("\4\1\0\0\0\0\0\141"),                                 /* KeyEvent */
    MESSAGE("\5\1\0\20\0\20"),                                     /* PointerEvent */
    MESSAGE("\6\0\0\0\0\0\0\4text"),                               /* ClientCutText */
    MESSAGE("\7\1\0\0\0\0\0\0\0\0\0\1/"),                          /* extensions: files, */
    MESSAGE("\10\2\0\0"),                                          /* scale, */
    MESSAGE("\13\0\0\0\0\0\0\4chat"),                              /* chat, */
    MESSAGE("\372\0\1\2"),                                         /* power */
    MESSAGE("\373\0\4\0\3\0\1\0\0\0\0\0\0\0\0\0\4\0\3\0\0\0\0\0"), /* and size */
};

/* What libvncserver forgets is tests/boot/screens_test.py's to see. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

struct server {
    struct sockaddr_in at;
    struct screen *screen;
};

static struct vm *create(void)
{
    const struct vm_config cfg = {.ram_bytes = VM_MIN_RAM,
                                  .cpus = 1,
                                  .accel = ACCEL_INTERP,
                                  .serial = {"null"},
                                  .log = stderr};
    char err[VM_ERR_LEN];
    struct vm *vm;

    if (vm_create(&vm, &cfg, &pc_board, err) != 0)
        abort();
    return vm;
}

/* At the first port that is free, from one that is another process's start, probably. */
static void start(struct vm *vm, const struct screen_class *cls, struct server *s, bool password)
{
    char arg[64], err[VM_ERR_LEN];

    for (unsigned n = (unsigned)getpid() % 20000; s->screen == NULL; n++) {
        REQUIRE(n < 30000);
        snprintf(arg, sizeof(arg), "127.0.0.1:%u%s", n, password ? ",password=on" : "");
        s->screen = cls->open(vm, arg, err);
        s->at = (struct sockaddr_in){.sin_family = AF_INET,
                                     .sin_port = htons((uint16_t)(FIRST_PORT + n)),
                                     .sin_addr = {htonl(INADDR_LOOPBACK)}};
    }
    if (password)
        cls->set_password(s->screen, "sesame");
}

static void say(int fd, const void *data, size_t n)
{
    (void)!send(fd, data, n, MSG_NOSIGNAL);
}

/* A message, one byte of which may be another; or bytes of the input. */
static void say_next(int fd, struct input *in)
{
    unsigned op = input_u8(in);
    uint8_t text[256];
    size_t n = op % 32 < in->n ? op % 32 : in->n;

    if (op & 0x80) {
        say(fd, in->p, n);
        in->p += n;
        in->n -= n;
        return;
    }
    op %= 64;
    n = messages[op % ARRAY_SIZE(messages)].n;
    memcpy(text, messages[op % ARRAY_SIZE(messages)].text, n);
    if (op >= ARRAY_SIZE(messages)) {
        size_t at = input_u8(in) % n;

        text[at] = input_u8(in);
    }
    say(fd, text, n);
}

/* A client says all of that at once, and reads until the server hangs up. */
static void visit(const struct server *s, struct input *in)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    uint8_t data[4096];

    REQUIRE(fd >= 0 && connect(fd, (const struct sockaddr *)&s->at, sizeof(s->at)) == 0);
    while (in->n > 0)
        say_next(fd, in);
    shutdown(fd, SHUT_WR);
    while (recv(fd, data, sizeof(data), 0) > 0)
        ;
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct screen_kind *kind = screen_kind_named("vnc", 3);
    static struct server servers[2];
    static struct vm *vm;
    struct input in = {data, size};

    if (kind == NULL || kind->cls == NULL)
        return 0; /* built without it */
    if (vm == NULL) {
        vm = create();
        start(vm, kind->cls, &servers[0], false);
        start(vm, kind->cls, &servers[1], true);
    }
    visit(&servers[input_u8(&in) & 1], &in);
    return 0;
}
