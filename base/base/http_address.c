/* Listening sockets. Binding is where a person meets the server's first mistake, so each reason has
 * its own sentence. */
#include "http_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/str.h"

enum { BACKLOG = 1024, HOST_TEXT_MAX = 254 };

struct host_port {
    char host[HOST_TEXT_MAX + 1]; /* "" = all addresses */
    char port[6];
};

static int split(const char *address, struct host_port *out, struct err *e)
{
    struct str text = str_of(address);
    const char *colon = strrchr(address, ':');
    struct str host = str_make(address, colon != NULL ? (size_t)(colon - address) : 0);
    struct str port = colon != NULL ? str_of(colon + 1) : STR("");
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = str_make(host.ptr + 1, host.len - 2);
    } else if (str_find(host, ':') >= 0 || str_find(host, '[') >= 0) {
        port = STR("");
    }
    uint64_t number;
    if (str_to_u64(port, &number) != 0 || number > UINT16_MAX || host.len > HOST_TEXT_MAX ||
        port.len >= sizeof(out->port)) {
        return err_set(e, ERR_INVALID, -1,
            "\"%.*s\" is not an address to listen on; write 127.0.0.1:9095, [::1]:9095 or :9095",
            STR_ARG(text));
    }
    memcpy(out->host, host.ptr, host.len);
    out->host[host.len] = '\0';
    memcpy(out->port, port.ptr, port.len);
    out->port[port.len] = '\0';
    return 0;
}

static int fail_bind(const char *address, int reason, struct err *e)
{
    char text[128];
    switch (reason) {
    case EADDRINUSE:
        return err_set(e, ERR_BUSY, -1,
            "%s is in use: another server runs there; choose another with --listen", address);
    case EADDRNOTAVAIL:
        return err_set(e, ERR_INVALID, -1,
            "%s is not an address of this machine; 127.0.0.1:PORT or :PORT works everywhere",
            address);
    case EACCES:
        return err_set(e, ERR_PERMISSION, -1,
            "%s needs more rights than this user has; ports from 1024 up are free to use", address);
    default:
        return err_set(e, err_from_errno(reason), -1, "cannot listen on %s: %s", address,
            err_errno_text(reason, text, sizeof(text)));
    }
}

/* 0 and the socket, or the errno of what failed. */
static int listen_on(const struct addrinfo *candidate, int *fd_out)
{
    int fd = socket(candidate->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return errno;
    }
    int on = 1, off = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* a restart would only wait */
    if (candidate->ai_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (bind(fd, candidate->ai_addr, candidate->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int reason = errno;
        (void)close(fd);
        return reason;
    }
    *fd_out = fd;
    return 0;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage bound = {0};
    socklen_t size = sizeof(bound);
    (void)getsockname(fd, (struct sockaddr *)&bound, &size); /* cannot fail on a bound socket */
    return ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                             : ((struct sockaddr_in *)&bound)->sin_port);
}

/* The first candidate of the family (AF_UNSPEC: of any) that can be listened on; else the errno of
 * the last one, -1 when there was none. */
static int listen_on_first(const struct addrinfo *candidates, int family, int *fd_out)
{
    int reason = -1;
    for (const struct addrinfo *c = candidates; c != NULL && reason != 0; c = c->ai_next) {
        if (family == AF_UNSPEC || c->ai_family == family) {
            reason = listen_on(c, fd_out);
        }
    }
    return reason;
}

int http_listen(const char *address, int *fd_out, uint16_t *port_out, struct err *e)
{
    struct host_port parts;
    int status = split(address, &parts, e);
    if (status != 0) {
        return status;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *candidates = NULL;
    bool everywhere = parts.host[0] == '\0';
    int result = getaddrinfo(everywhere ? NULL : parts.host, parts.port, &hints, &candidates);
    if (result != 0) {
        return err_set(
            e, ERR_INVALID, -1, "cannot listen on %s: %s", address, gai_strerror(result));
    }
    /* An IPv6 socket on all addresses takes IPv4 too; without IPv6 in the kernel IPv4 is left. */
    int reason = listen_on_first(candidates, everywhere ? AF_INET6 : AF_UNSPEC, fd_out);
    if (everywhere && reason != 0 && reason != EADDRINUSE && reason != EACCES) {
        reason = listen_on_first(candidates, AF_INET, fd_out);
    }
    freeaddrinfo(candidates);
    if (reason != 0) {
        return fail_bind(address, reason, e);
    }
    *port_out = port_of(*fd_out);
    return 0;
}

size_t http_address_write(const struct sockaddr *address, char *text)
{
    char host[INET6_ADDRSTRLEN] = "?";
    unsigned port = 0;
    bool brackets = false;
    if (address != NULL && address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        port = ntohs(v4->sin_port);
    } else if (address != NULL && address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        brackets = !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        if (brackets) {
            (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        } else {
            (void)inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], host, sizeof(host));
        }
        port = ntohs(v6->sin6_port);
    }
    int length = snprintf(text, HTTP_ADDRESS_TEXT_MAX, brackets ? "[%s]:%u" : "%s:%u", host, port);
    return length > 0 ? (size_t)length : 0;
}
