/* Bits by id: there and back, at the borders of words, beyond the bound. */
#include "index/id_bits.h"

#include "base/mem.h"
#include "support/support.h"

static void test_there_and_back(void **state)
{
    static const uint32_t counts[] = {0, 1, 63, 64, 65, 1000};
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        uint32_t count = counts[c];
        struct id_bits bits;
        assert_int_equal(id_bits_init(&bits, count), 0);
        for (uint32_t id = 0; id < 1100; id += 3) {
            id_bits_add(&bits, id);
        }
        struct id_set *set = id_bits_to_set(&bits);
        assert_int_equal(id_set_count(set), (count + 2) / 3);
        for (uint32_t id = 0; id < 1100; id++) {
            bool there = id < count && id % 3 == 0;
            assert_int_equal(id_bits_has(&bits, id), there);
            assert_int_equal(id_set_has(set, id), there);
        }
        struct id_bits again;
        assert_int_equal(id_bits_init(&again, count), 0);
        assert_int_equal(id_set_add(set, 5000), 0); // beyond the bound
        id_bits_add_set(&again, set);
        for (uint32_t id = 0; id < 1100; id++) {
            assert_int_equal(id_bits_has(&again, id), id_bits_has(&bits, id));
        }
        id_set_free(set);
        id_bits_release(&again);
        id_bits_release(&bits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_there_and_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
