/* Zipkin's spans into OTLP: the mapping that wire/zipkin.h lists, in both forms, and what is refused. The span of
 * the first test is the example of Zipkin's API document. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "message_text.h"
#include "support/support.h"
#include "wire/otlp_traces.h"
#include "wire/zipkin.h"
#include "zipkin_oracle.pb-c.h"

#define NOW UINT64_C(1700000000000000000)
#define TRACE "000000000000000000000000000000aa"

static void check_json(const char *json, const char *expected)
{
    struct strbuf message = STRBUF_INIT, text = STRBUF_INIT;
    struct err e = ERR_INIT;
    if (zipkin_from_json(str_of(json), NOW, &message, &e) != 0) {
        fail_msg("%s: %s", json, e.message);
    }
    message_text(&text, strbuf_str(&message));
    strbuf_add_char(&text, '\0');
    assert_string_equal(text.data, expected);
    strbuf_release(&message);
    strbuf_release(&text);
}

static void test_example(void **state)
{
    check_json("[{\"id\":\"352bff9a74ca9ad2\",\"traceId\":\"5af7183fb1d4cf5f\",\"parentId\":"
               "\"6b221d5bc9e6496c\",\"name\":\"get /api\",\"timestamp\":1556604172355737,"
               "\"duration\":1431,\"kind\":\"SERVER\",\"localEndpoint\":{\"serviceName\":"
               "\"backend\",\"ipv4\":\"192.168.99.1\",\"port\":3306},\"remoteEndpoint\":{\"ipv4\":"
               "\"172.19.0.2\",\"port\":58648},\"tags\":{\"http.method\":\"GET\",\"http.path\":"
               "\"/api\"}}]",
        "resource 1 \"\" of backend -0 service.name={\"stringValue\":\"backend\"}\n"
        "scope 1 \"\"  \n"
        "00000000000000005af7183fb1d4cf5f 352bff9a74ca9ad2 < 6b221d5bc9e6496c \"get /api\" server "
        "1556604172355737000..1556604172357168000 unset \"\" state \"\" 0 -0 -0 -0"
        " http.method={\"stringValue\":\"GET\"} http.path={\"stringValue\":\"/api\"}"
        " net.host.ip={\"stringValue\":\"192.168.99.1\"} net.host.port={\"intValue\":\"3306\"}"
        " net.peer.ip={\"stringValue\":\"172.19.0.2\"} net.peer.port={\"intValue\":\"58648\"}\n");
}

/* ---- Member by member ---- */

#define RESOURCE "resource 1 \"\" of unknown_service -0\nscope 1 \"\"  \n"
#define SPAN(members) "[{\"traceId\":\"aa\",\"id\":\"1\",\"timestamp\":5" members "}]"
#define SHOWN(kind, status, rest)                                                                  \
    RESOURCE TRACE " 0000000000000001 < 0 \"\" " kind " 5000..5000 " status                        \
                   " state \"\" 0 -0 -0 -0" rest "\n"

