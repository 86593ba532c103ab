/* SPDX-License-Identifier: MIT */
/* See nets.h. An argument is a word and properties; who takes it hands each property to a table of
 * those that it knows. */
#include "frontend/nets.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/nic.h"

#define SHOWN       200 /* characters of an argument in a message */
#define MAX_SLOT    31
#define DEFAULT_NIC "e1000"

struct parse {
    struct net_set *s;
    const char *option;
    struct netdev_config *netdev; /* what is filled in; NULL: not by this option */
    struct nic_config *nic;
    struct net_dump_config *dump;
    bool mac_given;
    char *err;
    size_t err_len;
};

static int wrong(struct parse *p, const char *what, const char *why)
{
    snprintf(p->err, p->err_len, "-%s %.*s: %s", p->option, SHOWN, what, why);
    return -EINVAL;
}

/* -- Values ------------------------------------------------------------------------------------ */

static int set_number(struct parse *p, const char *word, const char *text, unsigned long max,
                      unsigned long *to)
{
    char *end;

    errno = 0;
    *to = strtoul(text, &end, 0);
    if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0 || *to > max)
        return wrong(p, word, "not a number, or too large");
    return 0;
}

static int set_switch(struct parse *p, const char *word, const char *text, bool *to)
{
    *to = strcmp(text, "on") == 0 || strcmp(text, "yes") == 0;
    if (!*to && strcmp(text, "off") != 0 && strcmp(text, "no") != 0)
        return wrong(p, word, "only 'on' and 'off' are possible");
    return 0;
}

static int set_address(struct parse *p, const char *word, const char *text, uint32_t *to)
{
    struct in_addr a;

    if (inet_pton(AF_INET, text, &a) != 1)
        return wrong(p, word, "not an IPv4 address");
    *to = ntohl(a.s_addr);
    return 0;
}

/* -- Properties of host sides ------------------------------------------------------------------ */

static int set_id(struct parse *p, const char *word, const char *text)
{
    if (*text == '\0')
        return wrong(p, word, "no name");
    if (p->netdev != NULL)
        p->netdev->id = text;
    return 0;
}

static int set_hub(struct parse *p, const char *word, const char *text)
{
    unsigned long v;
    int err = set_number(p, word, text, 1000, &v);

    p->netdev->hub = (unsigned)v;
    return err;
}

/* ADDRESS/BITS or ADDRESS/MASK. */
static int set_network(struct parse *p, const char *word, const char *text)
{
    struct net_user_config *u = &p->netdev->user;
    const char *slash = strchr(text, '/');
    char address[INET_ADDRSTRLEN];
    unsigned long bits = 24;
    int err;

    snprintf(address, sizeof(address), "%.*s", (int)strcspn(text, "/"), text);
    err = set_address(p, word, address, &u->net);
    if (err == 0 && slash != NULL && strchr(slash, '.') != NULL)
        return set_address(p, word, slash + 1, &u->mask);
    if (err == 0 && slash != NULL)
        err = set_number(p, word, slash + 1, 30, &bits);
    if (err == 0 && bits < 8)
        err = wrong(p, word, "a network has 8 to 30 bits");
    if (err != 0)
        return err;
    u->mask = UINT32_MAX << (32 - bits);
    return 0;
}

static int set_host(struct parse *p, const char *word, const char *text)
{
    return set_address(p, word, text, &p->netdev->user.host);
}

static int set_dns(struct parse *p, const char *word, const char *text)
{
    return set_address(p, word, text, &p->netdev->user.dns);
}

static int set_dhcp(struct parse *p, const char *word, const char *text)
{
    return set_address(p, word, text, &p->netdev->user.dhcp_start);
}

static int set_restrict(struct parse *p, const char *word, const char *text)
{
    return set_switch(p, word, text, &p->netdev->user.restricted);
}

static int set_ipv6(struct parse *p, const char *word, const char *text)
{
    bool on = true;
    int err = set_switch(p, word, text, &on);

    p->netdev->user.no_ipv6 = !on;
    return err;
}

static int set_hostname(struct parse *p, const char *word, const char *text)
{
    (void)word;
    p->netdev->user.hostname = text;
    return 0;
}

static int set_tftp(struct parse *p, const char *word, const char *text)
{
    (void)word;
    p->netdev->user.tftp = text;
    return 0;
}

static int set_bootfile(struct parse *p, const char *word, const char *text)
{
    (void)word;
    p->netdev->user.bootfile = text;
    return 0;
}

