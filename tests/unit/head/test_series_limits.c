/* Limits of series at their boundary: one below, at, and one above; what is there goes on; what was
 * refused leaves no trace but its count. */
#include "head/head.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"

/* Ten minutes before the hour. */
#define START_MS (INT64_C(472222) * 3600000 - 600000)

struct fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct index *index;
    struct head *head;
    struct wal *wal;
};

static const struct str IDENTITY[] = {{"instance", 8}, {"job", 3}};

static void head_open(struct fixture *f)
{
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

static void head_close(struct fixture *f)
{
    wal_close(f->wal);
    head_free(f->head);
}

static void fixture_open(struct fixture *f, const struct series_limits *limits)
{
    *f = (struct fixture){.sim = sim_vfs_new(1)};
    fake_clock_init(&f->clock, START_MS);
    assert_int_equal(index_new(&f->index), 0);
    head_open(f);
    head_set_limits(f->head, limits);
}

static void fixture_close(struct fixture *f)
{
    head_close(f);
    index_free(f->index);
    sim_vfs_free(f->sim);
}

/* {__name__="metric", instance="…", job="…", id="…"}; empty values are left out. */
struct wanted {
    const char *metric, *id, *instance, *job;
};

static size_t labels_of(const struct wanted *w, struct label *out)
{
    size_t count = 0;
    out[count++] = (struct label){STR("__name__"), str_of(w->metric)};
    if (w->id[0] != '\0') {
        out[count++] = (struct label){STR("id"), str_of(w->id)};
    }
    if (w->instance[0] != '\0') {
        out[count++] = (struct label){STR("instance"), str_of(w->instance)};
    }
    if (w->job[0] != '\0') {
        out[count++] = (struct label){STR("job"), str_of(w->job)};
    }
    return count;
}

/* One sample of a series in a commit of its own, as a sender does it. */
static int send(struct fixture *f, const struct wanted *w, double value, struct err *e)
{
    struct appender *a = NULL;
    struct label labels[4];
    struct series_ref ref;
    size_t count = labels_of(w, labels);
    struct append_counts counts;
    assert_int_equal(appender_open(head_appender_source(f->head), &a, NULL), 0);
    int status = appender_series(a, labels, count, NULL, &ref, e);
    if (status == ERR_LIMIT) {
        appender_count_lost(a, str_of(w->metric), 1);
    } else {
        assert_int_equal(appender_append(a, ref, clock_now_ms(&f->clock.clock), value), 0);
    }
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, &counts, NULL), 0);
    assert_int_equal(counts.samples, status == 0);
    assert_int_equal(counts.limited, status != 0);
    return status;
}

static uint64_t refused(struct fixture *f, enum series_limit limit)
{
    struct head_statistics statistics;
    head_statistics(f->head, &statistics);
    return statistics.limit_refused[limit];
}

/* ---- Every limit that counts ---- */

enum { LIMIT = 7 };

static const struct boundary {
    const char *name;
    enum series_limit limit;
    struct series_limits limits;
    /* The i-th series that counts; %d is i. */
    struct wanted counts;
    /* A series that does not count against what is full. */
    struct wanted beside;
    const char *sentence;
} boundaries[] = {
    {"all series", SERIES_LIMIT_SERIES, {.series = LIMIT}, {"m", "%d", "a", "j"}, {0},
        "limit series (7) reached by the store: a new series of metric \"m\" is refused"},
    {"one target", SERIES_LIMIT_SERIES_PER_TARGET, {.series_per_target = LIMIT},
        {"m", "%d", "a", "j"}, {"m", "", "b", "j"},
        "limit series_per_target (7) reached by target {instance=\"a\",job=\"j\"}: a new series of "
        "metric \"m\" is refused"},
    {"one metric", SERIES_LIMIT_SERIES_PER_METRIC, {.series_per_metric = LIMIT},
        {"m", "", "%d", "j"}, {"n", "", "0", "j"},
        "limit series_per_metric (7) reached by metric \"m\": a new series of metric \"m\" is "
        "refused"},
    {"values of a label", SERIES_LIMIT_VALUES_PER_LABEL, {.values_per_label = LIMIT},
        {"m", "%d", "a", "j"}, {"n", "3", "b", "j"},
        "limit values_per_label (7) reached by label \"id\": a new series of metric \"m\" is "
        "refused"},
    {"values of a target's label", SERIES_LIMIT_VALUES_PER_LABEL, {.values_per_label = LIMIT},
        {"m", "x", "%d", "j"}, {"n", "y", "3", "j"},
        "limit values_per_label (7) reached by label \"instance\": a new series of metric \"m\" is "
        "refused"},
    {"metric names", SERIES_LIMIT_VALUES_PER_LABEL, {.values_per_label = LIMIT},
        {"m%d", "x", "a", "j"}, {"m3", "y", "b", "j"},
        "limit values_per_label (7) reached by label \"__name__\": a new series of metric \"m7\" "
        "is refused"},
    {"new series of a job", SERIES_LIMIT_NEW_SERIES_PER_HOUR, {.new_series_per_hour = LIMIT},
        {"m", "%d", "a", "j"}, {"m", "", "a", "k"},
        "limit new_series_per_hour (7) reached by job \"j\": a new series of metric \"m\" is "
        "refused"},
    {"new series without a job", SERIES_LIMIT_NEW_SERIES_PER_HOUR, {.new_series_per_hour = LIMIT},
        {"m", "%d", "a", ""}, {"m", "", "a", "k"},
        "limit new_series_per_hour (7) reached by job: a new series of metric \"m\" is refused"},
};

