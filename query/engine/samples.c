/* Reading series; see samples.h. A run is appended with one copy of its arrays. */
#include "samples.h"

#include "base/mem.h"
#include "histogram_math.h"
#include "model/sample.h"

#define SERIES_SAMPLES_MAX ((size_t)1 << 31)
/* Of a sample in the arrays. */
#define FLOAT_BYTES (sizeof(int64_t) + sizeof(double))
#define HISTOGRAM_BYTES (sizeof(int64_t) + sizeof(struct histogram *))

static void release_arrays(void *samples)
{
    struct samples *s = samples;
    mem_free(s->float_times);
    mem_free(s->floats);
    mem_free(s->buckets);
    mem_free(s->histogram_times);
    mem_free(s->histograms);
}

int samples_init(struct samples *s, struct query *q)
{
    *s = (struct samples){.query = q};
    if (arena_on_release(&q->arena, release_arrays, s) != 0) {
        return query_fail_memory(q, &q->arena);
    }
    s->scratch = query_scratch(q);
    if (s->scratch == NULL) {
        return q->e->code;
    }
    s->mark = arena_mark(s->scratch);
    return 0;
}

void samples_reset(struct samples *s)
{
    query_drop_samples(s->query, s->held);
    s->held = 0;
    s->float_count = 0;
    s->histogram_count = 0;
    s->bucket_count = 0;
    s->tier_ms = 0;
    arena_rewind(s->scratch, s->mark);
}

uint64_t histogram_sample_size(const struct histogram *h)
{
    size_t bytes = 168 + 8 * (h->positive.span_count + h->negative.span_count + h->positive.count +
                                 h->negative.count + h->custom_count);
    return (bytes + 8) / 16;
}

static int hold(struct samples *s, uint64_t count)
{
    s->held += count;
    query_count_read(s->query, count);
    return query_hold_samples(s->query, count);
}

/* Charges what arrays are about to grow by to the query; they are given back with it. */
static int charge_growth(struct samples *s, size_t cap, size_t needed, size_t bytes)
{
    struct query *q = s->query;
    size_t more = needed > cap * 2 ? needed - cap : cap; // as mem_array_grow grows
    return arena_charge(&q->arena, more * bytes) == 0 ? 0 : query_fail_memory(q, &q->arena);
}

static int grow_floats(struct samples *s, size_t more)
{
    size_t needed = s->float_count + more;
    if (needed <= s->floats_cap) {
        return 0;
    }
    int status = charge_growth(s, s->floats_cap, needed, FLOAT_BYTES);
    if (status != 0) {
        return status;
    }
    status = mem_array_grow((void **)&s->float_times, &s->float_times_cap, needed,
        sizeof(*s->float_times), SERIES_SAMPLES_MAX);
    if (status == 0) {
        status = mem_array_grow(
            (void **)&s->floats, &s->floats_cap, needed, sizeof(*s->floats), SERIES_SAMPLES_MAX);
    }
    return status == 0 ? 0 : query_fail(s->query, status, "%s", err_text(status));
}

static int grow_histograms(struct samples *s)
{
    size_t needed = s->histogram_count + 1;
    if (needed <= s->histograms_cap) {
        return 0;
    }
    int status = charge_growth(s, s->histograms_cap, needed, HISTOGRAM_BYTES);
    if (status != 0) {
        return status;
    }
    status = mem_array_grow((void **)&s->histogram_times, &s->histogram_times_cap, needed,
        sizeof(*s->histogram_times), SERIES_SAMPLES_MAX);
    if (status == 0) {
        status = mem_array_grow((void **)&s->histograms, &s->histograms_cap, needed,
            sizeof(*s->histograms), SERIES_SAMPLES_MAX);
    }
    return status == 0 ? 0 : query_fail(s->query, status, "%s", err_text(status));
}

int samples_add_float(struct samples *s, int64_t t, double value)
{
    int status = grow_floats(s, 1);
    if (status == 0) {
        s->float_times[s->float_count] = t;
        s->floats[s->float_count++] = value;
        status = hold(s, 1);
    }
    return status;
}

int samples_add_histogram(struct samples *s, int64_t t, const struct histogram *h)
{
    int status = grow_histograms(s);
    if (status != 0) {
        return status;
    }
    const struct histogram *copy = histogram_dup(h, s->scratch);
    if (copy == NULL) {
        return query_fail_memory(s->query, s->scratch);
    }
    s->histogram_times[s->histogram_count] = t;
    s->histograms[s->histogram_count++] = copy;
    return hold(s, histogram_sample_size(h));
}

/* ---- Buckets ---- */

static struct sample_bucket bucket_of_one(int64_t t, double value)
{
    return (struct sample_bucket){.summary = {.count = 1,
                                      .sum = value,
                                      .min = value,
                                      .max = value,
                                      .first = value,
                                      .last = value,
                                      .first_t = t,
                                      .last_t = t,
                                      .increase = value - value}};
}

