/* Keys to series: in step, out of step, while it grows, renewed, from several threads. */
#include "head/key_cache.h"

#include <pthread.h>

#include "support/support.h"

static struct hash128 key_of(uint32_t i)
{
    return (struct hash128){hash_mix64(i + 1), i};
}

static void add_keys(struct key_cache *c, uint32_t count)
{
    uint32_t cursor = KEY_CACHE_START;
    for (uint32_t i = 0; i < count; i++) {
        key_cache_add(c, key_of(i), (struct series_ref){i / 100, i % 100}, &cursor);
    }
}

static void expect(struct key_cache *c, uint32_t i, uint32_t *cursor, int known)
{
    struct series_ref ref = {0, 0};
    assert_int_equal(key_cache_find(c, key_of(i), cursor, &ref), known);
    if (known) {
        assert_int_equal(ref.target, i / 100);
        assert_int_equal(ref.column, i % 100);
    }
}

static void test_any_order(void **state)
{
    enum { KEYS = 20000 };
    struct key_cache *c = key_cache_new();
    uint32_t cursor = KEY_CACHE_START;
    uint64_t random = test_seed();
    add_keys(c, KEYS);
    add_keys(c, 10); // known already
    assert_int_equal(c->count, KEYS);
    /* A key whose series was let go and made anew. */
    struct series_ref ref = {0, 0};
    key_cache_add(c, key_of(5), (struct series_ref){KEYS, 7}, &cursor);
    assert_int_equal(c->count, KEYS);
    assert_int_equal(key_cache_find(c, key_of(5), &cursor, &ref), 1);
    assert_int_equal(ref.target, KEYS);
    assert_int_equal(ref.column, 7);
    add_keys(c, 10);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < KEYS; i++) {
            expect(c, i, &cursor, 1);
        }
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        expect(c, (uint32_t)(test_random(&random) % KEYS), &cursor, 1);
        expect(c, KEYS + i, &cursor, 0);
    }
    key_cache_unref(c);
}

static void test_renewal_keeps_what_is_used(void **state)
{
    enum { KEYS = 8000, USED = 3000 };
    struct key_cache *c = key_cache_new();
    uint32_t cursor = KEY_CACHE_START;
    add_keys(c, KEYS);
    assert_null(key_cache_renew(c)); // all are new
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < USED; i++) {
            expect(c, i * 2, &cursor, 1);
        }
        struct key_cache *fresh = key_cache_renew(c);
        if (round == 0) {
            assert_null(fresh); // the others were added one round ago
            continue;
        }
        assert_non_null(fresh);
        assert_int_equal(fresh->count, USED);
        cursor = KEY_CACHE_START;
        for (uint32_t i = 0; i < KEYS; i++) {
            expect(fresh, i, &cursor, i % 2 == 0 && i < 2 * USED);
        }
        key_cache_unref(fresh);
    }
    key_cache_unref(c);
}

static void *use_cache(void *context)
{
    struct key_cache *c = context;
    uint32_t cursor = KEY_CACHE_START;
    for (uint32_t i = 0; i < 5000; i++) {
        struct series_ref ref;
        if (key_cache_find(c, key_of(i), &cursor, &ref) == 0) {
            key_cache_add(c, key_of(i), (struct series_ref){i / 100, i % 100}, &cursor);
        } else {
            assert_int_equal(ref.target, i / 100);
        }
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct key_cache *c = key_cache_new();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, use_cache, c), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(c->count, 5000);
    key_cache_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_renewal_keeps_what_is_used),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
