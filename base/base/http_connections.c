/* Open connections; see the header. */
#include "http_connections.h"

#include <assert.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "http_metrics.h"

void http_connections_init(struct http_connections *all, size_t max, int64_t patience_ms)
{
    *all = (struct http_connections){.max = max, .patience_ms = patience_ms, .swept_ms = INT64_MIN};
    lock_init(&all->lock, LOCK_RANK_LEAF);
    lock_condition_init(&all->changed);
}

void http_connections_release(struct http_connections *all)
{
    assert(all->first == NULL);
    lock_condition_release(&all->changed);
    lock_release(&all->lock);
}

/* ---- Ending, under the lock ---- */

static void end(struct http_connections *all, struct open_connection *c)
{
    if (!c->ended) {
        c->ended = true;
        all->living--;
        (void)shutdown(c->fd, SHUT_RDWR);
    }
}

/* The oldest in a phase, of those that are in it since before. Newer ones come first in the list. */
static struct open_connection *oldest(
    const struct http_connections *all, enum connection_phase phase, int64_t before_ms)
{
    struct open_connection *found = NULL;
    int64_t found_ms = INT64_MAX;
    for (struct open_connection *c = all->first; c != NULL; c = c->next) {
        int64_t since_ms = atomic_load_explicit(&c->since_ms, memory_order_relaxed);
        if (!c->ended && atomic_load_explicit(&c->phase, memory_order_relaxed) == (int)phase &&
            since_ms < before_ms && since_ms <= found_ms) {
            found = c;
            found_ms = since_ms;
        }
    }
    return found;
}

/* When all are served it is the newcomer who goes. */
static void make_room(
    struct http_connections *all, struct open_connection *newcomer, int64_t now_ms)
{
    struct open_connection *c = oldest(all, CONNECTION_WAITS, now_ms - HTTP_WAITING_GRACE_MS);
    if (c == NULL) {
        c = oldest(all, CONNECTION_ANSWERED, now_ms - HTTP_READING_GRACE_MS);
    }
    if (c == NULL) {
        c = oldest(all, CONNECTION_WAITS, INT64_MAX);
    }
    end(all, c != NULL ? c : newcomer);
    http_metrics_cut(HTTP_CUT_CROWD);
}

static void sweep(struct http_connections *all, int64_t now_ms)
{
    if (all->swept_ms > now_ms - HTTP_SWEEP_MS) {
        return;
    }
    all->swept_ms = now_ms;
    struct open_connection *c;
    while ((c = oldest(all, CONNECTION_WAITS, now_ms - all->patience_ms)) != NULL) {
        end(all, c);
        http_metrics_cut(HTTP_CUT_SLOW);
    }
}

/* ---- The way of a connection ---- */

struct open_connection *http_connections_add(struct http_connections *all, int fd, int64_t now_ms)
{
    struct open_connection *c = mem_calloc(1, sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    c->fd = fd;
    atomic_init(&c->phase, CONNECTION_WAITS);
    atomic_init(&c->since_ms, now_ms);
    lock_take(&all->lock);
    c->next = all->first;
    if (c->next != NULL) {
        c->next->previous = c;
    }
    all->first = c;
    all->living++;
    sweep(all, now_ms);
    if (all->living > all->max) {
        make_room(all, c, now_ms);
    }
    lock_give(&all->lock);
    return c;
}

void http_connections_remove(struct http_connections *all, struct open_connection *c)
{
    lock_take(&all->lock);
    if (c->next != NULL) {
        c->next->previous = c->previous;
    }
    if (c->previous != NULL) {
        c->previous->next = c->next;
    } else {
        all->first = c->next;
    }
    all->living -= !c->ended;
    if (all->first == NULL) {
        lock_condition_broadcast(&all->changed);
    }
    lock_give(&all->lock);
    mem_free(c);
}

void http_connections_enter(struct http_connections *all, struct open_connection *c,
    enum connection_phase phase, int64_t now_ms)
{
    atomic_store_explicit(&c->since_ms, now_ms, memory_order_relaxed);
    atomic_store_explicit(&c->phase, phase, memory_order_relaxed);
    if (phase == CONNECTION_WAITS) {
        lock_take(&all->lock);
        sweep(all, now_ms);
        lock_give(&all->lock);
    }
}

void http_connections_end_all(struct http_connections *all)
{
    lock_take(&all->lock);
    for (struct open_connection *c = all->first; c != NULL; c = c->next) {
        end(all, c);
    }
}