static void test_members(void **state)
{
    static const struct {
        const char *json, *expected;
    } cases[] = {
        {"[]", ""},
        {SPAN(""), SHOWN("unspecified", "unset \"\"", "")},
        {SPAN(",\"kind\":\"CLIENT\""), SHOWN("client", "unset \"\"", "")},
        {SPAN(",\"kind\":\"PRODUCER\""), SHOWN("producer", "unset \"\"", "")},
        {SPAN(",\"kind\":\"CONSUMER\""), SHOWN("consumer", "unset \"\"", "")},
        {SPAN(",\"kind\":\"NEW\",\"unknown\":{\"a\":[1]},\"parentId\":null"),
            SHOWN("unspecified", "unset \"\"", "")},
        {SPAN(",\"remoteEndpoint\":{\"serviceName\":\"db\",\"ipv6\":\"::1\"}"),
            SHOWN("unspecified", "unset \"\"",
                " peer.service={\"stringValue\":\"db\"} net.peer.ip={\"stringValue\":\"::1\"}")},
        {SPAN(",\"debug\":true"),
            SHOWN("unspecified", "unset \"\"", " zipkin.debug={\"boolValue\":true}")},
        {SPAN(",\"tags\":{\"error\":\"true\"}"), SHOWN("unspecified", "error \"\"", "")},
        {SPAN(",\"tags\":{\"error\":\"\"}"), SHOWN("unspecified", "error \"\"", "")},
        {SPAN(",\"tags\":{\"error\":\"timed out\"}"),
            SHOWN("unspecified", "error \"timed out\"", "")},
        {SPAN(",\"tags\":{\"otel.status_code\":\"OK\"}"), SHOWN("unspecified", "ok \"\"", "")},
        {SPAN(",\"tags\":{\"otel.status_code\":\"ERROR\",\"otel.status_description\":\"no\"}"),
            SHOWN("unspecified", "error \"no\"", "")},
        {SPAN(",\"tags\":{\"i\":-3,\"d\":1.5,\"b\":false,\"s\":\"3\"}"),
            SHOWN("unspecified", "unset \"\"",
                " i={\"intValue\":\"-3\"} d={\"doubleValue\":1.5} b={\"boolValue\":false}"
                " s={\"stringValue\":\"3\"}")},
        {SPAN(",\"annotations\":[{\"timestamp\":7,\"value\":\"sent\"}]"),
            SHOWN("unspecified", "unset \"\"", "\n  event 7000 sent -0")},
        {"[{\"traceId\":\"aa\",\"id\":\"1\"}]",
            RESOURCE TRACE " 0000000000000001 < 0 \"\" unspecified 1700000000000000000"
                           "..1700000000000000000 unset \"\" state \"\" 0 -0 -0 -0"
                           " otel.zipkin.absentField.startTime={\"boolValue\":true}\n"},
        {"[{\"traceId\":\"aa\",\"id\":\"1\",\"duration\":2,\"annotations\":[{\"timestamp\":9,"
         "\"value\":\"b\"},{\"timestamp\":8,\"value\":\"a\"}]}]",
            RESOURCE TRACE
            " 0000000000000001 < 0 \"\" unspecified 8000..10000 unset \"\" state \"\" "
            "0 -0 -0 -0 otel.zipkin.absentField.startTime={\"boolValue\":true}\n"
            "  event 9000 b -0\n  event 8000 a -0\n"},
        {"[{\"traceId\":\"aa\",\"id\":\"1\",\"timestamp\":18446744073709551,\"duration\":"
         "9223372036854775807}]",
            RESOURCE TRACE " 0000000000000001 < 0 \"\" unspecified 18446744073709551000"
                           "..18446744073709551615 unset \"\" state \"\" 0 -0 -0 -0\n"},
        {SPAN(",\"tags\":{\"otel.scope.name\":\"lib\",\"otel.scope.version\":\"1\"}"),
            "resource 1 \"\" of unknown_service -0\nscope 1 \"\" lib 1\n" TRACE
            " 0000000000000001 < 0 \"\" unspecified 5000..5000 unset \"\" state \"\" 0 -0 -0 -0\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_json(cases[i].json, cases[i].expected);
    }
}

/* Spans of a service that follow each other share its resource. */
static void test_services(void **state)
{
#define OF(id, service)                                                                            \
    "{\"traceId\":\"aa\",\"id\":\"" id                                                             \
    "\",\"timestamp\":5,\"localEndpoint\":{\"serviceName\":\"" service "\"}}"
#define OF_SHOWN(number, id, service)                                                              \
    "resource " number " \"\" of " service " -0 service.name={\"stringValue\":\"" service          \
    "\"}\nscope " number " \"\"  \n" TRACE " 000000000000000" id                                   \
    " < 0 \"\" unspecified 5000..5000 unset \"\" state \"\" 0 -0 -0 -0\n"
    check_json("[" OF("1", "a") "," OF("2", "a") "," OF("3", "b") "," OF("4", "a") "]",
        OF_SHOWN("1", "1", "a") OF_SHOWN("1", "2", "a") OF_SHOWN("2", "3", "b")
            OF_SHOWN("3", "4", "a"));
}

/* ---- Shared ids ---- */

struct found {
    uint64_t id, parent;
};

static void collect(const char *json, struct found *found, size_t count)
{
    struct strbuf message = STRBUF_INIT;
    struct otlp_traces *walker;
    struct otlp_span span;
    assert_int_equal(zipkin_from_json(str_of(json), NOW, &message, NULL), 0);
    assert_int_equal(otlp_traces_new(&walker), 0);
    assert_int_equal(otlp_traces_begin(walker, strbuf_str(&message), NULL), 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(otlp_traces_next(walker, &span), 1);
        found[i] = (struct found){span.span.span_id, span.span.parent_id};
    }
    assert_int_equal(otlp_traces_next(walker, &span), 0);
    otlp_traces_free(walker);
    strbuf_release(&message);
}

#define IN(id, parent, service, more)                                                              \
    "{\"traceId\":\"aa\",\"id\":\"" id "\",\"parentId\":\"" parent                                 \
    "\",\"localEndpoint\":{\"serviceName\":\"" service "\"}" more "}"
#define SERVER_SIDE ",\"kind\":\"SERVER\",\"shared\":true"

static void test_shared(void **state)
{
    struct found f[4], again[1];
    collect("[" IN("1", "9", "web", ",\"kind\":\"CLIENT\"") "," IN("1", "9", "api",
                SERVER_SIDE) "," IN("2", "1", "api", "") "," IN("3", "1", "web", "") "]",
        f, 4);
    assert_int_equal(f[0].id, 1); /* the client's side keeps the id */
    assert_int_equal(f[0].parent, 9);
    assert_true(f[1].id != 1 && f[1].id != 0);
    assert_int_equal(f[1].parent, 1);
    assert_int_equal(f[2].parent, f[1].id); /* a child of the server's side */
    assert_int_equal(f[3].parent, 1);
    /* The other side may come alone: its id is the same then. */
    collect("[" IN("1", "9", "api", SERVER_SIDE) "]", again, 1);
    assert_int_equal(again[0].id, f[1].id);
}

/* ---- Protobuf ---- */

#define BYTES(literal)                                                                             \
    {                                                                                              \
        sizeof(literal) - 1, (uint8_t *)(uintptr_t)(literal)                                       \
    }
#define TEXT(literal) ((char *)(uintptr_t)(literal))

/* The same span in both forms says the same. */
static void test_protobuf(void **state)
{
    Oracle__ZipkinEndpoint local = ORACLE__ZIPKIN_ENDPOINT__INIT;
    Oracle__ZipkinEndpoint remote = ORACLE__ZIPKIN_ENDPOINT__INIT;
    Oracle__ZipkinAnnotation annotation = ORACLE__ZIPKIN_ANNOTATION__INIT;
    Oracle__ZipkinTag tags[2] = {ORACLE__ZIPKIN_TAG__INIT, ORACLE__ZIPKIN_TAG__INIT};
    Oracle__ZipkinSpan spans[2] = {ORACLE__ZIPKIN_SPAN__INIT, ORACLE__ZIPKIN_SPAN__INIT};
    Oracle__ZipkinListOfSpans list = ORACLE__ZIPKIN_LIST_OF_SPANS__INIT;
    Oracle__ZipkinAnnotation *annotation_list[] = {&annotation};
    Oracle__ZipkinTag *tag_list[] = {&tags[0], &tags[1]};
    Oracle__ZipkinSpan *span_list[] = {&spans[0], &spans[1]};
    local.service_name = TEXT("api");
    local.ipv4 = (ProtobufCBinaryData)BYTES("\xc0\xa8\x63\x01");
    local.port = 8080;
    remote.ipv6 = (ProtobufCBinaryData)BYTES("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
    annotation.timestamp = 7;
    annotation.value = TEXT("sent");
    tags[0].key = TEXT("a");
    tags[0].value = TEXT("1");
    tags[1].key = TEXT("error");
    tags[1].value = TEXT("no");
    spans[0].trace_id = (ProtobufCBinaryData)BYTES("\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf");
    spans[0].id = (ProtobufCBinaryData)BYTES("\0\0\0\0\0\0\0\2");
    spans[0].parent_id = (ProtobufCBinaryData)BYTES("\0\0\0\0\0\0\0\1");
    spans[0].kind = 2;
    spans[0].name = TEXT("get");
    spans[0].timestamp = 5;
    spans[0].duration = 3;
    spans[0].local_endpoint = &local;
    spans[0].remote_endpoint = &remote;
    spans[0].n_annotations = 1;
    spans[0].annotations = annotation_list;
    spans[0].n_tags = 2;
    spans[0].tags = tag_list;
    spans[0].debug = 1;
    spans[1].trace_id = (ProtobufCBinaryData)BYTES("\0\0\0\0\0\0\0\xaa");
    spans[1].id = (ProtobufCBinaryData)BYTES("\0\0\0\0\0\0\0\3");
    spans[1].timestamp = 5;
    spans[1].kind = 4;
    list.n_spans = 2;
    list.spans = span_list;
    uint8_t packed[1024];
    size_t size = oracle__zipkin_list_of_spans__get_packed_size(&list);
    assert_true(size <= sizeof(packed));
    oracle__zipkin_list_of_spans__pack(&list, packed);
    struct strbuf message = STRBUF_INIT, text = STRBUF_INIT;
    struct str bytes = str_make((const char *)packed, size);
    assert_int_equal(zipkin_from_protobuf(bytes, NOW, &message, NULL), 0);
    message_text(&text, strbuf_str(&message));
    strbuf_add_char(&text, '\0');
    check_json(
        "[{\"traceId\":\"102030405060708090a0b0c0d0e0f\",\"id\":\"2\",\"parentId\":\"1\",\"kind\":"
        "\"SERVER\",\"name\":\"get\",\"timestamp\":5,\"duration\":3,\"localEndpoint\":"
        "{\"serviceName\":\"api\",\"ipv4\":\"192.168.99.1\",\"port\":8080},\"remoteEndpoint\":"
        "{\"ipv6\":\"2001:db8::1\"},\"annotations\":[{\"timestamp\":7,\"value\":\"sent\"}],"
        "\"tags\":{\"a\":\"1\",\"error\":\"no\"},\"debug\":true},"
        "{\"traceId\":\"aa\",\"id\":\"3\",\"timestamp\":5,\"kind\":\"CONSUMER\"}]",
        text.data);
    /* Cut anywhere but between its spans, it is refused. */
    size_t first = size - 2 - oracle__zipkin_span__get_packed_size(&spans[1]);
    for (size_t cut = 0; cut < size; cut++) {
        struct strbuf part = STRBUF_INIT;
        int status = zipkin_from_protobuf(str_make((const char *)packed, cut), NOW, &part, NULL);
        if (status != (cut == 0 || cut == first ? 0 : ERR_CORRUPT)) {
            fail_msg("cut at %zu: %d", cut, status);
        }
        strbuf_release(&part);
    }
    strbuf_release(&message);
    strbuf_release(&text);
}

/* ---- What is refused ---- */

static void test_refusals(void **state)
{
    static const struct {
        const char *json, *sentence;
    } cases[] = {
        {"{}", "expected an array of spans"},
        {"[1]", "span 0: expected an object"},
        {"[{\"id\":\"1\"}]", "span 0: its traceId is not an id of Zipkin's"},
        {SPAN("") "]", NULL},
        {"[{\"traceId\":\"0\",\"id\":\"1\"}]", "span 0: its traceId is not an id of Zipkin's"},
        {"[{\"traceId\":\"g\",\"id\":\"1\"}]", "span 0: its traceId is not an id of Zipkin's"},
        {"[{\"traceId\":\"1\",\"id\":\"1\"},{\"traceId\":\"1\",\"id\":\"0\"}]",
            "span 1: its id is not an id of Zipkin's"},
        {"[{\"traceId\":\"1\",\"id\":\"1\",\"parentId\":\"xyz\"}]",
            "span 0: its parentId is not an id of Zipkin's"},
        {"[{\"traceId\":\"1\",\"id\":\"11112222333344445\"}]",
            "span 0: its id is not an id of Zipkin's"},
        {SPAN(",\"timestamp\":\"soon\""), NULL},
        {SPAN(",\"timestamp\":-1"), NULL},
        {SPAN(",\"tags\":[]"), NULL},
        {SPAN(",\"tags\":{\"a\":{}}"), NULL},
        {SPAN(",\"annotations\":{}"), NULL},
        {SPAN(",\"localEndpoint\":7"), NULL},
        {SPAN(",\"name\":7"), "span 0: name is not of the kind expected"},
        {"[", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf message = STRBUF_INIT;
        struct err e = ERR_INIT;
        int status = zipkin_from_json(str_of(cases[i].json), NOW, &message, &e);
        if (status != ERR_CORRUPT || e.message[0] == '\0' ||
            (cases[i].sentence != NULL && strcmp(e.message, cases[i].sentence) != 0)) {
            fail_msg("%s: %d \"%s\"", cases[i].json, status, e.message);
        }
        strbuf_release(&message);
    }
}

/* So many spans share one id that a list of them would take a second; a table takes none. */
static void test_many_shared(void **state)
{
    struct strbuf json = STRBUF_INIT, message = STRBUF_INIT;
    strbuf_add_c(&json, "[");
    for (int i = 0; i < 20000; i++) {
        strbuf_addf(&json,
            "%s{\"traceId\":\"a\",\"id\":\"1\",\"parentId\":\"1\",\"kind\":\"SERVER\",\"shared\":"
            "true}",
            i > 0 ? "," : "");
    }
    strbuf_add_c(&json, "]");
    assert_int_equal(zipkin_from_json(strbuf_str(&json), NOW, &message, NULL), 0);
    strbuf_release(&json);
    strbuf_release(&message);
}

static void test_short_of_memory(void **state)
{
    const char *json = "[" IN("1", "9", "api", SERVER_SIDE ",\"tags\":{\"a\":\"b\"}") "]";
    bool whole = false;
    for (uint64_t nth = 1; !whole; nth++) {
        struct strbuf message = STRBUF_INIT;
        assert_true(nth < 1000);
        mem_fail_nth(nth);
        struct err e = ERR_INIT;
        int status = zipkin_from_json(str_of(json), NOW, &message, &e);
        whole = mem_fail_pending();
        mem_fail_nth(0);
        if (status != (whole ? 0 : ERR_NOMEM)) {
            fail_msg("allocation %d: %d, %s", (int)nth, status, e.message);
        }
        strbuf_release(&message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_services),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_protobuf),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_many_shared),
        cmocka_unit_test(test_short_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
