/* The store's face: what the simulation does not walk. Locks, options, lookups, limits, metadata,
 * retention, damage, threads.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support/store_fixture.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

#define START_MS FIXTURE_START_MS
#define HOUR_MS INT64_C(3600000)

static void setup(struct store_fixture *f)
{
    store_fixture_init(f, START_MS);
    store_fixture_open(f);
}

/* One sample of metric{instance, job="j", zone?}. */
static int write_one(struct store_fixture *f, const char *metric, const char *instance,
    const char *zone, int64_t t_ms, double value)
{
    struct appender *a = NULL;
    struct series_ref ref;
    struct label labels[4] = {{STR("__name__"), str_of(metric)},
        {STR("instance"), str_of(instance)}, {STR("job"), STR("j")}};
    size_t count = 3;
    if (zone != NULL) {
        labels[count++] = (struct label){STR("zone"), str_of(zone)};
    }
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
    assert_int_equal(appender_series(a, labels, count, NULL, &ref, NULL), 0);
    int status = appender_append(a, ref, t_ms, value);
    int committed = appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL);
    return status != 0 ? status : committed;
}

static size_t count_enough(struct store_fixture *f, size_t enough)
{
    struct querier *q = store_fixture_querier(f);
    struct arena arena;
    struct series_set *set = NULL;
    arena_init(&arena, 0);
    const struct select_request request = {
        .min_t = INT64_MIN, .max_t = INT64_MAX, .labels_only = true, .series_enough = enough};
    assert_int_equal(querier_select(q, &request, &arena, &set, NULL), 0);
    size_t count = set->count;
    series_set_free(set);
    arena_release(&arena);
    querier_close(q);
    return count;
}

static size_t count_series(struct store_fixture *f, size_t series_max, int *status_out)
{
    struct querier *q = store_fixture_querier(f);
    struct arena arena;
    struct series_set *set = NULL;
    arena_init(&arena, 0);
    const struct select_request request = {
        .min_t = INT64_MIN, .max_t = INT64_MAX, .labels_only = true, .series_max = series_max};
    *status_out = querier_select(q, &request, &arena, &set, NULL);
    size_t count = *status_out == 0 ? set->count : 0;
    series_set_free(set);
    arena_release(&arena);
    querier_close(q);
    return count;
}

/* ---- Opening ---- */

static void test_one_process_at_a_time(void **state)
{
    struct store_fixture f;
    struct tsdb *second = NULL;
    struct err e = ERR_INIT;
    setup(&f);
    assert_int_equal(tsdb_open(&f.options, &second, &e), ERR_LOCKED);
    assert_non_null(strstr(e.message, "in use by another server"));
    /* A reader needs no lock. */
    struct tsdb_options read_only = f.options;
    read_only.read_only = true;
    assert_int_equal(write_one(&f, "up", "a", NULL, START_MS, 1), 0);
    assert_int_equal(tsdb_open(&read_only, &second, &e), 0);
    struct appender *a = NULL;
    assert_int_equal(appender_open(tsdb_appender_source(second), &a, &e), ERR_CLOSED);
    assert_int_equal(tsdb_close(second, NULL), 0);
    store_fixture_close(&f);
}

/* ---- Lookups ---- */

static void assert_list(const struct string_list *list, const char *expected)
{
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < list->count; i++) {
        strbuf_addf(&text, "%.*s ", STR_ARG(list->items[i]));
    }
    assert_string_equal(text.size > 0 ? text.data : "", expected);
    strbuf_release(&text);
}

static void check_lookups(struct store_fixture *f)
{
    struct querier *q = store_fixture_querier(f);
    struct arena arena;
    struct string_list list;
    struct matcher *m = NULL;
    arena_init(&arena, 0);
    struct select_request all = {.min_t = START_MS, .max_t = START_MS + HOUR_MS};
    assert_int_equal(q->ops->label_names(q, &all, 0, &arena, &list, NULL), 0);
    assert_list(&list, "__name__ instance job zone ");
    assert_int_equal(q->ops->label_names(q, &all, 2, &arena, &list, NULL), 0);
    assert_true(list.truncated);
    assert_list(&list, "__name__ instance ");
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("zone"), STR("z"), &m, NULL), 0);
    const struct matcher *const matchers[] = {m};
    struct select_request some = all;
    some.matchers = matchers;
    some.matcher_count = 1;
    assert_int_equal(q->ops->label_values(q, STR("instance"), &some, 0, &arena, &list, NULL), 0);
    assert_list(&list, "b ");
    assert_int_equal(q->ops->label_values(q, STR("__name__"), &all, 0, &arena, &list, NULL), 0);
    assert_list(&list, "load up ");
    struct select_request before = {.min_t = 0, .max_t = START_MS - 1};
    assert_int_equal(q->ops->label_names(q, &before, 0, &arena, &list, NULL), 0);
    assert_list(&list, "");
    matcher_free(m);
    arena_release(&arena);
    querier_close(q);
}

