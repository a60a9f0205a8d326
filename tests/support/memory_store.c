/* The store of arrays; see memory_store.h. */
#include "support/memory_store.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

struct stored_sample {
    int64_t t;
    double value;
    const struct histogram *histogram; /* NULL for floats */
};

struct stored_series {
    const struct labels *labels;
    struct stored_sample *samples;
    size_t count, cap;
};

struct memory_store {
    struct querier_source source; /* first: found by its address */
    struct querier querier;
    struct stored_series *series;
    size_t count, cap;
    struct arena histograms;
    size_t run_length;
};

/* ---- Writing ---- */

void memory_store_clear(struct memory_store *store)
{
    for (size_t i = 0; i < store->count; i++) {
        labels_unref(store->series[i].labels);
        mem_free(store->series[i].samples);
    }
    store->count = 0;
    arena_release(&store->histograms);
}

void memory_store_free(struct memory_store *store)
{
    if (store != NULL) {
        memory_store_clear(store);
        mem_free(store->series);
        mem_free(store);
    }
}

void memory_store_set_run_length(struct memory_store *store, size_t samples)
{
    store->run_length = samples;
}

static struct stored_series *series_of(struct memory_store *store, const struct labels *labels)
{
    for (size_t i = store->count; i-- > 0;) {
        if (labels_eq(store->series[i].labels, labels)) {
            return &store->series[i];
        }
    }
    if (mem_array_grow((void **)&store->series, &store->cap, store->count + 1,
            sizeof(*store->series), (size_t)1 << 24) != 0) {
        return NULL;
    }
    struct stored_series *series = &store->series[store->count++];
    *series = (struct stored_series){.labels = labels_ref(labels)};
    return series;
}

static int add(struct memory_store *store, const struct labels *labels, struct stored_sample sample)
{
    struct stored_series *series = series_of(store, labels);
    if (series == NULL || mem_array_grow((void **)&series->samples, &series->cap, series->count + 1,
                              sizeof(*series->samples), (size_t)1 << 28) != 0) {
        return ERR_NOMEM;
    }
    size_t at = series->count;
    while (at > 0 && series->samples[at - 1].t >= sample.t) {
        at--;
    }
    if (at < series->count && series->samples[at].t == sample.t) {
        series->samples[at] = sample;
        return 0;
    }
    memmove(&series->samples[at + 1], &series->samples[at],
        (series->count - at) * sizeof(*series->samples));
    series->samples[at] = sample;
    series->count++;
    return 0;
}

int memory_store_append(
    struct memory_store *store, const struct labels *labels, int64_t t, double value)
{
    return add(store, labels, (struct stored_sample){t, value, NULL});
}

int memory_store_append_histogram(struct memory_store *store, const struct labels *labels,
    int64_t t, const struct histogram *histogram)
{
    const struct histogram *copy = histogram_dup(histogram, &store->histograms);
    return copy != NULL ? add(store, labels, (struct stored_sample){t, 0, copy}) : ERR_NOMEM;
}

/* ---- Reading ---- */

struct memory_iter {
    struct column_iter iter;
    const struct stored_series *series;
    size_t next, end; /* samples in range */
    size_t run_length;
    int64_t *times;
    double *values;
    const struct histogram **histograms;
};

struct memory_series {
    struct series series;
    const struct stored_series *stored;
    const struct memory_store *store;
    int64_t min_t, max_t;
};

/* Where the run that begins at `next` ends: the kind changes, or it is long enough. */
static size_t run_end(const struct memory_iter *m)
{
    const struct stored_sample *samples = m->series->samples;
    size_t end = m->next + 1;
    bool histogram = samples[m->next].histogram != NULL;
    while (end < m->end && (samples[end].histogram != NULL) == histogram &&
           (m->run_length == 0 || end - m->next < m->run_length)) {
        end++;
    }
    return end;
}

static int iter_next(struct column_iter *iter, struct column_run *run_out, struct err *e)
{
    (void)e;
    struct memory_iter *m = (struct memory_iter *)iter;
    if (m->next == m->end) {
        return 0;
    }
    size_t end = run_end(m), count = end - m->next;
    bool histogram = m->series->samples[m->next].histogram != NULL;
    for (size_t i = 0; i < count; i++) {
        const struct stored_sample *sample = &m->series->samples[m->next + i];
        m->times[i] = sample->t;
        m->values[i] = sample->value;
        m->histograms[i] = sample->histogram;
    }
    m->next = end;
    *run_out = (struct column_run){
        .count = count,
        .times = m->times,
        .values = histogram ? NULL : m->values,
        .histograms = histogram ? m->histograms : NULL,
    };
    return 1;
}

