/* Reading tiers; see the header.
 *
 * The series is cut into stretches (tier_segments.h), read one after the other. A stretch of raw samples is
 * a series_iter. One of a tier is a series_iter for each aggregate the series has there, walked in step:
 * `last` says which buckets there are, the others give what they have of each. Native histograms are
 * samples as they were; a series that has both is merged by time.
 */
#include "db/tier_iter.h"

#include <assert.h>

#include "base/hash.h"
#include "base/mem.h"
#include "db/tier_segments.h"
#include "tier/tier_columns.h"

/* Buckets of one run. */
enum { RUN_BUCKETS_MAX = 1024 };

/* One aggregate, walked bucket by bucket. */
struct walk {
    struct column_iter *iter; /* NULL: there is none, or no more */
    struct column_run run;
    size_t at;
};

struct tier_iter {
    struct column_iter iter;
    struct arena *arena;
    struct tier_sources sources;
    struct tier_request request;
    struct tier_segment segments[TIER_SEGMENTS_MAX];
    size_t segment, segment_count; /* the one that is open is segment - 1 */
    struct column_iter *raw;       /* the open one is raw */
    bool in_tier;
    int64_t resolution_ms;
    int64_t earliest_t;        /* buckets with an earlier last sample are not asked for */
    struct iter_request inner; /* of the iterators of the stretch: they borrow it */
    struct walk walks[TIER_AGGREGATES];
    bool held;
    struct column_run run;
    /* The run handed out last. */
    int64_t *times;
    double *values;
    struct run_summary *buckets;
    uint8_t *estimates;
    const struct histogram **sketches;
    struct arena run_arena;
};

/* ---- Shared sources ---- */

struct tier_shared_slot {
    struct series_source *sources; /* NULL: free */
    uint32_t target;
};

static struct tier_shared_slot *find_slot(const struct tier_shared *shared, uint32_t target)
{
    size_t at = (size_t)hash_mix64(target) & shared->mask;
    while (shared->slots[at].sources != NULL && shared->slots[at].target != target) {
        at = (at + 1) & shared->mask;
    }
    return &shared->slots[at];
}

static int grow_shared(struct tier_shared *shared)
{
    size_t cap = shared->slots == NULL ? 0 : shared->mask + 1;
    if (shared->count < cap / 2) {
        return 0;
    }
    struct tier_shared grown = {.count = shared->count, .mask = cap == 0 ? 63 : cap * 2 - 1};
    grown.slots = mem_calloc(grown.mask + 1, sizeof(*grown.slots));
    if (grown.slots == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < cap; i++) {
        if (shared->slots[i].sources != NULL) {
            *find_slot(&grown, shared->slots[i].target) = shared->slots[i];
        }
    }
    mem_free(shared->slots);
    *shared = grown;
    return 0;
}

int tier_shared_add(struct tier_shared *shared, struct arena *arena, uint32_t target,
    const struct series_source *source)
{
    int status = grow_shared(shared);
    struct series_source *copy = status == 0 ? arena_dup(arena, source, sizeof(*source)) : NULL;
    if (copy == NULL) {
        return status != 0 ? status : arena_error(arena);
    }
    struct tier_shared_slot *slot = find_slot(shared, target);
    shared->count += slot->sources == NULL;
    copy->next = slot->sources;
    *slot = (struct tier_shared_slot){copy, target};
    return 0;
}

const struct series_source *tier_shared_find(const struct tier_shared *shared, uint32_t target)
{
    return shared->slots != NULL ? find_slot(shared, target)->sources : NULL;
}

void tier_shared_release(struct tier_shared *shared)
{
    mem_free(shared->slots);
}

/* ---- Stretches ---- */

static int64_t day_start(int64_t t_ms)
{
    return db_day_of(t_ms) * DAY_MS;
}

/* Has the part of `s` another column of the series? */
static bool part_has(
    const struct tier_iter *it, const struct series_source *s, enum tier_aggregate aggregate)
{
    for (const struct series_source *o = it->sources.tiers; o != NULL; o = o->next) {
        if (o->part == s->part && o->aggregate == aggregate) {
            return true;
        }
    }
    return false;
}

/* Is something needed that a tier only has an estimate of (tier_columns.h)? */
static bool lacks_needs(const struct tier_iter *it)
{
    unsigned needs = it->request.bucket_needs;
    for (const struct series_source *s = it->sources.tiers; s != NULL; s = s->next) {
        bool lacks_sum = (needs & BUCKET_NEEDS_SUM) != 0 && s->aggregate == TIER_FIRST &&
                         !part_has(it, s, TIER_SUM);
        bool lacks_increase = (needs & BUCKET_NEEDS_INCREASE) != 0 && s->aggregate == TIER_MIN &&
                              !part_has(it, s, TIER_INCREASE);
        if (lacks_sum || lacks_increase) {
            return true;
        }
    }
    return false;
}

