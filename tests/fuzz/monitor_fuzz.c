/* SPDX-License-Identifier: MIT */
/* The monitor: any bytes typed at it; those with the highest bit type a command's name. Lines go on
 * to their commands, but for those that write files or wait; what is wrong gives one line of text.
 */
#include <string.h>

#include "devices/pc.h"
#include "frontend/monitor.h"
#include "frontend/monitor_line.h"
#include "tests/fuzz/input.h"
#include "vmm/vm.h"

static size_t printed;

static void put(void *arg, const char *text, size_t n)
{
    (void)arg;
    REQUIRE(n == 0 || text != NULL);
    printed += n;
}

static bool do_not_wait(void *arg, unsigned ms)
{
    (void)arg;
    (void)ms;
    return true;
}

static const char *candidate(unsigned n)
{
    return monitor_commands[n].name;
}

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

static void run(struct session *s, const char *line)
{
    char err[MONITOR_ERR_LEN] = "";
    struct call call;

    if (!monitor_parse(s, line, &call, err)) {
        REQUIRE(err[0] != '\0' && memchr(err, '\0', sizeof(err)) != NULL);
        REQUIRE(strchr(err, '\n') == NULL);
    } else if (call.command != NULL && strchr(call.command->types, 'F') == NULL) {
        call.command->run(s, call.args);
    }
}

static void type(struct session *s, struct line *line, char key)
{
    if (line_key(line, key)) {
        run(s, line->text);
        line_begin(line);
    }
    REQUIRE(line->at <= line->len && line->len < LINE_LEN && line->text[line->len] == '\0');
}

static void type_name(struct session *s, struct line *line, unsigned n)
{
    const struct command *table = n & 0x40 ? monitor_infos : monitor_commands;

    for (n &= 0x3f; n > 0 && table[1].name != NULL; n--)
        table++;
    for (const char *at = table->name; *at != '\0'; at++)
        type(s, line, *at);
    type(s, line, ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vm *vm;
    struct session s;
    struct line line = {.prompt = "> ", .put = put, .candidate = candidate};

    if (vm == NULL)
        vm = create();
    s = (struct session){.vm = vm, .put = put, .wait = do_not_wait};
    line_begin(&line);
    for (size_t k = 0; k < size; k++) {
        if (data[k] & 0x80)
            type_name(&s, &line, data[k] & 0x7f);
        else
            type(&s, &line, (char)data[k]);
    }
    line_free(&line);
    return 0;
}
