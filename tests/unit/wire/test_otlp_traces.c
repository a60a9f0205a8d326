/* OTLP traces against protobuf-c: what it packs the walker reads, what we encode it unpacks; the same
 * message by way of JSON says the same; and what must be refused or counted. */
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "message_text.h"
#include "otlp_oracle.pb-c.h"
#include "support/support.h"
#include "wire/otlp_traces.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* The generated structs want char *, though packing only reads. */
#define TEXT(literal) ((char *)(uintptr_t)(literal))
#define BYTES(literal)                                                                             \
    {                                                                                              \
        sizeof(literal) - 1, (uint8_t *)(uintptr_t)(literal)                                       \
    }

/* ---- A message of everything ---- */

struct sample {
    Oracle__AnyValue values[10];
    Oracle__AnyValue *list[2];
    Oracle__ArrayValue array;
    Oracle__KeyValue inner;
    Oracle__KeyValue *inners[1];
    Oracle__KeyValueList map;
    Oracle__KeyValue pairs[10];
    Oracle__KeyValue *pair_list[10];
    Oracle__SpanEvent event;
    Oracle__SpanEvent *events[1];
    Oracle__SpanLink link;
    Oracle__SpanLink *links[1];
    Oracle__SpanStatus status;
    Oracle__Span spans[3];
    Oracle__Span *span_list[3];
    Oracle__Scope scope;
    Oracle__ScopeSpans scopes[2];
    Oracle__ScopeSpans *scope_list[2];
    Oracle__Resource resource;
    Oracle__ResourceSpans resources[2];
    Oracle__ResourceSpans *resource_list[2];
    Oracle__TracesRequest request;
};

static void make_values(struct sample *s)
{
    for (size_t i = 0; i < COUNT(s->values); i++) {
        oracle__any_value__init(&s->values[i]);
    }
    s->values[0].value_case = ORACLE__ANY_VALUE__VALUE_STRING_VALUE;
    s->values[0].string_value = TEXT("shop");
    s->values[1].value_case = ORACLE__ANY_VALUE__VALUE_BOOL_VALUE;
    s->values[1].bool_value = 1;
    s->values[2].value_case = ORACLE__ANY_VALUE__VALUE_INT_VALUE;
    s->values[2].int_value = INT64_MIN;
    s->values[3].value_case = ORACLE__ANY_VALUE__VALUE_DOUBLE_VALUE;
    s->values[3].double_value = -0.5;
    s->list[0] = &s->values[0];
    s->list[1] = &s->values[2];
    oracle__array_value__init(&s->array);
    s->array.n_values = 2;
    s->array.values = s->list;
    s->values[4].value_case = ORACLE__ANY_VALUE__VALUE_ARRAY_VALUE;
    s->values[4].array_value = &s->array;
    oracle__key_value__init(&s->inner);
    s->inner.key = TEXT("in \"side\"");
    s->inner.value = &s->values[4];
    s->inners[0] = &s->inner;
    oracle__key_value_list__init(&s->map);
    s->map.n_values = 1;
    s->map.values = s->inners;
    s->values[5].value_case = ORACLE__ANY_VALUE__VALUE_KVLIST_VALUE;
    s->values[5].kvlist_value = &s->map;
    s->values[6].value_case = ORACLE__ANY_VALUE__VALUE_BYTES_VALUE;
    s->values[6].bytes_value = (ProtobufCBinaryData)BYTES("\x00\xff\x10\x20");
    s->values[7].value_case = ORACLE__ANY_VALUE__VALUE_DOUBLE_VALUE;
    s->values[7].double_value = (double)INFINITY;
    s->values[8].value_case = ORACLE__ANY_VALUE__VALUE_STRING_VALUE;
    s->values[8].string_value = TEXT("");
    static const char *const keys[] = {
        "service.name", "b", "i", "d", "array", "map", "bytes", "inf", "empty text", "nothing"};
    for (size_t i = 0; i < COUNT(s->pairs); i++) {
        oracle__key_value__init(&s->pairs[i]);
        s->pairs[i].key = TEXT(keys[i]);
        s->pairs[i].value = &s->values[i];
        s->pair_list[i] = &s->pairs[i];
    }
}

