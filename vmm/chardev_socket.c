/* SPDX-License-Identifier: MIT */
/* Sockets as host ends of chardevs: unix:PATH and tcp:HOST:PORT, each listening (",server,nowait")
 * or connected at once. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/vmm_internal.h"

union address {
    struct sockaddr any;
    struct sockaddr_un un;
    struct sockaddr_in in;
};

struct wish {
    bool server, nowait;
};

/* The options behind the address: false where one is unknown. */
static bool parse_options(const char *text, struct wish *w)
{
    while (*text == ',') {
        size_t len = strcspn(++text, ",");

        if ((len == 6 && strncmp(text, "server", len) == 0) ||
            (len == 9 && strncmp(text, "server=on", len) == 0))
            w->server = true;
        else if ((len == 6 && strncmp(text, "nowait", len) == 0) ||
                 (len == 8 && strncmp(text, "wait=off", len) == 0))
            w->nowait = true;
        else
            return false;
        text += len;
    }
    return *text == '\0';
}

static int unix_address(const char *path, size_t len, union address *a, socklen_t *bytes)
{
    if (len == 0)
        return -EINVAL;
    if (len >= sizeof(a->un.sun_path))
        return -ENAMETOOLONG;
    a->un = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(a->un.sun_path, path, len);
    *bytes = sizeof(a->un);
    return 0;
}

static int tcp_address(const char *text, size_t len, union address *a, socklen_t *bytes)
{
    char host[64];
    const char *colon = memchr(text, ':', len);
    char *end;

    if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
        return -EINVAL;
    snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
    if (strcmp(host, "localhost") == 0)
        snprintf(host, sizeof(host), "127.0.0.1");
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (end != text + len || end == colon + 1 || port > 0xffff)
        return -EINVAL;
    a->in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    *bytes = sizeof(a->in);
    return host[0] == '\0' || inet_pton(AF_INET, host, &a->in.sin_addr) == 1 ? 0 : -EINVAL;
}

/* A socket that nobody listens on any more is in the way of a new one. */
static bool remove_stale(const union address *a, socklen_t bytes)
{
    int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat st;
    bool stale = fd >= 0 && a->any.sa_family == AF_UNIX && lstat(a->un.sun_path, &st) == 0 &&
                 S_ISSOCK(st.st_mode) && connect(fd, &a->any, bytes) < 0 && errno == ECONNREFUSED;

    if (fd >= 0)
        close(fd);
    return stale && unlink(a->un.sun_path) == 0;
}

static int listen_at(int fd, const union address *a, socklen_t bytes)
{
    int on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, &a->any, bytes) < 0 &&
        (errno != EADDRINUSE || !remove_stale(a, bytes) || bind(fd, &a->any, bytes) < 0))
        return -errno;
    return listen(fd, 1) < 0 ? -errno : 0;
}

static int open_address(const union address *a, socklen_t bytes, bool server)
{
    int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err;

    if (fd < 0)
        return -errno;
    if (server)
        err = listen_at(fd, a, bytes);
    else
        err = connect(fd, &a->any, bytes) < 0 && errno != EINPROGRESS ? -errno : 0;
    if (err == 0)
        return fd;
    close(fd);
    return err;
}

int chardev_socket_open(const char *spec, struct chardev_socket *s)
{
    bool is_unix = strncmp(spec, "unix:", 5) == 0;
    struct wish wish = {false, false};
    union address a;
    socklen_t bytes;
    int fd;

    spec += is_unix ? 5 : 4;
    size_t len = strcspn(spec, ",");
    int err = is_unix ? unix_address(spec, len, &a, &bytes) : tcp_address(spec, len, &a, &bytes);
    if (err != 0)
        return err;
    if (!parse_options(spec + len, &wish) || (wish.server && !wish.nowait))
        return -EINVAL;
    fd = open_address(&a, bytes, wish.server);
    s->server = wish.server;
    if (fd >= 0 && is_unix && wish.server)
        s->path = strdup(a.un.sun_path);
    return fd;
}

int chardev_socket_accept(int fd)
{
    return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

void chardev_socket_close(struct chardev_socket *s)
{
    if (s->path != NULL)
        unlink(s->path);
    free(s->path);
    s->path = NULL;
}
