/* What only expired days had leaves the index while the store runs: memory falls, open queriers see
 * what they saw, lookups beside it stay right, and who comes back is known again.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

#define DAY_MS INT64_C(86400000)
#define HOUR_MS INT64_C(3600000)
#define START_MS (INT64_C(19700) * DAY_MS)

enum { PODS = 40, DAYS = 8 };

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct tsdb *db;
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){.sim = sim_vfs_new(1)};
    fake_clock_init(&f->clock, START_MS);
    const struct tsdb_options options = {.path = "data",
        .vfs = sim_vfs_get(f->sim),
        .clock = &f->clock.clock,
        .retention_ms = 2 * DAY_MS,
        .seal_interval_ms = HOUR_MS};
    assert_int_equal(tsdb_open(&options, &f->db, NULL), 0);
}

static void teardown(struct fixture *f)
{
    assert_int_equal(tsdb_close(f->db, NULL), 0);
    sim_vfs_free(f->sim);
}

static void append(struct fixture *f, struct appender *a, const char *metric, const char *pod)
{
    struct series_ref ref;
    const struct label labels[] = {{STR("__name__"), str_of(metric)}, {STR("job"), STR("j")},
        {STR("namespace"), STR("n")}, {STR("pod"), str_of(pod)}};
    assert_int_equal(appender_series(a, labels, 4, NULL, &ref, NULL), 0);
    assert_int_equal(appender_append(a, ref, clock_now_ms(&f->clock.clock), 1), 0);
}

/* The pods of a day, each with a metric of all days and one of this day; and one pod that stays. */
static void write_day(struct fixture *f, int day)
{
    struct appender *a = NULL;
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
    append(f, a, "up", "stays");
    for (int i = 0; i < PODS; i++) {
        char pod[32], metric[32];
        snprintf(pod, sizeof(pod), "pod-%d-%d", day, i);
        snprintf(metric, sizeof(metric), "metric_of_day_%d", day);
        append(f, a, "up", pod);
        append(f, a, metric, pod);
    }
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
}

static void maintain(struct fixture *f)
{
    bool more = true;
    while (more) {
        assert_int_equal(tsdb_maintain(f->db, &more, NULL), 0);
    }
}

/* The rest of a day passes. */
static void pass(struct fixture *f)
{
    for (int hour = 0; hour < 24; hour++) {
        fake_clock_advance_ms(&f->clock, HOUR_MS);
        maintain(f);
    }
}

static struct tsdb_statistics statistics(struct fixture *f)
{
    struct tsdb_statistics s;
    tsdb_statistics(f->db, &s);
    return s;
}

static struct querier *open_querier(struct fixture *f)
{
    struct querier *q = NULL;
    assert_int_equal(querier_open(tsdb_querier_source(f->db), INT64_MIN, INT64_MAX, &q, NULL), 0);
    return q;
}

static size_t count_values(struct querier *q, const char *name)
{
    struct arena arena;
    struct string_list values;
    const struct select_request request = {.min_t = INT64_MIN, .max_t = INT64_MAX};
    arena_init(&arena, 0);
    assert_int_equal(q->ops->label_values(q, str_of(name), &request, 0, &arena, &values, NULL), 0);
    arena_release(&arena);
    return values.count;
}

static size_t count_series(struct querier *q, enum matcher_type type, const char *value)
{
    struct arena arena;
    struct series_set *set = NULL;
    struct matcher *m = NULL;
    arena_init(&arena, 0);
    assert_int_equal(matcher_new(type, STR("pod"), str_of(value), &m, NULL), 0);
    const struct matcher *const matchers[] = {m};
    const struct select_request request = {.min_t = INT64_MIN,
        .max_t = INT64_MAX,
        .matchers = matchers,
        .matcher_count = 1,
        .labels_only = true};
    assert_int_equal(querier_select(q, &request, &arena, &set, NULL), 0);
    size_t count = set->count;
    for (size_t i = 0; i < count; i++) {
        assert_true(labels_get(series_labels(set->series[i]), STR("pod")).len > 0);
    }
    series_set_free(set);
    matcher_free(m);
    arena_release(&arena);
    return count;
}

