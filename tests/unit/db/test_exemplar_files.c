/* Exemplars through the store: written, found by selectors, there after a crash, a seal, a power cut and a
 * merge; gone after their retention; damage costs a file and nothing else. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "support/store_fixture.h"
#include "tsdb/tsdb.h"

#define DAY_MS INT64_C(86400000)
/* Noon of some day. */
#define START_MS (INT64_C(19700) * DAY_MS + DAY_MS / 2)

static void setup(struct store_fixture *f)
{
    store_fixture_init(f, START_MS);
    f->options.exemplar_retention_ms = 10 * DAY_MS;
    store_fixture_open(f);
}

/* One sample and one exemplar {trace_id="…"} of requests{instance, job="j"}. */
static int write_one(
    struct store_fixture *f, const char *instance, int64_t t_ms, double value, const char *trace)
{
    struct appender *a = NULL;
    struct series_ref ref;
    struct label labels[] = {{STR("__name__"), STR("requests")},
        {STR("instance"), str_of(instance)}, {STR("job"), STR("j")}};
    /* As senders send them: in no order, with an empty one. */
    struct label own[] = {
        {STR("trace_id"), str_of(trace)}, {STR("empty"), STR("")}, {STR("span_id"), STR("7")}};
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
    assert_int_equal(appender_series(a, labels, 3, NULL, &ref, NULL), 0);
    assert_int_equal(appender_append(a, ref, t_ms, value), 0);
    int status = appender_append_exemplar(a, ref, own, 3, value, t_ms);
    struct append_counts counts;
    int committed = appender_commit(a, COMMIT_SYNCED, &counts, NULL);
    assert_true(committed != 0 || counts.exemplars <= 1);
    return committed != 0 ? committed : status;
}

/* "requests{…} t:value:trace …" of each series, times from START_MS. */
static void read_text(
    struct store_fixture *f, const char *instance, int64_t min_t, int64_t max_t, struct strbuf *out)
{
    struct matcher *m[2] = {NULL, NULL};
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("__name__"), STR("requests"), &m[0], NULL), 0);
    assert_int_equal(matcher_new(MATCHER_REGEX, STR("instance"), str_of(instance), &m[1], NULL), 0);
    struct querier *q = NULL;
    struct arena arena;
    struct exemplar_list list;
    struct err e = ERR_INIT;
    arena_init(&arena, 0);
    const struct select_request request = {.min_t = min_t,
        .max_t = max_t,
        .matchers = (const struct matcher *const *)m,
        .matcher_count = 2};
    assert_int_equal(querier_open(tsdb_querier_source(f->db), min_t, max_t, &q, NULL), 0);
    if (querier_exemplars(q, &request, &arena, &list, &e) != 0) {
        fail_msg("%s", e.message);
    }
    for (size_t i = 0; i < list.count; i++) {
        labels_write(list.series[i].labels, out);
        for (size_t k = 0; k < list.series[i].count; k++) {
            const struct exemplar *x = &list.series[i].items[k];
            struct str trace = labels_get(x->labels, STR("trace_id"));
            assert_int_equal(labels_count(x->labels), 2);
            strbuf_addf(
                out, " %lld:%g:%.*s", (long long)(x->t_ms - START_MS), x->value, STR_ARG(trace));
        }
        strbuf_add_char(out, '\n');
    }
    strbuf_add_c(out, "");
    querier_close(q);
    arena_release(&arena);
    matcher_free(m[0]);
    matcher_free(m[1]);
}

static void check(struct store_fixture *f, const char *instance, int64_t min_t, int64_t max_t,
    const char *expected)
{
    struct strbuf text = STRBUF_INIT;
    read_text(f, instance, min_t, max_t, &text);
    assert_string_equal(text.data != NULL ? text.data : "", expected);
    strbuf_release(&text);
}

#define A "requests{instance=\"a\", job=\"j\"}"
#define B "requests{instance=\"b\", job=\"j\"}"
#define ALL INT64_MIN, INT64_MAX

static int count_file(void *context, const char *name, bool is_directory)
{
    *(unsigned *)context += !is_directory && strncmp(name, "e-", 2) == 0;
    return 0;
}

static unsigned files_of(struct store_fixture *f, int64_t day)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof(path), "data/exemplars/%lld", (long long)day);
    (void)vfs_list(sim_vfs_get(f->sim), path, count_file, &count);
    return count;
}

static void test_selectors_and_times(void **state)
{
    (void)state;
    struct store_fixture f;
    setup(&f);
    assert_int_equal(write_one(&f, "b", START_MS, 1, "t1"), 0);
    assert_int_equal(write_one(&f, "a", START_MS + 5, 2, "t2"), 0);
    assert_int_equal(write_one(&f, "a", START_MS + 10, 3, "t3"), 0);
    check(&f, ".*", ALL, A " 5:2:t2 10:3:t3\n" B " 0:1:t1\n");
    check(&f, "b", ALL, B " 0:1:t1\n");
    check(&f, "c", ALL, "");
    check(&f, ".*", START_MS + 1, START_MS + 9, A " 5:2:t2\n");
    check(&f, ".*", START_MS + 10, START_MS + 10, A " 10:3:t3\n");
    /* Prometheus' order: nothing older than the newest, and the newest once. */
    assert_int_equal(write_one(&f, "a", START_MS + 9, 3, "t4"), ERR_RANGE);
    assert_int_equal(write_one(&f, "a", START_MS + 10, 3, "t3"), 0);
    check(&f, "a", ALL, A " 5:2:t2 10:3:t3\n");
    store_fixture_close(&f);
}

