/* The growing buffer: appending, limits, and errors that stick. */
#include "support/support.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strbuf.h"

static void appending_builds_text(void **state)
{
    (void)state;
    struct strbuf b = STRBUF_INIT;
    assert_true(str_eq_c(strbuf_str(&b), ""));
    strbuf_add(&b, "ab", 2);
    strbuf_add(&b, NULL, 0);
    strbuf_add_c(&b, "cd");
    strbuf_add_char(&b, 'e');
    strbuf_add_str(&b, STR("fg"));
    strbuf_add_str(&b, str_make(NULL, 0));
    strbuf_addf(&b, "-%d-%s", 42, "text");
    strbuf_addf(&b, "%s", "");
    strbuf_add_u64(&b, 0);
    strbuf_add_char(&b, ' ');
    strbuf_add_u64(&b, UINT64_MAX);
    strbuf_add_char(&b, ' ');
    strbuf_add_i64(&b, INT64_MIN);
    strbuf_add_char(&b, ' ');
    strbuf_add_i64(&b, INT64_MAX);
    strbuf_add_i64(&b, -7);
    assert_string_equal(
        b.data, "abcdefg-42-text0 18446744073709551615 -9223372036854775808 9223372036854775807-7");
    assert_int_equal(b.size, strlen(b.data));
    strbuf_truncate(&b, 3);
    assert_string_equal(b.data, "abc");
    strbuf_add_char(&b, '\0');
    strbuf_add_char(&b, 'd');
    assert_int_equal(b.size, 5);
    assert_memory_equal(b.data, "abc\0d", 6);
    strbuf_reset(&b);
    assert_int_equal(b.size, 0);
    assert_string_equal(b.data, "");
    strbuf_release(&b);
    strbuf_release(&b);
}

static void reserving_hands_out_room(void **state)
{
    (void)state;
    struct strbuf b = STRBUF_INIT;
    char *room = strbuf_reserve(&b, 10);
    assert_non_null(room);
    assert_string_equal(room, "");
    memcpy(room, "hello", 5);
    strbuf_commit(&b, 5);
    room = strbuf_reserve(&b, 1000);
    memset(room, 'x', 1000);
    strbuf_commit(&b, 1000);
    assert_int_equal(b.size, 1005);
    assert_int_equal(b.data[1005], '\0');
    assert_int_equal(strncmp(b.data, "hellox", 6), 0);
    strbuf_release(&b);
}

static void taking_hands_over_the_bytes(void **state)
{
    (void)state;
    struct strbuf b = STRBUF_INIT;
    size_t size = 99;
    char *text = strbuf_take(&b, &size);
    assert_string_equal(text, "");
    assert_int_equal(size, 0);
    mem_free(text);
    strbuf_add_c(&b, "text");
    text = strbuf_take(&b, NULL);
    assert_string_equal(text, "text");
    mem_free(text);
    assert_null(b.data);
    strbuf_add_c(&b, "again");
    assert_string_equal(b.data, "again");
    strbuf_release(&b);
}

static void the_limit_is_exact_and_sticks(void **state)
{
    (void)state;
    static const size_t limits[] = {1, 7, 8, 9, 100};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct strbuf b;
        strbuf_init(&b, limits[i]);
        for (size_t k = 0; k < limits[i]; k++) {
            strbuf_add_char(&b, 'x');
        }
        assert_int_equal(strbuf_error(&b), 0);
        assert_int_equal(b.size, limits[i]);
        strbuf_add_char(&b, 'y');
        assert_int_equal(strbuf_error(&b), ERR_LIMIT);
        strbuf_add(&b, "", 0); /* even what would fit */
        strbuf_addf(&b, "%d", 1);
        assert_null(strbuf_reserve(&b, 0));
        assert_null(strbuf_take(&b, NULL));
        assert_int_equal(strbuf_error(&b), ERR_LIMIT);
        assert_int_equal(b.size, limits[i]);
        assert_int_equal(strlen(b.data), limits[i]);
        strbuf_reset(&b);
        strbuf_add_char(&b, 'z');
        assert_int_equal(strbuf_error(&b), 0);
        assert_string_equal(b.data, "z");
        strbuf_release(&b);
        assert_int_equal(b.limit, limits[i]);
    }
}

static void sizes_near_the_end_of_numbers_are_refused(void **state)
{
    (void)state;
    static const size_t limits[] = {0, SIZE_MAX - 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct strbuf b;
        strbuf_init(&b, limits[i]);
        strbuf_add_c(&b, "text");
        assert_int_equal(strbuf_error(&b), 0);
        assert_null(strbuf_reserve(&b, SIZE_MAX - 2));
        assert_true(strbuf_error(&b) == ERR_LIMIT || strbuf_error(&b) == ERR_NOMEM);
        assert_string_equal(b.data, "text");
        strbuf_release(&b);
    }
}

static void short_memory_sticks_and_keeps_what_was_there(void **state)
{
    (void)state;
    struct strbuf b = STRBUF_INIT;
    strbuf_add_c(&b, "kept");
    mem_fail_nth(1);
    strbuf_addf(&b, "%100d", 1);
    assert_int_equal(strbuf_error(&b), ERR_NOMEM);
    strbuf_add_c(&b, "ignored");
    assert_string_equal(b.data, "kept");
    strbuf_release(&b);
    mem_fail_nth(1);
    assert_null(strbuf_take(&b, NULL));
    assert_int_equal(strbuf_error(&b), ERR_NOMEM);
    assert_true(str_eq_c(strbuf_str(&b), ""));
    strbuf_release(&b);
}

/* The vectors of RFC 4648, section 10, and bytes that need the last two digits. */
static void test_base64(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *encoded;
    } cases[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "+/+/"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf b = STRBUF_INIT;
        strbuf_add_base64(&b, str_of(cases[i].plain));
        strbuf_add_c(&b, "");
        if (!str_eq_c(strbuf_str(&b), cases[i].encoded)) {
            fail_msg("%s: expected %s, got %.*s", cases[i].plain, cases[i].encoded,
                STR_ARG(strbuf_str(&b)));
        }
        strbuf_reset(&b);
        assert_int_equal(strbuf_add_unbase64(&b, str_of(cases[i].encoded)), 0);
        strbuf_add_c(&b, "");
        assert_string_equal(b.data, cases[i].plain);
        strbuf_release(&b);
    }
    struct strbuf b = STRBUF_INIT;
    strbuf_add_c(&b, "kept");
    assert_int_equal(strbuf_add_unbase64(&b, STR("-_-_Zm8")), 0); /* of URLs, without padding */
    assert_string_equal(b.data, "kept\xfb\xff\xbf"
                                "fo");
    static const char *const wrong[] = {"Zg==x", "Z", "Zm9vY", "Zm 8", "Zg===", "*"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        size_t before = b.size;
        if (strbuf_add_unbase64(&b, str_of(wrong[i])) != ERR_INVALID || b.size != before) {
            fail_msg("%s was taken", wrong[i]);
        }
    }
    strbuf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appending_builds_text),
        cmocka_unit_test(reserving_hands_out_room),
        cmocka_unit_test(taking_hands_over_the_bytes),
        cmocka_unit_test(the_limit_is_exact_and_sticks),
        cmocka_unit_test(sizes_near_the_end_of_numbers_are_refused),
        cmocka_unit_test(short_memory_sticks_and_keeps_what_was_there),
        cmocka_unit_test(test_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