/* The end of the days from the start of a day on that tiers have, or `limit` if that comes first. */
static int64_t end_in_tiers(const struct tier_iter *it, int64_t from, int64_t limit)
{
    bool more = from < limit;
    while (more) {
        more = false;
        for (const struct series_source *s = it->sources.tiers; s != NULL && from < limit;
             s = s->next) {
            int64_t end = day_start(s->max_t - 1) + DAY_MS;
            if (day_start(s->min_t - 1) <= from && from < end) {
                from = end;
                more = true;
            }
        }
    }
    return from < limit ? from : limit;
}

/* Where the samples of a source begin to stand for the series; INT64_MAX when they do not. */
static int64_t start_of_samples(const struct tier_iter *it, const struct series_source *s)
{
    const struct tier_sources *all = &it->sources;
    if (s->part == NULL) {
        int64_t from = day_start(s->min_t);
        int64_t limit = all->kept_from > all->closed_through ? all->kept_from : all->closed_through;
        return from < limit ? end_in_tiers(it, from, limit) : from;
    }
    int64_t from = s->part->about.day * DAY_MS, end = from + DAY_MS;
    bool closed = (s->covered & 1 << STORE_RAW) != 0; // its day was deleted: tiers have the others
    bool past = end <= all->kept_from && end_in_tiers(it, from, end) == end;
    return closed || past ? INT64_MAX : from;
}

/* What the sources say of where the series is to be found. */
static struct tier_extents extents_of(const struct tier_iter *it)
{
    const struct tier_request *r = &it->request;
    int64_t min_t = r->samples.min_t, max_t = r->samples.max_t;
    struct tier_extents x = {.min_t = min_t < -TIER_TIME_MAX ? -TIER_TIME_MAX : min_t,
        .max_t = max_t > TIER_TIME_MAX ? TIER_TIME_MAX : max_t,
        .raw_from = INT64_MAX,
        .resolution_max_ms = r->resolution_max_ms};
    int64_t last = INT64_MIN; // of what any tier has
    for (uint16_t tier = 0; tier < STORE_TIERS; tier++) {
        x.from[tier] = x.through[tier] = INT64_MAX;
    }
    for (const struct series_source *s = it->sources.tiers; s != NULL; s = s->next) {
        /* A group's first bucket ends at min_t; the day that it is of begins before. */
        int64_t from = day_start(s->min_t - 1);
        x.from[s->tier] = from < x.from[s->tier] ? from : x.from[s->tier];
        bool damaged = atomic_load_explicit(&s->part->damaged_count, memory_order_relaxed) > 0;
        if (s->hidden_count > 0 || damaged || s->aggregate == TIER_SAMPLE) {
            x.resolution_max_ms = 0; // the tier has not all that samples have
        }
        last = s->max_t > last ? s->max_t : last;
    }
    for (const struct series_source *s = it->sources.raw; s != NULL; s = s->next) {
        int64_t from = start_of_samples(it, s);
        x.raw_from = from < x.raw_from ? from : x.raw_from;
        for (uint16_t tier = STORE_5M; tier < STORE_TIERS; tier++) {
            if ((s->covered & 1 << tier) == 0 && from < x.through[tier]) {
                x.through[tier] = from;
            }
        }
    }
    bool sketches[STORE_TIERS] = {false};
    for (const struct series_source *s = it->sources.tiers; s != NULL; s = s->next) {
        sketches[s->tier] = sketches[s->tier] || s->aggregate == TIER_SKETCH;
    }
    if ((r->bucket_needs & BUCKET_NEEDS_SKETCH) != 0 && sketches[STORE_1H] && !sketches[STORE_5M]) {
        x.from[STORE_5M] = INT64_MAX; // fewer buckets that know their distribution serve better
    }
    if (x.resolution_max_ms > 0 && lacks_needs(it)) {
        x.resolution_max_ms = 0;
    }
    /* A sample at the very start of the first day that is there is the tier's, if that goes so far. */
    x.raw_from -= x.raw_from != INT64_MAX && last < x.raw_from;
    return x;
}

static bool belongs(const struct series_source *s, uint16_t tier, enum tier_aggregate aggregate)
{
    return s->tier == tier && s->aggregate == aggregate;
}

