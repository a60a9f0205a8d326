/* Slices: comparing, cutting, integers, UTF-8. (Doubles are in test_fpconv.) */
#include "support/support.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

static const struct str none = {NULL, 0};

static void comparing_is_bytewise(void **state)
{
    (void)state;
    static const struct {
        struct str a, b;
        int order;
    } table[] = {
        {{NULL, 0}, {"", 0}, 0},
        {{"", 0}, {"a", 1}, -1},
        {{"a", 1}, {"ab", 2}, -1},
        {{"ab", 2}, {"b", 1}, -1},
        {{"a\0b", 3}, {"a\0c", 3}, -1},
        {{"\xff", 1}, {"a", 1}, 1},
        {{"a", 1}, {"a\0", 2}, -1},
        {{"abc", 3}, {"abc", 3}, 0},
        {{"B", 1}, {"a", 1}, -1},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int order = str_cmp(table[i].a, table[i].b);
        assert_int_equal(order < 0 ? -1 : order > 0, table[i].order);
        order = str_cmp(table[i].b, table[i].a);
        assert_int_equal(order < 0 ? -1 : order > 0, -table[i].order);
        assert_int_equal(str_eq(table[i].a, table[i].b), table[i].order == 0);
    }
    assert_true(str_eq_c(STR("abc"), "abc"));
    assert_true(str_eq_c(none, ""));
    assert_int_equal(str_of(NULL).len, 0);
}

static void prefixes_and_suffixes(void **state)
{
    (void)state;
    assert_true(str_starts_with(STR("abc"), STR("ab")));
    assert_true(str_starts_with(STR("abc"), STR("abc")));
    assert_true(str_starts_with(STR("abc"), none));
    assert_true(str_starts_with(none, none));
    assert_false(str_starts_with(STR("abc"), STR("abcd")));
    assert_false(str_starts_with(STR("abc"), STR("b")));
    assert_false(str_starts_with(none, STR("a")));
    assert_true(str_ends_with(STR("abc"), STR("bc")));
    assert_true(str_ends_with(STR("abc"), none));
    assert_true(str_ends_with(none, none));
    assert_false(str_ends_with(STR("abc"), STR("xabc")));
    assert_false(str_ends_with(STR("abc"), STR("b")));
    assert_true(str_eq(str_skip(STR("abc"), 1), STR("bc")));
    assert_int_equal(str_skip(STR("abc"), 99).len, 0);
}

static void trimming_takes_white_space_off_both_ends(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } table[] = {
        {"", ""},
        {" ", ""},
        {" \t\r\n", ""},
        {"a", "a"},
        {" a b\n", "a b"},
        {"\r\na", "a"},
        {"a\v", "a\v"},
        {"\xc2\xa0"
         "a",
            "\xc2\xa0"
            "a"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_true(str_eq_c(str_trim(str_of(table[i].text)), table[i].expected));
    }
    assert_int_equal(str_trim(none).len, 0);
}

static void splitting_tells_an_empty_rest_from_none(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *parts[4];
        size_t count;
    } table[] = {
        {"", {""}, 1},
        {"a", {"a"}, 1},
        {"a,b", {"a", "b"}, 2},
        {"a,", {"a", ""}, 2},
        {",", {"", ""}, 2},
        {",a,,b", {"", "a", "", "b"}, 4},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct str rest = str_of(table[i].text);
        size_t count = 0;
        while (rest.ptr != NULL) {
            struct str part = str_split(&rest, ',');
            assert_true(count < table[i].count);
            assert_true(str_eq_c(part, table[i].parts[count]));
            count++;
        }
        assert_int_equal(count, table[i].count);
    }
    assert_int_equal(str_find(STR("abcb"), 'b'), 1);
    assert_int_equal(str_find(STR("abc"), 'x'), -1);
    assert_int_equal(str_find(none, 'x'), -1);
    assert_int_equal(str_find(str_make("a\0b", 3), 'b'), 2);
}

