/* SPDX-License-Identifier: MIT */
/* A window by SDL 2. Keys go by their places on the keyboard (scan codes), so that the guest sees a
 * keyboard like the host's, whatever is printed on it. With Ctrl-Alt: G takes or frees the mouse, F
 * switches to the full screen and back, V types what is on the clipboard. */
#include <SDL2/SDL.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/screens.h"
#include "vmm/display.h"
#include "vmm/input.h"
#include "vmm/vm.h"

#define RECTS_MAX 32
#define PASTE_MS  10 /* from one keystroke to the next */
#define PASTE_MAX 65536

extern const struct screen_class sdl_screen;

struct screen {
    struct vm *vm;
    pthread_t thread;
    atomic_bool stop;
    char err[VM_ERR_LEN];
    pthread_mutex_t lock; /* guards `ready` */
    pthread_cond_t news;
    bool ready; /* the window is there, or err says why not */

    /* The window's thread. */
    SDL_Window *window;
    SDL_Renderer *renderer;
    SDL_Texture *texture;
    struct display_listener listener;
    uint64_t shape; /* of the texture */
    bool draw;      /* there is something new */
    uint64_t next_look;
    bool grabbed;
    unsigned buttons;
    char *paste; /* what is left of it is from `pasted` on */
    size_t pasted;
    bool paste_down;
    Uint32 paste_time;
};

