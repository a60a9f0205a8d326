/* Which exemplars are taken, by Prometheus' rules and the cap; and that none is lost or doubled on the
 * way through a flush. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "exemplar/exemplar_block.h"
#include "exemplar/exemplar_store.h"

/* {trace="…"}, encoded; no labels when NULL. */
static struct str blob(const char *trace)
{
    static char kept[8][64];
    static unsigned next;
    struct strbuf out = STRBUF_INIT;
    struct label label = {STR("trace"), str_of(trace != NULL ? trace : "")};
    exemplar_labels_encode(&label, trace != NULL, &out);
    char *to = kept[next++ % 8];
    assert_true(out.size <= 64);
    memcpy(to, out.data, out.size);
    struct str result = str_make(to, out.size);
    strbuf_release(&out);
    return result;
}

static int add(
    struct exemplar_store *s, uint64_t key, int64_t t_ms, double value, const char *trace)
{
    struct exemplar_item item = {t_ms, value, blob(trace)};
    int check = exemplar_store_check(s, key, &item);
    int status = exemplar_store_add(s, 1, key, &item);
    assert_int_equal(check, status);
    return status;
}

/* One series after the other rows, in order. Source of the rules: validateExemplar and AddExemplar of
 * Prometheus' exemplar storage, out-of-order window 0. */
static void test_rules(void **state)
{
    (void)state;
    static const struct {
        int64_t t_ms;
        double value;
        const char *trace;
        int status;
    } rows[] = {
        {1000, 5, "b", 0},
        {1000, 5, "b", 1},         /* the same once more */
        {999, 9, "z", ERR_RANGE},  /* older */
        {1000, 4, "z", ERR_RANGE}, /* same time, lower value */
        {1000, 5, "a", ERR_RANGE}, /* same time and value, earlier labels */
        {1000, 5, "c", 0},         /* later labels */
        {1000, 6, "a", 0},         /* higher value: another bucket of a native histogram */
        {1000, 5, "b", ERR_RANGE}, /* a repetition, but not of the newest */
        {1001, -1, NULL, 0},
        {1001, -1, NULL, 1},
    };
    struct exemplar_store *s = NULL;
    assert_int_equal(exemplar_store_new(0, &s), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int status = add(s, 7, rows[i].t_ms, rows[i].value, rows[i].trace);
        if (status != rows[i].status) {
            fail_msg("row %zu: %d instead of %d", i, status, rows[i].status);
        }
    }
    assert_int_equal(exemplar_store_count(s), 4);
    /* Another series has an order of its own. */
    assert_int_equal(add(s, 8, 1, 1, "a"), 0);
    exemplar_store_free(s);
}

static void test_cap(void **state)
{
    (void)state;
    struct exemplar_store *s = NULL;
    assert_int_equal(exemplar_store_new(3, &s), 0);
    for (int64_t minute = -1; minute < 2; minute++) {
        int64_t begin = minute * 60000;
        assert_int_equal(add(s, 7, begin, 1, "a"), 0);
        assert_int_equal(add(s, 7, begin + 1, 1, "a"), 0);
        assert_int_equal(add(s, 7, begin + 59998, 1, "a"), 0);
        assert_int_equal(add(s, 7, begin + 59998, 1, "a"), 1);
        assert_int_equal(add(s, 7, begin + 59999, 1, "a"), ERR_LIMIT);
        assert_int_equal(add(s, 8 + (uint64_t)(minute + 1), begin + 59999, 1, "a"), 0);
    }
    exemplar_store_free(s);
}

static void test_labels(void **state)
{
    (void)state;
    char long_value[200];
    memset(long_value, 'x', sizeof(long_value));
    struct label labels[4] = {{STR("b"), STR("2")}, {STR("c"), STR("")}, {STR("a"), STR("1")}};
    size_t count = 3;
    assert_int_equal(exemplar_labels_check(labels, &count), 0);
    assert_int_equal(count, 2);
    assert_true(str_eq_c(labels[0].name, "a") && str_eq_c(labels[1].name, "b"));
    labels[1].name = STR("a");
    assert_int_equal(exemplar_labels_check(labels, &count), ERR_INVALID);
    labels[0].name = STR("");
    assert_int_equal(exemplar_labels_check(labels, &count), ERR_INVALID);
    /* 128 characters with the name, however many bytes they take. */
    static const struct {
        size_t length;
        int status;
    } cases[] = {{126, 0}, {127, 0}, {128, ERR_INVALID}};
    for (size_t i = 0; i < 3; i++) {
        count = 1;
        labels[0] = (struct label){STR("n"), str_make(long_value, cases[i].length)};
        assert_int_equal(exemplar_labels_check(labels, &count), cases[i].status);
    }
    memcpy(long_value, "\xe2\x82\xac\xe2\x82\xac", 6);
    labels[0].value = str_make(long_value, 131); /* two of them of three bytes: 127 */
    assert_int_equal(exemplar_labels_check(labels, &count), 0);
    labels[0].value = str_make(long_value, 132);
    assert_int_equal(exemplar_labels_check(labels, &count), ERR_INVALID);
}

