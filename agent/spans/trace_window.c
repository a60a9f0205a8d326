/* Slabs of spans, a table of traces, and two lists of them: those that wait for their time, and those that
 * wait for less since their root came. Each is in order of deadlines, so the earliest is at the head of one.
 */
#include "spans/trace_window.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

/* RECENT_GROUPS: scopes that take turns in a message are copied once. */
enum { SLOTS_MIN = 1024, ALIGNMENT = 16, RECENT_GROUPS = 4 };

struct window_slab {
    size_t size, used;
    size_t live; /* spans in it; one more while it is written to */
};

struct list {
    struct window_trace *head, *tail;
};

struct trace_window {
    uint64_t seed;
    struct window_slab *open; /* NULL: none yet */
    /* In the open slab, of the batch at hand: groups of the resource `resource_number`. */
    const struct window_group *recent[RECENT_GROUPS];
    size_t recent_count, recent_next;
    uint64_t resource_number;
    struct window_trace **slots; /* open addressing, at most half full */
    size_t slot_count, traces, spans;
    struct list waiting, rooted;
    size_t bytes;
};

int trace_window_new(struct trace_window **window_out)
{
    struct trace_window *w = mem_calloc(1, sizeof(*w));
    if (w == NULL) {
        return ERR_NOMEM;
    }
    w->seed = hash_seed_random();
    w->slots = mem_calloc(SLOTS_MIN, sizeof(*w->slots));
    if (w->slots == NULL) {
        mem_free(w);
        return ERR_NOMEM;
    }
    w->slot_count = SLOTS_MIN;
    w->bytes = SLOTS_MIN * sizeof(*w->slots);
    *window_out = w;
    return 0;
}

static void unref_slab(struct trace_window *w, struct window_slab *slab)
{
    slab->live--;
    if (slab->live == 0) {
        w->bytes -= sizeof(*slab) + slab->size;
        mem_free(slab);
    }
}

void trace_window_free(struct trace_window *w)
{
    if (w == NULL) {
        return;
    }
    struct window_trace *trace;
    while ((trace = trace_window_oldest(w)) != NULL) {
        struct window_span *span = trace_window_take(w, trace);
        while (span != NULL) {
            struct window_span *next = span->next;
            trace_window_release(w, span);
            span = next;
        }
    }
    if (w->open != NULL) {
        unref_slab(w, w->open);
    }
    mem_free(w->slots);
    mem_free(w);
}

/* ---- Slabs ---- */

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static bool open_slab(struct trace_window *w, size_t needed)
{
    size_t size = needed > TRACE_WINDOW_SLAB_BYTES ? needed : TRACE_WINDOW_SLAB_BYTES;
    struct window_slab *slab = mem_alloc(sizeof(*slab) + size);
    if (slab == NULL) {
        return false;
    }
    if (w->open != NULL) {
        unref_slab(w, w->open);
    }
    *slab = (struct window_slab){.size = size, .live = 1};
    w->open = slab;
    trace_window_end_batch(w);
    w->bytes += sizeof(*slab) + size;
    return true;
}

static void *carve(struct trace_window *w, size_t size)
{
    _Static_assert(sizeof(struct window_slab) % 8 == 0, "what is carved is aligned");
    void *place = (char *)(w->open + 1) + w->open->used;
    w->open->used += aligned(size);
    return place;
}

static struct str copy_behind(char **to, struct str text)
{
    struct str copy = str_make(*to, text.len);
    memcpy(*to, text.ptr != NULL ? text.ptr : "", text.len);
    *to += text.len;
    return copy;
}

/* The group among those that were copied last. */
static const struct window_group *find_group(
    const struct trace_window *w, const struct span_group *g)
{
    if (w->resource_number != g->resource_number) {
        return NULL;
    }
    for (size_t i = 0; i < w->recent_count; i++) {
        const struct window_group *known = w->recent[i];
        if (str_eq(known->scope_raw, g->scope_raw) &&
            str_eq(known->scope_schema, g->scope_schema)) {
            return known;
        }
    }
    return NULL;
}

