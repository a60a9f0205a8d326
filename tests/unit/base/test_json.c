/* The JSON writer. Expected texts follow RFC 8259 and Prometheus' answers; strings also make the
 * round trip through jansson. */
#include "support/support.h"

#include <jansson.h>
#include <math.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

static void check(struct strbuf *out, const char *what, const char *expected)
{
    assert_int_equal(strbuf_error(out), 0);
    if (!str_eq_c(strbuf_str(out), expected)) {
        fail_msg("%s: got %.*s, expected %s", what, STR_ARG(strbuf_str(out)), expected);
    }
    strbuf_release(out);
}

static void test_structure(void **state)
{
    struct strbuf out = STRBUF_INIT;
    struct json_writer w;
    json_init(&w, &out);
    json_begin_object(&w);
    json_key(&w, "status");
    json_cstring(&w, "success");
    json_key(&w, "data");
    json_begin_object(&w);
    json_key(&w, "empty");
    json_begin_array(&w);
    json_end(&w);
    json_key(&w, "result");
    json_begin_array(&w);
    json_begin_array(&w);
    json_seconds(&w, 1435781430781);
    json_quoted_double(&w, 1.5);
    json_end(&w);
    json_bool(&w, true);
    json_bool(&w, false);
    json_null(&w);
    json_integer(&w, INT64_MIN);
    json_double(&w, 0.1);
    json_raw(&w, STR("{\"a\":1}"));
    json_begin_object(&w);
    json_end(&w);
    json_end(&w);
    json_end(&w);
    json_key_str(&w, STR("last \"key\""));
    json_integer(&w, 0);
    json_end(&w);
    check(&out, "structure",
        "{\"status\":\"success\",\"data\":{\"empty\":[],\"result\":[[1435781430.781,\"1.5\"],true,"
        "false,null,-9223372036854775808,0.1,{\"a\":1},{}]},\"last \\\"key\\\"\":0}");
}

static void test_strings(void **state)
{
    static const struct {
        struct str value;
        const char *expected;
    } cases[] = {
        {{"", 0}, "\"\""},
        {{NULL, 0}, "\"\""},
        {{"plain", 5}, "\"plain\""},
        {{"a\"b\\c", 5}, "\"a\\\"b\\\\c\""},
        {{"\b\f\n\r\t", 5}, "\"\\b\\f\\n\\r\\t\""},
        {{"\0\x1f", 2}, "\"\\u0000\\u001f\""},
        {{"\x7f/<>&", 5}, "\"\x7f/<>&\""},
        {{"grün €𝄞", 13}, "\"grün €𝄞\""},
        {{"\xe2\x80\xa8\xe2\x80\xa9", 6}, "\"\\u2028\\u2029\""},
        /* Not UTF-8: each byte for itself. */
        {{"a\xff"
          "b",
             3},
            "\"a\xef\xbf\xbd"
            "b\""},
        {{"\xc3", 1}, "\"\xef\xbf\xbd\""},
        {{"\xc0\x80", 2}, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xe0\x9f\xbf", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xf4\x90\x80\x80", 4}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xe2\x82x", 3}, "\"\xef\xbf\xbd\xef\xbf\xbdx\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf out = STRBUF_INIT;
        struct json_writer w;
        json_init(&w, &out);
        json_string(&w, cases[i].value);
        check(&out, "string", cases[i].expected);
    }
}

static void test_numbers(void **state)
{
    static const struct {
        double value;
        const char *bare, *quoted;
    } doubles[] = {
        {0, "0", "\"0\""},
        {-0.0, "-0", "\"-0\""},
        {1e21, "1e+21", "\"1e+21\""},
        {123456789, "123456789", "\"123456789\""},
        {NAN, "null", "\"NaN\""},
        {INFINITY, "null", "\"+Inf\""},
        {-INFINITY, "null", "\"-Inf\""},
    };
    for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
        struct strbuf out = STRBUF_INIT;
        struct json_writer w;
        json_init(&w, &out);
        json_double(&w, doubles[i].value);
        check(&out, "double", doubles[i].bare);
        json_init(&w, &out);
        json_quoted_double(&w, doubles[i].value);
        check(&out, "quoted double", doubles[i].quoted);
    }
    static const struct {
        int64_t time_ms;
        const char *expected;
    } times[] = {
        {0, "0"},
        {1, "0.001"},
        {-1, "-0.001"},
        {1000, "1"},
        {1435781430780, "1435781430.780"},
        {-1500, "-1.500"},
        {INT64_MIN, "-9223372036854775.808"},
        {INT64_MAX, "9223372036854775.807"},
    };
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct strbuf out = STRBUF_INIT;
        struct json_writer w;
        json_init(&w, &out);
        json_seconds(&w, times[i].time_ms);
        check(&out, "seconds", times[i].expected);
    }
}

