/* Answers of HTTP/1.x: heads good and bad, bodies in chunks cut at each byte, dates. The cases are RFC 9112's
 * and RFC 9110's rules. */
#include "support/support.h"

#include "http_answer.h"

#include "base/err.h"

static void test_heads(void **state)
{
    enum { LENGTH = HTTP_BODY_LENGTH, CHUNKED = HTTP_BODY_CHUNKED, TO_END = HTTP_BODY_TO_END };
    static const struct {
        const char *bytes;
        int result;
        unsigned status;
        int framing;
        unsigned length;
        bool keeps, gzip, encoded;
        const char *behind;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 1, 200, LENGTH, 3, true, false, false,
            "abc"},
        {"HTTP/1.1 200\nContent-Length:3\n\nabc", 1, 200, LENGTH, 3, true, false, false, "abc"},
        {"HTTP/1.1 200 OK\r\n\r\nx", 1, 200, TO_END, 0, false, false, false, "x"},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 1, 200, LENGTH, 1, false, false, false,
            "x"},
        {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\n", 1, 200, LENGTH,
            1, true, false, false, ""},
        {"HTTP/1.1 200 OK\r\nconnection: x, CLOSE\r\ncontent-length: 1\r\n\r\n", 1, 200, LENGTH, 1,
            false, false, false, ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 9\r\n\r\n", 1, 200,
            CHUNKED, 9, true, false, false, ""},
        {"HTTP/1.1 204 None\r\n\r\n", 1, 204, LENGTH, 0, true, false, false, ""},
        {"HTTP/1.1 304 Same\r\nContent-Length: 7\r\n\r\n", 1, 304, LENGTH, 0, true, false, false,
            ""},
        {"HTTP/1.1 100 Go on\r\n\r\nHTTP", 1, 100, LENGTH, 0, true, false, false, "HTTP"},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: GZIP\r\nContent-Length: 0\r\n\r\n", 1, 200, LENGTH,
            0, true, true, false, ""},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 0\r\n\r\n", 1, 200, LENGTH, 0,
            true, false, true, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n", 1, 200, LENGTH, 2,
            true, false, false, ""},
        {"HTTP/1.1 200 OK\r\nno header\r\n folded: x\r\nContent-Length: 2\r\n\r\n", 1, 200, LENGTH,
            2, true, false, false, ""},
        {"", 0, 0, 0, 0, false, false, false, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n", 0, 0, 0, 0, false, false, false, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", ERR_CORRUPT, 0, 0, 0,
            false, false, false, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", ERR_CORRUPT, 0, 0, 0, false, false, false,
            ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", ERR_UNSUPPORTED, 0, 0, 0, false,
            false, false, ""},
        {"HTTP/2 200 OK\r\n\r\n", ERR_UNSUPPORTED, 0, 0, 0, false, false, false, ""},
        {"HTTP/1.1 20x OK\r\n\r\n", ERR_CORRUPT, 0, 0, 0, false, false, false, ""},
        {"HTTP/1.1 2000 OK\r\n\r\n", ERR_CORRUPT, 0, 0, 0, false, false, false, ""},
        {"HTTP/1.1 020 OK\r\n\r\n", ERR_CORRUPT, 0, 0, 0, false, false, false, ""},
        {"SSH-2.0-x\r\n\r\n", ERR_CORRUPT, 0, 0, 0, false, false, false, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_answer_head head = {0};
        size_t at = 0;
        int result = http_answer_read_head(str_of(cases[i].bytes), &head, &at);
        if (result != cases[i].result || head.status != cases[i].status ||
            (int)head.framing != cases[i].framing || head.length != cases[i].length ||
            head.keeps != cases[i].keeps || head.gzip != cases[i].gzip ||
            head.encoded != cases[i].encoded ||
            (result == 1 && strcmp(cases[i].bytes + at, cases[i].behind) != 0)) {
            fail_msg(
                "\"%s\": %d, status %u, framing %d, length %llu, keeps %d, gzip %d, encoded %d, "
                "body at %zu; expected %d, %u, %d, %u, %d, %d, %d",
                cases[i].bytes, result, head.status, (int)head.framing,
                (unsigned long long)head.length, head.keeps, head.gzip, head.encoded, at,
                cases[i].result, cases[i].status, cases[i].framing, cases[i].length, cases[i].keeps,
                cases[i].gzip, cases[i].encoded);
        }
    }
}