static const uint8_t keys[SDL_NUM_SCANCODES] = {
    [SDL_SCANCODE_A] = INPUT_KEY_A,
    [SDL_SCANCODE_B] = INPUT_KEY_B,
    [SDL_SCANCODE_C] = INPUT_KEY_C,
    [SDL_SCANCODE_D] = INPUT_KEY_D,
    [SDL_SCANCODE_E] = INPUT_KEY_E,
    [SDL_SCANCODE_F] = INPUT_KEY_F,
    [SDL_SCANCODE_G] = INPUT_KEY_G,
    [SDL_SCANCODE_H] = INPUT_KEY_H,
    [SDL_SCANCODE_I] = INPUT_KEY_I,
    [SDL_SCANCODE_J] = INPUT_KEY_J,
    [SDL_SCANCODE_K] = INPUT_KEY_K,
    [SDL_SCANCODE_L] = INPUT_KEY_L,
    [SDL_SCANCODE_M] = INPUT_KEY_M,
    [SDL_SCANCODE_N] = INPUT_KEY_N,
    [SDL_SCANCODE_O] = INPUT_KEY_O,
    [SDL_SCANCODE_P] = INPUT_KEY_P,
    [SDL_SCANCODE_Q] = INPUT_KEY_Q,
    [SDL_SCANCODE_R] = INPUT_KEY_R,
    [SDL_SCANCODE_S] = INPUT_KEY_S,
    [SDL_SCANCODE_T] = INPUT_KEY_T,
    [SDL_SCANCODE_U] = INPUT_KEY_U,
    [SDL_SCANCODE_V] = INPUT_KEY_V,
    [SDL_SCANCODE_W] = INPUT_KEY_W,
    [SDL_SCANCODE_X] = INPUT_KEY_X,
    [SDL_SCANCODE_Y] = INPUT_KEY_Y,
    [SDL_SCANCODE_Z] = INPUT_KEY_Z,
    [SDL_SCANCODE_1] = INPUT_KEY_1,
    [SDL_SCANCODE_2] = INPUT_KEY_2,
    [SDL_SCANCODE_3] = INPUT_KEY_3,
    [SDL_SCANCODE_4] = INPUT_KEY_4,
    [SDL_SCANCODE_5] = INPUT_KEY_5,
    [SDL_SCANCODE_6] = INPUT_KEY_6,
    [SDL_SCANCODE_7] = INPUT_KEY_7,
    [SDL_SCANCODE_8] = INPUT_KEY_8,
    [SDL_SCANCODE_9] = INPUT_KEY_9,
    [SDL_SCANCODE_0] = INPUT_KEY_0,
    [SDL_SCANCODE_RETURN] = INPUT_KEY_RET,
    [SDL_SCANCODE_ESCAPE] = INPUT_KEY_ESC,
    [SDL_SCANCODE_BACKSPACE] = INPUT_KEY_BACKSPACE,
    [SDL_SCANCODE_TAB] = INPUT_KEY_TAB,
    [SDL_SCANCODE_SPACE] = INPUT_KEY_SPC,
    [SDL_SCANCODE_MINUS] = INPUT_KEY_MINUS,
    [SDL_SCANCODE_EQUALS] = INPUT_KEY_EQUAL,
    [SDL_SCANCODE_LEFTBRACKET] = INPUT_KEY_BRACKET_LEFT,
    [SDL_SCANCODE_RIGHTBRACKET] = INPUT_KEY_BRACKET_RIGHT,
    [SDL_SCANCODE_BACKSLASH] = INPUT_KEY_BACKSLASH,
    [SDL_SCANCODE_NONUSHASH] = INPUT_KEY_BACKSLASH,
    [SDL_SCANCODE_SEMICOLON] = INPUT_KEY_SEMICOLON,
    [SDL_SCANCODE_APOSTROPHE] = INPUT_KEY_APOSTROPHE,
    [SDL_SCANCODE_GRAVE] = INPUT_KEY_GRAVE_ACCENT,
    [SDL_SCANCODE_COMMA] = INPUT_KEY_COMMA,
    [SDL_SCANCODE_PERIOD] = INPUT_KEY_DOT,
    [SDL_SCANCODE_SLASH] = INPUT_KEY_SLASH,
    [SDL_SCANCODE_CAPSLOCK] = INPUT_KEY_CAPS_LOCK,
    [SDL_SCANCODE_F1] = INPUT_KEY_F1,
    [SDL_SCANCODE_F2] = INPUT_KEY_F2,
    [SDL_SCANCODE_F3] = INPUT_KEY_F3,
    [SDL_SCANCODE_F4] = INPUT_KEY_F4,
    [SDL_SCANCODE_F5] = INPUT_KEY_F5,
    [SDL_SCANCODE_F6] = INPUT_KEY_F6,
    [SDL_SCANCODE_F7] = INPUT_KEY_F7,
    [SDL_SCANCODE_F8] = INPUT_KEY_F8,
    [SDL_SCANCODE_F9] = INPUT_KEY_F9,
    [SDL_SCANCODE_F10] = INPUT_KEY_F10,
    [SDL_SCANCODE_F11] = INPUT_KEY_F11,
    [SDL_SCANCODE_F12] = INPUT_KEY_F12,
    [SDL_SCANCODE_F13] = INPUT_KEY_F13,
    [SDL_SCANCODE_F14] = INPUT_KEY_F14,
    [SDL_SCANCODE_F15] = INPUT_KEY_F15,
    [SDL_SCANCODE_F16] = INPUT_KEY_F16,
    [SDL_SCANCODE_F17] = INPUT_KEY_F17,
    [SDL_SCANCODE_F18] = INPUT_KEY_F18,
    [SDL_SCANCODE_F19] = INPUT_KEY_F19,
    [SDL_SCANCODE_F20] = INPUT_KEY_F20,
    [SDL_SCANCODE_F21] = INPUT_KEY_F21,
    [SDL_SCANCODE_F22] = INPUT_KEY_F22,
    [SDL_SCANCODE_F23] = INPUT_KEY_F23,
    [SDL_SCANCODE_F24] = INPUT_KEY_F24,
    [SDL_SCANCODE_PRINTSCREEN] = INPUT_KEY_PRINT,
    [SDL_SCANCODE_SCROLLLOCK] = INPUT_KEY_SCROLL_LOCK,
    [SDL_SCANCODE_PAUSE] = INPUT_KEY_PAUSE,
    [SDL_SCANCODE_INSERT] = INPUT_KEY_INSERT,
    [SDL_SCANCODE_HOME] = INPUT_KEY_HOME,
    [SDL_SCANCODE_PAGEUP] = INPUT_KEY_PGUP,
    [SDL_SCANCODE_DELETE] = INPUT_KEY_DELETE,
    [SDL_SCANCODE_END] = INPUT_KEY_END,
    [SDL_SCANCODE_PAGEDOWN] = INPUT_KEY_PGDN,
    [SDL_SCANCODE_RIGHT] = INPUT_KEY_RIGHT,
    [SDL_SCANCODE_LEFT] = INPUT_KEY_LEFT,
    [SDL_SCANCODE_DOWN] = INPUT_KEY_DOWN,
    [SDL_SCANCODE_UP] = INPUT_KEY_UP,
    [SDL_SCANCODE_NUMLOCKCLEAR] = INPUT_KEY_NUM_LOCK,
    [SDL_SCANCODE_KP_DIVIDE] = INPUT_KEY_KP_DIVIDE,
    [SDL_SCANCODE_KP_MULTIPLY] = INPUT_KEY_KP_MULTIPLY,
    [SDL_SCANCODE_KP_MINUS] = INPUT_KEY_KP_SUBTRACT,
    [SDL_SCANCODE_KP_PLUS] = INPUT_KEY_KP_ADD,
    [SDL_SCANCODE_KP_ENTER] = INPUT_KEY_KP_ENTER,
    [SDL_SCANCODE_KP_0] = INPUT_KEY_KP_0,
    [SDL_SCANCODE_KP_1] = INPUT_KEY_KP_1,
    [SDL_SCANCODE_KP_2] = INPUT_KEY_KP_2,
    [SDL_SCANCODE_KP_3] = INPUT_KEY_KP_3,
    [SDL_SCANCODE_KP_4] = INPUT_KEY_KP_4,
    [SDL_SCANCODE_KP_5] = INPUT_KEY_KP_5,
    [SDL_SCANCODE_KP_6] = INPUT_KEY_KP_6,
    [SDL_SCANCODE_KP_7] = INPUT_KEY_KP_7,
    [SDL_SCANCODE_KP_8] = INPUT_KEY_KP_8,
    [SDL_SCANCODE_KP_9] = INPUT_KEY_KP_9,
    [SDL_SCANCODE_KP_PERIOD] = INPUT_KEY_KP_DECIMAL,
    [SDL_SCANCODE_KP_EQUALS] = INPUT_KEY_KP_EQUALS,
    [SDL_SCANCODE_KP_COMMA] = INPUT_KEY_KP_COMMA,
    [SDL_SCANCODE_NONUSBACKSLASH] = INPUT_KEY_LESS,
    [SDL_SCANCODE_APPLICATION] = INPUT_KEY_COMPOSE,
    [SDL_SCANCODE_POWER] = INPUT_KEY_POWER,
    [SDL_SCANCODE_INTERNATIONAL1] = INPUT_KEY_RO,
    [SDL_SCANCODE_INTERNATIONAL2] = INPUT_KEY_KATAKANAHIRAGANA,
    [SDL_SCANCODE_INTERNATIONAL3] = INPUT_KEY_YEN,
    [SDL_SCANCODE_INTERNATIONAL4] = INPUT_KEY_HENKAN,
    [SDL_SCANCODE_INTERNATIONAL5] = INPUT_KEY_MUHENKAN,
    [SDL_SCANCODE_LCTRL] = INPUT_KEY_CTRL,
    [SDL_SCANCODE_LSHIFT] = INPUT_KEY_SHIFT,
    [SDL_SCANCODE_LALT] = INPUT_KEY_ALT,
    [SDL_SCANCODE_LGUI] = INPUT_KEY_META_L,
    [SDL_SCANCODE_RCTRL] = INPUT_KEY_CTRL_R,
    [SDL_SCANCODE_RSHIFT] = INPUT_KEY_SHIFT_R,
    [SDL_SCANCODE_RALT] = INPUT_KEY_ALT_R,
    [SDL_SCANCODE_RGUI] = INPUT_KEY_META_R,
    [SDL_SCANCODE_MUTE] = INPUT_KEY_AUDIOMUTE,
    [SDL_SCANCODE_VOLUMEUP] = INPUT_KEY_VOLUMEUP,
    [SDL_SCANCODE_VOLUMEDOWN] = INPUT_KEY_VOLUMEDOWN,
};

