/* SPDX-License-Identifier: MIT */
/* Networks on the command line. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/options.h"

static char err[OPTIONS_ERR_LEN];

/* Parse words separated by single blanks. */
static int parse(struct options *o, const char *line)
{
    static char copy[512];
    char *argv[32] = {(char *)"calque"}, *save = NULL;
    int argc = 1;

    err[0] = '\0';
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    return options_parse(o, argc, argv, err);
}

START_TEST(nothing_by_default)
{
    static struct options o;

    ck_assert_int_eq(parse(&o, ""), 0);
    ck_assert_uint_eq(o.vm.nic_count + o.vm.netdev_count + o.vm.net_dump_count, 0);
    ck_assert_int_eq(parse(&o, "-nic none -net none"), 0);
    ck_assert_uint_eq(o.vm.nic_count + o.vm.netdev_count + o.vm.net_dump_count, 0);
}
END_TEST

START_TEST(both_sides_at_once)
{
    static struct options o;
    static const uint8_t second[] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x57};
    static const uint8_t third[] = {0x02, 0xab, 0xcd, 0xef, 0x00, 0x99};

    ck_assert_int_eq(parse(&o, "-nic user -nic hubport,hubid=3,id=x "
                               "-nic user,model=e1000,mac=02:ab:CD:ef:00:99"),
                     0);
    ck_assert_uint_eq(o.vm.nic_count, 3);
    ck_assert_uint_eq(o.vm.netdev_count, 3);
    ck_assert_str_eq(o.vm.nics[0].model, "e1000");
    ck_assert_str_eq(o.vm.nics[0].netdev, o.vm.netdevs[0].id);
    ck_assert_int_eq(o.vm.netdevs[0].kind, NETDEV_USER);
    ck_assert_str_eq(o.vm.nics[1].netdev, "x");
    ck_assert_int_eq(o.vm.netdevs[1].kind, NETDEV_HUBPORT);
    ck_assert_uint_eq(o.vm.netdevs[1].hub, 3);
    ck_assert_mem_eq(o.vm.nics[1].mac, second, 6);
    ck_assert_mem_eq(o.vm.nics[2].mac, third, 6);
    ck_assert_str_ne(o.vm.netdevs[0].id, o.vm.netdevs[2].id);
}
END_TEST

START_TEST(card_and_netdev)
{
    static struct options o;
    const struct net_user_config *u;

    ck_assert_int_eq(parse(&o, "-device e1000,netdev=n,addr=0x1f,id=c -netdev "
                               "user,id=n,net=192.168.7.0/16,host=192.168.7.1,dns=192.168.7.9,"
                               "dhcpstart=192.168.7.50,restrict=on,ipv6=off,hostname=a,,b,"
                               "hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp::53-10.0.2.20:5353 "
                               "-object filter-dump,id=f,netdev=n,file=x.pcap,maxlen=96"),
                     0);
    ck_assert_str_eq(o.vm.nics[0].netdev, "n");
    ck_assert_uint_eq(o.vm.nics[0].slot, 0x1f);
    u = &o.vm.netdevs[0].user;
    ck_assert_uint_eq(u->net, 0xc0a80700);
    ck_assert_uint_eq(u->mask, 0xffff0000);
    ck_assert_uint_eq(u->host, 0xc0a80701);
    ck_assert_uint_eq(u->dns, 0xc0a80709);
    ck_assert_uint_eq(u->dhcp_start, 0xc0a80732);
    ck_assert(u->restricted && u->no_ipv6);
    ck_assert_str_eq(u->hostname, "a,b");
    ck_assert_uint_eq(u->forward_count, 2);
    ck_assert_uint_eq(u->forward[0].host_addr, 0x7f000001);
    ck_assert_uint_eq(u->forward[0].host_port, 2222);
    ck_assert_uint_eq(u->forward[0].guest_addr, 0);
    ck_assert_uint_eq(u->forward[0].guest_port, 22);
    ck_assert(!u->forward[0].udp && u->forward[1].udp);
    ck_assert_uint_eq(u->forward[1].guest_addr, 0x0a000214);
    ck_assert_str_eq(o.vm.net_dumps[0].netdev, "n");
    ck_assert_str_eq(o.vm.net_dumps[0].file, "x.pcap");
    ck_assert_uint_eq(o.vm.net_dumps[0].max, 96);
}
END_TEST

static const struct {
    const char *line, *names;
} mistakes[] = {
    {"-nic tap", "'user' and 'hubport'"},
    {"-nic user,model=ne3000", "model=ne3000"},
    {"-nic user,netdev=x", "netdev=x: no such property"},
    {"-nic user,hubid=1", "hubid=1"},
    {"-nic user,mac=52:54:00:12:34", "mac="},
    {"-nic user,mac=52:54:00:12:34:5g", "mac="},
    {"-nic user,mac=53:54:00:12:34:56", "group"},
    {"-netdev user", "id="},
    {"-netdev hubport,id=a,hubid=x", "hubid=x"},
    {"-netdev user,id=a,net=10.0.2.0/40", "net="},
    {"-netdev user,id=a,net=10.0.2/24", "net="},
    {"-netdev user,id=a,net=10.0.2.0/0", "8 to 30"},
    {"-netdev user,id=a,restrict=maybe", "restrict=maybe"},
    {"-netdev user,id=a,hostfwd=tcp:80", "hostfwd="},
    {"-netdev user,id=a,hostfwd=icmp::80-:80", "hostfwd="},
    {"-netdev user,id=a,hostfwd=tcp::80-:0", "guest's port"},
    {"-netdev user,id=a,hostfwd=tcp::99999-:1", "hostfwd="},
    {"-device e1000,addr=20", "addr=20"},
    {"-device e1000,addr=3.1", "addr=3.1"},
    {"-device e1000,iobase=0x300", "iobase"},
    {"-object rng-random,id=a", "filter-dump"},
    {"-object filter-dump,id=a", "netdev="},
    {"-object filter-dump,netdev=a,file=", "file="},
    {"-net user", "none"},
};

START_TEST(mistakes_are_named)
{
    static struct options o;

    ck_assert_int_eq(parse(&o, mistakes[_i].line), -EINVAL);
    ck_assert_msg(strstr(err, mistakes[_i].names) != NULL, "%s", err);
    ck_assert_ptr_null(strchr(err, '\n'));
}
END_TEST

/* Neither too many nor too long options reach what is behind their tables. */
START_TEST(tables_end)
{
    static struct net_set s;
    static char arg[NETS_TEXT + 100];
    unsigned n = 0;

    while (n < 100 && nets_add_nic(&s, "user", err, sizeof(err)) == 0)
        n++;
    ck_assert_uint_eq(n, NET_MAX);
    for (n = 0; n < 100; n++)
        ck_assert_int_eq(nets_add_card(&s, "e1000", err, sizeof(err)), -EINVAL);
    memset(&s, 0, sizeof(s));
    memset(arg, 'x', sizeof(arg) - 1);
    memcpy(arg, "user,id=", 8);
    ck_assert_int_eq(nets_add_netdev(&s, arg, err, sizeof(err)), -EINVAL);
    ck_assert_int_eq(nets_add_netdev(&s, "user,id=y", err, sizeof(err)), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("nets");
    TCase *t = tcase_create("nets");
    SRunner *r;
    int failed;

    tcase_add_test(t, nothing_by_default);
    tcase_add_test(t, both_sides_at_once);
    tcase_add_test(t, card_and_netdev);
    tcase_add_loop_test(t, mistakes_are_named, 0, sizeof(mistakes) / sizeof(mistakes[0]));
    tcase_add_test(t, tables_end);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
