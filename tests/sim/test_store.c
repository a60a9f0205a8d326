/* The whole store on a seeded clock and a simulated disk, against the plain model of it.
 *
 * A random walk: scrapes, stray and late samples, repeats, histograms, conflicts; time that passes,
 * maintenance, compaction; readers that stay open; restarts in good order, kills, power cuts; another
 * list of identity labels now and then; deletes, retention, a disk that is full for a while, a list of
 * parts that is lost. After every restart, and every few steps, all of the store must
 * be what the model says. The seed of a failure is printed; SONDE_SIM_FIRST, SONDE_SIM_WALKS
 * and SONDE_SIM_STEPS choose other and longer walks.
 */
#include <stdio.h>
#include <stdlib.h>

#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/store_model.h"
#include "support/support.h"

enum { SERIES = 60, READERS = 3 };

#define START_MS (INT64_C(19700) * 86400000 + INT64_C(23) * 3600000)

struct reader {
    struct querier *querier;
    uint32_t commit;
};

struct walk {
    uint64_t random;
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct tsdb *db;
    struct store_model model;
    struct reader readers[READERS];
    enum wal_sync_policy policy;
    int64_t retention_ms;
};

static const char *const FEW_LABELS[] = {"job"};

static uint64_t dice(struct walk *w, uint64_t sides)
{
    return test_random(&w->random) % sides;
}

static int64_t now(struct walk *w)
{
    return clock_now_ms(&w->clock.clock);
}

/* What may be gone by now. Checks come after. */
static void note_time(struct walk *w)
{
    if (w->retention_ms > 0) {
        w->model.expired_before = now(w) - w->retention_ms;
    }
}

static void open_store(struct walk *w)
{
    struct err e = ERR_INIT;
    struct tsdb_options options = {.path = "data",
        .vfs = sim_vfs_get(w->sim),
        .clock = &w->clock.clock,
        .seal_interval_ms = 30 * 60 * 1000,
        .retention_ms = w->retention_ms,
        .purge_after_ms = (int64_t)(1 + dice(w, 24)) * 3600000,
        .sync_policy = w->policy,
        .wal_segment_bytes = dice(w, 2) == 0 ? 4096 : 0};
    if (dice(w, 4) == 0) {
        options.identity_labels = FEW_LABELS;
        options.identity_label_count = 1;
    }
    if (tsdb_open(&options, &w->db, &e) != 0) {
        fail_msg("open: %s", e.message);
    }
}

static void close_readers(struct walk *w)
{
    for (int i = 0; i < READERS; i++) {
        if (w->readers[i].querier != NULL) {
            store_model_check(
                &w->model, w->readers[i].querier, w->readers[i].commit, INT64_MIN, INT64_MAX);
            querier_close(w->readers[i].querier);
            w->readers[i].querier = NULL;
        }
    }
}

/* ---- Steps ---- */

static double random_value(struct walk *w)
{
    static const double odd[] = {0.0, -0.0, 1.0 / 3, 1e300, -5e-324};
    uint64_t r = dice(w, 1000);
    if (r < 20) {
        return r < 10 ? value_stale_marker() : value_nan();
    }
    return r < 100 ? odd[r % 5] : (double)r;
}

static void write_scrape(struct walk *w, struct model_txn *t, int64_t t_ms)
{
    uint64_t share = dice(w, 4);
    for (uint32_t s = 0; s < SERIES; s++) {
        if (share != 0 && dice(w, 4) >= share) {
            continue;
        }
        model_append(t, s, t_ms, random_value(w));
    }
}

static void write_strays(struct walk *w, struct model_txn *t)
{
    static const int64_t ages[] = {60000, 3600000, 86400000, 20 * INT64_C(86400000)};
    int64_t age = ages[dice(w, 4)];
    for (int i = 0; i < 25; i++) {
        int64_t t_ms = now(w) - (int64_t)dice(w, (uint64_t)age);
        model_append(t, (uint32_t)dice(w, SERIES), t_ms - t_ms % 15000, random_value(w));
    }
}

static void write_repeats(struct walk *w, struct model_txn *t)
{
    for (int i = 0; i < 20; i++) {
        uint32_t series = (uint32_t)dice(w, SERIES);
        const struct model_series *s = &w->model.series[series];
        struct model_write current;
        if (s->count > 0 &&
            store_model_value(&w->model, series, s->writes[dice(w, s->count)].t_ms, &current)) {
            model_append(t, series, current.t_ms, current.value);
        }
    }
}

