/* SPDX-License-Identifier: MIT */
/* The screen's text on the program's own terminal, by ncurses. Alt-1 shows it, Alt-2 a monitor.
 *
 * A terminal says which character was typed, not which key was pressed: characters are typed anew
 * on a US keyboard, and keys are down for a moment only. */
#define _XOPEN_SOURCE_EXTENDED
#include <locale.h>
#include <ncurses.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/monitor.h"
#include "frontend/monitor_line.h"
#include "frontend/screens.h"
#include "vmm/display.h"
#include "vmm/input.h"
#include "vmm/vm.h"

#define ESCAPE   0x1b
#define PRESS_MS 5 /* a key's time; a guest that polls slowly loses none */

extern const struct screen_class curses_screen;

struct screen {
    struct vm *vm;
    pthread_t thread;
    atomic_bool stop;
    SCREEN *terminal;
    bool in_monitor;
    WINDOW *monitor; /* what was said there */
    struct session session;
    struct line line;
    struct display_text shown, text;
    unsigned top; /* the first line that is shown, on a terminal with fewer */
    bool redraw;
};

/* Code page 437 in Unicode, but for ASCII. */
static const uint16_t low[32] = {0x0020, 0x263a, 0x263b, 0x2665, 0x2666, 0x2663, 0x2660, 0x2022,
                                 0x25d8, 0x25cb, 0x25d9, 0x2642, 0x2640, 0x266a, 0x266b, 0x263c,
                                 0x25ba, 0x25c4, 0x2195, 0x203c, 0x00b6, 0x00a7, 0x25ac, 0x21a8,
                                 0x2191, 0x2193, 0x2192, 0x2190, 0x221f, 0x2194, 0x25b2, 0x25bc};
static const uint16_t high[129] = {
    0x2302, 0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8,
    0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb,
    0x00f9, 0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3,
    0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba, 0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab,
    0x00bb, 0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551,
    0x2557, 0x255d, 0x255c, 0x255b, 0x2510, 0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e,
    0x255f, 0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567, 0x2568, 0x2564, 0x2565,
    0x2559, 0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590,
    0x2580, 0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4, 0x03a6, 0x0398, 0x03a9,
    0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7,
    0x2248, 0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0};

/* -- The guest's screen ------------------------------------------------------------------------ */

/* Attribute of VGA as attribute of curses; blinking characters are shown still. */
static attr_t attribute(unsigned attr, short *pair)
{
    static const uint8_t colours[8] = {COLOR_BLACK, COLOR_BLUE,    COLOR_GREEN,  COLOR_CYAN,
                                       COLOR_RED,   COLOR_MAGENTA, COLOR_YELLOW, COLOR_WHITE};

    *pair = (short)(1 + colours[attr & 7] + 8 * colours[attr >> 4 & 7]);
    return attr & 8 ? A_BOLD : A_NORMAL;
}

static void draw_cell(unsigned x, unsigned y, uint16_t cell)
{
    unsigned ch = cell & 0xff;
    wchar_t wide[2] = {(wchar_t)(ch < 32 ? low[ch] : ch < 127 ? ch : high[ch - 127]), 0};
    short pair;
    attr_t attr = attribute(cell >> 8, &pair);
    cchar_t c;

    setcchar(&c, wide, attr, pair, NULL);
    mvadd_wch((int)y, (int)x, &c);
}

/* Of a screen with more lines than the terminal, those are shown that have the cursor. */
static unsigned top_of(const struct screen *s)
{
    const struct display_text *t = &s->text;
    unsigned lines = (unsigned)LINES, last = t->rows > lines ? t->rows - lines : 0;
    unsigned top = s->top < last ? s->top : last;

    if (t->cursor_y >= t->rows)
        return top;
    if (t->cursor_y < top)
        return t->cursor_y;
    return t->cursor_y >= top + lines ? t->cursor_y + 1 - lines : top;
}

static void draw_text(struct screen *s)
{
    struct display_text *t = &s->text, *old = &s->shown;
    unsigned top = top_of(s);
    bool all = s->redraw || t->columns != old->columns || t->rows != old->rows || top != s->top;

    s->top = top;
    if (all)
        erase();
    for (unsigned y = top; y < t->rows && y < top + (unsigned)LINES; y++) {
        for (unsigned x = 0; x < t->columns && x < (unsigned)COLS; x++) {
            unsigned k = y * t->columns + x;

            if (all || t->cells[k] != old->cells[k])
                draw_cell(x, y - top, t->cells[k]);
        }
    }
    curs_set(t->cursor_visible ? 1 : 0);
    move((int)(t->cursor_y - top), (int)t->cursor_x);
    s->shown = *t;
    s->redraw = false;
}

