/* SPDX-License-Identifier: MIT */
/* Keysyms: ASCII, and a table of the others. */
#include "frontend/keysyms.h"

#include <ctype.h>
#include <stddef.h>

static const struct {
    uint16_t first, count;
    uint8_t key; /* of the first; the others follow in vmm/keys.def */
} ranges[] = {
    {0xff08, 1, INPUT_KEY_BACKSPACE},   {0xff09, 1, INPUT_KEY_TAB},
    {0xfe20, 1, INPUT_KEY_TAB}, /* with Shift */
    {0xff0d, 1, INPUT_KEY_RET},         {0xff13, 1, INPUT_KEY_PAUSE},
    {0xff14, 1, INPUT_KEY_SCROLL_LOCK}, {0xff15, 1, INPUT_KEY_SYSRQ},
    {0xff1b, 1, INPUT_KEY_ESC},         {0xff50, 1, INPUT_KEY_HOME},
    {0xff51, 1, INPUT_KEY_LEFT},        {0xff52, 1, INPUT_KEY_UP},
    {0xff53, 1, INPUT_KEY_RIGHT},       {0xff54, 1, INPUT_KEY_DOWN},
    {0xff55, 1, INPUT_KEY_PGUP},        {0xff56, 1, INPUT_KEY_PGDN},
    {0xff57, 1, INPUT_KEY_END},         {0xff61, 1, INPUT_KEY_PRINT},
    {0xff63, 1, INPUT_KEY_INSERT},      {0xff67, 1, INPUT_KEY_COMPOSE},
    {0xff6b, 1, INPUT_KEY_PAUSE}, /* Break */
    {0xff7f, 1, INPUT_KEY_NUM_LOCK},    {0xff8d, 1, INPUT_KEY_KP_ENTER},
    {0xff95, 1, INPUT_KEY_KP_7},        {0xff96, 1, INPUT_KEY_KP_4},
    {0xff97, 1, INPUT_KEY_KP_8},        {0xff98, 1, INPUT_KEY_KP_6},
    {0xff99, 1, INPUT_KEY_KP_2},        {0xff9a, 1, INPUT_KEY_KP_9},
    {0xff9b, 1, INPUT_KEY_KP_3},        {0xff9c, 1, INPUT_KEY_KP_1},
    {0xff9d, 1, INPUT_KEY_KP_5},        {0xff9e, 1, INPUT_KEY_KP_0},
    {0xff9f, 1, INPUT_KEY_KP_DECIMAL},  {0xffaa, 1, INPUT_KEY_KP_MULTIPLY},
    {0xffab, 1, INPUT_KEY_KP_ADD},      {0xffac, 1, INPUT_KEY_KP_DECIMAL},
    {0xffad, 1, INPUT_KEY_KP_SUBTRACT}, {0xffae, 1, INPUT_KEY_KP_DECIMAL},
    {0xffaf, 1, INPUT_KEY_KP_DIVIDE},   {0xffb0, 10, INPUT_KEY_KP_0},
    {0xffbe, 24, INPUT_KEY_F1},         {0xffe1, 1, INPUT_KEY_SHIFT},
    {0xffe2, 1, INPUT_KEY_SHIFT_R},     {0xffe3, 1, INPUT_KEY_CTRL},
    {0xffe4, 1, INPUT_KEY_CTRL_R},      {0xffe5, 1, INPUT_KEY_CAPS_LOCK},
    {0xffe7, 1, INPUT_KEY_ALT},         {0xffe8, 1, INPUT_KEY_ALT_R},
    {0xffe9, 1, INPUT_KEY_ALT},         {0xffea, 1, INPUT_KEY_ALT_R},
    {0xfe03, 1, INPUT_KEY_ALT_R}, /* AltGr */
    {0xffeb, 1, INPUT_KEY_META_L},      {0xffec, 1, INPUT_KEY_META_R},
    {0xffff, 1, INPUT_KEY_DELETE},
};

enum key_code keysym_key(uint32_t sym, bool *shift, bool *any)
{
    *any = true;
    *shift = false;
    if (sym >= 0x20 && sym < 0x7f) {
        *any = isalpha((int)sym) || sym == ' '; /* Caps Lock may have been meant, too */
        return input_key_of_char((char)sym, shift);
    }
    for (size_t k = 0; k < sizeof(ranges) / sizeof(ranges[0]); k++) {
        if (sym >= ranges[k].first && sym < (uint32_t)ranges[k].first + ranges[k].count)
            return ranges[k].key + (sym - ranges[k].first);
    }
    return INPUT_KEY_NONE;
}

/* Both Shift keys as they are held, or as if one was, or none. */
static void set_shift(struct vm *vm, const struct keysym_keyboard *k, bool shift, bool fake)
{
    input_key(vm, INPUT_KEY_SHIFT, fake ? shift : k->shift);
    input_key(vm, INPUT_KEY_SHIFT_R, fake ? false : k->shift_r);
}

void keysym_event(struct vm *vm, struct keysym_keyboard *k, uint32_t sym, bool down)
{
    bool shift, any;
    enum key_code key = keysym_key(sym, &shift, &any);

    if (key == INPUT_KEY_NONE)
        return;
    if (key == INPUT_KEY_SHIFT)
        k->shift = down;
    if (key == INPUT_KEY_SHIFT_R)
        k->shift_r = down;
    if (down && k->faked) {
        set_shift(vm, k, false, false);
        k->faked = false;
    }
    if (down && !any && shift != (k->shift || k->shift_r)) {
        set_shift(vm, k, shift, true);
        k->faked = true;
    }
    input_key(vm, key, down);
    if (!down && k->faked) {
        set_shift(vm, k, false, false);
        k->faked = false;
    }
}
