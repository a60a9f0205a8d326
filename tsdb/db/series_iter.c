/* One series from many sources, as runs.
 *
 * Sources are opened in order of their earliest possible sample. While one source alone covers a
 * stretch of time its decoded arrays are handed out as they are; where several overlap they are
 * merged sample by sample. A run holds one kind of value.
 *
 * What open sources take is charged to the budget of the arena that the iterator was opened in: a query
 * with many of them open fails as one whose own lists grow too long (ERR_LIMIT: its own limit; ERR_BUSY:
 * that of all). Idle ones are bounded by their pool.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "db/series_source.h"
#include "model/histogram.h"

/* Samples merged into one run. */
enum { MERGED_RUN_MAX = 2048 };

/* An open source: decoded samples, and how far they are used. */
struct series_cursor {
    struct series_cursor *next;
    const struct series_source *source;
    const int64_t *times;
    const double *values;
    const struct str *histograms;
    size_t at, count;
    int64_t newest_t; /* a sample that was found without its neighbours */
    double newest_value;
    struct part_buffer buffer;
    size_t idle_bytes;            /* what it counted for in the pool */
    struct arena arena;           /* samples of the head */
    struct memory_budget *budget; /* of the reader; NULL = none */
    size_t charged;               /* for the buffer */
};

struct series_iter {
    struct column_iter iter;
    struct arena *arena;
    struct iter_request request;
    const struct series_source **sources; /* by min_t */
    size_t source_at, source_count;
    struct series_cursor *active;
    /* The run that peek found and next has not taken; or a source that it described unread. */
    bool held, described;
    struct column_run run;
    struct run_summary summary;
    /* Merged samples, and decoded histograms of the run handed out last. */
    int64_t *times;
    double *values;
    struct str *cells;
    struct arena run_arena;
};

static struct series_iter *self_of(struct column_iter *it)
{
    return (struct series_iter *)it;
}

/* ---- Cursors ---- */

static void cursor_free(struct series_cursor *c)
{
    part_buffer_release(&c->buffer);
    arena_release(&c->arena);
    mem_free(c);
}

void cursor_pool_init(struct cursor_pool *pool)
{
    *pool = (struct cursor_pool){.bytes_max = CURSOR_POOL_BYTES_MAX};
    lock_init(&pool->lock, LOCK_RANK_LEAF);
}

void cursor_pool_release(struct cursor_pool *pool)
{
    while (pool->idle != NULL) {
        struct series_cursor *c = pool->idle;
        pool->idle = c->next;
        cursor_free(c);
    }
    lock_release(&pool->lock);
}

static struct series_cursor *take_cursor(struct cursor_pool *pool, struct memory_budget *budget)
{
    lock_take(&pool->lock);
    struct series_cursor *c = pool->idle;
    if (c != NULL) {
        pool->idle = c->next;
        pool->count--;
        pool->bytes -= c->idle_bytes;
    }
    lock_give(&pool->lock);
    if (c == NULL) {
        c = mem_calloc(1, sizeof(*c));
        if (c != NULL) {
            part_buffer_init(&c->buffer);
        }
    }
    if (c != NULL) {
        c->budget = budget;
        arena_init_charged(&c->arena, budget);
    }
    return c;
}

static size_t cursor_bytes(const struct series_cursor *c)
{
    return sizeof(*c) + part_buffer_memory(&c->buffer);
}

/* Charges what a read has left in the buffer. */
static int charge_buffer(struct series_cursor *c)
{
    size_t bytes = cursor_bytes(c);
    int status = c->budget != NULL ? memory_budget_charge(c->budget, bytes) : 0;
    c->charged = status == 0 && c->budget != NULL ? bytes : 0;
    return status;
}