/* The sources of one aggregate, as a list of their own. */
static int sources_of(const struct tier_iter *it, uint16_t tier, enum tier_aggregate aggregate,
    struct series_source **list_out)
{
    const struct series_source *from =
        aggregate >= TIER_ALL_COUNT ? it->sources.shared : it->sources.tiers;
    struct series_source *list = NULL;
    for (const struct series_source *s = from; s != NULL; s = s->next) {
        /* What a target shares counts for the series of that part alone. */
        if (belongs(s, tier, aggregate) &&
            (from != it->sources.shared || part_has(it, s, TIER_LAST))) {
            struct series_source *copy = arena_dup(it->arena, s, sizeof(*s));
            if (copy == NULL) {
                return arena_error(it->arena);
            }
            copy->next = list;
            list = copy;
        }
    }
    *list_out = list;
    return 0;
}

static int open_walk(
    struct tier_iter *it, uint16_t tier, enum tier_aggregate aggregate, struct err *e)
{
    struct series_source *list = NULL;
    int status = sources_of(it, tier, aggregate, &list);
    it->walks[aggregate] = (struct walk){0};
    if (status == 0 && list != NULL) {
        status = series_iter_open(list, &it->inner, it->arena, &it->walks[aggregate].iter, e);
    }
    return status;
}

static void close_segment(struct tier_iter *it)
{
    column_iter_close(it->raw);
    it->raw = NULL;
    for (int a = 0; it->in_tier && a < TIER_AGGREGATES; a++) {
        column_iter_close(it->walks[a].iter);
        it->walks[a] = (struct walk){0};
    }
    it->in_tier = false;
}

static int open_segment(struct tier_iter *it, struct err *e)
{
    const struct tier_segment *s = &it->segments[it->segment++];
    it->inner = it->request.samples;
    it->inner.min_t = s->from + 1;
    it->inner.max_t = s->to;
    if (s->tier == STORE_RAW) {
        return series_iter_open(it->sources.raw, &it->inner, it->arena, &it->raw, e);
    }
    it->in_tier = true;
    it->resolution_ms = store_tier_resolution(s->tier);
    it->earliest_t = it->request.samples.min_t;
    if (it->request.instant && it->segment == 1) {
        it->earliest_t = s->from + 1 - it->resolution_ms;
        it->inner.min_t = it->earliest_t;
    }
    int status = open_walk(it, s->tier, TIER_SAMPLE, e);
    /* Buckets that end later than what is asked for may have their last sample in it. */
    it->inner.max_t = rollup_bucket_end(s->to, it->resolution_ms);
    for (int a = 0; status == 0 && a < TIER_AGGREGATES; a++) {
        if (a != TIER_SAMPLE &&
            (a != TIER_SKETCH || (it->request.bucket_needs & BUCKET_NEEDS_SKETCH) != 0)) {
            status = open_walk(it, s->tier, (enum tier_aggregate)a, e);
        }
    }
    return status;
}

/* ---- Buckets ---- */

/* Makes sure of an entry at walk->at; the iterator is closed at the end. */
static int walk_fill(struct walk *w, struct err *e)
{
    while (w->iter != NULL && w->at == w->run.count) {
        int more = column_iter_next(w->iter, &w->run, e);
        w->at = 0;
        if (more <= 0) {
            column_iter_close(w->iter);
            *w = (struct walk){0};
            return more;
        }
    }
    return 0;
}

/* Goes to bucket `end`; false when the aggregate has nothing there. */
static int walk_to(struct walk *w, int64_t end, bool *found_out, struct err *e)
{
    int status = walk_fill(w, e);
    while (status == 0 && w->iter != NULL && w->run.times[w->at] < end) {
        w->at++;
        status = walk_fill(w, e);
    }
    *found_out = status == 0 && w->iter != NULL && w->run.times[w->at] == end;
    return status;
}

static int read_cells(struct tier_iter *it, struct tier_bucket *b, struct err *e)
{
    int status = 0;
    bool found = false;
    for (int a = TIER_FIRST; status == 0 && a <= TIER_FIRST_AGE; a++) {
        status = walk_to(&it->walks[a], b->end, &found, e);
        if (found) {
            b->present |= TIER_BIT(a);
            b->cells[a] = it->walks[a].run.values[it->walks[a].at];
        }
    }
    static const enum tier_aggregate shared[][2] = {{TIER_COUNT, TIER_ALL_COUNT},
        {TIER_LAST_AGE, TIER_ALL_LAST_AGE}, {TIER_FIRST_AGE, TIER_ALL_FIRST_AGE}};
    for (size_t i = 0; status == 0 && i < 3; i++) {
        struct walk *w = &it->walks[shared[i][1]];
        if ((b->present & TIER_BIT(shared[i][0])) == 0) {
            status = walk_to(w, b->end, &found, e);
            if (found) {
                b->present |= TIER_BIT(shared[i][0]);
                b->cells[shared[i][0]] = w->run.values[w->at];
            }
        }
    }
    return status;
}

