/* The three forms of a posting list hold the same ids. */
#include "base/mem.h"
#include "index/posting_list.h"
#include "support/support.h"

static void check(const struct posting_list *list, uint32_t count, uint32_t step)
{
    struct id_set *into = id_set_new();
    assert_int_equal(posting_list_add_to(list, into), 0);
    assert_int_equal(id_set_count(into), count);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(id_set_has(into, i * step));
        struct id_set *one = id_set_range(i * step, i * step + 1);
        struct id_set *other = id_set_range(i * step + 1, i * step + 2);
        assert_true(posting_list_intersects(list, one));
        assert_false(posting_list_intersects(list, other));
        id_set_free(one);
        id_set_free(other);
    }
    id_set_free(into);
}

static void test_every_length(void **state)
{
    for (uint32_t count = 0; count < 3 * POSTING_ARRAY_MAX; count++) {
        struct posting_list list = {0};
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(posting_list_append(&list, i * 7), 0);
        }
        assert_int_equal(list.count, count);
        check(&list, count, 7);
        posting_list_release(&list);
    }
}

/* Grows and shrinks at random, beside a plain array of flags. */
static void test_removals(void **state)
{
    enum { IDS = 400 };
    (void)state;
    uint64_t random = test_seed();
    struct posting_list list = {0};
    bool there[IDS] = {false};
    for (int round = 0; round < 20; round++) {
        uint32_t count = 0;
        /* Ids are appended in ascending order: begin anew, and end with a random few. */
        posting_list_release(&list);
        uint32_t upto = (uint32_t)(test_random(&random) % IDS);
        for (uint32_t id = 0; id < IDS; id++) {
            there[id] = id < upto;
            if (there[id]) {
                assert_int_equal(posting_list_append(&list, id), 0);
            }
        }
        for (int i = 0; i < 3 * IDS; i++) {
            uint32_t id = (uint32_t)(test_random(&random) % IDS);
            posting_list_remove(&list, id);
            there[id] = false;
            if (i % 97 == 0) { /* and one on top, so that arrays grow after they shrank */
                uint32_t last = IDS - 1;
                if (!there[last]) {
                    assert_int_equal(posting_list_append(&list, last), 0);
                    there[last] = true;
                }
            }
            struct id_set *into = id_set_new();
            assert_int_equal(posting_list_add_to(&list, into), 0);
            count = 0;
            for (uint32_t k = IDS; k-- > 0;) {
                assert_int_equal(id_set_has(into, k), there[k]);
                count += there[k];
                if (there[k]) {
                    id = k;
                }
            }
            assert_int_equal(list.count, count);
            if (count > 0) {
                assert_int_equal(posting_list_first(&list), id);
            }
            id_set_free(into);
        }
    }
    posting_list_release(&list);
}

static void test_short_memory_changes_nothing(void **state)
{
    struct posting_list list = {0};
    assert_int_equal(posting_list_append(&list, 0), 0);
    mem_fail_nth(1);
    assert_int_equal(posting_list_append(&list, 7), -1);
    mem_fail_nth(0);
    check(&list, 1, 7);
    assert_int_equal(posting_list_append(&list, 7), 0);
    check(&list, 2, 7);
    posting_list_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_removals),
        cmocka_unit_test(test_short_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
