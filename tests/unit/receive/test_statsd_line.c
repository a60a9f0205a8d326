/* Lines as the documents of StatsD and DogStatsD show them. */
#include "receive/statsd_line.h"

#include "base/err.h"
#include "base/strbuf.h"
#include "support/support.h"

static const struct {
    const char *line;
    int status;
    const char *name, *values;
    enum statsd_kind kind;
    double rate;
    size_t tag_count;
} rows[] = {
    {"gorets:1|c", 0, "gorets", "1", STATSD_COUNTER, 1, 0},
    {"gorets:1|c|@0.1", 0, "gorets", "1", STATSD_COUNTER, 0.1, 0},
    {"glork:320|ms|@0.1", 0, "glork", "320", STATSD_TIMER, 0.1, 0},
    {"gaugor:+4|g", 0, "gaugor", "+4", STATSD_GAUGE, 1, 0},
    {"uniques:765|s", 0, "uniques", "765", STATSD_SET, 1, 0},
    {"song.length:240|h|@0.5", 0, "song.length", "240", STATSD_HISTOGRAM, 0.5, 0},
    {"users.online:1|c|#country:china", 0, "users.online", "1", STATSD_COUNTER, 1, 1},
    {"page.views:1:2:32|d|#env:dev,blue|c:83c0a99c", 0, "page.views", "1:2:32", STATSD_HISTOGRAM, 1,
        2},
    {"page.views:15|c|#env:dev|T1656581400", 0, "page.views", "15", STATSD_COUNTER, 1, 1},
    {"m:1|c|#", 0, "m", "1", STATSD_COUNTER, 1, 0},
    {"m:1|c|#,,a,", 0, "m", "1", STATSD_COUNTER, 1, 1},
    {.line = "_e{21,36}:An exception|Cannot parse", .status = ERR_UNSUPPORTED},
    {.line = "_sc|Redis connection|2", .status = ERR_UNSUPPORTED},
    {.line = "", .status = ERR_INVALID},
    {.line = "m", .status = ERR_INVALID},
    {.line = "m:", .status = ERR_INVALID},
    {.line = ":1|c", .status = ERR_INVALID},
    {.line = "m:1", .status = ERR_INVALID},
    {.line = "m:1|", .status = ERR_INVALID},
    {.line = "m:1|x", .status = ERR_INVALID},
    {.line = "m:one|c", .status = ERR_INVALID},
    {.line = "m:1:|c", .status = ERR_INVALID},
    {.line = "m:NaN|g", .status = ERR_INVALID},
    {.line = "m:1|c|@0", .status = ERR_INVALID},
    {.line = "m:1|c|@2", .status = ERR_INVALID},
    {.line = "m:1|c|@", .status = ERR_INVALID},
};

static void test_lines(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct statsd_line line = {.rate = 0};
        print_message("%s\n", rows[i].line);
        assert_int_equal(statsd_line_parse(str_of(rows[i].line), &line), rows[i].status);
        if (rows[i].status == 0) {
            assert_true(str_eq_c(line.name, rows[i].name));
            assert_true(str_eq_c(line.values, rows[i].values));
            assert_int_equal(line.kind, rows[i].kind);
            assert_float_equal(line.rate, rows[i].rate, 0);
            assert_int_equal(line.tag_count, rows[i].tag_count);
        }
    }
}

static void test_tags(void **state)
{
    struct statsd_line line;
    struct strbuf many = STRBUF_INIT;
    assert_int_equal(statsd_line_parse(STR("m:1|c|#url:http://a:1,blue"), &line), 0);
    assert_true(str_eq_c(line.tags[0].name, "url") && str_eq_c(line.tags[0].value, "http://a:1"));
    assert_true(str_eq_c(line.tags[1].name, "blue") && line.tags[1].value.len == 0);
    strbuf_add_c(&many, "m:1|c|#");
    for (int i = 0; i <= STATSD_TAGS_MAX; i++) {
        assert_int_equal(statsd_line_parse(strbuf_str(&many), &line), 0);
        assert_int_equal(line.tag_count, i);
        strbuf_addf(&many, "t%d:x,", i);
    }
    assert_int_equal(statsd_line_parse(strbuf_str(&many), &line), ERR_LIMIT);
    strbuf_release(&many);
}

static void test_values(void **state)
{
    struct str values = STR("1:-2.5:+3");
    double value;
    bool relative;
    assert_int_equal(statsd_line_next(&values, &value, &relative), 1);
    assert_true(value == 1 && !relative);
    assert_int_equal(statsd_line_next(&values, &value, &relative), 1);
    assert_true(value == -2.5 && relative);
    assert_int_equal(statsd_line_next(&values, &value, &relative), 1);
    assert_true(value == 3 && relative);
    assert_int_equal(statsd_line_next(&values, &value, &relative), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