/* -- What is pasted ---------------------------------------------------------------------------- */

static void paste_begin(struct screen *s)
{
    char *text = SDL_GetClipboardText();

    free(s->paste);
    s->paste = text != NULL ? strndup(text, PASTE_MAX) : NULL;
    s->pasted = 0;
    s->paste_down = false;
    SDL_free(text);
}

/* The next key goes down or up; what the keyboard has not is left out. */
static void paste_step(struct screen *s)
{
    bool shift;
    enum key_code key;

    if (s->paste == NULL || SDL_GetTicks() - s->paste_time < PASTE_MS)
        return;
    s->paste_time = SDL_GetTicks();
    if (s->paste[s->pasted] == '\r' && s->paste[s->pasted + 1] == '\n')
        s->pasted++; /* one Return ends a line */
    if (s->paste[s->pasted] == '\0') {
        free(s->paste);
        s->paste = NULL;
        return;
    }
    key = input_key_of_char(s->paste[s->pasted], &shift);
    if (shift && !s->paste_down)
        input_key(s->vm, INPUT_KEY_SHIFT, true);
    input_key(s->vm, key, !s->paste_down);
    if (shift && s->paste_down)
        input_key(s->vm, INPUT_KEY_SHIFT, false);
    s->pasted += s->paste_down;
    s->paste_down = !s->paste_down;
}

