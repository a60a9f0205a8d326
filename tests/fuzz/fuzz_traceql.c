/* Any bytes as TraceQL: a tree within its limits, or an error with a sentence and a place inside the text; and the
 * tree is evaluated over a trace with every kind of field without harm. */
#include <assert.h>

#include "trace/traceql_evaluate.h"

#define COUNT 4

static const struct attribute attributes[] = {
    {.key = {"a", 1}, .kind = ATTRIBUTE_INT, .integer = INT64_MIN},
    {.key = {"b", 1}, .kind = ATTRIBUTE_STRING, .bytes = {"text", 4}},
    {.key = {"c", 1}, .kind = ATTRIBUTE_DOUBLE, .number = -0.0},
    {.key = {"d", 1}, .kind = ATTRIBUTE_BOOL, .boolean = true},
    {.key = {"e", 1}, .kind = ATTRIBUTE_ARRAY, .bytes = {"\x0a\x03\x0a\x01x", 5}},
};

static void evaluate(const struct traceql_query *query, struct arena *arena)
{
    const struct attributes list = {attributes, sizeof(attributes) / sizeof(attributes[0])};
    const struct span_resource resource = {.attributes = list};
    const struct span_scope scope = {.name = STR("scope"), .attributes = list};
    const struct span_event event = {.time_ns = 7, .name = STR("event"), .attributes = list};
    const struct span_link link = {.span_id = 1, .attributes = list};
    struct otlp_span spans[COUNT];
    struct trace_tree tree;
    struct traceql_sets sets;
    for (uint64_t i = 0; i < COUNT; i++) {
        spans[i] = (struct otlp_span){.span = {.trace_id = {0, 1},
                                          .span_id = i + 1,
                                          .parent_id = i,
                                          .start_ns = 10 * i,
                                          .end_ns = 100,
                                          .name = STR("name"),
                                          .attributes = list,
                                          .events = &event,
                                          .event_count = i & 1,
                                          .links = &link,
                                          .link_count = i >> 1},
            .resource = &resource,
            .scope = &scope};
    }
    const struct span_trace trace = {.spans = spans, .count = COUNT};
    assert(trace_tree_build(&trace, arena, &tree) == 0);
    int status = traceql_evaluate(query, &tree, arena, &sets);
    assert(status == 0 || status == ERR_LIMIT);
    for (uint32_t i = 0; status == 0 && i < sets.count; i++) {
        assert(sets.items[i].count > 0 && sets.items[i].count <= COUNT);
        for (uint32_t k = 0; k < sets.items[i].count; k++) {
            assert(sets.items[i].spans[k] < COUNT);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    const struct traceql_query *query;
    const struct traceql_field *field;
    struct err e = ERR_INIT;
    struct str text = str_make((const char *)data, size);
    arena_init(&arena, (size_t)64 << 20);
    int status = traceql_parse(text, &arena, &query, &e);
    if (status == 0) {
        evaluate(query, &arena);
    } else {
        assert(e.message[0] != '\0');
        assert(status != ERR_INVALID || (e.position >= 0 && (size_t)e.position <= size));
    }
    (void)traceql_parse_field(text, &arena, &field, NULL);
    status = traceql_parse_partial(text, &arena, &query, NULL);
    assert(status == 0 || status == arena_error(&arena));
    arena_release(&arena);
    return 0;
}