static int iter_peek(struct column_iter *iter, int64_t *min_t_out, int64_t *max_t_out,
    const struct run_summary **summary_out, struct err *e)
{
    (void)e;
    struct memory_iter *m = (struct memory_iter *)iter;
    if (m->next == m->end) {
        return 0;
    }
    *min_t_out = m->series->samples[m->next].t;
    *max_t_out = m->series->samples[run_end(m) - 1].t;
    *summary_out = NULL;
    return 1;
}

static void iter_skip(struct column_iter *iter)
{
    struct memory_iter *m = (struct memory_iter *)iter;
    m->next = m->next < m->end ? run_end(m) : m->end;
}

static int iter_seek(struct column_iter *iter, int64_t t, struct err *e)
{
    (void)e;
    struct memory_iter *m = (struct memory_iter *)iter;
    while (m->next < m->end && m->series->samples[m->next].t < t) {
        m->next++;
    }
    return 0;
}

static void iter_close(struct column_iter *iter)
{
    (void)iter; // its arrays are the arena's
}

static const struct labels *series_labels_of(struct series *s)
{
    return ((struct memory_series *)s)->stored->labels;
}

static int series_open_iter(
    struct series *s, struct arena *arena, struct column_iter **iter_out, struct err *e)
{
    static const struct column_iter_ops ops = {
        iter_next, iter_peek, iter_skip, iter_seek, iter_close};
    struct memory_series *self = (struct memory_series *)s;
    const struct stored_series *stored = self->stored;
    struct memory_iter *m = arena_calloc(arena, 1, sizeof(*m));
    if (m == NULL) {
        return err_set(e, arena_error(arena), -1, "no memory for an iterator");
    }
    m->iter.ops = &ops;
    m->series = stored;
    m->run_length = self->store->run_length;
    while (m->next < stored->count && stored->samples[m->next].t < self->min_t) {
        m->next++;
    }
    m->end = m->next;
    while (m->end < stored->count && stored->samples[m->end].t <= self->max_t) {
        m->end++;
    }
    size_t count = m->end - m->next;
    m->times = arena_alloc(arena, count * sizeof(*m->times));
    m->values = arena_alloc(arena, count * sizeof(*m->values));
    m->histograms = arena_alloc(arena, count * sizeof(*m->histograms));
    if (m->times == NULL || m->values == NULL || m->histograms == NULL) {
        return err_set(e, arena_error(arena), -1, "no memory for an iterator");
    }
    *iter_out = &m->iter;
    return 0;
}

static void free_nothing(struct series_set *set)
{
    (void)set; // all of it is the arena's
}

static int compare_labels(const void *left, const void *right)
{
    const struct memory_series *const *a = left, *const *b = right;
    return labels_cmp((*a)->stored->labels, (*b)->stored->labels);
}

static int select_all(struct querier *q, const struct select_request *request, struct arena *arena,
    struct series_set **set_out, struct err *e)
{
    static const struct series_ops ops = {series_labels_of, series_open_iter};
    struct memory_store *store =
        (struct memory_store *)((char *)q - offsetof(struct memory_store, querier));
    struct series_set *set = arena_calloc(arena, 1, sizeof(*set));
    struct series **series = arena_calloc(arena, store->count + 1, sizeof(*series));
    if (set == NULL || series == NULL) {
        return err_set(e, arena_error(arena), -1, "no memory for a series set");
    }
    for (size_t i = 0; i < store->count; i++) {
        if (!matchers_match(request->matchers, request->matcher_count, store->series[i].labels)) {
            continue;
        }
        struct memory_series *one = arena_calloc(arena, 1, sizeof(*one));
        if (one == NULL) {
            return err_set(e, arena_error(arena), -1, "no memory for a series");
        }
        *one = (struct memory_series){
            {&ops}, &store->series[i], store, request->min_t, request->max_t};
        series[set->count++] = &one->series;
    }
    if (request->series_max > 0 && set->count > request->series_max) {
        return err_set(e, ERR_LIMIT, -1, "more than %zu series match", request->series_max);
    }
    qsort(series, set->count, sizeof(*series), compare_labels);
    set->series = series;
    set->sorted = true;
    set->free = free_nothing;
    *set_out = set;
    return 0;
}

static void close_nothing(struct querier *q)
{
    (void)q;
}

static int open_querier(struct querier_source *source, int64_t min_t, int64_t max_t,
    struct querier **querier_out, struct err *e)
{
    (void)e;
    assert(min_t <= max_t);
    struct memory_store *store = (struct memory_store *)source;
    *querier_out = &store->querier;
    return 0;
}

struct memory_store *memory_store_new(void)
{
    // Names and values of labels are not asked of it.
    static const struct querier_ops ops = {.select = select_all, .close = close_nothing};
    struct memory_store *store = mem_calloc(1, sizeof(*store));
    if (store != NULL) {
        store->source.open = open_querier;
        store->querier.ops = &ops;
        arena_init(&store->histograms, 0);
    }
    return store;
}

struct querier_source *memory_store_source(struct memory_store *store)
{
    return &store->source;
}
