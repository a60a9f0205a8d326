/* Counts of series in memory against a walk over every pair of target and shape. */
#include "base/hash.h"
#include "index/index.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

/* A job has more targets than the array of a posting list takes. */
enum { TARGETS = 140, SHAPES = 40, JOBS = 2, METRICS = 7 };

struct store {
    struct index *index;
    bool there[TARGETS][SHAPES];
};

static size_t target_labels(uint32_t i, char text[64], struct label *out)
{
    int n = snprintf(text, 32, "host-%u", i);
    int m = snprintf(text + 32, 32, "job-%u", i % JOBS);
    out[0] = (struct label){STR("instance"), str_make(text, (size_t)n)};
    out[1] = (struct label){STR("job"), str_make(text + 32, (size_t)m)};
    return 2;
}

static size_t shape_labels(uint32_t i, char text[64], struct label *out)
{
    int n = snprintf(text, 32, "metric_%u", i % METRICS);
    int m = snprintf(text + 32, 32, "%u", i / METRICS);
    out[0] = (struct label){STR("__name__"), str_make(text, (size_t)n)};
    out[1] = (struct label){STR("cpu"), str_make(text + 32, (size_t)m)};
    return 2;
}

static void store_open(struct store *s)
{
    char text[64];
    struct label labels[2];
    uint32_t id;
    *s = (struct store){0};
    assert_int_equal(index_new(&s->index), 0);
    for (uint32_t i = 0; i < TARGETS; i++) {
        size_t count = target_labels(i, text, labels);
        assert_int_equal(index_add(s->index, INDEX_TARGETS, labels, count, &id), 0);
        assert_int_equal(id, i);
    }
    for (uint32_t i = 0; i < SHAPES; i++) {
        size_t count = shape_labels(i, text, labels);
        assert_int_equal(index_add(s->index, INDEX_SHAPES, labels, count, &id), 0);
        assert_int_equal(id, i);
    }
}

static void make(struct store *s, uint32_t target, uint32_t shape)
{
    if (!s->there[target][shape]) {
        s->there[target][shape] = true;
        index_count_series(s->index, target, shape);
    }
}

static void let_go(struct store *s, uint32_t target, uint32_t shape)
{
    if (s->there[target][shape]) {
        s->there[target][shape] = false;
        index_uncount_series(s->index, target, shape);
    }
}

/* Has the series this label? */
static bool has_label(uint32_t target, uint32_t shape, struct str name, struct str value)
{
    char text[2][64];
    struct label labels[4];
    size_t count = target_labels(target, text[0], labels);
    count += shape_labels(shape, text[1], labels + count);
    for (size_t i = 0; i < count; i++) {
        if (str_eq(labels[i].name, name) && (value.len == 0 || str_eq(labels[i].value, value))) {
            return true;
        }
    }
    return false;
}

static uint64_t count_series(const struct store *s, struct str name, struct str value)
{
    uint64_t count = 0;
    for (uint32_t t = 0; t < TARGETS; t++) {
        for (uint32_t p = 0; p < SHAPES; p++) {
            count += s->there[t][p] && has_label(t, p, name, value);
        }
    }
    return count;
}

struct seen {
    const struct store *store;
    uint32_t values;
    uint64_t instance, metric;
};

static int see(void *context, const struct index_value_count *value)
{
    struct seen *seen = context;
    seen->values++;
    assert_int_equal(value->series, count_series(seen->store, value->name, value->value));
    assert_true(index_value_is_active(seen->store->index, value->name, value->value));
    seen->instance += str_eq_c(value->name, "instance");
    seen->metric += str_eq_c(value->name, "__name__");
    if (str_eq_c(value->name, "__name__")) {
        assert_int_equal(index_series_of_metric(seen->store->index, value->value), value->series);
    }
    return 0;
}

static void check(const struct store *s)
{
    struct seen seen = {.store = s};
    assert_int_equal(index_each_active_value(s->index, NULL, see, &seen), 0);
    assert_int_equal(seen.instance, index_active_values(s->index, STR("instance")));
    assert_int_equal(seen.metric, index_active_values(s->index, STR("__name__")));
    assert_int_equal(seen.values, seen.instance + seen.metric +
                                      index_active_values(s->index, STR("job")) +
                                      index_active_values(s->index, STR("cpu")));
    assert_int_equal(index_series_count(s->index), count_series(s, STR("job"), STR("")));
}

static void test_counts(void **state)
{
    (void)state;
    struct store s;
    store_open(&s);
    check(&s);
    assert_int_equal(index_active_values(s.index, STR("instance")), 0);
    assert_false(index_value_is_active(s.index, STR("instance"), STR("host-7")));
    make(&s, 7, 3);
    check(&s);
    assert_int_equal(index_active_values(s.index, STR("instance")), 1);
    assert_true(index_value_is_active(s.index, STR("instance"), STR("host-7")));
    assert_int_equal(index_series_of(s.index, INDEX_TARGETS, 7), 1);
    assert_int_equal(index_series_of(s.index, INDEX_SHAPES, 3), 1);
    assert_int_equal(index_series_of(s.index, INDEX_SHAPES, 4), 0);
    assert_int_equal(index_series_of_metric(s.index, STR("metric_3")), 1);
    assert_int_equal(index_series_of_metric(s.index, STR("metric_4")), 0);
    assert_int_equal(index_series_of_metric(s.index, STR("no such")), 0);
    assert_int_equal(index_active_values(s.index, STR("no such")), 0);
    for (uint32_t i = 0; i < TARGETS * SHAPES / 3; i++) {
        uint32_t at = (uint32_t)(hash_mix64(i) % (TARGETS * SHAPES));
        make(&s, at / SHAPES, at % SHAPES);
    }
    check(&s);
    /* Whole targets go, then all that is left. */
    for (uint32_t target = 0; target < TARGETS; target += 3) {
        for (uint32_t shape = 0; shape < SHAPES; shape++) {
            let_go(&s, target, shape);
        }
    }
    check(&s);
    for (uint32_t at = 0; at < TARGETS * SHAPES; at++) {
        let_go(&s, at / SHAPES, at % SHAPES);
    }
    check(&s);
    assert_int_equal(index_active_values(s.index, STR("instance")), 0);
    index_free(s.index);
}

/* A callback that has enough ends the walk. */
static int stop(void *context, const struct index_value_count *value)
{
    (void)value;
    return ++*(int *)context == 3 ? 42 : 0;
}

static void test_stopping(void **state)
{
    (void)state;
    struct store s;
    int calls = 0;
    store_open(&s);
    for (uint32_t i = 0; i < SHAPES; i++) {
        make(&s, i, i);
    }
    assert_int_equal(index_each_active_value(s.index, NULL, stop, &calls), 42);
    assert_int_equal(calls, 3);
    index_free(s.index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_stopping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
