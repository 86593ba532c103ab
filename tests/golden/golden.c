/* SPDX-License-Identifier: MIT */
/* usage: golden [-w] DIRECTORY BINARIES
 *
 * Host instructions and bytes of host code that each instruction of a corpus of guest code is
 * translated to, compared with the files DIRECTORY/NAME.txt, which are reviewed; -w writes them
 * anew. BINARIES is where DIRECTORY/NAME.asm was assembled to. A change of any number is a failure;
 * what became longer and shorter is printed. Status 1: they differ; 77: this host can't tell. */
#include <Zydis/Zydis.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/block.h"
#include "cpu/segment.h"
#include "jit/x64/emit.h"
#include "tests/golden/golden.h"

static const ZydisMachineMode modes[CODE_SIZES] = {[CODE_64] = ZYDIS_MACHINE_MODE_LONG_64,
                                                   [CODE_32] = ZYDIS_MACHINE_MODE_LEGACY_32,
                                                   [CODE_16] = ZYDIS_MACHINE_MODE_LEGACY_16};

void guest_text(enum code_size size, const uint8_t *p, unsigned len, unsigned at,
                char text[GUEST_TEXT])
{
    ZydisDisassembledInstruction z;
    bool known = ZYAN_SUCCESS(ZydisDisassembleIntel(modes[size], at, p, len, &z));
    snprintf(text, GUEST_TEXT, "%s", known ? z.text : "(bad)");
}

void golden_put_code(struct golden *g, enum code_size size, const uint8_t *p, unsigned n)
{
    struct sequence q = {.size = size, .len = n};

    if (n > 0)
        memcpy(q.code, p, n);
    guest_set_mode(g->c, size);
    guest_write_code(g->c, &q);
    for (unsigned sreg = SEG_FS; sreg <= SEG_GS; sreg++) { /* a thread's own data */
        g->c->seg[sreg] = g->c->seg[SEG_DS];
        g->c->seg[sreg].desc_base = 0x1000;
        seg_update(g->c, sreg);
    }
}

const struct code *golden_translate(struct golden *g, enum code_size size, unsigned at)
{
    struct block *b;

    g->c->r[RIP] = code_start(size) + at;
    b = block_lookup(g->c);
    return b != NULL ? code_translate(g->j, b) : NULL;
}

static unsigned count_host(const uint8_t *p, const uint8_t *end)
{
    ZydisDecoder d;
    ZydisDecodedInstruction i;
    unsigned n = 0;

    ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (; p < end; p += i.length, n++)
        if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&d, NULL, p, (size_t)(end - p), &i)))
            abort(); /* a translation is instructions and nothing else */
    return n;
}

void golden_write_cost(struct golden *g, const struct code *x, unsigned k)
{
    const uint8_t *from = x->begin + x->host[k], *to = x->begin + x->host[k + 1];
    unsigned n = count_host(from, to);

    g->guest++;
    g->host += n;
    g->bytes += (unsigned)(to - from);
    if (x->declined >> k & 1)
        fprintf(g->out, "   -    -");
    else
        fprintf(g->out, "%4u %4u", n, (unsigned)(to - from));
}

/* -- Sequences --------------------------------------------------------------------------------- */

/* All blocks of a sequence. */
static void write_sequence(struct golden *g, enum code_size size, const char *name,
                           const uint8_t *p, unsigned len)
{
    unsigned at = 0;

    g->guest = g->host = g->bytes = 0;
    fprintf(g->out, "\n%s\n", name);
    golden_put_code(g, size, p, len);
    while (at < len) {
        const struct code *x = golden_translate(g, size, at);
        if (x == NULL)
            break;
        for (unsigned k = 0; k < x->block->count && at < len; k++) {
            unsigned n = x->block->insn[k].len;
            char text[GUEST_TEXT];
            guest_text(size, p + at, n, at, text);
            golden_write_cost(g, x, k);
            fprintf(g->out, "  %3x  %s\n", at, text);
            at += n;
        }
    }
    fprintf(g->out, "%4u %4u  for %u instructions of %u bytes\n", g->host, g->bytes, g->guest, len);
}

