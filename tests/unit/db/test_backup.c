/* Backup and restore: what comes back is what was acknowledged; increments take only what is new; damage
 * is found; whatever fails leaves neither half a backup nor half a store.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/fault_loop.h"
#include "support/sim_vfs.h"
#include "support/span_list.h"
#include "support/span_shop.h"
#include "support/store_model.h"
#include "support/support.h"
#include "tsdb/backup.h"
#include "tsdb/tsdb.h"

enum { SERIES = 12 };

#define START_MS (INT64_C(19700) * 86400000 + INT64_C(86300000))

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim; /* NULL in the fault loop, which has its own */
    struct vfs *fs;
    struct store_model model;
    struct tsdb *db;
    int round;
    int rounds; /* written at first */
};

static struct tsdb *open_store(struct fixture *f, const char *path)
{
    struct tsdb *db = NULL;
    struct err e = ERR_INIT;
    struct tsdb_options options = {.path = path,
        .vfs = f->fs,
        .clock = &f->clock.clock,
        .seal_interval_ms = 60000,
        .sync_policy = WAL_SYNC_ALWAYS,
        .wal_segment_bytes = 4096};
    if (tsdb_open(&options, &db, &e) != 0) {
        fail_msg("%s: %s", path, e.message);
    }
    return db;
}

static void write_rounds(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++, f->round++) {
        struct model_txn t;
        bool more = false;
        fake_clock_advance_ms(&f->clock, 15000);
        assert_int_equal(model_begin(&t, &f->model, tsdb_appender_source(f->db), NULL), 0);
        for (uint32_t j = 0; j < SERIES; j++) {
            model_append(&t, j, clock_now_ms(&f->clock.clock), (double)(f->round * 100 + (int)j));
        }
        assert_int_equal(model_commit(&t, COMMIT_AS_CONFIGURED, NULL), 0);
        if (f->round % 4 == 3) {
            fake_clock_advance_ms(&f->clock, 30000);
            assert_int_equal(tsdb_maintain(f->db, &more, NULL), 0);
        }
    }
    f->model.durable = f->model.commit;
}

static void setup(struct fixture *f, struct vfs *fs)
{
    fake_clock_init(&f->clock, START_MS);
    f->fs = fs;
    f->round = 0;
    store_model_init(&f->model, SERIES);
    f->db = open_store(f, "data");
    write_rounds(f, f->rounds);
}

static void setup_alone(struct fixture *f)
{
    *f = (struct fixture){.sim = sim_vfs_new(1), .rounds = 13};
    setup(f, sim_vfs_get(f->sim));
}

/* As after a kill -9. */
static void stop(struct fixture *f)
{
    tsdb_abandon(f->db);
    f->db = NULL;
}

static void teardown_alone(struct fixture *f)
{
    stop(f);
    store_model_release(&f->model);
    sim_vfs_free(f->sim);
}

static void check_store(struct fixture *f, const char *path, uint32_t commit)
{
    struct tsdb *db = open_store(f, path);
    struct querier *q = NULL;
    assert_int_equal(querier_open(tsdb_querier_source(db), INT64_MIN, INT64_MAX, &q, NULL), 0);
    store_model_check(&f->model, q, commit, INT64_MIN, INT64_MAX);
    querier_close(q);
    assert_int_equal(tsdb_close(db, NULL), 0);
}

static struct backup_counts backup(
    struct fixture *f, const char *from, const char *to, const char *base)
{
    struct backup_counts counts;
    struct strbuf report = STRBUF_INIT;
    struct err e = ERR_INIT;
    const struct backup_options options = {.fs = f->fs, .from = from, .to = to, .base = base};
    if (tsdb_backup(&options, &report, &counts, &e) != 0) {
        fail_msg("backup: %s", e.message);
    }
    if (counts.problems != 0) {
        fail_msg("backup: %s", report.data);
    }
    strbuf_release(&report);
    return counts;
}

