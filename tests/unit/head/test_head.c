/* The head against a plain list of samples: random commits in any order of time, conflicts, repeats,
 * histograms, failing logs, freezes in between, and readers that stay open and must not see what came
 * after them.
 */
#include "head/head.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"

enum { TARGETS = 4, SHAPES = 90, SERIES = TARGETS * SHAPES };

#define START_MS INT64_C(1700000000000)

/* ---- The store under test ---- */

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct index *index;
    struct head *head;
    struct wal *wal;
};

static const struct str IDENTITY[] = {{"instance", 8}, {"job", 3}};

static void fixture_open(struct fixture *f, uint64_t seed)
{
    *f = (struct fixture){.sim = sim_vfs_new(seed)};
    fake_clock_init(&f->clock, START_MS);
    assert_int_equal(index_new(&f->index), 0);
    const struct head_options options = {.index = f->index,
        .clock = &f->clock.clock,
        .identity_labels = IDENTITY,
        .identity_label_count = 2};
    assert_int_equal(head_new(&options, &f->head), 0);
    const struct wal_options wal_options = {.path = "wal",
        .vfs = sim_vfs_get(f->sim),
        .clock = &f->clock.clock,
        .first_lsn = 1,
        .dictionary = head_dictionary(f->head)};
    assert_int_equal(wal_open(&wal_options, &f->wal, NULL), 0);
    head_start(f->head, f->wal, 0);
}

static void fixture_close(struct fixture *f)
{
    wal_close(f->wal);
    head_free(f->head);
    index_free(f->index);
    sim_vfs_free(f->sim);
}

/* Series i: target i / SHAPES, shape i % SHAPES. The last target has no identity at all. */
static size_t make_labels(uint32_t series, char *buffer, struct label *labels)
{
    size_t count = 0;
    uint32_t target = series / SHAPES;
    int n = snprintf(buffer, 64, "metric_%u", series % SHAPES);
    labels[count++] = (struct label){STR("__name__"), str_make(buffer, (size_t)n)};
    if (target + 1 < TARGETS) {
        int m = snprintf(buffer + 64, 64, "host-%u:9100", target);
        labels[count++] = (struct label){STR("instance"), str_make(buffer + 64, (size_t)m)};
        labels[count++] = (struct label){STR("job"), STR("node")};
    }
    return count;
}

static struct series_ref make_series(struct appender *a, uint32_t series)
{
    char buffer[128];
    struct label labels[4];
    size_t count = make_labels(series, buffer, labels);
    struct hash128 key = hash128(&series, sizeof(series), 7);
    struct series_ref ref = {0, 0};
    struct err e = ERR_INIT;
    if (appender_lookup(a, key, &ref) == 0) {
        assert_int_equal(appender_series(a, labels, count, &key, &ref, &e), 0);
    }
    return ref;
}

/* ---- The model: every committed sample with the number of its commit ---- */

struct model_sample {
    uint32_t series;
    uint32_t commit;
    int64_t t_ms;
    double value;
};

struct model {
    struct model_sample *samples;
    size_t count, cap;
    size_t pending; /* from here on: not committed */
    uint32_t commits;
};

static void model_add(struct model *m, uint32_t series, int64_t t_ms, double value)
{
    assert_int_equal(mem_array_grow((void **)&m->samples, &m->cap, m->count + 1,
                         sizeof(*m->samples), (size_t)1 << 30),
        0);
    m->samples[m->count++] = (struct model_sample){series, m->commits + 1, t_ms, value};
}