/* What sequences.asm made: code size, length and bytes of the name, of the code; 0. */
static void write_sequences(struct golden *g, const char *path)
{
    static const enum code_size sizes[] = {[16] = CODE_16, [32] = CODE_32, [64] = CODE_64};
    uint8_t head[2];
    FILE *f = fopen(path, "rb");

    if (f == NULL) {
        perror(path);
        exit(2);
    }
    while (fread(head, 1, 2, f) == 2 && head[0] != 0) {
        char name[256] = "";
        uint8_t code[256], len;
        if (fread(name, 1, head[1], f) != head[1] || fread(&len, 1, 1, f) != 1 ||
            fread(code, 1, len, f) != len)
            break;
        write_sequence(g, sizes[head[0]], name, code, len);
    }
    fclose(f);
}

/* -- Files ------------------------------------------------------------------------------------- */

/* Code runs under the systems that it is written for, but for the last: 32-bit programs in long
 * mode. */
static const struct file {
    const char *name, *about;
    enum guest_system system;
    enum code_size size;
    const char *binary; /* NULL: all forms */
} files[] = {
    {"forms16", "Instructions in 16-bit code", GUEST_REAL, CODE_16, NULL},
    {"forms32", "Instructions in 32-bit code", GUEST_PAGED, CODE_32, NULL},
    {"forms64", "Instructions in 64-bit code", GUEST_LONG, CODE_64, NULL},
    {"code32", "What compilers and people write, 32-bit", GUEST_PAGED, CODE_32, "code32"},
    {"code64", "What compilers and people write, 64-bit", GUEST_LONG, CODE_64, "code64"},
    {"compat32", "The same 32-bit code in long mode", GUEST_LONG, CODE_32, "code32"},
};

static void write_file(struct golden *g, const struct file *file, const char *binaries)
{
    fprintf(g->out,
            "# %s: host instructions and bytes of host code for each.\n"
            "# Made by ./dev accept. A dash: left to the interpreter.\n",
            file->about);
    if (file->binary == NULL) {
        golden_write_forms(g, file->size);
    } else {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s.bin", binaries, file->binary);
        write_sequences(g, path);
    }
}

static char *read_all(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    size_t n = 0;

    if (f == NULL || getdelim(&text, &n, '\0', f) < 0) {
        free(text);
        text = strdup("");
    }
    if (f != NULL)
        fclose(f);
    return text;
}

/* -- Comparing --------------------------------------------------------------------------------- */

#define COST 9

/* A line: the numbers, and what they are of. */
struct line {
    char cost[COST + 1];
    const char *what;
};

static unsigned split(char *text, struct line *lines, unsigned max)
{
    unsigned n = 0;
    char *save = NULL;

    for (char *t = strtok_r(text, "\n", &save); t != NULL && n < max;
         t = strtok_r(NULL, "\n", &save), n++) {
        bool costs = strlen(t) > COST && strspn(t, " -0123456789") >= COST;
        memcpy(lines[n].cost, costs ? t : "", costs ? COST : 1);
        lines[n].what = costs ? t + COST : t;
    }
    return n;
}

#define MAX_SHOWN 60

struct verdict {
    unsigned longer, shorter, other;
};

static void show(const struct verdict *v, const char *verdict, const struct line *was,
                 const struct line *is)
{
    if (v->longer + v->shorter + v->other > MAX_SHOWN)
        return;
    printf("  %-8s %9s %s %9s  %s\n", verdict, was != NULL ? was->cost : "",
           was != NULL && is != NULL ? "->" : "  ", is != NULL ? is->cost : "",
           is != NULL ? is->what : was->what);
}