static void make_spans(struct sample *s)
{
    oracle__span_event__init(&s->event);
    s->event.time_unix_nano = 1700000000000000001u;
    s->event.name = TEXT("exception");
    s->event.n_attributes = 2;
    s->event.attributes = s->pair_list;
    s->event.dropped_attributes_count = 4;
    s->events[0] = &s->event;
    oracle__span_link__init(&s->link);
    s->link.trace_id = (ProtobufCBinaryData)BYTES("fedcba9876543210");
    s->link.span_id = (ProtobufCBinaryData)BYTES("linkspan");
    s->link.trace_state = TEXT("a=b");
    s->link.n_attributes = 1;
    s->link.attributes = s->pair_list;
    s->link.flags = 0x301;
    s->links[0] = &s->link;
    oracle__span_status__init(&s->status);
    s->status.message = TEXT("no such order");
    s->status.code = 2;
    for (size_t i = 0; i < COUNT(s->spans); i++) {
        oracle__span__init(&s->spans[i]);
        s->spans[i].trace_id = (ProtobufCBinaryData)BYTES("0123456789abcdef");
        s->spans[i].name = TEXT("GET /");
        s->span_list[i] = &s->spans[i];
    }
    s->spans[0].span_id = (ProtobufCBinaryData)BYTES("span 001");
    s->spans[1].span_id = (ProtobufCBinaryData)BYTES("span 002");
    s->spans[2].span_id = (ProtobufCBinaryData)BYTES("span 003");
    Oracle__Span *full = &s->spans[1];
    full->parent_span_id = (ProtobufCBinaryData)BYTES("span 001");
    full->trace_state = TEXT("ot=th:fd70a4");
    full->kind = 3;
    full->start_time_unix_nano = 1700000000000000000u;
    full->end_time_unix_nano = UINT64_MAX;
    full->n_attributes = COUNT(s->pair_list);
    full->attributes = s->pair_list;
    full->dropped_attributes_count = 1;
    full->n_events = 1;
    full->events = s->events;
    full->dropped_events_count = 2;
    full->n_links = 1;
    full->links = s->links;
    full->dropped_links_count = 3;
    full->status = &s->status;
    full->flags = 0x101;
}

/* Resource one: a scope with two spans, a scope with one; resource two: nothing but a span. */
static struct str pack(struct sample *s, struct strbuf *out)
{
    make_values(s);
    make_spans(s);
    oracle__scope__init(&s->scope);
    s->scope.name = TEXT("lib");
    s->scope.version = TEXT("1.2");
    s->scope.n_attributes = 2;
    s->scope.attributes = s->pair_list;
    for (size_t i = 0; i < 2; i++) {
        oracle__scope_spans__init(&s->scopes[i]);
        s->scope_list[i] = &s->scopes[i];
        oracle__resource_spans__init(&s->resources[i]);
        s->resource_list[i] = &s->resources[i];
    }
    s->scopes[0].scope = &s->scope;
    s->scopes[0].schema_url = TEXT("https://scope");
    s->scopes[0].n_spans = 2;
    s->scopes[0].spans = s->span_list;
    s->scopes[1].n_spans = 1;
    s->scopes[1].spans = s->span_list + 2;
    oracle__resource__init(&s->resource);
    s->resource.n_attributes = 3;
    s->resource.attributes = s->pair_list;
    s->resources[0].resource = &s->resource;
    s->resources[0].schema_url = TEXT("https://resource");
    s->resources[0].n_scope_spans = 2;
    s->resources[0].scope_spans = s->scope_list;
    s->resources[1].n_scope_spans = 1;
    s->resources[1].scope_spans = s->scope_list + 1;
    oracle__traces_request__init(&s->request);
    s->request.n_resource_spans = 2;
    s->request.resource_spans = s->resource_list;
    size_t size = oracle__traces_request__get_packed_size(&s->request);
    char *room = strbuf_reserve(out, size);
    assert_non_null(room);
    strbuf_commit(out, oracle__traces_request__pack(&s->request, (uint8_t *)room));
    return strbuf_str(out);
}

