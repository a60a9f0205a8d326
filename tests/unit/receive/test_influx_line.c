/* Lines as InfluxDB's documents show them, and what is none. */
#include "receive/influx_line.h"

#include "base/err.h"
#include "support/support.h"

static const struct {
    const char *line;
    int status;
    const char *measurement, *tags, *fields;
    int64_t time;
} rows[] = {
    {"myMeasurement,tag1=value1,tag2=value2 fieldKey=\"fieldValue\" 1556813561098000000", 0,
        "myMeasurement", "tag1=value1,tag2=value2", "fieldKey=\"fieldValue\"", 1556813561098000000},
    {"m f=1", 0, "m", "", "f=1", 0},
    {"my\\ m\\,x,a\\=b=c\\ d f=1i,g=2u -5", 0, "my\\ m\\,x", "a\\=b=c\\ d", "f=1i,g=2u", -5},
    {"m s=\"a b, c=\\\"d\",t=T 7", 0, "m", "", "s=\"a b, c=\\\"d\",t=T", 7},
    {.line = "", .status = ERR_INVALID},
    {.line = "m", .status = ERR_INVALID},
    {.line = "m ", .status = ERR_INVALID},
    {.line = " f=1", .status = ERR_INVALID},
    {.line = ",a=b f=1", .status = ERR_INVALID},
    {.line = "m, f=1", .status = ERR_INVALID},
    {.line = "m,a f=1", .status = ERR_INVALID},
    {.line = "m,a= f=1", .status = ERR_INVALID},
    {.line = "m f", .status = ERR_INVALID},
    {.line = "m f=", .status = ERR_INVALID},
    {.line = "m f=x", .status = ERR_INVALID},
    {.line = "m f=\"x", .status = ERR_INVALID},
    {.line = "m f=1 x", .status = ERR_INVALID},
    {.line = "m f=1 1 1", .status = ERR_INVALID},
};

static void test_lines(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct influx_line line = {.has_time = false};
        print_message("%s\n", rows[i].line);
        assert_int_equal(influx_line_parse(str_of(rows[i].line), &line), rows[i].status);
        if (rows[i].status == 0) {
            assert_true(str_eq_c(line.measurement, rows[i].measurement));
            assert_true(str_eq_c(line.tags, rows[i].tags));
            assert_true(str_eq_c(line.fields, rows[i].fields));
            assert_int_equal(line.has_time ? line.time : 0, rows[i].time);
        }
    }
}

static void test_values(void **state)
{
    static const struct {
        const char *text;
        int status;
        double value;
    } values[] = {{"1", 1, 1}, {"-1.5e3", 1, -1500}, {"12i", 1, 12}, {"12u", 1, 12}, {"t", 1, 1},
        {"FALSE", 1, 0}, {"\"x\"", 0, 0}, {"\"", ERR_INVALID, 0}, {"i", ERR_INVALID, 0},
        {"NaN", ERR_INVALID, 0}, {"", ERR_INVALID, 0}};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        double value = 0;
        assert_int_equal(influx_field_value(str_of(values[i].text), &value), values[i].status);
        assert_true(values[i].status < 1 || value == values[i].value);
    }
}

static void test_unescape(void **state)
{
    struct strbuf out = STRBUF_INIT;
    influx_unescape(STR("a\\ b\\,c\\=d\\\\e\\f\\"), &out);
    assert_string_equal(out.data, "a b,c=d\\e\\f\\");
    strbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_unescape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
