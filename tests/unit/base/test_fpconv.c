/* Doubles and their texts. The layouts are Go's, as documented in strconv and seen in expositions;
 * digits and rounding are compared with the C library's, which are correctly rounded too.
 */
#include "support/support.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/fpconv.h"

static void layouts_are_those_of_go(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *json, *short_form, *plain;
    } table[] = {
        {0, "0", "0", "0"},
        {-0.0, "-0", "-0", "-0"},
        {1, "1", "1", "1"},
        {-1.5, "-1.5", "-1.5", "-1.5"},
        {0.005, "0.005", "0.005", "0.005"},
        {0.1 + 0.2, "0.30000000000000004", "0.30000000000000004", "0.30000000000000004"},
        {100, "100", "100", "100"},
        {99999.5, "99999.5", "99999.5", "99999.5"},
        {999999, "999999", "999999", "999999"},
        {1e6, "1000000", "1e+06", "1000000"},
        {1048576, "1048576", "1.048576e+06", "1048576"},
        {999999999999999, "999999999999999", "9.99999999999999e+14", "999999999999999"},
        {-1e15, "-1000000000000000", "-1e+15", "-1000000000000000"},
        {1234567.891, "1234567.891", "1.234567891e+06", "1234567.891"},
        {1e20, "100000000000000000000", "1e+20", "100000000000000000000"},
        {123456789e12, "123456789000000000000", "1.23456789e+20", "123456789000000000000"},
        {1e21, "1e+21", "1e+21", "1000000000000000000000"},
        {-1.5e22, "-1.5e+22", "-1.5e+22", "-15000000000000000000000"},
        {1e100, "1e+100", "1e+100",
            "10000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "000"
            "000000000000"},
        {0.0001, "0.0001", "0.0001", "0.0001"},
        {0.00001, "0.00001", "1e-05", "0.00001"},
        {0.000012345, "0.000012345", "1.2345e-05", "0.000012345"},
        {0.000001, "0.000001", "1e-06", "0.000001"},
        {0.00000099, "9.9e-07", "9.9e-07", "0.00000099"},
        {1e-7, "1e-07", "1e-07", "0.0000001"},
        {-1e-10, "-1e-10", "-1e-10", "-0.0000000001"},
        {DBL_MAX, "1.7976931348623157e+308", "1.7976931348623157e+308", NULL},
        {DBL_MIN, "2.2250738585072014e-308", "2.2250738585072014e-308", NULL},
        {5e-324, "5e-324", "5e-324", NULL},
        {9007199254740993.0, "9007199254740992", "9.007199254740992e+15", "9007199254740992"},
        {INFINITY, "+Inf", "+Inf", "+Inf"},
        {-INFINITY, "-Inf", "-Inf", "-Inf"},
        {NAN, "NaN", "NaN", "NaN"},
        {-NAN, "NaN", "NaN", "NaN"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char text[FP_TEXT_MAX], plain[FP_PLAIN_TEXT_MAX];
        assert_int_equal(fp_format(table[i].value, text), strlen(table[i].json));
        assert_string_equal(text, table[i].json);
        assert_int_equal(fp_format_short(table[i].value, text), strlen(table[i].short_form));
        assert_string_equal(text, table[i].short_form);
        size_t length = fp_format_plain(table[i].value, plain);
        assert_int_equal(length, strlen(plain));
        if (table[i].plain != NULL) {
            assert_string_equal(plain, table[i].plain);
        }
    }
}

static void appending_uses_the_layout_of_json(void **state)
{
    (void)state;
    struct strbuf b = STRBUF_INIT;
    strbuf_add_double(&b, 1e6);
    strbuf_add_char(&b, ' ');
    strbuf_add_double(&b, -2.5e-8);
    assert_string_equal(b.data, "1000000 -2.5e-08");
    strbuf_release(&b);
    strbuf_init(&b, 3);
    strbuf_add_double(&b, 1e6);
    assert_int_equal(strbuf_error(&b), ERR_LIMIT);
    strbuf_release(&b);
}

/* Digits between the sign, the point and the exponent, without zeros at either end. */
static size_t count_digits(const char *text)
{
    size_t count = 0, zeros = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text == '0' && count > 0) {
            zeros++;
        } else if (*text >= '1' && *text <= '9') {
            count += zeros + 1;
            zeros = 0;
        }
    }
    return count;
}

