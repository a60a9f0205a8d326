/* Jaeger's Thrift into OTLP, in both protocols: the mapping that wire/jaeger_thrift.h lists, and what is refused. */
#include <string.h>

#include "base/mem.h"
#include "message_text.h"
#include "support/support.h"
#include "thrift_writer.h"
#include "wire/jaeger_thrift.h"

enum { STRING, DOUBLE, BOOL, LONG, BINARY };

static void put_tag(struct thrift_writer *w, const char *key, int type)
{
    thrift_put_struct(w, 0);
    thrift_put_text(w, 1, key);
    thrift_put_i32(w, 2, type);
}

static void put_text_tag(struct thrift_writer *w, const char *key, const char *value)
{
    put_tag(w, key, STRING);
    thrift_put_text(w, 3, value);
    thrift_end(w);
}

static void put_bool_tag(struct thrift_writer *w, const char *key, bool value)
{
    put_tag(w, key, BOOL);
    thrift_put_bool(w, 5, value);
    thrift_end(w);
}

static void put_process(struct thrift_writer *w)
{
    thrift_put_struct(w, 1);
    thrift_put_text(w, 1, "shop");
    thrift_put_structs(w, 2, 2);
    put_text_tag(w, "hostname", "h1");
    put_tag(w, "replica", LONG);
    thrift_put_i64(w, 6, -2);
    thrift_end(w);
    thrift_end(w);
}

static void put_ids(struct thrift_writer *w, int64_t low, int64_t high, int64_t id, int64_t parent)
{
    thrift_put_i64(w, 1, low);
    thrift_put_i64(w, 2, high);
    thrift_put_i64(w, 3, id);
    thrift_put_i64(w, 4, parent);
}

static void put_reference(
    struct thrift_writer *w, int32_t type, int64_t low, int64_t high, int64_t id)
{
    thrift_put_struct(w, 0);
    thrift_put_i32(w, 1, type);
    thrift_put_i64(w, 2, low);
    thrift_put_i64(w, 3, high);
    thrift_put_i64(w, 4, id);
    thrift_end(w);
}

/* Everything there is. */
static void put_full_span(struct thrift_writer *w)
{
    thrift_put_struct(w, 0);
    put_ids(w, 0xbb, -1, 0x11, 0);
    thrift_put_text(w, 5, "GET /");
    thrift_put_structs(w, 6, 3);
    put_reference(w, 0, 0xbb, -1, 0x10);
    put_reference(w, 1, 0xbb, -1, 0x12);
    put_reference(w, 0, 0xcc, 0, 0x13);
    thrift_put_i32(w, 7, 3);
    thrift_put_i64(w, 8, 5);
    thrift_put_i64(w, 9, 3);
    thrift_put_structs(w, 10, 10);
    put_text_tag(w, "span.kind", "server");
    put_bool_tag(w, "error", true);
    put_text_tag(w, "otel.status_description", "no");
    put_text_tag(w, "otel.scope.name", "lib");
    put_text_tag(w, "w3c.tracestate", "ot=th:8");
    put_text_tag(w, "text", "t");
    put_bool_tag(w, "bool", false);
    put_tag(w, "long", LONG);
    thrift_put_i64(w, 6, INT64_MIN);
    thrift_end(w);
    put_tag(w, "double", DOUBLE);
    thrift_put_double(w, 4, -0.5);
    thrift_end(w);
    put_tag(w, "binary", BINARY);
    thrift_put_text(w, 7, "\xff\x01");
    thrift_end(w);
    thrift_put_structs(w, 11, 2);
    for (int i = 0; i < 2; i++) {
        thrift_put_struct(w, 0);
        thrift_put_i64(w, 1, 6 + i);
        thrift_put_structs(w, 2, 2);
        put_text_tag(w, "level", "info");
        put_text_tag(w, i == 0 ? "event" : "message", "cache miss");
        thrift_end(w);
    }
    thrift_end(w);
}