/* The samples of one series that a reader after commit `commit` sees, in time order. */
static size_t model_read(const struct model *m, uint32_t series, uint32_t commit, int64_t min_t,
    int64_t max_t, struct model_sample *out, size_t cap)
{
    size_t count = 0;
    for (size_t i = 0; i < m->pending; i++) {
        const struct model_sample *s = &m->samples[i];
        if (s->series != series || s->commit > commit || s->t_ms < min_t || s->t_ms > max_t) {
            continue;
        }
        size_t at = count;
        while (at > 0 && out[at - 1].t_ms > s->t_ms) {
            at--;
        }
        if (at > 0 && out[at - 1].t_ms == s->t_ms) {
            out[at - 1] = *s;
            continue;
        }
        assert_true(count < cap);
        memmove(out + at + 1, out + at, (count - at) * sizeof(*out));
        out[at] = *s;
        count++;
    }
    return count;
}

/* ---- Comparing ---- */

struct found {
    struct table *table;
    uint32_t column;
    uint32_t count;
};

static int on_match(void *context, const struct head_match *match)
{
    struct found *found = context;
    found->table = match->table;
    found->column = match->column;
    found->count += match->kind == COLUMN_FLOAT;
    return 0;
}

static void find_series(struct fixture *f, uint32_t series, const struct read_point *point,
    int64_t min_t, int64_t max_t, struct found *found)
{
    char buffer[128];
    struct label labels[4];
    size_t count = make_labels(series, buffer, labels);
    uint32_t target = 0, shape = 0;
    *found = (struct found){0};
    if (index_find(f->index, INDEX_TARGETS, labels + 1, count - 1, &target) == 0 ||
        index_find(f->index, INDEX_SHAPES, labels, 1, &shape) == 0) {
        return;
    }
    struct index_rectangle r = {id_set_of(&target, 1), id_set_of(&shape, 1)};
    const struct head_selection selection = {.rectangle = &r,
        .point = point,
        .min_t = min_t,
        .max_t = max_t,
        .callback = on_match,
        .context = found};
    assert_int_equal(head_select(f->head, &selection), 0);
    id_set_free(r.targets);
    id_set_free(r.shapes);
}

static void compare_series(struct fixture *f, const struct model *m, uint32_t series,
    const struct read_point *point, uint32_t commit, int64_t min_t, int64_t max_t)
{
    static struct model_sample expected[20000];
    size_t count = model_read(m, series, commit, min_t, max_t, expected, 20000);
    struct found found;
    find_series(f, series, point, min_t, max_t, &found);
    struct arena arena;
    arena_init(&arena, 0);
    struct sample_list list = {0};
    if (found.count > 0) {
        assert_int_equal(found.count, 1);
        assert_int_equal(
            table_read(found.table, found.column, point, min_t, max_t, &arena, &list), 0);
    }
    if (list.count != count) {
        fail_msg(
            "series %u at commit %u: %zu samples, expected %zu", series, commit, list.count, count);
    }
    for (size_t i = 0; i < count; i++) {
        if (list.times[i] != expected[i].t_ms ||
            double_bits(list.values[i]) != double_bits(expected[i].value)) {
            fail_msg("series %u at commit %u, sample %zu: %lld %g, expected %lld %g", series,
                commit, i, (long long)list.times[i], list.values[i], (long long)expected[i].t_ms,
                expected[i].value);
        }
    }
    arena_release(&arena);
}

static void compare_all(
    struct fixture *f, const struct model *m, const struct read_point *point, uint32_t commit)
{
    for (uint32_t s = 0; s < SERIES; s += 7) {
        compare_series(f, m, s, point, commit, INT64_MIN, INT64_MAX);
        compare_series(f, m, s, point, commit, START_MS + 40 * 15000, START_MS + 90 * 15000);
    }
}

/* ---- The random walk ---- */

/* Readers that stay open for a while. */
enum { VIEWS = 3 };

struct walk {
    struct fixture f;
    struct model m;
    uint64_t random;
    int64_t now;
    struct head_view views[VIEWS];
    uint32_t view_commit[VIEWS];
    bool view_open[VIEWS];
    struct freeze *freezes[64];
    size_t freeze_count;
};

static double random_value(struct walk *w)
{
    static const double odd[] = {0.0, -0.0, 1.0 / 3, 1e300, -5e-324};
    uint64_t r = test_random(&w->random);
    if (r % 50 == 0) {
        return value_stale_marker();
    }
    return r % 11 == 0 ? odd[r / 50 % 5] : (double)(int64_t)(r % 1000);
}

