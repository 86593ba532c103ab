/* SPDX-License-Identifier: MIT */
/* Power management as firmware and the monitor use it. */
#ifndef DEVICES_ACPI_PM_H
#define DEVICES_ACPI_PM_H

#include <stdbool.h>

#include "vmm/device.h"

#define ACPI_PM_DEVFN 0x0b

#define ACPI_PM_PMBA      0x40 /* configuration: base of the power management ports */
#define ACPI_PM_PMREGMISC 0x80 /* ... bit 0: they are decoded */

#define ACPI_PM_SCI     9 /* ISA line */
#define ACPI_PM_SMI_CMD 0xb2
#define ACPI_PM_ENABLE  0xf1 /* values for SMI_CMD */
#define ACPI_PM_DISABLE 0xf0
#define ACPI_PM_GPE     0xafe0
#define ACPI_PM_GPE_LEN 4
#define ACPI_PM_SLP_S5  0 /* SLP_TYP */
#define ACPI_PM_SLP_S3  1
/* Offsets from PMBA. */
#define ACPI_PM1_EVT 0x00
#define ACPI_PM1_CNT 0x04
#define ACPI_PM_TMR  0x08

extern const struct device_class acpi_pm_class;

/* Somebody pressed the power button; machine lock held. */
void acpi_pm_power_button(struct vm *vm);

/* The real-time clock asserts its interrupt; machine lock held. */
void acpi_pm_rtc_alarm(struct vm *vm);

/* While devices are reset, machine lock held, before this one: it is the end of a sleep. */
bool acpi_pm_wakes(struct vm *vm);

/* After a reset, machine lock held: it was the end of a sleep, and memory is as it was left. */
bool acpi_pm_has_woken(struct vm *vm);

#endif
