/* The plain twin of the store; see the header. */
#include "support/store_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "support/support.h"

/* Writes of one series. */
#define MODEL_WRITES_MAX ((size_t)1 << 24)

void store_model_init(struct store_model *m, uint32_t series_count)
{
    *m = (struct store_model){.series_count = series_count, .expired_before = INT64_MIN};
    m->series = mem_calloc(series_count, sizeof(*m->series));
    assert_non_null(m->series);
}

void store_model_release(struct store_model *m)
{
    for (uint32_t i = 0; i < m->series_count; i++) {
        mem_free(m->series[i].writes);
    }
    mem_free(m->series);
}

/* ---- Labels: every tenth series has no identity, the others belong to three hosts ---- */

struct model_labels {
    char text[3][32];
    struct label pairs[4];
    size_t count;
};

static void labels_of(uint32_t series, struct model_labels *l)
{
    int n = snprintf(l->text[0], sizeof(l->text[0]), "metric_%u", series);
    l->count = 0;
    l->pairs[l->count++] = (struct label){STR("__name__"), str_make(l->text[0], (size_t)n)};
    n = snprintf(l->text[1], sizeof(l->text[1]), "%u", series % 4);
    l->pairs[l->count++] = (struct label){STR("cpu"), str_make(l->text[1], (size_t)n)};
    if (series % 10 != 9) {
        n = snprintf(l->text[2], sizeof(l->text[2]), "host-%u", series % 3);
        l->pairs[l->count++] = (struct label){STR("instance"), str_make(l->text[2], (size_t)n)};
        l->pairs[l->count++] = (struct label){STR("job"), STR("node")};
    }
}

static uint32_t series_of(const struct labels *labels)
{
    struct str name = labels_get(labels, STR("__name__"));
    uint64_t series = 0;
    assert_true(str_starts_with(name, STR("metric_")));
    assert_int_equal(str_to_u64(str_skip(name, 7), &series), 0);
    struct model_labels expected;
    labels_of((uint32_t)series, &expected);
    assert_int_equal(labels_count(labels), expected.count);
    for (size_t i = 0; i < expected.count; i++) {
        assert_true(str_eq(labels_at(labels, i).name, expected.pairs[i].name));
        assert_true(str_eq(labels_at(labels, i).value, expected.pairs[i].value));
    }
    return (uint32_t)series;
}

/* ---- Histograms: made from one number ---- */

struct model_histogram {
    struct histogram_span span;
    double counts[3];
    struct histogram histogram;
};

static void histogram_of(double value, struct model_histogram *h)
{
    *h = (struct model_histogram){.span = {-1, 3}, .counts = {value, 2 * value, 1}};
    h->histogram = (struct histogram){.schema = 3,
        .zero_threshold = 1e-128,
        .zero_count = 1,
        .count = 3 * value + 2,
        .sum = value / 3,
        .positive = {&h->span, 1, h->counts, 3}};
}

/* ---- Transactions ---- */

int model_begin(
    struct model_txn *t, struct store_model *m, struct appender_source *source, struct err *e)
{
    *t = (struct model_txn){.model = m, .key_seed = source->key_seed};
    return appender_open(source, &t->appender, e);
}

static int series_ref_of(struct model_txn *t, uint32_t series, struct series_ref *ref)
{
    struct hash128 key = hash128(&series, sizeof(series), t->key_seed);
    if (appender_lookup(t->appender, key, ref) == 1) {
        return 0;
    }
    struct model_labels l;
    labels_of(series, &l);
    return appender_series(t->appender, l.pairs, l.count, &key, ref, NULL);
}

static void remember(
    struct store_model *m, uint32_t series, int64_t t_ms, double value, bool histogram)
{
    struct model_series *s = &m->series[series];
    bool exempt = mem_fail_exempt(true);
    assert_int_equal(mem_array_grow((void **)&s->writes, &s->cap, s->count + 1, sizeof(*s->writes),
                         MODEL_WRITES_MAX),
        0);
    (void)mem_fail_exempt(exempt);
    s->writes[s->count++] = (struct model_write){
        .t_ms = t_ms, .value = value, .commit = m->commit + 1, .histogram = histogram};
}

/* One series in fifteen holds histograms in every other minute, and floats in between. */
static bool is_histogram(uint32_t series, int64_t t_ms)
{
    return series % 15 == 7 && t_ms / 60000 % 2 == 0;
}