static int restore(struct fixture *f, const char *from, const char *to, bool force, struct err *e)
{
    struct backup_counts counts;
    struct strbuf report = STRBUF_INIT;
    const struct backup_options options = {.fs = f->fs, .from = from, .to = to, .force = force};
    int status = tsdb_restore(&options, &report, &counts, e);
    assert_true(status != ERR_CORRUPT || (counts.problems > 0 && report.size > 0));
    strbuf_release(&report);
    return status;
}

static void test_of_a_killed_store(void **state)
{
    struct fixture f;
    setup_alone(&f);
    stop(&f);
    struct backup_counts counts = backup(&f, "data", "backup", NULL);
    assert_true(counts.files > 3 && counts.linked_files == 0);
    struct err e = ERR_INIT;
    assert_int_equal(restore(&f, "backup", "new", false, &e), 0);
    sim_vfs_power_cut(f.sim, 5);
    check_store(&f, "new", f.model.commit);
    check_store(&f, "backup", f.model.commit);
    check_store(&f, "data", f.model.commit);
    f.db = open_store(&f, "data");
    teardown_alone(&f);
}

/* Beside a running server: snapshot, copy, remove; then the same with what is new alone. */
static void test_increments(void **state)
{
    struct fixture f;
    setup_alone(&f);
    uint32_t first_commit = f.model.commit;
    assert_int_equal(tsdb_snapshot(f.db, "data/snapshots/a", NULL, NULL), 0);
    struct backup_counts first = backup(&f, "data/snapshots/a", "first", NULL);
    assert_int_equal(tsdb_backup_remove(f.fs, "data/snapshots/a", NULL), 0);
    write_rounds(&f, 8);
    assert_int_equal(tsdb_snapshot(f.db, "data/snapshots/b", NULL, NULL), 0);
    struct backup_counts second = backup(&f, "data/snapshots/b", "second", "first");
    assert_true(second.linked_files > 0);
    assert_true(second.linked_bytes <= first.bytes);
    assert_true(second.bytes - second.linked_bytes < second.bytes);
    struct err e = ERR_INIT;
    assert_int_equal(restore(&f, "first", "one", false, &e), 0);
    /* A later one does not lean on an earlier one. */
    assert_int_equal(tsdb_backup_remove(f.fs, "first", NULL), 0);
    assert_int_equal(restore(&f, "second", "two", false, &e), 0);
    check_store(&f, "one", first_commit);
    check_store(&f, "two", f.model.commit);
    teardown_alone(&f);
}

struct comparison {
    struct fixture *f;
    const char *other;
    unsigned common, all;
};

static int compare_name(void *context, const char *name, bool is_directory)
{
    struct comparison *c = context;
    char path[256];
    struct vfs_file *file = NULL;
    snprintf(path, sizeof(path), "%s/%s", c->other, name);
    c->common += vfs_open(c->f->fs, path, VFS_READ, &file) == 0;
    c->all++;
    vfs_close(c->f->fs, file);
    return 0;
}

/* Two stores of one backup that go on apart never give a part the same name: an increment would take the
 * one for the other. */
static void test_restored_stores_part_ways(void **state)
{
    struct fixture f;
    struct err e = ERR_INIT;
    static const char *const names[] = {"left", "right"};
    setup_alone(&f);
    assert_int_equal(tsdb_close(f.db, NULL), 0);
    backup(&f, "data", "backup", NULL);
    struct comparison old = {&f, "data/raw/19701", 0, 0};
    assert_int_equal(vfs_list(f.fs, "backup/raw/19701", compare_name, &old), 0);
    assert_int_equal(old.common, old.all);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(restore(&f, "backup", names[i], false, &e), 0);
        f.db = open_store(&f, names[i]);
        write_rounds(&f, 3);
        assert_int_equal(tsdb_close(f.db, NULL), 0);
    }
    struct comparison new = {&f, "right/raw/19701", 0, 0};
    assert_int_equal(vfs_list(f.fs, "left/raw/19701", compare_name, &new), 0);
    assert_true(new.all > old.all);
    assert_int_equal(new.common, old.all);
    f.db = open_store(&f, "data");
    teardown_alone(&f);
}

