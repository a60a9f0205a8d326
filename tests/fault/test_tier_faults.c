/* Tiers while the disk or memory fails once, anywhere, as they are built and as samples are deleted after
 * them: every sample that was acknowledged is answered ever after, as itself or as part of one bucket, and
 * of no two (promise 7).
 */
#include <string.h>

#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/fault_loop.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define START_MS (INT64_C(19700) * DAY)

enum { SERIES = 3, DAYS = 3, SAMPLES = DAYS * 48 };

/* Thousands of rounds: a sample of the allocations, fewer under a sanitizer. ThreadSanitizer makes a round
 * ten times as long and has one thread to watch here: it sees the faults of one kind each of memory, disk
 * and power; all kinds run in the other builds. */
#if defined(__SANITIZE_THREAD__)
enum { ALLOCATION_STRIDE = 256, KINDS = FAULT_ALLOCATION | FAULT_WRITE | FAULT_POWER };
#elif defined(__SANITIZE_ADDRESS__)
enum { ALLOCATION_STRIDE = 64, KINDS = FAULT_ALL };
#else
enum { ALLOCATION_STRIDE = 32, KINDS = FAULT_ALL };
#endif

static int first_error(int a, int b)
{
    return a != 0 ? a : b;
}

static int open_store(struct fake_clock *clock, struct vfs *fs, struct tsdb **db, struct err *e)
{
    struct tsdb_options options = {.path = "data",
        .vfs = fs,
        .clock = &clock->clock,
        .retention_ms = DAY,
        .sync_policy = WAL_SYNC_ALWAYS,
        .tiers = {{.enabled = true}, {.enabled = true, .sketches = true}}};
    return tsdb_open(&options, db, e);
}

static double value_of(int series, int sample)
{
    return (double)((sample * 7919 + series * 31) % 1009);
}

/* Three days, a sample every half hour, sealed. */
static void begin(void *context, struct vfs *fs)
{
    struct fake_clock *clock = context;
    struct tsdb *db = NULL;
    fake_clock_init(clock, START_MS);
    assert_int_equal(open_store(clock, fs, &db, NULL), 0);
    for (int day = 0; day < DAYS; day++) {
        struct appender *a = NULL;
        fake_clock_advance_ms(clock, DAY);
        assert_int_equal(appender_open(tsdb_appender_source(db), &a, NULL), 0);
        for (int i = 0; i < SAMPLES / DAYS * SERIES; i++) {
            int series = i % SERIES, sample = day * SAMPLES / DAYS + i / SERIES;
            char name[] = "gauge_0";
            struct series_ref ref;
            name[sizeof(name) - 2] = (char)('0' + series);
            struct label labels[] = {{STR("__name__"), str_of(name)}, {STR("instance"), STR("a")},
                {STR("job"), STR("j")}};
            assert_int_equal(appender_series(a, labels, 3, NULL, &ref, NULL), 0);
            int64_t t = START_MS + (sample + 1) * 30 * MINUTE - 1;
            assert_int_equal(appender_append(a, ref, t, value_of(series, sample)), 0);
        }
        assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
    }
    assert_int_equal(tsdb_compact(db, NULL), 0);
    assert_int_equal(tsdb_close(db, NULL), 0);
}

static int maintain(struct fake_clock *clock, struct tsdb *db)
{
    int status = 0;
    bool more = true;
    for (int i = 0; i < 100 && (more || i < 4); i++) {
        fake_clock_advance_ms(clock, 31 * MINUTE);
        status = first_error(status, tsdb_maintain(db, &more, NULL));
    }
    return status;
}

/* The days are over: both tiers are built, then the first days' samples go. */
static int run(void *context, struct vfs *fs)
{
    struct fake_clock *clock = context;
    struct tsdb *db = NULL;
    int status = open_store(clock, fs, &db, NULL);
    if (status != 0) {
        return status;
    }
    fake_clock_advance_ms(clock, 3 * HOUR);
    status = maintain(clock, db);
    return first_error(status, tsdb_close(db, NULL));
}