static void step_write(struct walk *w)
{
    struct model_txn t;
    struct err e = ERR_INIT;
    assert_int_equal(model_begin(&t, &w->model, tsdb_appender_source(w->db), &e), 0);
    uint64_t kind = dice(w, 10);
    if (kind == 0) {
        write_strays(w, &t);
    } else if (kind == 1) {
        write_repeats(w, &t);
    } else {
        fake_clock_advance_ms(&w->clock, 15000);
        write_scrape(w, &t, now(w) - now(w) % 15000);
        if (kind == 2) {
            write_scrape(w, &t, now(w) - now(w) % 15000 - 15000 * (int64_t)dice(w, 30));
        }
    }
    if (dice(w, 15) == 0) {
        model_rollback(&t);
        return;
    }
    bool synced = dice(w, 8) == 0;
    if (model_commit(&t, synced ? COMMIT_SYNCED : COMMIT_AS_CONFIGURED, &e) != 0) {
        fail_msg("commit: %s", e.message);
    }
    if (synced || w->policy == WAL_SYNC_ALWAYS) {
        w->model.durable = w->model.commit;
    }
}

static void step_maintain(struct walk *w)
{
    struct err e = ERR_INIT;
    bool more = false;
    bool long_pause = w->retention_ms > 0 && dice(w, 20) == 0;
    fake_clock_advance_ms(
        &w->clock, (int64_t)dice(w, 12) * 60000 + (long_pause ? 15 * INT64_C(3600000) : 0));
    note_time(w);
    if (tsdb_maintain(w->db, &more, &e) != 0) {
        fail_msg("maintain: %s", e.message);
    }
}

static void step_compact(struct walk *w)
{
    struct err e = ERR_INIT;
    if (tsdb_compact(w->db, &e) != 0) {
        fail_msg("compact: %s", e.message);
    }
    w->model.durable = w->model.commit;
}

/* The disk has no byte to give for a while. What fails has failed, what is there stays there; with a
 * failed write of metadata or log even housekeeping may say so. */
static void step_full_disk(struct walk *w)
{
    sim_vfs_set_capacity(w->sim, sim_vfs_used_bytes(w->sim) + dice(w, 20000));
    for (int i = 0; i < 6; i++) {
        struct model_txn t;
        bool more = false;
        if (model_begin(&t, &w->model, tsdb_appender_source(w->db), NULL) == 0) {
            fake_clock_advance_ms(&w->clock, 15000);
            write_scrape(w, &t, now(w) - now(w) % 15000);
            bool written = model_commit(&t, COMMIT_AS_CONFIGURED, NULL) == 0;
            if (written && w->policy == WAL_SYNC_ALWAYS) {
                w->model.durable = w->model.commit;
            }
        }
        (void)tsdb_maintain(w->db, &more, NULL);
    }
    note_time(w);
    store_model_check_now(&w->model, w->db);
    sim_vfs_set_capacity(w->sim, SIM_CAPACITY_DEFAULT);
}

static void step_reader(struct walk *w)
{
    struct reader *r = &w->readers[dice(w, READERS)];
    if (r->querier != NULL) {
        int64_t from = now(w) - (int64_t)dice(w, 7200000);
        store_model_check(&w->model, r->querier, r->commit, from, from + (int64_t)dice(w, 3600000));
        store_model_check(&w->model, r->querier, r->commit, INT64_MIN, INT64_MAX);
        querier_close(r->querier);
        r->querier = NULL;
        return;
    }
    r->commit = w->model.commit;
    assert_int_equal(
        querier_open(tsdb_querier_source(w->db), INT64_MIN, INT64_MAX, &r->querier, NULL), 0);
}

/* Some of the series: by metric, by host, by exclusion, or all. */
static void step_delete(struct walk *w)
{
    static const struct {
        enum matcher_type type;
        const char *name, *value;
    } choices[] = {
        {MATCHER_EQUAL, "__name__", "metric_7"},
        {MATCHER_REGEX, "__name__", "metric_[1-3].*"},
        {MATCHER_EQUAL, "instance", "host-1"},
        {MATCHER_EQUAL, "instance", ""},
        {MATCHER_NOT_EQUAL, "cpu", "2"},
        {MATCHER_NOT_EQUAL, "__name__", ""},
    };
    size_t choice = dice(w, sizeof(choices) / sizeof(choices[0]));
    struct matcher *matcher = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(matcher_new(choices[choice].type, str_of(choices[choice].name),
                         str_of(choices[choice].value), &matcher, &e),
        0);
    const struct matcher *const matchers[] = {matcher};
    int64_t from = now(w) - (int64_t)dice(w, 3 * 86400000),
            until = from + (int64_t)dice(w, 7200000);
    bool always = dice(w, 4) == 0;
    if (model_delete(&w->model, w->db, matchers, 1, always ? INT64_MIN : from,
            always ? INT64_MAX : until, &e) != 0) {
        fail_msg("delete: %s", e.message);
    }
    matcher_free(matcher);
}

