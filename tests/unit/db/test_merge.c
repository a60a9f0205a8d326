/* Merges: what is copied byte for byte, what is made anew, and what it takes in memory. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "db/db.h"
#include "part/part_private.h"
#include "support/store_fixture.h"
#include "support/support.h"

#define START_MS FIXTURE_START_MS
#define SECOND_MS INT64_C(1000)

enum { METRICS = 5, JOBS_MAX = 4, SECONDS = 86400 };

/* ---- What is written ---- */

/* The value of a metric of a job at a second: digits enough that no codec makes it small. */
static double value_of(int job, int metric, int second)
{
    uint64_t state = (uint64_t)job << 40 ^ (uint64_t)metric << 32 ^ (uint32_t)second;
    return (double)(test_random(&state) % 1000000) / 1000;
}

struct labels_of_one {
    char name[24], job[16];
    struct label labels[3];
};

static void name_series(struct labels_of_one *l, int job, int metric)
{
    snprintf(l->name, sizeof(l->name), "m_%d_%d", job, metric);
    snprintf(l->job, sizeof(l->job), "job-%d", job);
    l->labels[0] = (struct label){STR("__name__"), str_of(l->name)};
    l->labels[1] = (struct label){STR("instance"), STR("a")};
    l->labels[2] = (struct label){STR("job"), str_of(l->job)};
}

/* Seconds [from, to) in steps, of all metrics of a job. */
static void write_job(struct store_fixture *f, int job, int from, int to, int step, double plus)
{
    struct appender *a = NULL;
    struct series_ref refs[METRICS];
    for (int begin = from; begin < to; begin += 1000 * step) {
        assert_int_equal(appender_open(tsdb_appender_source(f->db), &a, NULL), 0);
        for (int i = 0; i < METRICS; i++) {
            struct labels_of_one l;
            name_series(&l, job, i);
            assert_int_equal(appender_series(a, l.labels, 3, NULL, &refs[i], NULL), 0);
        }
        for (int s = begin; s < to && s < begin + 1000 * step; s += step) {
            for (int i = 0; i < METRICS; i++) {
                int64_t t = START_MS + s * SECOND_MS;
                assert_int_equal(appender_append(a, refs[i], t, value_of(job, i, s) + plus), 0);
            }
        }
        assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
    }
}

static void seal(struct store_fixture *f)
{
    struct err e = ERR_INIT;
    if (db_seal_all(f->db, &e) != 0) {
        fail_msg("seal: %s", e.message);
    }
}

/* All parts into one; what the merge said. */
static int merge_all(struct store_fixture *f, struct err *e)
{
    struct store_view *view = db_view(f->db);
    lock_take(&f->db->maintenance_lock);
    int status = db_merge(f->db, view->parts, view->count, 2, e);
    lock_give(&f->db->maintenance_lock);
    store_view_unref(view);
    return status;
}

static void merge_well(struct store_fixture *f)
{
    struct err e = ERR_INIT;
    if (merge_all(f, &e) != 0) {
        fail_msg("merge: %s", e.message);
    }
}

static void open_store(struct store_fixture *f)
{
    store_fixture_init(f, START_MS + SECONDS * SECOND_MS);
    store_fixture_open(f);
}

/* ---- What is there ---- */