/* The same digits, into `digits`. */
static void digits_of(const char *text, char *digits)
{
    size_t count = 0, kept = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if ((*text >= '1' && *text <= '9') || (*text == '0' && count > 0)) {
            digits[count++] = *text;
            kept = *text != '0' ? count : kept;
        }
    }
    digits[kept] = '\0';
}

/* The fewest digits with which printf and strtod come back to the value. */
static size_t fewest_digits(double value)
{
    char text[64];
    for (int digits = 1; digits < 17; digits++) {
        snprintf(text, sizeof(text), "%.*e", digits - 1, value);
        if (double_bits(strtod(text, NULL)) == double_bits(value)) {
            return count_digits(text);
        }
    }
    return 17;
}

/* A double whose bits are random, or one of those near which rounding goes wrong. */
static double random_double(uint64_t *random)
{
    uint64_t bits = test_random(random);
    switch (test_random(random) % 6) {
    case 5: /* counters */
        return (double)(bits >> (10 + test_random(random) % 54));
    case 0: /* what metrics look like */
        return (double)(bits % 10000000) / 1000;
    case 1: /* integers around 2^53 and beyond */
        return (double)(bits >> test_random(random) % 12);
    case 2: /* a power of two and its neighbours */
        return double_from_bits((bits & 0xfff0000000000000ull) + test_random(random) % 3 - 1);
    case 3: /* subnormal */
        return double_from_bits(bits & 0x800fffffffffffffull);
    default:
        return double_from_bits(bits);
    }
}

static void random_doubles_come_back_with_the_fewest_digits(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    size_t (*const formats[])(double, char *) = {fp_format, fp_format_short, fp_format_plain};
    for (int i = 0; i < 20000; i++) {
        double value = random_double(&random);
        if (!isfinite(value)) {
            continue;
        }
        for (size_t f = 0; f < 3; f++) {
            char text[FP_PLAIN_TEXT_MAX];
            size_t length = formats[f](value, text);
            double back = 0;
            assert_true(length < (f < 2 ? FP_TEXT_MAX : FP_PLAIN_TEXT_MAX));
            assert_int_equal(str_to_double(str_make(text, length), &back), 0);
            if (double_bits(back) != double_bits(value) ||
                double_bits(strtod(text, NULL)) != double_bits(value)) {
                fail_msg("%.17g is written %s, read %.17g", value, text, back);
            }
            /* At a power of two the interval is lopsided: ours may be shorter than printf's. */
            size_t count = count_digits(text), fewest = fewest_digits(value);
            if (count > fewest) {
                fail_msg("%.17g is written %s", value, text);
            }
            /* Of as many digits printf gives the nearest. */
            char digits[FP_PLAIN_TEXT_MAX], printed[64], nearest[64];
            digits_of(text, digits);
            snprintf(printed, sizeof(printed), "%.*e", (int)fewest - 1, value);
            digits_of(printed, nearest);
            if (count == fewest && value != 0 && strcmp(digits, nearest) != 0) {
                fail_msg("%.17g is written %s, nearer is %s", value, text, printed);
            }
        }
    }
}