/* Writes the number where the pattern has it. */
static struct wanted nth(const struct wanted *pattern, int i, char text[4][32])
{
    const char *parts[] = {pattern->metric, pattern->id, pattern->instance, pattern->job};
    for (int k = 0; k < 4; k++) {
        const char *at = strstr(parts[k], "%d");
        int before = at != NULL ? (int)(at - parts[k]) : (int)strlen(parts[k]);
        if (at != NULL) {
            snprintf(text[k], 32, "%.*s%d%s", before, parts[k], i, at + 2);
        } else {
            snprintf(text[k], 32, "%s", parts[k]);
        }
    }
    return (struct wanted){text[0], text[1], text[2], text[3]};
}

static void check_boundary(const struct boundary *b)
{
    struct fixture f;
    struct err e = ERR_INIT;
    char text[4][32];
    fixture_open(&f, &b->limits);
    for (int i = 0; i < LIMIT; i++) {
        struct wanted w = nth(&b->counts, i, text);
        int status = send(&f, &w, 1, &e);
        if (status != 0) {
            fail_msg("%s: series %d of %d: %s", b->name, i + 1, LIMIT, e.message);
        }
    }
    assert_int_equal(refused(&f, b->limit), 0);
    uint32_t shapes = index_count(f.index, INDEX_SHAPES);
    uint32_t targets = index_count(f.index, INDEX_TARGETS);
    struct wanted w = nth(&b->counts, LIMIT, text);
    for (unsigned again = 1; again <= 3; again++) {
        if (send(&f, &w, 1, &e) != ERR_LIMIT) {
            fail_msg("%s: the series above the limit was taken", b->name);
        }
        assert_string_equal(e.message, b->sentence);
        assert_int_equal(refused(&f, b->limit), again);
    }
    /* What was refused is not in the index. */
    assert_int_equal(index_count(f.index, INDEX_SHAPES), shapes);
    assert_int_equal(index_count(f.index, INDEX_TARGETS), targets);
    for (int i = 0; i < LIMIT; i++) {
        fake_clock_advance_ms(&f.clock, 1000);
        w = nth(&b->counts, i, text);
        assert_int_equal(send(&f, &w, 2, &e), 0);
    }
    if (b->beside.metric != NULL) {
        if (send(&f, &b->beside, 1, &e) != 0) {
            fail_msg("%s: %s", b->name, e.message);
        }
    }
    /* One more place. */
    struct series_limits more = b->limits;
    int64_t *const members[] = {&more.series, &more.series_per_target, &more.series_per_metric,
        &more.values_per_label, &more.new_series_per_hour};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        *members[i] += *members[i] > 0;
    }
    head_set_limits(f.head, &more);
    w = nth(&b->counts, LIMIT, text);
    assert_int_equal(send(&f, &w, 1, &e), 0);
    w = nth(&b->counts, LIMIT + 1, text);
    assert_int_equal(send(&f, &w, 1, &e), ERR_LIMIT);
    /* None at all. */
    head_set_limits(f.head, &(struct series_limits){0});
    assert_int_equal(send(&f, &w, 1, &e), 0);
    fixture_close(&f);
}

