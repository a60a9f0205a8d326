/* Ids as people paste them, weights as samplers write them. */
#include "model/span.h"

#include "base/err.h"
#include "support/support.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_trace_ids(void **state)
{
    static const struct {
        const char *text;
        int status;
        const char *canonical;
    } cases[] = {
        {"4bf92f3577b34da6a3ce929d0e0e4736", 0, "4bf92f3577b34da6a3ce929d0e0e4736"},
        {"  4BF92F3577B34DA6A3CE929D0E0E4736\n", 0, "4bf92f3577b34da6a3ce929d0e0e4736"},
        {"a3ce929d0e0e4736", 0, "0000000000000000a3ce929d0e0e4736"},
        {"1", 0, "00000000000000000000000000000001"},
        {"10000000000000000", 0, "00000000000000010000000000000000"},
        {"", ERR_INVALID, NULL},
        {"0", ERR_INVALID, NULL},
        {"00000000000000000000000000000000", ERR_INVALID, NULL},
        {"4bf92f3577b34da6a3ce929d0e0e47360", ERR_INVALID, NULL},
        {"4bf92f3577b34da6 a3ce929d0e0e473", ERR_INVALID, NULL},
        {"xyz", ERR_INVALID, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct trace_id id = {0, 0};
        struct strbuf text = STRBUF_INIT;
        int status = trace_id_parse(str_of(cases[i].text), &id);
        if (status != cases[i].status) {
            fail_msg("\"%s\": %d, not %d", cases[i].text, status, cases[i].status);
        }
        if (status == 0) {
            uint8_t bytes[TRACE_ID_BYTES];
            trace_id_write(id, &text);
            assert_string_equal(text.data, cases[i].canonical);
            trace_id_to_bytes(id, bytes);
            assert_true(trace_id_eq(trace_id_from_bytes(bytes), id));
        }
        strbuf_release(&text);
    }
    uint64_t span_id = 0;
    assert_int_equal(span_id_parse(STR("00F067AA0BA902B7"), &span_id), 0);
    assert_true(span_id == 0x00f067aa0ba902b7u);
    assert_int_equal(span_id_parse(STR("100f067aa0ba902b7"), &span_id), ERR_INVALID);
    struct trace_id a = {1, 9}, b = {2, 0}, c = {2, 1};
    assert_true(trace_id_cmp(a, b) < 0 && trace_id_cmp(c, b) > 0 && trace_id_cmp(b, b) == 0);
    (void)state;
}

/* 1 % is the example of the specification of tracestate. */
static void test_adjusted_count(void **state)
{
    static const struct {
        const char *trace_state;
        double count;
    } cases[] = {
        {"", 1},
        {"ot=th:0", 1},
        {"ot=th:8", 2},
        {"ot=th:c", 4},
        {"vendor=x, ot=rv:1234;th:c ,other=y", 4},
        {"ot=th:fd70a4", 72057594037927936.0 / (72057594037927936.0 - 0xfd70a400000000)},
        {"ot=th:ffffffffffffff", 72057594037927936.0},
        {"ot=th:ffffffffffffff0", 1},
        {"ot=th:g", 1},
        {"ot=th:", 1},
        {"rot=th:8", 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        double count = span_adjusted_count(str_of(cases[i].trace_state));
        if (count != cases[i].count) {
            fail_msg("%s: %.17g, not %.17g", cases[i].trace_state, count, cases[i].count);
        }
    }
    double percent = span_adjusted_count(STR("ot=th:fd70a4"));
    assert_true(percent > 99.99 && percent < 100.01);
    (void)state;
}

static void test_services(void **state)
{
    const struct attribute pairs[] = {
        {.key = STR("a"), .kind = ATTRIBUTE_INT, .integer = 1},
        {.key = STR("service.name"), .kind = ATTRIBUTE_STRING, .bytes = STR("shop")},
        {.key = STR("service.name"), .kind = ATTRIBUTE_STRING, .bytes = STR("second")},
    };
    const struct span_resource named = {.attributes = {pairs, 3}},
                               nameless = {.attributes = {pairs, 1}};
    assert_true(str_eq_c(span_resource_service(&named), "shop"));
    assert_true(str_eq_c(span_resource_service(&nameless), "unknown_service"));
    assert_int_equal(attributes_text(named.attributes, STR("a")).len, 0);
    const struct span backwards = {.start_ns = 5, .end_ns = 3},
                      forwards = {.start_ns = 5, .end_ns = 9};
    assert_int_equal(span_duration_ns(&backwards), 0);
    assert_int_equal(span_duration_ns(&forwards), 4);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trace_ids),
        cmocka_unit_test(test_adjusted_count),
        cmocka_unit_test(test_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
