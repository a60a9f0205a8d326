/* Objectives at work over a store in memory: alerts fire and resolve at the seconds that follow from the
 * definitions, a back-test gives what live evaluation gave, states and exclusions outlive a restart.
 */
#include "support/support.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "slo/slo_manager.h"
#include "support/fake_clock.h"
#include "support/memory_store.h"

#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define ORIGIN (INT64_C(20000) * DAY)

static const char definition[] =
    "apiVersion: openslo/v1\nkind: SLO\n"
    "metadata: {name: work, labels: {team: web}, annotations: {runbook_url: 'https://w', "
    "sonde.dev/step: 30s, "
    "hello: 'from {{ $labels.tier }}'}}\n"
    "spec:\n  service: shop\n  timeWindow: [{duration: 30d, isRolling: true}]\n"
    "  objectives:\n    - target: 0.999\n      indicator: {spec: {ratioMetric: {counter: true,\n"
    "        bad: {metricSource: {spec: {query: 'rate(bad_total[{{.window}}])'}}},\n"
    "        total: {metricSource: {spec: {query: all_total}}}}}}\n";

/* ---- A sink that remembers ---- */

struct told {
    char tier[SLO_TIER_NAME_MAX];
    int64_t starts_at_ms, ends_at_ms;
    bool resolved;
    char summary[512];
    double remaining;
};

struct recorder {
    struct alert_sink sink;
    struct told told[4096];
    size_t count;
};

static int record(struct alert_sink *self, const struct alert *alerts, size_t count)
{
    struct recorder *r = (struct recorder *)self;
    for (size_t i = 0; i < count && r->count < 4096; i++) {
        struct told *t = &r->told[r->count++];
        *t = (struct told){.starts_at_ms = alerts[i].starts_at_ms,
            .ends_at_ms = alerts[i].ends_at_ms,
            .resolved = alerts[i].resolved,
            .remaining = alerts[i].slo->budget_remaining};
        (void)snprintf(t->tier, sizeof(t->tier), "%.*s", STR_ARG(alerts[i].slo->tier));
        for (size_t a = 0; a < alerts[i].annotation_count; a++) {
            if (str_eq_c(alerts[i].annotations[a].name, "summary")) {
                (void)snprintf(t->summary, sizeof(t->summary), "%.*s",
                    STR_ARG(alerts[i].annotations[a].value));
            }
            if (str_eq_c(alerts[i].annotations[a].name, "slo_url")) {
                /* A page that there is: the curve of the burn rate. */
                assert_true(str_ends_with(alerts[i].annotations[a].value,
                    STR("/graph?g0.expr=slo_burn_rate%7Bslo%3D%22work%22%7D&g0.tab=1")));
            }
            if (str_eq_c(alerts[i].annotations[a].name, "hello")) {
                assert_true(str_starts_with(alerts[i].annotations[a].value, STR("from ")));
            }
        }
        assert_true(str_eq_c(labels_get(alerts[i].labels, STR("region")), "eu"));
        assert_true(str_eq_c(labels_get(alerts[i].labels, STR("team")), "web"));
    }
    return 0;
}

/* ---- The scene ---- */

struct scene {
    char folder[64], path[96];
    struct memory_store *store;
    struct fake_clock clock;
    struct recorder *recorder;
    struct slo_manager *manager;
    const struct labels *bad, *all, *external;
    double bad_total, all_total;
};

static const struct labels *metric(const char *name)
{
    struct label pair = {STR("__name__"), str_of(name)};
    const struct labels *labels = NULL;
    assert_int_equal(labels_new(&pair, 1, &labels, NULL), 0);
    return labels;
}

static void start(struct scene *s)
{
    struct slo_options options = {.reads = memory_store_source(s->store),
        .clock = &s->clock.clock,
        .data_path = s->folder,
        .sink = &s->recorder->sink,
        .external_labels = s->external,
        .external_url = "http://sonde"};
    struct err e = ERR_INIT;
    const char *patterns[] = {s->path};
    if (slo_open(&options, &s->manager, &e) != 0 || slo_load(s->manager, patterns, 1, &e) != 0) {
        fail_msg("%s", e.message);
    }
}