static void draw_screen(struct screen *s)
{
    if (display_get_text(s->vm, &s->text)) {
        draw_text(s);
    } else if (s->shown.columns != 0 || s->redraw) {
        erase();
        mvaddstr(0, 0, "(graphics)");
        s->shown.columns = 0;
        s->redraw = false;
    }
    refresh();
}

/* -- The monitor ------------------------------------------------------------------------------- */

/* What a line editor and commands send to a terminal. */
static void put(void *arg, const char *text, size_t n)
{
    struct screen *s = arg;
    const char *end = text + n;

    while (text < end) {
        int y = getcury(s->monitor), x = getcurx(s->monitor);

        if (end - text > 2 && text[0] == ESCAPE && text[1] == '[') {
            unsigned number = 0;

            for (text += 2; text < end && *text >= '0' && *text <= '9'; text++)
                number = number * 10 + (unsigned)(*text - '0');
            if (text < end && *text == 'K')
                wclrtoeol(s->monitor);
            else if (text < end && *text == 'D')
                wmove(s->monitor, y, x > (int)number ? x - (int)number : 0);
            text += text < end;
        } else if (*text == '\r') {
            wmove(s->monitor, y, 0);
            text++;
        } else if (*text == '\n') { /* that of curses would erase the line */
            if (y + 1 == getmaxy(s->monitor))
                wscrl(s->monitor, 1);
            wmove(s->monitor, y + 1 < getmaxy(s->monitor) ? y + 1 : y, x);
            text++;
        } else {
            waddch(s->monitor, (chtype)(unsigned char)*text++);
        }
    }
}

static bool wait_ms(void *arg, unsigned ms)
{
    struct screen *s = arg;

    for (; ms > 0 && !atomic_load(&s->stop); ms--)
        napms(1);
    return ms == 0;
}

static const char *candidate(unsigned n)
{
    return monitor_commands[n].name;
}

static void monitor_key(struct screen *s, int key)
{
    static const struct {
        int key;
        const char *bytes;
    } keys[] = {
        {KEY_UP, "\033[A"},   {KEY_DOWN, "\033[B"},  {KEY_RIGHT, "\033[C"},
        {KEY_LEFT, "\033[D"}, {KEY_HOME, "\033[H"},  {KEY_END, "\033[F"},
        {KEY_DC, "\033[3~"},  {KEY_BACKSPACE, "\b"}, {KEY_ENTER, "\r"},
    };
    char plain[2] = {(char)key, '\0'};
    const char *bytes = key < 0x100 ? plain : "";

    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        if (keys[k].key == key)
            bytes = keys[k].bytes;
    }
    for (; *bytes != '\0'; bytes++) {
        if (line_key(&s->line, *bytes)) {
            monitor_run(&s->session, s->line.text);
            line_begin(&s->line);
        }
    }
}

/* -- Keys -------------------------------------------------------------------------------------- */

static enum key_code special_key(int key)
{
    static const struct {
        int key;
        enum key_code code;
    } keys[] = {
        {KEY_UP, INPUT_KEY_UP},      {KEY_DOWN, INPUT_KEY_DOWN},
        {KEY_LEFT, INPUT_KEY_LEFT},  {KEY_RIGHT, INPUT_KEY_RIGHT},
        {KEY_HOME, INPUT_KEY_HOME},  {KEY_END, INPUT_KEY_END},
        {KEY_PPAGE, INPUT_KEY_PGUP}, {KEY_NPAGE, INPUT_KEY_PGDN},
        {KEY_IC, INPUT_KEY_INSERT},  {KEY_DC, INPUT_KEY_DELETE},
        {KEY_ENTER, INPUT_KEY_RET},  {KEY_BACKSPACE, INPUT_KEY_BACKSPACE},
        {KEY_BTAB, INPUT_KEY_TAB},
    };

    if (key > KEY_F0 && key <= KEY_F0 + 12)
        return INPUT_KEY_F1 + (unsigned)(key - KEY_F0 - 1);
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        if (keys[k].key == key)
            return keys[k].code;
    }
    return INPUT_KEY_NONE;
}

static void press(struct screen *s, enum key_code key, bool shift, bool ctrl, bool alt)
{
    const struct {
        enum key_code key;
        bool with;
    } keys[] = {
        {INPUT_KEY_CTRL, ctrl}, {INPUT_KEY_ALT, alt}, {INPUT_KEY_SHIFT, shift}, {key, true}};

    for (int k = 0; k < 4; k++) {
        if (keys[k].with)
            input_key(s->vm, keys[k].key, true);
    }
    napms(PRESS_MS);
    for (int k = 3; k >= 0; k--) {
        if (keys[k].with)
            input_key(s->vm, keys[k].key, false);
    }
}

