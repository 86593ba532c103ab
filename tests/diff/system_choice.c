/* SPDX-License-Identifier: MIT */
#include "tests/diff/system_choice.h"

#include <stdlib.h>
#include <string.h>

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* -- Where values come from -------------------------------------------------------------------- */

static const struct choice *find_given(const struct choices *ch, const char *what)
{
    for (unsigned k = 0; k < ch->given_count; k++)
        if (strcmp(ch->given[k].what, what) == 0)
            return &ch->given[k];
    return NULL;
}

static unsigned random_value(struct choices *ch, unsigned count)
{
    if (next_random(&ch->seed) % 8 < ch->plain)
        return 0;
    return (unsigned)(next_random(&ch->seed) % count);
}

static unsigned given_value(const struct choices *ch, const struct choice *asked)
{
    const struct choice *given = find_given(ch, asked->what);

    if (given == NULL || given->value >= asked->count)
        return 0;
    return given->value;
}

static const char *name_of(const void *names, unsigned stride, unsigned value)
{
    const char *name;

    memcpy(&name, (const char *)names + (size_t)value * stride, sizeof(name));
    return name;
}

static void put_name(struct choice *c, const void *names, unsigned stride)
{
    if (names != NULL)
        snprintf(c->name, sizeof(c->name), "%s", name_of(names, stride, c->value));
    else
        snprintf(c->name, sizeof(c->name), "%u", c->value);
}

/* A case that was read from text has names only. */
static void find_value(struct choices *ch, const char *what, const void *names, unsigned stride,
                       unsigned count)
{
    struct choice *given = (struct choice *)find_given(ch, what);

    if (given == NULL || given->count != 0)
        return;
    given->count = count;
    given->value = names == NULL ? (unsigned)strtoul(given->name, NULL, 0) : count;
    for (unsigned k = 0; names != NULL && k < count; k++)
        if (strcmp(given->name, name_of(names, stride, k)) == 0)
            given->value = k;
}

unsigned choose_from(struct choices *ch, const char *prefix, const char *what, const void *names,
                     unsigned stride, unsigned count)
{
    struct choice c = {.count = count};

    snprintf(c.what, sizeof(c.what), "%s%s", prefix, what);
    find_value(ch, c.what, names, stride, count);
    if (ch->source == FROM_SEED)
        c.value = random_value(ch, count);
    else if (ch->source == FROM_GIVEN)
        c.value = given_value(ch, &c);
    else if (ch->count < ch->given_count)
        c.value = ch->given[ch->count].value;
    put_name(&c, names, stride);
    if (ch->count == CHOICES_MAX)
        abort();
    ch->made[ch->count++] = c;
    return c.value;
}

unsigned choose_number(struct choices *ch, const char *what, unsigned count)
{
    return choose_from(ch, "", what, NULL, 0, count);
}

bool choose_yes(struct choices *ch, const char *what)
{
    static const char *const names[] = {"no", "yes"};

    return choose_from(ch, "", what, names, sizeof(names[0]), 2);
}

/* -- Cases ------------------------------------------------------------------------------------- */

void choices_random(struct choices *ch, uint64_t seed)
{
    ch->source = FROM_SEED;
    ch->seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    ch->count = ch->given_count = 0;
    ch->plain = 1 + (unsigned)(next_random(&ch->seed) % 7);
}

void choices_again(struct choices *ch)
{
    memcpy(ch->given, ch->made, sizeof(ch->made));
    ch->given_count = ch->count;
    ch->source = FROM_GIVEN;
    ch->count = 0;
}

bool choices_parse(struct choices *ch, const char *text)
{
    int used;

    *ch = (struct choices){.source = FROM_GIVEN};
    for (text += strspn(text, " \n"); *text != '\0'; text += strspn(text, " \n")) {
        struct choice *c = &ch->given[ch->given_count];
        if (ch->given_count == CHOICES_MAX ||
            sscanf(text, "%31[^= ]=%31[^ \n]%n", c->what, c->name, &used) != 2)
            return false;
        ch->given_count++;
        text += used;
    }
    return true;
}

const char *choices_unknown(const struct choices *ch)
{
    for (unsigned k = 0; k < ch->given_count; k++)
        if (ch->given[k].value >= ch->given[k].count)
            return ch->given[k].what;
    return NULL;
}

bool choices_next(struct choices *ch)
{
    choices_again(ch);
    ch->source = FROM_ORDER;
    while (ch->given_count > 0) {
        struct choice *last = &ch->given[ch->given_count - 1];
        if (++last->value < last->count)
            return true;
        ch->given_count--;
    }
    return false;
}

void choices_print(const struct choices *ch, FILE *out)
{
    for (unsigned k = 0; k < ch->count; k++)
        if (ch->made[k].value != 0)
            fprintf(out, " %s=%s", ch->made[k].what, ch->made[k].name);
}
