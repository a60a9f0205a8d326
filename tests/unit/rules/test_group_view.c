/* What rules see of each other: writes laid over a snapshot, against a store that has them. */
#include <stdio.h>
#include <string.h>

#include "model/sample.h"
#include "rules/group_view.h"
#include "support/memory_store.h"
#include "support/support.h"

#define T_MS INT64_C(1000000)

static const struct labels *make_labels(const char *name, const char *instance)
{
    const struct label pairs[] = {
        {STR("__name__"), str_of(name)}, {STR("instance"), str_of(instance)}};
    const struct labels *labels = NULL;
    assert_int_equal(labels_new(pairs, 2, &labels, NULL), 0);
    return labels;
}

struct fixture {
    struct memory_store *store;
    struct arena arena;
    struct group_writes writes;
    struct group_view view;
};

static void setup(struct fixture *f)
{
    f->store = memory_store_new();
    arena_init(&f->arena, 0);
    group_writes_init(&f->writes, &f->arena);
    assert_int_equal(group_view_open(&f->view, memory_store_source(f->store), &f->writes, NULL), 0);
}

static void teardown(struct fixture *f)
{
    group_view_close(&f->view);
    group_writes_release(&f->writes);
    arena_release(&f->arena);
    memory_store_free(f->store);
}

static void store_sample(
    struct fixture *f, const char *name, const char *instance, int64_t t, double v)
{
    const struct labels *labels = make_labels(name, instance);
    assert_int_equal(memory_store_append(f->store, labels, t, v), 0);
    labels_unref(labels);
}

static int put(struct fixture *f, const char *name, const char *instance, double v)
{
    const struct labels *labels = make_labels(name, instance);
    int status = group_writes_put(&f->writes, labels, T_MS, v, NULL, NULL, NULL);
    labels_unref(labels);
    return status;
}

/* "a:1@t=v …" of all series that match, sorted by the store or not; peeking at every second run. */
static void read_all(
    struct fixture *f, enum matcher_type type, const char *name, int64_t seek_t, struct strbuf *out)
{
    struct querier *q = NULL;
    struct series_set *set = NULL;
    struct matcher *m = NULL;
    struct arena arena;
    bool peek = false;
    arena_init(&arena, 0);
    strbuf_reset(out);
    strbuf_add_c(out, "");
    assert_int_equal(matcher_new(type, STR("__name__"), str_of(name), &m, NULL), 0);
    assert_int_equal(querier_open(&f->view.source, 0, INT64_MAX, &q, NULL), 0);
    const struct select_request request = {.min_t = 0,
        .max_t = 2 * T_MS,
        .matchers = (const struct matcher *const *)&m,
        .matcher_count = 1};
    assert_int_equal(querier_select(q, &request, &arena, &set, NULL), 0);
    for (size_t i = 0; i < set->count; i++) {
        struct column_iter *it = NULL;
        struct column_run run;
        int64_t min_t, max_t;
        const struct run_summary *summary;
        labels_write(series_labels(set->series[i]), out);
        assert_int_equal(series_open(set->series[i], &arena, &it, NULL), 0);
        if (seek_t > 0) {
            assert_int_equal(column_iter_seek(it, seek_t, NULL), 0);
        }
        for (;;) {
            int there = 1;
            if ((peek = !peek)) {
                there = column_iter_peek(it, &min_t, &max_t, &summary, NULL);
            }
            int status = column_iter_next(it, &run, NULL);
            assert_true(status == there || there == 1);
            if (status == 0) {
                break;
            }
            assert_int_equal(status, 1);
            for (size_t k = 0; k < run.count; k++) {
                strbuf_addf(out, " %lld=", (long long)run.times[k] - T_MS);
                if (value_is_stale(run.values[k])) {
                    strbuf_add_c(out, "end");
                } else {
                    strbuf_addf(out, "%g", run.values[k]);
                }
            }
        }
        strbuf_add_c(out, "; ");
        column_iter_close(it);
    }
    series_set_free(set);
    querier_close(q);
    matcher_free(m);
    arena_release(&arena);
}

