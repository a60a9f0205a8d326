/* A store in memory with some series, and an engine over it; see engine_fixture.h. */
#include "engine_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fpconv.h"
#include "base/mem.h"

void engine_fixture_begin(struct engine_fixture *f, const struct engine_options *options)
{
    struct engine_options all = {.delayed_name_removal = true};
    if (options != NULL) {
        all = *options;
    }
    all.features = PROMQL_FEATURES_ALL;
    f->store = memory_store_new();
    assert_non_null(f->store);
    assert_int_equal(engine_new(&all, &f->engine), 0);
}

void engine_fixture_end(struct engine_fixture *f)
{
    engine_free(f->engine);
    memory_store_free(f->store);
}

static const struct labels *labels_of(const char *name, size_t i)
{
    char number[24];
    (void)snprintf(number, sizeof(number), "%zu", i);
    const struct label pairs[] = {
        {STR(LABEL_METRIC_NAME), str_of(name)},
        {STR("i"), str_of(number)},
        {STR("job"), i % 2 == 0 ? STR("even") : STR("odd")},
    };
    const struct labels *labels;
    assert_int_equal(labels_new(pairs, 3, &labels, NULL), 0);
    return labels;
}

void engine_fixture_counters(
    struct engine_fixture *f, const char *name, size_t count, int64_t until_ms)
{
    for (size_t i = 0; i < count; i++) {
        const struct labels *labels = labels_of(name, i);
        double value = 0;
        for (int64_t t = 0; t <= until_ms; t += 15000, value += (double)(i + 1)) {
            assert_int_equal(memory_store_append(f->store, labels, t, value), 0);
        }
        labels_unref(labels);
    }
}

void engine_fixture_histograms(
    struct engine_fixture *f, const char *name, size_t count, int64_t until_ms)
{
    static const struct histogram_span span = {.offset = 1, .length = 1};
    for (size_t i = 0; i < count; i++) {
        const struct labels *labels = labels_of(name, i);
        double value = 0;
        for (int64_t t = 0; t <= until_ms; t += 15000, value += (double)(i + 1)) {
            const struct histogram h = {.schema = 0,
                .count = value,
                .sum = value * 1.5,
                .positive = {.spans = &span, .span_count = 1, .counts = &value, .count = 1}};
            assert_int_equal(memory_store_append_histogram(f->store, labels, t, &h), 0);
        }
        labels_unref(labels);
    }
}

static void write_series(const struct engine_series *s, struct strbuf *out)
{
    char text[FP_TEXT_MAX];
    labels_write(s->labels, out);
    for (size_t i = 0; i < s->float_count; i++) {
        strbuf_add_char(out, ' ');
        strbuf_add(out, text, fp_format(s->floats[i], text));
        strbuf_addf(out, "@%lld", (long long)s->float_times[i]);
    }
    for (size_t i = 0; i < s->histogram_count; i++) {
        strbuf_add_char(out, ' ');
        histogram_write(s->histograms[i], out);
        strbuf_addf(out, "@%lld", (long long)s->histogram_times[i]);
    }
    strbuf_add_char(out, '\n');
}

static char *text_of(int status, struct engine_result *result, const struct err *e)
{
    struct strbuf out;
    strbuf_init(&out, 0);
    if (status != 0) {
        assert_int_equal(e->code, status);
        strbuf_addf(&out, "%s: %s\n", err_name(status), e->message);
    } else if (result->type == PROMQL_SCALAR) {
        strbuf_addf(&out, "scalar %g@%lld\n", result->scalar, (long long)result->time_ms);
    } else if (result->type == PROMQL_STRING) {
        strbuf_addf(&out, "string %.*s\n", STR_ARG(result->string));
    }
    for (size_t i = 0; status == 0 && i < result->series_count; i++) {
        write_series(&result->series[i], &out);
    }
    for (size_t i = 0; status == 0 && i < result->warning_count; i++) {
        strbuf_addf(&out, "%s\n", result->warnings[i]);
    }
    for (size_t i = 0; status == 0 && i < result->info_count; i++) {
        strbuf_addf(&out, "%s\n", result->infos[i]);
    }
    strbuf_add_char(&out, '\0');
    assert_int_equal(strbuf_error(&out), 0);
    char *text = strdup(strbuf_str(&out).ptr);
    strbuf_release(&out);
    if (status == 0) {
        engine_result_release(result);
    }
    return text;
}

char *engine_fixture_instant(struct engine_fixture *f, const char *query, int64_t t_ms)
{
    struct engine_result result;
    struct err e = ERR_INIT;
    int status = engine_instant(
        f->engine, memory_store_source(f->store), str_of(query), t_ms, NULL, &result, &e);
    return text_of(status, &result, &e);
}

char *engine_fixture_range(
    struct engine_fixture *f, const char *query, int64_t start_ms, int64_t end_ms, int64_t step_ms)
{
    struct engine_result result;
    struct err e = ERR_INIT;
    int status = engine_range(f->engine, memory_store_source(f->store), str_of(query), start_ms,
        end_ms, step_ms, NULL, &result, &e);
    return text_of(status, &result, &e);
}

void expect_instant(struct engine_fixture *f, const char *query, int64_t t_ms, const char *expected)
{
    char *text = engine_fixture_instant(f, query, t_ms);
    if (strcmp(text, expected) != 0) {
        fail_msg("%s\nexpected: %s\ngot:      %s", query, expected, text);
    }
    free(text);
}

void expect_range(struct engine_fixture *f, const char *query, int64_t start_ms, int64_t end_ms,
    int64_t step_ms, const char *expected)
{
    char *text = engine_fixture_range(f, query, start_ms, end_ms, step_ms);
    if (strcmp(text, expected) != 0) {
        fail_msg("%s\nexpected: %s\ngot:      %s", query, expected, text);
    }
    free(text);
}