static void scene_open(struct scene *s)
{
    *s = (struct scene){
        .store = memory_store_new(), .bad = metric("bad_total"), .all = metric("all_total")};
    (void)snprintf(s->folder, sizeof(s->folder), "/tmp/sonde_slo_XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    (void)snprintf(s->path, sizeof(s->path), "%s/slo.yml", s->folder);
    assert_int_equal(
        vfs_write_file_atomic(vfs_posix(), s->path, definition, sizeof(definition) - 1), 0);
    struct label region = {STR("region"), STR("eu")};
    assert_int_equal(labels_new(&region, 1, &s->external, NULL), 0);
    s->recorder = mem_calloc(1, sizeof(*s->recorder));
    s->recorder->sink.send = record;
    fake_clock_init(&s->clock, ORIGIN);
}

static void scene_close(struct scene *s)
{
    slo_close(s->manager);
    memory_store_free(s->store);
    labels_unref(s->bad);
    labels_unref(s->all);
    labels_unref(s->external);
    mem_free(s->recorder);
    char command[128];
    (void)snprintf(command, sizeof(command), "%s/slo.journal", s->folder);
    (void)unlink(command);
    (void)unlink(s->path);
    (void)rmdir(s->folder);
}

/* A scrape: 1000 events since the last one. */
static void scrape(struct scene *s, int64_t at_ms, double bad)
{
    s->all_total += 1000;
    s->bad_total += bad;
    assert_int_equal(memory_store_append(s->store, s->all, at_ms, s->all_total), 0);
    assert_int_equal(memory_store_append(s->store, s->bad, at_ms, s->bad_total), 0);
}

/* Thirty-one days without failures. Most of it is scraped each 4 minutes, which counts the same but for one
 * scrape at the window's beginning; the last hours, which short windows look at, each 30 seconds. */
static void clean_past(struct scene *s)
{
    for (int64_t t = ORIGIN - 31 * DAY; t <= ORIGIN - 8 * HOUR; t += 240 * SECOND) {
        s->all_total += 7000;
        scrape(s, t, 0);
    }
    for (int64_t t = ORIGIN - 8 * HOUR + 30 * SECOND; t < ORIGIN; t += 30 * SECOND) {
        scrape(s, t, 0);
    }
}
#define ONE_SCRAPE 1e-4

static void live(struct scene *s, int64_t from_s, int64_t to_s, int64_t outage_s)
{
    for (int64_t t = from_s; t <= to_s; t += 30) {
        scrape(s, ORIGIN + t * SECOND, t > 0 && t <= outage_s ? 1000 : 0);
        fake_clock_set_wall_ms(&s->clock, ORIGIN + t * SECOND + SLO_DELAY_MS);
        assert_int_equal(slo_run_due(s->manager, ORIGIN + t * SECOND + SLO_DELAY_MS), 1);
    }
}

/* Seconds of (fire, clear) of a tier, from what was told. */
static void episode_of(const struct scene *s, const char *tier, int64_t *fired, int64_t *cleared)
{
    *fired = *cleared = 0;
    for (size_t i = 0; i < s->recorder->count; i++) {
        const struct told *t = &s->recorder->told[i];
        if (strcmp(t->tier, tier) == 0) {
            *fired = (t->starts_at_ms - ORIGIN) / SECOND;
            *cleared = t->resolved ? (t->ends_at_ms - ORIGIN) / SECOND : *cleared;
        }
    }
}

static json_t *answer(struct strbuf *text)
{
    json_error_t error;
    json_t *value = json_loadb(text->data, text->size, 0, &error);
    if (value == NULL) {
        fail_msg("%s: %s", error.text, text->data);
    }
    strbuf_release(text);
    return value;
}

static json_t *list_at(struct scene *s, int64_t time_ms)
{
    struct strbuf text = STRBUF_INIT;
    struct json_writer *w = mem_calloc(1, sizeof(*w));
    struct err e = ERR_INIT;
    json_init(w, &text);
    if (slo_write_list(s->manager, STR("work"), time_ms, w, &e) != 0) {
        fail_msg("%s", e.message);
    }
    mem_free(w);
    return answer(&text);
}

static double remaining_at(struct scene *s, int64_t time_ms)
{
    json_t *list = list_at(s, time_ms);
    double value = json_number_value(json_object_get(json_array_get(list, 0), "budget_remaining"));
    json_decref(list);
    return value;
}

/* Row 1 of the discrete vectors: a total outage of 600 s. A restart in the middle changes nothing. */
static void fires_and_resolves(void **state)
{
    (void)state;
    static const struct {
        const char *tier;
        int64_t fired, cleared;
    } table[] = {{"page-fast", 60, 900}, {"page-slow", 150, 2400}, {"ticket-fast", 270, 7800},
        {"ticket-slow", 270, 22200}};
    struct scene s;
    scene_open(&s);
    clean_past(&s);
    start(&s);
    live(&s, 0, 500 - 20, 600);
    double before = remaining_at(&s, INT64_MIN);
    slo_close(s.manager);
    start(&s);
    live(&s, 510, 22500, 600);
    for (size_t i = 0; i < 4; i++) {
        int64_t fired, cleared;
        episode_of(&s, table[i].tier, &fired, &cleared);
        if (fired != table[i].fired || cleared != table[i].cleared) {
            fail_msg("%s: %lld, %lld, not %lld, %lld", table[i].tier, (long long)fired,
                (long long)cleared, (long long)table[i].fired, (long long)table[i].cleared);
        }
    }
    /* 480 s and 600 s of 2592 s. */
    assert_true(fabs(before - (1 - 480.0 / 2592)) < ONE_SCRAPE);
    double now = remaining_at(&s, INT64_MIN);
    assert_true(fabs(now - (1 - 600.0 / 2592)) < ONE_SCRAPE);
    /* Any past instant is what it was then. */
    assert_true(fabs(remaining_at(&s, ORIGIN + 480 * SECOND) - before) < 1e-12);
    json_t *past = list_at(&s, ORIGIN + 480 * SECOND);
    json_t *tier = json_array_get(json_object_get(json_array_get(past, 0), "tiers"), 0);
    assert_string_equal(json_string_value(json_object_get(tier, "state")), "firing");
    assert_true(
        json_number_value(json_object_get(tier, "active_since")) == (double)(ORIGIN / SECOND + 60));
    json_decref(past);
    assert_non_null(
        strstr(s.recorder->told[0].summary, "% of the 30d error budget was spent within 1h"));
    assert_non_null(strstr(s.recorder->told[0].summary, "tier page-fast alerts above 14.4"));

    /* The back-test gives the same. */
    struct strbuf text = STRBUF_INIT;
    struct json_writer *w = mem_calloc(1, sizeof(*w));
    struct err e = ERR_INIT;
    json_init(w, &text);
    assert_int_equal(
        slo_write_backtest(s.manager, STR("work"), ORIGIN - HOUR, ORIGIN + 22500 * SECOND, w, &e),
        0);
    mem_free(w);
    json_t *test = answer(&text), *alerts = json_object_get(test, "alerts");
    assert_int_equal(json_array_size(alerts), 4);
    for (size_t i = 0; i < 4; i++) {
        json_t *alert = json_array_get(alerts, i);
        assert_string_equal(json_string_value(json_object_get(alert, "tier")), table[i].tier);
        assert_true(json_number_value(json_object_get(alert, "start")) ==
                    (double)(ORIGIN / SECOND + table[i].fired));
        assert_true(json_number_value(json_object_get(alert, "end")) ==
                    (double)(ORIGIN / SECOND + table[i].cleared));
    }
    assert_int_equal(json_integer_value(json_object_get(test, "pages")), 2);
    json_decref(test);
    scene_close(&s);
}

static const char *state_at(struct scene *s, int64_t seconds)
{
    static char text[16];
    json_t *past = list_at(s, ORIGIN + seconds * SECOND);
    json_t *tier = json_array_get(json_object_get(json_array_get(past, 0), "tiers"), 0);
    (void)snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(tier, "state")));
    json_decref(past);
    return text;
}

