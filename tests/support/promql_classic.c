/* Classic histograms to custom buckets; see promql_classic.h. */
#include "support/promql_classic.h"

#include <math.h>
#include <stdlib.h>

#define BOUNDS_MAX 256

/* The series of one classic histogram. */
struct classic_source {
    const struct labels *labels; /* without suffix and le */
    const struct notation_series *sum, *count;
    struct {
        double upper;
        const struct notation_series *series;
    } buckets[BOUNDS_MAX];
    size_t bucket_count;
};

/* Scripts are small: a machine without memory for them is no place for tests. */
static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void release_labels(void *labels)
{
    labels_unref(labels);
}

/* The labels of the histogram, and which of its series this is: 'b', 's', 'c', or 0 for none. */
static char base_of(const struct labels *labels, struct arena *arena,
    const struct labels **base_out, double *upper_out)
{
    static const struct {
        const char *text;
        char kind;
    } suffixes[] = {{"_bucket", 'b'}, {"_sum", 's'}, {"_count", 'c'}};
    struct str name = labels_get(labels, STR(LABEL_METRIC_NAME));
    for (size_t i = 0; i < 3; i++) {
        struct str suffix = str_of(suffixes[i].text);
        if (!str_ends_with(name, suffix)) {
            continue;
        }
        if (suffixes[i].kind == 'b' &&
            (str_to_double(labels_get(labels, STR("le")), upper_out) != 0 || isnan(*upper_out))) {
            return 0;
        }
        struct labels_builder b;
        labels_builder_init_from(&b, labels);
        labels_builder_set(&b, STR(LABEL_METRIC_NAME), str_make(name.ptr, name.len - suffix.len));
        labels_builder_delete(&b, STR("le"));
        int status = labels_builder_finish(&b, base_out);
        labels_builder_release(&b);
        require(status == 0);
        status = arena_on_release(arena, release_labels, (void *)(uintptr_t)*base_out);
        require(status == 0);
        return suffixes[i].kind;
    }
    return 0;
}

static void add_bucket(struct classic_source *c, double upper, const struct notation_series *series)
{
    size_t at = c->bucket_count;
    for (size_t i = 0; i < c->bucket_count; i++) {
        if (c->buckets[i].upper == upper) {
            return; // the first one wins
        }
    }
    require(c->bucket_count < BOUNDS_MAX);
    while (at > 0 && c->buckets[at - 1].upper > upper) {
        c->buckets[at] = c->buckets[at - 1];
        at--;
    }
    c->buckets[at].upper = upper;
    c->buckets[at].series = series;
    c->bucket_count++;
}

static bool float_at(const struct notation_series *series, size_t i, double *value_out)
{
    if (series == NULL || i >= series->count || series->values[i].kind != NOTATION_FLOAT) {
        return false;
    }
    *value_out = series->values[i].number;
    return true;
}

static struct notation_value value_at(const struct classic_source *c, size_t i, struct arena *arena)
{
    struct histogram *h = arena_calloc(arena, 1, sizeof(*h));
    double *counts = arena_calloc(arena, BOUNDS_MAX + 1, sizeof(*counts));
    double *bounds = arena_calloc(arena, BOUNDS_MAX + 1, sizeof(*bounds));
    struct histogram_span *span = arena_calloc(arena, 1, sizeof(*span));
    require(h != NULL && counts != NULL && bounds != NULL && span != NULL);
    size_t n = 0;
    double before = 0, value;
    bool any = false, infinite = false;
    for (size_t k = 0; k < c->bucket_count; k++) {
        if (float_at(c->buckets[k].series, i, &value)) {
            bounds[n] = c->buckets[k].upper;
            infinite = isinf(bounds[n]);
            counts[n++] = value - before;
            before = value;
            any = true;
        }
    }
    h->count = before;
    any = float_at(c->count, i, &h->count) || any;
    any = float_at(c->sum, i, &h->sum) || any;
    if (!infinite) {
        counts[n++] = h->count - before;
    }
    h->schema = HISTOGRAM_SCHEMA_CUSTOM;
    h->custom_values = bounds;
    h->custom_count = n - 1;
    *span = (struct histogram_span){0, (uint32_t)n};
    h->positive = (struct histogram_buckets){span, 1, counts, n};
    return (struct notation_value){any ? NOTATION_HISTOGRAM : NOTATION_OMITTED, 0, h};
}

size_t script_from_classic(const struct notation_series *series, size_t count, struct arena *arena,
    struct notation_series **made_out)
{
    struct classic_source *sources = arena_calloc(arena, count + 1, sizeof(*sources));
    struct notation_series *made = arena_calloc(arena, count + 1, sizeof(*made));
    require(sources != NULL && made != NULL);
    size_t found = 0, longest = 0;
    for (size_t i = 0; i < count; i++) {
        const struct labels *base;
        double upper = 0;
        longest = series[i].count > longest ? series[i].count : longest;
        char kind = base_of(series[i].labels, arena, &base, &upper);
        size_t k = 0;
        while (kind != 0 && k < found && !labels_eq(sources[k].labels, base)) {
            k++;
        }
        if (kind == 0) {
            continue;
        }
        found += k == found;
        sources[k].labels = base;
        if (kind == 'b') {
            add_bucket(&sources[k], upper, &series[i]);
        } else {
            *(kind == 's' ? &sources[k].sum : &sources[k].count) = &series[i];
        }
    }
    for (size_t k = 0; k < found; k++) {
        struct notation_value *values = arena_calloc(arena, longest + 1, sizeof(*values));
        require(values != NULL);
        for (size_t i = 0; i < longest; i++) {
            values[i] = value_at(&sources[k], i, arena);
        }
        made[k] = (struct notation_series){sources[k].labels, values, longest};
    }
    *made_out = made;
    return found;
}
