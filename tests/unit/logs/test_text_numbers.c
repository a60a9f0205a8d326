/* Texts get numbers in the order they come, and keep them; there is a last one. */
#include "logs/text_numbers.h"

#include "base/err.h"
#include "expect.h"

static void test_numbers(void **state)
{
    struct text_numbers *n;
    uint32_t number;
    char text[16];
    enum { MANY = 100 };
    (void)state;
    assert_int_equal(text_numbers_new(MANY, &n), 0);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < MANY; i++) {
            (void)snprintf(text, sizeof(text), "t%u", i);
            assert_int_equal(text_numbers_of(n, str_of(text), &number), 0);
            assert_int_equal(number, i);
            expect_text(text_numbers_text(n, i), text);
        }
    }
    assert_int_equal(text_numbers_of(n, STR(""), &number), ERR_LIMIT);
    assert_int_equal(text_numbers_of(n, STR("t7"), &number), 0);
    assert_int_equal(number, 7);
    text_numbers_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
