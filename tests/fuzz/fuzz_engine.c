/* Any text, asked of a small store, as an instant and as a range: it ends with an answer that is well
 * formed or with a sentence, and where the store cuts its runs changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "promql/series_notation.h"
#include "query/engine.h"
#include "support/memory_store.h"

#define STEP_MS 15000
#define START_MS INT64_C(60000)
#define END_MS INT64_C(600000)
#define RANGE_STEP_MS INT64_C(45000)

static const char *const lines[] = {
    "a{x=\"1\"} 0+1x40",
    "a{x=\"2\"} 5 4 3 _ _ stale 9 NaN Inf -Inf 1e300 7x30",
    "a{x=\"2\", y=\"1\"} 100-3x40",
    "b{x=\"1\"} 1 2 4 8 16 1 2 4 8 _x20 3x10",
    "b{x=\"3\"} -1x40",
    "c_total{x=\"1\", i=\"p\", job=\"j\"} 0+7x20 0+7x20",
    "target_info{instance=\"p\", job=\"j\", version=\"9\"} 1x40",
    "up{instance=\"p\", job=\"j\"} 1 0 1 0 1x36",
    "s_bucket{le=\"1\"} 0+1x40",
    "s_bucket{le=\"5\"} 0+3x40",
    "s_bucket{le=\"+Inf\"} 0+4x40",
    "h {{schema:0 sum:1 count:3 buckets:[1 2]}}+{{schema:0 sum:1 count:3 buckets:[1 2]}}x20",
    "h{x=\"1\"} {{schema:2 z_bucket:1 z_bucket_w:0.1 sum:-1 count:6 buckets:[1 0 2] n_buckets:[1 "
    "1]}}"
    "x20 5x10",
    "n {{schema:-53 sum:2 count:6 custom_values:[1 5 10] buckets:[1 2 3]}}x20",
};

static struct memory_store *store;
static struct engine *engine;

static void check(bool good)
{
    if (!good) {
        abort();
    }
}

static void fill(void)
{
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct notation_series series;
        struct err e = ERR_INIT;
        check(notation_series_parse(str_of(lines[i]), &arena, &series, &e) == 0);
        for (size_t k = 0; k < series.count; k++) {
            const struct notation_value *v = &series.values[k];
            int64_t t = (int64_t)k * STEP_MS;
            if (v->kind == NOTATION_FLOAT) {
                check(memory_store_append(store, series.labels, t, v->number) == 0);
            } else if (v->kind == NOTATION_HISTOGRAM) {
                check(memory_store_append_histogram(store, series.labels, t, v->histogram) == 0);
            }
        }
    }
    arena_release(&arena);
}

static void begin(void)
{
    const struct engine_options options = {
        .features = PROMQL_FEATURES_ALL,
        .delayed_name_removal = true,
        .samples_max = 200000,
        .memory_bytes = (size_t)64 << 20,
        .timeout_ms = 4000,
    };
    store = memory_store_new();
    check(store != NULL && engine_new(&options, &engine) == 0);
    fill();
}

static int ask(bool range, struct str text, struct engine_result *result, struct err *e)
{
    struct querier_source *source = memory_store_source(store);
    return range ? engine_range(
                       engine, source, text, START_MS, END_MS, RANGE_STEP_MS, NULL, result, e)
                 : engine_instant(engine, source, text, END_MS / 2, NULL, result, e);
}

static void check_series(const struct engine_result *r, const struct engine_series *s, bool range)
{
    check(s->float_count + s->histogram_count > 0);
    for (size_t i = 0; i < s->float_count; i++) {
        check(i == 0 || s->float_times[i - 1] < s->float_times[i]);
        check(!range || (s->float_times[i] - START_MS) % RANGE_STEP_MS == 0);
    }
    for (size_t i = 0; i < s->histogram_count; i++) {
        struct histogram gauge = *s->histograms[i];
        gauge.reset_hint = HISTOGRAM_GAUGE;
        check(i == 0 || s->histogram_times[i - 1] < s->histogram_times[i]);
        check(gauge.positive.count + gauge.negative.count < 10000);
    }
    if (r->type == PROMQL_VECTOR) {
        check(s->float_count + s->histogram_count == 1);
        check((s->float_count == 1 ? s->float_times : s->histogram_times)[0] == END_MS / 2);
    }
}

static void check_result(const struct engine_result *r, bool range)
{
    check(!range || r->type == PROMQL_MATRIX);
    for (size_t i = 0; i < r->series_count; i++) {
        check_series(r, &r->series[i], range);
        if (r->type == PROMQL_MATRIX && i > 0) {
            check(labels_cmp(r->series[i - 1].labels, r->series[i].labels) < 0);
        }
    }
    check(r->warning_count <= ENGINE_ANNOTATIONS_MAX + 1);
    check(r->info_count <= ENGINE_ANNOTATIONS_MAX + 1);
}

static bool same_bytes(const void *a, const void *b, size_t size)
{
    return size == 0 || memcmp(a, b, size) == 0;
}

static void check_same(const struct engine_result *a, const struct engine_result *b)
{
    check(a->type == b->type && a->series_count == b->series_count);
    check(a->warning_count == b->warning_count && a->info_count == b->info_count);
    for (size_t i = 0; i < a->series_count; i++) {
        const struct engine_series *s = &a->series[i], *t = &b->series[i];
        check(labels_eq(s->labels, t->labels));
        check(s->float_count == t->float_count && s->histogram_count == t->histogram_count);
        check(same_bytes(s->floats, t->floats, s->float_count * sizeof(double)));
        check(same_bytes(s->float_times, t->float_times, s->float_count * sizeof(int64_t)));
        for (size_t k = 0; k < s->histogram_count; k++) {
            check(histogram_eq(s->histograms[k], t->histograms[k]));
        }
    }
}

static void check_query(struct str text, bool range)
{
    struct engine_result result, again;
    struct err e = ERR_INIT;
    memory_store_set_run_length(store, 0);
    int status = ask(range, text, &result, &e);
    if (status != 0) {
        check(status == ERR_INVALID || status == ERR_LIMIT || status == ERR_INTERNAL ||
              status == ERR_TIMEOUT);
        check(e.code == status && e.message[0] != '\0');
        return;
    }
    check_result(&result, range);
    memory_store_set_run_length(store, 3);
    status = ask(range, text, &again, &e);
    check(status == 0 || status == ERR_TIMEOUT);
    if (status == 0) {
        check_same(&result, &again);
        engine_result_release(&again);
    }
    engine_result_release(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (store == NULL) {
        begin();
    }
    struct str text = str_make((const char *)data, size);
    check_query(text, false);
    check_query(text, true);
    return 0;
}