/* [ADDRESS]:PORT */
static int parse_end(struct parse *p, const char *word, const char *text, uint32_t *address,
                     uint16_t *port)
{
    const char *colon = strchr(text, ':');
    char part[INET_ADDRSTRLEN];
    unsigned long v;
    int err = 0;

    if (colon == NULL)
        return wrong(p, word, "not PROTOCOL:[ADDRESS]:PORT-[ADDRESS]:PORT");
    snprintf(part, sizeof(part), "%.*s", (int)(colon - text), text);
    if (part[0] != '\0')
        err = set_address(p, word, part, address);
    if (err == 0)
        err = set_number(p, word, colon + 1, 0xffff, &v);
    if (err == 0)
        *port = (uint16_t)v;
    return err;
}

/* [tcp|udp]:[ADDRESS]:PORT-[ADDRESS]:PORT */
static int add_forward(struct parse *p, const char *word, const char *text)
{
    struct net_user_config *u = &p->netdev->user;
    struct net_forward f = {0};
    const char *dash = strchr(text, '-');
    char end[64];
    int err;

    if (u->forward_count == NET_FORWARDS)
        return wrong(p, word, "there are too many");
    f.udp = strncmp(text, "udp:", 4) == 0;
    if (f.udp || strncmp(text, "tcp:", 4) == 0)
        text += 4;
    else if (*text == ':')
        text++;
    else
        return wrong(p, word, "only 'tcp' and 'udp' can be forwarded");
    if (dash == NULL || dash < text)
        return wrong(p, word, "not PROTOCOL:[ADDRESS]:PORT-[ADDRESS]:PORT");
    snprintf(end, sizeof(end), "%.*s", (int)(dash - text), text);
    err = parse_end(p, word, end, &f.host_addr, &f.host_port);
    if (err == 0)
        err = parse_end(p, word, dash + 1, &f.guest_addr, &f.guest_port);
    if (err == 0 && f.guest_port == 0)
        return wrong(p, word, "the guest's port is missing");
    if (err == 0)
        u->forward[u->forward_count++] = f;
    return err;
}

/* -- Properties of cards and dumps ------------------------------------------------------------- */

static int set_model(struct parse *p, const char *word, const char *text)
{
    const struct device_class *model = nic_find(text);

    if (model == NULL)
        return wrong(p, word, "there is no such card (-device help lists them)");
    p->nic->model = model->name;
    return 0;
}

static int set_mac(struct parse *p, const char *word, const char *text)
{
    unsigned byte[NET_MAC_LEN];
    char more;

    if (strlen(text) != 17 || sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &byte[0], &byte[1],
                                     &byte[2], &byte[3], &byte[4], &byte[5], &more) != NET_MAC_LEN)
        return wrong(p, word, "not six bytes like 52:54:00:12:34:56");
    if (byte[0] & 1)
        return wrong(p, word, "that is a group's address (its first byte is odd)");
    for (unsigned k = 0; k < NET_MAC_LEN; k++)
        p->nic->mac[k] = (uint8_t)byte[k];
    p->mac_given = true;
    return 0;
}

static int set_netdev(struct parse *p, const char *word, const char *text)
{
    (void)word;
    if (p->dump != NULL)
        p->dump->netdev = text;
    else
        p->nic->netdev = text;
    return 0;
}

static int set_slot(struct parse *p, const char *word, const char *text)
{
    char *end;
    unsigned long slot = strtoul(text, &end, 16);

    if (strcmp(end, ".0") == 0)
        end += 2;
    if (!isxdigit((unsigned char)*text) || *end != '\0' || slot == 0 || slot > MAX_SLOT)
        return wrong(p, word, "not a slot of the PCI bus, 1 to 1f");
    p->nic->slot = (unsigned)slot;
    return 0;
}

static int set_iobase(struct parse *p, const char *word, const char *text)
{
    unsigned long v;
    int err = set_number(p, word, text, 0xffe0, &v);

    p->nic->iobase = (uint16_t)v;
    return err;
}

static int set_irq(struct parse *p, const char *word, const char *text)
{
    unsigned long v;
    int err = set_number(p, word, text, 15, &v);

    p->nic->irq = (uint8_t)v;
    return err;
}

static int set_file(struct parse *p, const char *word, const char *text)
{
    if (*text == '\0')
        return wrong(p, word, "no file's name");
    p->dump->file = text;
    return 0;
}

static int set_max(struct parse *p, const char *word, const char *text)
{
    unsigned long v;
    int err = set_number(p, word, text, UINT32_MAX, &v);

    p->dump->max = (uint32_t)v;
    return err;
}

/* -- Arguments --------------------------------------------------------------------------------- */

