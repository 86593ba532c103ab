/* SPDX-License-Identifier: MIT */
/* FXSAVE, FXRSTOR, XSAVE, XSAVEOPT, XRSTOR (SDM 1 10.5 and chapter 13; 2A FXSAVE, 2C XSAVE).
 * Standard form only. The image is read whole, changed, and written whole, so that a fault leaves
 * memory as it was. */
#include "cpu/ops.h"
#include "cpu/system.h"
#include "cpu/x87.h"

#define FX_BYTES    512
#define FX_SAVED    416 /* bytes that FXSAVE defines; software may use the rest */
#define FX_MXCSR    24
#define FX_ST       32
#define FX_XMM      160
#define XS_HEADER   512
#define XS_AVX      576
#define XS_MAX      832
#define MXCSR_VALID 0x0000ffffu

/* -- The legacy area --------------------------------------------------------------------------- */

static void put(uint8_t *at, uint64_t v, unsigned n)
{
    memcpy(at, &v, n);
}

static uint64_t get(const uint8_t *at, unsigned n)
{
    uint64_t v = 0;
    memcpy(&v, at, n);
    return v;
}

/* With REX.W the instruction pointers are 64-bit offsets, else 32-bit ones with selectors. */
static void save_x87(const struct cpu *c, uint8_t *p, bool wide)
{
    const struct fpu *f = &c->fpu;
    put(p, f->cw, 2);
    put(p + 2, x87_status(c), 2);
    put(p + 4, f->valid, 2);
    put(p + 6, f->fop, 2);
    if (wide) {
        put(p + 8, f->fip, 8);
        put(p + 16, f->fdp, 8);
    } else {
        put(p + 8, f->fip, 4);
        put(p + 12, f->fcs, 4);
        put(p + 16, f->fdp, 4);
        put(p + 20, f->fds, 4);
    }
    for (unsigned k = 0; k < 8; k++) {
        struct f80 v = x87_get(c, k);
        put(p + FX_ST + k * 16, v.man, 8);
        put(p + FX_ST + k * 16 + 8, v.se, 8);
    }
}

static void restore_x87(struct cpu *c, const uint8_t *p, bool wide)
{
    struct fpu *f = &c->fpu;
    uint16_t sw = (uint16_t)get(p + 2, 2);
    f->cw = (uint16_t)((get(p, 2) & 0x1f3f) | 0x40);
    f->top = sw >> 11 & 7;
    f->sw = sw & (uint16_t) ~(FSW_TOP | FSW_ES | FSW_B);
    if (f->sw & ~f->cw & FP_ALL)
        f->sw |= FSW_ES | FSW_B;
    x87_release_ferr(c);
    f->valid = p[4];
    f->fop = get(p + 6, 2) & 0x7ff;
    f->fip = get(p + 8, wide ? 8 : 4);
    f->fdp = get(p + 16, wide ? 8 : 4);
    f->fcs = wide ? 0 : (uint16_t)get(p + 12, 2);
    f->fds = wide ? 0 : (uint16_t)get(p + 20, 2);
    for (unsigned k = 0; k < 8; k++) {
        struct f80 *v = &f->st[x87_phys(c, k)];
        v->man = get(p + FX_ST + k * 16, 8);
        v->se = (uint16_t)get(p + FX_ST + k * 16 + 8, 2);
    }
}

static unsigned xmm_count(const struct cpu *c)
{
    return c->mode & MODE_64 ? 16 : 8;
}

static void save_mxcsr(const struct cpu *c, uint8_t *p)
{
    put(p + FX_MXCSR, c->fpu.mxcsr, 4);
    put(p + FX_MXCSR + 4, MXCSR_VALID, 4);
}

static void save_xmm(const struct cpu *c, uint8_t *p)
{
    for (unsigned k = 0; k < xmm_count(c); k++)
        memcpy(p + FX_XMM + k * 16, &c->fpu.xmm[k], 16);
}

static void restore_xmm(struct cpu *c, const uint8_t *p)
{
    for (unsigned k = 0; k < xmm_count(c); k++)
        memcpy(&c->fpu.xmm[k], p + FX_XMM + k * 16, 16);
}

/* -- Checks ------------------------------------------------------------------------------------ */