static const char full[] =
    "resource 1 \"\" of shop -0 service.name={\"stringValue\":\"shop\"} host.name={\"stringValue\":"
    "\"h1\"} replica={\"intValue\":\"-2\"}\n"
    "scope 1 \"\" lib \n"
    "ffffffffffffffff00000000000000bb 0000000000000011 < 10 \"GET /\" server 5000..8000 error "
    "\"no\" "
    "state \"ot=th:8\" 1 -0 -0 -0 text={\"stringValue\":\"t\"} bool={\"boolValue\":false} "
    "long={\"intValue\":\"-9223372036854775808\"} double={\"doubleValue\":-0.5} "
    "binary={\"bytesValue\":\"/wE=\"} jaeger.debug={\"boolValue\":true}\n"
    "  event 6000 cache miss -0 level={\"stringValue\":\"info\"}\n"
    "  event 7000 cache miss -0 level={\"stringValue\":\"info\"}\n"
    "  link ffffffffffffffff00000000000000bb 12 \"\" 0 -0 "
    "opentracing.ref_type={\"stringValue\":\"follows_from\"}\n"
    "  link 000000000000000000000000000000cc 13 \"\" 0 -0 "
    "opentracing.ref_type={\"stringValue\":\"child_of\"}\n";

static void put_small_span(struct thrift_writer *w, int64_t id, int64_t parent)
{
    thrift_put_struct(w, 0);
    put_ids(w, 1, 0, id, parent);
    thrift_put_text(w, 5, "s");
    thrift_put_i32(w, 7, 0);
    thrift_put_i64(w, 8, 1);
    thrift_put_i64(w, 9, 0);
    thrift_end(w);
}

static void check_text(const struct strbuf *message, const char *expected)
{
    struct strbuf text = STRBUF_INIT;
    message_text(&text, strbuf_str(message));
    strbuf_add_char(&text, '\0');
    assert_string_equal(text.data, expected);
    strbuf_release(&text);
}

static void put_full_batch(struct thrift_writer *w)
{
    put_process(w);
    thrift_put_structs(w, 2, 1);
    put_full_span(w);
    thrift_put_i64(w, 3, 9); /* seqNo: read over */
    thrift_end(w);
}

/* A datagram of emitBatch. */
static void put_full_call(struct thrift_writer *w)
{
    thrift_put_call(w, "emitBatch");
    thrift_put_struct(w, 1);
    put_full_batch(w);
    strbuf_add_char(&w->out, 0); /* the end of the arguments */
}

static void test_batch(void **state)
{
    struct thrift_writer w;
    struct strbuf message = STRBUF_INIT;
    struct err e = ERR_INIT;
    thrift_writer_init(&w, false);
    put_full_batch(&w);
    assert_int_equal(jaeger_from_batch(strbuf_str(&w.out), &message, &e), 0);
    check_text(&message, full);
    strbuf_release(&w.out);
    strbuf_release(&message);
}

static void test_datagrams(void **state)
{
    for (int compact = 0; compact < 2; compact++) {
        struct thrift_writer w;
        struct strbuf message = STRBUF_INIT;
        struct err e = ERR_INIT;
        thrift_writer_init(&w, compact);
        put_full_call(&w);
        if (jaeger_from_datagram(strbuf_str(&w.out), &message, &e) != 0) {
            fail_msg("compact %d: %s", compact, e.message);
        }
        check_text(&message, full);
        strbuf_release(&w.out);
        strbuf_release(&message);
    }
}

/* Spans before their process, more of them than a compact list counts in its head; an unknown field of every
 * type among them. */
static void test_order(void **state)
{
    for (int compact = 0; compact < 2; compact++) {
        struct thrift_writer w;
        struct strbuf message = STRBUF_INIT, expected = STRBUF_INIT;
        thrift_writer_init(&w, compact);
        thrift_put_call(&w, "emitBatch");
        thrift_put_struct(&w, 1);
        thrift_put_structs(&w, 2, 20);
        strbuf_add_c(&expected, "");
        for (int i = 1; i <= 20; i++) {
            put_small_span(&w, i, i - 1);
            strbuf_addf(&expected,
                "resource 1 \"\" of late -0 service.name={\"stringValue\":\"late\"}\nscope 1 \"\"  "
                "\n"
                "00000000000000000000000000000001 %016x < %x \"s\" unspecified 1000..1000 unset "
                "\"\" "
                "state \"\" 0 -0 -0 -0\n",
                i, i - 1);
        }
        thrift_put_bool(&w, 30, true);
        thrift_put_double(&w, 31, 1);
        thrift_put_text(&w, 32, "x");
        thrift_put_struct(&w, 33);
        thrift_put_structs(&w, 1, 1);
        thrift_put_struct(&w, 0);
        thrift_put_bool(&w, 300, false);
        thrift_end(&w);
        thrift_end(&w);
        thrift_put_struct(&w, 1); /* ids may go back */
        thrift_put_text(&w, 1, "late");
        thrift_end(&w);
        thrift_end(&w);
        strbuf_add_char(&w.out, 0);
        assert_int_equal(jaeger_from_datagram(strbuf_str(&w.out), &message, NULL), 0);
        strbuf_add_char(&expected, '\0');
        check_text(&message, expected.data);
        strbuf_release(&w.out);
        strbuf_release(&message);
        strbuf_release(&expected);
    }
}

