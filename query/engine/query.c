/* What operators ask of a running query: errors, limits, memory, labels, annotations. */
#include "query.h"

#include <stdarg.h>
#include <string.h>

void query_fork(
    struct query *fork, const struct query *q, const atomic_bool *stopped, struct err *e)
{
    *fork = (struct query){.options = q->options,
        .text = q->text,
        .memory = q->memory,
        .querier = q->querier,
        .selections = q->selections,
        .lookback_ms = q->lookback_ms,
        .samples_max = q->samples_max,
        .timeout_ms = q->timeout_ms,
        .deadline_ns = q->deadline_ns,
        .canceled = q->canceled,
        .watch = q->watch,
        .grid = q->grid,
        .range_query = q->range_query,
        .e = e,
        .stopped = stopped};
    arena_init_charged(&fork->arena, fork->memory);
    annotations_init(&fork->annotations, &fork->arena);
}

int query_fail(struct query *q, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)err_vset(q->e, code, -1, format, arguments);
    va_end(arguments);
    return code;
}

static int fail_memory(struct query *q, int code)
{
    switch (code) {
    case ERR_LIMIT:
        return query_fail(q, ERR_LIMIT, "query needs more than the %zu KiB of memory it may use",
            q->options->memory_bytes >> 10);
    case ERR_BUSY:
        return query_fail(q, ERR_BUSY,
            "all queries together have used up the %zu KiB of memory they may use; try again later",
            q->options->memory_total_bytes >> 10);
    default:
        return query_fail(q, ERR_NOMEM, "out of memory");
    }
}

int query_fail_memory(struct query *q, const struct arena *arena)
{
    return fail_memory(q, arena_error(arena));
}

int query_judge_memory(struct query *q, int status)
{
    bool bare = q->e->code != status || strcmp(q->e->message, err_text(status)) == 0;
    return bare && (status == ERR_LIMIT || status == ERR_BUSY) ? fail_memory(q, status) : status;
}

static int check_killed(struct query *q)
{
    return q->watch != NULL && atomic_load_explicit(&q->watch->killed, memory_order_relaxed)
               ? query_fail(q, ERR_CANCELED, "query was killed by an administrator")
               : 0;
}

/* Shows how far the query is, and asks whether it shall go on. */
static int attend_watch(struct query *q, int64_t now_ns)
{
    struct engine_watch *watch = q->watch;
    atomic_store_explicit(&watch->samples, q->statistics.samples, memory_order_relaxed);
    atomic_store_explicit(
        &watch->memory_bytes, memory_budget_used(q->memory), memory_order_relaxed);
    if (watch->abandoned != NULL &&
        now_ns - q->watched_ns >= ENGINE_ABANDONED_MS * INT64_C(1000000)) {
        q->watched_ns = now_ns;
        if (watch->abandoned(watch->context)) {
            return query_fail(q, ERR_CANCELED, "query was canceled: its client went away");
        }
    }
    return 0;
}

/* The thread of the query itself sees to its watch. */
static int check_fork(struct query *q)
{
    if (atomic_load_explicit(q->stopped, memory_order_relaxed)) {
        return query_fail(q, ERR_CANCELED, "query has ended");
    }
    if (q->asking == NULL) {
        return 0;
    }
    int status = query_check(q->asking);
    return status == 0 ? 0 : query_fail(q, status, "%s", q->asking->e->message);
}

int query_check(struct query *q)
{
    if (q->stopped != NULL) {
        int status = check_fork(q);
        if (status != 0 || q->asking != NULL) {
            return status;
        }
    }
    size_t memory = memory_budget_used(q->memory);
    if (memory > q->statistics.memory_bytes) {
        q->statistics.memory_bytes = memory;
    }
    if (q->canceled != NULL && atomic_load_explicit(q->canceled, memory_order_relaxed)) {
        return query_fail(q, ERR_CANCELED, "query was canceled in expression evaluation");
    }
    int64_t now_ns = clock_monotonic_ns(q->options->clock);
    if (now_ns > q->deadline_ns) {
        return query_fail(q, ERR_TIMEOUT, "query timed out in expression evaluation");
    }
    int status = check_killed(q);
    return status == 0 && q->watch != NULL && q->stopped == NULL ? attend_watch(q, now_ns) : status;
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

static void release_scratch(void *arena)
{
    arena_release(arena);
}

struct arena *query_scratch(struct query *q)
{
    struct arena *scratch = arena_alloc(&q->arena, sizeof(*scratch));
    if (scratch == NULL || arena_on_release(&q->arena, release_scratch, scratch) != 0) {
        (void)query_fail_memory(q, &q->arena);
        return NULL;
    }
    arena_init_charged(scratch, q->memory);
    return scratch;
}

static void release_labels(void *labels)
{
    labels_unref(labels);
}

int query_own_labels(struct query *q, const struct labels *labels)
{
    void *object = (void *)(uintptr_t)labels;
    if (arena_charge(&q->arena, labels_memory(labels)) != 0 ||
        arena_on_release(&q->arena, release_labels, object) != 0) {
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