static void test_label_lookups(void **state)
{
    struct store_fixture f;
    setup(&f);
    assert_int_equal(write_one(&f, "up", "a", NULL, START_MS, 1), 0);
    assert_int_equal(write_one(&f, "load", "b", "z", START_MS, 1), 0);
    check_lookups(&f);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    check_lookups(&f);
    store_fixture_reopen(&f);
    check_lookups(&f);
    store_fixture_close(&f);
}

/* Other identity labels: the same series, split otherwise, stays one. */
static void test_changed_identity_labels(void **state)
{
    static const char *const zone_only[] = {"zone"};
    struct store_fixture f;
    int status = 0;
    setup(&f);
    assert_int_equal(write_one(&f, "up", "a", NULL, START_MS, 1), 0);
    assert_int_equal(write_one(&f, "load", "b", "z", START_MS, 1), 0);
    f.options.identity_labels = zone_only;
    f.options.identity_label_count = 1;
    store_fixture_reopen(&f);
    assert_int_equal(write_one(&f, "load", "b", "z", START_MS + 1000, 2), 0);
    assert_int_equal(write_one(&f, "up", "a", NULL, START_MS, 3), 0);
    assert_int_equal(count_series(&f, 0, &status), 2);
    check_lookups(&f);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    check_lookups(&f);
    assert_int_equal(count_series(&f, 0, &status), 2);
    store_fixture_close(&f);
}

static void test_series_limit(void **state)
{
    struct store_fixture f;
    int status = 0;
    setup(&f);
    assert_int_equal(write_one(&f, "up", "a", NULL, START_MS, 1), 0);
    assert_int_equal(write_one(&f, "up", "b", NULL, START_MS, 1), 0);
    assert_int_equal(count_series(&f, 2, &status), 2);
    assert_int_equal(count_series(&f, 1, &status), 0);
    assert_int_equal(status, ERR_LIMIT);
    /* Fewer than there are may be enough, in the head and in parts; more than there are never come. */
    for (int round = 0; round < 2; round++) {
        assert_int_equal(count_enough(&f, 1), 1);
        assert_int_equal(count_enough(&f, 3), 2);
        assert_int_equal(count_enough(&f, 0), 2);
        assert_int_equal(tsdb_compact(f.db, NULL), 0);
    }
    store_fixture_close(&f);
}

/* ---- Time ---- */

static void test_retention(void **state)
{
    struct store_fixture f;
    int status = 0;
    bool more = false;
    struct tsdb_statistics s;
    setup(&f);
    f.options.retention_ms = 48 * HOUR_MS;
    f.options.future_limit_ms = HOUR_MS;
    store_fixture_reopen(&f);
    assert_int_equal(write_one(&f, "up", "a", NULL, START_MS - 48 * HOUR_MS - 1, 1), ERR_RANGE);
    assert_int_equal(write_one(&f, "up", "a", NULL, START_MS + HOUR_MS + 1, 1), ERR_RANGE);
    assert_int_equal(write_one(&f, "up", "a", NULL, START_MS - 40 * HOUR_MS, 1), 0);
    assert_int_equal(write_one(&f, "up", "b", NULL, START_MS + HOUR_MS, 1), 0);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    assert_int_equal(count_series(&f, 0, &status), 2);
    fake_clock_advance_ms(&f.clock, 20 * HOUR_MS);
    assert_int_equal(tsdb_maintain(f.db, &more, NULL), 0);
    assert_int_equal(count_series(&f, 0, &status), 1);
    tsdb_statistics(f.db, &s);
    assert_int_equal(s.expired_parts, 1);
    assert_int_equal(s.samples_refused, 2);
    store_fixture_close(&f);
}

