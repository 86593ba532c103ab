/* SPDX-License-Identifier: MIT */
/* The monitor for people (and scripts that talk to QEMU's): commands about a running machine, typed
 * at a terminal or sent to a socket. */
#ifndef FRONTEND_MONITOR_H
#define FRONTEND_MONITOR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;
struct monitor;
struct screens;

/* A monitor at each of the host ends `specs` (chardev.h), and one beside each serial port that was
 * opened with "mon:". Before vm_run(). 0, or -errno with one line of text in err. */
int monitors_start(struct monitor **list, struct vm *vm, struct screens *screens,
                   const char *const *specs, unsigned count, char *err);
/* After vm_run(). */
void monitors_stop(struct monitor *list);

/* -- Commands ---------------------------------------------------------------------------------- */

/* Where a command runs: for whom it prints, and what stays between two of them. */
struct session {
    struct vm *vm;
    struct screens *screens; /* NULL: none */
    void (*put)(void *arg, const char *text, size_t n);
    /* Let time pass; false: the program ends. */
    bool (*wait)(void *arg, unsigned ms);
    void *arg;
    char memory_form; /* of x and xp, as given last */
    unsigned memory_size;
};

/* printf to the session; newlines become carriage return and newline. */
void say(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define MONITOR_ARGS    4
#define MONITOR_ERR_LEN 160

/* An argument as parsed. */
struct monitor_arg {
    bool given;
    const char *text; /* words and rests of lines; in the parsed copy of the line */
    uint64_t value;   /* numbers; the count of a format */
    char form;        /* formats: the letters, or 0 */
    unsigned size;    /* formats: bytes, or 0 */
};

struct command {
    const char *name, *alias; /* alias: NULL where there is none */
    const char *params;       /* for help */
    /* One letter per argument: w word, F file name, r rest of the line, i expression, n number,
     * / format, - option of one letter, which follows. ? after it: may be missing. */
    const char *types;
    const char *help;
    void (*run)(struct session *s, const struct monitor_arg *args);
};

/* A line cut up. */
struct call {
    const struct command *command; /* NULL: the line is empty */
    struct monitor_arg args[MONITOR_ARGS];
    char text[1024];
};

/* False where it is wrong, with the reason in err. */
bool monitor_parse(struct session *s, const char *line, struct call *call,
                   char err[MONITOR_ERR_LEN]);

/* Parse and run a line; errors are printed. */
void monitor_run(struct session *s, const char *line);

/* The value of an expression, as print knows it. *end is where it stops. */
bool monitor_expression(struct session *s, const char *text, const char **end, uint64_t *value,
                        char err[MONITOR_ERR_LEN]);

/* Tables, ended by rows without a name. */
extern const struct command monitor_commands[];
extern const struct command monitor_infos[];

/* The register of a name without its $. */
bool monitor_register(struct session *s, const char *name, size_t len, uint64_t *value);

struct cpu;
/* The physical address of a linear one, by the tables as they are in memory; under vm_inspect(). */
bool monitor_translate(struct vm *vm, const struct cpu *c, uint64_t la, uint64_t *pa);

/* Commands that have files of their own. */
void monitor_help(struct session *s, const struct monitor_arg *args);
void monitor_mem(struct session *s, const struct monitor_arg *args);
void monitor_memory(struct session *s, const struct monitor_arg *args);
void monitor_memsave(struct session *s, const struct monitor_arg *args);
void monitor_physical_memory(struct session *s, const struct monitor_arg *args);
void monitor_pmemsave(struct session *s, const struct monitor_arg *args);
void monitor_print(struct session *s, const struct monitor_arg *args);
void monitor_port_in(struct session *s, const struct monitor_arg *args);
void monitor_port_out(struct session *s, const struct monitor_arg *args);
void monitor_sendkey(struct session *s, const struct monitor_arg *args);
void monitor_block(struct session *s, const struct monitor_arg *args);
void monitor_change(struct session *s, const struct monitor_arg *args);
void monitor_eject(struct session *s, const struct monitor_arg *args);
void monitor_sum(struct session *s, const struct monitor_arg *args);
void monitor_tlb(struct session *s, const struct monitor_arg *args);
void monitor_registers(struct session *s, const struct monitor_arg *args);

#endif