/* -- Events ------------------------------------------------------------------------------------ */

static void set_title(struct screen *s)
{
    const char *name = vm_config(s->vm)->name;
    char title[200];

    snprintf(title, sizeof(title), "Calque%s%.100s%s", name != NULL ? " - " : "",
             name != NULL ? name : "", s->grabbed ? " (Ctrl-Alt-G frees the mouse)" : "");
    SDL_SetWindowTitle(s->window, title);
}

static void grab(struct screen *s, bool on)
{
    s->grabbed = on && SDL_SetRelativeMouseMode(SDL_TRUE) == 0;
    if (!on)
        SDL_SetRelativeMouseMode(SDL_FALSE);
    set_title(s);
}

static void toggle_full_screen(struct screen *s)
{
    bool full = (SDL_GetWindowFlags(s->window) & SDL_WINDOW_FULLSCREEN_DESKTOP) != 0;

    SDL_SetWindowFullscreen(s->window, full ? 0 : SDL_WINDOW_FULLSCREEN_DESKTOP);
    s->draw = true;
}

/* The letter of a key; where the layout has another script, that of a US keyboard. */
static SDL_Keycode letter_of(const SDL_Keysym *key)
{
    if (key->sym < 0x80 || key->scancode < SDL_SCANCODE_A || key->scancode > SDL_SCANCODE_Z)
        return key->sym;
    return SDLK_a + (SDL_Keycode)(key->scancode - SDL_SCANCODE_A);
}

/* Ctrl-Alt and a letter. True where it is for us; the guest then sees no modifiers any more. */
static bool is_ours(struct screen *s, const SDL_KeyboardEvent *e)
{
    bool with = (e->keysym.mod & KMOD_CTRL) && (e->keysym.mod & KMOD_ALT);
    SDL_Keycode letter = letter_of(&e->keysym);

    if (!with || (letter != SDLK_g && letter != SDLK_f && letter != SDLK_v))
        return false;
    if (e->type == SDL_KEYUP || e->repeat)
        return true;
    input_release_keys(s->vm);
    switch (letter) {
    case SDLK_g: grab(s, !s->grabbed); break;
    case SDLK_f: toggle_full_screen(s); break;
    default: paste_begin(s); break;
    }
    return true;
}

