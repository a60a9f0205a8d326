/* Ranges that hide samples, and the bytes of the list. */
#include "db/tombstone.h"

#include "base/mem.h"
#include "support/support.h"

/* ---- Ranges ---- */

static struct tombstone *make(const char *name, const char *value, int64_t min_t, int64_t max_t)
{
    struct matcher *m = NULL;
    struct tombstone *t = NULL;
    assert_int_equal(matcher_new(MATCHER_EQUAL, str_of(name), str_of(value), &m, NULL), 0);
    const struct matcher *const list[] = {m};
    assert_int_equal(tombstone_new(list, 1, (struct time_range){min_t, max_t}, &t), 0);
    matcher_free(m);
    return t;
}

static const struct {
    const char *what;
    struct time_range deletes[3];
    size_t delete_count;
    struct time_range expected[3];
    size_t expected_count;
} cases[] = {
    {"none", {{0, 0}}, 0, {{0, 0}}, 0},
    {"outside", {{-9, -1}, {101, 200}}, 2, {{0, 0}}, 0},
    {"cut to what is asked", {{-9, 5}, {90, INT64_MAX}}, 2, {{0, 5}, {90, 100}}, 2},
    {"in order", {{50, 60}, {10, 20}}, 2, {{10, 20}, {50, 60}}, 2},
    {"overlap and touch", {{10, 20}, {21, 30}, {25, 40}}, 3, {{10, 40}}, 1},
    {"a gap of one", {{10, 20}, {22, 30}}, 2, {{10, 20}, {22, 30}}, 2},
    {"all of it", {{INT64_MIN, INT64_MAX}, {5, 6}}, 2, {{0, 100}}, 1},
    {"all of it in two", {{-5, 49}, {50, 100}}, 2, {{0, 100}}, 1},
};

static void check_case(size_t c, const struct tombstone *const *tombstones, struct arena *arena)
{
    const struct time_range within = {0, 100};
    const struct time_range *ranges = NULL;
    size_t count = 99;
    assert_int_equal(
        tombstones_ranges(tombstones, cases[c].delete_count, 0, 0, within, arena, &ranges, &count),
        0);
    bool same = count == cases[c].expected_count;
    for (size_t i = 0; same && i < count; i++) {
        same = ranges[i].min_t == cases[c].expected[i].min_t &&
               ranges[i].max_t == cases[c].expected[i].max_t;
    }
    if (!same) {
        fail_msg("%s: %zu ranges, the first %lld..%lld", cases[c].what, count,
            count > 0 ? (long long)ranges[0].min_t : 0, count > 0 ? (long long)ranges[0].max_t : 0);
    }
    int64_t times[101];
    double values[101];
    size_t visible = 0;
    for (int64_t t = 0; t <= 100; t++) {
        times[t] = t;
        values[t] = (double)t;
    }
    struct sample_arrays samples = {.times = times, .values = values, .count = 101};
    assert_int_equal(ranges_filter(ranges, count, arena, &samples), 0);
    size_t kept = samples.count;
    assert_null(samples.histograms);
    for (int64_t t = 0; t <= 100; t++) {
        bool hidden = false;
        for (size_t i = 0; i < cases[c].delete_count; i++) {
            hidden = hidden || (cases[c].deletes[i].min_t <= t && t <= cases[c].deletes[i].max_t);
        }
        if (!hidden) {
            assert_true(visible < kept && samples.times[visible] == t &&
                        samples.values[visible] == (double)t);
            visible++;
        }
    }
    assert_int_equal(visible, kept);
    assert_int_equal(ranges_cover(ranges, count, within), kept == 0);
}

static void test_ranges(void **state)
{
    struct index *index = NULL;
    uint32_t target = 9, shape = 9;
    struct label label = {STR("job"), STR("a")}, name = {STR("__name__"), STR("up")};
    assert_int_equal(index_new(&index), 0);
    assert_int_equal(index_add(index, INDEX_TARGETS, &label, 1, &target), 0);
    assert_int_equal(index_add(index, INDEX_SHAPES, &name, 1, &shape), 0);
    assert_true(target == 0 && shape == 0);
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct tombstone *tombstones[3] = {0};
        struct arena arena;
        arena_init(&arena, 0);
        for (size_t i = 0; i < cases[c].delete_count; i++) {
            tombstones[i] = make("job", "a", cases[c].deletes[i].min_t, cases[c].deletes[i].max_t);
            assert_int_equal(tombstone_resolve(tombstones[i], index, NULL), 0);
        }
        check_case(c, (const struct tombstone *const *)tombstones, &arena);
        for (size_t i = 0; i < cases[c].delete_count; i++) {
            tombstone_unref(tombstones[i]);
        }
        arena_release(&arena);
    }
    index_free(index);
}