/* After each step the same is read. */
static void test_durability(void **state)
{
    (void)state;
    struct store_fixture f;
    const char *expected = A " 0:1:t1 86400000:2:t2\n" B " 86400001:3:t3\n";
    setup(&f);
    f.options.future_limit_ms = 2 * DAY_MS;
    store_fixture_reopen(&f);
    assert_int_equal(write_one(&f, "a", START_MS, 1, "t1"), 0);
    assert_int_equal(write_one(&f, "a", START_MS + DAY_MS, 2, "t2"), 0);
    assert_int_equal(write_one(&f, "b", START_MS + DAY_MS + 1, 3, "t3"), 0);
    check(&f, ".*", ALL, expected);
    store_fixture_reopen(&f); // from the log
    check(&f, ".*", ALL, expected);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    assert_int_equal(files_of(&f, START_MS / DAY_MS), 1);
    assert_int_equal(files_of(&f, START_MS / DAY_MS + 1), 1);
    check(&f, ".*", ALL, expected);
    sim_vfs_power_cut(f.sim, 3);
    store_fixture_reopen(&f); // from files
    check(&f, ".*", ALL, expected);
    /* In a file and again in memory: read once. */
    assert_int_equal(write_one(&f, "a", START_MS + DAY_MS, 2, "t2"), 0);
    check(&f, ".*", ALL, expected);
    assert_int_equal(tsdb_close(f.db, NULL), 0);
    assert_int_equal(tsdb_open(&f.options, &f.db, NULL), 0);
    check(&f, ".*", ALL, expected);
    store_fixture_close(&f);
}

static void test_merge_and_retention(void **state)
{
    (void)state;
    struct store_fixture f;
    struct strbuf expected = STRBUF_INIT;
    setup(&f);
    strbuf_add_c(&expected, A);
    for (int i = 0; i < 20; i++) {
        char trace[8];
        snprintf(trace, sizeof(trace), "t%d", i);
        assert_int_equal(write_one(&f, "a", START_MS + i, i, trace), 0);
        strbuf_addf(&expected, " %d:%d:t%d", i, i, i);
        assert_int_equal(tsdb_compact(f.db, NULL), 0);
    }
    strbuf_add_c(&expected, "\n");
    assert_int_equal(files_of(&f, START_MS / DAY_MS), 20);
    fake_clock_advance_ms(&f.clock, 1800000);
    store_fixture_maintain(&f);
    assert_int_equal(files_of(&f, START_MS / DAY_MS), 1);
    check(&f, ".*", ALL, expected.data);
    store_fixture_reopen(&f);
    check(&f, ".*", ALL, expected.data);
    /* The day ends half a day after START_MS, and goes ten days after that. */
    fake_clock_advance_ms(&f.clock, 1800000);
    fake_clock_set_wall_ms(&f.clock, START_MS + 10 * DAY_MS + DAY_MS / 2 - 1);
    store_fixture_maintain(&f);
    check(&f, ".*", ALL, expected.data);
    fake_clock_advance_ms(&f.clock, 1800000);
    store_fixture_maintain(&f);
    check(&f, ".*", ALL, "");
    strbuf_release(&expected);
    store_fixture_close(&f);
}

static int damage(void *context, const char *name, bool is_directory)
{
    struct store_fixture *f = context;
    char path[96];
    (void)is_directory;
    snprintf(path, sizeof(path), "data/exemplars/%lld/%s", (long long)(START_MS / DAY_MS), name);
    assert_int_equal(sim_vfs_flip_bit(f->sim, path, 8 * 55), 0);
    return 1;
}

/* Sentences beside the answer about a stretch of time; all of them name a file of exemplars. */
static size_t count_warnings(struct store_fixture *f, int64_t min_t, int64_t max_t)
{
    struct querier *q = NULL;
    struct arena arena;
    struct exemplar_list list;
    const struct select_request request = {.min_t = min_t, .max_t = max_t};
    arena_init(&arena, 0);
    assert_int_equal(querier_open(tsdb_querier_source(f->db), min_t, max_t, &q, NULL), 0);
    assert_int_equal(querier_exemplars(q, &request, &arena, &list, NULL), 0);
    size_t count = list.warning_count;
    for (size_t i = 0; i < count; i++) {
        assert_non_null(
            strstr(list.warnings[i], "missing from the answer (data/exemplars/19700/e-"));
    }
    querier_close(q);
    arena_release(&arena);
    return count;
}

