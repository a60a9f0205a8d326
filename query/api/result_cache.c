/* The cache of range answers; see result_cache.h.
 *
 * The order of looking is what makes it right. The number of the last change is read first; then, for what
 * was kept, the smallest time touched since it was made; then the rest is evaluated. Whatever is committed
 * in between is newer than the number that the new answer is kept under, and is found the next time.
 *
 * Entries are immutable and counted by reference, so that the lock is held for a moment only: an entry
 * that is copied from may be replaced meanwhile.
 */
#include "api/result_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/lock.h"
#include "base/mem.h"

enum {
    BUCKETS = 1024,
    /* One answer may take this part of the whole. */
    ENTRY_SHARE = 8,
};

struct entry {
    struct entry *bucket_next;
    struct entry *newer, *older; /* in order of use */
    _Atomic unsigned references;
    uint64_t hash;
    struct str text;
    int64_t step_ms, phase_ms, lookback_ms;
    int64_t first_ms, last_ms; /* steps that were evaluated */
    int64_t reach_ms;          /* how far before a step samples are read */
    uint64_t version;          /* of the store, before they were */
    size_t bytes;
    struct arena arena; /* all of it */
    struct engine_series *series;
    size_t series_count;
};

struct result_cache {
    size_t bytes_max;
    struct lock lock; /* guards all below */
    struct entry *buckets[BUCKETS];
    struct entry *newest, *oldest;
    struct result_cache_statistics statistics;
};

static void entry_unref(struct entry *entry)
{
    if (entry != NULL && atomic_fetch_sub(&entry->references, 1) == 1) {
        arena_release(&entry->arena);
        mem_free(entry);
    }
}

int result_cache_new(size_t bytes_max, struct result_cache **cache_out)
{
    struct result_cache *cache = mem_calloc(1, sizeof(*cache));
    if (cache == NULL) {
        return ERR_NOMEM;
    }
    cache->bytes_max = bytes_max;
    lock_init(&cache->lock, LOCK_RANK_LEAF);
    *cache_out = cache;
    return 0;
}

void result_cache_free(struct result_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    for (struct entry *entry = cache->newest, *older; entry != NULL; entry = older) {
        older = entry->older;
        entry_unref(entry);
    }
    lock_release(&cache->lock);
    mem_free(cache);
}

void result_cache_statistics(
    struct result_cache *cache, struct result_cache_statistics *statistics_out)
{
    lock_take(&cache->lock);
    *statistics_out = cache->statistics;
    lock_give(&cache->lock);
}

/* ---- Which expressions ---- */

/* Stops at what makes a step depend on more than the samples up to it. */
static int refuse(struct expr *expr, struct expr *parent, void *context)
{
    (void)parent, (void)context;
    switch (expr->kind) {
    case EXPR_SELECTOR: {
        const struct expr_selector *s = &expr->selector;
        return s->when.at != AT_NONE || s->when.offset_ms < 0 || s->when.offset_expr != NULL ||
               s->smoothed;
    }
    case EXPR_MATRIX:
        return expr->matrix.range_expr != NULL;
    case EXPR_SUBQUERY: {
        const struct expr_subquery *s = &expr->subquery;
        return s->when.at != AT_NONE || s->when.offset_ms < 0 || s->when.offset_expr != NULL ||
               s->range_expr != NULL || s->step_expr != NULL;
    }
    case EXPR_CALL:
        switch (expr->call.function->id) {
        case FUNCTION_START:
        case FUNCTION_END:
        case FUNCTION_RANGE:
        case FUNCTION_STEP:
        case FUNCTION_INFO:
            return 1;
        default: // functions of MetricsQL look at all steps
            return expr->call.function->id > FUNCTION_COUNT;
        }
    case EXPR_AGGREGATE:
        // Which series are chosen may depend on those of other steps.
        return expr->aggregate.op == AGGREGATE_LIMITK ||
               expr->aggregate.op == AGGREGATE_LIMIT_RATIO ||
               aggregate_op_chooses_series(expr->aggregate.op);
    default:
        return 0;
    }
}

static bool may_keep(const struct result_cache_query *q)
{
    struct arena arena;
    struct expr *expr;
    arena_init(&arena, (size_t)16 << 20);
    bool keep = promql_parse(q->text, q->features, &arena, &expr, NULL) == 0 &&
                promql_walk(expr, refuse, NULL) == 0;
    arena_release(&arena);
    return keep;
}