/* 1970, before it, and a long way off. */
static void test_times_of_any_age(void **state)
{
    static const int64_t times[] = {-86400001, -1, 0, 1, 86399999, 86400000, INT64_C(1) << 50};
    struct store_fixture f;
    setup(&f);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(write_one(&f, "up", "a", NULL, times[i], (double)i), 0);
    }
    for (int round = 0; round < 3; round++) {
        struct querier *q = store_fixture_querier(&f);
        struct arena arena;
        struct series_set *set = NULL;
        struct column_iter *it = NULL;
        struct column_run run;
        size_t n = 0;
        arena_init(&arena, 0);
        const struct select_request request = {.min_t = INT64_MIN, .max_t = INT64_MAX};
        assert_int_equal(querier_select(q, &request, &arena, &set, NULL), 0);
        assert_int_equal(set->count, 1);
        assert_int_equal(series_open(set->series[0], &arena, &it, NULL), 0);
        while (column_iter_next(it, &run, NULL) == 1) {
            for (size_t i = 0; i < run.count; i++, n++) {
                assert_int_equal(run.times[i], times[n]);
                assert_true(run.values[i] == (double)n);
            }
        }
        assert_int_equal(n, 7);
        column_iter_close(it);
        series_set_free(set);
        arena_release(&arena);
        querier_close(q);
        assert_int_equal(round == 0 ? tsdb_compact(f.db, NULL) : 0, 0);
        store_fixture_reopen(&f);
    }
    store_fixture_close(&f);
}

/* ---- Metadata ---- */

static int on_metadata(void *context, const struct metric_metadata *m)
{
    strbuf_addf(
        context, "%.*s %s %.*s|", STR_ARG(m->metric), metric_type_name(m->type), STR_ARG(m->help));
    return 0;
}

static void assert_metadata(struct store_fixture *f, const char *metric, const char *expected)
{
    struct strbuf text = STRBUF_INIT;
    assert_int_equal(tsdb_metadata(f->db, str_of(metric), on_metadata, &text), 0);
    assert_string_equal(text.size > 0 ? text.data : "", expected);
    strbuf_release(&text);
}

static void set_metadata(
    struct store_fixture *f, const char *metric, enum metric_type type, const char *help)
{
    struct appender *a = NULL;
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
    assert_int_equal(appender_set_metadata(a, str_of(metric), type, str_of(help), STR("")), 0);
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
}

static void test_metadata_survives(void **state)
{
    struct store_fixture f;
    setup(&f);
    set_metadata(&f, "up", METRIC_TYPE_GAUGE, "is up");
    set_metadata(&f, "req", METRIC_TYPE_COUNTER, "requests");
    set_metadata(&f, "up", METRIC_TYPE_GAUGE, "is it up?");
    const char *all = "req counter requests|up gauge is it up?|";
    assert_metadata(&f, "", all);
    assert_metadata(&f, "up", "up gauge is it up?|");
    assert_metadata(&f, "none", "");
    store_fixture_reopen(&f);
    assert_metadata(&f, "", all);
    assert_int_equal(write_one(&f, "up", "a", NULL, START_MS, 1), 0);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    store_fixture_reopen(&f);
    assert_metadata(&f, "", all);
    store_fixture_close(&f);
}

/* ---- Damage ---- */

static int first_name(void *context, const char *name, bool is_directory)
{
    (void)is_directory;
    (void)snprintf(context, 256, "%s", name);
    return 1;
}

/* The only part of the store. */
static void part_path_of(struct store_fixture *f, char *path, size_t size)
{
    char day[256], part[256], directory[512];
    assert_int_equal(vfs_list(f->options.vfs, "data/raw", first_name, day), 1);
    (void)snprintf(directory, sizeof(directory), "data/raw/%s", day);
    assert_int_equal(vfs_list(f->options.vfs, directory, first_name, part), 1);
    (void)snprintf(path, size, "%s/%s", directory, part);
}

