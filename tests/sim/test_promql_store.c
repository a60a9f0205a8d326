/* The scripts of queries over the real store: in its head, in parts, after it was opened again, after it
 * was killed. Answers must be those of the store in memory (test_promql_scripts): the engine cannot
 * tell what it reads from. SONDE_PROMQL_SCRIPTS names a folder of more scripts. */
#include "support/support.h"

#include <stdlib.h>

#include "support/fake_clock.h"
#include "support/promql_script.h"
#include "support/sim_vfs.h"
#include "tsdb/tsdb.h"

#define NOW_MS (INT64_C(400) * 86400000) /* scripts begin at 0 */

enum after_load { LEAVE_IN_HEAD, COMPACT, REOPEN, KILL };

struct real_store {
    struct script_store store;
    enum after_load after_load;
    struct fake_clock clock;
    struct sim_vfs *disk;
    struct tsdb *db;
    struct appender *appender;
};

static int open_db(struct real_store *r)
{
    struct err e = ERR_INIT;
    const struct tsdb_options options = {
        .path = "data", .vfs = sim_vfs_get(r->disk), .clock = &r->clock.clock};
    int status = tsdb_open(&options, &r->db, &e);
    if (status != 0) {
        print_message("open: %s\n", e.message);
    }
    return status;
}

/* The handle of a series in the transaction that is open. */
static int handle_of(struct real_store *r, const struct labels *labels, struct series_ref *ref_out)
{
    struct err e = ERR_INIT;
    int status = 0;
    if (r->appender == NULL) {
        status = appender_open(tsdb_appender_source(r->db), &r->appender, &e);
    }
    if (status == 0) {
        status = appender_series(
            r->appender, labels_pairs(labels), labels_count(labels), NULL, ref_out, &e);
    }
    if (status != 0) {
        print_message("series: %s\n", e.message);
    }
    return status;
}

static int append(struct script_store *store, const struct labels *labels, int64_t t, double value)
{
    struct real_store *r = (struct real_store *)store;
    struct series_ref ref;
    int status = handle_of(r, labels, &ref);
    return status == 0 ? appender_append(r->appender, ref, t, value) : status;
}

static int append_histogram(struct script_store *store, const struct labels *labels, int64_t t,
    const struct histogram *histogram)
{
    struct real_store *r = (struct real_store *)store;
    struct series_ref ref;
    int status = handle_of(r, labels, &ref);
    return status == 0 ? appender_append_histogram(r->appender, ref, t, histogram) : status;
}

static int loaded(struct script_store *store)
{
    struct real_store *r = (struct real_store *)store;
    struct err e = ERR_INIT;
    int status = 0;
    if (r->appender != NULL) {
        status = appender_commit(r->appender, COMMIT_AS_CONFIGURED, NULL, &e);
        r->appender = NULL;
    }
    if (status == 0 && r->after_load == COMPACT) {
        status = tsdb_compact(r->db, &e);
    } else if (status == 0 && r->after_load == REOPEN) {
        status = tsdb_close(r->db, &e);
        status = status == 0 ? open_db(r) : status;
    } else if (status == 0 && r->after_load == KILL) {
        tsdb_abandon(r->db);
        status = open_db(r);
    }
    if (status != 0) {
        print_message("load: %s\n", e.message);
    }
    return status;
}

static void close_db(struct real_store *r)
{
    appender_rollback(r->appender);
    r->appender = NULL;
    tsdb_abandon(r->db);
    r->db = NULL;
    sim_vfs_free(r->disk);
    r->disk = NULL;
}

static int clear(struct script_store *store)
{
    struct real_store *r = (struct real_store *)store;
    if (r->db != NULL) {
        close_db(r);
    }
    r->disk = sim_vfs_new(1);
    return r->disk != NULL ? open_db(r) : ERR_NOMEM;
}

static struct querier_source *source(struct script_store *store)
{
    return tsdb_querier_source(((struct real_store *)store)->db);
}

/* Whatever has two series is read by several threads. */
static void run(enum after_load after_load, const char *folder)
{
    struct engine *engine;
    const struct engine_options options = {.features = PROMQL_FEATURES_ALL,
        .delayed_name_removal = true,
        .threads = 3,
        .share_min = 1};
    assert_int_equal(engine_new(&options, &engine), 0);
    struct real_store r = {
        .store = {append, append_histogram, loaded, clear, source}, .after_load = after_load};
    fake_clock_init(&r.clock, NOW_MS);
    struct script_report report = {0};
    bool there = promql_script_run_folder(folder, engine, &r.store, &report);
    if (r.db != NULL) {
        close_db(&r);
    }
    engine_free(engine);
    print_message("%s: %zu passed, %zu failed, %zu skipped\n", folder, report.passed, report.failed,
        report.skipped);
    assert_true(there);
    assert_true(report.passed > 0);
    assert_int_equal(report.failed, 0);
}

static void run_all(enum after_load after_load)
{
    run(after_load, "tests/promql");
    const char *folder = getenv("SONDE_PROMQL_SCRIPTS");
    if (folder != NULL) {
        run(after_load, folder);
    }
}

static void test_head(void **state)
{
    (void)state;
    run_all(LEAVE_IN_HEAD);
}

static void test_parts(void **state)
{
    (void)state;
    run_all(COMPACT);
}

static void test_opened_again(void **state)
{
    (void)state;
    run_all(REOPEN);
}

static void test_killed(void **state)
{
    (void)state;
    run_all(KILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_opened_again),
        cmocka_unit_test(test_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
