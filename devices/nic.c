/* SPDX-License-Identifier: MIT */
/* See nic.h. */
#include "devices/nic.h"

#include <errno.h>
#include <string.h>

#include "devices/e1000.h"
#include "devices/ne2000.h"
#include "devices/pci.h"
#include "devices/rtl8139.h"
#include "vmm/vm.h"

#define FIRST_SLOT 3 /* behind the display adapter's */
#define SLOTS      32

struct nic {
    struct device dev;
};

const struct device_class *const nic_models[] = {&e1000_class, &rtl8139_class, &ne2k_pci_class,
                                                 &ne2k_isa_class, NULL};

const struct device_class *nic_find(const char *model)
{
    unsigned k = 0;

    while (nic_models[k] != NULL && strcmp(nic_models[k]->name, model) != 0)
        k++;
    return nic_models[k];
}

bool nic_is_isa(const struct device_class *model)
{
    return model == &ne2k_isa_class;
}

uint8_t nic_devfn(struct vm *vm, const struct nic_config *cfg)
{
    unsigned slot = cfg->slot;

    for (unsigned k = FIRST_SLOT; slot == 0 && k < SLOTS; k++) {
        if (pci_config_read(vm, PCI_DEVFN(k, 0), PCI_VENDOR_ID, 2) == 0xffff)
            slot = k;
    }
    return (uint8_t)PCI_DEVFN(slot, 0);
}

static int realize(struct device *d)
{
    const struct vm_config *cfg = vm_config(d->vm);

    for (unsigned k = 0; k < cfg->nic_count; k++) {
        const struct device_class *model = nic_find(cfg->nics[k].model);

        if (model == NULL)
            return vm_fail(d->vm, -ENODEV, "there is no network card '%s'", cfg->nics[k].model);
        if (device_create(d->vm, model, &cfg->nics[k]) == NULL)
            return -EINVAL;
    }
    return 0;
}

/* The cards are devices of their own. */
static void reset(struct device *d)
{
    (void)d;
}

static const struct field nic_fields[] = {
    FIELDS_DEVICE(struct nic),
    FIELDS_END,
};

const struct device_class nic_class = {
    .name = "nic",
    .desc = "slots for network cards",
    .size = sizeof(struct nic),
    .fields = nic_fields,
    .realize = realize,
    .reset = reset,
};