#define FOR_HUB  1u
#define FOR_USER 2u
#define FOR_CARD 4u /* on either bus */
#define FOR_PCI  8u
#define FOR_ISA  16u
#define FOR_NIC  32u
#define FOR_DUMP 64u

static const struct property {
    const char *name;
    unsigned where;
    int (*set)(struct parse *p, const char *word, const char *text);
} properties[] = {
    {"id", FOR_HUB | FOR_USER | FOR_CARD | FOR_DUMP, set_id},
    {"hubid", FOR_HUB, set_hub},
    {"net", FOR_USER, set_network},
    {"host", FOR_USER, set_host},
    {"dns", FOR_USER, set_dns},
    {"dhcpstart", FOR_USER, set_dhcp},
    {"restrict", FOR_USER, set_restrict},
    {"ipv6", FOR_USER, set_ipv6},
    {"hostname", FOR_USER, set_hostname},
    {"tftp", FOR_USER, set_tftp},
    {"bootfile", FOR_USER, set_bootfile},
    {"hostfwd", FOR_USER, add_forward},
    {"model", FOR_NIC, set_model},
    {"mac", FOR_CARD | FOR_NIC, set_mac},
    {"netdev", FOR_CARD | FOR_DUMP, set_netdev},
    {"addr", FOR_PCI, set_slot},
    {"iobase", FOR_ISA, set_iobase},
    {"irq", FOR_ISA, set_irq},
    {"file", FOR_DUMP, set_file},
    {"maxlen", FOR_DUMP, set_max},
};

/* One property, ended by 0. */
static int take_property(struct parse *p, const char *word, unsigned where)
{
    size_t name = strcspn(word, "=");

    for (unsigned k = 0; k < sizeof(properties) / sizeof(properties[0]); k++) {
        const struct property *prop = &properties[k];

        if ((prop->where & where) && strlen(prop->name) == name &&
            strncmp(prop->name, word, name) == 0 && word[name] == '=')
            return prop->set(p, word, word + name + 1);
    }
    return wrong(p, word, "no such property here");
}

/* Copy the next part of an argument, up to a single comma, to where it stays. NULL: the end, or no
 * room (*err). */
static const char *next_part(struct parse *p, const char **arg, int *err)
{
    struct net_set *s = p->s;
    char *start = s->text + s->used;

    *err = 0;
    if (*arg == NULL)
        return NULL;
    for (const char *at = *arg;; at++) {
        if (*at == ',' && at[1] == ',')
            at++;
        else if (*at == ',' || *at == '\0') {
            *arg = *at == ',' ? at + 1 : NULL;
            break;
        }
        if (s->used + 1 >= sizeof(s->text)) {
            *err = wrong(p, *arg, "the networks' options are too long");
            return NULL;
        }
        s->text[s->used++] = *at;
    }
    if (s->used + 1 > sizeof(s->text)) {
        *err = wrong(p, start, "the networks' options are too long");
        return NULL;
    }
    s->text[s->used++] = '\0';
    return start;
}

static int take_properties(struct parse *p, const char *rest, unsigned where)
{
    const char *word;
    int err;

    while ((word = next_part(p, &rest, &err)) != NULL) {
        err = take_property(p, word, where);
        if (err != 0)
            break;
    }
    return err;
}

/* A host side's kind; 0: there is no such. */
static unsigned set_kind(struct parse *p, const char *name)
{
    if (strcmp(name, "user") == 0)
        p->netdev->kind = NETDEV_USER;
    else if (strcmp(name, "hubport") == 0)
        p->netdev->kind = NETDEV_HUBPORT;
    else
        return 0;
    return p->netdev->kind == NETDEV_USER ? FOR_USER : FOR_HUB;
}

/* -- Cards ------------------------------------------------------------------------------------- */

static struct nic_config *new_nic(struct parse *p)
{
    struct net_set *s = p->s;

    if (s->nics == NET_MAX)
        return NULL;
    s->nic[s->nics] =
        (struct nic_config){.model = DEFAULT_NIC, .mac = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56}};
    return &s->nic[s->nics];
}

/* An address of its own, and for the ISA bus the next usual ports. */
static void finish_nic(struct parse *p)
{
    static const struct {
        uint16_t iobase;
        uint8_t irq;
    } usual[] = {{0x300, 9}, {0x320, 10}, {0x340, 11}, {0x360, 3}, {0x280, 4}, {0x380, 5}};
    struct net_set *s = p->s;

    if (!p->mac_given)
        p->nic->mac[NET_MAC_LEN - 1] = (uint8_t)(0x56 + s->nics);
    s->nics++;
    if (!nic_is_isa(nic_find(p->nic->model)))
        return;
    if (p->nic->iobase == 0)
        p->nic->iobase = usual[s->isa_nics % 6].iobase;
    if (p->nic->irq == 0)
        p->nic->irq = usual[s->isa_nics % 6].irq;
    s->isa_nics++;
}

