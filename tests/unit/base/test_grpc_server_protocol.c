/* The texts of gRPC's headers. Expected values are those of its specification's grammar, and of protobuf's
 * encoding put together by hand. */
#include "support/support.h"

#include <stdio.h>

#include "grpc_server_protocol.h"

static void test_content_type(void **state)
{
    static const struct {
        const char *value;
        bool good;
    } cases[] = {
        {"application/grpc", true},
        {"application/grpc+proto", true},
        {"application/grpc+json", true},
        {"application/grpc;charset=utf-8", true},
        {"Application/GRPC", true},
        {"application/grpcx", false},
        {"application/grp", false},
        {"application/json", false},
        {"application/x-protobuf", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (grpc_is_content_type(str_of(cases[i].value)) != cases[i].good) {
            fail_msg("%s: expected %d", cases[i].value, cases[i].good);
        }
    }
}

static void test_timeout(void **state)
{
    static const struct {
        const char *value;
        int status;
        int64_t ms;
    } cases[] = {
        {"1H", 0, 3600000},
        {"2M", 0, 120000},
        {"10S", 0, 10000},
        {"250m", 0, 250},
        {"1500u", 0, 2},
        {"1n", 0, 1},
        {"0S", 0, 0},
        {"99999999H", 0, INT64_C(359999996400000)},
        {"100000000S", ERR_INVALID, 0},
        {"S", ERR_INVALID, 0},
        {"1", ERR_INVALID, 0},
        {"", ERR_INVALID, 0},
        {"-1S", ERR_INVALID, 0},
        {"1.5S", ERR_INVALID, 0},
        {"1s", ERR_INVALID, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ms = 0;
        int status = grpc_timeout_parse(str_of(cases[i].value), &ms);
        if (status != cases[i].status || ms != cases[i].ms) {
            fail_msg("%s: expected %d, %lld; got %d, %lld", cases[i].value, cases[i].status,
                (long long)cases[i].ms, status, (long long)ms);
        }
    }
}

static void test_sentence(void **state)
{
    static const struct {
        const char *plain, *encoded;
    } cases[] = {
        {"plain text, with: punctuation!", "plain text, with: punctuation!"},
        {"100 %", "100 %25"},
        {"two\nlines\t", "two%0Alines%09"},
        {"\xc3\xbc", "%C3%BC"},
        {"~\x7f", "~%7F"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf out = STRBUF_INIT;
        grpc_sentence_encode(str_of(cases[i].plain), &out);
        strbuf_add_char(&out, '\0');
        assert_string_equal(out.data, cases[i].encoded);
        strbuf_release(&out);
    }
}

/* Status{8, "busy", [Any{RetryInfo{Duration{1, 500000000}}}]}: as base64 of these bytes, without padding. */
static void test_retry(void **state)
{
    static const char bytes[] = "\x08\x08" // code
                                "\x12\x04" // message
                                "busy"
                                "\x1a\x36" // details: 54 bytes
                                "\x0a\x28" // type_url: 40
                                "type.googleapis.com/google.rpc.RetryInfo"
                                "\x12\x0a" // value: 10
                                "\x0a\x08" // retry_delay: 8
                                "\x08\x01\x10\x80\xca\xb5\xee\x01";
    struct strbuf expected = STRBUF_INIT, out = STRBUF_INIT;
    strbuf_add_base64(&expected, str_make(bytes, sizeof(bytes) - 1));
    while (expected.data[expected.size - 1] == '=') {
        strbuf_truncate(&expected, expected.size - 1);
    }
    grpc_retry_encode(GRPC_RESOURCE_EXHAUSTED, STR("busy"), 1500, &out);
    strbuf_add_char(&expected, '\0');
    strbuf_add_char(&out, '\0');
    assert_string_equal(out.data, expected.data);
    strbuf_release(&expected);
    strbuf_release(&out);
}

static void test_prefix(void **state)
{
    static const size_t sizes[] = {0, 1, 255, 256, 65536, 16909060, UINT32_MAX};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t prefix[GRPC_PREFIX_BYTES];
        bool compressed = true;
        size_t size = 0;
        grpc_prefix_encode(sizes[i], prefix);
        assert_true(grpc_prefix_decode(prefix, &compressed, &size));
        assert_false(compressed);
        assert_int_equal(size, sizes[i]);
    }
    const uint8_t compressed_prefix[] = {1, 1, 2, 3, 4}, odd[] = {2, 0, 0, 0, 0};
    bool compressed = false;
    size_t size = 0;
    assert_true(grpc_prefix_decode(compressed_prefix, &compressed, &size));
    assert_true(compressed);
    assert_int_equal(size, 0x01020304);
    assert_false(grpc_prefix_decode(odd, &compressed, &size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_type),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_sentence),
        cmocka_unit_test(test_retry),
        cmocka_unit_test(test_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