static void test_boundaries(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(boundaries) / sizeof(boundaries[0]); i++) {
        check_boundary(&boundaries[i]);
    }
}

/* ---- Limits of a label set ---- */

static void test_label_sets(void **state)
{
    (void)state;
    const struct series_limits limits = {
        .labels_per_series = 3, .label_name_bytes = 8, .label_value_bytes = 5};
    static const struct {
        struct wanted series;
        enum series_limit limit;
        const char *sentence; /* NULL: taken */
    } cases[] = {
        {{"m", "", "a", "j"}, 0, NULL},
        {{"m", "1", "a", "j"}, SERIES_LIMIT_LABELS_PER_SERIES,
            "limit labels_per_series (3) reached by metric \"m\": a new series of metric \"m\" is "
            "refused"},
        {{"m", "12345", "", "j"}, 0, NULL},
        {{"m", "123456", "", "j"}, SERIES_LIMIT_LABEL_VALUE_BYTES,
            "limit label_value_bytes (5) reached by label \"id\": a new series of metric \"m\" is "
            "refused"},
    };
    struct fixture f;
    fixture_open(&f, &limits);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err e = ERR_INIT;
        int status = send(&f, &cases[i].series, 1, &e);
        assert_int_equal(status, cases[i].sentence != NULL ? ERR_LIMIT : 0);
        assert_string_equal(e.message, cases[i].sentence != NULL ? cases[i].sentence : "");
        assert_int_equal(cases[i].sentence != NULL ? refused(&f, cases[i].limit) : 1, 1);
    }
    /* `instance` and `__name__` have eight letters. */
    head_set_limits(f.head, &(struct series_limits){.label_name_bytes = 7});
    struct err e = ERR_INIT;
    assert_int_equal(send(&f, &(struct wanted){"n", "", "a", "j"}, 1, &e), ERR_LIMIT);
    assert_string_equal(e.message,
        "limit label_name_bytes (7) reached by label \"__name__\": a new series of metric \"n\" is "
        "refused");
    fixture_close(&f);
}

/* Targets without identity are none: they have no limit as such. */
static void test_no_target(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = ERR_INIT;
    fixture_open(&f, &(struct series_limits){.series_per_target = 2});
    for (int i = 0; i < 10; i++) {
        char id[8];
        snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(send(&f, &(struct wanted){"m", id, "", ""}, 1, &e), 0);
    }
    fixture_close(&f);
}

/* Short of memory no new series is made, whatever the numbers say. */
static void test_short_memory(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = ERR_INIT;
    fixture_open(&f, &(struct series_limits){0});
    assert_int_equal(send(&f, &(struct wanted){"m", "1", "a", "j"}, 1, &e), 0);
    head_set_memory_short(f.head, true);
    assert_int_equal(send(&f, &(struct wanted){"m", "2", "a", "j"}, 1, &e), ERR_LIMIT);
    assert_string_equal(
        e.message, "limit memory reached by the process: a new series of metric \"m\" is refused");
    assert_int_equal(refused(&f, SERIES_LIMIT_MEMORY), 1);
    fake_clock_advance_ms(&f.clock, 1);
    assert_int_equal(send(&f, &(struct wanted){"m", "1", "a", "j"}, 1, &e), 0);
    head_set_memory_short(f.head, false);
    assert_int_equal(send(&f, &(struct wanted){"m", "2", "a", "j"}, 1, &e), 0);
    fixture_close(&f);
}

/* ---- Hours ---- */

static int see_churn(void *context, const struct job_churn *churn)
{
    struct job_churn *seen = context;
    if (str_eq_c(churn->job, "j")) {
        *seen = *churn;
    }
    return 0;
}

static void check_churn(struct fixture *f, uint64_t this_hour, uint64_t last_hour)
{
    struct job_churn churn = {0};
    assert_int_equal(head_each_job(f->head, see_churn, &churn), 0);
    assert_int_equal(churn.this_hour, this_hour);
    assert_int_equal(churn.last_hour, last_hour);
}