static int read_sketch(struct tier_iter *it, int64_t end, size_t at, struct err *e)
{
    struct walk *w = &it->walks[TIER_SKETCH];
    bool found = false;
    int status = walk_to(w, end, &found, e);
    it->sketches[at] = NULL;
    if (found && w->run.histograms != NULL) {
        it->sketches[at] = histogram_dup(w->run.histograms[w->at], &it->run_arena);
        status = it->sketches[at] != NULL ? 0 : arena_error(&it->run_arena);
    }
    return status;
}

static int reserve(struct tier_iter *it)
{
    if (it->sketches != NULL) {
        return 0;
    }
    it->times = arena_alloc(it->arena, RUN_BUCKETS_MAX * sizeof(*it->times));
    it->values = arena_alloc(it->arena, RUN_BUCKETS_MAX * sizeof(*it->values));
    it->buckets = arena_alloc(it->arena, RUN_BUCKETS_MAX * sizeof(*it->buckets));
    it->estimates = arena_alloc(it->arena, RUN_BUCKETS_MAX * sizeof(*it->estimates));
    const struct histogram **sketches = arena_alloc(it->arena, RUN_BUCKETS_MAX * sizeof(*sketches));
    if (it->times == NULL || it->values == NULL || it->buckets == NULL || it->estimates == NULL ||
        sketches == NULL) {
        return arena_error(it->arena);
    }
    it->sketches = sketches;
    return 0;
}

/* The next buckets whose last sample is before `limit`, into it->run; its count may be 0. */
static int bucket_run(struct tier_iter *it, int64_t limit, struct err *e)
{
    struct walk *last = &it->walks[TIER_LAST];
    size_t count = 0;
    int status = reserve(it);
    bool sketches = it->walks[TIER_SKETCH].iter != NULL;
    while (status == 0 && count < RUN_BUCKETS_MAX) {
        status = walk_fill(last, e);
        if (status != 0 || last->iter == NULL) {
            break;
        }
        struct tier_bucket b = {.end = last->run.times[last->at], .present = TIER_BIT(TIER_LAST)};
        b.cells[TIER_LAST] = last->run.values[last->at];
        if (b.end - it->resolution_ms >= limit) {
            break;
        }
        status = read_cells(it, &b, e);
        struct run_summary *s = &it->buckets[count];
        it->estimates[count] = (uint8_t)tier_restore(&b, s);
        if (status == 0 && s->last_t >= limit) {
            break;
        }
        last->at++;
        if (s->last_t < it->earliest_t || s->last_t > it->request.samples.max_t) {
            continue;
        }
        status = status == 0 && sketches ? read_sketch(it, b.end, count, e) : status;
        it->times[count] = s->last_t;
        it->values[count++] = s->last;
    }
    it->run = (struct column_run){.count = count,
        .times = it->times,
        .values = it->values,
        .resolution_ms = it->resolution_ms,
        .buckets = it->buckets,
        .estimates = it->estimates,
        .sketches = sketches ? it->sketches : NULL};
    return status;
}

/* Kept histograms before `limit`, as they lie. */
static void sample_run(struct tier_iter *it, int64_t limit)
{
    struct walk *w = &it->walks[TIER_SAMPLE];
    size_t end = w->at;
    while (end < w->run.count && w->run.times[end] < limit) {
        end++;
    }
    it->run = (struct column_run){.count = end - w->at,
        .times = w->run.times + w->at,
        .histograms = w->run.histograms + w->at,
        .resolution_ms = it->resolution_ms};
    w->at = end;
}

/* The next run of a tier: 1, or 0 when the stretch is read. */
static int tier_run(struct tier_iter *it, struct err *e)
{
    struct walk *samples = &it->walks[TIER_SAMPLE];
    int status = walk_fill(samples, e);
    int64_t next_sample =
        status == 0 && samples->iter != NULL ? samples->run.times[samples->at] : INT64_MAX;
    if (status == 0) {
        status = bucket_run(it, next_sample, e);
    }
    if (status == 0 && it->run.count == 0 && samples->iter != NULL) {
        struct walk *last = &it->walks[TIER_LAST];
        bool more = last->iter != NULL && last->at < last->run.count;
        /* The last sample of a bucket that is left is after this sample, and after its bucket's start. */
        int64_t start = more ? last->run.times[last->at] - it->resolution_ms : INT64_MAX - 1;
        sample_run(it, (start > next_sample ? start : next_sample) + 1);
    }
    return status != 0 ? status : it->run.count > 0;
}