static const char shown[] =
    "resource 1 \"https://resource\" of shop -0 service.name={\"stringValue\":\"shop\"} "
    "b={\"boolValue\":true} i={\"intValue\":\"-9223372036854775808\"}\n"
    "scope 1 \"https://scope\" lib 1.2 service.name={\"stringValue\":\"shop\"} "
    "b={\"boolValue\":true}\n"
    "30313233343536373839616263646566 7370616e20303031 < 0 \"GET /\" unspecified 0..0 unset \"\" "
    "state \"\" 0 -0 -0 -0\n"
    "resource 1 \"https://resource\" of shop -0 service.name={\"stringValue\":\"shop\"} "
    "b={\"boolValue\":true} i={\"intValue\":\"-9223372036854775808\"}\n"
    "scope 1 \"https://scope\" lib 1.2 service.name={\"stringValue\":\"shop\"} "
    "b={\"boolValue\":true}\n"
    "30313233343536373839616263646566 7370616e20303032 < 7370616e20303031 \"GET /\" client "
    "1700000000000000000..18446744073709551615 error \"no such order\" state \"ot=th:fd70a4\" 257 "
    "-1 -2 -3 service.name={\"stringValue\":\"shop\"} b={\"boolValue\":true} "
    "i={\"intValue\":\"-9223372036854775808\"} d={\"doubleValue\":-0.5} "
    "array={\"arrayValue\":{\"values\":[{\"stringValue\":\"shop\"},"
    "{\"intValue\":\"-9223372036854775808\"}]}} "
    "map={\"kvlistValue\":{\"values\":[{\"key\":\"in \\\"side\\\"\",\"value\":"
    "{\"arrayValue\":{\"values\":[{\"stringValue\":\"shop\"},"
    "{\"intValue\":\"-9223372036854775808\"}]}}}]}} bytes={\"bytesValue\":\"AP8QIA==\"} "
    "inf={\"doubleValue\":\"Infinity\"} empty text={\"stringValue\":\"\"} nothing={}\n"
    "  event 1700000000000000001 exception -4 service.name={\"stringValue\":\"shop\"} "
    "b={\"boolValue\":true}\n"
    "  link 66656463626139383736353433323130 6c696e6b7370616e \"a=b\" 769 -0 "
    "service.name={\"stringValue\":\"shop\"}\n"
    "resource 1 \"https://resource\" of shop -0 service.name={\"stringValue\":\"shop\"} "
    "b={\"boolValue\":true} i={\"intValue\":\"-9223372036854775808\"}\n"
    "scope 2 \"\"  \n"
    "30313233343536373839616263646566 7370616e20303033 < 0 \"GET /\" unspecified 0..0 unset \"\" "
    "state \"\" 0 -0 -0 -0\n"
    "resource 2 \"\" of unknown_service -0\n"
    "scope 3 \"\"  \n"
    "30313233343536373839616263646566 7370616e20303033 < 0 \"GET /\" unspecified 0..0 unset \"\" "
    "state \"\" 0 -0 -0 -0\n";

static void test_reads_what_others_pack(void **state)
{
    struct sample sample;
    struct strbuf message = STRBUF_INIT, text = STRBUF_INIT;
    message_text(&text, pack(&sample, &message));
    assert_string_equal(text.data, shown);
    strbuf_release(&message);
    strbuf_release(&text);
    (void)state;
}

