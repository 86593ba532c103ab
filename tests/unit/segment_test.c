/* SPDX-License-Identifier: MIT */
/* Segment registers: loads in all modes, limits, system segments, and questions about descriptors.
 */
#include "tests/unit/fake_machine.h"
#include "tests/unit/protected.h"

#include <stdlib.h>

/* mov ds, eax */
static void load_ds(struct fake_machine *m, uint16_t sel)
{
    CODE_AT(m, CODE, 0x8e, 0xd8);
    m->cpu.r[RAX] = sel;
    m->cpu.r[RIP] = CODE;
}

/* mov ss, eax */
static void load_ss(struct fake_machine *m, uint16_t sel)
{
    CODE_AT(m, CODE, 0x8e, 0xd0);
    m->cpu.r[RAX] = sel;
    m->cpu.r[RIP] = CODE;
}

START_TEST(data_segment_is_loaded_and_marked_accessed)
{
    struct fake_machine *m = world_create(NULL);
    load_ds(m, SEL_RODATA);
    step(m);
    const struct seg *s = &m->cpu.seg[SEG_DS];
    ck_assert_uint_eq(s->sel, SEL_RODATA);
    ck_assert_uint_eq(s->base, DATA);
    ck_assert_uint_eq(s->limit, 0xfff);
    ck_assert_uint_eq(s->rd_end, 0x1000);
    ck_assert_uint_eq(s->wr_end, 0);
    ck_assert_uint_eq(get(m, GDT + SEL_RODATA + 5, 1) & 1, 1);
    fake_machine_free(m);
}
END_TEST

START_TEST(bad_data_segments_fault)
{
    static const struct {
        uint16_t sel;
        int vec, err;
    } cases[] = {
        {SEL_ABSENT, VEC_NP, SEL_ABSENT},   {SEL_EXECONLY, VEC_GP, SEL_EXECONLY},
        {SEL_TSS, VEC_GP, SEL_TSS},         {0xf00, VEC_GP, 0xf00},
        {SEL_DATA0 | 3, VEC_GP, SEL_DATA0}, {0x0c, VEC_GP, 0x0c},
    };
    for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct fake_machine *m = world_create(NULL);
        load_ds(m, cases[k].sel);
        step_faults(m, cases[k].vec, cases[k].err);
        ck_assert_uint_eq(m->cpu.seg[SEG_DS].sel, SEL_DATA0);
        fake_machine_free(m);
    }
}
END_TEST

START_TEST(null_data_segment_faults_on_use_only)
{
    struct fake_machine *m = world_create(NULL);
    load_ds(m, 3);
    step(m);
    ck_assert(!m->cpu.seg[SEG_DS].usable);
    CODE_AT(m, CODE + 2, 0xa0, 0, 0, 4, 0); /* mov al, [0x40000] */
    step_faults(m, VEC_GP, 0);
    fake_machine_free(m);
}
END_TEST

START_TEST(stack_segment_is_checked)
{
    static const struct {
        uint16_t sel;
        int vec, err;
    } cases[] = {{0, VEC_GP, 0},
                 {SEL_RODATA, VEC_GP, SEL_RODATA},
                 {SEL_DATA3, VEC_GP, SEL_DATA3 & ~3},
                 {SEL_CODE0, VEC_GP, SEL_CODE0},
                 {SEL_ABSENT, VEC_SS, SEL_ABSENT}};
    for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct fake_machine *m = world_create(NULL);
        load_ss(m, cases[k].sel);
        step_faults(m, cases[k].vec, cases[k].err);
        fake_machine_free(m);
    }
}
END_TEST

START_TEST(loading_ss_holds_interrupts_off_for_one_instruction)
{
    struct fake_machine *m = world_create(NULL);
    load_ss(m, SEL_DATA0);
    CODE_AT(m, CODE + 2, 0x90, 0x90);
    m->cpu.eflags |= EFL_IF;
    step(m);
    m->pending_vector = 40;
    cpu_attend(&m->cpu, ATT_INTR, 0);
    step(m);
    ck_assert_uint_eq(m->cpu.r[RIP], CODE + 3);
    step(m);
    ck_assert(at_handler(m) == 40 || m->cpu.r[RIP] == HANDLER + 16 * 40 + 1);
    fake_machine_free(m);
}
END_TEST