static void append(struct walk *w, struct appender *a, uint32_t series, int64_t t_ms, double value)
{
    assert_int_equal(appender_append(a, make_series(a, series), t_ms, value), 0);
    model_add(&w->m, series, t_ms, value);
}

/* A scrape of one target, whole or a share of it. */
static void append_scrape(struct walk *w, struct appender *a, int64_t t_ms)
{
    uint32_t target = (uint32_t)(test_random(&w->random) % TARGETS);
    uint64_t share = test_random(&w->random) % 4;
    for (uint32_t s = 0; s < SHAPES; s++) {
        if (share == 0 || test_random(&w->random) % 4 < share) {
            append(w, a, target * SHAPES + s, t_ms, random_value(w));
        }
    }
}

static void append_stray(struct walk *w, struct appender *a)
{
    for (int i = 0; i < 20; i++) {
        int64_t back = (int64_t)(test_random(&w->random) % 2000) * 7500;
        append(w, a, (uint32_t)(test_random(&w->random) % SERIES), w->now - back, random_value(w));
    }
}

/* Some of what is there already, with the same values. */
static void append_repeats(struct walk *w, struct appender *a)
{
    struct model_sample now[1];
    for (int i = 0; i < 30 && w->m.pending > 0; i++) {
        struct model_sample s = w->m.samples[test_random(&w->random) % w->m.pending];
        size_t n = model_read(&w->m, s.series, UINT32_MAX, s.t_ms, s.t_ms, now, 1);
        if (n == 1) {
            append(w, a, s.series, s.t_ms, now[0].value);
        }
    }
}

static void step_commit(struct walk *w)
{
    struct appender *a = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(appender_open(head_appender_source(w->f.head), &a, &e), 0);
    switch (test_random(&w->random) % 8) {
    case 0:
        append_stray(w, a);
        break;
    case 1:
        append_repeats(w, a);
        break;
    default:
        w->now += 15000;
        append_scrape(w, a, w->now);
        append_scrape(w, a, w->now - (int64_t)(test_random(&w->random) % 3) * 15000);
    }
    uint64_t end = test_random(&w->random) % 12;
    if (end == 0) {
        appender_rollback(a);
        w->m.count = w->m.pending;
        return;
    }
    if (end == 1) {
        /* Both attempts at the log fail. */
        sim_vfs_fail_from(w->f.sim, SIM_APPEND | SIM_CREATE, 1, ERR_NO_SPACE);
        int status = appender_commit(a, COMMIT_AS_CONFIGURED, NULL, &e);
        sim_vfs_fail_clear(w->f.sim);
        if (status != 0) {
            w->m.count = w->m.pending;
            return;
        }
    } else {
        assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, &e), 0);
    }
    w->m.pending = w->m.count;
    w->m.commits++;
}

static void step_view(struct walk *w)
{
    size_t i = test_random(&w->random) % VIEWS;
    if (w->view_open[i]) {
        compare_all(&w->f, &w->m, &w->views[i].point, w->view_commit[i]);
        head_view_close(w->f.head, &w->views[i]);
        w->view_open[i] = false;
        return;
    }
    /* Views must be listed where they are: the array does not move. */
    head_view_open(w->f.head, 0, &w->views[i]);
    w->view_commit[i] = w->m.commits;
    w->view_open[i] = true;
}

static void step_freeze(struct walk *w)
{
    if (w->freeze_count < 20) {
        struct freeze *f = NULL;
        uint64_t lsn = 0;
        uint32_t slice = (uint32_t)(test_random(&w->random) % HEAD_SLICES);
        assert_int_equal(head_freeze(w->f.head, slice, &f, &lsn), 0);
        if (f != NULL) {
            w->freezes[w->freeze_count++] = f;
        }
    }
}

