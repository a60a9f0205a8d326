/* A manifest that is damaged or gone: which parts count, and that the store is as it was. */
#include "db/manifest_rebuild.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/store_model.h"
#include "support/support.h"
#include "tsdb/tsdb.h"

#define START_MS (INT64_C(19700) * 86400000)
#define DAY INT64_C(86400000)

/* ---- Which count ---- */

struct claim_row {
    uint64_t sequence, first, last;
    int64_t day;
    bool readable, kept;
};

static const struct {
    const char *what;
    struct claim_row rows[6];
} cases[] = {
    {"sealed parts all count", {{1, 1, 1, 0, true, true}, {2, 2, 2, 0, true, true}}},
    {"the inputs of a merge do not",
        {{1, 1, 1, 0, true, false}, {2, 2, 2, 0, true, false}, {3, 1, 2, 0, true, true}}},
    {"nor what was merged twice", {{1, 1, 1, 0, true, false}, {3, 1, 2, 0, true, false},
                                      {4, 4, 4, 0, true, false}, {5, 1, 4, 0, true, true}}},
    {"a part written anew replaces itself", {{1, 1, 1, 0, true, false}, {2, 1, 1, 0, true, true}}},
    {"other days are other stories", {{1, 1, 1, 0, true, true}, {2, 1, 1, 1, true, true}}},
    {"what was sealed later stays", {{3, 1, 2, 0, true, true}, {4, 4, 4, 0, true, true}}},
    {"a late part in the range stays: the merge came before it",
        {{3, 1, 5, 0, true, true}, {4, 4, 4, 0, true, true}}},
    {"what cannot be read replaces nothing and stays",
        {{1, 1, 1, 0, true, true}, {2, 2, 2, 0, false, true}, {9, 9, 9, 0, false, true}}},
};

static void test_settling(void **state)
{
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct part_claim claims[6];
        size_t count = 0, expected = 0, found = 0;
        for (; count < 6 && cases[c].rows[count].sequence != 0; count++) {
            const struct claim_row *r = &cases[c].rows[count];
            claims[count] = (struct part_claim){.part = {.sequence = r->sequence,
                                                    .precedence = r->last,
                                                    .precedence_first = r->first,
                                                    .day = r->day},
                .readable = r->readable};
            expected += r->kept;
        }
        size_t rows = count;
        count = part_claims_settle(claims, count);
        for (size_t i = 0; i < count; i++) {
            for (size_t k = 0; k < rows; k++) {
                found +=
                    cases[c].rows[k].sequence == claims[i].part.sequence && cases[c].rows[k].kept;
            }
        }
        if (count != expected || found != expected) {
            fail_msg("%s: %zu parts count (%zu of them rightly), expected %zu", cases[c].what,
                count, found, expected);
        }
    }
}

/* ---- The store ---- */

enum { SERIES = 8, ROUNDS = 40 };

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct tsdb_options options;
    struct tsdb *db;
    struct store_model model;
};

static void open_store(struct fixture *f)
{
    struct err e = ERR_INIT;
    if (tsdb_open(&f->options, &f->db, &e) != 0) {
        fail_msg("open: %s", e.message);
    }
}

static void write_rounds(struct fixture *f, int from)
{
    for (int round = from; round < from + ROUNDS; round++) {
        struct model_txn t;
        fake_clock_advance_ms(&f->clock, 60000);
        assert_int_equal(model_begin(&t, &f->model, tsdb_appender_source(f->db), NULL), 0);
        for (uint32_t s = 0; s < SERIES; s++) {
            model_append(&t, s, clock_now_ms(&f->clock.clock), round);
            /* Late samples that replace older ones: the order of parts decides. */
            model_append(&t, s, START_MS + s * 1000 - (round % 3) * DAY, -round);
        }
        assert_int_equal(model_commit(&t, COMMIT_SYNCED, NULL), 0);
    }
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.sim = sim_vfs_new(1)};
    fake_clock_init(&f->clock, START_MS);
    store_model_init(&f->model, SERIES);
    f->options = (struct tsdb_options){.path = "data",
        .vfs = sim_vfs_get(f->sim),
        .clock = &f->clock.clock,
        .sync_policy = WAL_SYNC_ALWAYS};
    open_store(f);
    for (int i = 0; i < 3; i++) {
        write_rounds(f, i * ROUNDS);
        if (i == 1) {
            assert_int_equal(tsdb_compact(f->db, NULL), 0);
        } else {
            bool more = false;
            fake_clock_advance_ms(&f->clock, 3600000);
            assert_int_equal(tsdb_maintain(f->db, &more, NULL), 0);
        }
    }
    write_rounds(f, 3 * ROUNDS);
}

static void teardown(struct fixture *f)
{
    assert_int_equal(tsdb_close(f->db, NULL), 0);
    store_model_release(&f->model);
    sim_vfs_free(f->sim);
}

static struct tsdb_statistics statistics(struct fixture *f)
{
    struct tsdb_statistics s;
    tsdb_statistics(f->db, &s);
    return s;
}