/* Every sample of a job that has those seconds; `late` ones differ by 0.5. Returns how many were read. */
static size_t check_metric(struct store_fixture *f, int job, int metric, int late_from, int late_to)
{
    struct querier *q = store_fixture_querier(f);
    struct labels_of_one l;
    struct matcher *m = NULL;
    struct arena arena;
    struct series_set *set = NULL;
    struct column_iter *it = NULL;
    struct column_run run;
    size_t count = 0;
    int64_t before = INT64_MIN;
    int more;
    name_series(&l, job, metric);
    arena_init(&arena, 0);
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("__name__"), l.labels[0].value, &m, NULL), 0);
    const struct matcher *const list[] = {m};
    const struct select_request request = {
        .min_t = INT64_MIN, .max_t = INT64_MAX, .matchers = list, .matcher_count = 1};
    assert_int_equal(querier_select(q, &request, &arena, &set, NULL), 0);
    assert_int_equal(set->count, 1);
    assert_int_equal(series_open(set->series[0], &arena, &it, NULL), 0);
    while ((more = column_iter_next(it, &run, NULL)) == 1) {
        for (size_t i = 0; i < run.count; i++) {
            int second = (int)((run.times[i] - START_MS) / SECOND_MS);
            double plus = second >= late_from && second < late_to ? 0.5 : 0;
            assert_true(run.times[i] > before);
            before = run.times[i];
            if (run.values[i] != value_of(job, metric, second) + plus) {
                fail_msg("job %d metric %d second %d: %g instead of %g", job, metric, second,
                    run.values[i], value_of(job, metric, second) + plus);
            }
        }
        count += run.count;
    }
    assert_int_equal(more, 0);
    column_iter_close(it);
    series_set_free(set);
    arena_release(&arena);
    matcher_free(m);
    querier_close(q);
    return count;
}

/* The bodies of all groups of all parts, as they lie in the files. */
struct bodies {
    struct strbuf items[64];
    int jobs[64]; /* whose */
    size_t count;
};

static int on_target(void *context, uint32_t target, const struct label *labels, size_t count)
{
    int *jobs = context;
    for (size_t i = 0; i < count; i++) {
        if (str_eq(labels[i].name, STR("job"))) {
            jobs[target] = labels[i].value.ptr[labels[i].value.len - 1] - '0';
        }
    }
    return 0;
}

static int on_shape(void *context, uint32_t shape, const struct label *labels, size_t count)
{
    return 0;
}

static void read_bodies(struct store_fixture *f, struct bodies *b)
{
    struct store_view *view = db_view(f->db);
    *b = (struct bodies){.count = 0};
    for (size_t i = 0; i < view->count; i++) {
        struct part *p = view->parts[i]->part;
        int jobs[JOBS_MAX] = {0};
        const struct part_dictionary_handler handler = {jobs, on_target, on_shape};
        assert_true(part_info(p)->target_count <= JOBS_MAX);
        assert_int_equal(part_read_dictionary(p, &handler, NULL), 0);
        for (uint32_t g = 0; g < part_info(p)->group_count; g++) {
            const struct part_group *group = &part_groups(p)[g];
            struct strbuf *body = &b->items[b->count];
            *body = (struct strbuf)STRBUF_INIT;
            char *bytes = strbuf_reserve(body, group->bytes);
            assert_non_null(bytes);
            assert_int_equal(
                vfs_pread_exact(p->fs, p->file, p->places[g].body, bytes, group->bytes), 0);
            strbuf_commit(body, group->bytes);
            b->jobs[b->count++] = jobs[group->targets[0]];
        }
    }
    store_view_unref(view);
}

static void release_bodies(struct bodies *b)
{
    for (size_t i = 0; i < b->count; i++) {
        strbuf_release(&b->items[i]);
    }
}

/* How many bodies of a job are there, and how many of them were there before, byte for byte. */
static void compare_bodies(const struct bodies *before, const struct bodies *after, int job,
    size_t *count_out, size_t *equal_out)
{
    *count_out = *equal_out = 0;
    for (size_t i = 0; i < after->count; i++) {
        bool equal = false;
        for (size_t k = 0; k < before->count && after->jobs[i] == job; k++) {
            equal = equal || str_eq(strbuf_str(&before->items[k]), strbuf_str(&after->items[i]));
        }
        *count_out += after->jobs[i] == job;
        *equal_out += equal;
    }
}

static void assert_bodies(
    const struct bodies *before, const struct bodies *after, int job, size_t count, size_t equal)
{
    size_t is, same;
    compare_bodies(before, after, job, &is, &same);
    if (is != count || same != equal) {
        fail_msg(
            "job %d: %zu groups, %zu as before; expected %zu, %zu", job, is, same, count, equal);
    }
}

/* ---- Copies ---- */