static void walk(uint64_t seed, int steps)
{
    struct walk w = {.random = seed, .now = START_MS};
    fixture_open(&w.f, seed);
    for (int i = 0; i < steps; i++) {
        uint64_t what = test_random(&w.random) % 40;
        if (what == 0) {
            step_freeze(&w);
        } else if (what == 39) {
            head_tidy(w.f.head);
        } else if (what < 6) {
            step_view(&w);
        } else {
            step_commit(&w);
        }
    }
    struct read_point newest = {.lsn = UINT64_MAX};
    compare_all(&w.f, &w.m, &newest, UINT32_MAX);
    for (size_t i = 0; i < VIEWS; i++) {
        if (w.view_open[i]) {
            compare_all(&w.f, &w.m, &w.views[i].point, w.view_commit[i]);
            head_view_close(w.f.head, &w.views[i]);
        }
    }
    struct head_statistics statistics;
    head_statistics(w.f.head, &statistics);
    assert_true(statistics.tables >= TARGETS);
    for (size_t i = 0; i < w.freeze_count; i++) {
        head_freeze_drop(w.f.head, w.freezes[i]);
    }
    mem_free(w.m.samples);
    fixture_close(&w.f);
}

static void test_random_walks(void **state)
{
    for (uint64_t i = 0; i < 6; i++) {
        walk(test_seed() * 1000 + i, 400);
    }
}

/* ---- Repeats, conflicts, counts ---- */

static void commit_one(
    struct fixture *f, uint32_t series, int64_t t_ms, double value, struct append_counts *counts)
{
    struct appender *a = NULL;
    assert_int_equal(appender_open(head_appender_source(f->head), &a, NULL), 0);
    assert_int_equal(appender_append(a, make_series(a, series), t_ms, value), 0);
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, counts, NULL), 0);
}

static void test_repeats_are_not_logged(void **state)
{
    struct fixture f;
    fixture_open(&f, 1);
    struct append_counts counts = {0};
    struct wal_statistics before, after;
    commit_one(&f, 0, START_MS, 5, &counts);
    assert_int_equal(counts.repeated, 0);
    wal_statistics(f.wal, &before);
    commit_one(&f, 0, START_MS, 5, &counts);
    assert_int_equal(counts.samples, 1);
    assert_int_equal(counts.repeated, 1);
    wal_statistics(f.wal, &after);
    assert_int_equal(before.written_bytes, after.written_bytes);
    /* Not when they are in mini-blocks either. */
    for (int round = 0; round < 2; round++) {
        uint64_t repeated = 0;
        for (int i = 0; i < 50; i++) {
            commit_one(&f, 1, START_MS + i * 1000, i, &counts);
            repeated += counts.repeated;
        }
        assert_int_equal(repeated, round * 50);
    }
    /* A, B, A: the last one is news again. */
    commit_one(&f, 1, START_MS + 1000, -1, &counts);
    assert_int_equal(counts.repeated, 0);
    commit_one(&f, 1, START_MS + 1000, 1, &counts);
    assert_int_equal(counts.repeated, 0);
    commit_one(&f, 0, START_MS, 6, &counts);
    assert_int_equal(counts.repeated, 0);
    commit_one(&f, 0, START_MS, 5, &counts);
    assert_int_equal(counts.repeated, 0);
    fixture_close(&f);
}

static void test_times_out_of_range(void **state)
{
    struct fixture f;
    fixture_open(&f, 1);
    struct appender *a = NULL;
    assert_int_equal(appender_open(head_appender_source(f.head), &a, NULL), 0);
    struct series_ref ref = make_series(a, 0);
    assert_int_equal(appender_append(a, ref, SAMPLE_TIME_MAX + 1, 1), ERR_RANGE);
    assert_int_equal(appender_append(a, ref, -SAMPLE_TIME_MAX - 1, 1), ERR_RANGE);
    assert_int_equal(appender_append(a, ref, SAMPLE_TIME_MAX, 1), 0);
    assert_int_equal(appender_append(a, ref, -SAMPLE_TIME_MAX, 1), 0);
    struct append_counts counts = {0};
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, &counts, NULL), 0);
    assert_int_equal(counts.samples, 2);
    assert_int_equal(counts.too_old, 1);
    assert_int_equal(counts.too_far_ahead, 1);
    fixture_close(&f);
}