static int send_nth(struct fixture *f, int i)
{
    char id[8];
    struct err e = ERR_INIT;
    snprintf(id, sizeof(id), "%d", i);
    return send(f, &(struct wanted){"m", id, "a", "j"}, 1, &e);
}

static void test_hours(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, &(struct series_limits){.new_series_per_hour = 2});
    assert_int_equal(send_nth(&f, 0), 0);
    assert_int_equal(send_nth(&f, 1), 0);
    assert_int_equal(send_nth(&f, 2), ERR_LIMIT);
    check_churn(&f, 2, 0);
    fake_clock_advance_ms(&f.clock, 600000 - 1);
    assert_int_equal(send_nth(&f, 2), ERR_LIMIT);
    fake_clock_advance_ms(&f.clock, 1);
    check_churn(&f, 0, 2);
    assert_int_equal(send_nth(&f, 2), 0);
    check_churn(&f, 1, 2);
    assert_int_equal(send_nth(&f, 3), 0);
    assert_int_equal(send_nth(&f, 4), ERR_LIMIT);
    fake_clock_advance_ms(&f.clock, 2 * 3600000);
    check_churn(&f, 0, 0);
    assert_int_equal(send_nth(&f, 4), 0);
    check_churn(&f, 1, 0);
    fixture_close(&f);
}

/* The store comes back with its index: series it knew are not new, whatever the hour's limit. */
static void test_restart_is_no_churn(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, &(struct series_limits){0});
    for (int i = 0; i < 5; i++) {
        assert_int_equal(send_nth(&f, i), 0);
    }
    head_close(&f);
    struct index *index = NULL;
    assert_int_equal(index_new(&index), 0);
    uint32_t id;
    for (enum index_side side = INDEX_TARGETS; side <= INDEX_SHAPES; side++) {
        for (uint32_t i = 0; i < index_count(f.index, side); i++) {
            const struct labels *labels = index_labels(f.index, side, i);
            assert_int_equal(
                index_add(index, side, labels_pairs(labels), labels_count(labels), &id), 0);
        }
    }
    index_free(f.index);
    f.index = index;
    head_open(&f);
    head_set_limits(f.head, &(struct series_limits){.new_series_per_hour = 1});
    for (int i = 0; i < 5; i++) {
        assert_int_equal(send_nth(&f, i), 0);
    }
    check_churn(&f, 0, 0);
    assert_int_equal(send_nth(&f, 5), 0);
    assert_int_equal(send_nth(&f, 6), ERR_LIMIT);
    fixture_close(&f);
}

/* ---- Overflow ---- */

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
    found->count++;
    return 0;
}

/* The samples of __overflow__{metric="…"}, as text. */
static void check_overflow(struct fixture *f, const char *metric, const char *expected)
{
    struct matcher *name = NULL, *label = NULL;
    assert_int_equal(
        matcher_new(MATCHER_EQUAL, STR("__name__"), STR(OVERFLOW_METRIC), &name, NULL), 0);
    assert_int_equal(
        matcher_new(MATCHER_EQUAL, STR(OVERFLOW_LABEL), str_of(metric), &label, NULL), 0);
    const struct matcher *matchers[] = {name, label};
    struct index_selection selection = {0};
    assert_int_equal(index_select(f->index, matchers, 2, &selection, NULL), 0);
    struct found found = {0};
    struct head_view view;
    head_view_open(f->head, 1, &view);
    for (size_t i = 0; i < selection.count; i++) {
        const struct head_selection asked = {.rectangle = &selection.rectangles[i],
            .point = &view.point,
            .min_t = INT64_MIN,
            .max_t = INT64_MAX,
            .callback = on_match,
            .context = &found};
        assert_int_equal(head_select(f->head, &asked), 0);
    }
    struct strbuf text = STRBUF_INIT;
    struct arena arena;
    arena_init(&arena, 0);
    struct sample_list list = {0};
    if (found.count > 0) {
        assert_int_equal(
            table_read(found.table, found.column, &view.point, INT64_MIN, INT64_MAX, &arena, &list),
            0);
    }
    for (size_t i = 0; i < list.count; i++) {
        strbuf_addf(&text, "%lld:%g ", (long long)(list.times[i] - START_MS), list.values[i]);
    }
    assert_string_equal(text.data != NULL ? text.data : "", expected);
    strbuf_release(&text);
    arena_release(&arena);
    head_view_close(f->head, &view);
    index_selection_release(&selection);
    matcher_free(name);
    matcher_free(label);
}