static void step_clean(struct walk *w)
{
    struct err e = ERR_INIT;
    if (tsdb_clean_tombstones(w->db, &e) != 0) {
        fail_msg("clean: %s", e.message);
    }
}

/* The list of parts is damaged, or gone: it is made anew. */
static void lose_manifest(struct walk *w)
{
    if (dice(w, 2) == 0) {
        assert_int_equal(vfs_remove(sim_vfs_get(w->sim), "data/MANIFEST"), 0);
    } else {
        assert_int_equal(sim_vfs_flip_bit(w->sim, "data/MANIFEST", dice(w, 500)), 0);
    }
}

static void step_restart(struct walk *w)
{
    struct err e = ERR_INIT;
    close_readers(w);
    uint64_t how = dice(w, 3);
    if (how == 0) {
        if (tsdb_close(w->db, &e) != 0) {
            fail_msg("close: %s", e.message);
        }
        w->model.durable = w->model.commit;
    } else {
        tsdb_abandon(w->db);
    }
    w->db = NULL;
    bool power_cut = dice(w, 2) == 0;
    if (power_cut) {
        sim_vfs_power_cut(w->sim, test_random(&w->random));
    }
    if (dice(w, 3) == 0) {
        lose_manifest(w);
    }
    open_store(w);
    store_model_recover(&w->model, w->db, power_cut);
    note_time(w);
    /* What was found may still be in nobody's sync: only a compaction is sure to have it. */
    step_compact(w);
}

static void step_verify(struct walk *w)
{
    struct strbuf report = STRBUF_INIT;
    uint64_t problems = 0;
    struct tsdb_options options = {.path = "data", .vfs = sim_vfs_get(w->sim)};
    assert_int_equal(tsdb_verify(&options, &report, &problems, NULL), 0);
    if (problems != 0) {
        fail_msg("verify: %s", report.data);
    }
    strbuf_release(&report);
}

/* How many samples were written and compared. */
static uint64_t walk(uint64_t seed, int steps)
{
    struct walk w = {.random = seed, .sim = sim_vfs_new(seed)};
    printf("walk %llu\n", (unsigned long long)seed);
    fake_clock_init(&w.clock, START_MS);
    store_model_init(&w.model, SERIES);
    static const enum wal_sync_policy policies[] = {
        WAL_SYNC_ALWAYS, WAL_SYNC_EVERY_SECOND, WAL_SYNC_NEVER};
    w.policy = policies[dice(&w, 3)];
    static const int64_t retentions[] = {0, 26 * INT64_C(3600000), 3 * INT64_C(86400000)};
    w.retention_ms = retentions[dice(&w, 3)];
    open_store(&w);
    for (int i = 0; i < steps; i++) {
        uint64_t what = dice(&w, 200);
        if (what < 20) {
            step_reader(&w);
        } else if (what < 60) {
            step_maintain(&w);
        } else if (what < 62) {
            step_compact(&w);
        } else if (what < 65) {
            step_restart(&w);
        } else if (what < 66) {
            step_verify(&w);
        } else if (what < 69) {
            step_delete(&w);
        } else if (what < 70) {
            step_clean(&w);
        } else if (what < 74) {
            note_time(&w);
            store_model_check_now(&w.model, w.db);
        } else if (what < 76) {
            step_full_disk(&w);
        } else {
            step_write(&w);
        }
    }
    close_readers(&w);
    store_model_check_now(&w.model, w.db);
    step_compact(&w);
    store_model_check_now(&w.model, w.db);
    step_verify(&w);
    assert_int_equal(tsdb_close(w.db, NULL), 0);
    uint64_t operations = w.model.operations;
    store_model_release(&w.model);
    sim_vfs_free(w.sim);
    return operations;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void test_walks(void **state)
{
    uint64_t first = from_environment("SONDE_SIM_FIRST", 0);
    uint64_t walks = from_environment("SONDE_SIM_WALKS", 12);
    uint64_t steps = from_environment("SONDE_SIM_STEPS", 300);
    uint64_t operations = 0;
    for (uint64_t i = first; i < first + walks; i++) {
        operations += walk(test_seed() * 1000000 + i, (int)steps);
    }
    printf("%llu samples written and compared\n", (unsigned long long)operations);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