/* Encoded anew, from the views or by copying their bytes, it is the same to us and to protobuf-c. */
static void test_writes_what_others_read(void **state)
{
    for (int copy = 0; copy < 2; copy++) {
        struct sample sample;
        struct strbuf message = STRBUF_INIT, again = STRBUF_INIT, text = STRBUF_INIT;
        struct otlp_traces *walker = NULL;
        struct otlp_traces_encoder encoder;
        struct otlp_span span;
        assert_int_equal(otlp_traces_new(&walker), 0);
        assert_int_equal(otlp_traces_begin(walker, pack(&sample, &message), NULL), 0);
        otlp_traces_encoder_init(&encoder, &again);
        while (otlp_traces_next(walker, &span) == 1) {
            if (copy == 0) {
                span.raw = span.resource_raw = span.scope_raw = str_make(NULL, 0);
            }
            otlp_traces_encoder_add(&encoder, &span);
        }
        otlp_traces_encoder_finish(&encoder);
        assert_int_equal(strbuf_error(&again), 0);
        message_text(&text, strbuf_str(&again));
        assert_string_equal(text.data, shown);
        Oracle__TracesRequest *unpacked =
            oracle__traces_request__unpack(NULL, again.size, (const uint8_t *)again.data);
        assert_non_null(unpacked);
        assert_int_equal(unpacked->n_resource_spans, 2);
        const Oracle__Span *full = unpacked->resource_spans[0]->scope_spans[0]->spans[1];
        assert_int_equal(full->n_attributes, COUNT(sample.pair_list));
        assert_string_equal(full->status->message, "no such order");
        assert_true(full->end_time_unix_nano == UINT64_MAX);
        oracle__traces_request__free_unpacked(unpacked, NULL);
        otlp_traces_free(walker);
        strbuf_release(&message);
        strbuf_release(&again);
        strbuf_release(&text);
    }
    (void)state;
}

static void write_as_json(struct str message, struct json_writer *json)
{
    struct otlp_traces *walker;
    struct otlp_json_encoder encoder;
    struct otlp_span span;
    struct err e = ERR_INIT;
    int status;
    assert_int_equal(otlp_traces_new(&walker), 0);
    assert_int_equal(otlp_traces_begin(walker, message, &e), 0);
    otlp_json_encoder_init(&encoder, json);
    while ((status = otlp_traces_next(walker, &span)) == 1) {
        otlp_json_encoder_add(&encoder, &span);
    }
    otlp_json_encoder_finish(&encoder);
    assert_int_equal(status, 0);
    otlp_traces_free(walker);
}

/* More than a message may hold goes into groups that repeat their resource. */
static void test_large_groups(void **state)
{
    enum { SPANS = 40 };
    static char text[1 << 20];
    struct strbuf out;
    memset(text, 'x', sizeof(text));
    const struct attribute big = {
        .key = STR("k"), .kind = ATTRIBUTE_STRING, .bytes = {text, sizeof(text)}};
    const struct attribute name = {
        .key = STR("service.name"), .kind = ATTRIBUTE_STRING, .bytes = STR("shop")};
    const struct span_resource resource = {.attributes = {&name, 1}};
    const struct span_scope scope = {.name = STR("lib")};
    struct otlp_traces_encoder encoder;
    strbuf_init(&out, STRBUF_LIMIT_DEFAULT);
    otlp_traces_encoder_init(&encoder, &out);
    for (uint64_t i = 0; i < SPANS; i++) {
        const struct otlp_span span = {.resource = &resource,
            .scope = &scope,
            .resource_number = 1,
            .scope_number = 1,
            .span = {.trace_id = {.low = 1}, .span_id = i + 1, .attributes = {&big, 1}}};
        otlp_traces_encoder_add(&encoder, &span);
    }
    otlp_traces_encoder_finish(&encoder);
    assert_int_equal(strbuf_error(&out), 0);
    struct otlp_traces *walker;
    struct otlp_span span;
    struct err e = ERR_INIT;
    uint64_t count = 0, groups = 0;
    assert_int_equal(otlp_traces_new(&walker), 0);
    assert_int_equal(otlp_traces_begin(walker, strbuf_str(&out), &e), 0);
    while (otlp_traces_next(walker, &span) == 1) {
        assert_int_equal(span.span.span_id, ++count);
        assert_true(str_eq_c(span_resource_service(span.resource), "shop"));
        groups = span.resource_number;
    }
    assert_int_equal(count, SPANS);
    assert_int_equal(groups, 3); /* 16, 16 and 8 MiB and a little */
    otlp_traces_free(walker);
    strbuf_release(&out);
    (void)state;
}