static void test_overflow(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = ERR_INIT;
    fixture_open(&f, &(struct series_limits){.series_per_metric = 1});
    assert_int_equal(send_nth(&f, 0), 0);
    fake_clock_advance_ms(&f.clock, 14000);
    for (int i = 1; i < 4; i++) {
        assert_int_equal(send_nth(&f, i), ERR_LIMIT);
    }
    assert_int_equal(head_write_overflow(f.head, false, &e), 0);
    check_overflow(&f, "m", "");
    fake_clock_advance_ms(&f.clock, 1000);
    assert_int_equal(head_write_overflow(f.head, false, &e), 0);
    check_overflow(&f, "m", "0:0 15000:3 ");
    /* Nothing new, nothing written. */
    fake_clock_advance_ms(&f.clock, 15000);
    assert_int_equal(head_write_overflow(f.head, false, &e), 0);
    check_overflow(&f, "m", "0:0 15000:3 ");
    assert_int_equal(send(&f, &(struct wanted){"n", "", "", ""}, 1, &e), 0);
    assert_int_equal(send(&f, &(struct wanted){"n", "1", "", ""}, 1, &e), ERR_LIMIT);
    assert_int_equal(send_nth(&f, 1), ERR_LIMIT);
    fake_clock_advance_ms(&f.clock, 1000);
    assert_int_equal(head_write_overflow(f.head, true, &e), 0);
    check_overflow(&f, "m", "0:0 15000:3 31000:4 ");
    check_overflow(&f, "n", "30000:0 31000:1 ");
    fixture_close(&f);
}

/* A transaction that is given up has lost nothing: it is sent again. */
static void test_rolled_back(void **state)
{
    (void)state;
    struct fixture f;
    struct appender *a = NULL;
    fixture_open(&f, &(struct series_limits){0});
    assert_int_equal(appender_open(head_appender_source(f.head), &a, NULL), 0);
    appender_count_lost(a, STR("m"), 5);
    appender_rollback(a);
    assert_int_equal(head_write_overflow(f.head, true, NULL), 0);
    check_overflow(&f, "m", "");
    fixture_close(&f);
}

/* Metrics without end share one count. */
static void test_many_metrics(void **state)
{
    (void)state;
    enum { METRICS = 1003 }; /* 1000 are counted apart */
    struct fixture f;
    struct appender *a = NULL;
    fixture_open(&f, &(struct series_limits){0});
    assert_int_equal(appender_open(head_appender_source(f.head), &a, NULL), 0);
    for (int i = 0; i < METRICS; i++) {
        char metric[16];
        snprintf(metric, sizeof(metric), "m%d", i);
        appender_count_lost(a, str_of(metric), 2);
    }
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
    fake_clock_advance_ms(&f.clock, 10);
    assert_int_equal(head_write_overflow(f.head, true, NULL), 0);
    check_overflow(&f, "m0", "0:0 10:2 ");
    check_overflow(&f, "m999", "0:0 10:2 ");
    check_overflow(&f, "m1000", "");
    check_overflow(&f, "__others__", "0:0 10:6 ");
    fixture_close(&f);
}

/* ---- Many at once ---- */

enum { THREADS = 4, EACH = 300, PLACES = 500 };

static void *send_many(void *context)
{
    struct fixture *f = context;
    static _Atomic int next;
    for (int i = 0; i < EACH; i++) {
        (void)send_nth(f, atomic_fetch_add(&next, 1));
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, &(struct series_limits){.series_per_metric = PLACES});
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, &f), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(index_series_count(f.index), PLACES);
    assert_int_equal(refused(&f, SERIES_LIMIT_SERIES_PER_METRIC), THREADS * EACH - PLACES);
    fixture_close(&f);
}

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR); // refusals are logged
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boundaries),
        cmocka_unit_test(test_label_sets),
        cmocka_unit_test(test_no_target),
        cmocka_unit_test(test_short_memory),
        cmocka_unit_test(test_hours),
        cmocka_unit_test(test_restart_is_no_churn),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_rolled_back),
        cmocka_unit_test(test_many_metrics),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