static void test_late_samples_leave_others_alone(void **state)
{
    struct store_fixture f;
    struct bodies before, after;
    open_store(&f);
    write_job(&f, 0, 0, 5000, 1, 0);
    write_job(&f, 1, 0, 5000, 1, 0);
    seal(&f);
    write_job(&f, 1, 4500, 4600, 1, 0.5); /* corrected */
    seal(&f);
    read_bodies(&f, &before);
    assert_int_equal(before.count, 5); /* 4096 and 904 rows of each, and the late ones */
    merge_well(&f);
    read_bodies(&f, &after);
    assert_bodies(&before, &after, 0, 2, 2);
    assert_bodies(&before, &after, 1, 2, 1); /* what lies before the late ones is as it was */
    assert_true(f.db->merge_bytes_copied > 0);
    for (int i = 0; i < METRICS; i++) {
        assert_int_equal(check_metric(&f, 0, i, 0, 0), 5000);
        assert_int_equal(check_metric(&f, 1, i, 4500, 4600), 5000);
    }
    release_bodies(&before);
    release_bodies(&after);
    store_fixture_close(&f);
}

/* What follows on a long table does not change it; short ones are joined. */
static void test_long_tables_stay(void **state)
{
    struct store_fixture f;
    struct bodies before, after;
    open_store(&f);
    write_job(&f, 0, 0, 4096, 1, 0);
    seal(&f);
    write_job(&f, 0, 4096, 5000, 1, 0);
    seal(&f);
    write_job(&f, 0, 5000, 6000, 1, 0);
    seal(&f);
    read_bodies(&f, &before);
    merge_well(&f);
    read_bodies(&f, &after);
    assert_int_equal(before.count, 3);
    assert_bodies(&before, &after, 0, 2, 1);
    for (int i = 0; i < METRICS; i++) {
        assert_int_equal(check_metric(&f, 0, i, 0, 0), 6000);
    }
    release_bodies(&before);
    release_bodies(&after);
    store_fixture_close(&f);
}

/* Pieces before and behind a copied one are not joined across it. */
static void test_order_around_a_copy(void **state)
{
    struct store_fixture f;
    struct bodies before, after;
    open_store(&f);
    write_job(&f, 0, 1000, 5096, 1, 0);
    seal(&f);
    write_job(&f, 0, 0, 1000, 2, 0);
    seal(&f);
    write_job(&f, 0, 1, 1000, 2, 0);
    seal(&f);
    write_job(&f, 0, 5096, 6000, 1, 0);
    seal(&f);
    read_bodies(&f, &before);
    merge_well(&f);
    read_bodies(&f, &after);
    assert_bodies(&before, &after, 0, 3, 2); /* the last is made anew, of the same rows */
    struct store_view *view = db_view(f.db);
    const struct part_group *groups = part_groups(view->parts[0]->part);
    assert_int_equal(part_info(view->parts[0]->part)->group_count, 3);
    for (uint32_t g = 1; g < 3; g++) {
        assert_true(groups[g - 1].max_t < groups[g].min_t);
    }
    store_view_unref(view);
    for (int i = 0; i < METRICS; i++) {
        assert_int_equal(check_metric(&f, 0, i, 0, 0), 6000);
    }
    release_bodies(&before);
    release_bodies(&after);
    store_fixture_close(&f);
}

static void test_deletes_leave_others_alone(void **state)
{
    struct store_fixture f;
    struct bodies before, after;
    struct matcher *m = NULL;
    open_store(&f);
    write_job(&f, 0, 0, 3000, 1, 0);
    write_job(&f, 1, 0, 3000, 1, 0);
    write_job(&f, 2, 0, 3000, 1, 0);
    seal(&f);
    read_bodies(&f, &before);
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("job"), STR("job-1"), &m, NULL), 0);
    const struct matcher *const list[] = {m};
    assert_int_equal(
        tsdb_delete_series(f.db, list, 1, START_MS, START_MS + 999 * SECOND_MS, NULL), 0);
    assert_int_equal(tsdb_clean_tombstones(f.db, NULL), 0);
    read_bodies(&f, &after);
    assert_bodies(&before, &after, 0, 1, 1);
    assert_bodies(&before, &after, 1, 1, 0);
    assert_bodies(&before, &after, 2, 1, 1);
    for (int i = 0; i < METRICS; i++) {
        assert_int_equal(check_metric(&f, 0, i, 0, 0), 3000);
        assert_int_equal(check_metric(&f, 1, i, 0, 0), 2000);
    }
    matcher_free(m);
    release_bodies(&before);
    release_bodies(&after);
    store_fixture_close(&f);
}