START_TEST(limits_are_exact)
{
    struct fake_machine *m = world_create(NULL);
    load_ds(m, SEL_RODATA);
    step(m);
    CODE_AT(m, CODE + 2, 0xa1, 0xfc, 0x0f, 0, 0); /* mov eax, [0xffc] */
    step(m);
    CODE_AT(m, CODE + 7, 0xa1, 0xfd, 0x0f, 0, 0);
    step_faults(m, VEC_GP, 0);
    fake_machine_free(m);
}
END_TEST

START_TEST(read_only_segment_refuses_writes)
{
    struct fake_machine *m = world_create(NULL);
    load_ds(m, SEL_RODATA);
    step(m);
    CODE_AT(m, CODE + 2, 0xa2, 0, 0, 0, 0);
    step_faults(m, VEC_GP, 0);
    fake_machine_free(m);
}
END_TEST

START_TEST(expand_down_segment_is_valid_above_its_limit)
{
    struct fake_machine *m = world_create(NULL);
    load_ds(m, SEL_DOWN);
    step(m);
    put(m, DATA + 0x1000, 1, 0x5a);
    CODE_AT(m, CODE + 2, 0xa0, 0, 0x10, 0, 0);
    step(m);
    ck_assert_uint_eq(m->cpu.r[RAX] & 0xff, 0x5a);
    CODE_AT(m, CODE + 7, 0xa0, 0xff, 0x0f, 0, 0);
    step_faults(m, VEC_GP, 0);
    fake_machine_free(m);
}
END_TEST

START_TEST(real_mode_keeps_the_limit)
{
    struct fake_machine *m = fake_machine_create(NULL);
    struct cpu *c = &m->cpu;
    c->seg[SEG_CS].base = c->seg[SEG_CS].desc_base = 0;
    c->seg[SEG_CS].sel = 0;
    c->r[RIP] = 0x7c00;
    c->seg[SEG_DS].limit = 0xffffffff; /* big real mode */
    cpu_update_mode(c);
    CODE_AT(m, 0x7c00, 0x8e, 0xd8, 0x67, 0x66, 0xa1, 0x10, 0, 2,
            0); /* mov ds, ax; mov eax, [0x20010] */
    c->r[RAX] = 0x1000;
    put(m, 0x30010, 4, 0x12345678);
    step(m);
    ck_assert_uint_eq(c->seg[SEG_DS].base, 0x10000);
    ck_assert_uint_eq(c->seg[SEG_DS].limit, 0xffffffff);
    step(m);
    ck_assert_uint_eq(c->r[RAX], 0x12345678);
    fake_machine_free(m);
}
END_TEST

START_TEST(lldt_and_ltr)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    CODE_AT(m, CODE, 0x0f, 0x00, 0xd0, 0x0f, 0x00, 0xdb, 0x0f, 0x00,
            0xdb); /* lldt ax; ltr bx; ltr bx */
    c->r[RAX] = SEL_LDT;
    c->r[RBX] = SEL_TSS2;
    step(m);
    ck_assert_uint_eq(c->ldtr.base, LDT);
    ck_assert_uint_eq(c->ldtr.limit, 0x3f);
    step(m);
    ck_assert_uint_eq(c->tr.base, TSS2);
    ck_assert_uint_eq(get(m, GDT + SEL_TSS2 + 5, 1), 0x8b);
    step_faults(m, VEC_GP, SEL_TSS2); /* busy now */
    fake_machine_free(m);
}
END_TEST

START_TEST(ldt_selectors_need_an_ldt)
{
    struct fake_machine *m = world_create(NULL);
    put(m, LDT + 8, 8, descriptor(0x5000, 0xff, 0x0092));
    load_ds(m, 0x0c);
    step_faults(m, VEC_GP, 0x0c);
    fake_machine_free(m);
    m = world_create(NULL);
    put(m, LDT + 8, 8, descriptor(0x5000, 0xff, 0x0092));
    m->cpu.ldtr = (struct seg){.base = LDT, .limit = 0x3f, .sel = SEL_LDT, .usable = true};
    load_ds(m, 0x0c);
    step(m);
    ck_assert_uint_eq(m->cpu.seg[SEG_DS].base, 0x5000);
    fake_machine_free(m);
}
END_TEST