static void guest_key(struct screen *s, int key, bool alt)
{
    bool shift = key == KEY_BTAB, ctrl = false;
    enum key_code code = key < 0x80 ? input_key_of_char((char)key, &shift) : special_key(key);

    if (code == INPUT_KEY_NONE && key < ' ') { /* Ctrl-A is 1 */
        ctrl = true;
        code = input_key_of_char((char)(key == 0 ? ' ' : key + '`'), &shift);
    } else if (key == '\b') {
        ctrl = true; /* what terminals send for Backspace is 7F */
        code = INPUT_KEY_H;
    }
    if (code != INPUT_KEY_NONE)
        press(s, code, shift, ctrl, alt);
}

static void switch_to(struct screen *s, bool monitor)
{
    s->in_monitor = monitor;
    s->redraw = true;
    if (monitor) {
        curs_set(1);
        touchwin(s->monitor);
    }
}

/* The window that is shown: curses shows the one that is asked for keys. */
static WINDOW *window_of(const struct screen *s)
{
    return s->in_monitor ? s->monitor : stdscr;
}

static void take_key(struct screen *s, int key)
{
    bool alt = false;

    if (key == KEY_RESIZE) {
        wresize(s->monitor, LINES, COLS);
        s->redraw = true;
        return;
    }
    if (key == ESCAPE) { /* Alt, or Esc by itself */
        int next = wgetch(window_of(s));

        alt = next != ERR;
        key = alt ? next : key;
    }
    if (alt && (key == '1' || key == '2'))
        switch_to(s, key == '2');
    else if (s->in_monitor)
        monitor_key(s, key);
    else
        guest_key(s, key, alt);
}

/* -- Life -------------------------------------------------------------------------------------- */

static void begin(struct screen *s)
{
    raw();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    set_escdelay(25);
    start_color();
    for (int k = 0; k < 64; k++)
        init_pair((short)(k + 1), (short)(k % 8), (short)(k / 8));
    s->monitor = newwin(LINES, COLS, 0, 0);
    scrollok(s->monitor, TRUE);
    keypad(s->monitor, TRUE);
    s->session = (struct session){.vm = s->vm, .put = put, .wait = wait_ms, .arg = s};
    s->line = (struct line){.prompt = "(qemu) ", .put = put, .candidate = candidate, .arg = s};
    say(&s->session, "Calque %s monitor - type 'help' for more information; Alt-1 leaves it\n",
        CALQUE_VERSION);
    line_begin(&s->line);
}

static void *curses_main(void *arg)
{
    struct screen *s = arg;

    while (!atomic_load(&s->stop)) {
        int key;

        if (s->in_monitor)
            wrefresh(s->monitor);
        else
            draw_screen(s);
        wtimeout(window_of(s), SCREEN_MS);
        key = wgetch(window_of(s));
        for (; key != ERR; key = wgetch(window_of(s))) {
            wtimeout(window_of(s), 0);
            take_key(s, key);
            wtimeout(window_of(s), 0);
        }
    }
    return NULL;
}

static struct screen *open_curses(struct vm *vm, const char *arg, char *err)
{
    struct screen *s = NULL;

    if (arg[0] != '\0')
        snprintf(err, VM_ERR_LEN, "-display curses: has no property '%.60s'", arg);
    else if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        snprintf(err, VM_ERR_LEN, "-display curses: this is no terminal");
    else if ((s = calloc(1, sizeof(*s))) == NULL)
        snprintf(err, VM_ERR_LEN, "out of memory");
    if (s == NULL)
        return NULL;
    s->vm = vm;
    s->redraw = true;
    setlocale(LC_CTYPE, "");
    s->terminal = newterm(NULL, stdout, stdin);
    if (s->terminal != NULL) {
        begin(s);
        if (pthread_create(&s->thread, NULL, curses_main, s) == 0)
            return s;
        endwin();
        delwin(s->monitor);
        delscreen(s->terminal);
    }
    snprintf(err, VM_ERR_LEN, "-display curses: cannot use this terminal");
    free(s);
    return NULL;
}

static void close_curses(struct screen *s)
{
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    endwin();
    delwin(s->monitor);
    delscreen(s->terminal);
    line_free(&s->line);
    free(s);
}

const struct screen_class curses_screen = {open_curses, close_curses, NULL};
