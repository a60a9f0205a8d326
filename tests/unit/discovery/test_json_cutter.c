/* JSON cut into values: whole, and at every place where it may come in two pieces. */
#include "discovery/json_cutter.h"

#include "base/err.h"
#include "support/support.h"

static int note(void *context, struct str key, struct str value)
{
    struct strbuf *out = context;
    strbuf_addf(out, "%.*s|%.*s\n", STR_ARG(key), STR_ARG(value));
    return str_eq_c(value, "\"stop\"") ? ERR_CANCELED : 0;
}

static const struct {
    const char *text;
    bool sequence;
    int status;
    const char *expected;
} rows[] = {
    {"[]", false, 0, ""},
    {" [ ] \n", false, 0, ""},
    {"{}", false, 0, ""},
    {"[1, -2.5e3 ,true,null,\"a,]\"]", false, 0, "|1\n|-2.5e3\n|true\n|null\n|\"a,]\"\n"},
    {"[{\"a\":[1,{}]},[[]]]", false, 0, "|{\"a\":[1,{}]}\n|[[]]\n"},
    {"[\"\\\"]\\\\\",\"[\"]", false, 0, "|\"\\\"]\\\\\"\n|\"[\"\n"},
    {"[{\"}\":\"\\\"}\"}]", false, 0, "|{\"}\":\"\\\"}\"}\n"},
    {"{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[{\"a\":1}, {}]}",
        false, 0,
        "kind|\"PodList\"\nmetadata|{\"resourceVersion\":\"7\"}\nitems|{\"a\":1}\nitems|{}\n"},
    {"{\"items\":[],\"z\":1}", false, 0, "z|1\n"},
    {"{\"items\":null,\"items\":{}}", false, 0, "items|null\nitems|{}\n"},
    /* Only the member at the top is a list of values. */
    {"{\"a\":{\"items\":[1,2]}}", false, 0, "a|{\"items\":[1,2]}\n"},
    {"[[1,2],[3]]", false, 0, "|[1,2]\n|[3]\n"},
    {"{\"w\\u0065b \\\"x\\\"\":[\"t\"]}", false, 0, "web \"x\"|[\"t\"]\n"},
    {"{\"a\":1}\n{\"b\":\"}\"} [2] 3", true, 0, "|{\"a\":1}\n|{\"b\":\"}\"}\n|[2]\n|3\n"},
    {"", true, 0, ""},
    {"[1,\"stop\",2]", false, ERR_CANCELED, "|1\n|\"stop\"\n"},
    {"[\"0123456789012345678901234567890123456789\"]", false, ERR_LIMIT, ""},
    /* What is around values must be JSON. */
    {"", false, ERR_INVALID, ""},
    {"1", false, ERR_INVALID, ""},
    {"[", false, ERR_INVALID, ""},
    {"[1", false, ERR_INVALID, ""},
    {"[1,", false, ERR_INVALID, "|1\n"},
    {"[1,]", false, ERR_INVALID, "|1\n"},
    {"[1 2]", false, ERR_INVALID, "|1\n"},
    {"[1}", false, ERR_INVALID, "|1\n"},
    {"[1][", false, ERR_INVALID, "|1\n"},
    {"[,]", false, ERR_INVALID, ""},
    {"[:]", false, ERR_INVALID, ""},
    {"{1:2}", false, ERR_INVALID, ""},
    {"{\"a\"}", false, ERR_INVALID, ""},
    {"{\"a\" 1}", false, ERR_INVALID, ""},
    {"{\"a\":}", false, ERR_INVALID, ""},
    {"{\"a\":1,}", false, ERR_INVALID, "a|1\n"},
    {"{\"a\":1]", false, ERR_INVALID, "a|1\n"},
    {"{\"items\":[1}", false, ERR_INVALID, "items|1\n"},
    {"{\"\\x\":1}", false, ERR_INVALID, ""},
    {"{\"a", false, ERR_INVALID, ""},
    {"{\"a\":1} {\"b\":", true, ERR_INVALID, "|{\"a\":1}\n"},
    {"}", true, ERR_INVALID, ""},
};

static void check_row(struct json_cutter *c, struct strbuf *got, size_t row, size_t split)
{
    struct str text = str_of(rows[row].text);
    strbuf_reset(got);
    strbuf_add_c(got, "");
    json_cutter_reset(c);
    int status = json_cutter_feed(c, str_make(text.ptr, split));
    if (status == 0) {
        status = json_cutter_feed(c, str_skip(text, split));
    }
    status = status == 0 ? json_cutter_end(c) : status;
    if (status != rows[row].status || strcmp(got->data, rows[row].expected) != 0) {
        fail_msg("%s cut at %zu: %d and\n%s\nexpected %d and\n%s", rows[row].text, split, status,
            got->data, rows[row].status, rows[row].expected);
    }
    if (status != 0) {
        assert_int_equal(json_cutter_feed(c, STR("[]")), status); /* it sticks */
        assert_int_equal(json_cutter_end(c), status);
    }
}

static void test_rows(void **state)
{
    (void)state;
    struct strbuf got = STRBUF_INIT;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct json_cutter c;
        const struct json_cutter_options options = {.sequence = rows[i].sequence,
            .list_key = "items",
            .value_max = 40,
            .take = note,
            .context = &got};
        json_cutter_init(&c, &options);
        for (size_t split = 0; split <= strlen(rows[i].text); split++) {
            check_row(&c, &got, i, split);
        }
        json_cutter_release(&c);
    }
    strbuf_release(&got);
}

static int count(void *context, struct str key, struct str value)
{
    size_t *left = context;
    (void)key;
    assert_int_equal(value.len, 40);
    (*left)--;
    return 0;
}

/* A list of 40 MB takes the memory of one element. */
static void test_memory(void **state)
{
    (void)state;
    enum { ELEMENTS = 1000000 };
    size_t left = ELEMENTS;
    struct json_cutter c;
    const struct json_cutter_options options = {.value_max = 40, .take = count, .context = &left};
    json_cutter_init(&c, &options);
    assert_int_equal(json_cutter_feed(&c, STR("[")), 0);
    for (size_t i = 0; i < ELEMENTS; i++) {
        assert_int_equal(
            json_cutter_feed(&c, STR("{\"0123456789\":\"01234567890123456789012\"}")), 0);
        assert_int_equal(json_cutter_feed(&c, i + 1 < ELEMENTS ? STR(",") : STR("]")), 0);
    }
    assert_int_equal(json_cutter_end(&c), 0);
    assert_int_equal(left, 0);
    assert_true(c.value.cap <= 256);
    json_cutter_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