static void key_event(struct screen *s, const SDL_KeyboardEvent *e)
{
    if (e->repeat || is_ours(s, e) || (unsigned)e->keysym.scancode >= SDL_NUM_SCANCODES)
        return;
    input_key(s->vm, keys[e->keysym.scancode], e->type == SDL_KEYDOWN);
}

static void button_event(struct screen *s, const SDL_MouseButtonEvent *e)
{
    static const uint8_t bits[] = {0,           INPUT_LEFT, INPUT_MIDDLE,
                                   INPUT_RIGHT, INPUT_SIDE, INPUT_EXTRA};
    unsigned bit = e->button < sizeof(bits) ? bits[e->button] : 0;

    if (!s->grabbed) {
        if (e->type == SDL_MOUSEBUTTONDOWN)
            grab(s, true);
        return;
    }
    s->buttons = e->type == SDL_MOUSEBUTTONDOWN ? s->buttons | bit : s->buttons & ~bit;
    input_mouse(s->vm, 0, 0, 0, s->buttons);
}

static void window_event(struct screen *s, const SDL_WindowEvent *e)
{
    if (e->event == SDL_WINDOWEVENT_FOCUS_LOST) {
        input_release_keys(s->vm);
        grab(s, false);
    }
    s->draw = true;
}

static void event(struct screen *s, const SDL_Event *e)
{
    switch (e->type) {
    case SDL_KEYDOWN:
    case SDL_KEYUP: key_event(s, &e->key); break;
    case SDL_MOUSEMOTION:
        if (s->grabbed)
            input_mouse(s->vm, e->motion.xrel, e->motion.yrel, 0, s->buttons);
        break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP: button_event(s, &e->button); break;
    case SDL_MOUSEWHEEL:
        if (s->grabbed)
            input_mouse(s->vm, 0, 0, -e->wheel.y, s->buttons);
        break;
    case SDL_WINDOWEVENT: window_event(s, &e->window); break;
    case SDL_QUIT: vm_quit(s->vm); break;
    default: break;
    }
}

/* -- Picture ----------------------------------------------------------------------------------- */

/* The window takes the picture's size, unless the user gave it another than that of the last one.
 */
static void resize(struct screen *s, const struct display_surface *p)
{
    int had_w = 0, had_h = 0, w, h;
    bool free_size = (SDL_GetWindowFlags(s->window) &
                      (SDL_WINDOW_FULLSCREEN_DESKTOP | SDL_WINDOW_MAXIMIZED)) == 0;

    if (s->texture != NULL)
        SDL_QueryTexture(s->texture, NULL, NULL, &had_w, &had_h);
    SDL_GetWindowSize(s->window, &w, &h);
    if (free_size && (had_w == 0 || (w == had_w && h == had_h)))
        SDL_SetWindowSize(s->window, (int)p->width, (int)p->height);
    if (s->texture != NULL)
        SDL_DestroyTexture(s->texture);
    s->texture = SDL_CreateTexture(s->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING,
                                   (int)p->width, (int)p->height);
    SDL_RenderSetLogicalSize(s->renderer, (int)p->width, (int)p->height);
}

static void update(struct screen *s)
{
    struct display_rect r[RECTS_MAX];
    unsigned n = display_refresh(s->vm, &s->listener, r, RECTS_MAX);
    const struct display_surface *p = &s->listener.copy;

    if (n > 0 && (s->texture == NULL || s->shape != s->listener.shape)) {
        resize(s, p);
        s->shape = s->listener.shape;
        r[0] = (struct display_rect){0, 0, p->width, p->height};
        n = 1;
    }
    for (unsigned k = 0; k < n && s->texture != NULL; k++) {
        const SDL_Rect to = {(int)r[k].x, (int)r[k].y, (int)r[k].w, (int)r[k].h};

        SDL_UpdateTexture(s->texture, &to, p->pixels + (size_t)r[k].y * p->stride + r[k].x,
                          (int)(p->stride * sizeof(*p->pixels)));
    }
    if (n == 0 && !s->draw)
        return;
    s->draw = false;
    SDL_SetRenderDrawColor(s->renderer, 0, 0, 0, 255);
    SDL_RenderClear(s->renderer);
    if (s->texture != NULL)
        SDL_RenderCopy(s->renderer, s->texture, NULL, NULL);
    SDL_RenderPresent(s->renderer);
}