bool nets_is_card(const char *name)
{
    char text[32];

    snprintf(text, sizeof(text), "%.*s", (int)strcspn(name, ","), name);
    return nic_find(text) != NULL;
}

int nets_add_card(struct net_set *s, const char *arg, char *err, size_t err_len)
{
    struct parse p = {.s = s, .option = "device", .err = err, .err_len = err_len};
    const char *rest = arg, *model;
    bool isa;
    int ret;

    p.nic = new_nic(&p);
    if (p.nic == NULL)
        return wrong(&p, arg, "there are too many network cards");
    model = next_part(&p, &rest, &ret);
    if (ret == 0)
        ret = set_model(&p, arg, model);
    if (ret != 0)
        return ret;
    isa = nic_is_isa(nic_find(p.nic->model));
    ret = take_properties(&p, rest, FOR_CARD | (isa ? FOR_ISA : FOR_PCI));
    if (ret == 0)
        finish_nic(&p);
    return ret;
}

/* -- Options ----------------------------------------------------------------------------------- */

static struct netdev_config *new_netdev(struct parse *p)
{
    struct net_set *s = p->s;

    if (s->netdevs == NET_MAX)
        return NULL;
    s->netdev[s->netdevs] = (struct netdev_config){0};
    return &s->netdev[s->netdevs];
}

int nets_add_netdev(struct net_set *s, const char *arg, char *err, size_t err_len)
{
    struct parse p = {.s = s, .option = "netdev", .err = err, .err_len = err_len};
    const char *rest = arg, *kind;
    unsigned where;
    int ret;

    p.netdev = new_netdev(&p);
    if (p.netdev == NULL)
        return wrong(&p, arg, "there are too many");
    kind = next_part(&p, &rest, &ret);
    if (ret != 0)
        return ret;
    where = set_kind(&p, kind);
    if (where == 0)
        return wrong(&p, arg, "only 'user' and 'hubport' are supported");
    ret = take_properties(&p, rest, where);
    if (ret == 0 && p.netdev->id == NULL)
        return wrong(&p, arg, "needs id=");
    if (ret == 0)
        s->netdevs++;
    return ret;
}

/* Host sides that -nic makes are called as QEMU does it. */
static const char *const nic_ids[NET_MAX] = {"#net0", "#net1", "#net2", "#net3",
                                             "#net4", "#net5", "#net6", "#net7"};

int nets_add_nic(struct net_set *s, const char *arg, char *err, size_t err_len)
{
    struct parse p = {.s = s, .option = "nic", .err = err, .err_len = err_len};
    const char *rest = arg, *kind;
    unsigned where;
    int ret;

    if (strcmp(arg, "none") == 0)
        return 0;
    p.netdev = new_netdev(&p);
    p.nic = new_nic(&p);
    if (p.netdev == NULL || p.nic == NULL)
        return wrong(&p, arg, "there are too many");
    kind = next_part(&p, &rest, &ret);
    if (ret != 0)
        return ret;
    where = set_kind(&p, kind);
    if (where == 0)
        return wrong(&p, arg, "only 'none', 'user' and 'hubport' are supported");
    p.netdev->id = nic_ids[s->netdevs];
    ret = take_properties(&p, rest, where | FOR_NIC);
    if (ret != 0)
        return ret;
    p.nic->netdev = p.netdev->id;
    s->netdevs++;
    finish_nic(&p);
    return 0;
}

int nets_add_dump(struct net_set *s, const char *arg, char *err, size_t err_len)
{
    struct parse p = {.s = s, .option = "object", .err = err, .err_len = err_len};
    const char *rest = arg, *kind;
    int ret;

    kind = next_part(&p, &rest, &ret);
    if (ret != 0)
        return ret;
    if (strcmp(kind, "filter-dump") != 0)
        return wrong(&p, arg, "only 'filter-dump' is supported");
    if (s->dumps == NET_MAX)
        return wrong(&p, arg, "there are too many");
    p.dump = &s->dump[s->dumps];
    *p.dump = (struct net_dump_config){.file = "qemu-vlan0.pcap"};
    ret = take_properties(&p, rest, FOR_DUMP);
    if (ret == 0 && p.dump->netdev == NULL)
        return wrong(&p, arg, "needs netdev=");
    if (ret == 0)
        s->dumps++;
    return ret;
}