/* Opens after the damage: counted once, everything is there, and the next open finds a manifest. */
static void check_recovery(struct fixture *f, uint64_t parts)
{
    struct strbuf report = STRBUF_INIT;
    uint64_t problems = 0;
    assert_int_equal(tsdb_verify(&f->options, &report, &problems, NULL), 0);
    assert_int_equal(problems, 1);
    assert_non_null(strstr(report.data, "MANIFEST"));
    strbuf_release(&report);
    open_store(f);
    assert_int_equal(statistics(f).manifest_rebuilds, 1);
    assert_int_equal(statistics(f).part_count, parts);
    store_model_check_now(&f->model, f->db);
    tsdb_abandon(f->db);
    open_store(f);
    assert_int_equal(statistics(f).manifest_rebuilds, 0);
    store_model_check_now(&f->model, f->db);
    assert_int_equal(tsdb_compact(f->db, NULL), 0);
    store_model_check_now(&f->model, f->db);
}

static void test_damaged_manifest(void **state)
{
    struct fixture f;
    setup(&f);
    uint64_t parts = statistics(&f).part_count;
    tsdb_abandon(f.db);
    assert_int_equal(sim_vfs_flip_bit(f.sim, "data/MANIFEST", 99), 0);
    check_recovery(&f, parts);
    teardown(&f);
}

static void test_missing_manifest(void **state)
{
    struct fixture f;
    setup(&f);
    uint64_t parts = statistics(&f).part_count;
    tsdb_abandon(f.db);
    assert_int_equal(vfs_remove(f.options.vfs, "data/MANIFEST"), 0);
    check_recovery(&f, parts);
    teardown(&f);
}

/* Keeps a second name of each part, as if its removal had never reached the disk. */
struct keeping {
    struct fixture *f;
    int64_t day;
    bool back;
};

static int keep_file(void *context, const char *name, bool is_directory)
{
    struct keeping *k = context;
    char part[128], kept[128];
    (void)is_directory;
    (void)snprintf(part, sizeof(part), "data/raw/%lld/%s", (long long)k->day, name);
    (void)snprintf(kept, sizeof(kept), "kept/%lld-%s", (long long)k->day, name);
    int status =
        k->back ? vfs_link(k->f->options.vfs, kept, part) : vfs_link(k->f->options.vfs, part, kept);
    assert_true(status == 0 || status == ERR_EXISTS);
    return 0;
}

static int keep_day(void *context, const char *name, bool is_directory)
{
    struct keeping *k = context;
    char path[128];
    (void)is_directory;
    assert_int_equal(str_to_i64(str_of(name), &k->day), 0);
    (void)snprintf(path, sizeof(path), "data/raw/%s", name);
    return vfs_list(k->f->options.vfs, path, keep_file, k);
}

static int put_back(void *context, const char *name, bool is_directory)
{
    struct keeping *k = context;
    const char *dash = strstr(name, "-p-");
    (void)is_directory;
    assert_non_null(dash);
    assert_int_equal(str_to_i64(str_make(name, (size_t)(dash - name)), &k->day), 0);
    k->back = true;
    return keep_file(k, dash + 1, false);
}

static void test_inputs_of_a_finished_merge(void **state)
{
    struct fixture f;
    setup(&f);
    struct keeping k = {.f = &f};
    assert_int_equal(vfs_mkdir(f.options.vfs, "kept"), 0);
    assert_int_equal(vfs_list(f.options.vfs, "data/raw", keep_day, &k), 0);
    uint64_t before = statistics(&f).part_count;
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    uint64_t parts = statistics(&f).part_count;
    assert_true(parts < before);
    tsdb_abandon(f.db);
    assert_int_equal(vfs_list(f.options.vfs, "kept", put_back, &k), 0);
    assert_int_equal(vfs_remove(f.options.vfs, "data/MANIFEST"), 0);
    check_recovery(&f, parts);
    teardown(&f);
}

/* A part that cannot be opened is neither removed nor believed. */
static void test_damaged_part_beside(void **state)
{
    struct fixture f;
    setup(&f);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    uint64_t parts = statistics(&f).part_count;
    tsdb_abandon(f.db);
    char *bytes = NULL;
    size_t size = 0;
    assert_int_equal(vfs_write_file_atomic(f.options.vfs, "data/raw/19700/p-00009999", "x", 1), 0);
    assert_int_equal(vfs_remove(f.options.vfs, "data/MANIFEST"), 0);
    open_store(&f);
    assert_int_equal(statistics(&f).part_count, parts);
    assert_int_equal(statistics(&f).parts_quarantined, 1);
    store_model_check_now(&f.model, f.db);
    write_rounds(&f, 200);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    store_model_check_now(&f.model, f.db);
    assert_int_equal(
        vfs_read_file(f.options.vfs, "data/raw/19700/p-00009999", 10, &bytes, &size), 0);
    mem_free(bytes);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settling),
        cmocka_unit_test(test_damaged_manifest),
        cmocka_unit_test(test_missing_manifest),
        cmocka_unit_test(test_inputs_of_a_finished_merge),
        cmocka_unit_test(test_damaged_part_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
