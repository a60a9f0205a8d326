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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rankings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
