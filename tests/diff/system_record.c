/* SPDX-License-Identifier: MIT */
#include "tests/diff/system_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/insn.h"

#define RECORD    "tests/diff/record.txt"
#define MAX_BYTES 15u

/* -- Instructions ------------------------------------------------------------------------------ */

static uint64_t next_address(const struct cpu *c)
{
    if (c->mode & MODE_64)
        return c->r[RIP];
    return (uint32_t)(c->seg[SEG_CS].base + c->r[RIP]);
}

void trail_note(struct trail *t, const struct cpu *c, const uint8_t *ram)
{
    uint64_t la = next_address(c);
    struct insn i;

    if (c->db_pending != 0 || c->fault_pending || c->attention != 0 || c->halted ||
        la > FAKE_RAM_BYTES - MAX_BYTES || t->count == TRAIL_STEPS ||
        decode(c, &i, ram + la, MAX_BYTES) != DECODE_OK)
        return;
    t->step[t->count].row = i.op;
    t->step[t->count++].size = (uint8_t)(c->mode & MODE_64     ? CODE_64
                                         : c->mode & MODE_CS32 ? CODE_32
                                                               : CODE_16);
}

/* -- Counts ------------------------------------------------------------------------------------ */

struct tally *tally_create(void)
{
    struct tally *t = calloc(1, sizeof(*t));

    if (t == NULL || (t->rows = calloc(optab_count, sizeof(*t->rows))) == NULL)
        abort();
    return t;
}

static unsigned find_or_add(const char **names, unsigned *count, unsigned max, const char *name)
{
    unsigned k = 0;

    while (k < *count && strcmp(names[k], name) != 0)
        k++;
    if (k == max)
        abort();
    if (k == *count)
        names[(*count)++] = name;
    return k;
}

void tally_case(struct tally *t, const char *topic, const char *side, const struct trail *trail)
{
    unsigned s = find_or_add(t->side, &t->sides, TALLY_SIDES, side);

    t->cases[find_or_add(t->topic, &t->topics, TALLY_TOPICS, topic)][s]++;
    for (unsigned k = 0; trail != NULL && k < trail->count; k++)
        t->rows[trail->step[k].row][trail->step[k].size][s]++;
}

/* -- The record -------------------------------------------------------------------------------- */

/* Instructions of systems: what they do at level 0 no comparison with the host's processor shows.
 */
static bool is_of_systems(const struct op_row *row)
{
    static const char names[] =
        " ARPL BOUND CLAC CLI CLTS HLT IN INSB INSW INSD INT INT1 INT3 INTO INVD INVLPG INVPCID IRET "
        "IRETD IRETQ LAR LDS LES LFS LGDT LGS LIDT LLDT LMSW LSL LSS LTR MONITOR MWAIT OUT OUTSB "
        "OUTSW OUTSD POPF POPFD POPFQ PUSHF PUSHFD PUSHFQ RDFSBASE RDGSBASE RDMSR RDPKRU RDPMC RDTSC "
        "RDTSCP SGDT SIDT SLDT SMSW STAC STI STR SWAPGS SYSCALL SYSENTER SYSEXIT SYSRET VERR VERW "
        "WBINVD WRFSBASE WRGSBASE WRMSR WRPKRU XGETBV XSETBV ";
    char name[32];

    snprintf(name, sizeof(name), " %s ", row->name);
    if (strstr(names, name) != NULL)
        return true;
    /* MOV to and from CRn, DRn and segment registers, far pointers; PUSH and POP of S0 to S5 */
    static const char *const operands[] = {"Cy", "Dy", "Sw", "Ap", "Mp"};
    for (unsigned k = 0; k < sizeof(operands) / sizeof(operands[0]); k++)
        if (strstr(row->operands, operands[k]) != NULL)
            return true;
    return row->operands[0] == 'S';
}

static void record_row(const struct tally *t, struct record *r, unsigned row, unsigned s)
{
    char topic[96];
    uint64_t sum = 0;

    for (unsigned size = 0; size < CODE_SIZES; size++) {
        record_count(r, row, (enum code_size)size, t->side[s], t->rows[row][size][s]);
        sum += t->rows[row][size][s];
    }
    snprintf(topic, sizeof(topic), "instruction: %s%s%s", optab[row].name,
             optab[row].operands[0] != '\0' ? " " : "", optab[row].operands);
    if (is_of_systems(&optab[row]))
        record_topic(r, topic, t->side[s], sum);
}

bool tally_merge(const struct tally *t)
{
    struct record *r = record_create();
    char topic[96];
    bool ok = r != NULL;

    for (unsigned s = 0; ok && s < t->sides; s++) {
        for (unsigned k = 0; k < t->topics; k++) {
            snprintf(topic, sizeof(topic), "system: %s", t->topic[k]);
            record_topic(r, topic, t->side[s], t->cases[k][s]);
        }
        for (unsigned row = 0; row < optab_count; row++)
            record_row(t, r, row, s);
    }
    ok = ok && record_merge(r, RECORD);
    record_free(r);
    if (!ok)
        fprintf(stderr, "system_diff: can't add to " RECORD "\n");
    return ok;
}