static void test_by_way_of_json(void **state)
{
    struct sample sample;
    struct strbuf message = STRBUF_INIT, json = STRBUF_INIT, again = STRBUF_INIT,
                  text = STRBUF_INIT;
    struct json_writer writer;
    struct err e = ERR_INIT;
    json_init(&writer, &json);
    write_as_json(pack(&sample, &message), &writer);
    if (otlp_traces_from_json(strbuf_str(&json), &again, &e) != 0) {
        fail_msg("%s in %s", e.message, json.data);
    }
    message_text(&text, strbuf_str(&again));
    assert_string_equal(text.data, shown);
    strbuf_release(&message);
    strbuf_release(&json);
    strbuf_release(&again);
    strbuf_release(&text);
    (void)state;
}

/* ---- JSON as others write it ---- */

static const struct {
    const char *json;
    int status;
    const char *shown; /* or the sentence */
} json_cases[] = {
    {"{}", 0, ""},
    {"{\"resourceSpans\":[]}", 0, ""},
    {"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":"
     "\"5B8EFFF798038103D269B633813FC60C\",\"spanId\":\"EEE19B7EC3C1B174\",\"parentSpanId\":\"\","
     "\"name\":\"I'm a server span\",\"startTimeUnixNano\":\"1544712660000000000\","
     "\"endTimeUnixNano\":1544712661000000000,\"kind\":2,\"unknown\":[{}],\"status\":null,"
     "\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":7}},"
     "{\"key\":\"m\",\"value\":{\"intValue\":\"7\"}}]}]}]}]}",
        0,
        "resource 1 \"\" of unknown_service -0\nscope 1 \"\"  \n"
        "5b8efff798038103d269b633813fc60c eee19b7ec3c1b174 < 0 \"I'm a server span\" server "
        "1544712660000000000..1544712661000000000 unset \"\" state \"\" 0 -0 -0 -0 "
        "n={\"intValue\":\"7\"} m={\"intValue\":\"7\"}\n"},
    {"[]", ERR_CORRUPT, "malformed OTLP message: the message is not of the kind expected"},
    {"{\"resourceSpans\":{}}", ERR_CORRUPT,
        "malformed OTLP message: resourceSpans is not of the kind expected"},
    {"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":7}]}]}]}", ERR_CORRUPT,
        "malformed OTLP message: name is not of the kind expected"},
    {"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"startTimeUnixNano\":\"x\"}]}]}]}",
        ERR_CORRUPT, "malformed OTLP message: startTimeUnixNano is not of the kind expected"},
    {"{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"k\",\"value\":"
     "{\"bytesValue\":\"*\"}}]}}]}",
        ERR_CORRUPT, "malformed OTLP message: bytesValue is not of the kind expected"},
};

static void test_json(void **state)
{
    for (size_t i = 0; i < COUNT(json_cases); i++) {
        struct strbuf message = STRBUF_INIT, text = STRBUF_INIT;
        struct err e = ERR_INIT;
        int status = otlp_traces_from_json(str_of(json_cases[i].json), &message, &e);
        strbuf_add_c(&text, "");
        if (status == 0) {
            message_text(&text, strbuf_str(&message));
        }
        const char *said = status == 0 ? text.data : e.message;
        if (status != json_cases[i].status || strcmp(said, json_cases[i].shown) != 0) {
            fail_msg("%s: %d\n%s\nnot\n%s", json_cases[i].json, status, said, json_cases[i].shown);
        }
        strbuf_release(&message);
        strbuf_release(&text);
    }
    (void)state;
}

/* ---- Bad input ---- */

/* Every message cut short is refused, unless the cut falls between two of its parts. */
static void test_cut_short(void **state)
{
    struct sample sample;
    struct strbuf message = STRBUF_INIT;
    struct otlp_traces *walker = NULL;
    struct str whole = pack(&sample, &message);
    size_t good = 0;
    assert_int_equal(otlp_traces_new(&walker), 0);
    for (size_t size = 0; size <= whole.len; size++) {
        char *copy = mem_dup(whole.ptr, size); /* so that a sanitizer sees the end */
        struct err e = ERR_INIT;
        int status = otlp_traces_begin(walker, str_make(copy, size), &e);
        assert_true(status == 0 || (status == ERR_CORRUPT && e.message[0] != '\0'));
        good += status == 0;
        mem_free(copy);
    }
    assert_int_equal(good, 3); /* nothing, the first resource, both */
    otlp_traces_free(walker);
    strbuf_release(&message);
    (void)state;
}