/* SDL falls back to drivers that show nothing, which nobody means who has not asked for one. */
static bool is_visible(void)
{
    const char *driver = SDL_GetCurrentVideoDriver();

    if (SDL_getenv("SDL_VIDEODRIVER") != NULL ||
        (strcmp(driver, "offscreen") != 0 && strcmp(driver, "dummy") != 0))
        return true;
    SDL_SetError("there is no display");
    return false;
}

/* -- Life -------------------------------------------------------------------------------------- */

static bool create_window(struct screen *s)
{
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
    SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
    SDL_SetHint(SDL_HINT_RENDER_SCALE_QUALITY, "linear");
    SDL_SetHint(SDL_HINT_GRAB_KEYBOARD, "1");
    if (SDL_InitSubSystem(SDL_INIT_VIDEO) != 0 || !is_visible())
        return false;
    s->window = SDL_CreateWindow("Calque", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, 720,
                                 400, SDL_WINDOW_RESIZABLE);
    if (s->window != NULL)
        s->renderer = SDL_CreateRenderer(s->window, -1, 0);
    return s->renderer != NULL;
}

static void tell_ready(struct screen *s)
{
    pthread_mutex_lock(&s->lock);
    s->ready = true;
    pthread_cond_signal(&s->news);
    pthread_mutex_unlock(&s->lock);
}

static void *sdl_main(void *arg)
{
    struct screen *s = arg;
    SDL_Event e;
    bool ok = create_window(s);

    if (ok)
        set_title(s);
    else
        snprintf(s->err, sizeof(s->err), "-display sdl: %s", SDL_GetError());
    tell_ready(s);
    while (ok && !atomic_load(&s->stop)) {
        unsigned wait = screen_wait_ms(&s->next_look);
        int left;

        if (wait == 0) {
            update(s);
            wait = SCREEN_MS;
        }
        left = SDL_WaitEventTimeout(&e, s->paste != NULL && wait > PASTE_MS ? PASTE_MS : (int)wait);
        for (; left != 0; left = SDL_PollEvent(&e))
            event(s, &e);
        paste_step(s);
    }
    if (s->texture != NULL)
        SDL_DestroyTexture(s->texture);
    if (s->renderer != NULL)
        SDL_DestroyRenderer(s->renderer);
    if (s->window != NULL)
        SDL_DestroyWindow(s->window);
    SDL_QuitSubSystem(SDL_INIT_VIDEO);
    SDL_Quit();
    return NULL;
}

static void free_screen(struct screen *s)
{
    display_listener_free(&s->listener);
    pthread_cond_destroy(&s->news);
    pthread_mutex_destroy(&s->lock);
    free(s->paste);
    free(s);
}

static struct screen *open_sdl(struct vm *vm, const char *arg, char *err)
{
    struct screen *s = arg[0] == '\0' ? calloc(1, sizeof(*s)) : NULL;

    if (s == NULL) {
        snprintf(err, VM_ERR_LEN, "-display sdl: has no property '%.60s'", arg);
        return NULL;
    }
    s->vm = vm;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->news, NULL);
    if (pthread_create(&s->thread, NULL, sdl_main, s) != 0) {
        snprintf(err, VM_ERR_LEN, "-display sdl: cannot start a thread");
        free_screen(s);
        return NULL;
    }
    pthread_mutex_lock(&s->lock);
    while (!s->ready)
        pthread_cond_wait(&s->news, &s->lock);
    pthread_mutex_unlock(&s->lock);
    if (s->err[0] == '\0')
        return s;
    snprintf(err, VM_ERR_LEN, "%s", s->err);
    pthread_join(s->thread, NULL);
    free_screen(s);
    return NULL;
}

static void close_sdl(struct screen *s)
{
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    free_screen(s);
}

const struct screen_class sdl_screen = {open_sdl, close_sdl, NULL};