void model_append(struct model_txn *t, uint32_t series, int64_t t_ms, double value)
{
    struct series_ref ref;
    struct model_histogram h;
    if (series_ref_of(t, series, &ref) != 0) {
        return;
    }
    t->model->operations++;
    bool histogram = is_histogram(series, t_ms);
    value = histogram ? (double)(double_bits(value) % 7) : value;
    histogram_of(value, &h);
    int status = histogram ? appender_append_histogram(t->appender, ref, t_ms, &h.histogram)
                           : appender_append(t->appender, ref, t_ms, value);
    if (status == 0) {
        remember(t->model, series, t_ms, value, histogram);
    }
}

static void end_commit(struct store_model *m, bool forget, bool failed)
{
    for (uint32_t i = 0; i < m->series_count; i++) {
        struct model_series *s = &m->series[i];
        while (forget && s->count > 0 && s->writes[s->count - 1].commit == m->commit + 1) {
            s->count--;
        }
        for (size_t k = s->count; failed && k > 0 && s->writes[k - 1].commit == m->commit + 1;
             k--) {
            s->writes[k - 1].failed = true;
        }
    }
    m->commit += !forget;
}

int model_commit(struct model_txn *t, enum commit_durability durability, struct err *e)
{
    int status = appender_commit(t->appender, durability, NULL, e);
    end_commit(t->model, false, status != 0);
    return status;
}

void model_rollback(struct model_txn *t)
{
    appender_rollback(t->appender);
    end_commit(t->model, true, false);
}

/* ---- Deletes ---- */

static bool series_matches(uint32_t series, const struct matcher *const *matchers, size_t count)
{
    struct model_labels l;
    const struct labels *labels = NULL;
    labels_of(series, &l);
    bool exempt = mem_fail_exempt(true);
    assert_int_equal(labels_new(l.pairs, l.count, &labels, NULL), 0);
    bool matches = matchers_match(matchers, count, labels);
    labels_unref(labels);
    (void)mem_fail_exempt(exempt);
    return matches;
}

int model_delete(struct store_model *m, struct tsdb *db, const struct matcher *const *matchers,
    size_t count, int64_t min_t, int64_t max_t, struct err *e)
{
    int status = tsdb_delete_series(db, matchers, count, min_t, max_t, e);
    m->commit++;
    for (uint32_t i = 0; i < m->series_count; i++) {
        struct model_series *s = &m->series[i];
        if (!series_matches(i, matchers, count)) {
            continue;
        }
        for (size_t k = 0; k < s->count; k++) {
            struct model_write *w = &s->writes[k];
            if (w->t_ms < min_t || w->t_ms > max_t) {
                continue;
            }
            w->perhaps_deleted = w->perhaps_deleted || status != 0;
            w->deleted = status == 0 && w->deleted == 0 ? m->commit : w->deleted;
        }
    }
    m->durable = status == 0 ? m->commit : m->durable;
    return status;
}

/* No reader is left that could see them. */
static void drop_deleted(struct model_series *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->writes[i].deleted == 0) {
            s->writes[kept++] = s->writes[i];
        }
    }
    s->count = kept;
}

bool store_model_value(
    const struct store_model *m, uint32_t series, int64_t t_ms, struct model_write *out)
{
    const struct model_series *s = &m->series[series];
    for (size_t i = s->count; i > 0; i--) {
        const struct model_write *w = &s->writes[i - 1];
        if (w->t_ms == t_ms && !w->failed && w->commit <= m->commit) {
            *out = *w;
            return true;
        }
    }
    return false;
}

/* ---- Reading the store ---- */

struct shown {
    struct model_write *writes;
    size_t count, cap;
    bool there;
};

static double value_of_histogram(const struct histogram *h)
{
    struct model_histogram expected;
    double value = h->positive.count > 0 ? h->positive.counts[0] : -1;
    histogram_of(value, &expected);
    assert_true(histogram_eq(h, &expected.histogram));
    return value;
}

static void show_series(struct series *series, struct shown *shown)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct column_iter *it = NULL;
    struct column_run run;
    struct err e = ERR_INIT;
    assert_int_equal(series_open(series, &arena, &it, &e), 0);
    int status = 0;
    while ((status = column_iter_next(it, &run, &e)) == 1) {
        assert_true(run.count > 0);
        assert_true((run.values != NULL) != (run.histograms != NULL));
        for (size_t i = 0; i < run.count; i++) {
            assert_int_equal(mem_array_grow((void **)&shown->writes, &shown->cap, shown->count + 1,
                                 sizeof(*shown->writes), MODEL_WRITES_MAX),
                0);
            bool histogram = run.histograms != NULL;
            double value = histogram ? value_of_histogram(run.histograms[i]) : run.values[i];
            if (shown->count > 0) {
                assert_true(shown->writes[shown->count - 1].t_ms < run.times[i]);
            }
            shown->writes[shown->count++] =
                (struct model_write){.t_ms = run.times[i], .value = value, .histogram = histogram};
        }
    }
    if (status != 0) {
        fail_msg("reading failed: %s", e.message);
    }
    column_iter_close(it);
    arena_release(&arena);
}