/* page-fast is quiet at 900 s and goes on for five minutes: live, asked about the past, and in a back-test. */
static void keeps_firing(void **state)
{
    (void)state;
    struct scene s;
    char text[sizeof(definition) + 64];
    scene_open(&s);
    const char *step = strstr(definition, "sonde.dev/step");
    int size = snprintf(text, sizeof(text), "%.*ssonde.dev/keep-firing-for: 5m, %s",
        (int)(step - definition), definition, step);
    assert_int_equal(vfs_write_file_atomic(vfs_posix(), s.path, text, (size_t)size), 0);
    clean_past(&s);
    start(&s);
    live(&s, 0, 1500, 600);
    int64_t fired, cleared;
    episode_of(&s, "page-fast", &fired, &cleared);
    assert_int_equal(fired, 60);
    assert_int_equal(cleared, 1200);
    assert_string_equal(state_at(&s, 30), "inactive");
    assert_string_equal(state_at(&s, 1170), "firing");
    assert_string_equal(state_at(&s, 1200), "inactive");
    scene_close(&s);
}

/* The outage is excluded, and counts again when it is not; the exclusion outlives a restart. */
static void excluded_outage(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    clean_past(&s);
    start(&s);
    live(&s, 0, 1200, 600);
    double before = remaining_at(&s, INT64_MIN);
    struct strbuf request = STRBUF_INIT;
    strbuf_addf(&request,
        "{\"start\": %lld, \"end\": %lld, \"reason\": \"move\", \"author\": \"me\"}",
        (long long)(ORIGIN / SECOND), (long long)(ORIGIN / SECOND + 600));
    uint64_t id = 0;
    struct err e = ERR_INIT;
    assert_int_equal(
        slo_add_exclusion(s.manager, STR("nope"), strbuf_str(&request), &id, &e), ERR_NOT_FOUND);
    assert_int_equal(slo_add_exclusion(s.manager, STR("work"), strbuf_str(&request), &id, &e), 0);
    assert_true(remaining_at(&s, INT64_MIN) == 1);
    slo_close(s.manager);
    start(&s);
    live(&s, 1230, 1230, 600);
    assert_true(remaining_at(&s, INT64_MIN) == 1);
    assert_int_equal(
        slo_remove_exclusion(s.manager, STR("work"), id, STR("me"), STR(""), &e), ERR_INVALID);
    assert_int_equal(slo_remove_exclusion(s.manager, STR("work"), id, STR("me"), STR("no"), &e), 0);
    assert_int_equal(
        slo_remove_exclusion(s.manager, STR("work"), id, STR("me"), STR("no"), &e), ERR_NOT_FOUND);
    assert_true(fabs(remaining_at(&s, INT64_MIN) - before) < ONE_SCRAPE);
    static const char *const wrong[] = {"", "[]", "{}", "{\"start\":1,\"end\":2}",
        "{\"start\":\"x\",\"end\":2,\"reason\":\"r\",\"author\":\"a\"}",
        "{\"start\":5,\"end\":2,\"reason\":\"r\",\"author\":\"a\"}",
        "{\"start\":\"2026-01-01T00:00:00Z\",\"end\":\"2026-01-03T00:00:00+01:00\",\"reason\":"
        "\"r\","
        "\"author\":\"a\",\"repeat\":\"daily\"}",
        "{\"start\":1,\"end\":2,\"reason\":\"r\",\"author\":\"a\",\"timezone\":\"No/Where\"}"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(
            slo_add_exclusion(s.manager, STR("work"), str_of(wrong[i]), &id, &e), ERR_INVALID);
    }
    strbuf_release(&request);
    scene_close(&s);
}