static void give_cursor(struct cursor_pool *pool, struct series_cursor *c)
{
    arena_release(&c->arena);
    if (c->charged > 0) {
        memory_budget_discharge(c->budget, c->charged);
        c->charged = 0;
    }
    struct querier_statistics *reads = &c->buffer.reads;
    c->idle_bytes = cursor_bytes(c);
    lock_take(&pool->lock);
    pool->reads.blocks += reads->blocks;
    pool->reads.samples += reads->samples;
    pool->reads.bytes += reads->bytes;
    pool->reads.summaries += reads->summaries;
    *reads = (struct querier_statistics){0};
    bool keep = pool->count < CURSOR_POOL_MAX && pool->bytes + c->idle_bytes <= pool->bytes_max;
    if (keep) {
        pool->bytes += c->idle_bytes;
        c->next = pool->idle;
        pool->idle = c;
        pool->count++;
    }
    lock_give(&pool->lock);
    if (!keep) {
        cursor_free(c);
    }
}

static int read_head(struct series_iter *it, struct series_cursor *c)
{
    struct sample_list list = {0};
    int status = table_read(c->source->table, c->source->column, it->request.point,
        it->request.min_t, it->request.max_t, &c->arena, &list);
    c->times = list.times;
    c->values = list.values;
    c->histograms = list.histograms;
    c->count = list.count;
    return status;
}

/* 1 when the newest sample alone is wanted, and the part finds it (or none) without decoding the others. */
static int read_newest(struct series_iter *it, struct series_cursor *c, struct err *e)
{
    const struct series_source *s = c->source;
    if (!it->request.newest_only || s->kind != COLUMN_FLOAT || s->hidden_count > 0) {
        return 0;
    }
    int known =
        part_read_newest(s->part->part, s->group, s->group_table, s->column, it->request.min_t,
            it->request.max_t, &c->buffer, &c->count, &c->newest_t, &c->newest_value, e);
    if (known > 0) {
        c->times = &c->newest_t;
        c->values = &c->newest_value;
        c->buffer.reads.summaries++;
    }
    return known;
}

static int read_part(struct series_iter *it, struct series_cursor *c, struct err *e)
{
    const struct series_source *s = c->source;
    size_t count = 0;
    c->count = 0;
    if (store_part_is_damaged(s->part, s->group, s->column)) {
        return 0; // the set has the warning
    }
    if (read_newest(it, c, e) > 0) {
        return 0;
    }
    int status = part_read(s->part->part, s->group, s->group_table, s->column, it->request.min_t,
        it->request.max_t, &c->buffer, &count, e);
    if (status == ERR_CORRUPT) {
        store_part_add_damage(s->part, s->group, s->column);
    }
    struct sample_arrays samples = {.times = c->buffer.times,
        .values = s->kind == COLUMN_FLOAT ? c->buffer.values : NULL,
        .histograms = s->kind == COLUMN_HISTOGRAM ? c->buffer.histograms : NULL,
        .count = count};
    if (status == 0 && s->hidden_count > 0) {
        status = ranges_filter(s->hidden, s->hidden_count, &c->arena, &samples);
    }
    c->times = samples.times;
    c->values = samples.values;
    c->histograms = samples.histograms;
    c->count = samples.count;
    return status;
}

/* Opens the next source. */
static int activate(struct series_iter *it, struct err *e)
{
    struct series_cursor *c = take_cursor(it->request.pool, it->arena->budget);
    if (c == NULL) {
        return err_set(e, ERR_NOMEM, -1, "reading a series: out of memory");
    }
    c->source = it->sources[it->source_at++];
    c->at = 0;
    int status = c->source->part != NULL ? read_part(it, c, e) : read_head(it, c);
    status = status == 0 ? charge_buffer(c) : status;
    if (status != 0 || c->count == 0) {
        give_cursor(it->request.pool, c);
        return status;
    }
    if (it->request.newest_only) {
        c->at = c->count - 1; // histograms before it are not decoded
    }
    c->next = it->active;
    it->active = c;
    return 0;
}

