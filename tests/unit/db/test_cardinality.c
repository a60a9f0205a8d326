/* Rankings against counts made by walking over what was written. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "tsdb/cardinality.h"

#define START_MS (INT64_C(19700) * 86400000)

enum { METRICS = 30 };

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct tsdb *db;
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){.sim = sim_vfs_new(1)};
    fake_clock_init(&f->clock, START_MS);
    const struct tsdb_options options = {
        .path = "data", .vfs = sim_vfs_get(f->sim), .clock = &f->clock.clock};
    assert_int_equal(tsdb_open(&options, &f->db, NULL), 0);
}

/* metric_<m>{instance="host-<h>", job="api" or "db"}: metric m on the first m + 1 hosts. */
static void write_all(struct fixture *f)
{
    struct appender *a = NULL;
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
    for (int m = 0; m < METRICS; m++) {
        for (int h = 0; h <= m; h++) {
            char metric[16], host[16];
            struct series_ref ref;
            snprintf(metric, sizeof(metric), "metric_%02d", m);
            snprintf(host, sizeof(host), "host-%02d", h);
            struct label labels[] = {{STR("__name__"), str_of(metric)},
                {STR("instance"), str_of(host)}, {STR("job"), h < 5 ? STR("api") : STR("db")}};
            assert_int_equal(appender_series(a, labels, 3, NULL, &ref, NULL), 0);
            assert_int_equal(appender_append(a, ref, START_MS, 1), 0);
        }
    }
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
}

static void check_item(
    const struct cardinality_item *item, const char *name, const char *value, uint64_t count)
{
    assert_true(str_eq_c(item->name, name));
    assert_true(str_eq_c(item->value, value));
    assert_int_equal(item->count, count);
}

static void test_rankings(void **state)
{
    (void)state;
    struct fixture f;
    struct arena arena;
    struct cardinality c;
    uint64_t api = 0, db = 0;
    for (uint64_t m = 0; m < METRICS; m++) {
        api += m + 1 < 5 ? m + 1 : 5;
        db += m + 1 > 5 ? m + 1 - 5 : 0;
    }
    setup(&f);
    arena_init(&arena, 0);
    assert_int_equal(tsdb_cardinality(f.db, 4, &arena, &c), 0);
    assert_int_equal(c.series, 0);
    assert_int_equal(c.series_by_pair.count, 0);
    write_all(&f);
    assert_int_equal(tsdb_cardinality(f.db, 4, &arena, &c), 0);
    assert_int_equal(c.series, METRICS * (METRICS + 1) / 2);
    assert_int_equal(c.label_pairs, METRICS + METRICS + 2);
    assert_int_equal(c.series_by_metric.count, 4);
    for (int i = 0; i < 4; i++) {
        char metric[16];
        snprintf(metric, sizeof(metric), "metric_%02d", METRICS - 1 - i);
        check_item(&c.series_by_metric.items[i], metric, "", (uint64_t)(METRICS - i));
    }
    assert_int_equal(c.values_by_label.count, 3);
    check_item(&c.values_by_label.items[0], "__name__", "", METRICS);
    check_item(&c.values_by_label.items[1], "instance", "", METRICS);
    check_item(&c.values_by_label.items[2], "job", "", 2);
    assert_int_equal(c.bytes_by_label.count, 3);
    check_item(&c.bytes_by_label.items[0], "__name__", "", 9 * (api + db));
    check_item(&c.bytes_by_label.items[1], "instance", "", 7 * (api + db));
    check_item(&c.bytes_by_label.items[2], "job", "", 3 * api + 2 * db);
    check_item(&c.series_by_pair.items[0], "job", "db", db);
    check_item(&c.series_by_pair.items[1], "job", "api", api);
    check_item(&c.series_by_pair.items[2], "__name__", "metric_29", 30);
    check_item(&c.series_by_pair.items[3], "instance", "host-00", 30);
    assert_int_equal(c.job_count, 2);
    assert_true(str_eq_c(c.jobs[0].job, "db"));
    assert_int_equal(c.jobs[0].this_hour, db);
    assert_int_equal(c.jobs[1].this_hour, api);
    arena_release(&arena);
    tsdb_abandon(f.db);
    sim_vfs_free(f.sim);
}

/* ---- Days ---- */

enum { DAYS = 4, HOSTS = 12 };

/* Host h of metric m sends on day d: some always, some now and then. */
static bool sends(int day, int host, int metric)
{
    return host == 0 || (day + host * 3 + metric) % 4 < 2;
}