/* A damaged page is not copied into a new file: the merge says so and leaves the parts as they are. */
static void test_damage_is_not_copied(void **state)
{
    struct store_fixture f;
    struct err e = ERR_INIT;
    open_store(&f);
    write_job(&f, 0, 0, 3000, 1, 0);
    seal(&f);
    write_job(&f, 1, 0, 3000, 1, 0);
    seal(&f);
    struct store_view *view = db_view(f.db);
    struct part *p = view->parts[0]->part;
    assert_int_equal(
        sim_vfs_flip_bit(f.sim, part_path(p), (p->places[0].page_offsets[0] + 100) * 8), 0);
    part_cache_clear(f.db->cache);
    assert_int_equal(merge_all(&f, &e), ERR_CORRUPT);
    assert_non_null(strstr(e.message, "cannot be copied"));
    assert_true(view->parts[0]->unmergeable);
    assert_false(view->parts[1]->unmergeable);
    store_view_unref(view);
    for (int i = 0; i < METRICS; i++) {
        assert_int_equal(check_metric(&f, 1, i, 0, 0), 3000);
    }
    store_fixture_close(&f);
}

/* ---- Memory ---- */

/* What a merge of that many seconds took at most; every row of every table is in two parts. */
static uint64_t merge_peak(int jobs, int seconds, size_t *tables_out)
{
    struct store_fixture f;
    open_store(&f);
    for (int half = 0; half < 2; half++) {
        for (int job = 0; job < jobs; job++) {
            write_job(&f, job, half, seconds, 2, 0);
        }
        seal(&f);
    }
    merge_well(&f);
    struct store_view *view = db_view(f.db);
    struct part *p = view->parts[0]->part;
    *tables_out = 0;
    for (uint32_t g = 0; g < part_info(p)->group_count; g++) {
        *tables_out += 2 * part_groups(p)[g].target_count; /* read and written */
    }
    assert_int_equal(part_info(p)->samples, (uint64_t)jobs * METRICS * (uint64_t)seconds);
    uint64_t peak = f.db->merge_bytes_peak;
    store_view_unref(view);
    for (int job = 0; job < jobs; job++) {
        assert_int_equal(check_metric(&f, job, 0, 0, 0), seconds);
    }
    store_fixture_close(&f);
    return peak;
}

static void test_memory_is_bounded(void **state)
{
    static const struct {
        int jobs, seconds;
    } rows[] = {{1, 8192}, {2, 16384}, {1, 65536}, {4, 40000}};
    uint64_t least = UINT64_MAX, most = 0;
    size_t tables = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t peak = merge_peak(rows[i].jobs, rows[i].seconds, &tables);
        print_message("%d jobs, %d seconds: %llu bytes, %zu tables\n", rows[i].jobs,
            rows[i].seconds, (unsigned long long)peak, tables);
        assert_true(peak <= MERGE_BYTES_MAX + tables * MERGE_BYTES_PER_TABLE);
        least = peak < least ? peak : least;
        most = peak > most ? peak : most;
    }
    /* Twenty times the samples take no twice the memory: four tables of a group instead of one. */
    if (most > 2 * least) {
        fail_msg("from %llu to %llu bytes", (unsigned long long)least, (unsigned long long)most);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late_samples_leave_others_alone),
        cmocka_unit_test(test_long_tables_stay),
        cmocka_unit_test(test_order_around_a_copy),
        cmocka_unit_test(test_deletes_leave_others_alone),
        cmocka_unit_test(test_damage_is_not_copied),
        cmocka_unit_test(test_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
