/* The door to the allocator: sizes, growth, and the hook that makes the n-th allocation fail. */
#include "support/support.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

static void allocations_hold_what_they_say(void **state)
{
    (void)state;
    void *none = mem_alloc(0);
    assert_non_null(none);
    char *zeros = mem_calloc(10, 10);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(zeros[i], 0);
    }
    char *more = mem_realloc(mem_dup("abc", 3), 1000);
    assert_memory_equal(more, "abc", 3);
    char *copy = mem_strndup("abcdef", 3);
    assert_string_equal(copy, "abc");
    char *whole = mem_strdup("abcdef");
    assert_string_equal(whole, "abcdef");
    char *empty = mem_strndup(NULL, 0);
    assert_string_equal(empty, "");
    mem_free(none);
    mem_free(zeros);
    mem_free(more);
    mem_free(copy);
    mem_free(whole);
    mem_free(empty);
    mem_free(NULL);
}

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    volatile size_t half = SIZE_MAX / 2 + 1; /* volatile: the compiler would warn of the constant */
    assert_null(mem_calloc(half, 2));
    assert_null(mem_calloc(2, half));
    assert_null(mem_alloc(half));
    assert_null(mem_realloc(NULL, half));
    assert_null(mem_strndup("x", SIZE_MAX));
}

static void arrays_double_up_to_their_limit(void **state)
{
    (void)state;
    static const struct {
        size_t cap, needed, size, limit;
        int status;
        size_t cap_after;
    } table[] = {
        {0, 0, 4, 100, 0, 0},
        {0, 1, 4, 100, 0, 8},
        {0, 1, 4, 5, 0, 1},
        {8, 8, 4, 100, 0, 8},
        {8, 9, 4, 100, 0, 16},
        {8, 60, 4, 100, 0, 60},
        {60, 61, 4, 100, 0, 100},
        {60, 100, 4, 100, 0, 100},
        {60, 101, 4, 100, ERR_LIMIT, 60},
        {0, SIZE_MAX / 2, 4, SIZE_MAX, ERR_LIMIT, 0},
        {0, 2, 1, 1, ERR_LIMIT, 0},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        void *array = table[i].cap > 0 ? mem_alloc(table[i].cap * table[i].size) : NULL;
        void *before = array;
        size_t cap = table[i].cap;
        int status = mem_array_grow(&array, &cap, table[i].needed, table[i].size, table[i].limit);
        if (status != table[i].status || cap != table[i].cap_after) {
            fail_msg("row %zu: %s and cap %zu, expected %s and %zu", i, err_name(status), cap,
                err_name(table[i].status), table[i].cap_after);
        }
        assert_true(status == 0 || array == before);
        mem_free(array);
    }
}

static void growing_fails_and_changes_nothing(void **state)
{
    (void)state;
    int *array = NULL;
    size_t cap = 0;
    assert_int_equal(mem_array_grow((void **)&array, &cap, 1, sizeof(*array), 100), 0);
    array[0] = 42;
    int *before = array;
    mem_fail_nth(1);
    assert_int_equal(mem_array_grow((void **)&array, &cap, 50, sizeof(*array), 100), ERR_NOMEM);
    assert_ptr_equal(array, before);
    assert_int_equal(cap, 8);
    assert_int_equal(array[0], 42);
    mem_free(array);
}

static void the_nth_allocation_fails_once(void **state)
{
    (void)state;
    uint64_t before = mem_allocation_count();
    mem_fail_nth(3);
    bool worked[5];
    for (int i = 0; i < 5; i++) {
        assert_int_equal(mem_fail_pending(), i < 3);
        void *p = i % 2 == 0 ? mem_alloc(1) : mem_calloc(1, 1);
        worked[i] = p != NULL;
        mem_free(p);
    }
    assert_true(worked[0] && worked[1] && !worked[2] && worked[3] && worked[4]);
    assert_int_equal(mem_allocation_count() - before, 5);
    mem_fail_nth(1);
    mem_fail_nth(0);
    void *p = mem_alloc(1);
    assert_non_null(p);
    mem_free(p);
    assert_false(mem_fail_pending());
}

static void exempt_allocations_neither_count_nor_fail(void **state)
{
    (void)state;
    uint64_t before = mem_allocation_count();
    mem_fail_nth(1);
    assert_false(mem_fail_exempt(true));
    void *p = mem_alloc(1);
    assert_non_null(p);
    assert_true(mem_fail_exempt(false));
    assert_int_equal(mem_allocation_count(), before);
    assert_true(mem_fail_pending());
    assert_null(mem_alloc(1));
    mem_free(p);
}

static void *allocate_many(void *argument)
{
    unsigned *failed = argument;
    for (int i = 0; i < 1000; i++) {
        void *p = mem_alloc(8);
        *failed += p == NULL;
        mem_free(p);
    }
    return NULL;
}

static void one_of_many_threads_is_struck(void **state)
{
    (void)state;
    pthread_t threads[4];
    unsigned failed[4] = {0};
    mem_fail_nth(2000);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, allocate_many, &failed[i]), 0);
    }
    unsigned sum = 0;
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        sum += failed[i];
    }
    assert_int_equal(sum, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_hold_what_they_say),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(arrays_double_up_to_their_limit),
        cmocka_unit_test(growing_fails_and_changes_nothing),
        cmocka_unit_test(the_nth_allocation_fails_once),
        cmocka_unit_test(exempt_allocations_neither_count_nor_fail),
        cmocka_unit_test(one_of_many_threads_is_struck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