/* Turns one bit in the middle of a part. */
static int damage_part(void *context, const char *name, bool is_directory)
{
    char *path = context;
    size_t length = strlen(path);
    snprintf(path + length, 256 - length, "/%s", name);
    return 1;
}

static void test_damage_is_found(void **state)
{
    struct fixture f;
    struct err e = ERR_INIT;
    char path[256] = "backup/raw";
    setup_alone(&f);
    stop(&f);
    backup(&f, "data", "backup", NULL);
    assert_int_equal(vfs_list(f.fs, path, damage_part, path), 1); /* a day */
    assert_int_equal(vfs_list(f.fs, path, damage_part, path), 1); /* a part of it */
    assert_int_equal(sim_vfs_flip_bit(f.sim, path, 8 * 100), 0);
    assert_int_equal(restore(&f, "backup", "new", false, &e), ERR_CORRUPT);
    assert_non_null(strstr(e.message, "--force"));
    assert_int_equal(restore(&f, "backup", "new", true, &e), 0);
    struct tsdb *db = open_store(&f, "new");
    assert_int_equal(tsdb_close(db, NULL), 0);
    /* A backup of what is damaged says so, and is made: it is what there is. */
    struct backup_counts counts;
    struct strbuf report = STRBUF_INIT;
    const struct backup_options options = {.fs = f.fs, .from = "backup", .to = "again"};
    assert_int_equal(tsdb_backup(&options, &report, &counts, &e), 0);
    assert_true(counts.problems > 0);
    assert_non_null(strstr(report.data, "again.tmp/raw/"));
    strbuf_release(&report);
    f.db = open_store(&f, "data");
    teardown_alone(&f);
}

static void test_refusals(void **state)
{
    struct fixture f;
    struct backup_counts counts;
    struct strbuf report = STRBUF_INIT;
    struct err e = ERR_INIT;
    setup_alone(&f);
    stop(&f);
    assert_int_equal(vfs_mkdir(f.fs, "empty"), 0);
    backup(&f, "data", "backup", NULL);
    struct backup_options options = {.fs = f.fs, .from = "empty", .to = "new"};
    assert_int_equal(tsdb_backup(&options, &report, &counts, &e), ERR_NOT_FOUND);
    options.from = "data";
    options.base = "empty";
    assert_int_equal(tsdb_backup(&options, &report, &counts, &e), ERR_NOT_FOUND);
    options.base = NULL;
    options.to = "backup";
    assert_int_equal(tsdb_backup(&options, &report, &counts, &e), ERR_EXISTS);
    assert_int_equal(restore(&f, "backup", "data", false, &e), ERR_EXISTS);
    assert_non_null(strstr(e.message, "data is not empty"));
    check_store(&f, "backup", f.model.commit);
    strbuf_release(&report);
    f.db = open_store(&f, "data");
    teardown_alone(&f);
}

/* ---- Exemplars and spans ---- */

static int see_entry(void *context, const char *name, bool is_directory)
{
    *(bool *)context = true;
    return 0;
}

#define START_NS ((uint64_t)START_MS * 1000000)

struct traces {
    struct span_store *store;
    struct span_shop *shop;
    struct span_list list;
    struct strbuf message;
};

static struct span_store *open_spans(struct fixture *f, const char *path)
{
    const struct span_store_options options = {
        .fs = f->fs, .clock = &f->clock.clock, .block_spans = 2 * SPAN_SHOP_BATCH};
    struct span_store *store = NULL;
    struct err e = ERR_INIT;
    if (span_store_open(path, &options, &store, &e) != 0) {
        fail_msg("%s", e.message);
    }
    return store;
}

static void write_spans(struct traces *t, int batches)
{
    for (int i = 0; i < batches; i++) {
        struct span_append_counts counts;
        struct err e = ERR_INIT;
        (void)span_shop_next(t->shop, &t->message);
        span_list_add(&t->list, strbuf_str(&t->message));
        assert_int_equal(
            span_store_append(t->store, strbuf_str(&t->message), true, &counts, &e), 0);
        assert_true(span_store_maintain(t->store, &e) >= 0);
    }
}