static void test_faults_are_counted(void **state)
{
    struct sample sample;
    struct strbuf message = STRBUF_INIT, first = STRBUF_INIT, text = STRBUF_INIT;
    struct otlp_traces *walker = NULL;
    struct otlp_span span;
    static char long_name[OTLP_TEXT_BYTES_MAX + 2];
    memset(long_name, 'x', sizeof(long_name) - 1);
    (void)pack(&sample, &first);
    sample.spans[0].trace_id = (ProtobufCBinaryData)BYTES("short");
    sample.spans[1].span_id = (ProtobufCBinaryData)BYTES("\0\0\0\0\0\0\0\0");
    sample.spans[2].name = long_name;
    char *room = strbuf_reserve(&message, oracle__traces_request__get_packed_size(&sample.request));
    strbuf_commit(&message, oracle__traces_request__pack(&sample.request, (uint8_t *)room));
    assert_int_equal(otlp_traces_new(&walker), 0);
    assert_int_equal(otlp_traces_begin(walker, strbuf_str(&message), NULL), 0);
    assert_int_equal(otlp_traces_next(walker, &span), 0);
    assert_int_equal(otlp_traces_faults(walker, OTLP_SPAN_TRACE_ID), 1);
    assert_int_equal(otlp_traces_faults(walker, OTLP_SPAN_ID), 1);
    assert_int_equal(otlp_traces_faults(walker, OTLP_SPAN_TOO_LONG), 2); /* it is there twice */
    otlp_traces_free(walker);
    strbuf_release(&message);
    strbuf_release(&first);
    strbuf_release(&text);
    (void)state;
}

/* Arrays in arrays, deeper than anybody means. */
static void test_depth(void **state)
{
    struct strbuf value = STRBUF_INIT, next = STRBUF_INIT;
    for (int depth = 0; depth < 40; depth++) {
        strbuf_reset(&next);
        strbuf_add_uvarint(&next, 5 << 3 | 2); /* AnyValue.array_value */
        struct strbuf array = STRBUF_INIT;
        strbuf_add_uvarint(&array, 1 << 3 | 2);
        strbuf_add_sized(&array, strbuf_str(&value));
        strbuf_add_sized(&next, strbuf_str(&array));
        strbuf_release(&array);
        strbuf_reset(&value);
        strbuf_add_str(&value, strbuf_str(&next));
    }
    /* KeyValue.value, Resource.attributes, ResourceSpans.resource, request.resource_spans */
    static const uint8_t keys[] = {2 << 3 | 2, 1 << 3 | 2, 1 << 3 | 2, 1 << 3 | 2};
    for (size_t i = 0; i < COUNT(keys); i++) {
        strbuf_reset(&next);
        strbuf_add_char(&next, (char)keys[i]);
        strbuf_add_sized(&next, strbuf_str(&value));
        strbuf_reset(&value);
        strbuf_add_str(&value, strbuf_str(&next));
    }
    struct otlp_traces *walker = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(otlp_traces_new(&walker), 0);
    assert_int_equal(otlp_traces_begin(walker, strbuf_str(&value), &e), ERR_LIMIT);
    assert_string_equal(e.message, "values of attributes are nested deeper than 16");
    otlp_traces_free(walker);
    strbuf_release(&value);
    strbuf_release(&next);
    (void)state;
}

/* Attributes in each form that protobuf allows, and those that it does not: nearly all come in the one that the
 * decoder has a short way for, and the others must mean the same. Sizes: key "k" throughout. */