/* What a copy of the group takes: with its resource, unless that is there. */
static size_t group_size(const struct trace_window *w, const struct span_group *g)
{
    bool known = w->recent_count > 0 && w->resource_number == g->resource_number;
    size_t resource = known ? 0 : g->resource_raw.len + g->resource_schema.len;
    return sizeof(struct window_group) + g->scope_raw.len + g->scope_schema.len + resource;
}

static const struct window_group *copy_group(struct trace_window *w, const struct span_group *g)
{
    bool known = w->recent_count > 0 && w->resource_number == g->resource_number;
    struct window_group *copy = carve(w, group_size(w, g));
    char *to = (char *)(copy + 1);
    copy->scope_raw = copy_behind(&to, g->scope_raw);
    copy->scope_schema = copy_behind(&to, g->scope_schema);
    if (known) {
        copy->resource_raw = w->recent[0]->resource_raw;
        copy->resource_schema = w->recent[0]->resource_schema;
    } else {
        copy->resource_raw = copy_behind(&to, g->resource_raw);
        copy->resource_schema = copy_behind(&to, g->resource_schema);
        trace_window_end_batch(w);
        w->resource_number = g->resource_number;
    }
    uint64_t hash = hash64(copy->resource_raw.ptr, copy->resource_raw.len, w->seed);
    hash = hash64(copy->resource_schema.ptr, copy->resource_schema.len, hash);
    hash = hash64(copy->scope_raw.ptr, copy->scope_raw.len, hash);
    copy->hash = hash64(copy->scope_schema.ptr, copy->scope_schema.len, hash);
    w->recent[w->recent_next] = copy;
    w->recent_next = (w->recent_next + 1) % RECENT_GROUPS;
    w->recent_count += w->recent_count < RECENT_GROUPS;
    return copy;
}

struct window_span *trace_window_copy(
    struct trace_window *w, const struct span_batch *batch, const struct span_item *item)
{
    const struct span_group *g = &batch->groups[item->group];
    size_t size = aligned(sizeof(struct window_span) + item->raw.len);
    const struct window_group *group = find_group(w, g);
    size_t needed = size + (group != NULL ? 0 : aligned(group_size(w, g)));
    if (w->open == NULL || w->open->size - w->open->used < needed) {
        size_t whole = sizeof(struct window_group) + g->resource_raw.len + g->resource_schema.len +
                       g->scope_raw.len + g->scope_schema.len;
        if (!open_slab(w, size + aligned(whole))) {
            return NULL;
        }
        group = NULL;
    }
    if (group == NULL) {
        group = copy_group(w, g);
    }
    struct window_span *span = carve(w, sizeof(*span) + item->raw.len);
    *span = (struct window_span){
        .slab = w->open,
        .group = group,
        .span_id = item->span_id,
        .seconds = item->seconds,
        .place = item->place,
        .size = (uint32_t)item->raw.len,
        .has_state = item->has_state,
    };
    memcpy(span + 1, item->raw.ptr, item->raw.len);
    w->open->live++;
    return span;
}

void trace_window_end_batch(struct trace_window *w)
{
    w->recent_count = w->recent_next = 0;
}

void trace_window_release(struct trace_window *w, struct window_span *span)
{
    unref_slab(w, span->slab);
}

/* ---- Traces ---- */

static uint64_t hash_id(const struct trace_window *w, struct trace_id id)
{
    return hash_mix64(id.low ^ hash_mix64(id.high ^ w->seed));
}

static size_t find_slot(const struct trace_window *w, struct trace_id id)
{
    size_t slot = hash_id(w, id) & (w->slot_count - 1);
    while (w->slots[slot] != NULL && !trace_id_eq(w->slots[slot]->id, id)) {
        slot = (slot + 1) & (w->slot_count - 1);
    }
    return slot;
}

struct window_trace *trace_window_find(const struct trace_window *w, struct trace_id id)
{
    return w->slots[find_slot(w, id)];
}