/* Used-up cursors leave. */
static void retire(struct series_iter *it)
{
    struct series_cursor **link = &it->active;
    while (*link != NULL) {
        struct series_cursor *c = *link;
        if (c->at < c->count) {
            link = &c->next;
            continue;
        }
        *link = c->next;
        give_cursor(it->request.pool, c);
    }
}

static size_t lower_bound(const struct series_cursor *c, int64_t t_ms)
{
    size_t low = c->at, high = c->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->times[middle] < t_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* ---- Runs ---- */

static int decode_histograms(
    struct series_iter *it, const struct str *cells, size_t count, struct err *e)
{
    const struct histogram **list = arena_alloc(&it->run_arena, count * sizeof(*list));
    int status = list != NULL ? 0 : arena_error(&it->run_arena);
    for (size_t i = 0; status == 0 && i < count; i++) {
        struct histogram *h = NULL;
        status = histogram_decode(cells[i], &it->run_arena, &h);
        list[i] = h;
    }
    it->run.values = NULL;
    it->run.histograms = list;
    return status == 0 ? 0 : err_set(e, status, -1, "a histogram: %s", err_text(status));
}

/* Samples of the only open source before `limit`, as they lie. */
static int run_of_one(struct series_iter *it, struct series_cursor *c, size_t end, struct err *e)
{
    it->run = (struct column_run){.count = end - c->at, .times = c->times + c->at};
    int status = 0;
    if (c->source->kind == COLUMN_HISTOGRAM) {
        status = decode_histograms(it, c->histograms + c->at, it->run.count, e);
    } else {
        it->run.values = c->values + c->at;
    }
    c->at = end;
    return status;
}

/* Of two samples of one time: a histogram counts before a float (a sender that changes over names both
 * for a while), then the higher precedence. */
static bool counts_before(const struct series_source *a, const struct series_source *b)
{
    return a->kind != b->kind ? a->kind > b->kind : a->precedence > b->precedence;
}

/* The open sample that comes next: the earliest. Others of its time are passed over. NULL when it is
 * not before `limit`. */
static struct series_cursor *pick(struct series_iter *it, int64_t limit)
{
    struct series_cursor *best = NULL;
    for (struct series_cursor *c = it->active; c != NULL; c = c->next) {
        if (c->at == c->count) {
            continue;
        }
        bool better =
            best == NULL || c->times[c->at] < best->times[best->at] ||
            (c->times[c->at] == best->times[best->at] && counts_before(c->source, best->source));
        best = better ? c : best;
    }
    return best != NULL && best->times[best->at] < limit ? best : NULL;
}

static void pass(struct series_iter *it, int64_t t_ms)
{
    for (struct series_cursor *c = it->active; c != NULL; c = c->next) {
        c->at += c->at < c->count && c->times[c->at] == t_ms;
    }
}

static int reserve_merged(struct series_iter *it)
{
    if (it->times != NULL) {
        return 0;
    }
    int64_t *times = arena_alloc(it->arena, MERGED_RUN_MAX * sizeof(*times));
    it->values = arena_alloc(it->arena, MERGED_RUN_MAX * sizeof(*it->values));
    it->cells = arena_alloc(it->arena, MERGED_RUN_MAX * sizeof(*it->cells));
    if (times == NULL || it->values == NULL || it->cells == NULL) {
        return arena_error(it->arena);
    }
    it->times = times;
    return 0;
}

/* Samples of all open sources before `limit`, merged, as long as they are of one kind. */
static int run_of_many(struct series_iter *it, int64_t limit, struct err *e)
{
    int status = reserve_merged(it);
    if (status != 0) {
        return err_set(e, status, -1, "reading a series: %s", err_text(status));
    }
    size_t count = 0;
    enum column_kind kind = COLUMN_FLOAT;
    while (count < MERGED_RUN_MAX) {
        const struct series_cursor *c = pick(it, limit);
        if (c == NULL || (count > 0 && c->source->kind != kind)) {
            break;
        }
        kind = c->source->kind;
        it->times[count] = c->times[c->at];
        if (kind == COLUMN_HISTOGRAM) {
            it->cells[count] = c->histograms[c->at];
        } else {
            it->values[count] = c->values[c->at];
        }
        pass(it, it->times[count]);
        count++;
    }
    it->run = (struct column_run){.count = count, .times = it->times, .values = it->values};
    return kind == COLUMN_HISTOGRAM && count > 0 ? decode_histograms(it, it->cells, count, e) : 0;
}

/* Fills it->run: 1, or 0 at the end. */
static int produce(struct series_iter *it, struct err *e)
{
    arena_release(&it->run_arena);
    for (;;) {
        retire(it);
        bool more = it->source_at < it->source_count;
        if (it->active == NULL && !more) {
            return 0;
        }
        /* Sources not open yet begin at this time or later; at the last one nothing is beyond. */
        int64_t limit = more ? it->sources[it->source_at]->min_t : INT64_MAX;
        int status = 0;
        it->run.count = 0;
        if (it->active != NULL && it->active->next == NULL) {
            size_t end = lower_bound(it->active, limit);
            if (end > it->active->at) {
                status = run_of_one(it, it->active, end, e);
            }
        } else if (it->active != NULL) {
            status = run_of_many(it, limit, e);
        }
        if (status != 0) {
            return status;
        }
        if (it->run.count > 0) {
            return 1;
        }
        status = activate(it, e);
        if (status != 0) {
            return status;
        }
    }
}

/* ---- The operations ---- */

static int op_next(struct column_iter *iter, struct column_run *run_out, struct err *e)
{
    struct series_iter *it = self_of(iter);
    it->described = false;
    if (!it->held) {
        int status = produce(it, e);
        if (status != 1) {
            return status;
        }
    }
    it->held = false;
    *run_out = it->run;
    return 1;
}

/* ---- Runs that need not be read ---- */

/* Does a source that is not open begin after `t`? */
static int begins_after(
    const struct series_source *s, int64_t t_ms, struct part_buffer *buffer, struct err *e)
{
    int64_t first = s->min_t, last = s->max_t;
    if (first > t_ms) {
        return 1;
    }
    /* Bounds of a part's group are those of all its tables. */
    int status = s->part != NULL ? part_read_extent(s->part->part, s->group, s->group_table, buffer,
                                       &first, &last, e)
                                 : 0;
    return status != 0 ? status : first > t_ms;
}

/* 1 when the next source alone covers its time and the part knows its summary; else 0. A part that
 * cannot be read is left for the reading to find. */
static int describe(struct series_iter *it, struct part_buffer *buffer)
{
    const struct series_source *s = it->sources[it->source_at];
    struct err unheard = ERR_INIT;
    if (s->part == NULL || s->kind != COLUMN_FLOAT || s->hidden_count > 0 ||
        store_part_is_damaged(s->part, s->group, s->column)) {
        return 0;
    }
    int known = part_read_summary(s->part->part, s->group, s->group_table, s->column,
        it->request.min_t, it->request.max_t, buffer, &it->summary, &unheard);
    for (size_t i = it->source_at + 1; known > 0 && i < it->source_count; i++) {
        if (it->sources[i]->min_t > it->summary.last_t) {
            break;
        }
        known = begins_after(it->sources[i], it->summary.last_t, buffer, &unheard);
    }
    return known > 0;
}

static void describe_next(struct series_iter *it)
{
    retire(it);
    if (it->active != NULL || it->source_at == it->source_count) {
        return;
    }
    struct series_cursor *c = take_cursor(it->request.pool, it->arena->budget);
    if (c != NULL) {
        it->described = describe(it, &c->buffer) > 0;
        c->buffer.reads.summaries += it->described;
        give_cursor(it->request.pool, c);
    }
}

static int op_peek(struct column_iter *iter, int64_t *min_t_out, int64_t *max_t_out,
    const struct run_summary **summary_out, struct err *e)
{
    struct series_iter *it = self_of(iter);
    if (!it->held && !it->described) {
        describe_next(it);
    }
    if (it->described) {
        *min_t_out = it->summary.first_t;
        *max_t_out = it->summary.last_t;
        *summary_out = &it->summary;
        return 1;
    }
    if (!it->held) {
        int status = produce(it, e);
        if (status != 1) {
            return status;
        }
        it->held = true;
    }
    *min_t_out = it->run.times[0];
    *max_t_out = it->run.times[it->run.count - 1];
    *summary_out = NULL;
    return 1;
}

static void op_skip(struct column_iter *iter)
{
    struct series_iter *it = self_of(iter);
    it->source_at += it->described;
    it->described = false;
    it->held = false;
}

/* The part of the held run before `t` is dropped. */
static void trim_held(struct series_iter *it, int64_t t_ms)
{
    size_t skip = 0;
    while (skip < it->run.count && it->run.times[skip] < t_ms) {
        skip++;
    }
    it->run.times += skip;
    it->run.values = it->run.values != NULL ? it->run.values + skip : NULL;
    it->run.histograms = it->run.histograms != NULL ? it->run.histograms + skip : NULL;
    it->run.count -= skip;
    it->held = it->run.count > 0;
}

static int op_seek(struct column_iter *iter, int64_t t_ms, struct err *e)
{
    struct series_iter *it = self_of(iter);
    (void)e;
    it->described = false;
    if (it->held) {
        trim_held(it, t_ms);
    }
    for (struct series_cursor *c = it->active; c != NULL; c = c->next) {
        c->at = lower_bound(c, t_ms);
    }
    if (t_ms > it->request.min_t) {
        it->request.min_t = t_ms;
    }
    /* Sources that end before are never opened. */
    size_t kept = it->source_at;
    for (size_t i = it->source_at; i < it->source_count; i++) {
        if (it->sources[i]->max_t >= t_ms) {
            it->sources[kept++] = it->sources[i];
        }
    }
    it->source_count = kept;
    return 0;
}

static void op_close(struct column_iter *iter)
{
    struct series_iter *it = self_of(iter);
    while (it->active != NULL) {
        struct series_cursor *c = it->active;
        it->active = c->next;
        give_cursor(it->request.pool, c);
    }
    arena_release(&it->run_arena);
}

static const struct column_iter_ops ops = {op_next, op_peek, op_skip, op_seek, op_close};

static int compare_sources(const void *a, const void *b)
{
    const struct series_source *x = *(const struct series_source *const *)a;
    const struct series_source *y = *(const struct series_source *const *)b;
    if (x->min_t != y->min_t) {
        return x->min_t < y->min_t ? -1 : 1;
    }
    return x->precedence < y->precedence ? -1 : x->precedence > y->precedence;
}

int series_iter_open(const struct series_source *sources, const struct iter_request *request,
    struct arena *arena, struct column_iter **iter_out, struct err *e)
{
    size_t count = 0;
    for (const struct series_source *s = sources; s != NULL; s = s->next) {
        count++;
    }
    struct series_iter *it = arena_calloc(arena, 1, sizeof(*it));
    const struct series_source **list = arena_alloc(arena, (count + 1) * sizeof(*list));
    if (it == NULL || list == NULL) {
        return err_set(e, arena_error(arena), -1, "reading a series: out of memory");
    }
    for (const struct series_source *s = sources; s != NULL; s = s->next) {
        if (s->min_t <= request->max_t && s->max_t >= request->min_t) {
            list[it->source_count++] = s;
        }
    }
    qsort(list, it->source_count, sizeof(*list), compare_sources);
    it->iter.ops = &ops;
    it->arena = arena;
    it->request = *request;
    it->sources = list;
    arena_init_charged(&it->run_arena, arena->budget);
    *iter_out = &it->iter;
    return 0;
}
