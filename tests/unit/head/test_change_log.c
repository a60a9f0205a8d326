/* The log of changes against a plain list of all of them. */
#include "support/support.h"

#include <stdbool.h>

#include "head/change_log.h"

enum { CHANGES = 40000 };

static int64_t times[CHANGES];
static struct change_log changes;

static int64_t truth(size_t count, uint64_t version)
{
    int64_t min_t = INT64_MAX;
    for (size_t i = version; i < count; i++) {
        min_t = times[i] < min_t ? times[i] : min_t;
    }
    return min_t;
}

static void test_few(void **state)
{
    (void)state;
    static const struct {
        int64_t min_t;
        int64_t since[5]; /* versions 0 to 4 after this change */
    } rows[] = {
        {10000, {10000, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}},
        {20000, {10000, 20000, INT64_MAX, INT64_MAX, INT64_MAX}},
        {20000, {10000, 20000, 20000, INT64_MAX, INT64_MAX}},
        {20999, {10000, 20000, 20000, 20000, INT64_MAX}},
        {5, {5, 5, 5, 5, 5}},
        {INT64_MIN, {INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN}},
    };
    change_log_init(&changes);
    assert_int_equal(change_log_since(&changes, 0), INT64_MAX);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        change_log_note(&changes, rows[i].min_t);
        assert_int_equal(change_log_version(&changes), i + 1);
        for (uint64_t v = 0; v < 5; v++) {
            assert_int_equal(change_log_since(&changes, v), rows[i].since[v]);
        }
    }
    change_log_release(&changes);
}

/* Never later than the truth, and at most a line's spacing before it, until it is forgotten. */
static void test_many(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    size_t forgotten = 0;
    change_log_init(&changes);
    for (size_t i = 0; i < CHANGES; i++) {
        bool late = test_random(&random) % 1000 == 0;
        times[i] = (int64_t)i * 400 - (late ? (int64_t)(test_random(&random) % 100000) : 0);
        change_log_note(&changes, times[i]);
        if (i % 37 != 0) {
            continue;
        }
        uint64_t version = test_random(&random) % (i + 1);
        int64_t told = change_log_since(&changes, version), real = truth(i + 1, version);
        bool known = told != INT64_MIN;
        forgotten += !known;
        if ((known && (told > real || told < real - CHANGE_LOG_SPACING_MS)) ||
            (!known && i + 1 - version < CHANGE_LOG_LINES)) {
            fail_msg("after %zu changes, since %llu: %lld, truth %lld", i + 1,
                (unsigned long long)version, (long long)told, (long long)real);
        }
    }
    assert_true(forgotten > 0);
    change_log_release(&changes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
