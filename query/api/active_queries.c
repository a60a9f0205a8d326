/* The list of running queries; see active_queries.h. Nothing is allocated under its lock: room for the
 * copies is taken before, for as many as there were a moment ago and a few more. */
#include "api/active_queries.h"

#include <assert.h>
#include <string.h>

/* Queries that may begin between counting and copying; others are left out. */
enum { LATECOMERS = 16 };

void active_queries_init(struct active_queries *list)
{
    *list = (struct active_queries){.first = NULL};
    lock_init(&list->lock, LOCK_RANK_LEAF);
}

void active_queries_release(struct active_queries *list)
{
    assert(list->first == NULL);
    lock_release(&list->lock);
}

static size_t keep(char *to, size_t size, struct str text)
{
    size_t length = text.len < size ? text.len : size;
    if (length > 0) {
        memcpy(to, text.ptr, length);
    }
    return length;
}

void active_query_describe(
    struct active_query *q, struct str text, struct str client, struct str remote, int64_t begun_ns)
{
    q->text_size = keep(q->text, sizeof(q->text), text);
    q->client_size = keep(q->client, sizeof(q->client), client);
    q->remote_size = keep(q->remote, sizeof(q->remote), remote);
    q->begun_ns = begun_ns;
}

void active_queries_begin(struct active_queries *list, struct active_query *q)
{
    lock_take(&list->lock);
    q->id = ++list->last_id;
    q->previous = NULL;
    q->next = list->first;
    if (q->next != NULL) {
        q->next->previous = q;
    }
    list->first = q;
    list->count++;
    lock_give(&list->lock);
}

void active_queries_end(struct active_queries *list, struct active_query *q)
{
    lock_take(&list->lock);
    assert(list->count > 0);
    if (q->next != NULL) {
        q->next->previous = q->previous;
    }
    if (q->previous != NULL) {
        q->previous->next = q->next;
    } else {
        list->first = q->next;
    }
    list->count--;
    lock_give(&list->lock);
}

/* Texts go to `room`, which has space for the largest there may be. */
static void view(struct active_query_view *v, const struct active_query *q, char *room)
{
    char *client = room + QUERY_TEXT_MAX, *remote = client + QUERY_CLIENT_MAX;
    memcpy(room, q->text, q->text_size);
    memcpy(client, q->client, q->client_size);
    memcpy(remote, q->remote, q->remote_size);
    *v = (struct active_query_view){
        .id = q->id,
        .begun_ns = q->begun_ns,
        .start_ms = q->start_ms,
        .end_ms = q->end_ms,
        .step_ms = q->step_ms,
        .samples = atomic_load_explicit(&q->watch.samples, memory_order_relaxed),
        .memory_bytes = atomic_load_explicit(&q->watch.memory_bytes, memory_order_relaxed),
        .text = str_make(room, q->text_size),
        .client = str_make(client, q->client_size),
        .remote = str_make(remote, q->remote_size),
    };
}

int active_queries_list(struct active_queries *list, struct arena *arena,
    const struct active_query_view **views_out, size_t *count_out)
{
    enum { ROOM = QUERY_TEXT_MAX + 2 * QUERY_CLIENT_MAX };
    lock_take(&list->lock);
    size_t cap = list->count + LATECOMERS, count = 0;
    lock_give(&list->lock);
    struct active_query_view *views = arena_calloc(arena, cap, sizeof(*views));
    char *rooms = arena_calloc(arena, cap, ROOM);
    if (views == NULL || rooms == NULL) {
        return arena_error(arena);
    }
    lock_take(&list->lock);
    for (const struct active_query *q = list->first; q != NULL && count < cap; q = q->next) {
        view(&views[count], q, rooms + count * ROOM);
        count++;
    }
    lock_give(&list->lock);
    *views_out = views;
    *count_out = count;
    return 0;
}

bool active_queries_kill(struct active_queries *list, uint64_t id)
{
    lock_take(&list->lock);
    struct active_query *q = list->first;
    while (q != NULL && q->id != id) {
        q = q->next;
    }
    if (q != NULL) {
        atomic_store(&q->watch.killed, true);
    }
    lock_give(&list->lock);
    return q != NULL;
}
