#include "unit/rules/rules_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/support.h"

#define RULE_FILE "r.yml"

/* What was asked last; good until the next question. */
static char answer[8192];

static int note(struct alert_sink *self, const struct alert *alerts, size_t count)
{
    struct noting_sink *sink = (struct noting_sink *)self;
    if (sink->answer != 0) {
        return sink->answer;
    }
    for (size_t i = 0; i < count; i++) {
        const struct alert *a = &alerts[i];
        labels_write(a->labels, &sink->lines);
        strbuf_addf(&sink->lines, " %s %lld..%lld", a->resolved ? "resolved" : "firing",
            (long long)(a->starts_at_ms - FIXTURE_START_MS) / 1000,
            (long long)(a->ends_at_ms - FIXTURE_START_MS) / 1000);
        for (size_t k = 0; k < a->annotation_count; k++) {
            strbuf_addf(&sink->lines, " %.*s=\"%.*s\"", STR_ARG(a->annotations[k].name),
                STR_ARG(a->annotations[k].value));
        }
        strbuf_addf(&sink->lines, " %.*s\n", STR_ARG(a->generator_url));
    }
    return 0;
}

static void open_store(struct rules_fixture *f)
{
    struct err e = ERR_INIT;
    const struct tsdb_options store = {
        .path = "data", .vfs = sim_vfs_get(f->sim), .clock = &f->clock.clock};
    if (tsdb_open(&store, &f->db, &e) != 0) {
        fail_msg("store: %s", e.message);
    }
    f->options.engine = f->engine;
    f->options.features = PROMQL_FEATURES_DEFAULT;
    f->options.reads = tsdb_querier_source(f->db);
    f->options.writes = tsdb_appender_source(f->db);
    f->options.fs = sim_vfs_get(f->sim);
    f->options.clock = &f->clock.clock;
    f->options.data_path = "data";
    if (rules_open(&f->options, &f->rules, &e) != 0) {
        fail_msg("rules: %s", e.message);
    }
}

void rules_fixture_open(struct rules_fixture *f)
{
    const struct rules_options given = f->options;
    *f = (struct rules_fixture){.options = given, .sim = sim_vfs_new(test_seed())};
    f->sink = (struct noting_sink){.sink.send = note, .lines = STRBUF_INIT};
    fake_clock_init(&f->clock, FIXTURE_START_MS);
    const struct engine_options engine = {
        .clock = &f->clock.clock, .features = PROMQL_FEATURES_DEFAULT};
    assert_int_equal(engine_new(&engine, &f->engine), 0);
    f->options.sink = &f->sink.sink;
    open_store(f);
}

void rules_fixture_close(struct rules_fixture *f)
{
    rules_close(f->rules);
    assert_int_equal(tsdb_close(f->db, NULL), 0);
    engine_free(f->engine);
    strbuf_release(&f->sink.lines);
    sim_vfs_free(f->sim);
}

static void load(struct rules_fixture *f)
{
    static const char *const patterns[] = {RULE_FILE};
    struct err e = ERR_INIT;
    if (rules_load(f->rules, patterns, 1, &e) != 0) {
        fail_msg("%s", e.message);
    }
}

void rules_fixture_load(struct rules_fixture *f, const char *text)
{
    assert_int_equal(vfs_write_file_atomic(sim_vfs_get(f->sim), RULE_FILE, text, strlen(text)), 0);
    load(f);
}

void rules_fixture_crash(struct rules_fixture *f)
{
    rules_close(f->rules);
    tsdb_abandon(f->db);
    open_store(f);
    load(f);
}

void rules_fixture_write(
    struct rules_fixture *f, const char *metric, const char *instance, double value)
{
    struct appender *a = NULL;
    struct series_ref ref;
    const struct label labels[] = {
        {STR("__name__"), str_of(metric)}, {STR("instance"), str_of(instance)}};
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
    assert_int_equal(appender_series(a, labels, 2, NULL, &ref, NULL), 0);
    assert_int_equal(appender_append(a, ref, clock_now_ms(&f->clock.clock), value), 0);
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
}

