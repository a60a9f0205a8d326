/* What a target exposed before: finding, vanishing, forgetting. */
#include <stdio.h>

#include "scrape/series_cache.h"
#include "support/support.h"

enum { UNIVERSE = 500, ROUNDS = 200 };

struct tally {
    size_t vanished;
    bool gone[UNIVERSE];
};

static size_t number_of(const struct series_entry *entry)
{
    uint64_t n = 0;
    assert_int_equal(str_to_u64(str_skip(series_entry_text(entry), 1), &n), 0);
    assert_true(n < UNIVERSE);
    return (size_t)n;
}

static void on_vanished(void *context, struct series_entry *entry)
{
    struct tally *t = context;
    size_t n = number_of(entry);
    assert_false(t->gone[n]);
    t->gone[n] = true;
    t->vanished++;
}

/* As a target does with a line; true when the series was not in the scrape before. */
static bool take_line(struct series_cache *c, size_t n)
{
    char text[16];
    snprintf(text, sizeof(text), "s%zu", n);
    struct series_entry *entry = series_cache_find(c, str_of(text));
    if (entry == NULL) {
        entry = series_cache_add(c, str_of(text), STR("labels"));
        assert_non_null(entry);
    }
    assert_int_equal(number_of(entry), n);
    assert_int_equal(series_cache_mark(c, entry), 1);
    assert_int_equal(series_cache_mark(c, entry), 0);
    bool was_live = entry->live;
    entry->live = true;
    return !was_live;
}

/* The scrape is over, in steps of so many entries. */
static void settle(struct series_cache *c, bool good, size_t entries, struct tally *t)
{
    series_cache_settle(c, good);
    while (!series_cache_step(c, entries, on_vanished, t)) {
    }
}

/* Against a model of three arrays: which are there, which vanish, which are remembered. Tables that
 * lose a chain when an entry goes are caught by entries that are not found again. */
static void test_against_a_model(void **state)
{
    struct series_cache c;
    uint64_t random = test_seed();
    size_t last_seen[UNIVERSE] = {0}; /* round */
    series_cache_init(&c, test_random(&random));
    for (size_t round = 1; round <= ROUNDS; round++) {
        struct tally t = {0};
        size_t remembered = 0, vanished = 0;
        uint64_t share = test_random(&random) % 5;
        series_cache_begin(&c);
        for (size_t n = 0; n < UNIVERSE; n++) {
            bool was_there = last_seen[n] != 0 && last_seen[n] == round - 1;
            if (test_random(&random) % 4 < share) {
                assert_int_equal(take_line(&c, n), !was_there);
                last_seen[n] = round;
            }
            vanished += was_there && last_seen[n] != round;
            remembered += last_seen[n] != 0 && last_seen[n] + 2 >= round;
        }
        settle(&c, true, 1 + test_random(&random) % 50, &t);
        assert_int_equal(t.vanished, vanished);
        assert_int_equal(c.count, remembered);
    }
    series_cache_release(&c);
}

static void test_the_same_lines_are_found_by_position(void **state)
{
    struct series_cache c;
    struct tally t = {0};
    series_cache_init(&c, 1);
    for (int round = 0; round < 3; round++) {
        series_cache_begin(&c);
        for (size_t n = 0; n < 100; n++) {
            assert_int_equal(take_line(&c, n), round == 0);
        }
        settle(&c, true, SIZE_MAX, &t);
    }
    assert_int_equal(c.misses, 100); /* the first round alone */
    assert_int_equal(c.hits, 200);
    assert_int_equal(t.vanished, 0);
    series_cache_release(&c);
}

/* One line more or less in front costs that line alone, not all behind it. */
static void test_a_line_in_between_costs_one_search(void **state)
{
    struct series_cache c;
    struct tally t = {0};
    series_cache_init(&c, 1);
    static const size_t first[] = {0, 100, 0, 50};
    for (size_t round = 0; round < 4; round++) {
        uint64_t misses = c.misses;
        series_cache_begin(&c);
        if (first[round] == 100) {
            take_line(&c, 200); /* inserted */
        }
        for (size_t n = first[round] == 50 ? 2 : 0; n < 100; n++) { /* or two removed */
            take_line(&c, n);
        }
        settle(&c, true, SIZE_MAX, &t);
        uint64_t expected[] = {100, 1, 1, 1};
        if (c.misses - misses > expected[round]) {
            fail_msg("round %zu: %zu searches, expected at most %zu", round,
                (size_t)(c.misses - misses), (size_t)expected[round]);
        }
    }
    series_cache_release(&c);
}

static void test_a_failed_scrape_keeps_the_last_good_one(void **state)
{
    struct series_cache c;
    struct tally t = {0};
    series_cache_init(&c, 1);
    series_cache_begin(&c);
    take_line(&c, 1);
    take_line(&c, 2);
    settle(&c, true, SIZE_MAX, &t);
    for (int i = 0; i < 10; i++) {
        series_cache_begin(&c);
        settle(&c, false, SIZE_MAX, &t);
    }
    assert_int_equal(t.vanished, 2); /* once each */
    assert_int_equal(c.count, 2);
    series_cache_begin(&c);
    assert_true(take_line(&c, 1)); /* it comes anew, but is not parsed anew */
    assert_int_equal(c.hits, 1);
    settle(&c, true, SIZE_MAX, &t);
    series_cache_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_model),
        cmocka_unit_test(test_the_same_lines_are_found_by_position),
        cmocka_unit_test(test_a_line_in_between_costs_one_search),
        cmocka_unit_test(test_a_failed_scrape_keeps_the_last_good_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