static void check_spans(struct fixture *f, struct traces *t, const char *path)
{
    struct span_store *store = open_spans(f, path);
    span_list_check(store, &t->list, 5);
    assert_int_equal(span_list_count_pages(store), t->list.count);
    span_store_close(store);
}

static void snapshot(struct fixture *f, struct traces *t, const char *path)
{
    const struct tsdb_snapshot_options options = {.spans = t->store};
    assert_int_equal(tsdb_snapshot(f->db, path, &options, NULL), 0);
}

/* Copies of exemplars are read back as what they are. */
static void test_exemplars(void **state)
{
    struct fixture f;
    struct err e = ERR_INIT;
    struct appender *a = NULL;
    struct series_ref ref;
    const struct label labels[] = {{STR("__name__"), STR("m")}, {STR("job"), STR("j")}};
    const struct label trace[] = {{STR("trace_id"), STR("abc")}};
    setup_alone(&f);
    int64_t now = clock_now_ms(&f.clock.clock);
    assert_int_equal(appender_open(tsdb_appender_source(f.db), &a, NULL), 0);
    assert_int_equal(appender_series(a, labels, 2, NULL, &ref, NULL), 0);
    assert_int_equal(appender_append(a, ref, now, 1), 0);
    assert_int_equal(appender_append_exemplar(a, ref, trace, 1, 1, now), 0);
    assert_int_equal(appender_commit(a, COMMIT_SYNCED, NULL, NULL), 0);
    assert_int_equal(tsdb_compact(f.db, NULL), 0);
    assert_int_equal(tsdb_close(f.db, NULL), 0);
    bool there = false;
    assert_int_equal(vfs_list(f.fs, "data/exemplars", see_entry, &there), 0);
    assert_true(there);
    (void)backup(&f, "data", "backup", NULL);
    assert_int_equal(restore(&f, "backup", "new", false, &e), 0);
    f.db = open_store(&f, "data");
    teardown_alone(&f);
}

/* Spans go with samples: what was acknowledged comes back, out of blocks and out of the log; blocks that an
 * earlier backup has are linked; damage is found. */
/* What others keep in the folder: journals and rules, which are written to. They come along as they are now, each
 * time copied: what is written later is in no earlier backup. */
static void write_text(struct fixture *f, const char *path, const char *text)
{
    struct vfs_file *file = NULL;
    assert_int_equal(vfs_open(f->fs, path, VFS_READWRITE, &file), 0);
    assert_int_equal(vfs_append(f->fs, file, text, strlen(text)), 0);
    vfs_close(f->fs, file);
}

static void check_text(struct fixture *f, const char *path, const char *text)
{
    char *data = NULL;
    size_t size = 0;
    assert_int_equal(vfs_read_file(f->fs, path, 1000, &data, &size), 0);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(data, text, size);
    mem_free(data);
}

static void test_neighbours(void **state)
{
    struct fixture f;
    struct err e = ERR_INIT;
    setup_alone(&f);
    write_text(&f, "data/alerts.journal", "one");
    assert_int_equal(vfs_mkdir(f.fs, "data/rules"), 0);
    write_text(&f, "data/rules/written.yaml", "groups: []");
    assert_int_equal(vfs_mkdir_all(f.fs, "data/snapshots"), 0);
    assert_int_equal(tsdb_snapshot(f.db, "data/snapshots/s", NULL, &e), 0);
    write_text(&f, "data/alerts.journal", " two");
    check_text(&f, "data/snapshots/s/alerts.journal", "one");
    (void)backup(&f, "data/snapshots/s", "first", NULL);
    stop(&f);
    (void)backup(&f, "data", "second", "first");
    write_text(&f, "data/alerts.journal", " three");
    write_text(&f, "data/rules/written.yaml", " # more");
    assert_int_equal(restore(&f, "second", "new", false, &e), 0);
    check_text(&f, "first/alerts.journal", "one");
    check_text(&f, "second/alerts.journal", "one two");
    check_text(&f, "second/rules/written.yaml", "groups: []");
    check_text(&f, "new/alerts.journal", "one two");
    check_text(&f, "new/rules/written.yaml", "groups: []");
    check_store(&f, "new", f.model.commit);
    store_model_release(&f.model);
    sim_vfs_free(f.sim);
    (void)state;
}