/* Adds up what is answered for a series, from samples and buckets; were there buckets? */
static bool add_up(struct series *series, struct arena *arena, uint64_t *count_out, double *sum_out)
{
    bool buckets = false;
    struct column_iter *it = NULL;
    struct column_run r;
    struct err e = ERR_INIT;
    int more;
    assert_int_equal(series_open(series, arena, &it, NULL), 0);
    *count_out = 0;
    *sum_out = 0;
    while ((more = column_iter_next(it, &r, &e)) == 1) {
        for (size_t i = 0; i < r.count; i++) {
            bool bucket = r.resolution_ms > 0;
            buckets = buckets || bucket;
            *count_out += bucket ? r.buckets[i].count : 1;
            *sum_out += bucket ? r.buckets[i].sum : r.values[i];
        }
    }
    if (more < 0) {
        fail_msg("reading: %s", e.message);
    }
    column_iter_close(it);
    return buckets;
}

/* Everything, asked for samples and asked for buckets; did buckets answer for samples that are gone? */
static bool check_all(struct tsdb *db, const struct fault_round *round, const char *when)
{
    bool buckets = false;
    struct querier *q = NULL;
    struct arena arena;
    struct series_set *set = NULL;
    arena_init(&arena, 0);
    assert_int_equal(querier_open(tsdb_querier_source(db), INT64_MIN, INT64_MAX, &q, NULL), 0);
    for (int64_t resolution = 0; resolution <= HOUR; resolution += HOUR) {
        const struct select_request request = {.min_t = INT64_MIN + DAY,
            .max_t = INT64_MAX - DAY,
            .resolution_max_ms = resolution,
            .bucket_needs = BUCKET_NEEDS_SUM};
        assert_int_equal(querier_select(q, &request, &arena, &set, NULL), 0);
        assert_int_equal(set->count, SERIES);
        for (int s = 0; s < SERIES; s++) {
            uint64_t count = 0;
            double sum = 0, expected = 0;
            bool any = add_up(set->series[s], &arena, &count, &sum);
            buckets = buckets || (any && resolution == 0);
            const struct labels *labels = series_labels(set->series[s]);
            struct str name = labels_get(labels, STR("__name__"));
            for (int i = 0; i < SAMPLES; i++) {
                expected += value_of(name.ptr[name.len - 1] - '0', i);
            }
            if (count != SAMPLES || sum != expected) {
                fail_msg("%s, after %d %llu: %llu samples, sum %g; %d and %g were written", when,
                    round->kind, (unsigned long long)round->number, (unsigned long long)count, sum,
                    SAMPLES, expected);
            }
        }
        series_set_free(set);
    }
    arena_release(&arena);
    querier_close(q);
    return buckets;
}

static void verify(void *context, struct vfs *fs, const struct fault_round *round)
{
    struct fake_clock *clock = context;
    struct tsdb *db = NULL;
    struct err e = ERR_INIT;
    if (open_store(clock, fs, &db, &e) != 0) {
        fail_msg("after %d %llu: %s", round->kind, (unsigned long long)round->number, e.message);
    }
    (void)check_all(db, round, "opened"); /* built or not */
    assert_int_equal(maintain(clock, db), 0);
    if (!check_all(db, round, "maintained")) {
        fail_msg("no buckets after %d %llu", round->kind, (unsigned long long)round->number);
    }
    assert_int_equal(tsdb_close(db, &e), 0);
    struct tsdb_options options = {.path = "data", .vfs = fs};
    struct strbuf report = STRBUF_INIT;
    uint64_t problems = 0;
    assert_int_equal(tsdb_verify(&options, &report, &problems, &e), 0);
    if (problems != 0) {
        fail_msg("verify: %s", report.data);
    }
    strbuf_release(&report);
}

static void test_every_fault(void **state)
{
    struct fake_clock clock;
    struct fault_scenario scenario = {"tiers", &clock, begin, run, verify, 0, ALLOCATION_STRIDE};
    fault_loop(&scenario, KINDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