/* Random code points, read back by another implementation. */
static void test_round_trip(void **state)
{
    uint64_t random = test_seed();
    for (size_t round = 0; round < 2000; round++) {
        struct strbuf text = STRBUF_INIT, out = STRBUF_INIT;
        size_t length = test_random(&random) % 20;
        strbuf_reserve(&text, 1);
        for (size_t i = 0; i < length; i++) {
            static const uint32_t ranges[] = {0x80, 0x800, 0x3000, 0x10ffff};
            uint32_t c = (uint32_t)(test_random(&random) % ranges[test_random(&random) % 4]);
            c = c >= 0xd800 && c <= 0xdfff ? 0x2028 : c;
            if (c < 0x80) {
                strbuf_add_char(&text, (char)c);
            } else if (c < 0x800) {
                strbuf_addf(&text, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
            } else if (c < 0x10000) {
                strbuf_addf(
                    &text, "%c%c%c", 0xe0 | c >> 12, 0x80 | (c >> 6 & 0x3f), 0x80 | (c & 0x3f));
            } else {
                strbuf_addf(&text, "%c%c%c%c", 0xf0 | c >> 18, 0x80 | (c >> 12 & 0x3f),
                    0x80 | (c >> 6 & 0x3f), 0x80 | (c & 0x3f));
            }
        }
        struct json_writer w;
        json_init(&w, &out);
        json_string(&w, strbuf_str(&text));
        json_error_t error;
        json_t *value = json_loadb(out.data, out.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        if (value == NULL || json_string_length(value) != text.size ||
            memcmp(json_string_value(value), text.data, text.size) != 0) {
            fail_msg("%s: %s", out.data, value == NULL ? error.text : "read back differently");
        }
        json_decref(value);
        strbuf_release(&text);
        strbuf_release(&out);
    }
}

/* The limit of the buffer sticks; writing on is harmless. */
static void test_sticky_error(void **state)
{
    struct strbuf out;
    struct json_writer w;
    strbuf_init(&out, 16);
    json_init(&w, &out);
    json_begin_array(&w);
    for (size_t i = 0; i < 100; i++) {
        json_cstring(&w, "element");
        json_quoted_double(&w, 1.25);
        json_seconds(&w, 1500);
    }
    json_end(&w);
    assert_int_equal(strbuf_error(&out), ERR_LIMIT);
    strbuf_release(&out);
}

/* The text between the quotes. */
static void add_inner(struct strbuf *out, struct str value)
{
    struct strbuf one = STRBUF_INIT;
    struct json_writer w;
    json_init(&w, &one);
    json_string(&w, value);
    strbuf_add(out, one.data + 1, one.size - 2);
    strbuf_release(&one);
}

/* Every byte at every place of a text that is looked at in words is written as it is alone. */
static void test_every_byte_at_every_place(void **state)
{
    (void)state;
    enum { LENGTH = 19 };
    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < LENGTH; at++) {
            char text[LENGTH + 1] = "abcdefghijklmnopqrs";
            struct strbuf expected = STRBUF_INIT, found = STRBUF_INIT;
            text[at] = (char)c;
            add_inner(&expected, str_make(text, at));
            add_inner(&expected, str_make(text + at, 1));
            add_inner(&expected, str_make(text + at + 1, LENGTH - at - 1));
            add_inner(&found, str_make(text, LENGTH));
            if (!str_eq(strbuf_str(&found), strbuf_str(&expected))) {
                fail_msg("byte %d at %zu: %s, not %s", c, at, found.data, expected.data);
            }
            strbuf_release(&expected);
            strbuf_release(&found);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_byte_at_every_place),
        cmocka_unit_test(test_sticky_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