static void test_spans(void **state)
{
    struct fixture f;
    struct traces t = {.shop = span_shop_new(1, START_NS, 100)};
    struct err e = ERR_INIT;
    setup_alone(&f);
    strbuf_init(&t.message, (size_t)64 << 20);
    t.store = open_spans(&f, "data/spans");
    write_spans(&t, 5);
    snapshot(&f, &t, "data/snapshots/a");
    struct backup_counts first = backup(&f, "data/snapshots/a", "first", NULL);
    assert_int_equal(first.linked_files, 0);
    write_spans(&t, 4);
    snapshot(&f, &t, "data/snapshots/b");
    /* Two blocks of spans more than the parts of samples that have not changed. */
    struct backup_counts second = backup(&f, "data/snapshots/b", "second", "first");
    assert_true(second.linked_files >= 3);
    assert_int_equal(restore(&f, "second", "new", false, &e), 0);
    sim_vfs_power_cut(f.sim, 5);
    check_spans(&f, &t, "new/spans");
    check_store(&f, "new", f.model.commit);
    assert_int_equal(sim_vfs_flip_bit(f.sim, "second/spans/0000000000000001.spans", 8 * 2000), 0);
    assert_int_equal(restore(&f, "second", "other", false, &e), ERR_CORRUPT);
    span_store_close(t.store);
    span_shop_free(t.shop);
    span_list_release(&t.list);
    strbuf_release(&t.message);
    teardown_alone(&f);
}

/* ---- Under fire ---- */

static void begin(void *context, struct vfs *fs)
{
    struct fixture *f = context;
    store_model_release(&f->model);
    setup(f, fs);
    stop(f);
}

static int run(void *context, struct vfs *fs)
{
    struct backup_counts counts;
    struct strbuf report = STRBUF_INIT;
    const struct backup_options out = {.fs = fs, .from = "data", .to = "backup"};
    const struct backup_options in = {.fs = fs, .from = "backup", .to = "new"};
    (void)context;
    int status = tsdb_backup(&out, &report, &counts, NULL);
    if (status == 0) {
        status = tsdb_restore(&in, &report, &counts, NULL);
    }
    strbuf_release(&report);
    return status;
}

static int see_manifest(void *context, const char *name, bool is_directory)
{
    (void)is_directory;
    *(bool *)context |= strcmp(name, "MANIFEST") == 0;
    return 0;
}

static bool has_manifest(struct vfs *fs, const char *path)
{
    bool there = false;
    (void)vfs_list(fs, path, see_manifest, &there);
    return there;
}

static void verify(void *context, struct vfs *fs, const struct fault_round *round)
{
    struct fixture *f = context;
    f->fs = fs;
    if (round->status == 0 && (!has_manifest(fs, "backup") || !has_manifest(fs, "new"))) {
        fail_msg("kind %d, round %llu: what was reported is not there", round->kind,
            (unsigned long long)round->number);
    }
    if (has_manifest(fs, "backup")) {
        check_store(f, "backup", f->model.commit);
    }
    if (round->status == 0) {
        check_store(f, "new", f->model.commit);
    }
    check_store(f, "data", f->model.commit);
}

static void test_every_fault(void **state)
{
    struct fixture f = {.rounds = 6};
    /* Every 16th allocation: most are those of decoding parts to verify them. */
    struct fault_scenario scenario = {"backup", &f, begin, run, verify, 0, 16};
    fault_loop(&scenario, FAULT_ALL);
    store_model_release(&f.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_a_killed_store),
        cmocka_unit_test(test_increments),
        cmocka_unit_test(test_restored_stores_part_ways),
        cmocka_unit_test(test_damage_is_found),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_exemplars),
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_every_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