START_TEST(verr_verw_lar_lsl)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    CODE_AT(m, CODE, 0x0f, 0x00, 0xe0, 0x0f, 0x00, 0xe8, 0x0f, 0x02, 0xd8, 0x0f, 0x03, 0xc8);
    c->r[RAX] = SEL_RODATA;
    step(m); /* verr ax */
    ck_assert(flag_z(c));
    step(m); /* verw ax */
    ck_assert(!flag_z(c));
    step(m); /* lar ebx, eax */
    ck_assert(flag_z(c));
    ck_assert_uint_eq(c->r[RBX], 0x9000);
    step(m); /* lsl ecx, eax */
    ck_assert(flag_z(c));
    ck_assert_uint_eq(c->r[RCX], 0xfff);
    c->r[RIP] = CODE + 6;
    c->r[RAX] = SEL_DATA0;
    step(m); /* with the limit's upper bits, as processors have them */
    ck_assert_uint_eq(c->r[RBX] & ~0x100u, 0xcf9200);
    c->r[RIP] = CODE + 6;
    c->r[RAX] = 0;
    c->r[RBX] = 77;
    step(m);
    ck_assert(!flag_z(c));
    ck_assert_uint_eq(c->r[RBX], 77);
    fake_machine_free(m);
}
END_TEST

START_TEST(long_mode_ignores_bases_and_limits_but_fs_gs)
{
    struct fake_machine *m = world_create64();
    struct cpu *c = &m->cpu;
    set_desc(m, SEL_RODATA, descriptor(DATA, 0xf, 0x0090));
    CODE_AT(m, CODE, 0x8e, 0xd8, 0x8e, 0xe0, 0x8a, 0x19, 0x64, 0x8a, 0x39);
    put(m, 0x5000, 1, 0x11);
    put(m, DATA + 0x5000, 1, 0x22);
    c->r[RAX] = SEL_RODATA;
    c->r[RCX] = 0x5000;
    step(m); /* mov ds, eax */
    step(m); /* mov fs, eax */
    step(m); /* mov bl, [rcx] */
    ck_assert_uint_eq(c->r[RBX] & 0xff, 0x11);
    step(m); /* mov bh, fs:[rcx] */
    ck_assert_uint_eq(c->r[RBX] >> 8 & 0xff, 0x22);
    fake_machine_free(m);
}
END_TEST

START_TEST(long_mode_allows_a_null_stack_segment_below_level_3)
{
    struct fake_machine *m = world_create64();
    load_ss(m, 0);
    step(m);
    ck_assert_uint_eq(m->cpu.seg[SEG_SS].sel, 0);
    ck_assert_uint_eq(m->cpu.cpl, 0);
    fake_machine_free(m);
}
END_TEST

START_TEST(long_mode_system_descriptors_have_16_bytes)
{
    struct fake_machine *m = world_create64();
    CODE_AT(m, CODE, 0x0f, 0x00, 0xd8); /* ltr ax */
    m->cpu.r[RAX] = SEL_GATE;
    set_desc(m, SEL_GATE, descriptor(0x12345000, 0x67, 0x0089));
    put(m, GDT + SEL_GATE + 8, 8, 0x1234);
    step(m);
    ck_assert_uint_eq(m->cpu.tr.base, UINT64_C(0x123412345000));
    fake_machine_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("segment");
    TCase *t = tcase_create("segment");
    tcase_add_test(t, data_segment_is_loaded_and_marked_accessed);
    tcase_add_test(t, bad_data_segments_fault);
    tcase_add_test(t, null_data_segment_faults_on_use_only);
    tcase_add_test(t, stack_segment_is_checked);
    tcase_add_test(t, loading_ss_holds_interrupts_off_for_one_instruction);
    tcase_add_test(t, limits_are_exact);
    tcase_add_test(t, read_only_segment_refuses_writes);
    tcase_add_test(t, expand_down_segment_is_valid_above_its_limit);
    tcase_add_test(t, real_mode_keeps_the_limit);
    tcase_add_test(t, lldt_and_ltr);
    tcase_add_test(t, ldt_selectors_need_an_ldt);
    tcase_add_test(t, verr_verw_lar_lsl);
    tcase_add_test(t, long_mode_ignores_bases_and_limits_but_fs_gs);
    tcase_add_test(t, long_mode_allows_a_null_stack_segment_below_level_3);
    tcase_add_test(t, long_mode_system_descriptors_have_16_bytes);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
