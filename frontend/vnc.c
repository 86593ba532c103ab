/* SPDX-License-Identifier: MIT */
/* A VNC server (RFC 6143) by libvncserver. While nobody looks, nothing is drawn. The guest's mouse
 * is relative, the clients' are not: it moves by as much as theirs. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <rfb/rfb.h>

#include "frontend/keysyms.h"
#include "frontend/screens.h"
#include "vmm/display.h"
#include "vmm/vm.h"

#define VNC_PORT     5900
#define PASSWORD_LEN 8 /* all that the protocol knows */
#define RECTS_MAX    32
#define IDLE_MS      100
#define STALLED_MS   5000 /* within a message; meanwhile other clients wait */

extern const struct screen_class vnc_screen;

struct screen {
    struct vm *vm;
    rfbScreenInfoPtr rfb;
    pthread_t thread;
    atomic_bool stop;
    struct display_listener listener;
    uint64_t shape;
    uint64_t next_look;
    struct keysym_keyboard keyboard;
    int x, y; /* of the pointer, as clients said last; x < 0: not yet */
    int mask; /* of buttons, the same */
    uint32_t blank[64];

    pthread_mutex_t lock; /* guards what follows */
    bool has_password;
    char password[PASSWORD_LEN + 1];
};

static struct screen *screen_of(rfbClientPtr client)
{
    return client->screen->screenData;
}

/* -- What clients send ------------------------------------------------------------------------- */

static void key_event(rfbBool down, rfbKeySym sym, rfbClientPtr client)
{
    struct screen *s = screen_of(client);

    keysym_event(s->vm, &s->keyboard, sym, down != 0);
}

/* The wheel is two buttons, each of whose presses is a step. */
static void pointer_event(int mask, int x, int y, rfbClientPtr client)
{
    struct screen *s = screen_of(client);
    unsigned buttons =
        (mask & 1 ? INPUT_LEFT : 0) | (mask & 2 ? INPUT_MIDDLE : 0) | (mask & 4 ? INPUT_RIGHT : 0);
    int pressed = mask & ~s->mask;
    int dz = (pressed & 16 ? 1 : 0) - (pressed & 8 ? 1 : 0);

    if (s->x < 0) {
        s->x = x;
        s->y = y;
    }
    if (x != s->x || y != s->y || dz != 0 || buttons != input_mouse_buttons(s->vm))
        input_mouse(s->vm, x - s->x, y - s->y, dz, buttons);
    s->x = x;
    s->y = y;
    s->mask = mask;
    rfbDefaultPtrAddEvent(mask, x, y, client);
}

/* With a password that is not set yet, nobody gets in. */
static rfbBool check_password(rfbClientPtr client, const char *response, int len)
{
    struct screen *s = screen_of(client);
    uint8_t expected[CHALLENGESIZE];
    bool set;

    memcpy(expected, client->authChallenge, CHALLENGESIZE);
    pthread_mutex_lock(&s->lock);
    set = s->has_password;
    rfbEncryptBytes(expected, s->password);
    pthread_mutex_unlock(&s->lock);
    return set && len == CHALLENGESIZE && memcmp(expected, response, CHALLENGESIZE) == 0;
}

/* A client that goes leaves no key pressed, nor what libvncserver 0.9.14 forgets of one that came
 * by a WebSocket: 45 KiB. */
static void client_gone(rfbClientPtr client)
{
    struct screen *s = screen_of(client);

    free(client->wsctx);
    client->wsctx = NULL;
    s->keyboard = (struct keysym_keyboard){0};
    input_release_keys(s->vm);
}

static enum rfbNewClientAction client_new(rfbClientPtr client)
{
    client->clientGoneHook = client_gone;
    return RFB_CLIENT_ACCEPT;
}

static void set_password(struct screen *s, const char *password)
{
    pthread_mutex_lock(&s->lock);
    snprintf(s->password, sizeof(s->password), "%s", password);
    s->has_password = true;
    pthread_mutex_unlock(&s->lock);
}

/* -- What they see ----------------------------------------------------------------------------- */

static void set_format(rfbScreenInfoPtr rfb)
{
    rfb->serverFormat.redShift = 16;
    rfb->serverFormat.greenShift = 8;
    rfb->serverFormat.blueShift = 0;
    rfb->serverFormat.redMax = rfb->serverFormat.greenMax = rfb->serverFormat.blueMax = 255;
}

static void update(struct screen *s)
{
    struct display_rect rects[RECTS_MAX];
    struct display_surface *copy = &s->listener.copy;
    uint64_t shape = s->listener.shape;
    const uint32_t *old = copy->pixels;
    unsigned n = display_refresh(s->vm, &s->listener, rects, RECTS_MAX);

    if (n == 0)
        return;
    if (shape != s->listener.shape || old != copy->pixels) {
        rfbNewFramebuffer(s->rfb, (char *)copy->pixels, (int)copy->width, (int)copy->height, 8, 3,
                          4);
        set_format(s->rfb);
    }
    for (unsigned k = 0; k < n; k++)
        rfbMarkRectAsModified(s->rfb, (int)rects[k].x, (int)rects[k].y,
                              (int)(rects[k].x + rects[k].w), (int)(rects[k].y + rects[k].h));
}

