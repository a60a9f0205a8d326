/* Lines as Graphite's documents show them, and what is none. */
#include "receive/graphite_line.h"

#include "base/err.h"
#include "base/strbuf.h"
#include "support/support.h"

static const struct {
    const char *line;
    int status;
    const char *path;
    double value;
    bool has_time;
    int64_t t_ms;
    size_t tag_count;
} rows[] = {
    {"local.random.diceroll 4 1700000000", 0, "local.random.diceroll", 4, true, 1700000000000, 0},
    {"disk.used;datacenter=dc1;rack=a1;server=web01 -1.5e3 1700000000.25", 0, "disk.used", -1500,
        true, 1700000000250, 3},
    {"  a\t1   2  ", 0, "a", 1, true, 2000, 0},
    {"a 1 -1", 0, "a", 1, false, 0, 0},
    {"a 1", 0, "a", 1, false, 0, 0},
    {"a 1 253402300799", 0, "a", 1, true, 253402300799000, 0},
    {.line = "", .status = ERR_INVALID},
    {.line = "   ", .status = ERR_INVALID},
    {.line = "a", .status = ERR_INVALID},
    {.line = "a b 1", .status = ERR_INVALID},
    {.line = "a 1e999 1", .status = ERR_INVALID},
    {.line = "a 1 -2", .status = ERR_INVALID},
    {.line = "a 1 now", .status = ERR_INVALID},
    {.line = "a 1 1e18", .status = ERR_INVALID},
    {.line = "a 1 NaN", .status = ERR_INVALID},
    {.line = "a 1 2 3", .status = ERR_INVALID},
    {.line = ";a=b 1 2", .status = ERR_INVALID},
    {.line = "a; 1 2", .status = ERR_INVALID},
    {.line = "a;b 1 2", .status = ERR_INVALID},
    {.line = "a;=b 1 2", .status = ERR_INVALID},
    {.line = "a;b= 1 2", .status = ERR_INVALID},
};

static void test_lines(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct graphite_line line = {.value = 0};
        print_message("%s\n", rows[i].line);
        assert_int_equal(graphite_line_parse(str_of(rows[i].line), &line), rows[i].status);
        if (rows[i].status == 0) {
            assert_true(str_eq_c(line.path, rows[i].path));
            assert_float_equal(line.value, rows[i].value, 0);
            assert_int_equal(line.has_time, rows[i].has_time);
            assert_int_equal(line.t_ms, rows[i].t_ms);
            assert_int_equal(line.tag_count, rows[i].tag_count);
        }
    }
}

static void test_tags(void **state)
{
    struct graphite_line line;
    struct strbuf many = STRBUF_INIT;
    assert_int_equal(graphite_line_parse(STR("m;a=b=c;d=e 1"), &line), 0);
    assert_true(str_eq_c(line.tags[0].name, "a") && str_eq_c(line.tags[0].value, "b=c"));
    assert_true(str_eq_c(line.tags[1].name, "d") && str_eq_c(line.tags[1].value, "e"));
    strbuf_add_c(&many, "m");
    for (int i = 0; i <= GRAPHITE_TAGS_MAX; i++) {
        strbuf_addf(&many, ";t%d=x", i);
    }
    strbuf_add_c(&many, " 1");
    assert_int_equal(graphite_line_parse(strbuf_str(&many), &line), ERR_LIMIT);
    strbuf_release(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