static void texts_are_read_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        double value;
    } table[] = {
        {"0", 0, 0},
        {"-0", 0, -0.0},
        {"+5", 0, 5},
        {"007", 0, 7},
        {"5.", 0, 5},
        {".5", 0, 0.5},
        {"-.5e1", 0, -5},
        {"1e5", 0, 1e5},
        {"1E+5", 0, 1e5},
        {"1e-5", 0, 1e-5},
        {"123456789012345", 0, 123456789012345},
        {"1234567890123456", 0, 1234567890123456},
        {"0.000000000000001", 0, 1e-15},
        {"1.7976931348623157e308", 0, DBL_MAX},
        {"1.7976931348623159e308", ERR_RANGE, 0},
        {"1e309", ERR_RANGE, 0},
        {"-1e999", ERR_RANGE, 0},
        {"1e-400", 0, 0},
        {"5e-324", 0, 5e-324},
        {"2.4703282292062327e-324", 0, 0},
        {"2.4703282292062328e-324", 0, 5e-324},
        {"9007199254740993", 0, 9007199254740992},
        {"9007199254740993.00000000000000000000000000000000001", 0, 9007199254740994},
        {"inf", 0, INFINITY},
        {"+Inf", 0, INFINITY},
        {"-INF", 0, -INFINITY},
        {"Infinity", 0, INFINITY},
        {"-infinity", 0, -INFINITY},
        {"", ERR_INVALID, 0},
        {".", ERR_INVALID, 0},
        {"-", ERR_INVALID, 0},
        {"+", ERR_INVALID, 0},
        {"e5", ERR_INVALID, 0},
        {"1e", ERR_INVALID, 0},
        {"1e+", ERR_INVALID, 0},
        {"1e5.5", ERR_INVALID, 0},
        {"1.2.3", ERR_INVALID, 0},
        {"--1", ERR_INVALID, 0},
        {"1 ", ERR_INVALID, 0},
        {" 1", ERR_INVALID, 0},
        {"1x", ERR_INVALID, 0},
        {"1,5", ERR_INVALID, 0},
        {"0x10", ERR_INVALID, 0},
        {"0x1p-3", ERR_INVALID, 0},
        {"1_000", ERR_INVALID, 0},
        {"infi", ERR_INVALID, 0},
        {"infinit", ERR_INVALID, 0},
        {"infinityx", ERR_INVALID, 0},
        {"in", ERR_INVALID, 0},
        {"+nan", ERR_INVALID, 0},
        {"-NaN", ERR_INVALID, 0},
        {"nanx", ERR_INVALID, 0},
        {"1d", ERR_INVALID, 0},
        {"1f", ERR_INVALID, 0},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        double value = 0;
        int status = str_to_double(str_of(table[i].text), &value);
        if (status != table[i].status || double_bits(value) != double_bits(table[i].value)) {
            fail_msg("\"%s\" is %s %.17g, expected %s %.17g", table[i].text, err_name(status),
                value, err_name(table[i].status), table[i].value);
        }
    }
    double value = 0;
    static const char *const nans[] = {"NaN", "nan", "NAN"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(str_to_double(str_of(nans[i]), &value), 0);
        assert_int_equal(double_bits(value), 0x7ff8000000000001ull);
    }
    assert_int_equal(str_to_double(str_make("1\0", 2), &value), ERR_INVALID);
    assert_int_equal(str_to_double(str_make("12345", 2), &value), 0);
    assert_true(value == 12);
}

static void long_texts_have_a_limit(void **state)
{
    (void)state;
    char text[1026];
    memset(text, '0', sizeof(text));
    text[0] = '1';
    text[1] = '.';
    double value = 0;
    assert_int_equal(str_to_double(str_make(text, 1024), &value), 0);
    assert_true(value == 1);
    assert_int_equal(str_to_double(str_make(text, 1025), &value), ERR_INVALID);
}

/* Texts of random digits are read as strtod reads them, to the last bit: halfway cases, long tails
 * and extreme exponents included. */
static void reading_is_correctly_rounded(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    for (int i = 0; i < 20000; i++) {
        char text[900];
        size_t n = 0;
        if (i % 3 == 0) {
            /* Exactly halfway between two doubles, then nudged: the hardest case there is. */
            double low = fabs(random_double(&random));
            if (!(low < 1e300) || low < 1e-200) {
                continue;
            }
            long double middle = ((long double)low + (long double)nextafter(low, INFINITY)) / 2;
            n = (size_t)snprintf(text, sizeof(text), "%.780Lg", middle);
            if (i % 2 == 0 && memchr(text, 'e', n) == NULL && memchr(text, '.', n) != NULL) {
                text[n++] = '1';
                text[n] = '\0';
            }
        } else {
            size_t digits = 1 + test_random(&random) % 40;
            size_t point = test_random(&random) % 40;
            for (size_t d = 0; d < digits; d++) {
                if (d == point) {
                    text[n++] = '.';
                }
                text[n++] = (char)('0' + test_random(&random) % 10);
            }
            n += (size_t)snprintf(
                text + n, sizeof(text) - n, "e%d", (int)(test_random(&random) % 700) - 350);
        }
        double value = 0;
        double expected = strtod(text, NULL);
        int status = str_to_double(str_make(text, n), &value);
        if (isinf(expected)) {
            assert_int_equal(status, ERR_RANGE);
        } else if (status != 0 || double_bits(value) != double_bits(expected)) {
            fail_msg(
                "%s is read %.17g (%s), expected %.17g", text, value, err_name(status), expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts_are_those_of_go),
        cmocka_unit_test(appending_uses_the_layout_of_json),
        cmocka_unit_test(random_doubles_come_back_with_the_fewest_digits),
        cmocka_unit_test(texts_are_read_or_refused),
        cmocka_unit_test(long_texts_have_a_limit),
        cmocka_unit_test(reading_is_correctly_rounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
