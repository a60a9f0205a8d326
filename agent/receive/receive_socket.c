/* Addresses are resolved by the C library; the first that can be bound is taken. */
#include "receive/receive_socket.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

enum { BACKLOG = 64, HOST_MAX = 256 };

static int fail(const char *address, int reason, struct err *e)
{
    char text[128];
    if (reason == EADDRINUSE) {
        return err_set(e, ERR_BUSY, -1, "%s is in use", address);
    }
    return err_set(e, err_from_errno(reason), -1, "cannot listen on %s: %s", address,
        err_errno_text(reason, text, sizeof(text)));
}

/* 0 and the socket, or an errno. */
static int bind_to(const struct addrinfo *candidate, int type, int *fd_out)
{
    int on = 1;
    int fd = socket(candidate->ai_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return errno;
    }
    if (type == SOCK_STREAM) {
        (void)setsockopt(
            fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* a restart would only wait */
    }
    if (bind(fd, candidate->ai_addr, candidate->ai_addrlen) != 0 ||
        (type == SOCK_STREAM && listen(fd, BACKLOG) != 0)) {
        int reason = errno;
        close(fd);
        return reason;
    }
    *fd_out = fd;
    return 0;
}

int receive_socket_bind(const char *address, int type, int *fd_out, struct err *e)
{
    char host[HOST_MAX];
    const char *colon = strrchr(address, ':');
    struct str name = str_make(address, colon != NULL ? (size_t)(colon - address) : 0);
    if (name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']') {
        name = str_make(name.ptr + 1, name.len - 2);
    }
    uint64_t port;
    if (colon == NULL || name.len >= sizeof(host) || str_to_u64(str_of(colon + 1), &port) != 0 ||
        port > UINT16_MAX) {
        return err_set(e, ERR_INVALID, -1,
            "\"%s\" is not an address to listen on; write HOST:PORT or :PORT", address);
    }
    snprintf(host, sizeof(host), "%.*s", STR_ARG(name));
    struct addrinfo *candidates = NULL;
    const struct addrinfo hints = {.ai_socktype = type, .ai_flags = AI_PASSIVE};
    int failed = getaddrinfo(name.len > 0 ? host : NULL, colon + 1, &hints, &candidates);
    if (failed != 0) {
        return err_set(e, ERR_INVALID, -1, "%s: %s", address, gai_strerror(failed));
    }
    int reason = EADDRNOTAVAIL;
    for (const struct addrinfo *c = candidates; c != NULL && reason != 0; c = c->ai_next) {
        reason = bind_to(c, type, fd_out);
    }
    freeaddrinfo(candidates);
    return reason == 0 ? 0 : fail(address, reason, e);
}

/* Whether somebody listens at the path. */
static bool is_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return alive;
}

int receive_socket_bind_unix(const char *path, int *fd_out, struct err *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    if (strlen(path) >= sizeof(address.sun_path)) {
        return err_set(e, ERR_INVALID, -1, "%s: a socket's path has at most %zu bytes", path,
            sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, path, strlen(path));
    if (lstat(path, &status) == 0) {
        if (!S_ISSOCK(status.st_mode)) {
            return err_set(e, ERR_EXISTS, -1, "%s exists and is not a socket", path);
        }
        if (is_alive(&address)) {
            return fail(path, EADDRINUSE, e);
        }
        (void)unlink(path); /* binding says what is wrong */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        chmod(path, 0666) != 0) {
        int reason = errno;
        if (fd >= 0) {
            close(fd);
        }
        return fail(path, reason, e);
    }
    *fd_out = fd;
    return 0;
}