static struct shown *show_all(
    struct store_model *m, struct querier *q, int64_t min_t, int64_t max_t)
{
    struct shown *all = mem_calloc(m->series_count, sizeof(*all));
    struct arena arena;
    arena_init(&arena, 0);
    struct series_set *set = NULL;
    struct err e = ERR_INIT;
    const struct select_request request = {.min_t = min_t, .max_t = max_t};
    if (querier_select(q, &request, &arena, &set, &e) != 0) {
        fail_msg("select failed: %s", e.message);
    }
    for (size_t i = 0; i < set->count; i++) {
        uint32_t series = series_of(series_labels(set->series[i]));
        assert_true(series < m->series_count);
        if (all[series].there) {
            fail_msg("series %u comes twice", series);
        }
        all[series].there = true;
        show_series(set->series[i], &all[series]);
        m->operations += all[series].count;
    }
    series_set_free(set);
    arena_release(&arena);
    return all;
}

static void free_shown(const struct store_model *m, struct shown *all)
{
    for (uint32_t i = 0; i < m->series_count; i++) {
        mem_free(all[i].writes);
    }
    mem_free(all);
}

/* ---- Comparing ---- */

static int compare_writes(const void *a, const void *b)
{
    const struct model_write *x = a, *y = b;
    if (x->t_ms != y->t_ms) {
        return x->t_ms < y->t_ms ? -1 : 1;
    }
    return x->commit < y->commit ? -1 : x->commit > y->commit;
}

/* Writes by time, then commit. Two of one commit at one time: the later call is behind. */
static struct model_write *sorted_writes(const struct model_series *s)
{
    struct model_write *copy = mem_dup(s->writes, s->count * sizeof(*copy));
    assert_non_null(copy);
    /* Insertion keeps the order of equals; most of it is sorted already. */
    for (size_t i = 1; i < s->count; i++) {
        struct model_write moving = copy[i];
        size_t at = i;
        while (at > 0 && compare_writes(&copy[at - 1], &moving) > 0) {
            copy[at] = copy[at - 1];
            at--;
        }
        copy[at] = moving;
    }
    return copy;
}

static bool same_value(const struct model_write *a, const struct model_write *b)
{
    return a->histogram == b->histogram && double_bits(a->value) == double_bits(b->value);
}

static void check_series(const struct store_model *m, uint32_t series, const struct shown *shown,
    uint32_t commit, int64_t min_t, int64_t max_t)
{
    const struct model_series *s = &m->series[series];
    struct model_write *writes = sorted_writes(s);
    size_t at = 0;
    for (size_t i = 0; i < s->count;) {
        const struct model_write *expected = NULL;
        int64_t t_ms = writes[i].t_ms;
        for (; i < s->count && writes[i].t_ms == t_ms; i++) {
            if (!writes[i].failed && writes[i].commit <= commit) {
                expected = &writes[i];
            }
        }
        bool gone = expected == NULL || (expected->deleted > 0 && expected->deleted <= commit);
        bool there = at < shown->count && shown->writes[at].t_ms == t_ms;
        bool expired = t_ms < m->expired_before && !there;
        if (gone || expired || t_ms < min_t || t_ms > max_t) {
            continue;
        }
        if (!there) {
            fail_msg("series %u: the sample at %lld (commit %u) is missing; the store shows %lld",
                series, (long long)t_ms, expected->commit,
                at < shown->count ? (long long)shown->writes[at].t_ms : -1);
        }
        if (!same_value(&shown->writes[at], expected)) {
            fail_msg("series %u at %lld: %.17g, expected %.17g (commit %u of %u)", series,
                (long long)t_ms, shown->writes[at].value, expected->value, expected->commit,
                commit);
        }
        at++;
    }
    if (at != shown->count) {
        fail_msg("series %u: the store shows %lld, which nobody wrote", series,
            (long long)shown->writes[at].t_ms);
    }
    mem_free(writes);
}