static void integers_are_whole_and_do_not_overflow(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int u64_status;
        uint64_t u64;
        int i64_status;
        int64_t i64;
    } table[] = {
        {"0", 0, 0, 0, 0}, {"007", 0, 7, 0, 7}, {"9223372036854775807", 0, INT64_MAX, 0, INT64_MAX},
        {"9223372036854775808", 0, 1ull << 63, ERR_RANGE, 0},
        {"18446744073709551615", 0, UINT64_MAX, ERR_RANGE, 0},
        {"18446744073709551616", ERR_RANGE, 0, ERR_RANGE, 0},
        {"99999999999999999999999", ERR_RANGE, 0, ERR_RANGE, 0},
        {"0000000000000000000000001", 0, 1, 0, 1}, {"-1", ERR_INVALID, 0, 0, -1},
        {"+1", ERR_INVALID, 0, 0, 1}, {"-0", ERR_INVALID, 0, 0, 0},
        {"-9223372036854775808", ERR_INVALID, 0, 0, INT64_MIN},
        {"-9223372036854775809", ERR_INVALID, 0, ERR_RANGE, 0},
        {"", ERR_INVALID, 0, ERR_INVALID, 0}, {"-", ERR_INVALID, 0, ERR_INVALID, 0},
        {"+-1", ERR_INVALID, 0, ERR_INVALID, 0}, {" 1", ERR_INVALID, 0, ERR_INVALID, 0},
        {"1 ", ERR_INVALID, 0, ERR_INVALID, 0}, {"1x", ERR_INVALID, 0, ERR_INVALID, 0},
        {"0x1", ERR_INVALID, 0, ERR_INVALID, 0}, {"1_0", ERR_INVALID, 0, ERR_INVALID, 0},
        {"1.0", ERR_INVALID, 0, ERR_INVALID, 0},
        {"\xd9\xa1", ERR_INVALID, 0, ERR_INVALID, 0}, /* a digit, but not one of ours */
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint64_t u64 = 0;
        int64_t i64 = 0;
        int u64_status = str_to_u64(str_of(table[i].text), &u64);
        int i64_status = str_to_i64(str_of(table[i].text), &i64);
        if (u64_status != table[i].u64_status || u64 != table[i].u64 ||
            i64_status != table[i].i64_status || i64 != table[i].i64) {
            fail_msg("\"%s\" is %s %llu and %s %lld", table[i].text, err_name(u64_status),
                (unsigned long long)u64, err_name(i64_status), (long long)i64);
        }
    }
    uint64_t value = 0;
    assert_int_equal(str_to_u64(str_make("123456", 3), &value), 0);
    assert_int_equal(value, 123);
    assert_int_equal(str_to_u64(str_make("1\0", 2), &value), ERR_INVALID);
}

/* RFC 3629, section 4: the grammar of well-formed sequences, written down independently. */
static bool is_well_formed(const unsigned char *s, size_t length)
{
    static const struct {
        unsigned char low[4], high[4];
        size_t length;
    } rules[] = {
        {{0x00}, {0x7f}, 1},
        {{0xc2, 0x80}, {0xdf, 0xbf}, 2},
        {{0xe0, 0xa0, 0x80}, {0xe0, 0xbf, 0xbf}, 3},
        {{0xe1, 0x80, 0x80}, {0xec, 0xbf, 0xbf}, 3},
        {{0xed, 0x80, 0x80}, {0xed, 0x9f, 0xbf}, 3},
        {{0xee, 0x80, 0x80}, {0xef, 0xbf, 0xbf}, 3},
        {{0xf0, 0x90, 0x80, 0x80}, {0xf0, 0xbf, 0xbf, 0xbf}, 4},
        {{0xf1, 0x80, 0x80, 0x80}, {0xf3, 0xbf, 0xbf, 0xbf}, 4},
        {{0xf4, 0x80, 0x80, 0x80}, {0xf4, 0x8f, 0xbf, 0xbf}, 4},
    };
    size_t i = 0;
    while (i < length) {
        size_t taken = 0;
        for (size_t r = 0; r < sizeof(rules) / sizeof(rules[0]) && taken == 0; r++) {
            size_t k = 0;
            while (k < rules[r].length && i + k < length && s[i + k] >= rules[r].low[k] &&
                   s[i + k] <= rules[r].high[k]) {
                k++;
            }
            taken = k == rules[r].length ? k : 0;
        }
        if (taken == 0) {
            return false;
        }
        i += taken;
    }
    return true;
}

static void utf8_is_that_of_the_rfc(void **state)
{
    (void)state;
    /* Every sequence of two bytes, and every one of three and four from the bytes at the borders. */
    static const unsigned char borders[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
        0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5,
        0xf8, 0xff};
    enum { BORDERS = sizeof(borders) };
    unsigned char s[4];
    for (unsigned code = 0; code < 0x10000; code++) {
        s[0] = (unsigned char)(code >> 8);
        s[1] = (unsigned char)code;
        assert_int_equal(str_is_utf8(str_make((char *)s, 2)), is_well_formed(s, 2));
    }
    for (unsigned code = 0; code < BORDERS * BORDERS * BORDERS * BORDERS; code++) {
        unsigned rest = code;
        for (size_t k = 0; k < 4; k++) {
            s[k] = borders[rest % BORDERS];
            rest /= BORDERS;
        }
        for (size_t length = 3; length <= 4; length++) {
            if (str_is_utf8(str_make((char *)s, length)) != is_well_formed(s, length)) {
                fail_msg("%02x %02x %02x %02x (%zu bytes)", s[0], s[1], s[2], s[3], length);
            }
        }
    }
    assert_true(str_is_utf8(none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing_is_bytewise),
        cmocka_unit_test(prefixes_and_suffixes),
        cmocka_unit_test(trimming_takes_white_space_off_both_ends),
        cmocka_unit_test(splitting_tells_an_empty_rest_from_none),
        cmocka_unit_test(integers_are_whole_and_do_not_overflow),
        cmocka_unit_test(utf8_is_that_of_the_rfc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