static void test_expired_days_leave(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t bytes = 0;
    setup(&f);
    for (int day = 0; day < DAYS; day++) {
        write_day(&f, day);
        pass(&f);
        struct tsdb_statistics s = statistics(&f);
        /* Days that are kept: this one, two before it, and one of which a part is kept. */
        assert_in_range(s.targets, PODS + 1, 4 * PODS + 1);
        assert_in_range(s.shapes, 2, 5);
        bytes = day == 4 ? s.head_bytes : bytes;
    }
    /* What is left of those who are gone is an entry of 16 bytes each, and room for twice as many. */
    uint64_t more = (uint64_t)3 * PODS * 16 * 2 + 4096;
    if (statistics(&f).head_bytes > bytes + more) {
        fail_msg("%llu bytes, then %llu", (unsigned long long)bytes,
            (unsigned long long)statistics(&f).head_bytes);
    }
    struct querier *q = open_querier(&f);
    assert_int_equal(count_series(q, MATCHER_EQUAL, "pod-0-1"), 0);
    assert_int_equal(count_series(q, MATCHER_REGEX, "pod-0-.*"), 0);
    assert_int_equal(count_series(q, MATCHER_REGEX, "pod-7-.*"), 2 * PODS);
    assert_int_equal(count_series(q, MATCHER_EQUAL, "stays"), 1);
    querier_close(q);
    /* One comes back. */
    uint64_t before = statistics(&f).targets;
    write_day(&f, 0);
    assert_int_equal(statistics(&f).targets, before + PODS);
    q = open_querier(&f);
    assert_int_equal(count_series(q, MATCHER_EQUAL, "pod-0-1"), 2);
    assert_int_equal(count_series(q, MATCHER_REGEX, "pod-0-.*"), 2 * PODS);
    querier_close(q);
    teardown(&f);
}

/* A querier that was opened before sees all of its days to the end (promise 6). */
static void test_open_queriers_keep_theirs(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    write_day(&f, 0);
    pass(&f);
    struct querier *q = open_querier(&f);
    assert_int_equal(count_series(q, MATCHER_REGEX, "pod-0-.*"), 2 * PODS);
    size_t pods = count_values(q, "pod");
    for (int day = 1; day < DAYS; day++) {
        pass(&f);
        assert_int_equal(count_series(q, MATCHER_REGEX, "pod-0-.*"), 2 * PODS);
        assert_int_equal(count_values(q, "pod"), pods);
    }
    struct querier *later = open_querier(&f);
    assert_int_equal(count_series(later, MATCHER_REGEX, "pod-0-.*"), 0);
    assert_int_equal(count_values(later, "pod"), 0);
    querier_close(later);
    assert_true(statistics(&f).targets > PODS);
    querier_close(q);
    pass(&f);
    assert_int_equal(statistics(&f).targets, 0);
    assert_int_equal(statistics(&f).shapes, 0);
    teardown(&f);
}

/* ---- Readers beside it ---- */

struct stage {
    struct fixture *f;
    _Atomic bool over;
};

static void *look_up(void *context)
{
    struct stage *stage = context;
    while (!atomic_load(&stage->over)) {
        struct querier *q = open_querier(stage->f);
        size_t pods = count_values(q, "pod");
        size_t series = count_series(q, MATCHER_REGEX, "pod-.*|stays");
        assert_true(series == 0 ? pods == 0 : pods <= series);
        assert_int_equal(count_series(q, MATCHER_REGEX, "pod-.*|stays"), series);
        assert_int_equal(count_values(q, "pod"), pods);
        querier_close(q);
    }
    return NULL;
}

static void test_lookups_beside_it(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct stage stage = {.f = &f};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, look_up, &stage), 0);
    }
    for (int day = 0; day < DAYS; day++) {
        write_day(&f, day);
        pass(&f);
    }
    atomic_store(&stage.over, true);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expired_days_leave),
        cmocka_unit_test(test_open_queriers_keep_theirs),
        cmocka_unit_test(test_lookups_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
