/* Lines of the log: quoting, cutting, levels. */
#include "support/support.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/strbuf.h"

static void keep_line(void *context, struct str line)
{
    strbuf_add_str(context, line);
}

/* The line without its time stamp, whose form is checked on the way. */
static const char *after_time(const struct strbuf *lines)
{
    static const char form[] = "ts=0000-00-00T00:00:00.000Z ";
    assert_true(lines->size > sizeof(form));
    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        char c = lines->data[i];
        bool fits = form[i] == '0' ? c >= '0' && c <= '9' : c == form[i];
        if (!fits) {
            fail_msg("byte %zu of \"%s\"", i, lines->data);
        }
    }
    return lines->data + sizeof(form) - 1;
}

static void values_are_bare_or_quoted(void **state)
{
    (void)state;
    static const struct {
        struct log_field field;
        const char *expected;
    } table[] = {
        {{"k", LOG_FIELD_STRING, {"plain/path-1:2", 14}, 0, 0}, "k=plain/path-1:2"},
        {{"k", LOG_FIELD_STRING, {"", 0}, 0, 0}, "k=\"\""},
        {{"k", LOG_FIELD_STRING, {NULL, 0}, 0, 0}, "k=\"\""},
        {{"k", LOG_FIELD_STRING, {"two words", 9}, 0, 0}, "k=\"two words\""},
        {{"k", LOG_FIELD_STRING, {"a=b", 3}, 0, 0}, "k=\"a=b\""},
        {{"k", LOG_FIELD_STRING, {"say \"hi\"", 8}, 0, 0}, "k=\"say \\\"hi\\\"\""},
        {{"k", LOG_FIELD_STRING, {"back\\slash", 10}, 0, 0}, "k=\"back\\\\slash\""},
        {{"k", LOG_FIELD_STRING, {"a\nb\rc\td", 7}, 0, 0}, "k=\"a\\nb\\rc\\td\""},
        {{"k", LOG_FIELD_STRING, {"\x01\x7f\0", 3}, 0, 0}, "k=\"\\x01\\x7f\\x00\""},
        {{"k", LOG_FIELD_STRING, {"gr\xc3\xbc\xc3\x9f", 6}, 0, 0}, "k=gr\xc3\xbc\xc3\x9f"},
        {{"k", LOG_FIELD_STRING, {"bad\xff\xc3", 5}, 0, 0}, "k=\"bad\\xff\\xc3\""},
        {{"k", LOG_FIELD_INTEGER, {NULL, 0}, INT64_MIN, 0}, "k=-9223372036854775808"},
        {{"k", LOG_FIELD_INTEGER, {NULL, 0}, 17, 0}, "k=17"},
        {{"k", LOG_FIELD_DOUBLE, {NULL, 0}, 0, 0.25}, "k=0.25"},
        {{"k", LOG_FIELD_DOUBLE, {NULL, 0}, 0, NAN}, "k=NaN"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct strbuf lines = STRBUF_INIT;
        log_set_sink(keep_line, &lines);
        log_write(LOG_LEVEL_WARN, "test: message", &table[i].field, 1);
        char expected[256];
        snprintf(
            expected, sizeof(expected), "level=warn msg=\"test: message\" %s\n", table[i].expected);
        assert_string_equal(after_time(&lines), expected);
        strbuf_release(&lines);
    }
    log_set_sink(NULL, NULL);
}

static void macros_take_any_number_of_fields(void **state)
{
    (void)state;
    struct strbuf lines = STRBUF_INIT;
    log_set_sink(keep_line, &lines);
    LOG_INFO("none");
    assert_string_equal(after_time(&lines), "level=info msg=\"none\"\n");
    strbuf_reset(&lines);
    LOG_ERROR("four", LOG_S("a", "x"), LOG_STR("b", STR("y z")), LOG_I("c", 3), LOG_F("d", 1e21));
    assert_string_equal(after_time(&lines), "level=error msg=\"four\" a=x b=\"y z\" c=3 d=1e+21\n");
    strbuf_release(&lines);
    log_set_sink(NULL, NULL);
}

static void records_below_the_level_are_dropped(void **state)
{
    (void)state;
    struct strbuf lines = STRBUF_INIT;
    log_set_sink(keep_line, &lines);
    for (int lowest = LOG_LEVEL_DEBUG; lowest <= LOG_LEVEL_ERROR; lowest++) {
        log_set_level((enum log_level)lowest);
        for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
            strbuf_reset(&lines);
            LOG_AT((enum log_level)level, "level");
            assert_int_equal(lines.size > 0, level >= lowest);
        }
    }
    log_set_level(LOG_LEVEL_INFO);
    log_set_sink(NULL, NULL);
    strbuf_release(&lines);
}

/* Whatever the lengths, a line ends in one newline, fits, and is valid UTF-8 with closed quotes. */
static void long_lines_are_cut_and_marked(void **state)
{
    (void)state;
    static char text[3 * LOG_LINE_MAX];
    static const char *const fillers[] = {
        "x", "x y", "\n", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x90\xb3", "\xff"};
    struct strbuf lines = STRBUF_INIT;
    log_set_sink(keep_line, &lines);
    for (size_t f = 0; f < sizeof(fillers) / sizeof(fillers[0]); f++) {
        size_t width = strlen(fillers[f]);
        for (size_t i = 0; i < sizeof(text); i++) {
            text[i] = fillers[f][i % width];
        }
        for (size_t length = 0; length + width < sizeof(text); length += 5) {
            size_t whole = length / width * width;
            strbuf_reset(&lines);
            LOG_INFO("cut", LOG_STR("text", str_make(text, whole)), LOG_I("after", 123456));
            assert_true(lines.size <= LOG_LINE_MAX);
            assert_true(str_is_utf8(strbuf_str(&lines)));
            assert_ptr_equal(memchr(lines.data, '\n', lines.size), lines.data + lines.size - 1);
            bool cut = str_ends_with(strbuf_str(&lines), STR(" cut=true\n"));
            bool complete = str_ends_with(strbuf_str(&lines), STR(" after=123456\n"));
            assert_int_equal(cut + complete, 1);
            if (whole > LOG_LINE_MAX) {
                assert_true(cut);
                assert_true(lines.size > LOG_LINE_MAX - 8);
                break;
            }
        }
    }
    log_set_sink(NULL, NULL);
    strbuf_release(&lines);
}

static void level_names_are_parsed(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_DEBUG;
    assert_int_equal(log_level_parse(STR("warn"), &level), 0);
    assert_int_equal(level, LOG_LEVEL_WARN);
    assert_int_equal(log_level_parse(STR("debug"), &level), 0);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_equal(log_level_parse(STR("WARN"), &level), ERR_INVALID);
    assert_int_equal(log_level_parse(STR(""), &level), ERR_INVALID);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_bare_or_quoted),
        cmocka_unit_test(macros_take_any_number_of_fields),
        cmocka_unit_test(records_below_the_level_are_dropped),
        cmocka_unit_test(long_lines_are_cut_and_marked),
        cmocka_unit_test(level_names_are_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