static void test_writes_are_seen_at_their_place(void **state)
{
    (void)state;
    struct fixture f;
    struct strbuf text = STRBUF_INIT;
    setup(&f);
    memory_store_set_run_length(f.store, 3);
    for (int64_t t = -4; t <= 4; t++) {
        store_sample(&f, "x", "a", T_MS + t, (double)t);
    }
    store_sample(&f, "x", "b", T_MS - 1, 7);
    store_sample(&f, "x", "c", T_MS + 1, 8);
    store_sample(&f, "y", "a", T_MS - 1, 9);
    assert_int_equal(put(&f, "x", "a", 100), 0); /* takes the place of the stored one */
    assert_int_equal(put(&f, "x", "b", value_stale_marker()), 0);
    assert_int_equal(put(&f, "x", "c", 102), 0);
    assert_int_equal(put(&f, "x", "d", 103), 0); /* the store has no such series */
    assert_int_equal(put(&f, "z", "a", 104), 0);
    read_all(&f, MATCHER_EQUAL, "x", 0, &text);
    assert_string_equal(text.data,
        "x{instance=\"a\"} -4=-4 -3=-3 -2=-2 -1=-1 0=100 1=1 2=2 3=3 4=4; "
        "x{instance=\"b\"} -1=7 0=end; "
        "x{instance=\"c\"} 0=102 1=8; "
        "x{instance=\"d\"} 0=103; ");
    read_all(&f, MATCHER_EQUAL, "y", 0, &text);
    assert_string_equal(text.data, "y{instance=\"a\"} -1=9; ");
    read_all(&f, MATCHER_REGEX, "y|z", 0, &text);
    assert_string_equal(text.data, "y{instance=\"a\"} -1=9; z{instance=\"a\"} 0=104; ");
    /* Jumping: before the write, to it, behind it. */
    read_all(&f, MATCHER_EQUAL, "x", T_MS - 1, &text);
    assert_string_equal(text.data,
        "x{instance=\"a\"} -1=-1 0=100 1=1 2=2 3=3 4=4; x{instance=\"b\"} -1=7 0=end; "
        "x{instance=\"c\"} 0=102 1=8; x{instance=\"d\"} 0=103; ");
    read_all(&f, MATCHER_EQUAL, "x", T_MS, &text);
    assert_string_equal(text.data,
        "x{instance=\"a\"} 0=100 1=1 2=2 3=3 4=4; x{instance=\"b\"} 0=end; "
        "x{instance=\"c\"} 0=102 1=8; x{instance=\"d\"} 0=103; ");
    read_all(&f, MATCHER_EQUAL, "x", T_MS + 1, &text);
    assert_string_equal(text.data,
        "x{instance=\"a\"} 1=1 2=2 3=3 4=4; x{instance=\"b\"}; x{instance=\"c\"} 1=8; "
        "x{instance=\"d\"}; ");
    strbuf_release(&text);
    teardown(&f);
}

static void test_one_sample_a_series(void **state)
{
    (void)state;
    static const struct {
        double first, second;
        int status;
        const char *stays;
    } rows[] = {{1, 1, 0, "x{instance=\"a\"} 0=1; "}, {1, 2, ERR_EXISTS, "x{instance=\"a\"} 0=1; "},
        {0, -0.0, ERR_EXISTS, "x{instance=\"a\"} 0=0; "}};
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture f;
        setup(&f);
        assert_int_equal(put(&f, "x", "a", rows[i].first), 0);
        assert_int_equal(put(&f, "x", "a", rows[i].second), rows[i].status);
        read_all(&f, MATCHER_EQUAL, "x", 0, &text);
        assert_string_equal(text.data, rows[i].stays);
        teardown(&f);
    }
    /* The end of a series gives way, whoever comes first. */
    for (int end_first = 0; end_first <= 1; end_first++) {
        struct fixture f;
        setup(&f);
        assert_int_equal(put(&f, "x", "a", end_first ? value_stale_marker() : 5), 0);
        assert_int_equal(put(&f, "x", "a", end_first ? 5 : value_stale_marker()), 0);
        read_all(&f, MATCHER_EQUAL, "x", 0, &text);
        assert_string_equal(text.data, "x{instance=\"a\"} 0=5; ");
        teardown(&f);
    }
    strbuf_release(&text);
}

static void test_many_names(void **state)
{
    (void)state;
    struct fixture f;
    struct strbuf text = STRBUF_INIT;
    setup(&f);
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        assert_int_equal(put(&f, name, "a", i), 0);
    }
    for (int i = 0; i < 1000; i += 37) {
        char name[16], wanted[64];
        snprintf(name, sizeof(name), "m%d", i);
        snprintf(wanted, sizeof(wanted), "m%d{instance=\"a\"} 0=%d; ", i, i);
        read_all(&f, MATCHER_EQUAL, name, 0, &text);
        assert_string_equal(text.data, wanted);
    }
    strbuf_release(&text);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_writes_are_seen_at_their_place),
        cmocka_unit_test(test_one_sample_a_series), cmocka_unit_test(test_many_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