/* One damaged file among many: told of, counted, left where it is, and no reason not to merge the others. */
static void test_damage_among_many(void **state)
{
    (void)state;
    struct store_fixture f;
    char path[64];
    setup(&f);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(write_one(&f, "a", START_MS + i, i, "t"), 0);
        assert_int_equal(tsdb_compact(f.db, NULL), 0);
        snprintf(path, sizeof(path), "data/exemplars/%lld", (long long)(START_MS / DAY_MS));
        if (i == 0) {
            assert_int_equal(vfs_list(sim_vfs_get(f.sim), path, damage, &f), 1);
        }
    }
    fake_clock_advance_ms(&f.clock, 1800000);
    store_fixture_maintain(&f); /* finds it */
    assert_int_equal(store_fixture_statistics(&f).exemplar_files_damaged, 1);
    assert_int_equal(files_of(&f, START_MS / DAY_MS), 20);
    fake_clock_advance_ms(&f.clock, 1800000);
    store_fixture_maintain(&f); /* leaves it aside */
    assert_int_equal(files_of(&f, START_MS / DAY_MS), 2);
    assert_int_equal(count_warnings(&f, ALL), 1);
    store_fixture_reopen(&f);
    assert_int_equal(count_warnings(&f, ALL), 1);
    assert_int_equal(store_fixture_statistics(&f).exemplar_files_damaged, 1);
    store_fixture_close(&f);
}

static void test_counts(void **state)
{
    (void)state;
    struct store_fixture f;
    setup(&f);
    assert_int_equal(write_one(&f, "a", START_MS + 2, 1, "t1"), 0);
    assert_int_equal(write_one(&f, "a", START_MS + 2, 1, "t1"), 0); /* changes nothing */
    assert_int_equal(write_one(&f, "a", START_MS + 1, 1, "t0"), ERR_RANGE);
    assert_int_equal(write_one(&f, "a", START_MS + 3, 1, "t2"), 0);
    assert_int_equal(store_fixture_statistics(&f).exemplars_taken, 2);
    assert_int_equal(store_fixture_statistics(&f).exemplars_refused, 1);
    store_fixture_close(&f);
}

static void test_damage(void **state)
{
    (void)state;
    struct store_fixture f;
    char path[64];
    setup(&f);
    assert_int_equal(write_one(&f, "a", START_MS, 1, "t1"), 0);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    snprintf(path, sizeof(path), "data/exemplars/%lld", (long long)(START_MS / DAY_MS));
    assert_int_equal(vfs_list(sim_vfs_get(f.sim), path, damage, &f), 1);
    assert_int_equal(write_one(&f, "a", START_MS + 1, 2, "t2"), 0);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    check(&f, ".*", ALL, A " 1:2:t2\n");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(count_warnings(&f, ALL), 1);
        assert_int_equal(count_warnings(&f, START_MS, START_MS), 1);
        assert_int_equal(count_warnings(&f, START_MS + DAY_MS, INT64_MAX), 0);
        assert_int_equal(store_fixture_statistics(&f).exemplar_files_damaged, 1);
    }
    tsdb_abandon(f.db);
    struct strbuf report = STRBUF_INIT;
    uint64_t problems = 0;
    assert_int_equal(tsdb_verify(&f.options, &report, &problems, NULL), 0);
    assert_int_equal(problems, 1);
    assert_non_null(strstr(report.data, "exemplars/"));
    strbuf_release(&report);
    assert_int_equal(tsdb_open(&f.options, &f.db, NULL), 0);
    store_fixture_close(&f);
}

/* The disk fails once, anywhere in a life with two seals: what was acknowledged is there after the next
 * open. */
static void test_faults(void **state)
{
    (void)state;
    bool struck = true;
    for (uint64_t nth = 1; struck; nth++) {
        struct store_fixture f;
        struct strbuf expected = STRBUF_INIT;
        setup(&f);
        strbuf_add_c(&expected, A);
        sim_vfs_fail_nth(f.sim, SIM_CHANGES, nth, ERR_IO);
        for (int i = 0; i < 6; i++) {
            char trace[8];
            snprintf(trace, sizeof(trace), "t%d", i);
            if (write_one(&f, "a", START_MS + i, i, trace) == 0) {
                strbuf_addf(&expected, " %d:%d:t%d", i, i, i);
            }
            if (i % 3 == 2) {
                (void)tsdb_compact(f.db, NULL); // may fail; nothing may be lost by it
            }
        }
        strbuf_add_c(&expected, "\n");
        struck = !sim_vfs_fail_pending(f.sim);
        sim_vfs_fail_clear(f.sim);
        check(&f, ".*", ALL, expected.data);
        store_fixture_reopen(&f);
        check(&f, ".*", ALL, expected.data);
        strbuf_release(&expected);
        store_fixture_close(&f);
    }
}

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selectors_and_times),
        cmocka_unit_test(test_durability),
        cmocka_unit_test(test_merge_and_retention),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_damage_among_many),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
