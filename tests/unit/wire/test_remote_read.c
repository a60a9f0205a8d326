/* Remote read: requests as bytes written by hand after prompb/remote.proto, and what must be refused. */
#include "support/support.h"
#include "wire/remote_read.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_request(void **state)
{
    (void)state;
    /* {start 5, end 300, name =~ "a.*", name != "b"}, then a query of nothing; types STREAMED, SAMPLES */
    static const char bytes[] = "\x0a\x25\x08\x05\x10\xac\x02"
                                "\x1a\x12\x08\x02\x12\x08__name__\x1a\x04up.*"
                                "\x1a\x0a\x08\x01\x12\x03job\x1a\x01"
                                "b"
                                "\x22\x00"
                                "\x0a\x00\x12\x02\x01\x00";
    struct arena arena;
    struct remote_read_request request;
    struct err e = ERR_INIT;
    arena_init(&arena, 0);
    if (remote_read_decode(str_make(bytes, sizeof(bytes) - 1), &arena, &request, &e) != 0) {
        fail_msg("%s", e.message);
    }
    assert_int_equal(request.query_count, 2);
    assert_true(request.streamed);
    const struct remote_read_query *q = &request.queries[0];
    assert_int_equal(q->start_ms, 5);
    assert_int_equal(q->end_ms, 300);
    assert_int_equal(q->matcher_count, 2);
    assert_int_equal(q->matchers[0]->type, MATCHER_REGEX);
    assert_true(matcher_matches(q->matchers[0], STR("upper")));
    assert_false(matcher_matches(q->matchers[0], STR("down")));
    assert_int_equal(q->matchers[1]->type, MATCHER_NOT_EQUAL);
    assert_true(str_eq_c(q->matchers[1]->name, "job"));
    assert_int_equal(request.queries[1].matcher_count, 0);
    arena_release(&arena);
}

/* The first type that is known decides. */
static void test_types(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        bool streamed;
    } cases[] = {{"", 0, false}, {"\x10\x01", 2, true}, {"\x10\x00\x10\x01", 4, false},
        {"\x12\x02\x01\x00", 4, true}, {"\x12\x02\x00\x01", 4, false},
        {"\x12\x02\x07\x01", 4, true}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena;
        struct remote_read_request request;
        struct err e = ERR_INIT;
        arena_init(&arena, 0);
        assert_int_equal(
            remote_read_decode(str_make(cases[i].bytes, cases[i].size), &arena, &request, &e), 0);
        if (request.streamed != cases[i].streamed) {
            fail_msg("case %zu: streamed %d, expected %d", i, request.streamed, cases[i].streamed);
        }
        arena_release(&arena);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        int status;
    } cases[] = {
        {"\x0a\x05", 2, ERR_CORRUPT}, {"\x08\x05", 2, ERR_CORRUPT},
        {"\x0a\x02\x0a\x00", 4, ERR_CORRUPT},         /* a time that is bytes */
        {"\x0a\x04\x1a\x02\x08\x04", 6, ERR_INVALID}, /* a matcher of type 4 */
        {"\x0a\x08\x1a\x06\x08\x02\x12\x00\x1a\x01(", 11,
            ERR_CORRUPT}, /* lengths that do not fit */
        {"\x0a\x09\x1a\x07\x08\x02\x12\x00\x1a\x01(", 11, ERR_INVALID}, /* a bad pattern */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena;
        struct remote_read_request request;
        struct err e = ERR_INIT;
        arena_init(&arena, 0);
        int status =
            remote_read_decode(str_make(cases[i].bytes, cases[i].size), &arena, &request, &e);
        if (status != cases[i].status || e.message[0] == '\0') {
            fail_msg("case %zu: %d \"%s\", expected %d", i, status, e.message, cases[i].status);
        }
        arena_release(&arena);
    }
    struct strbuf many = STRBUF_INIT;
    for (int i = 0; i <= REMOTE_READ_QUERIES_MAX; i++) {
        strbuf_add(&many, "\x0a\x00", 2);
    }
    struct arena arena;
    struct remote_read_request request;
    struct err e = ERR_INIT;
    arena_init(&arena, 0);
    assert_int_equal(remote_read_decode(strbuf_str(&many), &arena, &request, &e), ERR_LIMIT);
    arena_release(&arena);
    strbuf_release(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