void store_model_check(
    struct store_model *m, struct querier *q, uint32_t commit, int64_t min_t, int64_t max_t)
{
    struct shown *all = show_all(m, q, min_t, max_t);
    for (uint32_t i = 0; i < m->series_count; i++) {
        check_series(m, i, &all[i], commit, min_t, max_t);
    }
    free_shown(m, all);
}

void store_model_check_now(struct store_model *m, struct tsdb *db)
{
    struct querier *q = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(querier_open(tsdb_querier_source(db), INT64_MIN, INT64_MAX, &q, &e), 0);
    store_model_check(m, q, m->commit, INT64_MIN, INT64_MAX);
    querier_close(q);
}

/* ---- After a crash ---- */

/* Is what the store shows at one time among what it may show? `writes` are those of that time. */
static void check_recovered(const struct store_model *m, uint32_t series,
    const struct model_write *writes, size_t count, const struct model_write *shown,
    uint32_t durable)
{
    size_t last_durable = count;
    for (size_t i = 0; i < count; i++) {
        if (!writes[i].failed && writes[i].commit <= durable) {
            last_durable = i;
        }
    }
    if (shown == NULL) {
        if (last_durable < count && !writes[last_durable].perhaps_deleted &&
            writes[last_durable].t_ms >= m->expired_before) {
            fail_msg("series %u: the durable sample at %lld (commit %u) is lost", series,
                (long long)writes[0].t_ms, writes[last_durable].commit);
        }
        return;
    }
    for (size_t i = last_durable < count ? last_durable : 0; i < count; i++) {
        if (same_value(&writes[i], shown)) {
            return;
        }
    }
    for (size_t i = 0; i < count; i++) {
        printf("written: %.17g histogram %d commit %u failed %d\n", writes[i].value,
            writes[i].histogram, writes[i].commit, writes[i].failed);
    }
    fail_msg("series %u at %lld: %.17g (histogram %d) after the crash is none of what was written "
             "since the last durable commit %u",
        series, (long long)shown->t_ms, shown->value, shown->histogram, durable);
}

/* What is there becomes what was written. Writes that may be gone for their age stay in mind: the log
 * may bring them back for a while. */
static void adopt(struct store_model *m, uint32_t series, const struct shown *shown,
    const struct model_write *writes, size_t count)
{
    struct model_series *s = &m->series[series];
    size_t at = 0;
    s->count = 0;
    for (size_t i = 0; i < count; i++) {
        while (at < shown->count && shown->writes[at].t_ms < writes[i].t_ms) {
            at++;
        }
        bool there = at < shown->count && shown->writes[at].t_ms == writes[i].t_ms;
        if (!there && writes[i].t_ms < m->expired_before) {
            s->writes[s->count++] = writes[i];
        }
    }
    for (size_t i = 0; i < shown->count; i++) {
        remember(
            m, series, shown->writes[i].t_ms, shown->writes[i].value, shown->writes[i].histogram);
        s->writes[s->count - 1].commit = m->commit;
    }
}

static void recover_series(
    struct store_model *m, uint32_t series, const struct shown *shown, uint32_t durable)
{
    struct model_series *s = &m->series[series];
    drop_deleted(s);
    struct model_write *writes = sorted_writes(s);
    size_t at = 0;
    for (size_t i = 0; i < s->count;) {
        size_t end = i;
        while (end < s->count && writes[end].t_ms == writes[i].t_ms) {
            end++;
        }
        if (at < shown->count && shown->writes[at].t_ms < writes[i].t_ms) {
            break;
        }
        bool there = at < shown->count && shown->writes[at].t_ms == writes[i].t_ms;
        check_recovered(m, series, writes + i, end - i, there ? &shown->writes[at] : NULL, durable);
        at += there;
        i = end;
    }
    if (at != shown->count) {
        fail_msg("series %u: the store shows %lld after the crash, which nobody wrote", series,
            (long long)shown->writes[at].t_ms);
    }
    adopt(m, series, shown, writes, s->count);
    mem_free(writes);
}

void store_model_recover(struct store_model *m, struct tsdb *db, bool power_cut)
{
    struct querier *q = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(querier_open(tsdb_querier_source(db), INT64_MIN, INT64_MAX, &q, &e), 0);
    struct shown *all = show_all(m, q, INT64_MIN, INT64_MAX);
    for (uint32_t i = 0; i < m->series_count; i++) {
        recover_series(m, i, &all[i], power_cut ? m->durable : m->commit);
    }
    free_shown(m, all);
    querier_close(q);
}
