/* SPDX-License-Identifier: MIT */
/* What is beside the 82540EM's controller: its PHY (as a Marvell 88E1011, registers by IEEE 802.3,
 * clause 22) and its EEPROM. The link partner can do everything, and negotiation takes no time. */
#include <string.h>

#include "devices/e1000_state.h"

#define PHY_ADDRESS 1

#define PHY_CTRL     0
#define PHY_STATUS   1
#define PHY_ID1      2
#define PHY_ID2      3
#define PHY_ADVERT   4
#define PHY_PARTNER  5
#define PHY_EXPANS   6
#define PHY_CTRL_1G  9
#define PHY_STAT_1G  10
#define PHY_ESTATUS  15
#define M88_CTRL     16
#define M88_STATUS   17
#define M88_INT_MASK 18
#define M88_EXT_CTRL 20
#define M88_PAGE     29
#define M88_DATA     30

#define CTRL_RESET      0x8000u
#define CTRL_LOOPBACK   0x4000u
#define CTRL_ANEG       0x1000u
#define CTRL_POWER_DOWN 0x0800u
#define CTRL_RESTART    0x0200u
#define CTRL_DEFAULT    0x1140u

#define STATUS_LINK     0x0004u
#define STATUS_COMPLETE 0x0020u

/* Values after a reset, and the bits that can be written. */
static const struct {
    uint8_t reg;
    uint16_t value, writable;
} phy_regs[] = {
    {PHY_CTRL, CTRL_DEFAULT, 0xffff},
    {PHY_STATUS, 0x7949, 0},
    {PHY_ID1, 0x0141, 0},
    {PHY_ID2, 0x0c20, 0},
    {PHY_ADVERT, 0x0de1, 0xffff},
    {PHY_PARTNER, 0x4de1, 0},
    {PHY_EXPANS, 0x000d, 0},
    {PHY_CTRL_1G, 0x0e00, 0xffff},
    {PHY_STAT_1G, 0x3c00, 0},
    {PHY_ESTATUS, 0x3000, 0},
    {M88_CTRL, 0x0360, 0xffff},
    {M88_STATUS, 0xa800, 0}, /* 1000 Mb/s, full duplex, resolved */
    {M88_INT_MASK, 0, 0xffff},
    {M88_EXT_CTRL, 0x0d60, 0xffff},
    {M88_PAGE, 0, 0xffff},
    {M88_DATA, 0, 0xffff},
};

#define PHY_ROWS (sizeof(phy_regs) / sizeof(phy_regs[0]))

/* -- PHY --------------------------------------------------------------------------------------- */

bool e1000_is_linked(const struct e1000 *s)
{
    return s->net != NULL && (e1000_get(s, E1000_CTRL) & CTRL_SLU) &&
           !(s->phy[PHY_CTRL] & CTRL_POWER_DOWN);
}

bool e1000_phy_is_looped(const struct e1000 *s)
{
    return s->phy[PHY_CTRL] & CTRL_LOOPBACK;
}

void e1000_phy_reset(struct e1000 *s)
{
    memset(s->phy, 0, sizeof(s->phy));
    for (unsigned k = 0; k < PHY_ROWS; k++)
        s->phy[phy_regs[k].reg] = phy_regs[k].value;
}

static uint16_t phy_read(const struct e1000 *s, unsigned reg)
{
    uint16_t val = s->phy[reg];
    bool up = s->net != NULL && !(s->phy[PHY_CTRL] & CTRL_POWER_DOWN);

    if (up && reg == PHY_STATUS)
        val |= STATUS_LINK | (s->phy[PHY_CTRL] & CTRL_ANEG ? STATUS_COMPLETE : 0);
    if (up && reg == M88_STATUS)
        val |= 0x0400; /* link */
    if (!up && (reg == PHY_PARTNER || reg == PHY_STAT_1G))
        val = 0;
    return val;
}

static void phy_ctrl_write(struct e1000 *s, uint16_t val)
{
    uint16_t old = s->phy[PHY_CTRL];

    if (val & CTRL_RESET) {
        e1000_phy_reset(s);
        return;
    }
    s->phy[PHY_CTRL] = val & (uint16_t) ~(CTRL_RESET | CTRL_RESTART);
    if ((val & CTRL_RESTART) || ((old ^ val) & CTRL_POWER_DOWN))
        e1000_raise(s, INT_LSC);
}

static void phy_write(struct e1000 *s, unsigned reg, uint16_t val)
{
    if (reg == PHY_CTRL) {
        phy_ctrl_write(s, val);
        return;
    }
    for (unsigned k = 0; k < PHY_ROWS; k++) {
        if (phy_regs[k].reg == reg)
            s->phy[reg] = (s->phy[reg] & ~phy_regs[k].writable) | (val & phy_regs[k].writable);
    }
}

void e1000_mdic_write(struct e1000 *s, uint32_t val)
{
    unsigned reg = val >> 16 & 31, phy = val >> 21 & 31;

    val &= ~(MDIC_READY | MDIC_ERROR);
    if (phy != PHY_ADDRESS)
        val |= MDIC_ERROR;
    else if (val & MDIC_READ)
        val = (val & 0xffff0000u) | phy_read(s, reg);
    else if (val & MDIC_WRITE)
        phy_write(s, reg, (uint16_t)val);
    *e1000_reg(s, E1000_MDIC) = val | MDIC_READY;
    if (val & MDIC_IE)
        e1000_raise(s, INT_MDAC);
}

/* -- EEPROM (chapter 5) ------------------------------------------------------------------------ */

#define WORD_CHECKSUM 63
#define CHECKSUM      0xbabau

void e1000_eeprom_fill(struct e1000 *s)
{
    static const uint16_t words[EEPROM93_WORDS] = {
        [0x03] = 0x0000, [0x08] = 0xffff,
        [0x09] = 0xffff, [0x0a] = 0x400b, /* signature; take the identities from here */
        [0x0b] = 0x1100, [0x0c] = 0x1af4, /* subsystem */
        [0x0d] = 0x100e, [0x0e] = 0x8086, /* function */
        [0x0f] = 0x3040,
    };
    const uint8_t *mac = s->cfg->mac;
    uint16_t sum = 0, *to = s->eeprom.word;

    memcpy(to, words, sizeof(words));
    for (unsigned k = 0; k < 3; k++)
        to[k] = (uint16_t)(mac[2 * k] | mac[2 * k + 1] << 8);
    for (unsigned k = 0; k < WORD_CHECKSUM; k++)
        sum = (uint16_t)(sum + to[k]);
    to[WORD_CHECKSUM] = (uint16_t)(CHECKSUM - sum);
}

void e1000_eecd_write(struct e1000 *s, uint32_t val)
{
    bool out = eeprom93_pins(&s->eeprom, val & EECD_CS, val & EECD_SK, val & EECD_DI);

    val &= EECD_SK | EECD_CS | EECD_DI | EECD_REQ;
    *e1000_reg(s, E1000_EECD) =
        val | EECD_PRES | (out ? EECD_DO : 0) | (val & EECD_REQ ? EECD_GNT : 0);
}

void e1000_eerd_write(struct e1000 *s, uint32_t val)
{
    unsigned at = val >> 8 & 0xff;

    if (val & EERD_START)
        val = (val & 0xff00) | EERD_DONE |
              (at < EEPROM93_WORDS ? (uint32_t)s->eeprom.word[at] << 16 : 0);
    *e1000_reg(s, E1000_EERD) = val;
}