static void test_long_head(void **state)
{
    struct strbuf bytes = STRBUF_INIT;
    struct http_answer_head head;
    size_t at;
    (void)state;
    strbuf_add_c(&bytes, "HTTP/1.1 200 OK\r\n");
    while (bytes.size < HTTP_ANSWER_HEAD_MAX) {
        assert_int_equal(http_answer_read_head(strbuf_str(&bytes), &head, &at), 0);
        strbuf_add_c(&bytes, "X: 0123456789012345678901234567890123456789\r\n");
    }
    assert_int_equal(http_answer_read_head(strbuf_str(&bytes), &head, &at), ERR_LIMIT);
    strbuf_release(&bytes);
}

static void test_headers(void **state)
{
    struct str text = STR("HTTP/1.1 200 OK\r\nA: first\r\nb:  spaced  \r\nA: second\r\nEmpty:\r\n");
    (void)state;
    assert_true(str_eq(http_answer_header(text, "a"), STR("first")));
    assert_true(str_eq(http_answer_header(text, "B"), STR("spaced")));
    assert_non_null(http_answer_header(text, "Empty").ptr);
    assert_int_equal(http_answer_header(text, "Empty").len, 0);
    assert_null(http_answer_header(text, "C").ptr);
    assert_null(http_answer_header(text, "HTTP/1.1 200 OK").ptr);
}

static void test_chunks(void **state)
{
    static const struct {
        const char *bytes;
        int result;
        const char *body, *behind;
    } cases[] = {
        {"3\r\nabc\r\n0\r\n\r\nnext", 1, "abc", "next"},
        {"A;x=\"y\"\r\n0123456789\r\n00000\r\nTrailer: x\r\nB: y\r\n\r\n", 1, "0123456789", ""},
        {"1\na\n0\n\n", 1, "a", ""},
        {"1 \r\na\r\n0\r\n\r\n", 1, "a", ""},
        {"0\r\n\r\n", 1, "", ""},
        {"3\r\nab", 0, "ab", ""},
        {"\r\n", ERR_CORRUPT, "", NULL},
        {"x\r\n", ERR_CORRUPT, "", NULL},
        {"1\r\nabc", ERR_CORRUPT, "a", NULL},
        {"1234567890123456\r\n", ERR_CORRUPT, "", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct str all = str_of(cases[i].bytes);
        for (size_t cut = 0; cut <= all.len; cut++) {
            struct http_chunks chunks = {0};
            struct strbuf body = STRBUF_INIT;
            struct str rest = str_make(all.ptr, cut);
            int result = http_chunks_take(&chunks, &rest, &body);
            if (result == 0) {
                rest = str_skip(all, cut);
                result = http_chunks_take(&chunks, &rest, &body);
            } else {
                rest.len += all.len - cut;
            }
            const char *got = body.size > 0 ? body.data : "";
            if (result != cases[i].result || strcmp(got, cases[i].body) != 0 ||
                (cases[i].behind != NULL && !str_eq_c(rest, cases[i].behind))) {
                fail_msg("\"%s\" cut at %zu: %d \"%s\" and \"%.*s\" behind; expected %d \"%s\"",
                    cases[i].bytes, cut, result, got, STR_ARG(rest), cases[i].result,
                    cases[i].body);
            }
            strbuf_release(&body);
        }
    }
}

static void test_dates(void **state)
{
    /* The first three are the examples of RFC 9110, section 5.6.7. */
    static const struct {
        const char *text;
        int result;
        int64_t seconds;
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0, 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 0, 784111777},
        {"Sun Nov  6 08:49:37 1994", 0, 784111777},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0, 0},
        {"Tue, 29 Feb 2028 23:59:60 GMT", 0, 1835481600},
        {"Friday, 01-Jan-27 00:00:00 GMT", 0, 1798761600},
        {"Thu, 29 Feb 2027 00:00:00 GMT", ERR_INVALID, 0},
        {"Sun, 06 Nov 1994 08:49:37", ERR_INVALID, 0},
        {"Sun, 06 Nov 1994 24:00:00 GMT", ERR_INVALID, 0},
        {"Sun, 06 Nov 1994 08:49 GMT", ERR_INVALID, 0},
        {"Sun, 06 Nix 1994 08:49:37 GMT", ERR_INVALID, 0},
        {"120", ERR_INVALID, 0},
        {"", ERR_INVALID, 0},
        {"tomorrow", ERR_INVALID, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t seconds = 0;
        int result = http_date_read(str_of(cases[i].text), &seconds);
        if (result != cases[i].result || seconds != cases[i].seconds) {
            fail_msg("\"%s\": %d, %lld; expected %d, %lld", cases[i].text, result,
                (long long)seconds, cases[i].result, (long long)cases[i].seconds);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_long_head),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
