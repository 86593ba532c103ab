/* SPDX-License-Identifier: MIT */
/* The command line: any words. Input: words that end with a newline; an error comes with one line
 * of text. What is accepted as processor model goes on to the model's own parser. */
#include <string.h>

#include "cpu/cpu.h"
#include "frontend/options.h"
#include "tests/fuzz/input.h"

#define WORDS_MAX 32

static void try_model(const char *model)
{
    static struct cpu c;
    char err[256] = "";

    if (cpu_init(&c, model, err))
        cpu_free(&c);
    else
        REQUIRE(err[0] != '\0' && memchr(err, '\0', sizeof(err)) != NULL);
    memset(&c, 0, sizeof(c));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[WORDS_MAX + 1] = {(char *)"calque"}, *text = malloc(size + 1), *save = NULL;
    char err[OPTIONS_ERR_LEN] = "";
    struct options o;
    uint64_t bytes = 0;
    int argc = 1;

    memcpy(text, data, size);
    text[size] = '\0';
    if (options_parse_size(text, &bytes) == 0)
        REQUIRE(bytes >= VM_MIN_RAM && bytes % PAGE_SIZE == 0);
    for (char *w = strtok_r(text, "\n", &save); w != NULL && argc < WORDS_MAX;
         w = strtok_r(NULL, "\n", &save))
        argv[argc++] = w;
    if (options_parse(&o, argc, argv, err) != 0) {
        REQUIRE(err[0] != '\0' && memchr(err, '\0', sizeof(err)) != NULL);
    } else {
        REQUIRE(o.vm.ram_bytes >= VM_MIN_RAM && o.vm.ram_bytes % PAGE_SIZE == 0);
        REQUIRE(o.vm.cpus == 1 && o.serial_count <= VM_SERIAL_PORTS);
        if (o.vm.cpu_model != NULL)
            try_model(o.vm.cpu_model);
    }
    free(text);
    return 0;
}
