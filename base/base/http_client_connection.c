/* Connections, and those that are kept. */
#include "http_client_connection.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

static struct http_client_connection **bucket_of(
    struct http_client_connections *all, const struct http_plain_address *address)
{
    return &all->buckets[hash64(&address->to, address->size, 0) % HTTP_CLIENT_CONNECTION_BUCKETS];
}

static void leave_idle(struct http_client_connection *c)
{
    struct http_client_connections *all = c->all;
    struct http_client_connection **at = bucket_of(all, &c->address);
    while (*at != c) {
        at = &(*at)->next_in_bucket;
    }
    *at = c->next_in_bucket;
    *(c->older != NULL ? &c->older->newer : &all->oldest) = c->newer;
    *(c->newer != NULL ? &c->newer->older : &all->newest) = c->older;
    c->older = c->newer = c->next_in_bucket = NULL;
    c->phase = HTTP_READING;
    all->idle_count--;
}

void http_client_connection_close(struct http_client_connection *c)
{
    if (c->phase == HTTP_IDLE) {
        leave_idle(c);
    }
    loop_watch_free(c->watch);
    if (c->fd >= 0) {
        (void)close(c->fd); /* a socket has nothing to lose */
    }
    mem_free(c);
}

void http_client_connections_release(struct http_client_connections *all)
{
    while (all->oldest != NULL) {
        http_client_connection_close(all->oldest);
    }
}

void http_client_connection_keep(struct http_client_connection *c)
{
    struct http_client_connections *all = c->all;
    struct http_client_connection **bucket = bucket_of(all, &c->address);
    c->phase = HTTP_IDLE;
    c->kept = true;
    c->exchange = NULL;
    c->idle_since_ms = clock_monotonic_ms(clock_real());
    c->next_in_bucket = *bucket;
    *bucket = c;
    c->older = all->newest;
    *(all->newest != NULL ? &all->newest->newer : &all->oldest) = c;
    all->newest = c;
    all->idle_count++;
    int64_t age_ms = c->idle_since_ms - all->oldest->idle_since_ms;
    if (all->idle_count > all->idle_max || age_ms > HTTP_CLIENT_CONNECTION_IDLE_MS_MAX) {
        http_client_connection_close(all->oldest);
    }
}

int http_client_connection_watch(struct http_client_connection *c, unsigned events)
{
    int status = c->watched == events ? 0 : loop_watch_set(c->watch, events);
    c->watched = status == 0 ? events : 0;
    return status;
}

static void on_ready(void *context, int fd, unsigned events)
{
    struct http_client_connection *c = context;
    (void)fd;
    c->all->ready(c, events);
}

static int connect_to(struct http_client_connection *c)
{
    const struct sockaddr *to = &c->address.to.any;
    const int on = 1;
    c->fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0) {
        return err_from_errno(errno);
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* faster, not needed */
    if (connect(c->fd, to, c->address.size) != 0 && errno != EINPROGRESS) {
        return err_from_errno(errno);
    }
    int status = loop_watch_new(c->all->loop, c->fd, on_ready, c, &c->watch);
    return status == 0 ? http_client_connection_watch(c, LOOP_WRITABLE) : status;
}

static struct http_client_connection *find_idle(
    struct http_client_connections *all, const struct http_plain_address *address)
{
    for (struct http_client_connection *c = *bucket_of(all, address); c != NULL;
         c = c->next_in_bucket) {
        if (c->address.size == address->size &&
            memcmp(&c->address.to, &address->to, address->size) == 0) {
            return c;
        }
    }
    return NULL;
}

int http_client_connections_get(struct http_client_connections *all,
    const struct http_plain_address *address, bool may_be_kept,
    struct http_client_connection **c_out)
{
    struct http_client_connection *c = may_be_kept ? find_idle(all, address) : NULL;
    if (c != NULL) {
        leave_idle(c);
        *c_out = c;
        return 0;
    }
    c = mem_calloc(1, sizeof(*c));
    if (c == NULL) {
        return ERR_NOMEM;
    }
    *c = (struct http_client_connection){.all = all, .address = *address, .phase = HTTP_CONNECTING};
    int status = connect_to(c);
    if (status != 0) {
        http_client_connection_close(c);
        return status;
    }
    *c_out = c;
    return 0;
}