static int produce(struct tier_iter *it, struct err *e)
{
    arena_release(&it->run_arena);
    for (;;) {
        int more = 0;
        if (it->raw != NULL) {
            more = column_iter_next(it->raw, &it->run, e);
        } else if (it->in_tier) {
            more = tier_run(it, e);
        }
        if (more != 0) {
            return more;
        }
        close_segment(it);
        if (it->segment == it->segment_count) {
            return 0;
        }
        int status = open_segment(it, e);
        if (status != 0) {
            return err_set(e, status, -1, "reading a series: %s", err_text(status));
        }
    }
}

/* ---- The operations ---- */

static struct tier_iter *self_of(struct column_iter *iter)
{
    return (struct tier_iter *)iter;
}

static int op_next(struct column_iter *iter, struct column_run *run_out, struct err *e)
{
    struct tier_iter *it = self_of(iter);
    int more = it->held ? 1 : produce(it, e);
    if (more == 1) {
        it->held = false;
        *run_out = it->run;
    }
    return more;
}

static int op_peek(struct column_iter *iter, int64_t *min_t_out, int64_t *max_t_out,
    const struct run_summary **summary_out, struct err *e)
{
    struct tier_iter *it = self_of(iter);
    int more = it->held ? 1 : produce(it, e);
    if (more == 1) {
        it->held = true;
        *min_t_out = it->run.times[0];
        *max_t_out = it->run.times[it->run.count - 1];
        *summary_out = NULL;
    }
    return more;
}

static void op_skip(struct column_iter *iter)
{
    self_of(iter)->held = false;
}

static void trim_held(struct tier_iter *it, int64_t t_ms)
{
    size_t skip = 0;
    struct column_run *run = &it->run;
    while (skip < run->count && run->times[skip] < t_ms) {
        skip++;
    }
    run->times += skip;
    run->values = run->values != NULL ? run->values + skip : NULL;
    run->histograms = run->histograms != NULL ? run->histograms + skip : NULL;
    run->buckets = run->buckets != NULL ? run->buckets + skip : NULL;
    run->estimates = run->estimates != NULL ? run->estimates + skip : NULL;
    run->sketches = run->sketches != NULL ? run->sketches + skip : NULL;
    run->count -= skip;
    it->held = run->count > 0;
}

static int op_seek(struct column_iter *iter, int64_t t_ms, struct err *e)
{
    struct tier_iter *it = self_of(iter);
    int status = 0;
    if (it->held) {
        trim_held(it, t_ms);
    }
    if (t_ms <= it->request.samples.min_t) {
        return 0;
    }
    it->request.samples.min_t = t_ms;
    for (size_t i = it->segment; i < it->segment_count; i++) {
        struct tier_segment *s = &it->segments[i];
        if (s->tier == STORE_RAW && s->from < t_ms - 1) {
            s->from = s->to < t_ms - 1 ? s->to : t_ms - 1;
        }
    }
    if (it->raw != NULL) {
        status = column_iter_seek(it->raw, t_ms, e);
    }
    struct walk *samples = &it->walks[TIER_SAMPLE];
    while (it->in_tier && status == 0 && walk_fill(samples, e) == 0 && samples->iter != NULL &&
           samples->run.times[samples->at] < t_ms) {
        samples->at++;
    }
    return status;
}

static void op_close(struct column_iter *iter)
{
    struct tier_iter *it = self_of(iter);
    close_segment(it);
    arena_release(&it->run_arena);
}

static const struct column_iter_ops ops = {op_next, op_peek, op_skip, op_seek, op_close};

int tier_iter_open(const struct tier_sources *sources, const struct tier_request *request,
    struct arena *arena, struct column_iter **iter_out, struct err *e)
{
    struct tier_iter *it = arena_calloc(arena, 1, sizeof(*it));
    if (it == NULL) {
        return err_set(e, arena_error(arena), -1, "reading a series: out of memory");
    }
    it->iter.ops = &ops;
    it->arena = arena;
    it->sources = *sources;
    it->request = *request;
    arena_init_charged(&it->run_arena, arena->budget);
    const struct tier_extents x = extents_of(it);
    it->segment_count = tier_segments(&x, it->segments);
    *iter_out = &it->iter;
    return 0;
}