static void test_labels_out_of_order_are_refused(void **state)
{
    struct fixture f;
    fixture_open(&f, 1);
    struct appender *a = NULL;
    assert_int_equal(appender_open(head_appender_source(f.head), &a, NULL), 0);
    struct label unsorted[] = {{STR("b"), STR("1")}, {STR("a"), STR("1")}};
    struct label twice[] = {{STR("a"), STR("1")}, {STR("a"), STR("2")}};
    struct label empty[] = {{STR("a"), STR("")}};
    struct series_ref ref;
    struct err e = ERR_INIT;
    assert_int_equal(appender_series(a, unsorted, 2, NULL, &ref, &e), ERR_INVALID);
    assert_int_equal(appender_series(a, twice, 2, NULL, &ref, &e), ERR_INVALID);
    assert_int_equal(appender_series(a, empty, 1, NULL, &ref, &e), ERR_INVALID);
    appender_rollback(a);
    fixture_close(&f);
}

/* Series without identity, more than one table holds, and equal targets that share their columns. */
static void test_many_tables_of_one_target(void **state)
{
    enum { LONELY = 3 * PSEUDO_TABLE_COLUMNS_MAX + 10 };
    struct fixture f;
    fixture_open(&f, 1);
    for (int round = 0; round < 3; round++) {
        struct appender *a = NULL;
        assert_int_equal(appender_open(head_appender_source(f.head), &a, NULL), 0);
        for (uint32_t i = 0; i < LONELY; i++) {
            char name[32];
            int n = snprintf(name, sizeof(name), "lonely_%u", i);
            struct label labels[] = {{STR("__name__"), str_make(name, (size_t)n)}};
            struct series_ref ref, again;
            assert_int_equal(appender_series(a, labels, 1, NULL, &ref, NULL), 0);
            assert_int_equal(appender_series(a, labels, 1, NULL, &again, NULL), 0);
            assert_int_equal(ref.target, again.target);
            assert_int_equal(ref.column, again.column);
            assert_true(ref.column < PSEUDO_TABLE_COLUMNS_MAX);
            assert_int_equal(appender_append(a, ref, START_MS + round, i), 0);
        }
        assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
        head_tidy(f.head);
    }
    struct head_statistics statistics;
    head_statistics(f.head, &statistics);
    assert_int_equal(statistics.tables, 4);
    assert_int_equal(statistics.columns, LONELY);
    fixture_close(&f);
}

static void test_equal_tables_share_columns(void **state)
{
    struct fixture f;
    fixture_open(&f, 1);
    /* Three targets with the same shapes in the same order. */
    for (uint32_t s = 0; s < 3 * SHAPES; s++) {
        commit_one(&f, s, START_MS, 1, NULL);
    }
    struct head_statistics before, after;
    head_statistics(f.head, &before);
    head_tidy(f.head);
    head_statistics(f.head, &after);
    assert_true(after.memory + 3 * SHAPES * sizeof(struct column) <= before.memory);
    /* One of them grows: it alone. */
    struct appender *a = NULL;
    struct series_ref ref;
    struct label more[] = {{STR("__name__"), STR("more")}, {STR("instance"), STR("host-1:9100")},
        {STR("job"), STR("node")}};
    assert_int_equal(appender_open(head_appender_source(f.head), &a, NULL), 0);
    assert_int_equal(appender_series(a, more, 3, NULL, &ref, NULL), 0);
    assert_int_equal(ref.column, SHAPES);
    assert_int_equal(appender_append(a, ref, START_MS, 2), 0);
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
    head_tidy(f.head);
    head_statistics(f.head, &after);
    assert_int_equal(after.columns, 3 * SHAPES + 1);
    fixture_close(&f);
}