/* Twenty minutes without a sample while a tier fires: nothing resolves, nothing fires anew. */
static void samples_stop(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    clean_past(&s);
    start(&s);
    live(&s, 0, 120, 600);
    size_t told = s.recorder->count;
    for (int64_t t = 150; t <= 120 + 1200; t += 30) {
        fake_clock_set_wall_ms(&s.clock, ORIGIN + t * SECOND + SLO_DELAY_MS);
        assert_int_equal(slo_run_due(s.manager, ORIGIN + t * SECOND + SLO_DELAY_MS), 1);
    }
    assert_true(s.recorder->count > told); // told again and again that it fires
    for (size_t i = 0; i < s.recorder->count; i++) {
        assert_string_equal(s.recorder->told[i].tier, "page-fast");
        assert_false(s.recorder->told[i].resolved);
        assert_int_equal(s.recorder->told[i].starts_at_ms, ORIGIN + 60 * SECOND);
    }
    json_t *list = list_at(&s, INT64_MIN);
    json_t *slo = json_array_get(list, 0);
    json_t *tier = json_array_get(json_object_get(slo, "tiers"), 0);
    assert_true(json_is_true(json_object_get(slo, "no_data")));
    assert_true(json_is_true(json_object_get(tier, "no_data")));
    assert_string_equal(json_string_value(json_object_get(tier, "state")), "firing");
    json_decref(list);
    scene_close(&s);
}

/* The program was away while an outage came and went: what was missed is made up for. */
static void missed_evaluations(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    clean_past(&s);
    start(&s);
    live(&s, 0, 120, 600);
    slo_close(s.manager);
    for (int64_t t = 150; t <= 7200; t += 30) {
        scrape(&s, ORIGIN + t * SECOND, t <= 600 ? 1000 : 0);
    }
    fake_clock_set_wall_ms(&s.clock, ORIGIN + 7200 * SECOND + SLO_DELAY_MS);
    start(&s);
    assert_int_equal(slo_run_due(s.manager, ORIGIN + 7200 * SECOND + SLO_DELAY_MS), 236);
    int64_t fired, cleared;
    episode_of(&s, "ticket-fast", &fired, &cleared);
    assert_int_equal(fired, 270);
    assert_int_equal(cleared, 0);
    scene_close(&s);
}

