/* What operators ask of a running query: errors, limits, memory, labels, annotations. */
#include "query.h"

#include <stdarg.h>

int query_fail(struct query *q, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)err_vset(q->e, code, -1, format, arguments);
    va_end(arguments);
    return code;
}

static int fail_budget(struct query *q)
{
    return query_fail(q, ERR_LIMIT, "query needs more than the %zu KiB of memory it may use",
        q->options->memory_bytes >> 10);
}

int query_fail_memory(struct query *q, const struct arena *arena)
{
    return arena_error(arena) == ERR_LIMIT ? fail_budget(q)
                                           : query_fail(q, ERR_NOMEM, "out of memory");
}

/* An arena of the query, in a list of them. */
struct scratch {
    struct arena arena;
    struct scratch *next;
};

static size_t memory_used(const struct query *q)
{
    size_t used = q->arena.used + (q->result_arena != NULL ? q->result_arena->used : 0);
    for (const struct scratch *s = q->scratches; s != NULL; s = s->next) {
        used += s->arena.used;
    }
    return used;
}

int query_check(struct query *q)
{
    if (q->canceled != NULL && atomic_load_explicit(q->canceled, memory_order_relaxed)) {
        return query_fail(q, ERR_CANCELED, "query was canceled in expression evaluation");
    }
    if (clock_monotonic_ns(q->options->clock) > q->deadline_ns) {
        return query_fail(q, ERR_TIMEOUT, "query timed out in expression evaluation");
    }
    return memory_used(q) > q->options->memory_bytes ? fail_budget(q) : 0;
}

void query_count_read(struct query *q, uint64_t count)
{
    q->statistics.samples += count;
}

int query_hold_samples(struct query *q, uint64_t count)
{
    q->samples_live += count;
    if (q->samples_live > q->statistics.samples_peak) {
        q->statistics.samples_peak = q->samples_live;
    }
    if (q->samples_live > q->samples_max) {
        return query_fail(q, ERR_LIMIT,
            "query processing would load too many samples into memory in query execution");
    }
    return 0;
}

void query_drop_samples(struct query *q, uint64_t count)
{
    q->samples_live -= count < q->samples_live ? count : q->samples_live;
}

static void release_scratch(void *object)
{
    struct scratch *s = object;
    arena_release(&s->arena);
}

struct arena *query_scratch(struct query *q)
{
    struct scratch *s = arena_alloc(&q->arena, sizeof(*s));
    if (s == NULL || arena_on_release(&q->arena, release_scratch, s) != 0) {
        (void)query_fail_memory(q, &q->arena);
        return NULL;
    }
    arena_init(&s->arena, q->options->memory_bytes);
    s->next = q->scratches;
    q->scratches = s;
    return &s->arena;
}

static void release_labels(void *labels)
{
    labels_unref(labels);
}

int query_own_labels(struct query *q, const struct labels *labels)
{
    void *object = (void *)(uintptr_t)labels;
    if (arena_on_release(&q->arena, release_labels, object) != 0) {
        labels_unref(labels);
        return query_fail_memory(q, &q->arena);
    }
    return 0;
}

int query_drop_name(struct query *q, const struct labels *labels, const struct labels **labels_out)
{
    static const struct str names[] = {{"__name__", 8}, {"__type__", 8}, {"__unit__", 8}};
    bool has = false;
    for (size_t i = 0; i < 3; i++) {
        has = has || labels_has(labels, names[i]);
    }
    if (!has) {
        *labels_out = labels;
        return 0;
    }
    const struct labels *dropped;
    int status = labels_restrict(labels, names, 3, false, &dropped);
    if (status != 0) {
        return query_fail(q, status, "%s", err_text(status));
    }
    status = query_own_labels(q, dropped);
    if (status == 0) {
        *labels_out = dropped;
    }
    return status;
}

void query_write_labels(const struct labels *labels, struct strbuf *out)
{
    strbuf_add_char(out, '{');
    for (size_t i = 0; i < labels_count(labels); i++) {
        struct label pair = labels_at(labels, i);
        strbuf_add_c(out, i > 0 ? ", " : "");
        if (label_name_is_classic(pair.name)) {
            strbuf_add_str(out, pair.name);
        } else {
            promql_write_quoted(pair.name, out);
        }
        strbuf_add_char(out, '=');
        promql_write_quoted(pair.value, out);
    }
    strbuf_add_char(out, '}');
}

int query_annotate(
    struct query *q, enum annotation_kind kind, const struct expr *expr, const char *format, ...)
{
    char text[ERR_MESSAGE_MAX];
    int length = snprintf(
        text, sizeof(text), "PromQL %s: ", kind == ANNOTATION_WARNING ? "warning" : "info");
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text + length, sizeof(text) - (size_t)length, format, arguments);
    va_end(arguments);
    if (annotations_add(&q->annotations, kind, expr->position.start, text) != 0) {
        return query_fail_memory(q, &q->arena);
    }
    return 0;
}
