/* The log of changes against a plain list of all of them. */
#include "support/support.h"

#include <stdbool.h>

#include "head/change_log.h"

enum { CHANGES = 20000 };

static int64_t times[CHANGES];

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
        {10, {10, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}},
        {20, {10, 20, INT64_MAX, INT64_MAX, INT64_MAX}},
        {20, {10, 20, 20, INT64_MAX, INT64_MAX}},
        {5, {5, 5, 5, 5, INT64_MAX}},
        {INT64_MIN, {INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN}},
    };
    struct change_log log;
    change_log_init(&log);
    assert_int_equal(change_log_since(&log, 0), INT64_MAX);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        change_log_note(&log, rows[i].min_t);
        assert_int_equal(change_log_version(&log), i + 1);
        for (uint64_t v = 0; v < 5; v++) {
            assert_int_equal(change_log_since(&log, v), rows[i].since[v]);
        }
    }
    change_log_release(&log);
}

/* Never later than the truth; exact for the last changes; and not useless for old ones. */
static void test_many(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    struct change_log log;
    change_log_init(&log);
    for (size_t i = 0; i < CHANGES; i++) {
        bool late = test_random(&random) % 1000 == 0;
        times[i] = (int64_t)i * 10 - (late ? (int64_t)(test_random(&random) % 5000) : 0);
        change_log_note(&log, times[i]);
        if (i % 37 != 0) {
            continue;
        }
        uint64_t recent = i >= 100 ? i - test_random(&random) % 100 : i;
        assert_int_equal(change_log_since(&log, recent), truth(i + 1, recent));
        uint64_t old = test_random(&random) % (i + 1);
        int64_t told = change_log_since(&log, old), real = truth(i + 1, old);
        if (told > real || told < real - (int64_t)CHANGES * 10 / 4) {
            fail_msg("after %zu changes, since %llu: %lld, truth %lld", i + 1,
                (unsigned long long)old, (long long)told, (long long)real);
        }
    }
    change_log_release(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
