/* Collecting the spans of a page: their bytes, copied or borrowed, and resources and scopes once each. */
#include "span/span_pager.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

enum {
    SLOTS = 2 * SPAN_PAGE_ROWS_MAX,
    /* Addresses of borrowed messages that are remembered: those of a block come from some twenty pages. */
    KNOWN_SLOTS = 4096,
};

int span_pager_new(struct span_pager **pager_out)
{
    struct span_pager *p = mem_calloc(1, sizeof(*p));
    if (p == NULL) {
        return ERR_NOMEM;
    }
    arena_init(&p->copies, 0);
    p->resources.slots = mem_calloc(SLOTS, sizeof(*p->resources.slots));
    p->scopes.slots = mem_calloc(SLOTS, sizeof(*p->scopes.slots));
    if (p->resources.slots == NULL || p->scopes.slots == NULL) {
        span_pager_free(p);
        return ERR_NOMEM;
    }
    *pager_out = p;
    return 0;
}

void span_pager_free(struct span_pager *pager)
{
    if (pager == NULL) {
        return;
    }
    span_pager_end(pager);
    mem_free(pager->resources.items);
    mem_free(pager->scopes.items);
    mem_free(pager->rows);
    arena_release(&pager->copies);
    mem_free(pager);
}

static void reset_pool(struct span_pager_pool *pool)
{
    pool->count = 0;
    memset(pool->slots, 0, SLOTS * sizeof(*pool->slots));
    if (pool->known != NULL) {
        memset(pool->known, 0, KNOWN_SLOTS * sizeof(*pool->known));
    }
}

void span_pager_reset(struct span_pager *pager)
{
    reset_pool(&pager->resources);
    reset_pool(&pager->scopes);
    pager->row_count = 0;
    pager->bytes = 0;
    arena_release(&pager->copies);
}

static void end_pool(struct span_pager_pool *pool)
{
    mem_free(pool->slots);
    mem_free(pool->known);
    pool->slots = NULL;
    pool->known = NULL;
}

void span_pager_end(struct span_pager *pager)
{
    end_pool(&pager->resources);
    end_pool(&pager->scopes);
}

size_t span_pager_rows(const struct span_pager *pager)
{
    return pager->row_count;
}

size_t span_pager_bytes(const struct span_pager *pager)
{
    return pager->bytes + pager->row_count * sizeof(*pager->rows);
}

/* ---- Adding ---- */

static bool message_is(
    const struct span_pager_message *m, struct str message, struct str schema_url)
{
    return str_eq(m->message, message) && str_eq(m->schema_url, schema_url);
}

/* Bytes as the pager keeps them; false without memory. */
static bool keep(struct span_pager *p, bool borrow, struct str *bytes)
{
    if (!borrow && bytes->len > 0) {
        bytes->ptr = arena_dup(&p->copies, bytes->ptr, bytes->len);
    }
    return borrow || bytes->len == 0 || bytes->ptr != NULL;
}

/* The index of a message, which is added when it is new. */
static int intern(struct span_pager *p, struct span_pager_pool *pool, bool borrow,
    struct str message, struct str schema_url, uint16_t *index_out)
{
    if (pool->count > 0 && message_is(&pool->items[pool->last], message, schema_url)) {
        *index_out = pool->last;
        return 0;
    }
    uint64_t hash = hash64(message.ptr, message.len, schema_url.len);
    size_t slot = hash % SLOTS;
    for (; pool->slots[slot] != 0; slot = (slot + 1) % SLOTS) {
        uint16_t index = (uint16_t)(pool->slots[slot] - 1);
        if (pool->items[index].hash == hash &&
            message_is(&pool->items[index], message, schema_url)) {
            *index_out = pool->last = index;
            return 0;
        }
    }
    int status = mem_array_grow((void **)&pool->items, &pool->cap, pool->count + 1,
        sizeof(*pool->items), SPAN_PAGE_ROWS_MAX);
    if (status != 0) {
        return status;
    }
    if (!keep(p, borrow, &message) || !keep(p, borrow, &schema_url)) {
        return ERR_NOMEM;
    }
    p->bytes += message.len + schema_url.len;
    pool->items[pool->count] = (struct span_pager_message){hash, message, schema_url};
    *index_out = pool->last = (uint16_t)pool->count;
    pool->slots[slot] = (uint16_t)++pool->count;
    return 0;
}

/* The same for what is borrowed: has this very copy been seen? */
static int intern_borrowed(struct span_pager *p, struct span_pager_pool *pool, struct str message,
    struct str schema_url, uint16_t *index_out)
{
    pool->known = pool->known != NULL ? pool->known : mem_calloc(KNOWN_SLOTS, sizeof(*pool->known));
    if (pool->known == NULL) {
        return ERR_NOMEM;
    }
    struct span_pager_known *known =
        &pool->known[hash_mix64((uint64_t)(uintptr_t)message.ptr) % KNOWN_SLOTS];
    if (message.len > 0 && known->message == message.ptr) {
        *index_out = known->index;
        return 0;
    }
    int status = intern(p, pool, true, message, schema_url, index_out);
    if (status == 0) {
        *known = (struct span_pager_known){message.ptr, *index_out};
    }
    return status;
}