/* ---- Finding ---- */

static int64_t phase_of(const struct result_cache_query *q)
{
    int64_t phase = q->start_ms % q->step_ms;
    return phase < 0 ? phase + q->step_ms : phase;
}

static uint64_t hash_of(const struct result_cache_query *q)
{
    const int64_t numbers[] = {q->step_ms, phase_of(q), q->options->lookback_ms};
    return hash64(q->text.ptr, q->text.len, hash64(numbers, sizeof(numbers), 0));
}

static bool is_of(const struct entry *entry, uint64_t hash, const struct result_cache_query *q)
{
    return entry->hash == hash && entry->step_ms == q->step_ms && entry->phase_ms == phase_of(q) &&
           entry->lookback_ms == q->options->lookback_ms && str_eq(entry->text, q->text);
}

static struct entry **place_of(
    struct result_cache *cache, uint64_t hash, const struct result_cache_query *q)
{
    struct entry **place = &cache->buckets[hash % BUCKETS];
    while (*place != NULL && !is_of(*place, hash, q)) {
        place = &(*place)->bucket_next;
    }
    return place;
}

static void unlink_use(struct result_cache *cache, struct entry *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &cache->oldest) = entry->newer;
    entry->newer = entry->older = NULL;
}

static void link_newest(struct result_cache *cache, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

/* A reference to what is kept, or NULL. */
static struct entry *find(
    struct result_cache *cache, uint64_t hash, const struct result_cache_query *q)
{
    lock_take(&cache->lock);
    struct entry *entry = *place_of(cache, hash, q);
    if (entry != NULL) {
        atomic_fetch_add(&entry->references, 1);
        unlink_use(cache, entry);
        link_newest(cache, entry);
    }
    lock_give(&cache->lock);
    return entry;
}

/* The last step that the entry still knows, or a time before `start_ms`. */
static int64_t last_known(const struct entry *entry, const struct result_cache_query *q)
{
    if (entry == NULL || q->start_ms < entry->first_ms || q->start_ms > entry->last_ms) {
        return q->start_ms - q->step_ms;
    }
    if (q->start_ms - entry->reach_ms < tsdb_samples_from(q->db)) {
        return q->start_ms - q->step_ms; // of buckets, which are seen as a whole
    }
    int64_t touched = tsdb_changed_since(q->db, entry->version);
    int64_t last = entry->last_ms < q->end_ms ? entry->last_ms : q->end_ms;
    if (touched <= q->start_ms) {
        return q->start_ms - q->step_ms;
    }
    last = last < touched - 1 ? last : touched - 1;
    return q->start_ms + (last - q->start_ms) / q->step_ms * q->step_ms;
}

/* ---- Putting together ---- */

/* The samples of a series with first <= t <= last. */
struct clip {
    const int64_t *times;
    const double *values;
    size_t count;
};

static size_t count_before(const int64_t *times, size_t count, int64_t t)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (times[middle] < t) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct clip clip_of(const struct engine_series *s, int64_t first, int64_t last)
{
    if (s == NULL) {
        return (struct clip){.count = 0};
    }
    size_t begin = count_before(s->float_times, s->float_count, first);
    size_t end = count_before(s->float_times, s->float_count, last + 1);
    return (struct clip){s->float_times + begin, s->floats + begin, end - begin};
}

static void release_labels(void *labels)
{
    labels_unref(labels);
}

/* One series of two parts, the second later than the first. */
static int join_parts(struct arena *arena, const struct labels *labels, struct clip a,
    struct clip b, struct engine_series *out)
{
    size_t count = a.count + b.count;
    int64_t *times = arena_alloc(arena, count * sizeof(*times));
    double *values = arena_alloc(arena, count * sizeof(*values));
    void *object = (void *)(uintptr_t)labels;
    if (times == NULL || values == NULL || arena_charge(arena, labels_memory(labels)) != 0 ||
        arena_on_release(arena, release_labels, object) != 0) {
        return arena_error(arena);
    }
    (void)labels_ref(labels);
    const struct clip parts[] = {a, b};
    size_t at = 0;
    for (size_t i = 0; i < 2; i++) {
        if (parts[i].count > 0) {
            memcpy(times + at, parts[i].times, parts[i].count * sizeof(*times));
            memcpy(values + at, parts[i].values, parts[i].count * sizeof(*values));
            at += parts[i].count;
        }
    }
    *out = (struct engine_series){
        .labels = labels, .float_count = count, .float_times = times, .floats = values};
    return 0;
}

/* Series of `entry` up to `last_ms` (none when NULL) and of `fresh`, in label order. Histograms stay in
 * `fresh`: a series that has some is not in an entry. */
static int join_all(struct arena *arena, const struct entry *entry, int64_t first_ms,
    int64_t last_ms, const struct engine_result *fresh, struct engine_series **series_out,
    size_t *count_out)
{
    size_t kept = entry != NULL ? entry->series_count : 0, more = fresh->series_count;
    struct engine_series *series = arena_calloc(arena, kept + more + 1, sizeof(*series));
    if (series == NULL) {
        return arena_error(arena);
    }
    size_t count = 0;
    for (size_t i = 0, k = 0; i < kept || k < more;) {
        const struct engine_series *a = i < kept ? &entry->series[i] : NULL;
        const struct engine_series *b = k < more ? &fresh->series[k] : NULL;
        int order = a == NULL ? 1 : b == NULL ? -1 : labels_cmp(a->labels, b->labels);
        i += order <= 0;
        k += order >= 0;
        a = order <= 0 ? a : NULL;
        b = order >= 0 ? b : NULL;
        struct clip before = clip_of(a, first_ms, last_ms);
        struct clip after = clip_of(b, INT64_MIN, INT64_MAX - 1);
        if (before.count + after.count == 0) {
            continue;
        }
        int status =
            join_parts(arena, a != NULL ? a->labels : b->labels, before, after, &series[count]);
        if (status != 0) {
            return status;
        }
        count++;
    }
    *series_out = series;
    *count_out = count;
    return 0;
}

static bool has_histograms(const struct engine_result *result)
{
    for (size_t i = 0; i < result->series_count; i++) {
        if (result->series[i].histogram_count > 0) {
            return true;
        }
    }
    return false;
}

/* ---- Keeping ---- */

static void drop_entry(struct result_cache *cache, struct entry *entry)
{
    struct entry **place = &cache->buckets[entry->hash % BUCKETS];
    while (*place != entry) {
        place = &(*place)->bucket_next;
    }
    *place = entry->bucket_next;
    unlink_use(cache, entry);
    cache->statistics.bytes -= entry->bytes;
    cache->statistics.entries--;
}

/* Puts the entry in the place of one for the same query, and makes room. Dropped ones are chained in
 * `bucket_next` for whoever gave the lock back. */
static struct entry *insert(
    struct result_cache *cache, struct entry *entry, const struct result_cache_query *q)
{
    struct entry *dropped = NULL;
    lock_take(&cache->lock);
    struct entry *same = *place_of(cache, entry->hash, q);
    if (same != NULL) {
        drop_entry(cache, same);
        same->bucket_next = dropped;
        dropped = same;
    }
    while (cache->oldest != NULL && cache->statistics.bytes + entry->bytes > cache->bytes_max) {
        struct entry *oldest = cache->oldest;
        drop_entry(cache, oldest);
        oldest->bucket_next = dropped;
        dropped = oldest;
    }
    entry->bucket_next = cache->buckets[entry->hash % BUCKETS];
    cache->buckets[entry->hash % BUCKETS] = entry;
    link_newest(cache, entry);
    cache->statistics.bytes += entry->bytes;
    cache->statistics.entries++;
    lock_give(&cache->lock);
    return dropped;
}

/* Keeps a copy of a whole answer; when memory is short nothing is kept. */
static void keep(struct result_cache *cache, const struct result_cache_query *q, uint64_t hash,
    uint64_t version, int64_t reach_ms, const struct engine_result *result)
{
    struct entry *entry = mem_calloc(1, sizeof(*entry));
    if (entry == NULL) {
        return;
    }
    struct memory_budget budget;
    memory_budget_init(&budget, NULL, cache->bytes_max / ENTRY_SHARE);
    arena_init_charged(&entry->arena, &budget);
    char *text = arena_strndup(&entry->arena, q->text.ptr, q->text.len);
    int status = text != NULL ? join_all(&entry->arena, NULL, 0, 0, result, &entry->series,
                                    &entry->series_count)
                              : ERR_NOMEM;
    entry->bytes = memory_budget_used(&budget) + sizeof(*entry);
    entry->arena.budget = NULL; // it was there to measure
    if (status != 0) {
        arena_release(&entry->arena);
        mem_free(entry);
        return;
    }
    atomic_init(&entry->references, 1);
    entry->hash = hash;
    entry->text = str_make(text, q->text.len);
    entry->step_ms = q->step_ms;
    entry->phase_ms = phase_of(q);
    entry->lookback_ms = q->options->lookback_ms;
    entry->first_ms = q->start_ms;
    entry->last_ms = q->start_ms + (q->end_ms - q->start_ms) / q->step_ms * q->step_ms;
    entry->version = version;
    entry->reach_ms = reach_ms;
    struct entry *dropped = insert(cache, entry, q);
    while (dropped != NULL) {
        struct entry *next = dropped->bucket_next;
        entry_unref(dropped);
        dropped = next;
    }
}

/* ---- Answering ---- */

/* A source that notes how far back is read. */
struct noting_source {
    struct querier_source source;
    struct querier_source *reads;
    int64_t min_t;
};

static int open_and_note(struct querier_source *source, int64_t min_t, int64_t max_t,
    struct querier **querier_out, struct err *e)
{
    struct noting_source *noting = (struct noting_source *)source;
    noting->min_t = min_t < noting->min_t ? min_t : noting->min_t;
    return querier_open(noting->reads, min_t, max_t, querier_out, e);
}

static int evaluate(const struct result_cache_query *q, int64_t start_ms, int64_t *reach_ms,
    struct engine_result *result_out, struct err *e)
{
    struct noting_source noting = {{open_and_note}, q->reads, start_ms};
    int status = engine_range(q->engine, &noting.source, q->text, start_ms, q->end_ms, q->step_ms,
        q->options, result_out, e);
    *reach_ms = start_ms - noting.min_t;
    return status;
}

/* `fresh` becomes the whole answer; what it held is released. */
static int complete(const struct result_cache_query *q, const struct entry *entry, int64_t last_ms,
    struct engine_result *fresh, struct err *e)
{
    struct engine_result whole = {
        .type = PROMQL_MATRIX, .time_ms = q->start_ms, .statistics = fresh->statistics};
    struct engine_series *series = NULL;
    arena_init_charged(&whole.arena, engine_memory(q->engine));
    int status =
        join_all(&whole.arena, entry, q->start_ms, last_ms, fresh, &series, &whole.series_count);
    engine_result_release(fresh);
    if (status != 0) {
        arena_release(&whole.arena);
        return err_set(e, status, -1, "the answer does not fit in memory: %s", err_text(status));
    }
    whole.series = series;
    *fresh = whole;
    return 0;
}

static void count(struct result_cache *cache, uint64_t *counter)
{
    lock_take(&cache->lock);
    ++*counter;
    lock_give(&cache->lock);
}

int result_cache_range(struct result_cache *cache, const struct result_cache_query *q,
    struct engine_result *result_out, struct err *e)
{
    int64_t reach_ms = 0;
    if (q->step_ms <= 0 || q->end_ms - q->start_ms < q->step_ms) {
        return evaluate(q, q->start_ms, &reach_ms, result_out, e);
    }
    uint64_t hash = hash_of(q), version = tsdb_data_version(q->db);
    struct entry *entry = find(cache, hash, q);
    int64_t last_ms = last_known(entry, q);
    bool known = last_ms >= q->start_ms, all = last_ms > q->end_ms - q->step_ms;
    int status = 0;
    *result_out = (struct engine_result){0};
    if (!all) {
        status = evaluate(q, last_ms + q->step_ms, &reach_ms, result_out, e);
    }
    // With something to say or histograms, the answer is made at once and whole.
    bool plain = status == 0 && result_out->warning_count == 0 && result_out->info_count == 0 &&
                 !has_histograms(result_out);
    if (known && status == 0 && !plain) {
        known = all = false;
        engine_result_release(result_out);
        status = evaluate(q, q->start_ms, &reach_ms, result_out, e);
    } else if (known && status == 0) {
        status = complete(q, entry, last_ms, result_out, e);
    }
    count(cache, all     ? &cache->statistics.hits
                 : known ? &cache->statistics.extended
                         : &cache->statistics.misses);
    if (status == 0 && plain && !all && (known || may_keep(q))) {
        keep(cache, q, hash, version, reach_ms, result_out);
    }
    entry_unref(entry);
    return status;
}
