/* SPDX-License-Identifier: MIT */
/* Instruction-set extensions that a row of the instruction table belongs to, and that CPUID models
 * are made of. One list: name for -cpu (Linux's and QEMU's flag names), CPUID leaf, register and
 * bit. */
#ifndef CPU_ISA_H
#define CPU_ISA_H

/* ISA(constant, name, leaf, subleaf, register A-D, bit) ; leaf 0: no CPUID bit, comes with the
 * family */
#define ISA_LIST(ISA)                                                                              \
    ISA(I86, "i86", 0, 0, A, 0)                                                                    \
    ISA(I186, "i186", 0, 0, A, 0)                                                                  \
    ISA(I286, "i286", 0, 0, A, 0)                                                                  \
    ISA(I386, "i386", 0, 0, A, 0)                                                                  \
    ISA(I486, "i486", 0, 0, A, 0)                                                                  \
    ISA(P6, "p6", 0, 0, A, 0)                                                                      \
    ISA(CPUID, "cpuid", 0, 0, A, 0)                                                                \
    ISA(FPU, "fpu", 1, 0, D, 0)                                                                    \
    ISA(VME, "vme", 1, 0, D, 1)                                                                    \
    ISA(DE, "de", 1, 0, D, 2)                                                                      \
    ISA(PSE, "pse", 1, 0, D, 3)                                                                    \
    ISA(TSC, "tsc", 1, 0, D, 4)                                                                    \
    ISA(MSR, "msr", 1, 0, D, 5)                                                                    \
    ISA(PAE, "pae", 1, 0, D, 6)                                                                    \
    ISA(MCE, "mce", 1, 0, D, 7)                                                                    \
    ISA(CX8, "cx8", 1, 0, D, 8)                                                                    \
    ISA(APIC, "apic", 1, 0, D, 9)                                                                  \
    ISA(SEP, "sep", 1, 0, D, 11)                                                                   \
    ISA(MTRR, "mtrr", 1, 0, D, 12)                                                                 \
    ISA(PGE, "pge", 1, 0, D, 13)                                                                   \
    ISA(MCA, "mca", 1, 0, D, 14)                                                                   \
    ISA(CMOV, "cmov", 1, 0, D, 15)                                                                 \
    ISA(PAT, "pat", 1, 0, D, 16)                                                                   \
    ISA(PSE36, "pse36", 1, 0, D, 17)                                                               \
    ISA(CLFLUSH, "clflush", 1, 0, D, 19)                                                           \
    ISA(MMX, "mmx", 1, 0, D, 23)                                                                   \
    ISA(FXSR, "fxsr", 1, 0, D, 24)                                                                 \
    ISA(SSE, "sse", 1, 0, D, 25)                                                                   \
    ISA(SSE2, "sse2", 1, 0, D, 26)                                                                 \
    ISA(SSE3, "pni", 1, 0, C, 0)                                                                   \
    ISA(PCLMULQDQ, "pclmulqdq", 1, 0, C, 1)                                                        \
    ISA(MONITOR, "monitor", 1, 0, C, 3)                                                            \
    ISA(SSSE3, "ssse3", 1, 0, C, 9)                                                                \
    ISA(FMA, "fma", 1, 0, C, 12)                                                                   \
    ISA(CX16, "cx16", 1, 0, C, 13)                                                                 \
    ISA(PCID, "pcid", 1, 0, C, 17)                                                                 \
    ISA(SSE41, "sse4_1", 1, 0, C, 19)                                                              \
    ISA(SSE42, "sse4_2", 1, 0, C, 20)                                                              \
    ISA(X2APIC, "x2apic", 1, 0, C, 21)                                                             \
    ISA(MOVBE, "movbe", 1, 0, C, 22)                                                               \
    ISA(POPCNT, "popcnt", 1, 0, C, 23)                                                             \
    ISA(TSC_DEADLINE, "tsc-deadline", 1, 0, C, 24)                                                 \
    ISA(AES, "aes", 1, 0, C, 25)                                                                   \
    ISA(XSAVE, "xsave", 1, 0, C, 26)                                                               \
    ISA(AVX, "avx", 1, 0, C, 28)                                                                   \
    ISA(F16C, "f16c", 1, 0, C, 29)                                                                 \
    ISA(RDRAND, "rdrand", 1, 0, C, 30)                                                             \
    ISA(HYPERVISOR, "hypervisor", 1, 0, C, 31)                                                     \
    ISA(FSGSBASE, "fsgsbase", 7, 0, B, 0)                                                          \
    ISA(TSC_ADJUST, "tsc_adjust", 7, 0, B, 1)                                                      \
    ISA(BMI1, "bmi1", 7, 0, B, 3)                                                                  \
    ISA(AVX2, "avx2", 7, 0, B, 5)                                                                  \
    ISA(SMEP, "smep", 7, 0, B, 7)                                                                  \
    ISA(BMI2, "bmi2", 7, 0, B, 8)                                                                  \
    ISA(ERMS, "erms", 7, 0, B, 9)                                                                  \
    ISA(INVPCID, "invpcid", 7, 0, B, 10)                                                           \
    ISA(RDSEED, "rdseed", 7, 0, B, 18)                                                             \
    ISA(ADX, "adx", 7, 0, B, 19)                                                                   \
    ISA(SMAP, "smap", 7, 0, B, 20)                                                                 \
    ISA(CLFLUSHOPT, "clflushopt", 7, 0, B, 23)                                                     \
    ISA(CLWB, "clwb", 7, 0, B, 24)                                                                 \
    ISA(SHA, "sha-ni", 7, 0, B, 29)                                                                \
    ISA(UMIP, "umip", 7, 0, C, 2)                                                                  \
    ISA(PKU, "pku", 7, 0, C, 3)                                                                    \
    ISA(RDPID, "rdpid", 7, 0, C, 22)                                                               \
    ISA(PKS, "pks", 7, 0, C, 31)                                                                   \
    ISA(SPEC_CTRL, "spec_ctrl", 7, 0, D, 26)                                                       \
    ISA(ARCH_CAPS, "arch_capabilities", 7, 0, D, 29)                                               \
    ISA(BHI_CTRL, "bhi_ctrl", 7, 2, D, 4)                                                          \
    ISA(XSAVEOPT, "xsaveopt", 0xd, 1, A, 0)                                                        \
    ISA(XGETBV1, "xgetbv1", 0xd, 1, A, 2)                                                          \
    ISA(LAHF, "lahf_lm", 0x80000001, 0, C, 0)                                                      \
    ISA(LZCNT, "abm", 0x80000001, 0, C, 5)                                                         \
    ISA(PREFETCHW, "3dnowprefetch", 0x80000001, 0, C, 8)                                           \
    ISA(SYSCALL, "syscall", 0x80000001, 0, D, 11)                                                  \
    ISA(NX, "nx", 0x80000001, 0, D, 20)                                                            \
    ISA(PDPE1GB, "pdpe1gb", 0x80000001, 0, D, 26)                                                  \
    ISA(RDTSCP, "rdtscp", 0x80000001, 0, D, 27)                                                    \
    ISA(LM, "lm", 0x80000001, 0, D, 29)                                                            \
    ISA(INVTSC, "invtsc", 0x80000007, 0, D, 8)

enum isa {
#define ISA(id, name, leaf, sub, reg, bit) ISA_##id,
    ISA_LIST(ISA)
#undef ISA
        ISA_COUNT
};

#endif