/* Takes back a message that was added last, when its span could not be. */
static void forget(struct span_pager_pool *pool, size_t count)
{
    if (pool->count == count) {
        return;
    }
    size_t slot = pool->items[count].hash % SLOTS;
    while (pool->slots[slot] != count + 1) {
        slot = (slot + 1) % SLOTS;
    }
    pool->slots[slot] = 0; /* nothing was placed behind it since */
    pool->count = count;
    pool->last = 0;
    if (pool->known != NULL) {
        memset(pool->known, 0, KNOWN_SLOTS * sizeof(*pool->known));
    }
}

static int intern_both(
    struct span_pager *p, bool borrow, const struct otlp_span *span, struct span_pager_row *row)
{
    struct str resource_url = span->resource->schema_url, scope_url = span->scope->schema_url;
    if (borrow) {
        int status =
            intern_borrowed(p, &p->resources, span->resource_raw, resource_url, &row->resource);
        return status != 0
                   ? status
                   : intern_borrowed(p, &p->scopes, span->scope_raw, scope_url, &row->scope);
    }
    int status = intern(p, &p->resources, false, span->resource_raw, resource_url, &row->resource);
    return status != 0 ? status
                       : intern(p, &p->scopes, false, span->scope_raw, scope_url, &row->scope);
}

static int add(struct span_pager *p, const struct otlp_span *span, bool borrow)
{
    size_t size = span->raw.len + span->resource_raw.len + span->scope_raw.len +
                  span->resource->schema_url.len + span->scope->schema_url.len;
    if (size > SPAN_PAGE_BYTES_MAX || p->row_count >= SPAN_PAGE_ROWS_MAX ||
        (p->row_count > 0 && p->bytes + size > SPAN_PAGE_BYTES_MAX)) {
        return ERR_LIMIT;
    }
    size_t resources = p->resources.count, scopes = p->scopes.count, bytes = p->bytes;
    struct str raw = span->raw;
    struct span_pager_row row = {.trace_id = span->span.trace_id,
        .start_ns = span->span.start_ns,
        .end_ns = span->span.end_ns,
        .span_id = span->span.span_id,
        .number = (uint32_t)p->row_count,
        .size = (uint32_t)raw.len};
    int status = mem_array_grow(
        (void **)&p->rows, &p->row_cap, p->row_count + 1, sizeof(*p->rows), SPAN_PAGE_ROWS_MAX);
    status = status == 0 ? intern_both(p, borrow, span, &row) : status;
    if (status == 0 && !keep(p, borrow, &raw)) {
        status = ERR_NOMEM;
    }
    if (status != 0) {
        forget(&p->scopes, scopes);
        forget(&p->resources, resources);
        p->bytes = bytes;
        return status;
    }
    row.raw = raw.ptr;
    p->bytes += raw.len;
    p->rows[p->row_count++] = row;
    return 0;
}

int span_pager_add(struct span_pager *pager, const struct otlp_span *span)
{
    return add(pager, span, false);
}

int span_pager_borrow(struct span_pager *pager, const struct otlp_span *span)
{
    return add(pager, span, true);
}

/* ---- Order ---- */

static int by_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_trace(const void *left, const void *right)
{
    const struct span_pager_row *a = left, *b = right;
    int order = trace_id_cmp(a->trace_id, b->trace_id);
    order = order != 0 ? order : by_u64(a->start_ns, b->start_ns);
    order = order != 0 ? order : by_u64(a->span_id, b->span_id);
    return order != 0 ? order : by_u64(a->number, b->number);
}

static int by_trace_start(const void *left, const void *right)
{
    const struct span_pager_row *a = left, *b = right;
    int order = by_u64(a->trace_start_ns, b->trace_start_ns);
    return order != 0 ? order : by_trace(left, right);
}

uint32_t span_pager_find_traces(struct span_pager_row *rows, size_t count)
{
    uint32_t traces = 0;
    for (size_t i = 0; i < count; i++) {
        bool same = i > 0 && trace_id_eq(rows[i].trace_id, rows[i - 1].trace_id);
        rows[i].trace_start_ns = same ? rows[i - 1].trace_start_ns : rows[i].start_ns;
        traces += !same;
    }
    return traces;
}

void span_pager_sort(struct span_pager_row *rows, size_t count)
{
    qsort(rows, count, sizeof(*rows), by_trace);
    (void)span_pager_find_traces(rows, count);
    qsort(rows, count, sizeof(*rows), by_trace_start);
}