static size_t count_in(struct exemplar_store *s, uint64_t key, int64_t min_t, int64_t max_t)
{
    struct arena arena;
    struct exemplar_item *items;
    size_t count;
    arena_init(&arena, 0);
    assert_int_equal(exemplar_store_read(s, key, min_t, max_t, &arena, &items, &count), 0);
    for (size_t i = 0; i < count; i++) {
        assert_true(items[i].t_ms >= min_t && items[i].t_ms <= max_t);
        assert_true(i == 0 || items[i - 1].t_ms <= items[i].t_ms);
    }
    arena_release(&arena);
    return count;
}

static void test_flush(void **state)
{
    (void)state;
    struct exemplar_store *s = NULL;
    const struct exemplar_item *items;
    uint64_t *keys;
    size_t count;
    assert_int_equal(exemplar_store_new(0, &s), 0);
    assert_int_equal(exemplar_store_freeze(s), 0);
    assert_true(exemplar_store_oldest_lsn(s) == UINT64_MAX);
    for (int i = 0; i < 500; i++) {
        struct exemplar_item item = {i, i, blob("a")};
        assert_int_equal(exemplar_store_add(s, 10 + (uint64_t)i, (uint64_t)i % 100, &item), 0);
    }
    assert_int_equal(exemplar_store_oldest_lsn(s), 10);
    assert_int_equal(exemplar_store_freeze(s), 500);
    struct exemplar_item late = {1000, 1, blob("b")};
    assert_int_equal(exemplar_store_add(s, 600, 5, &late), 0);
    /* A second freeze waits for the first. */
    assert_int_equal(exemplar_store_freeze(s), 500);
    assert_int_equal(exemplar_store_oldest_lsn(s), 10);
    exemplar_store_frozen(s, 5, &items, &count);
    assert_int_equal(count, 5);
    assert_int_equal(items[4].t_ms, 405);
    assert_int_equal(count_in(s, 5, INT64_MIN, INT64_MAX), 6);
    assert_int_equal(count_in(s, 5, 105, 305), 3);
    assert_int_equal(count_in(s, 1234, INT64_MIN, INT64_MAX), 0);
    assert_int_equal(exemplar_store_keys(s, &keys, &count), 0);
    assert_int_equal(count, 100);
    mem_free(keys);
    exemplar_store_drop_frozen(s);
    assert_int_equal(exemplar_store_count(s), 1);
    assert_int_equal(exemplar_store_oldest_lsn(s), 600);
    assert_int_equal(count_in(s, 5, INT64_MIN, INT64_MAX), 1);
    /* The order goes on over a flush. */
    assert_int_equal(add(s, 6, 405, 1, "a"), ERR_RANGE);
    assert_int_equal(exemplar_store_freeze(s), 1);
    exemplar_store_drop_frozen(s);
    assert_int_equal(exemplar_store_count(s), 0);
    exemplar_store_free(s);
}

/* Series that are gone leave the table; those that are there do not. */
static void test_idle(void **state)
{
    (void)state;
    enum { SERIES = 70000 };
    struct exemplar_store *s = NULL;
    assert_int_equal(exemplar_store_new(0, &s), 0);
    struct str trace = blob("a");
    for (uint64_t i = 0; i < SERIES; i++) {
        struct exemplar_item item = {i % 2 == 0 ? 0 : 3600001, 1, trace};
        assert_int_equal(exemplar_store_add(s, 1, i, &item), 0);
    }
    assert_int_equal(exemplar_store_freeze(s), SERIES);
    exemplar_store_drop_frozen(s);
    /* An even one begins anew, an odd one is in order. */
    for (uint64_t i = 0; i < SERIES; i++) {
        struct exemplar_item item = {-5, 1, trace};
        assert_int_equal(exemplar_store_check(s, i, &item), i % 2 == 0 ? 0 : ERR_RANGE);
    }
    exemplar_store_free(s);
}

static void test_short_memory(void **state)
{
    (void)state;
    bool failed = true;
    for (uint64_t nth = 1; failed; nth++) {
        struct exemplar_store *s = NULL;
        assert_int_equal(exemplar_store_new(0, &s), 0);
        mem_fail_nth(nth);
        size_t taken = 0;
        for (uint64_t i = 0; i < 100; i++) {
            struct exemplar_item item = {(int64_t)i, 1, STR("\0")};
            item.labels.len = 1;
            taken += exemplar_store_add(s, 1, i % 50, &item) == 0;
        }
        failed = !mem_fail_pending();
        mem_fail_nth(0);
        assert_int_equal(taken, failed ? 99 : 100);
        assert_int_equal(exemplar_store_count(s), taken);
        exemplar_store_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