static void *vnc_main(void *arg)
{
    struct screen *s = arg;

    while (!atomic_load(&s->stop)) {
        unsigned wait = IDLE_MS;

        if (s->rfb->clientHead != NULL)
            wait = screen_wait_ms(&s->next_look);
        if (wait == 0)
            update(s);
        rfbProcessEvents(s->rfb, (long)wait * 1000);
    }
    return NULL;
}

/* -- Life -------------------------------------------------------------------------------------- */

struct wish {
    char host[64];
    unsigned display;
    bool password;
};

/* "[HOST]:N[,password[=on]]" */
static bool parse(const char *arg, struct wish *w)
{
    const char *colon = strrchr(arg, ':');
    char *end;

    if (colon == NULL || (size_t)(colon - arg) >= sizeof(w->host))
        return false;
    snprintf(w->host, sizeof(w->host), "%.*s", (int)(colon - arg), arg);
    unsigned long n = strtoul(colon + 1, &end, 10);
    if (end == colon + 1 || n > 0xffff - VNC_PORT)
        return false;
    w->display = (unsigned)n;
    w->password = strcmp(end, ",password") == 0 || strcmp(end, ",password=on") == 0;
    return w->password || *end == '\0' || strcmp(end, ",password=off") == 0;
}

static bool listen_at(rfbScreenInfoPtr rfb, const struct wish *w)
{
    struct in_addr host = {.s_addr = htonl(INADDR_ANY)};
    const char *name = strcmp(w->host, "localhost") == 0 ? "127.0.0.1" : w->host;

    if (name[0] != '\0' && inet_pton(AF_INET, name, &host) != 1)
        return false;
    rfb->listenInterface = host.s_addr;
    rfb->port = VNC_PORT + (int)w->display;
    rfb->ipv6port = 0;
    rfb->autoPort = FALSE;
    rfbInitServer(rfb);
    return rfb->listenSock >= 0;
}

static void free_screen(struct screen *s)
{
    if (s->rfb != NULL) {
        rfbShutdownServer(s->rfb, TRUE);
        s->rfb->frameBuffer = NULL; /* it is the listener's */
        rfbScreenCleanup(s->rfb);
    }
    display_listener_free(&s->listener);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static struct screen *create(struct vm *vm, const struct wish *w)
{
    struct screen *s = calloc(1, sizeof(*s));
    const char *name = vm_config(vm)->name;

    if (s == NULL)
        return NULL;
    s->vm = vm;
    s->x = -1;
    pthread_mutex_init(&s->lock, NULL);
    rfbLogEnable(0);
    s->rfb = rfbGetScreen(NULL, NULL, 8, 8, 8, 3, 4);
    if (s->rfb == NULL) {
        free_screen(s);
        return NULL;
    }
    set_format(s->rfb);
    s->rfb->frameBuffer = (char *)s->blank; /* until there is a picture */
    s->rfb->desktopName = name != NULL ? name : "Calque";
    s->rfb->screenData = s;
    s->rfb->alwaysShared = TRUE;
    s->rfb->maxClientWait = STALLED_MS;
    s->rfb->deferUpdateTime = 0; /* what a look has found goes out at once */
    s->rfb->kbdAddEvent = key_event;
    s->rfb->ptrAddEvent = pointer_event;
    s->rfb->newClientHook = client_new;
    s->rfb->cursor = NULL; /* the guest draws its own */
    if (w->password) {
        s->rfb->authPasswdData = s;
        s->rfb->passwordCheck = check_password;
    }
    return s;
}

static struct screen *open_vnc(struct vm *vm, const char *arg, char *err)
{
    struct wish w;
    struct screen *s;

    if (!parse(arg, &w)) {
        snprintf(err, VM_ERR_LEN, "-vnc %s: not [HOST]:N[,password=on]", arg);
        return NULL;
    }
    s = create(vm, &w);
    if (s != NULL && listen_at(s->rfb, &w) && pthread_create(&s->thread, NULL, vnc_main, s) == 0)
        return s;
    snprintf(err, VM_ERR_LEN, "-vnc %s: cannot listen at port %u", arg, VNC_PORT + w.display);
    if (s != NULL)
        free_screen(s);
    return NULL;
}

/* The thread may be waiting for one that has stopped within a message, or reads nothing. */
static void hang_up(struct screen *s)
{
    rfbClientIteratorPtr clients = rfbGetClientIterator(s->rfb);
    rfbClientPtr client;

    while ((client = rfbClientIteratorNext(clients)) != NULL)
        shutdown(client->sock, SHUT_RDWR);
    rfbReleaseClientIterator(clients);
}

static void close_vnc(struct screen *s)
{
    atomic_store(&s->stop, true);
    hang_up(s);
    pthread_join(s->thread, NULL);
    free_screen(s);
}

const struct screen_class vnc_screen = {open_vnc, close_vnc, set_password};
