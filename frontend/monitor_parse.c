/* SPDX-License-Identifier: MIT */
/* Lines to commands with arguments, as their rows in the tables describe them. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/monitor.h"

#define NESTING_MAX 32 /* of an expression */
#define COUNT_MAX   4096
#define BLANKS      " \t\r\n\v\f"

/* -- Expressions ------------------------------------------------------------------------------- */

struct expression {
    struct session *s;
    const char *at;
    char *err;
    unsigned depth;
};

static bool wrong(char *err, const char *what, const char *at)
{
    snprintf(err, MONITOR_ERR_LEN, "%s: '%.60s'", what, at);
    return false;
}

static void skip_spaces(const char **at)
{
    while (isspace((unsigned char)**at))
        ++*at;
}

static bool sum(struct expression *e, uint64_t *value);

static bool reg(struct expression *e, uint64_t *value)
{
    const char *name = e->at + 1;
    size_t len = 0;

    while (isalnum((unsigned char)name[len]) || name[len] == '_')
        len++;
    if (!monitor_register(e->s, name, len, value))
        return wrong(e->err, "unknown register", e->at);
    e->at = name + len;
    return true;
}

static bool number(struct expression *e, uint64_t *value)
{
    char *end;

    if (!isdigit((unsigned char)*e->at))
        return wrong(e->err, "not a number", e->at);
    *value = strtoull(e->at, &end, 0);
    if (isalnum((unsigned char)*end))
        return wrong(e->err, "not a number", e->at);
    e->at = end;
    return true;
}

static bool primary(struct expression *e, uint64_t *value)
{
    skip_spaces(&e->at);
    if (++e->depth > NESTING_MAX)
        return wrong(e->err, "too deep", e->at);
    char op = *e->at;
    bool ok = true;
    if (op == '-' || op == '+' || op == '~') {
        e->at++;
        ok = primary(e, value);
        *value = op == '-' ? -*value : op == '~' ? ~*value : *value;
    } else if (op == '(') {
        e->at++;
        ok = sum(e, value);
        if (ok && *e->at != ')')
            return wrong(e->err, "')' expected", e->at);
        e->at += ok;
    } else if (op == '\'' && e->at[1] != '\0' && e->at[2] == '\'') {
        *value = (unsigned char)e->at[1];
        e->at += 3;
    } else {
        ok = op == '$' ? reg(e, value) : number(e, value);
    }
    e->depth--;
    skip_spaces(&e->at);
    return ok;
}

static bool product(struct expression *e, uint64_t *value)
{
    bool ok = primary(e, value);

    while (ok && *e->at != '\0' && strchr("*/%", *e->at) != NULL) {
        char op = *e->at++;
        uint64_t right = 0;

        ok = primary(e, &right);
        if (ok && op != '*' && right == 0)
            return wrong(e->err, "division by zero", e->at);
        if (ok)
            *value = op == '*' ? *value * right : op == '/' ? *value / right : *value % right;
    }
    return ok;
}

/* Operators of bits bind as sums do. */
static bool sum(struct expression *e, uint64_t *value)
{
    bool ok = product(e, value);

    while (ok && *e->at != '\0' && strchr("+-&|^", *e->at) != NULL) {
        char op = *e->at++;
        uint64_t right = 0;

        ok = product(e, &right);
        switch (op) {
        case '+': *value += right; break;
        case '-': *value -= right; break;
        case '&': *value &= right; break;
        case '|': *value |= right; break;
        default: *value ^= right; break;
        }
    }
    return ok;
}

bool monitor_expression(struct session *s, const char *text, const char **end, uint64_t *value,
                        char err[MONITOR_ERR_LEN])
{
    struct expression e = {s, text, err, 0};

    *value = 0;
    if (!sum(&e, value))
        return false;
    *end = e.at;
    return true;
}

/* -- Arguments --------------------------------------------------------------------------------- */

struct cutter {
    struct session *s;
    char *at;
    char *err;
};

/* A word, or what stands between quotes; it is ended where it stands. */
static bool word(struct cutter *c, struct monitor_arg *a)
{
    char *to = c->at;
    bool quoted = *c->at == '"';

    a->text = to;
    for (c->at += quoted; *c->at != '\0'; *to++ = *c->at++) {
        if (quoted ? *c->at == '"' : isspace((unsigned char)*c->at))
            break;
        if (quoted && *c->at == '\\' && c->at[1] != '\0')
            c->at++;
    }
    if (quoted && *c->at != '"')
        return wrong(c->err, "quote is not closed", "\"");
    if (*c->at != '\0')
        c->at++;
    *to = '\0';
    return true;
}

