/* Lines, fields and numbers. */
#include "procfs/field.h"

#include "cuts.h"

static void lines_need_their_newline(void **state)
{
    (void)state;
    struct str rest = STR("one\n\nthree");
    struct str line;
    assert_int_equal(field_next_line(&rest, &line), 1);
    assert_str(line, "one");
    assert_int_equal(field_next_line(&rest, &line), 1);
    assert_str(line, "");
    assert_int_equal(field_next_line(&rest, &line), ERR_CORRUPT);
    rest = str_make(NULL, 0);
    assert_int_equal(field_next_line(&rest, &line), 0);
}

static void fields_are_cut_at_blanks(void **state)
{
    (void)state;
    struct str line = STR(" \ta  bb\tccc ");
    struct str field;
    const char *expected[] = {"a", "bb", "ccc"};
    for (size_t i = 0; i < 3; i++) {
        assert_true(field_next(&line, &field));
        assert_str(field, expected[i]);
    }
    assert_false(field_next(&line, &field));
    assert_false(field_next(&line, &field));
}

static void decimal_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        uint64_t value;
    } rows[] = {
        {"0", 0, 0},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", ERR_CORRUPT, 0},
        {"", ERR_CORRUPT, 0},
        {"-1", ERR_CORRUPT, 0},
        {"12x", ERR_CORRUPT, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = 0;
        assert_int_equal(field_u64(str_of(rows[i].text), &value), rows[i].status);
        assert_int_equal(value, rows[i].value);
    }
}

static void hexadecimal_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        uint64_t value;
    } rows[] = {
        {"0000105c", 0, 0x105c},
        {"0x1003", 0, 0x1003},
        {"FfFfFfFfFfFfFfFf", 0, UINT64_MAX},
        {"1ffffffffffffffff", ERR_CORRUPT, 0},
        {"0x", ERR_CORRUPT, 0},
        {"", ERR_CORRUPT, 0},
        {"1g", ERR_CORRUPT, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = 0;
        assert_int_equal(field_hex(str_of(rows[i].text), &value), rows[i].status);
        assert_int_equal(value, rows[i].value);
    }
}

static void signed_numbers(void **state)
{
    (void)state;
    double value = 0;
    assert_int_equal(field_number(STR("-1"), &value), 0);
    assert_float_equal(value, -1, 0);
    assert_int_equal(field_number(STR("18446744073709551615"), &value), 0);
    assert_float_equal(value, 18446744073709551616.0, 0);
    assert_int_equal(field_number(STR("-"), &value), ERR_CORRUPT);
    assert_int_equal(field_number(STR("--1"), &value), ERR_CORRUPT);
}

static void rows_of_numbers_stop_at_the_cap(void **state)
{
    (void)state;
    uint64_t values[2];
    struct str line = STR(" 1 2 3");
    assert_int_equal(field_next_u64s(&line, values, 2), 2);
    assert_str(line, " 3");
    line = STR("1 x");
    assert_int_equal(field_next_u64s(&line, values, 2), ERR_CORRUPT);
    line = STR("");
    assert_int_equal(field_next_u64s(&line, values, 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_need_their_newline),
        cmocka_unit_test(fields_are_cut_at_blanks),
        cmocka_unit_test(decimal_numbers),
        cmocka_unit_test(hexadecimal_numbers),
        cmocka_unit_test(signed_numbers),
        cmocka_unit_test(rows_of_numbers_stop_at_the_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
