/* Tiers where a retention rule keeps the samples of some series less long than those of others: their
 * buckets answer, whole, whatever happens to the day's samples.
 */
#include "db/db.h"
#include "db/tier_plan.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define START (INT64_C(19700) * DAY)
#define INTERVAL (10 * MINUTE)

/* Between two samples of the first day. */
#define LATE (7 * HOUR + 3 * MINUTE)

enum { SAMPLES_A_DAY = 144 };

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct tsdb_options options;
    struct matcher *debug;
    const struct matcher *matchers[1];
    struct tsdb_retention_rule rule; /* "debug" for a day, all others for twenty */
    struct tsdb *db;
};

static void open_store(struct fixture *f)
{
    struct err e = ERR_INIT;
    if (tsdb_open(&f->options, &f->db, &e) != 0) {
        fail_msg("open: %s", e.message);
    }
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.sim = sim_vfs_new(1)};
    fake_clock_init(&f->clock, START);
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("__name__"), STR("debug"), &f->debug, NULL), 0);
    f->matchers[0] = f->debug;
    f->rule = (struct tsdb_retention_rule){f->matchers, 1, DAY};
    f->options = (struct tsdb_options){.path = "data",
        .vfs = sim_vfs_get(f->sim),
        .clock = &f->clock.clock,
        .retention_ms = 20 * DAY,
        .retention_rules = &f->rule,
        .retention_rule_count = 1,
        .tiers = {{.enabled = true}, {.enabled = true, .sketches = true}}};
    open_store(f);
}

static void teardown(struct fixture *f)
{
    assert_int_equal(tsdb_close(f->db, NULL), 0);
    matcher_free(f->debug);
    sim_vfs_free(f->sim);
}

static void append(struct fixture *f, const char *const *metrics, size_t count, int64_t t_ms)
{
    struct appender *a = NULL;
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        struct label labels[] = {{STR("__name__"), str_of(metrics[i])}, {STR("job"), STR("j")}};
        struct series_ref ref;
        assert_int_equal(appender_series(a, labels, 2, NULL, &ref, NULL), 0);
        assert_int_equal(appender_append(a, ref, t_ms, (double)(t_ms % 977)), 0);
    }
    assert_int_equal(appender_commit(a, COMMIT_SYNCED, NULL, NULL), 0);
}

/* Samples that answers have of a metric in [min_t, max_t], by themselves or in buckets. */
struct found {
    uint64_t samples, buckets;
};

static struct found look(struct fixture *f, const char *metric, int64_t min_t, int64_t max_t)
{
    struct found found = {0};
    struct querier *q = NULL;
    struct arena arena;
    struct matcher *m = NULL;
    struct series_set *set = NULL;
    arena_init(&arena, 0);
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("__name__"), str_of(metric), &m, NULL), 0);
    const struct matcher *const matchers[] = {m};
    const struct select_request request = {
        .min_t = min_t, .max_t = max_t, .matchers = matchers, .matcher_count = 1};
    assert_int_equal(querier_open(tsdb_querier_source(f->db), min_t, max_t, &q, NULL), 0);
    assert_int_equal(querier_select(q, &request, &arena, &set, NULL), 0);
    for (size_t i = 0; i < set->count; i++) {
        struct column_iter *it = NULL;
        struct column_run run;
        assert_int_equal(series_open(set->series[i], &arena, &it, NULL), 0);
        while (column_iter_next(it, &run, NULL) == 1) {
            for (size_t k = 0; k < run.count; k++) {
                found.samples += run.resolution_ms > 0 ? run.buckets[k].count : 1;
            }
            found.buckets += run.resolution_ms > 0 ? run.count : 0;
        }
        column_iter_close(it);
    }
    series_set_free(set);
    querier_close(q);
    matcher_free(m);
    arena_release(&arena);
    return found;
}

/* The first day, the sample at its end included. */
static void expect_first_day(
    struct fixture *f, const char *metric, uint64_t samples, bool buckets, const char *when)
{
    struct found found = look(f, metric, START + 1, START + DAY);
    if (found.samples != samples || (found.buckets > 0) != buckets) {
        fail_msg("%s, %s: %llu samples, %llu of it buckets, expected %llu", metric, when,
            (unsigned long long)found.samples, (unsigned long long)found.buckets,
            (unsigned long long)samples);
    }
}

/* Each step of housekeeping, with a look after it. */
static void maintain(struct fixture *f, const char *when)
{
    bool more = true;
    for (int i = 0; more && i < 1000; i++) {
        struct err e = ERR_INIT;
        if (tsdb_maintain(f->db, &more, &e) != 0) {
            fail_msg("maintain: %s", e.message);
        }
        int64_t now = clock_now_ms(&f->clock.clock);
        struct found found = look(f, "debug", START + 1, now);
        uint64_t expected = (uint64_t)((now - START) / INTERVAL);
        if (found.samples != expected) {
            fail_msg("%s, step %d: %llu samples of debug, expected %llu", when, i,
                (unsigned long long)found.samples, (unsigned long long)expected);
        }
    }
    assert_false(more);
}

