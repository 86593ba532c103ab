/* SPDX-License-Identifier: MIT */
/* Real-time clock and CMOS memory, as other chips and the board use them. */
#ifndef DEVICES_RTC_H
#define DEVICES_RTC_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/device.h"

extern const struct device_class rtc_class;

#define RTC_SHUTDOWN  0x0f /* CMOS memory: why firmware finds itself started */
#define RTC_EQUIPMENT 0x14 /* CMOS memory: what the BIOS's data area says at 410, too */

/* Bytes of the CMOS memory that firmware reads (drive types, boot order, ...); index 0x0e..0x7f. A
 * write below 0x2e also corrects the checksum in 0x2e-0x2f. No effect, or 0, without an RTC. */
void rtc_set_cmos(struct vm *vm, unsigned index, uint8_t val);
uint8_t rtc_cmos(struct vm *vm, unsigned index);

/* While inhibited, the clock runs but its interrupts do not reach IRQ8 (HPET legacy replacement).
 */
void rtc_inhibit_irq(struct vm *vm, bool inhibit);

#endif