static void test_damaged_part_is_set_aside(void **state)
{
    struct store_fixture f;
    char path[1024];
    int status = 0;
    struct tsdb_statistics s;
    struct strbuf report = STRBUF_INIT;
    uint64_t problems = 0;
    setup(&f);
    assert_int_equal(write_one(&f, "up", "a", NULL, START_MS, 1), 0);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    part_path_of(&f, path, sizeof(path));
    assert_int_equal(sim_vfs_flip_bit(f.sim, path, 3), 0);
    assert_int_equal(tsdb_verify(&f.options, &report, &problems, NULL), 0);
    assert_true(problems > 0);
    assert_non_null(strstr(report.data, path));
    store_fixture_reopen(&f);
    tsdb_statistics(f.db, &s);
    assert_int_equal(s.parts_quarantined, 1);
    assert_int_equal(write_one(&f, "up", "b", NULL, START_MS, 1), 0);
    assert_int_equal(count_series(&f, 0, &status), 1);
    /* It is never deleted: mended, it is back. */
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    assert_int_equal(sim_vfs_flip_bit(f.sim, path, 3), 0);
    store_fixture_reopen(&f);
    assert_int_equal(count_series(&f, 0, &status), 2);
    strbuf_release(&report);
    store_fixture_close(&f);
}

struct pass {
    size_t series, corrupt, samples, warnings;
};

static struct pass read_everything(struct store_fixture *f)
{
    struct pass pass = {0};
    struct querier *q = store_fixture_querier(f);
    struct arena arena;
    struct series_set *set = NULL;
    arena_init(&arena, 0);
    const struct select_request request = {.min_t = INT64_MIN, .max_t = INT64_MAX};
    assert_int_equal(querier_select(q, &request, &arena, &set, NULL), 0);
    pass.series = set->count;
    pass.warnings = set->warning_count;
    for (size_t i = 0; i < set->count; i++) {
        struct column_iter *it = NULL;
        struct column_run run;
        struct err e = ERR_INIT;
        int status = 0;
        assert_int_equal(series_open(set->series[i], &arena, &it, &e), 0);
        while ((status = column_iter_next(it, &run, &e)) == 1) {
            pass.samples += run.count;
        }
        if (status != 0) {
            assert_int_equal(status, ERR_CORRUPT);
            assert_non_null(strstr(e.message, "p-"));
            pass.corrupt++;
        }
        column_iter_close(it);
    }
    series_set_free(set);
    arena_release(&arena);
    querier_close(q);
    return pass;
}

/* A damaged page is an error once; then the rest is served with a warning, and merges go round it. */
static void test_damaged_run_is_left_out(void **state)
{
    enum { METRICS = 8, ROWS = 1500 };
    struct store_fixture f;
    char path[1024], metric[32];
    uint64_t random = 5;
    setup(&f);
    struct appender *a = NULL;
    assert_int_equal(appender_open(tsdb_appender_source(f.db), &a, NULL), 0);
    for (int m = 0; m < METRICS; m++) {
        struct series_ref ref;
        int n = snprintf(metric, sizeof(metric), "m%d", m);
        struct label labels[] = {
            {STR("__name__"), str_make(metric, (size_t)n)}, {STR("instance"), STR("a")}};
        assert_int_equal(appender_series(a, labels, 2, NULL, &ref, NULL), 0);
        for (int i = 0; i < ROWS; i++) {
            double value = (double)test_random(&random) / 3;
            assert_int_equal(appender_append(a, ref, START_MS + i * 1000, value), 0);
        }
    }
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    part_path_of(&f, path, sizeof(path));
    store_fixture_reopen(&f);
    assert_int_equal(sim_vfs_flip_bit(f.sim, path, 40000 * 8), 0);
    struct pass first = read_everything(&f);
    assert_int_equal(first.series, METRICS);
    assert_true(first.corrupt > 0 && first.corrupt < METRICS);
    assert_int_equal(first.samples, (METRICS - first.corrupt) * ROWS);
    struct pass second = read_everything(&f);
    assert_int_equal(second.corrupt, 0);
    assert_int_equal(second.warnings, 1);
    assert_int_equal(second.samples, first.samples);
    /* More of the same day: the sound parts are merged, the damaged one stays. */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(write_one(&f, "up", "b", NULL, START_MS + i, i), 0);
        assert_int_equal(tsdb_compact(f.db, NULL), 0);
    }
    struct tsdb_statistics s;
    tsdb_statistics(f.db, &s);
    assert_int_equal(s.part_count, 2);
    assert_int_equal(read_everything(&f).samples, first.samples + 3);
    store_fixture_close(&f);
}