static void write_series(struct appender *a, int day, int host, int metric)
{
    char name[16], instance[16];
    struct series_ref ref;
    snprintf(name, sizeof(name), "metric_%02d", metric);
    snprintf(instance, sizeof(instance), "host-%02d", host);
    struct label labels[] = {{STR("__name__"), str_of(name)}, {STR("instance"), str_of(instance)},
        {STR("job"), STR("j")}};
    assert_int_equal(appender_series(a, labels, 3, NULL, &ref, NULL), 0);
    /* The last second of a day and its first are its own. */
    int64_t begin = START_MS + (int64_t)day * 86400000;
    assert_int_equal(appender_append(a, ref, begin, 1), 0);
    assert_int_equal(appender_append(a, ref, begin + 86400000 - 1, 2), 0);
}

static void write_day(struct fixture *f, int day)
{
    struct appender *a = NULL;
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
    for (int h = 0; h < HOSTS; h++) {
        for (int m = 0; m < METRICS; m++) {
            if (sends(day, h, m)) {
                write_series(a, day, h, m);
            }
        }
    }
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
}

/* `deleted`: metric 3 is gone from all days but the last. */
static void check_day(struct fixture *f, int day, bool deleted)
{
    struct arena arena;
    struct cardinality c;
    uint64_t count = 0, fresh = 0, of_metric = 0, of_host = 0;
    for (int h = 0; h < HOSTS; h++) {
        for (int m = 0; m < METRICS; m++) {
            bool gone = deleted && m == 3;
            bool there = day < DAYS && sends(day, h, m) && (!gone || day == DAYS - 1);
            bool before = day > 0 && sends(day - 1, h, m) && !gone;
            count += there;
            fresh += there && !before;
            of_metric += there && m == 3;
            of_host += there && h == 5;
        }
    }
    arena_init(&arena, 0);
    int64_t t = START_MS + (int64_t)day * 86400000 + 5000;
    assert_int_equal(tsdb_cardinality_of_day(f->db, t, 100, &arena, &c), 0);
    if (c.series != count || c.new_series != fresh) {
        fail_msg("day %d: %llu series and %llu new, not %llu and %llu", day,
            (unsigned long long)c.series, (unsigned long long)c.new_series,
            (unsigned long long)count, (unsigned long long)fresh);
    }
    uint64_t found_metric = 0, found_host = 0;
    for (size_t i = 0; i < c.series_by_metric.count; i++) {
        bool it = str_eq_c(c.series_by_metric.items[i].name, "metric_03");
        found_metric += it ? c.series_by_metric.items[i].count : 0;
    }
    for (size_t i = 0; i < c.series_by_pair.count; i++) {
        bool it = str_eq_c(c.series_by_pair.items[i].value, "host-05");
        found_host += it ? c.series_by_pair.items[i].count : 0;
    }
    assert_int_equal(found_metric, of_metric);
    assert_int_equal(found_host, of_host);
    arena_release(&arena);
}

static void check_days(struct fixture *f, int days, bool deleted)
{
    for (int day = 0; day < days; day++) {
        check_day(f, day, deleted);
    }
}

/* In the head, in parts, in both, with parts that say the same twice, and with deletes. */
static void test_days(void **state)
{
    (void)state;
    struct fixture f;
    struct arena arena;
    struct cardinality c;
    struct matcher *m = NULL;
    setup(&f);
    for (int day = 0; day < DAYS; day++) {
        fake_clock_advance_ms(&f.clock, 86400000);
        for (bool more = true; more;) {
            assert_int_equal(tsdb_maintain(f.db, &more, NULL), 0); // the day before goes to parts
        }
        check_days(&f, day, false);
        write_day(&f, day);
        check_days(&f, day + 1, false);
        if (day == 1) {
            assert_int_equal(tsdb_compact(f.db, NULL), 0);
            check_days(&f, day + 1, false);
            write_day(&f, day); /* once more, in the head beside the part */
            check_days(&f, day + 1, false);
        }
    }
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    check_days(&f, DAYS + 1, false);
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("__name__"), STR("metric_03"), &m, NULL), 0);
    const struct matcher *const matchers[] = {m};
    int64_t end = START_MS + (int64_t)(DAYS - 1) * 86400000 - 1;
    assert_int_equal(tsdb_delete_series(f.db, matchers, 1, INT64_MIN, end, NULL), 0);
    check_days(&f, DAYS, true);
    matcher_free(m);
    arena_init(&arena, 0);
    assert_int_equal(tsdb_cardinality_of_day(f.db, INT64_MAX, 4, &arena, &c), ERR_RANGE);
    assert_int_equal(tsdb_cardinality_of_day(f.db, INT64_MIN, 4, &arena, &c), ERR_RANGE);
    assert_int_equal(tsdb_cardinality_of_day(f.db, -1, 4, &arena, &c), 0);
    assert_int_equal(c.series, 0);
    arena_release(&arena);
    tsdb_abandon(f.db);
    sim_vfs_free(f.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rankings),
        cmocka_unit_test(test_days),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