static bool is_aligned(struct cpu *c, const struct insn *i, unsigned n)
{
    uint64_t la = (c->seg[i->seg].base + ea(c, i)) & c->la_mask;
    return !(la & (n - 1)) || cpu_raise_gp(c, 0);
}

static bool fx_ready(struct cpu *c, const struct insn *i)
{
    if (c->cr0 & (CR0_EM | CR0_TS))
        return cpu_raise(c, VEC_NM, 0);
    return is_aligned(c, i, 16);
}

static bool xsave_ready(struct cpu *c, const struct insn *i)
{
    if (!(c->cr4 & CR4_OSXSAVE))
        return cpu_raise_ud(c);
    if (c->cr0 & CR0_TS)
        return cpu_raise(c, VEC_NM, 0);
    return is_aligned(c, i, 64);
}

/* -- FXSAVE, FXRSTOR --------------------------------------------------------------------------- */

/* Without CR4.OSFXSR the SSE state stays out of it. */
OP_NONE(fxsave)
{
    uint8_t image[FX_SAVED];
    bool sse = c->cr4 & CR4_OSFXSR;
    if (!fx_ready(c, i) || !mem_probe(c, i->seg, ea(c, i), sizeof(image), true) ||
        !mem_read_bytes(c, i->seg, ea(c, i), image, sizeof(image)))
        return false;
    save_x87(c, image, i->prefix & INSN_REXW);
    if (sse) {
        save_mxcsr(c, image);
        save_xmm(c, image);
    }
    return mem_write_bytes(c, i->seg, ea(c, i), image, sizeof(image));
}

OP_NONE(fxrstor)
{
    uint8_t image[FX_BYTES];
    bool sse = c->cr4 & CR4_OSFXSR;
    if (!fx_ready(c, i) || !mem_read_bytes(c, i->seg, ea(c, i), image, sizeof(image)))
        return false;
    uint32_t mxcsr = (uint32_t)get(image + FX_MXCSR, 4);
    if (sse && mxcsr & ~MXCSR_VALID)
        return cpu_raise_gp(c, 0);
    restore_x87(c, image, i->prefix & INSN_REXW);
    if (sse) {
        c->fpu.mxcsr = mxcsr;
        restore_xmm(c, image);
    }
    return true;
}

/* -- XSAVE, XRSTOR ----------------------------------------------------------------------------- */

/* Components that the instruction works on. */
static uint64_t requested(const struct cpu *c)
{
    return c->xcr0 & ((uint32_t)c->r[RAX] | c->r[RDX] << 32);
}

/* The upper halves of the ymm registers. */
static void save_avx(const struct cpu *c, uint8_t *p)
{
    for (unsigned k = 0; k < xmm_count(c); k++)
        memcpy(p + XS_AVX + k * 16, &c->fpu.xmm[k].q[2], 16);
}

static void restore_avx(struct cpu *c, const uint8_t *p)
{
    for (unsigned k = 0; k < xmm_count(c); k++)
        memcpy(&c->fpu.xmm[k].q[2], p + XS_AVX + k * 16, 16);
}

static bool x87_in_use(const struct fpu *f)
{
    uint64_t used = f->sw | f->top | f->valid | f->fop | f->fcs | f->fds | f->fip | f->fdp;
    for (unsigned k = 0; k < 8; k++)
        used |= f->st[k].man | f->st[k].se;
    return used != 0 || f->cw != 0x37f;
}

uint64_t xsave_in_use(const struct cpu *c)
{
    uint64_t xmm = 0, ymm = 0;
    for (unsigned k = 0; k < 16; k++) {
        xmm |= c->fpu.xmm[k].q[0] | c->fpu.xmm[k].q[1];
        ymm |= c->fpu.xmm[k].q[2] | c->fpu.xmm[k].q[3];
    }
    uint64_t in_use = (x87_in_use(&c->fpu) ? XCR0_X87 : 0) | (xmm != 0 ? XCR0_SSE : 0) |
                      (ymm != 0 ? XCR0_AVX : 0);
    in_use |= c->pkru != 0 ? XCR0_PKRU : 0;
    return in_use & c->xcr0;
}

/* PKRU lies far behind the rest, so it is not part of the image. */
static uint64_t pkru_at(const struct cpu *c, const struct insn *i)
{
    return ea(c, i) + XSAVE_PKRU_AT;
}