static void assert_dump(struct store_fixture *f, const char *path, const char *expected)
{
    struct strbuf out = STRBUF_INIT;
    struct err e = ERR_INIT;
    if (tsdb_dump(&f->options, path, true, &out, &e) != 0) {
        fail_msg("%s: %s", path, e.message);
    }
    strbuf_add_c(&out, "");
    if (strstr(out.data, expected) == NULL) {
        fail_msg("%s: \"%s\" does not say \"%s\"", path, out.data, expected);
    }
    strbuf_release(&out);
}

/* The list of deletes, and what is known of metrics. */
static void check_small_dumps(struct store_fixture *f)
{
    struct appender *a = NULL;
    struct matcher *m = NULL;
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
    assert_int_equal(
        appender_set_metadata(a, STR("up"), METRIC_TYPE_GAUGE, STR("Is it up?"), STR("bool")), 0);
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
    assert_int_equal(tsdb_compact(f->db, NULL), 0);
    assert_dump(f, "data/METADATA", "up: gauge, unit \"bool\", help \"Is it up?\"\n");
    assert_int_equal(matcher_new(MATCHER_REGEX, STR("instance"), STR("a|b"), &m, NULL), 0);
    const struct matcher *const list[] = {m};
    assert_int_equal(tsdb_delete_series(f->db, list, 1, START_MS, START_MS + 7, NULL), 0);
    matcher_free(m);
    assert_dump(f, "data/TOMBSTONES", "1 deletes that are not in the files yet\nbefore part ");
    assert_dump(f, "data/TOMBSTONES", ": {instance=~\"a|b\"}\n");
}

static void test_dump(void **state)
{
    struct store_fixture f;
    struct strbuf out = STRBUF_INIT;
    struct err e = ERR_INIT;
    setup(&f);
    assert_int_equal(write_one(&f, "up", "a", NULL, START_MS, 42), 0);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    assert_int_equal(tsdb_dump(&f.options, "data", true, &out, &e), 0);
    assert_non_null(strstr(out.data, "manifest: next sequence"));
    assert_non_null(strstr(out.data, "42"));
    assert_int_equal(tsdb_dump(&f.options, "data/LOCK", false, &out, &e), ERR_INVALID);
    check_small_dumps(&f);
    strbuf_release(&out);
    store_fixture_close(&f);
}

/* ---- Threads ---- */

enum { WRITERS = 3, READERS = 2, COLUMNS = 40, ROUNDS = 120 };

struct worker {
    struct store_fixture *f;
    uint32_t number;
};

/* Commits rounds of all columns: value = round. */
static void *write_rounds(void *context)
{
    const struct worker *w = context;
    char instance[32], metric[32];
    int n = snprintf(instance, sizeof(instance), "host-%u", w->number);
    for (int round = 0; round < ROUNDS;) {
        struct appender *a = NULL;
        assert_int_equal(appender_open(tsdb_appender_source(w->f->db), &a, NULL), 0);
        for (uint32_t c = 0; c < COLUMNS; c++) {
            struct hash128 key = {w->number, c};
            struct series_ref ref;
            int m = snprintf(metric, sizeof(metric), "m%u", c);
            struct label labels[] = {{STR("__name__"), str_make(metric, (size_t)m)},
                {STR("instance"), str_make(instance, (size_t)n)}};
            if (appender_lookup(a, key, &ref) == 0) {
                assert_int_equal(appender_series(a, labels, 2, &key, &ref, NULL), 0);
            }
            assert_int_equal(appender_append(a, ref, START_MS + round * 1000, round), 0);
        }
        /* The housekeeper's clock runs: a writer who waited long finds his table gone, and sends again. */
        int status = appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL);
        assert_true(status == 0 || status == ERR_BUSY);
        round += status == 0;
    }
    return NULL;
}

/* Samples of a series, all of them its rounds from 0 on. */
static size_t count_rounds(struct series *series, struct arena *arena)
{
    struct column_iter *it = NULL;
    struct column_run run;
    size_t n = 0;
    assert_int_equal(series_open(series, arena, &it, NULL), 0);
    while (column_iter_next(it, &run, NULL) == 1) {
        for (size_t i = 0; i < run.count; i++, n++) {
            assert_true(run.values[i] == (double)n);
        }
    }
    column_iter_close(it);
    return n;
}