static void test_forms_of_attributes(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct {
            size_t size;
            const char *data;
        } bytes;
        int status;
        const char *text; /* the value, as text */
    } cases[] = {
#define FORM(literal) {sizeof(literal) - 1, literal}
        {"a string", FORM("\x0a\x01k\x12\x03\x0a\x01v"), 0, "v"},
        {"an empty string", FORM("\x0a\x01k\x12\x02\x0a\x00"), 0, ""},
        {"no value", FORM("\x0a\x01k"), 0, ""},
        {"an empty value", FORM("\x0a\x01k\x12\x00"), 0, ""},
        {"the value first", FORM("\x12\x03\x0a\x01v\x0a\x01k"), 0, "v"},
        {"two values, the last counts", FORM("\x0a\x01k\x12\x03\x0a\x01v\x12\x03\x0a\x01w"), 0,
            "w"},
        {"two members, the last counts", FORM("\x0a\x01k\x12\x05\x0a\x01v\x18\x07"), 0, "7"},
        {"an unknown field behind", FORM("\x0a\x01k\x12\x03\x0a\x01v\x18\x01"), 0, "v"},
        {"sizes longer than they need be", FORM("\x0a\x81\x00k\x12\x84\x00\x0a\x81\x00v"), 0, "v"},
        {"true", FORM("\x0a\x01k\x12\x02\x10\x01"), 0, "true"},
        {"true, by a large number", FORM("\x0a\x01k\x12\x03\x10\x80\x02"), 0, "true"},
        {"false", FORM("\x0a\x01k\x12\x02\x10\x00"), 0, "false"},
        {"an integer", FORM("\x0a\x01k\x12\x03\x18\xac\x02"), 0, "300"},
        {"minus one", FORM("\x0a\x01k\x12\x0b\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 0,
            "-1"},
        {"an integer of 71 bits",
            FORM("\x0a\x01k\x12\x0b\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), ERR_CORRUPT,
            NULL},
        {"an integer of eleven bytes",
            FORM("\x0a\x01k\x12\x0c\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00"), ERR_CORRUPT,
            NULL},
        {"an integer that goes on", FORM("\x0a\x01k\x12\x02\x18\x80"), ERR_CORRUPT, NULL},
        {"an integer cut off", FORM("\x0a\x01k\x12\x01\x18"), ERR_CORRUPT, NULL},
        {"a bool that goes on", FORM("\x0a\x01k\x12\x02\x10\x80"), ERR_CORRUPT, NULL},
        {"a double", FORM("\x0a\x01k\x12\x09\x21\x00\x00\x00\x00\x00\x00\xf8\x3f"), 0, "1.5"},
        {"a double of seven bytes", FORM("\x0a\x01k\x12\x08\x21\x00\x00\x00\x00\x00\x00\xf8"),
            ERR_CORRUPT, NULL},
        {"a key beyond the end", FORM("\x0a\x02k"), ERR_CORRUPT, NULL},
        {"a value beyond the end", FORM("\x0a\x01k\x12\x04\x0a\x01v"), ERR_CORRUPT, NULL},
        {"a string beyond its value", FORM("\x0a\x01k\x12\x03\x0a\x02v"), ERR_CORRUPT, NULL},
        {"a string shorter than its value", FORM("\x0a\x01k\x12\x04\x0a\x01vw"), ERR_CORRUPT, NULL},
        {"a key that is a number", FORM("\x08\x01\x12\x03\x0a\x01v"), ERR_CORRUPT, NULL},
#undef FORM
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct attribute a;
        struct strbuf text = STRBUF_INIT;
        /* Bytes of their own, so that a sanitizer sees a read beyond them. */
        char *bytes = mem_dup(cases[i].bytes.data, cases[i].bytes.size);
        int status = otlp_key_value_decode(str_make(bytes, cases[i].bytes.size), &a);
        if (status == 0) {
            otlp_attribute_write_text(&a, &text);
            strbuf_add_char(&text, '\0');
        }
        if (status != cases[i].status || (status == 0 && strcmp(text.data, cases[i].text) != 0)) {
            fail_msg("%s: status %d, \"%s\"; expected %d, \"%s\"", cases[i].what, status,
                status == 0 ? text.data : "", cases[i].status, cases[i].text);
        }
        strbuf_release(&text);
        mem_free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_others_pack),
        cmocka_unit_test(test_writes_what_others_read),
        cmocka_unit_test(test_by_way_of_json),
        cmocka_unit_test(test_large_groups),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_faults_are_counted),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_forms_of_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
