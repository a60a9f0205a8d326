/* Elements keep their addresses while the array grows. */
#include "base/mem.h"
#include "index/stable_array.h"
#include "support/support.h"

enum { ELEMENTS = 5000 };

static void test_addresses_never_change(void **state)
{
    struct stable_array a;
    stable_array_init(&a, sizeof(uint64_t));
    static uint64_t *where[ELEMENTS];
    for (uint32_t i = 0; i < ELEMENTS; i++) {
        assert_int_equal(stable_array_reserve(&a, i), 0);
        where[i] = stable_array_at(&a, i);
        assert_int_equal(*where[i], 0);
        *where[i] = (uint64_t)i * 3;
    }
    for (uint32_t i = 0; i < ELEMENTS; i++) {
        assert_ptr_equal(stable_array_at(&a, i), where[i]);
        assert_int_equal(*where[i], (uint64_t)i * 3);
    }
    assert_true(stable_array_memory(&a) <= 2 * ELEMENTS * sizeof(uint64_t) + 256);
    stable_array_release(&a);
}

static void test_short_memory_changes_nothing(void **state)
{
    struct stable_array a;
    stable_array_init(&a, 8);
    mem_fail_nth(1);
    assert_int_equal(stable_array_reserve(&a, 0), -1);
    assert_int_equal(stable_array_reserve(&a, 0), 0);
    stable_array_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_never_change),
        cmocka_unit_test(test_short_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