/* Buckets for the floats from `first` on, which were added just now: those of the run, or of one. */
static int add_buckets(struct samples *s, const struct column_run *run, size_t first)
{
    if (s->bucket_count == 0 && run->resolution_ms == 0) {
        return 0;
    }
    size_t cap = s->buckets_cap;
    int status =
        cap < s->float_count ? charge_growth(s, cap, s->float_count, sizeof(*s->buckets)) : 0;
    if (status == 0 && mem_array_grow((void **)&s->buckets, &s->buckets_cap, s->float_count,
                           sizeof(*s->buckets), SERIES_SAMPLES_MAX) != 0) {
        status = query_fail(s->query, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    }
    for (size_t i = s->bucket_count; status == 0 && i < s->float_count; i++) {
        s->buckets[i] = bucket_of_one(s->float_times[i], s->floats[i]);
        s->bucket_count = i + 1;
    }
    for (size_t i = 0; status == 0 && run->buckets != NULL && i < run->count; i++) {
        struct sample_bucket *b = &s->buckets[first + i];
        b->summary = run->buckets[i];
        b->resolution_ms = run->resolution_ms;
        b->estimates = run->estimates != NULL ? run->estimates[i] : 0;
        if (run->sketches != NULL && run->sketches[i] != NULL) {
            b->sketch = histogram_dup(run->sketches[i], s->scratch);
            status = b->sketch != NULL ? 0 : query_fail_memory(s->query, s->scratch);
        }
    }
    s->tier_ms = run->resolution_ms > s->tier_ms ? run->resolution_ms : s->tier_ms;
    return status;
}

static int add_float_run(struct samples *s, const struct column_run *run, bool keep_stale)
{
    int status = grow_floats(s, run->count);
    if (status != 0) {
        return status;
    }
    size_t first = s->float_count, to = first;
    memcpy(s->float_times + first, run->times, run->count * sizeof(*run->times));
    memcpy(s->floats + first, run->values, run->count * sizeof(*run->values));
    bool any_stale = false;
    for (size_t i = 0; i < run->count; i++) {
        any_stale |= value_is_stale(run->values[i]);
    }
    if (keep_stale || !any_stale) {
        to += run->count;
    } else {
        for (size_t i = first; i < first + run->count; i++) {
            s->float_times[to] = s->float_times[i];
            s->floats[to] = s->floats[i];
            to += !value_is_stale(s->floats[i]);
        }
    }
    s->float_count = to;
    status = add_buckets(s, run, first);
    return status == 0 ? hold(s, to - first) : status;
}

static int add_histogram_run(struct samples *s, const struct column_run *run, bool keep_stale)
{
    for (size_t i = 0; i < run->count; i++) {
        const struct histogram *h = run->histograms[i];
        if (!keep_stale && value_is_stale(h->sum)) {
            continue;
        }
        int status = samples_add_histogram(s, run->times[i], h);
        if (status != 0) {
            return status;
        }
    }
    s->tier_ms = run->resolution_ms > s->tier_ms ? run->resolution_ms : s->tier_ms;
    return 0;
}

/* Puts what the buckets tell about resets into the hints, and drops the buckets. */
static int strip_buckets(struct samples *s)
{
    const struct histogram *before = NULL;
    for (size_t i = 0; i < s->histogram_count; i++) {
        const struct histogram *h = s->histograms[i];
        if (value_is_stale(h->sum)) {
            continue;
        }
        struct histogram *bare = arena_alloc(s->scratch, sizeof(*bare));
        if (bare == NULL) {
            return query_fail_memory(s->query, s->scratch);
        }
        *bare = (struct histogram){
            .schema = h->schema, .reset_hint = h->reset_hint, .count = h->count, .sum = h->sum};
        if (before != NULL && h->reset_hint == HISTOGRAM_RESET_UNKNOWN) {
            bool reset;
            if (histogram_detect_reset(h, before, s->scratch, &reset) != 0) {
                return query_fail_memory(s->query, s->scratch);
            }
            bare->reset_hint = reset ? HISTOGRAM_RESET_YES : HISTOGRAM_RESET_NO;
        }
        before = h;
        s->histograms[i] = bare;
    }
    return 0;
}

int samples_load(struct samples *s, struct series *series, bool keep_stale)
{
    struct query *q = s->query;
    samples_reset(s);
    struct column_iter *iter;
    int status = series_open(series, s->scratch, &iter, q->e);
    if (status != 0) {
        return status;
    }
    struct column_run run;
    int more;
    while (status == 0 && (more = column_iter_next(iter, &run, q->e)) != 0) {
        if (more < 0) {
            status = more;
        } else if (run.histograms != NULL) {
            status = add_histogram_run(s, &run, keep_stale);
        } else {
            status = add_float_run(s, &run, keep_stale);
        }
    }
    column_iter_close(iter);
    return status == 0 && s->counts_only ? strip_buckets(s) : status;
}