/* ---- What is refused ---- */

static void test_cut(void **state)
{
    for (int compact = 0; compact < 2; compact++) {
        struct thrift_writer w;
        thrift_writer_init(&w, compact);
        put_full_call(&w);
        for (size_t cut = 0; cut + 1 < w.out.size; cut++) {
            struct strbuf message = STRBUF_INIT;
            struct err e = ERR_INIT;
            int status = jaeger_from_datagram(str_make(w.out.data, cut), &message, &e);
            if (status != ERR_CORRUPT || message.size != 0 || e.message[0] == '\0') {
                fail_msg(
                    "compact %d, cut at %zu: %d, %zu bytes", compact, cut, status, message.size);
            }
            strbuf_release(&message);
        }
        strbuf_release(&w.out);
    }
}

static void test_refusals(void **state)
{
    static const struct {
        const char *what;
        struct str bytes;
        int status;
    } cases[] = {
        {"nothing", STR(""), ERR_CORRUPT},
        {"another call",
            STR("\x82\x81\x01\x0f"
                "emitZipkinBatch\0"),
            ERR_UNSUPPORTED},
        {"an answer",
            STR("\x82\x41\x01\x09"
                "emitBatch\0"),
            ERR_CORRUPT},
        {"no argument",
            STR("\x82\x81\x01\x09"
                "emitBatch\0"),
            ERR_CORRUPT},
        {"an argument that is a text",
            STR("\x82\x81\x01\x09"
                "emitBatch\x18\x01x\0"),
            ERR_CORRUPT},
        {"a list longer than the message",
            STR("\x82\x81\x01\x09"
                "emitBatch\x1c\x29\xfc\xff\xff\x03\0\0"),
            ERR_CORRUPT},
        {"spans that are numbers",
            STR("\x82\x81\x01\x09"
                "emitBatch\x1c\x29\x26\x02\x04\0\0"),
            ERR_CORRUPT},
        {"an empty batch",
            STR("\x82\x81\x01\x09"
                "emitBatch\x1c\0\0"),
            0},
        {"old binary head",
            STR("\0\0\0\x09"
                "emitBatch\x04\0\0\0\1\x0c\0\1\0\0"),
            0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf message = STRBUF_INIT;
        struct err e = ERR_INIT;
        int status = jaeger_from_datagram(cases[i].bytes, &message, &e);
        if (status != cases[i].status || message.size != 0) {
            fail_msg("%s: expected %d, got %d \"%s\"", cases[i].what, cases[i].status, status,
                e.message);
        }
        strbuf_release(&message);
    }
}

/* Structs within structs within structs, in a field that nobody reads. */
static void test_depth(void **state)
{
    for (int depth = 10; depth < 2000; depth += 1000) {
        struct strbuf bytes = STRBUF_INIT, message = STRBUF_INIT;
        for (int i = 0; i < depth; i++) {
            strbuf_add(&bytes, "\x0c\0\x63", 3);
        }
        for (int i = 0; i <= depth; i++) {
            strbuf_add_char(&bytes, 0);
        }
        int status = jaeger_from_batch(strbuf_str(&bytes), &message, NULL);
        assert_int_equal(status, depth < JAEGER_DEPTH_MAX ? 0 : ERR_CORRUPT);
        strbuf_release(&bytes);
        strbuf_release(&message);
    }
}

static void test_short_of_memory(void **state)
{
    struct thrift_writer w;
    bool whole = false;
    thrift_writer_init(&w, false);
    put_full_batch(&w);
    for (uint64_t nth = 1; !whole; nth++) {
        struct strbuf message = STRBUF_INIT;
        assert_true(nth < 1000);
        mem_fail_nth(nth);
        int status = jaeger_from_batch(strbuf_str(&w.out), &message, NULL);
        whole = mem_fail_pending();
        mem_fail_nth(0);
        assert_int_equal(status, whole ? 0 : ERR_NOMEM);
        strbuf_release(&message);
    }
    strbuf_release(&w.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_datagrams),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_short_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
