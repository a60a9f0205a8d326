/* The writing twin. Series are found by walking; a transaction is a list of samples. */
#include "support/support.h"

#include "memory_sink.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"

enum { SERIES_MAX = 1000, ITEMS_MAX = 100000 };

struct known_series {
    const struct labels *labels;
    struct hash128 key;
    bool has_key;
};

struct memory_sink {
    struct appender_source source;
    struct memory_sink_state state;
    struct memory_store *store;
    struct known_series series[SERIES_MAX];
    size_t series_count;
};

struct item {
    uint32_t series;
    int64_t t_ms;
    double value;
    struct histogram *histogram; /* NULL: a float */
};

struct memory_appender {
    struct appender appender;
    struct memory_sink *sink;
    struct arena arena;
    struct item *items;
    size_t count, cap;
    struct append_counts counts;
};

static struct memory_appender *self_of(struct appender *a)
{
    return (struct memory_appender *)a;
}

static void end(struct memory_appender *self)
{
    self->sink->state.opened--;
    arena_release(&self->arena);
    mem_free(self->items);
    mem_free(self);
}

static int op_lookup(struct appender *a, struct hash128 key, struct series_ref *ref_out)
{
    struct memory_sink *sink = self_of(a)->sink;
    sink->state.lookups++;
    for (size_t i = 0; i < sink->series_count; i++) {
        if (sink->series[i].has_key && hash128_eq(sink->series[i].key, key)) {
            sink->state.known++;
            *ref_out = (struct series_ref){(uint32_t)i, 0};
            return 1;
        }
    }
    return 0;
}

static int op_series(struct appender *a, const struct label *labels, size_t count,
    const struct hash128 *key, struct series_ref *ref_out, struct err *e)
{
    struct memory_sink *sink = self_of(a)->sink;
    const struct labels *set;
    sink->state.made++;
    for (size_t i = 1; i < count; i++) {
        assert_true(str_cmp(labels[i - 1].name, labels[i].name) < 0);
    }
    assert_int_equal(labels_new(labels, count, &set, e), 0);
    size_t at = 0;
    while (at < sink->series_count && !labels_eq(sink->series[at].labels, set)) {
        at++;
    }
    if (at == sink->series_count) {
        if (at == sink->state.series_max) {
            labels_unref(set);
            return err_set(e, ERR_LIMIT, -1, "%zu series are the limit", sink->state.series_max);
        }
        assert_true(at < SERIES_MAX);
        sink->series[sink->series_count++].labels = labels_ref(set);
    }
    if (key != NULL) {
        sink->series[at].key = *key;
        sink->series[at].has_key = true;
    }
    labels_unref(set);
    *ref_out = (struct series_ref){(uint32_t)at, 0};
    return 0;
}

static int add(struct memory_appender *self, struct item item)
{
    const struct memory_sink_state *state = &self->sink->state;
    if (item.t_ms < state->min_t || item.t_ms > state->max_t) {
        self->counts.too_old += item.t_ms < state->min_t;
        self->counts.too_far_ahead += item.t_ms > state->max_t;
        return ERR_RANGE;
    }
    assert_int_equal(mem_array_grow((void **)&self->items, &self->cap, self->count + 1,
                         sizeof(*self->items), ITEMS_MAX),
        0);
    self->items[self->count++] = item;
    return 0;
}

static int op_append(struct appender *a, struct series_ref ref, int64_t t_ms, double value)
{
    struct memory_appender *self = self_of(a);
    int status = add(self, (struct item){ref.target, t_ms, value, NULL});
    self->counts.samples += status == 0;
    return status;
}

static int op_append_histogram(
    struct appender *a, struct series_ref ref, int64_t t_ms, const struct histogram *histogram)
{
    struct memory_appender *self = self_of(a);
    struct histogram *copy = histogram_dup(histogram, &self->arena);
    int status = add(self, (struct item){ref.target, t_ms, 0, copy});
    self->counts.histograms += status == 0;
    return status;
}

static void op_count_lost(struct appender *a, struct str metric, uint64_t samples)
{
    struct memory_appender *self = self_of(a);
    self->counts.limited += samples;
    self->sink->state.lost += samples;
    snprintf(self->sink->state.lost_metric, sizeof(self->sink->state.lost_metric), "%.*s",
        STR_ARG(metric));
}

static int op_append_exemplar(struct appender *a, struct series_ref ref, const struct label *labels,
    size_t count, double value, int64_t t_ms)
{
    (void)ref, (void)labels, (void)count, (void)value, (void)t_ms;
    self_of(a)->counts.exemplars++;
    return 0;
}

static int op_set_metadata(
    struct appender *a, struct str metric, enum metric_type type, struct str help, struct str unit)
{
    (void)metric, (void)type, (void)help, (void)unit;
    self_of(a)->sink->state.metadata++;
    return 0;
}

static int op_commit(struct appender *a, enum commit_durability durability,
    struct append_counts *counts_out, struct err *e)
{
    struct memory_appender *self = self_of(a);
    struct memory_sink *sink = self->sink;
    int status = sink->state.commit_status;
    sink->state.durability = durability;
    sink->state.commits++;
    for (size_t i = 0; status == 0 && i < self->count; i++) {
        const struct item *item = &self->items[i];
        const struct labels *labels = sink->series[item->series].labels;
        status =
            item->histogram != NULL
                ? memory_store_append_histogram(sink->store, labels, item->t_ms, item->histogram)
                : memory_store_append(sink->store, labels, item->t_ms, item->value);
    }
    *counts_out = self->counts;
    end(self);
    return status != 0 ? err_set(e, status, -1, "commit: %s", err_text(status)) : 0;
}

static void op_rollback(struct appender *a)
{
    self_of(a)->sink->state.rollbacks++;
    end(self_of(a));
}

static const struct appender_ops ops = {op_lookup, op_series, op_append, op_append_histogram,
    op_append_exemplar, op_set_metadata, op_count_lost, op_commit, op_rollback};

static int open_appender(
    struct appender_source *source, struct appender **appender_out, struct err *e)
{
    struct memory_sink *sink = (struct memory_sink *)source;
    if (sink->state.open_status != 0) {
        return err_set(
            e, sink->state.open_status, -1, "open: %s", err_text(sink->state.open_status));
    }
    struct memory_appender *self = mem_calloc(1, sizeof(*self));
    assert_non_null(self);
    self->appender.ops = &ops;
    self->sink = sink;
    arena_init(&self->arena, 0);
    sink->state.opened++;
    *appender_out = &self->appender;
    return 0;
}

struct memory_sink *memory_sink_new(struct memory_store *store)
{
    struct memory_sink *sink = mem_calloc(1, sizeof(*sink));
    assert_non_null(sink);
    sink->source.open = open_appender;
    sink->source.key_seed = 42;
    sink->store = store;
    sink->state.min_t = INT64_MIN;
    sink->state.max_t = INT64_MAX;
    sink->state.series_max = SERIES_MAX;
    return sink;
}

void memory_sink_free(struct memory_sink *sink)
{
    assert_int_equal(sink->state.opened, 0);
    for (size_t i = 0; i < sink->series_count; i++) {
        labels_unref(sink->series[i].labels);
    }
    mem_free(sink);
}

struct memory_sink_state *memory_sink_state(struct memory_sink *sink)
{
    return &sink->state;
}

struct appender_source *memory_sink_source(struct memory_sink *sink)
{
    return &sink->source;
}