static double total_at(struct scene *s, int64_t time_ms)
{
    json_t *list = list_at(s, time_ms);
    double value = json_number_value(json_object_get(json_array_get(list, 0), "total"));
    json_decref(list);
    return value;
}

/* What was counted stays counted when a definition changes in what is not counted. Samples that arrive hours late,
 * when an agent sends what it kept, count within an hour. */
static void late_samples(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    clean_past(&s);
    start(&s);
    live(&s, 0, 0, 0);
    double before = total_at(&s, INT64_MIN);
    struct label pairs[] = {{STR("__name__"), STR("all_total")}, {STR("instance"), STR("late")}};
    const struct labels *late = NULL;
    assert_int_equal(labels_new(pairs, 2, &late, NULL), 0);
    assert_int_equal(memory_store_append(s.store, late, ORIGIN - 3 * HOUR, 0), 0);
    assert_int_equal(memory_store_append(s.store, late, ORIGIN - 3 * HOUR + 30 * SECOND, 50000), 0);
    labels_unref(late);

    char text[sizeof(definition) + 64];
    int size = snprintf(text, sizeof(text), "%s", definition);
    char *target = strstr(text, "0.999");
    memcpy(target, "0.990", 5);
    assert_int_equal(vfs_write_file_atomic(vfs_posix(), s.path, text, (size_t)size), 0);
    struct err e = ERR_INIT;
    const char *patterns[] = {s.path};
    assert_int_equal(slo_load(s.manager, patterns, 1, &e), 0);
    live(&s, 30, 30, 0);
    /* A step more at one end, one less at the other. */
    assert_true(fabs(total_at(&s, INT64_MIN) - before) <= 8000);
    live(&s, 60, 3600, 0);
    assert_true(fabs(total_at(&s, INT64_MIN) - before - 50000) <= 16000);
    double counted = total_at(&s, ORIGIN);
    if (counted != before + 50000) {
        fail_msg("%f counted, not %f", counted, before + 50000);
    }
    scene_close(&s);
}

/* A history that is imported below an objective at work: questions about the past see it at once, the objective
 * itself within an hour. */
static void imported_history(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    start(&s);
    live(&s, 0, 60, 0);
    /* Of the first scrape nothing is known but where the counter stood. */
    assert_true(total_at(&s, INT64_MIN) == 2000);
    struct label pairs[] = {{STR("__name__"), STR("all_total")}, {STR("instance"), STR("old")}};
    const struct labels *old = NULL;
    assert_int_equal(labels_new(pairs, 2, &old, NULL), 0);
    for (int64_t i = 0; i <= 2880; i++) {
        int64_t at = ORIGIN - 20 * DAY + i * 30 * SECOND;
        assert_int_equal(memory_store_append(s.store, old, at, (double)i * 10), 0);
    }
    labels_unref(old);
    assert_true(total_at(&s, INT64_MIN) == 2000);
    assert_true(total_at(&s, ORIGIN + 60 * SECOND) == 2000 + 28800);
    live(&s, 90, 3690, 0);
    double now = total_at(&s, INT64_MIN);
    if (now != 3690 / 30 * 1000 + 28800) {
        fail_msg("%f events, not %d", now, 3690 / 30 * 1000 + 28800);
    }
    scene_close(&s);
}

/* The lane evaluates beside questions, reloads and its end. */
static void lane(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    clean_past(&s);
    fake_clock_set_wall_ms(&s.clock, ORIGIN);
    start(&s);
    struct err e = ERR_INIT;
    const char *patterns[] = {s.path};
    assert_int_equal(slo_start(s.manager, &e), 0);
    struct strbuf text = STRBUF_INIT;
    for (bool evaluated = false; !evaluated;) {
        json_t *list = list_at(&s, INT64_MIN);
        evaluated = json_is_number(json_object_get(json_array_get(list, 0), "budget_remaining"));
        json_decref(list);
        assert_int_equal(slo_load(s.manager, patterns, 1, &e), 0);
    }
    slo_write_metrics(s.manager, &text);
    assert_non_null(strstr(text.data, "sonde_slo_objectives 1\n"));
    assert_non_null(strstr(text.data, "sonde_slo_failures_total 0\n"));
    strbuf_release(&text);
    assert_true(remaining_at(&s, INT64_MIN) == 1);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_and_resolves),
        cmocka_unit_test(keeps_firing),
        cmocka_unit_test(excluded_outage),
        cmocka_unit_test(samples_stop),
        cmocka_unit_test(missed_evaluations),
        cmocka_unit_test(late_samples),
        cmocka_unit_test(imported_history),
        cmocka_unit_test(lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