static void compare_costs(const struct line *was, const struct line *is, struct verdict *v)
{
    bool was_left = strchr(was->cost, '-') != NULL, is_left = strchr(is->cost, '-') != NULL;
    /* Instructions, then bytes: the columns are of one width. */
    bool longer = was_left != is_left ? is_left : strcmp(is->cost, was->cost) > 0;

    if (strcmp(was->cost, is->cost) == 0)
        return;
    if (longer)
        v->longer++;
    else
        v->shorter++;
    show(v, longer ? "longer" : "shorter", was, is);
}

#define MAX_LINES 8192

static struct verdict compare(char *was_text, char *is_text)
{
    static struct line was[MAX_LINES], is[MAX_LINES];
    unsigned nwas = split(was_text, was, MAX_LINES), nis = split(is_text, is, MAX_LINES);
    struct verdict v = {0};
    unsigned a = 0, b = 0;

    while (a < nwas || b < nis) {
        unsigned ahead = 0;
        if (a < nwas && b < nis && strcmp(was[a].what, is[b].what) == 0) {
            compare_costs(&was[a++], &is[b++], &v);
            continue;
        }
        v.other++;
        while (a < nwas && b + ahead < nis && strcmp(was[a].what, is[b + ahead].what) != 0)
            ahead++;
        if (b < nis && (a == nwas || b + ahead < nis)) {
            show(&v, "new", NULL, &is[b++]);
        } else {
            show(&v, "gone", &was[a++], NULL);
        }
    }
    return v;
}

/* False: it is not what it was. */
static bool check_file(const struct file *file, const char *path, char *is)
{
    char *was = read_all(path);
    bool same = strcmp(was, is) == 0;

    if (!same) {
        printf("%s, guest code translated to other host code:\n", path);
        struct verdict v = compare(was, is);
        printf("%s: %u longer, %u shorter, %u new or gone. If that is as it should be: ./dev "
               "accept\n",
               file->name, v.longer, v.shorter, v.other);
    }
    free(was);
    return same;
}

/* False: it differs. */
static bool do_file(struct golden *g, const struct file *file, char **dirs, bool write)
{
    char path[4096], *text = NULL;
    size_t n = 0;
    bool good = true;

    snprintf(path, sizeof(path), "%s/%s.txt", dirs[0], file->name);
    g->out = open_memstream(&text, &n);
    write_file(g, file, dirs[1]);
    fclose(g->out);
    if (write) {
        FILE *f = fopen(path, "wb");
        good = f != NULL && fwrite(text, 1, n, f) == n;
        good = f != NULL && fclose(f) == 0 && good;
        if (!good)
            perror(path);
    } else {
        good = check_file(file, path, text);
    }
    free(text);
    return good;
}

static bool has_all(enum isa isa)
{
    (void)isa;
    return true;
}

/* The exit status. */
static int open_and_do(const struct file *file, char **folders, bool write)
{
    struct jit_config cfg = {.checks = JIT_CHECKS_HOST}; /* the other form is longer */
    struct golden g = {.c = guest_create(has_all, file->system)};
    char err[256];
    int status = 2;

    if (g.c == NULL)
        return status;
    if (jit_create(&g.j, g.c, guest_ram(g.c), &cfg, err) != 0) {
        printf("skipped: %s\n", err);
        status = 77;
    } else if (g.j->backend->restricted) {
        printf("skipped: the host lacks instructions that others translate to\n");
        status = 77;
    } else {
        status = !do_file(&g, file, folders, write);
    }
    jit_free(g.j);
    guest_free(g.c);
    return status;
}

int main(int argc, char **argv)
{
    bool write = argc == 4 && strcmp(argv[1], "-w") == 0;
    int status = 0;

    if (argc != (write ? 4 : 3)) {
        fprintf(stderr, "usage: golden [-w] DIRECTORY BINARIES\n");
        return 2;
    }
    for (unsigned k = 0; k < sizeof(files) / sizeof(files[0]) && status <= 1; k++) {
        int s = open_and_do(&files[k], argv + argc - 2, write);
        status = s > status ? s : status;
    }
    return status;
}