static int grow(struct trace_window *w)
{
    struct trace_window larger = *w;
    larger.slot_count *= 2;
    larger.slots = mem_calloc(larger.slot_count, sizeof(*larger.slots));
    if (larger.slots == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < w->slot_count; i++) {
        if (w->slots[i] != NULL) {
            larger.slots[find_slot(&larger, w->slots[i]->id)] = w->slots[i];
        }
    }
    mem_free(w->slots);
    w->bytes += (larger.slot_count - w->slot_count) * sizeof(*w->slots);
    w->slots = larger.slots;
    w->slot_count = larger.slot_count;
    return 0;
}

static void append(struct list *l, struct window_trace *trace)
{
    trace->before = l->tail;
    trace->after = NULL;
    if (l->tail != NULL) {
        l->tail->after = trace;
    } else {
        l->head = trace;
    }
    l->tail = trace;
}

static void detach(struct list *l, struct window_trace *trace)
{
    if (trace->before != NULL) {
        trace->before->after = trace->after;
    } else {
        l->head = trace->after;
    }
    if (trace->after != NULL) {
        trace->after->before = trace->before;
    } else {
        l->tail = trace->before;
    }
}

struct window_trace *trace_window_make(
    struct trace_window *w, struct trace_id id, int64_t deadline_ms)
{
    if ((w->traces + 1) * 2 > w->slot_count && grow(w) != 0) {
        return NULL;
    }
    struct window_trace *trace = mem_calloc(1, sizeof(*trace));
    if (trace == NULL) {
        return NULL;
    }
    trace->id = id;
    trace->deadline_ms = deadline_ms;
    trace->start_ns = UINT64_MAX;
    w->slots[find_slot(w, id)] = trace;
    w->traces++;
    w->bytes += sizeof(*trace);
    append(&w->waiting, trace);
    return trace;
}

void trace_window_join(struct trace_window *w, struct window_trace *trace, struct window_span *span)
{
    span->next = NULL;
    if (trace->last != NULL) {
        trace->last->next = span;
    } else {
        trace->first = span;
    }
    trace->last = span;
    trace->spans++;
    trace->bytes += span->size;
    w->spans++;
}

void trace_window_hasten(struct trace_window *w, struct window_trace *trace, int64_t deadline_ms)
{
    if (trace->has_root || deadline_ms >= trace->deadline_ms) {
        return;
    }
    detach(&w->waiting, trace);
    trace->deadline_ms = deadline_ms;
    trace->has_root = true;
    append(&w->rooted, trace);
}

struct window_trace *trace_window_oldest(const struct trace_window *w)
{
    struct window_trace *a = w->waiting.head, *b = w->rooted.head;
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    return a->deadline_ms <= b->deadline_ms ? a : b;
}

/* Takes the slot out, and moves up those that were pushed behind it. */
static void remove_slot(struct trace_window *w, size_t slot)
{
    size_t mask = w->slot_count - 1;
    w->slots[slot] = NULL;
    for (size_t next = (slot + 1) & mask; w->slots[next] != NULL; next = (next + 1) & mask) {
        size_t home = hash_id(w, w->slots[next]->id) & mask;
        if (((next - home) & mask) >= ((next - slot) & mask)) {
            w->slots[slot] = w->slots[next];
            w->slots[next] = NULL;
            slot = next;
        }
    }
}

struct window_span *trace_window_take(struct trace_window *w, struct window_trace *trace)
{
    struct window_span *first = trace->first;
    remove_slot(w, find_slot(w, trace->id));
    detach(trace->has_root ? &w->rooted : &w->waiting, trace);
    w->traces--;
    w->spans -= trace->spans;
    w->bytes -= sizeof(*trace);
    mem_free(trace);
    return first;
}

size_t trace_window_bytes(const struct trace_window *w)
{
    return w->bytes;
}

size_t trace_window_traces(const struct trace_window *w)
{
    return w->traces;
}

size_t trace_window_spans(const struct trace_window *w)
{
    return w->spans;
}