size_t rules_fixture_pass(struct rules_fixture *f, int64_t ms)
{
    fake_clock_advance_ms(&f->clock, ms);
    return rules_run_due(f->rules, clock_now_ms(&f->clock.clock));
}

/* ---- Asking ---- */

static int compare_series(const void *a, const void *b)
{
    const struct engine_series *x = a, *y = b;
    return labels_cmp(x->labels, y->labels);
}

static const char *keep(struct strbuf *text)
{
    assert_int_equal(strbuf_error(text), 0);
    snprintf(answer, sizeof(answer), "%.*s", (int)text->size, text->data != NULL ? text->data : "");
    strbuf_release(text);
    return answer;
}

const char *rules_fixture_ask(struct rules_fixture *f, const char *query)
{
    struct engine_result result;
    struct strbuf text = STRBUF_INIT;
    struct err e = ERR_INIT;
    if (engine_instant(f->engine, tsdb_querier_source(f->db), str_of(query),
            clock_now_ms(&f->clock.clock), NULL, &result, &e) != 0) {
        fail_msg("%s: %s", query, e.message);
    }
    assert_int_equal(result.type, PROMQL_VECTOR);
    struct engine_series *series = mem_calloc(result.series_count + 1, sizeof(*series));
    assert_non_null(series);
    for (size_t i = 0; i < result.series_count; i++) {
        series[i] = result.series[i];
    }
    qsort(series, result.series_count, sizeof(*series), compare_series);
    for (size_t i = 0; i < result.series_count; i++) {
        labels_write(series[i].labels, &text);
        strbuf_addf(&text, " %.17g; ", series[i].floats[0]);
    }
    mem_free(series);
    engine_result_release(&result);
    return keep(&text);
}

static const struct rule_group_status *status_of(
    struct rules_fixture *f, struct arena *arena, size_t *count_out)
{
    struct rule_group_status *groups = NULL;
    arena_init(arena, 0);
    assert_int_equal(rules_status(f->rules, arena, &groups, count_out), 0);
    return groups;
}

static int compare_alerts(const void *a, const void *b)
{
    const struct rule_alert *x = a, *y = b;
    return labels_cmp(x->labels, y->labels);
}

const char *rules_fixture_alerts(struct rules_fixture *f)
{
    struct arena arena;
    struct strbuf text = STRBUF_INIT;
    size_t count;
    const struct rule_group_status *groups = status_of(f, &arena, &count);
    for (size_t g = 0; g < count; g++) {
        for (size_t r = 0; r < groups[g].rule_count; r++) {
            const struct rule_status *rule = &groups[g].rules[r];
            struct rule_alert *alerts = mem_calloc(rule->alert_count + 1, sizeof(*alerts));
            assert_non_null(alerts);
            for (size_t i = 0; i < rule->alert_count; i++) {
                alerts[i] = rule->alerts[i];
            }
            if (rule->alert_count > 0) {
                qsort(alerts, rule->alert_count, sizeof(*alerts), compare_alerts);
            }
            for (size_t i = 0; i < rule->alert_count; i++) {
                labels_write(alerts[i].labels, &text);
                strbuf_addf(&text, " %s %lld; ", alerts[i].firing ? "firing" : "pending",
                    (long long)(alerts[i].active_at_ms - FIXTURE_START_MS) / 1000);
            }
            mem_free(alerts);
        }
    }
    arena_release(&arena);
    return keep(&text);
}

const char *rules_fixture_error(struct rules_fixture *f, size_t rule)
{
    struct arena arena;
    struct strbuf text = STRBUF_INIT;
    size_t count;
    const struct rule_group_status *groups = status_of(f, &arena, &count);
    assert_true(count > 0 && rule < groups[0].rule_count);
    strbuf_add_str(&text, groups[0].rules[rule].last_error);
    arena_release(&arena);
    return keep(&text);
}