/* Every series of a host shows the same rounds, whatever is sealed or merged meanwhile. */
static void *read_rounds(void *context)
{
    const struct worker *w = context;
    for (int round = 0; round < ROUNDS / 4; round++) {
        struct querier *q = store_fixture_querier(w->f);
        struct arena arena;
        struct series_set *set = NULL;
        arena_init(&arena, 0);
        size_t rounds[WRITERS] = {0}, series[WRITERS] = {0};
        const struct select_request request = {.min_t = INT64_MIN, .max_t = INT64_MAX};
        assert_int_equal(querier_select(q, &request, &arena, &set, NULL), 0);
        for (size_t i = 0; i < set->count; i++) {
            struct str host = labels_get(series_labels(set->series[i]), STR("instance"));
            if (str_eq(
                    labels_get(series_labels(set->series[i]), STR("__name__")), STR("scratch"))) {
                continue; // comes and goes
            }
            size_t writer = (size_t)(host.ptr[host.len - 1] - '0');
            size_t n = count_rounds(set->series[i], &arena);
            /* A column may be in the index before the first commit is seen. */
            if (n > 0) {
                assert_true(series[writer] == 0 || rounds[writer] == n);
                rounds[writer] = n;
                series[writer]++;
            }
        }
        for (size_t i = 0; i < WRITERS; i++) {
            assert_true(series[i] == 0 || series[i] == COLUMNS);
        }
        series_set_free(set);
        arena_release(&arena);
        querier_close(q);
    }
    return NULL;
}

/* A series of the housekeeper's own, written and deleted while the others are read. */
static void delete_scratch(struct store_fixture *f, int round)
{
    struct matcher *m = NULL;
    assert_int_equal(write_one(f, "scratch", "host-0", NULL, START_MS + round, round), 0);
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("__name__"), STR("scratch"), &m, NULL), 0);
    const struct matcher *const matchers[] = {m};
    assert_int_equal(tsdb_delete_series(f->db, matchers, 1, INT64_MIN, INT64_MAX, NULL), 0);
    if (round % 4 == 3) {
        assert_int_equal(tsdb_clean_tombstones(f->db, NULL), 0);
    }
    matcher_free(m);
}

static void *keep_house(void *context)
{
    const struct worker *w = context;
    for (int i = 0; i < 30; i++) {
        bool more = false;
        struct tsdb_statistics s;
        fake_clock_advance_ms(&w->f->clock, 10 * 60000);
        assert_int_equal(tsdb_maintain(w->f->db, &more, NULL), 0);
        if (i % 10 == 9) {
            assert_int_equal(tsdb_compact(w->f->db, NULL), 0);
        }
        tsdb_statistics(w->f->db, &s);
        if (i % 2 == 1) {
            delete_scratch(w->f, i);
        }
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct store_fixture f;
    int status = 0;
    setup(&f);
    pthread_t threads[WRITERS + READERS + 1];
    struct worker workers[WRITERS + READERS + 1];
    void *(*const roles[])(void *) = {
        write_rounds, write_rounds, write_rounds, read_rounds, read_rounds, keep_house};
    for (uint32_t i = 0; i < WRITERS + READERS + 1; i++) {
        workers[i] = (struct worker){&f, i};
        assert_int_equal(pthread_create(&threads[i], NULL, roles[i], &workers[i]), 0);
    }
    for (uint32_t i = 0; i < WRITERS + READERS + 1; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(count_series(&f, 0, &status), WRITERS * COLUMNS);
    store_fixture_reopen(&f);
    workers[0] = (struct worker){&f, 0};
    read_rounds(&workers[0]);
    assert_int_equal(count_series(&f, 0, &status), WRITERS * COLUMNS);
    store_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_process_at_a_time),
        cmocka_unit_test(test_label_lookups),
        cmocka_unit_test(test_changed_identity_labels),
        cmocka_unit_test(test_series_limit),
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_times_of_any_age),
        cmocka_unit_test(test_metadata_survives),
        cmocka_unit_test(test_damaged_part_is_set_aside),
        cmocka_unit_test(test_damaged_run_is_left_out),
        cmocka_unit_test(test_dump),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