/* A whole number by itself, which may have a sign. */
static bool plain_number(struct cutter *c, struct monitor_arg *a)
{
    char *end;

    if (!word(c, a))
        return false;
    a->value = (uint64_t)strtoll(a->text, &end, 0);
    return end != a->text && *end == '\0' ? true : wrong(c->err, "not a number", a->text);
}

/* /count, letter, size: "/16xb". */
static bool format(struct cutter *c, struct monitor_arg *a)
{
    static const char sizes[] = "bhwg";
    struct monitor_arg w;
    char *at;

    a->value = 1;
    if (*c->at != '/')
        return true;
    c->at++;
    if (!word(c, &w))
        return false;
    at = (char *)w.text;
    if (isdigit((unsigned char)*at))
        a->value = strtoull(at, &at, 10);
    for (; *at != '\0'; at++) {
        const char *size = strchr(sizes, *at);

        if (size != NULL)
            a->size = 1u << (size - sizes);
        else if (strchr("xduoc", *at) != NULL)
            a->form = *at;
        else
            return wrong(c->err, "unknown format", at);
    }
    a->given = true;
    return a->value <= COUNT_MAX ? true : wrong(c->err, "too many", w.text);
}

static bool argument(struct cutter *c, char type, struct monitor_arg *a)
{
    const char *end;
    size_t len;

    a->given = true;
    switch (type) {
    case 'n': return plain_number(c, a);
    case 'i':
        if (!monitor_expression(c->s, c->at, &end, &a->value, c->err))
            return false;
        c->at += end - c->at;
        return true;
    case 'r':
        a->text = c->at;
        for (len = strlen(c->at); len > 0 && isspace((unsigned char)c->at[len - 1]); len--)
            c->at[len - 1] = '\0';
        c->at += len;
        return true;
    default: return word(c, a);
    }
}

static bool arguments(struct cutter *c, const char *types, struct monitor_arg *args)
{
    for (; *types != '\0'; types++, args++) {
        bool optional = types[1] == '?';

        c->at += strspn(c->at, BLANKS);
        if (*types == '/') {
            if (!format(c, args))
                return false;
        } else if (*types == '-') {
            types++;
            args->given = c->at[0] == '-' && c->at[1] == *types &&
                          (c->at[2] == '\0' || isspace((unsigned char)c->at[2]));
            c->at += args->given ? 2 : 0;
        } else if (*c->at != '\0') {
            if (!argument(c, *types, args))
                return false;
        } else if (!optional) {
            snprintf(c->err, MONITOR_ERR_LEN, "an argument is missing");
            return false;
        }
        types += optional;
    }
    c->at += strspn(c->at, BLANKS);
    return *c->at == '\0' ? true : wrong(c->err, "not understood", c->at);
}

/* -- Commands ---------------------------------------------------------------------------------- */

static const struct command *find(const struct command *table, const char *name)
{
    for (; table->name != NULL; table++) {
        if (strcmp(table->name, name) == 0 ||
            (table->alias != NULL && strcmp(table->alias, name) == 0))
            return table;
    }
    return NULL;
}

bool monitor_parse(struct session *s, const char *line, struct call *call,
                   char err[MONITOR_ERR_LEN])
{
    struct cutter c = {s, call->text, err};
    const struct command *table = monitor_commands;
    struct monitor_arg name;

    *call = (struct call){.command = NULL};
    snprintf(call->text, sizeof(call->text), "%s", line);
    for (;;) {
        c.at += strspn(c.at, BLANKS);
        if (*c.at == '\0')
            return true;
        /* "x/4x": the format may stand right behind the name */
        size_t len = strcspn(c.at, " \t/");
        char saved = c.at[len];
        c.at[len] = '\0';
        name.text = c.at;
        call->command = find(table, name.text);
        if (call->command == NULL)
            return wrong(err, "unknown command", name.text);
        c.at += len;
        *c.at = saved;
        if (call->command->run != NULL)
            break;
        c.at += strspn(c.at, BLANKS);
        if (*c.at == '\0') {
            call->command = find(monitor_commands, "help");
            call->args[0] = (struct monitor_arg){.given = true, .text = "info"};
            return true;
        }
        table = monitor_infos;
    }
    return arguments(&c, call->command->types, call->args);
}

void monitor_run(struct session *s, const char *line)
{
    struct call call;
    char err[MONITOR_ERR_LEN] = "";

    if (!monitor_parse(s, line, &call, err))
        say(s, "%s\n", err);
    else if (call.command != NULL)
        call.command->run(s, call.args);
}

void say(struct session *s, const char *fmt, ...)
{
    char text[1024], out[2 * sizeof(text)];
    size_t n = 0;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\n')
            out[n++] = '\r';
        out[n++] = *at;
    }
    s->put(s->arg, out, n);
}