/* optimise: components in their initial state are only told, not written. */
static bool xsave_image(struct cpu *c, const struct insn *i, bool optimise)
{
    uint8_t image[XS_MAX];
    uint64_t asked = requested(c), in_use = xsave_in_use(c);
    uint64_t what = optimise ? asked & in_use : asked;
    unsigned n = asked & XCR0_AVX ? XS_MAX : XS_HEADER + 8;
    if (!xsave_ready(c, i) || !mem_probe(c, i->seg, ea(c, i), n, true) ||
        (asked & XCR0_PKRU && !mem_probe(c, i->seg, pkru_at(c, i), XSAVE_PKRU_BYTES, true)) ||
        !mem_read_bytes(c, i->seg, ea(c, i), image, n))
        return false;
    if (what & XCR0_X87)
        save_x87(c, image, i->prefix & INSN_REXW);
    if (asked & (XCR0_SSE | XCR0_AVX))
        save_mxcsr(c, image);
    if (what & XCR0_SSE)
        save_xmm(c, image);
    if (what & XCR0_AVX)
        save_avx(c, image);
    put(image + XS_HEADER, (get(image + XS_HEADER, 8) & ~asked) | (asked & in_use), 8);
    if (what & XCR0_PKRU) {
        uint8_t pkru[XSAVE_PKRU_BYTES] = {0};
        put(pkru, c->pkru, 4);
        if (!mem_write_bytes(c, i->seg, pkru_at(c, i), pkru, sizeof(pkru)))
            return false;
    }
    return mem_write_bytes(c, i->seg, ea(c, i), image, n);
}

OP_NONE(xsave)
{
    return xsave_image(c, i, false);
}
OP_NONE(xsaveopt)
{
    return xsave_image(c, i, true);
}

/* A component that the image does not hold gets its initial state. */
static void init_component(struct cpu *c, uint64_t component)
{
    if (component == XCR0_X87) {
        struct f80 zero = {0};
        x87_init(c);
        x87_release_ferr(c);
        for (unsigned k = 0; k < 8; k++)
            c->fpu.st[k] = zero;
        return;
    }
    for (unsigned k = 0; k < xmm_count(c); k++)
        memset(&c->fpu.xmm[k].q[component == XCR0_AVX ? 2 : 0], 0, 16);
}

static bool header_ok(const struct cpu *c, const uint8_t *image)
{
    return !(get(image + XS_HEADER, 8) & ~c->xcr0) && get(image + XS_HEADER + 8, 8) == 0 &&
           get(image + XS_HEADER + 16, 8) == 0;
}

OP_NONE(xrstor)
{
    uint8_t image[XS_MAX], pkru[XSAVE_PKRU_BYTES] = {0};
    uint64_t what = requested(c);
    unsigned n = what & XCR0_AVX ? XS_MAX : XS_AVX;
    if (!xsave_ready(c, i) || !mem_read_bytes(c, i->seg, ea(c, i), image, n))
        return false;
    if (what & get(image + XS_HEADER, 8) & XCR0_PKRU &&
        !mem_read_bytes(c, i->seg, pkru_at(c, i), pkru, sizeof(pkru)))
        return false;
    uint32_t mxcsr = (uint32_t)get(image + FX_MXCSR, 4);
    bool has_mxcsr = what & (XCR0_SSE | XCR0_AVX);
    if (!header_ok(c, image) || (has_mxcsr && mxcsr & ~MXCSR_VALID))
        return cpu_raise_gp(c, 0);
    uint64_t held = get(image + XS_HEADER, 8) & what;
    for (uint64_t k = XCR0_X87; k <= XCR0_AVX; k <<= 1)
        if (what & ~held & k)
            init_component(c, k);
    if (held & XCR0_X87)
        restore_x87(c, image, i->prefix & INSN_REXW);
    if (has_mxcsr)
        c->fpu.mxcsr = mxcsr;
    if (held & XCR0_SSE)
        restore_xmm(c, image);
    if (held & XCR0_AVX)
        restore_avx(c, image);
    if (what & XCR0_PKRU)
        pkru_set(c, (uint32_t)get(pkru, 4)); /* initial: 0 */
    return true;
}
