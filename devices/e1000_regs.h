/* SPDX-License-Identifier: MIT */
/* Registers of the 82540EM, by their offsets (PCI/PCI-X Family of Gigabit Ethernet Controllers
 * Software Developer's Manual, 317453, chapter 13). */
#ifndef DEVICES_E1000_REGS_H
#define DEVICES_E1000_REGS_H

#define E1000_CTRL     0x0000
#define E1000_STATUS   0x0008
#define E1000_EECD     0x0010
#define E1000_EERD     0x0014
#define E1000_CTRL_EXT 0x0018
#define E1000_MDIC     0x0020
#define E1000_FCAL     0x0028
#define E1000_FCAH     0x002c
#define E1000_FCT      0x0030
#define E1000_VET      0x0038
#define E1000_ICR      0x00c0
#define E1000_ITR      0x00c4
#define E1000_ICS      0x00c8
#define E1000_IMS      0x00d0
#define E1000_IMC      0x00d8
#define E1000_RCTL     0x0100
#define E1000_FCTTV    0x0170
#define E1000_TXCW     0x0178
#define E1000_RXCW     0x0180
#define E1000_TCTL     0x0400
#define E1000_TIPG     0x0410
#define E1000_AIT      0x0458
#define E1000_LEDCTL   0x0e00
#define E1000_PBA      0x1000
#define E1000_FCRTL    0x2160
#define E1000_FCRTH    0x2168
#define E1000_RDBAL    0x2800
#define E1000_RDBAH    0x2804
#define E1000_RDLEN    0x2808
#define E1000_RDH      0x2810
#define E1000_RDT      0x2818
#define E1000_RDTR     0x2820
#define E1000_RXDCTL   0x2828
#define E1000_RADV     0x282c
#define E1000_RSRPD    0x2c00
#define E1000_TXDMAC   0x3000
#define E1000_TDBAL    0x3800
#define E1000_TDBAH    0x3804
#define E1000_TDLEN    0x3808
#define E1000_TDH      0x3810
#define E1000_TDT      0x3818
#define E1000_TIDV     0x3820
#define E1000_TXDCTL   0x3828
#define E1000_TADV     0x382c
#define E1000_TSPMT    0x3830
#define E1000_STATS    0x4000 /* to 4124 */
#define E1000_RXCSUM   0x5000
#define E1000_MTA      0x5200 /* 128 words */
#define E1000_RA       0x5400 /* 16 pairs */
#define E1000_VFTA     0x5600 /* 128 words */
#define E1000_WUC      0x5800 /* wake-up, to 5A7C */
#define E1000_REGS_END 0x5a80

/* Statistics; where a second word follows, the first is the lower. */
#define E1000_MPC   0x4010
#define E1000_PRC64 0x405c /* 64, -127, -255, -511, -1023, more */
#define E1000_GPRC  0x4074
#define E1000_BPRC  0x4078
#define E1000_MPRC  0x407c
#define E1000_GPTC  0x4080
#define E1000_GORCL 0x4088
#define E1000_GOTCL 0x4090
#define E1000_RNBC  0x40a0
#define E1000_ROC   0x40ac
#define E1000_TORL  0x40c0
#define E1000_TOTL  0x40c8
#define E1000_TPR   0x40d0
#define E1000_TPT   0x40d4
#define E1000_PTC64 0x40d8
#define E1000_MPTC  0x40f0
#define E1000_BPTC  0x40f4
#define E1000_TSCTC 0x40f8

#define CTRL_FD      0x00000001u
#define CTRL_ASDE    0x00000020u
#define CTRL_SLU     0x00000040u
#define CTRL_1000    0x00000200u
#define CTRL_RST     0x04000000u
#define CTRL_VME     0x40000000u
#define CTRL_PHY_RST 0x80000000u

#define STATUS_FD   0x00000001u
#define STATUS_LU   0x00000002u
#define STATUS_1000 0x00000280u /* as set, and as detected */

#define EECD_SK   0x0001u
#define EECD_CS   0x0002u
#define EECD_DI   0x0004u
#define EECD_DO   0x0008u
#define EECD_REQ  0x0040u
#define EECD_GNT  0x0080u
#define EECD_PRES 0x0100u

#define EERD_START 0x0001u
#define EERD_DONE  0x0010u

#define MDIC_WRITE 0x04000000u
#define MDIC_READ  0x08000000u
#define MDIC_READY 0x10000000u
#define MDIC_IE    0x20000000u
#define MDIC_ERROR 0x40000000u

#define INT_TXDW   0x00000001u /* a descriptor was written back */
#define INT_TXQE   0x00000002u /* nothing is left to send */
#define INT_LSC    0x00000004u /* link status */
#define INT_RXDMT0 0x00000010u /* few descriptors are left */
#define INT_RXO    0x00000040u /* overrun */
#define INT_RXT0   0x00000080u /* received */
#define INT_MDAC   0x00000200u
#define INT_ALL    0x0001ffffu

#define RCTL_EN    0x00000002u
#define RCTL_UPE   0x00000008u
#define RCTL_MPE   0x00000010u
#define RCTL_LPE   0x00000020u
#define RCTL_LBM   0x000000c0u
#define RCTL_BAM   0x00008000u
#define RCTL_VFE   0x00040000u
#define RCTL_BSEX  0x02000000u
#define RCTL_SECRC 0x04000000u

#define TCTL_EN 0x00000002u

#define DELAY_FPD 0x80000000u /* of RDTR: interrupt now */

#define RXCSUM_IPOFL 0x100u
#define RXCSUM_TUOFL 0x200u

#define RAH_AV 0x80000000u

/* Receive descriptors: status and errors. */
#define RXD_DD    0x01u
#define RXD_EOP   0x02u
#define RXD_IXSM  0x04u
#define RXD_VP    0x08u
#define RXD_TCPCS 0x20u
#define RXD_IPCS  0x40u
#define RXD_PIF   0x80u
#define RXE_TCPE  0x20u
#define RXE_IPE   0x40u

/* Transmit descriptors: the command byte, types, options. */
#define TXD_EOP      0x01u
#define TXD_IC       0x04u /* legacy: insert a checksum */
#define TXD_TSE      0x04u /* otherwise: segment */
#define TXD_RS       0x08u
#define TXD_RPS      0x10u
#define TXD_DEXT     0x20u
#define TXD_VLE      0x40u
#define TXD_IDE      0x80u
#define TXD_IS_TCP   0x01u /* of a context */
#define TXD_IS_IPV4  0x02u
#define TXD_DD       0x01u
#define TXD_IXSM     0x01u
#define TXD_TXSM     0x02u
#define TXD_DTYP_CTX 0

#endif
