/* Metadata of metrics: there after a crash, a seal and a power cut; of two that contradict each other the
 * later one; long texts are cut. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "head/metadata.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "tsdb/tsdb.h"

#define START_MS (INT64_C(19700) * 86400000)

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct tsdb_options options;
    struct tsdb *db;
};

static void set(struct fixture *f, const char *metric, enum metric_type type, const char *help)
{
    struct appender *a = NULL;
    assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
    assert_int_equal(
        appender_set_metadata(a, str_of(metric), type, str_of(help), STR("seconds")), 0);
    assert_int_equal(appender_commit(a, COMMIT_SYNCED, NULL, NULL), 0);
}

static int write_one(void *context, const struct metric_metadata *m)
{
    struct strbuf *out = context;
    int shown = m->help.len < 10 ? (int)m->help.len : 10;
    strbuf_addf(out, "%.*s %s %.*s(%zu) %.*s\n", STR_ARG(m->metric), metric_type_name(m->type),
        shown, m->help.ptr, m->help.len, STR_ARG(m->unit));
    return 0;
}

static void check(struct fixture *f, const char *expected)
{
    struct strbuf text = STRBUF_INIT;
    assert_int_equal(tsdb_metadata(f->db, STR(""), write_one, &text), 0);
    assert_string_equal(text.data != NULL ? text.data : "", expected);
    strbuf_release(&text);
}

static void reopen(struct fixture *f)
{
    struct err e = ERR_INIT;
    tsdb_abandon(f->db);
    if (tsdb_open(&f->options, &f->db, &e) != 0) {
        fail_msg("reopen: %s", e.message);
    }
}

static void test_life(void **state)
{
    (void)state;
    struct fixture f = {.sim = sim_vfs_new(1)};
    char long_help[METADATA_TEXT_MAX + 100];
    fake_clock_init(&f.clock, START_MS);
    f.options =
        (struct tsdb_options){.path = "data", .vfs = sim_vfs_get(f.sim), .clock = &f.clock.clock};
    assert_int_equal(tsdb_open(&f.options, &f.db, NULL), 0);
    set(&f, "b_total", METRIC_TYPE_COUNTER, "all of b");
    set(&f, "a", METRIC_TYPE_GAUGE, "first");
    check(&f, "a gauge first(5) seconds\nb_total counter all of b(8) seconds\n");
    reopen(&f); // from the log
    check(&f, "a gauge first(5) seconds\nb_total counter all of b(8) seconds\n");
    set(&f, "a", METRIC_TYPE_COUNTER, "second");
    check(&f, "a counter second(6) seconds\nb_total counter all of b(8) seconds\n");
    reopen(&f);
    check(&f, "a counter second(6) seconds\nb_total counter all of b(8) seconds\n");
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    sim_vfs_power_cut(f.sim, 3);
    reopen(&f); // from its file
    check(&f, "a counter second(6) seconds\nb_total counter all of b(8) seconds\n");
    memset(long_help, 'x', sizeof(long_help) - 1);
    long_help[sizeof(long_help) - 1] = '\0';
    set(&f, "a", METRIC_TYPE_COUNTER, long_help);
    check(&f, "a counter xxxxxxxxxx(4096) seconds\nb_total counter all of b(8) seconds\n");
    tsdb_abandon(f.db);
    sim_vfs_free(f.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
