/* SPDX-License-Identifier: MIT */
/* Names of registers, vectors and bits, as in the SDM. */
#ifndef CPU_REGS_H
#define CPU_REGS_H

#include <stdint.h>

/* ORDER gpr: encoding order (SDM 2A 2.1.5) */
enum reg {
    RAX,
    RCX,
    RDX,
    RBX,
    RSP,
    RBP,
    RSI,
    RDI,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    REG_NONE, /* reads as 0: absent base or index */
    RIP,
    REG_COUNT
};

/* ORDER seg: encoding order */
enum sreg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

enum vector {
    VEC_DE = 0,
    VEC_DB = 1,
    VEC_NMI = 2,
    VEC_BP = 3,
    VEC_OF = 4,
    VEC_BR = 5,
    VEC_UD = 6,
    VEC_NM = 7,
    VEC_DF = 8,
    VEC_TS = 10,
    VEC_NP = 11,
    VEC_SS = 12,
    VEC_GP = 13,
    VEC_PF = 14,
    VEC_MF = 16,
    VEC_AC = 17,
    VEC_MC = 18,
    VEC_XM = 19
};

/* EFLAGS */
#define EFL_CF         0x00000001u
#define EFL_FIXED      0x00000002u /* always one */
#define EFL_PF         0x00000004u
#define EFL_AF         0x00000010u
#define EFL_ZF         0x00000040u
#define EFL_SF         0x00000080u
#define EFL_TF         0x00000100u
#define EFL_IF         0x00000200u
#define EFL_DF         0x00000400u
#define EFL_OF         0x00000800u
#define EFL_IOPL       0x00003000u
#define EFL_IOPL_SHIFT 12
#define EFL_NT         0x00004000u
#define EFL_RF         0x00010000u
#define EFL_VM         0x00020000u
#define EFL_AC         0x00040000u
#define EFL_VIF        0x00080000u
#define EFL_VIP        0x00100000u
#define EFL_ID         0x00200000u
#define EFL_ARITH      (EFL_CF | EFL_PF | EFL_AF | EFL_ZF | EFL_SF | EFL_OF)
#define EFL_DEFINED    0x003f7fd7u /* bits that can be set */

#define CR0_PE 0x00000001u
#define CR0_MP 0x00000002u
#define CR0_EM 0x00000004u
#define CR0_TS 0x00000008u
#define CR0_ET 0x00000010u
#define CR0_NE 0x00000020u
#define CR0_WP 0x00010000u
#define CR0_AM 0x00040000u
#define CR0_NW 0x20000000u
#define CR0_CD 0x40000000u
#define CR0_PG 0x80000000u

#define CR4_VME        0x00000001u
#define CR4_PVI        0x00000002u
#define CR4_TSD        0x00000004u
#define CR4_DE         0x00000008u
#define CR4_PSE        0x00000010u
#define CR4_PAE        0x00000020u
#define CR4_MCE        0x00000040u
#define CR4_PGE        0x00000080u
#define CR4_PCE        0x00000100u
#define CR4_OSFXSR     0x00000200u
#define CR4_OSXMMEXCPT 0x00000400u
#define CR4_UMIP       0x00000800u
#define CR4_FSGSBASE   0x00010000u
#define CR4_PCIDE      0x00020000u
#define CR4_OSXSAVE    0x00040000u
#define CR4_SMEP       0x00100000u
#define CR4_SMAP       0x00200000u
#define CR4_PKE        0x00400000u
#define CR4_PKS        0x01000000u

#define EFER_SCE 0x001u
#define EFER_LME 0x100u
#define EFER_LMA 0x400u
#define EFER_NXE 0x800u

/* struct seg attr: descriptor bits 40-55 */
#define SEG_TYPE      0x000fu
#define SEG_A         0x0001u /* accessed */
#define SEG_RW        0x0002u /* data: writable; code: readable */
#define SEG_EC        0x0004u /* data: expand-down; code: conforming */
#define SEG_CODE      0x0008u /* code, not data */
#define SEG_S         0x0010u /* code or data, not system */
#define SEG_DPL       0x0060u
#define SEG_DPL_SHIFT 5
#define SEG_P         0x0080u
#define SEG_AVL       0x1000u
#define SEG_L         0x2000u
#define SEG_DB        0x4000u
#define SEG_G         0x8000u

/* Page-fault error code (SDM 3A 4.7) */
#define PFERR_P    0x01u
#define PFERR_W    0x02u
#define PFERR_U    0x04u
#define PFERR_RSVD 0x08u
#define PFERR_I    0x10u
#define PFERR_PK   0x20u

/* DR6, DR7 */
#define DR6_FIXED 0xffff0ff0u
#define DR6_BD    0x2000u
#define DR6_BS    0x4000u
#define DR6_BT    0x8000u
#define DR7_FIXED 0x0400u
#define DR7_GD    0x2000u

/* IA32_DEBUGCTL */
#define DEBUGCTL_LBR 0x0001u
#define DEBUGCTL_BTF 0x0002u

/* x87 status and control words */
#define FSW_IE  0x0001u
#define FSW_DE  0x0002u
#define FSW_ZE  0x0004u
#define FSW_OE  0x0008u
#define FSW_UE  0x0010u
#define FSW_PE  0x0020u
#define FSW_SF  0x0040u
#define FSW_ES  0x0080u
#define FSW_C0  0x0100u
#define FSW_C1  0x0200u
#define FSW_C2  0x0400u
#define FSW_TOP 0x3800u
#define FSW_C3  0x4000u
#define FSW_B   0x8000u

#define MXCSR_DAZ 0x0040u
#define MXCSR_FTZ 0x8000u

#define XCR0_X87  1u
#define XCR0_SSE  2u
#define XCR0_AVX  4u
#define XCR0_PKRU 0x200u

#endif