/* ---- Threads ---- */

struct worker {
    struct fixture *f;
    uint32_t number;
};

enum { WORKERS = 4, ROUNDS = 60 };

/* Each writes its share of the columns of every target, as the shards of one sender do. */
static void *write_share(void *context)
{
    const struct worker *w = context;
    for (int round = 0; round < ROUNDS; round++) {
        struct appender *a = NULL;
        assert_int_equal(appender_open(head_appender_source(w->f->head), &a, NULL), 0);
        for (uint32_t s = w->number; s < SERIES; s += WORKERS) {
            assert_int_equal(
                appender_append(a, make_series(a, s), START_MS + round * 1000, round * 1000.0 + s),
                0);
        }
        int status = appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL);
        if (status == ERR_BUSY) {
            round--; /* rounds of tidying outran it, and its tables had left: it is sent again */
            continue;
        }
        assert_int_equal(status, 0);
    }
    return NULL;
}

/* A commit is seen whole or not at all: per round, a worker's columns of one target. */
static void *read_back(void *context)
{
    const struct worker *w = context;
    struct arena arena;
    arena_init(&arena, 0);
    for (int round = 0; round < ROUNDS; round++) {
        struct head_view view;
        head_view_open(w->f->head, 0, &view);
        struct sample_list lists[2] = {0};
        for (int i = 0; i < 2; i++) {
            struct found found;
            find_series(
                w->f, w->number + (uint32_t)i * WORKERS, &view.point, INT64_MIN, INT64_MAX, &found);
            if (found.count > 0) {
                assert_int_equal(table_read(found.table, found.column, &view.point, INT64_MIN,
                                     INT64_MAX, &arena, &lists[i]),
                    0);
            }
        }
        assert_int_equal(lists[0].count, lists[1].count);
        for (size_t k = 0; k < lists[0].count; k++) {
            assert_true(lists[1].values[k] - lists[0].values[k] == WORKERS);
        }
        head_view_close(w->f->head, &view);
        arena_release(&arena);
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct fixture f;
    fixture_open(&f, 3);
    pthread_t threads[2 * WORKERS];
    struct worker workers[WORKERS];
    for (uint32_t i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){&f, i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_share, &workers[i]), 0);
        assert_int_equal(pthread_create(&threads[WORKERS + i], NULL, read_back, &workers[i]), 0);
    }
    struct freeze *freezes[HEAD_SLICES] = {NULL};
    for (uint32_t i = 0; i < HEAD_SLICES; i++) {
        uint64_t lsn = 0;
        assert_int_equal(head_freeze(f.head, i, &freezes[i], &lsn), 0);
        head_tidy(f.head);
    }
    for (uint32_t i = 0; i < 2 * WORKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    struct read_point newest = {.lsn = UINT64_MAX};
    struct arena arena;
    arena_init(&arena, 0);
    for (uint32_t s = 0; s < SERIES; s++) {
        struct found found;
        struct sample_list list = {0};
        find_series(&f, s, &newest, INT64_MIN, INT64_MAX, &found);
        assert_int_equal(found.count, 1);
        assert_int_equal(
            table_read(found.table, found.column, &newest, INT64_MIN, INT64_MAX, &arena, &list), 0);
        assert_int_equal(list.count, ROUNDS);
    }
    arena_release(&arena);
    for (uint32_t i = 0; i < HEAD_SLICES; i++) {
        if (freezes[i] != NULL) {
            head_freeze_drop(f.head, freezes[i]);
        }
    }
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_walks),
        cmocka_unit_test(test_repeats_are_not_logged),
        cmocka_unit_test(test_times_out_of_range),
        cmocka_unit_test(test_labels_out_of_order_are_refused),
        cmocka_unit_test(test_many_tables_of_one_target),
        cmocka_unit_test(test_equal_tables_share_columns),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