/* ---- The list ---- */

static struct tombstone_list *make_list(void)
{
    static const struct {
        const char *job;
        int64_t min_t, max_t;
    } deletes[] = {{"a", 5, 10}, {"b", INT64_MIN, INT64_MAX}, {"a", 0, 9}};
    struct tombstone_list *list = NULL;
    assert_int_equal(tombstone_list_new(&list), 0);
    for (size_t i = 0; i < 3; i++) {
        struct tombstone *t = make("job", deletes[i].job, deletes[i].min_t, deletes[i].max_t);
        struct tombstone_list *longer = NULL;
        t->bound = 7 + i;
        t->created_ms = -1;
        assert_int_equal(tombstone_list_change(list, t, NULL, &longer), 0);
        tombstone_list_unref(list);
        tombstone_unref(t);
        list = longer;
    }
    list->floors[5] = 12345;
    return list;
}

static void test_changes(void **state)
{
    struct tombstone_list *list = make_list(), *changed = NULL;
    assert_int_equal(list->count, 3);
    assert_int_equal(list->bound, 9);
    /* Says again what the first and the third say. */
    struct tombstone *t = make("job", "a", 0, 10);
    t->bound = 20;
    assert_int_equal(tombstone_list_change(list, t, NULL, &changed), 0);
    assert_int_equal(changed->count, 2);
    assert_int_equal(changed->items[1]->bound, 20);
    assert_int_equal(changed->bound, 20);
    tombstone_list_unref(list);
    list = changed;
    const bool gone[] = {true, true};
    assert_int_equal(tombstone_list_change(list, NULL, gone, &changed), 0);
    assert_int_equal(changed->count, 0);
    assert_int_equal(changed->bound, 20); /* stays */
    assert_int_equal(changed->floors[5], 12345);
    tombstone_list_unref(list);
    tombstone_list_unref(changed);
    tombstone_unref(t);
}

static void test_round_trip(void **state)
{
    struct tombstone_list *list = make_list(), *back = NULL;
    struct strbuf bytes = STRBUF_INIT, again = STRBUF_INIT;
    tombstone_list_encode(list, &bytes);
    /* 8 magic, 4 version, 8 bound, 4 + 6 * 8 floors, 1 count, 3 * (32 numbers, 1 matchers, 1 type,
     * 4 name, 2 value), 4 checksum. */
    assert_int_equal(bytes.size, 8 + 4 + 8 + 52 + 1 + 3 * 40 + 4);
    assert_int_equal(tombstone_list_decode(strbuf_str(&bytes), &back, NULL), 0);
    assert_int_equal(back->count, 3);
    assert_int_equal(back->bound, 9);
    assert_int_equal(back->floors[5], 12345);
    assert_true(back->items[1]->range.min_t == INT64_MIN && back->items[1]->created_ms == -1);
    assert_int_equal(back->items[2]->matchers[0]->type, MATCHER_EQUAL);
    assert_true(str_eq(back->items[2]->matchers[0]->value, STR("a")));
    tombstone_list_encode(back, &again);
    assert_true(str_eq(strbuf_str(&bytes), strbuf_str(&again)));
    tombstone_list_unref(back);
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        bytes.data[bit / 8] ^= (char)(1 << (bit % 8));
        assert_int_equal(tombstone_list_decode(strbuf_str(&bytes), &back, NULL), ERR_CORRUPT);
        bytes.data[bit / 8] ^= (char)(1 << (bit % 8));
    }
    for (size_t size = 0; size < bytes.size; size++) {
        assert_int_equal(
            tombstone_list_decode(str_make(bytes.data, size), &back, NULL), ERR_CORRUPT);
    }
    tombstone_list_unref(list);
    strbuf_release(&bytes);
    strbuf_release(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