static void run(struct fixture *f, int64_t span_ms)
{
    static const char *const metrics[] = {"debug", "load", "up"};
    for (int64_t t = 0; t < span_ms; t += INTERVAL) {
        fake_clock_advance_ms(&f->clock, INTERVAL);
        append(f, metrics, 3, clock_now_ms(&f->clock.clock));
        if (t % HOUR == 0) {
            maintain(f, "scrapes");
        }
    }
}

/* Time passes without scrapes: what is late is sealed, and rolled up when patience ends. */
static void wait_for_rebuild(struct fixture *f)
{
    for (int i = 0; i < 3; i++) {
        bool more = true;
        fake_clock_advance_ms(&f->clock, TIER_PATIENCE_MS + MINUTE);
        while (more) {
            assert_int_equal(tsdb_maintain(f->db, &more, NULL), 0);
        }
    }
}

static uint64_t tier_builds(struct fixture *f)
{
    struct tsdb_statistics s;
    tsdb_statistics(f->db, &s);
    return s.tier_builds;
}

/* ---- Tests ---- */

/* The day's samples stay for the others; the series of the rule is found in its buckets after each step
 * of housekeeping, and in a store that is opened again, with the rule or without. */
static void test_rewritten_day(void **state)
{
    struct fixture f;
    setup(&f);
    run(&f, 3 * DAY + 4 * HOUR);
    expect_first_day(&f, "debug", SAMPLES_A_DAY, true, "after a rewrite");
    expect_first_day(&f, "load", SAMPLES_A_DAY, false, "after a rewrite");
    assert_int_equal(look(&f, "debug", START + 2 * DAY + 1, START + 3 * DAY).buckets, 0);
    assert_int_equal(tsdb_close(f.db, NULL), 0);
    open_store(&f);
    expect_first_day(&f, "debug", SAMPLES_A_DAY, true, "opened again");
    assert_int_equal(tsdb_close(f.db, NULL), 0);
    f.options.retention_rule_count = 0;
    open_store(&f);
    expect_first_day(&f, "debug", SAMPLES_A_DAY, true, "without the rule");
    teardown(&f);
}

/* Late samples of another series have the day rolled up again: what has no samples any more keeps its
 * buckets, and the other gets those of all its samples. */
static void test_late_samples_of_others(void **state)
{
    static const char *const load[] = {"load"};
    struct fixture f;
    setup(&f);
    run(&f, 3 * DAY + 4 * HOUR);
    uint64_t builds = tier_builds(&f);
    append(&f, load, 1, START + LATE);
    expect_first_day(&f, "debug", SAMPLES_A_DAY, true, "late samples of another in memory");
    wait_for_rebuild(&f);
    assert_int_equal(tier_builds(&f), builds + 2);
    expect_first_day(&f, "debug", SAMPLES_A_DAY, true, "rolled up again");
    expect_first_day(&f, "load", SAMPLES_A_DAY + 1, false, "rolled up again");
    /* All samples of the day go: both are in the buckets. */
    fake_clock_advance_ms(&f.clock, 20 * DAY);
    wait_for_rebuild(&f);
    expect_first_day(&f, "debug", SAMPLES_A_DAY, true, "after all samples went");
    expect_first_day(&f, "load", SAMPLES_A_DAY + 1, true, "after all samples went");
    teardown(&f);
}

/* Samples that come later than their rule keeps any do not stand for the day. */
static void test_late_samples_of_the_rule(void **state)
{
    static const char *const debug[] = {"debug"};
    struct fixture f;
    setup(&f);
    run(&f, 3 * DAY + 4 * HOUR);
    append(&f, debug, 1, START + LATE);
    expect_first_day(&f, "debug", SAMPLES_A_DAY, true, "a late sample in memory");
    wait_for_rebuild(&f);
    expect_first_day(&f, "debug", SAMPLES_A_DAY, true, "a late sample rolled up");
    struct strbuf report = STRBUF_INIT;
    uint64_t problems = 0;
    assert_int_equal(tsdb_close(f.db, NULL), 0);
    assert_int_equal(tsdb_verify(&f.options, &report, &problems, NULL), 0);
    if (problems > 0) {
        fail_msg("verify: %.*s", (int)report.size, report.data);
    }
    strbuf_release(&report);
    open_store(&f);
    teardown(&f);
}

/* A late sample of a day of which nothing is left but buckets hides none of them. */
static void test_late_samples_of_a_closed_day(void **state)
{
    static const char *const load[] = {"load"};
    struct fixture f;
    setup(&f);
    f.options.retention_rule_count = 0;
    f.options.retention_ms = DAY;
    assert_int_equal(tsdb_close(f.db, NULL), 0);
    open_store(&f);
    run(&f, 2 * DAY + 4 * HOUR);
    expect_first_day(&f, "load", SAMPLES_A_DAY, true, "closed");
    f.options.retention_ms = 0;
    assert_int_equal(tsdb_close(f.db, NULL), 0);
    open_store(&f);
    append(&f, load, 1, START + LATE);
    expect_first_day(&f, "load", SAMPLES_A_DAY, true, "a late sample in memory");
    wait_for_rebuild(&f);
    expect_first_day(&f, "load", SAMPLES_A_DAY, true, "a late sample sealed");
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rewritten_day),
        cmocka_unit_test(test_late_samples_of_others),
        cmocka_unit_test(test_late_samples_of_the_rule),
        cmocka_unit_test(test_late_samples_of_a_closed_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
