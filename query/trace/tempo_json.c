/* With each span go the fields that conditions and select() name. All spans of a trace show the same ones, empty where a
 * span has none: Grafana makes a column of each, from the first span it meets. */
#include "trace/tempo_json.h"

#include <stdlib.h>

static void write_id(
    struct json_writer *json, const char *key, struct trace_id trace, uint64_t span)
{
    struct strbuf text = STRBUF_INIT;
    if (trace_id_is_zero(trace)) {
        span_id_write(span, &text);
    } else {
        trace_id_write(trace, &text);
    }
    json_key(json, key);
    json_string(json, strbuf_str(&text));
    strbuf_release(&text);
}

/* 64 bits as text, as protobuf's JSON has them. */
static void write_u64(struct json_writer *json, const char *key, uint64_t value)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_add_u64(&text, value);
    json_key(json, key);
    json_string(json, strbuf_str(&text));
    strbuf_release(&text);
}

static void write_attribute(struct json_writer *json, struct str key, struct traceql_value value)
{
    if (value.type == TRACEQL_NIL) {
        value = (struct traceql_value){.type = TRACEQL_STRING, .text = STR("")};
    }
    json_begin_object(json);
    json_key(json, "key");
    json_string(json, key);
    json_key(json, "value");
    traceql_value_write_json(value, json);
    json_end(json);
}

/* ---- Which fields ---- */

/* What every span shows, or the trace does. */
static bool is_shown_anyway(const struct traceql_field *f)
{
    if (f->scope != TRACEQL_SCOPE_INTRINSIC) {
        return false;
    }
    switch (f->intrinsic) {
    case TRACEQL_INTRINSIC_NAME:
    case TRACEQL_INTRINSIC_DURATION:
    case TRACEQL_INTRINSIC_TRACE_DURATION:
    case TRACEQL_INTRINSIC_ROOT_NAME:
    case TRACEQL_INTRINSIC_ROOT_SERVICE:
    case TRACEQL_INTRINSIC_TRACE_ID:
    case TRACEQL_INTRINSIC_SPAN_ID:
        return true;
    default:
        return false;
    }
}

static struct str shown_key(const struct traceql_field *f)
{
    bool whole = f->scope == TRACEQL_SCOPE_INTRINSIC || f->scope == TRACEQL_SCOPE_PARENT;
    return whole ? f->text : f->key;
}

struct shown {
    const struct traceql_field **fields;
    size_t count;
};

/* One field a key. */
static void show(struct shown *shown, const struct traceql_field *field)
{
    bool there = is_shown_anyway(field);
    for (size_t i = 0; i < shown->count; i++) {
        there |= str_eq(shown_key(shown->fields[i]), shown_key(field));
    }
    if (!there) {
        shown->fields[shown->count++] = field;
    }
}

static int choose(const struct traceql_query *query, struct arena *arena, struct shown *shown)
{
    size_t most = query->field_count + 1;
    for (const struct traceql_stage *s = query->stages; s != NULL; s = s->next) {
        most += s->field_count;
    }
    *shown =
        (struct shown){.fields = arena_alloc(arena, most * sizeof(const struct traceql_field *))};
    if (shown->fields == NULL) {
        return arena_error(arena);
    }
    for (size_t i = 0; i < query->field_count; i++) {
        show(shown, query->fields[i]);
    }
    for (const struct traceql_stage *s = query->stages; s != NULL; s = s->next) {
        for (size_t i = 0; i < s->field_count; i++) {
            show(shown, s->fields[i]);
        }
    }
    return 0;
}

/* Those that no span of the answer has are left out. */
static void keep_present(struct shown *shown, const struct trace_tree *tree,
    const struct traceql_sets *sets, size_t spans_max)
{
    struct traceql_subject subject = {.tree = tree};
    size_t kept = 0;
    for (size_t f = 0; f < shown->count; f++) {
        bool any = false;
        for (uint32_t i = 0; i < sets->count && !any; i++) {
            const struct traceql_set *set = &sets->items[i];
            for (uint32_t k = 0; k < set->count && k < spans_max && !any; k++) {
                subject.index = set->spans[k];
                subject.span = &tree->spans[subject.index];
                any = traceql_field_value(&subject, shown->fields[f]).type != TRACEQL_NIL;
            }
        }
        if (any) {
            shown->fields[kept++] = shown->fields[f];
        }
    }
    shown->count = kept;
}

/* ---- Sets ---- */

static void write_span(struct json_writer *json, const struct trace_tree *tree, uint32_t index,
    const struct shown *shown)
{
    static const struct trace_id no_trace = {0};
    struct traceql_subject subject = {.span = &tree->spans[index], .tree = tree, .index = index};
    const struct span *span = &subject.span->span;
    json_begin_object(json);
    write_id(json, "spanID", no_trace, span->span_id);
    json_key(json, "name");
    json_string(json, span->name);
    write_u64(json, "startTimeUnixNano", span->start_ns);
    write_u64(json, "durationNanos", span_duration_ns(span));
    if (shown->count > 0) {
        json_key(json, "attributes");
        json_begin_array(json);
        for (size_t i = 0; i < shown->count; i++) {
            write_attribute(
                json, shown_key(shown->fields[i]), traceql_field_value(&subject, shown->fields[i]));
        }
        json_end(json);
    }
    json_end(json);
}

static void write_marks(struct json_writer *json, const struct traceql_mark *mark)
{
    if (mark != NULL) {
        write_marks(json, mark->before); /* not more than stages of a query */
        write_attribute(json, mark->text, mark->value);
    }
}

static void write_set(struct json_writer *json, const struct trace_tree *tree,
    const struct traceql_set *set, const struct shown *shown, size_t spans_max)
{
    json_begin_object(json);
    json_key(json, "spans");
    json_begin_array(json);
    for (uint32_t i = 0; i < set->count && i < spans_max; i++) {
        write_span(json, tree, set->spans[i], shown);
    }
    json_end(json);
    json_key(json, "matched");
    json_integer(json, set->count);
    if (set->marks != NULL) {
        json_key(json, "attributes");
        json_begin_array(json);
        write_marks(json, set->marks);
        json_end(json);
    }
    json_end(json);
}

/* ---- Services ---- */

static int by_service(const void *left, const void *right)
{
    const struct otlp_span *a = *(const struct otlp_span *const *)left,
                           *b = *(const struct otlp_span *const *)right;
    return str_cmp(span_resource_service(a->resource), span_resource_service(b->resource));
}

static int write_services(
    struct json_writer *json, const struct trace_tree *tree, struct arena *arena)
{
    const struct otlp_span **all = arena_alloc(arena, (size_t)tree->count * sizeof(*all));
    if (all == NULL) {
        return arena_error(arena);
    }
    for (uint32_t i = 0; i < tree->count; i++) {
        all[i] = &tree->spans[i];
    }
    qsort(all, tree->count, sizeof(*all), by_service);
    json_key(json, "serviceStats");
    json_begin_object(json);
    for (uint32_t i = 0, next; i < tree->count; i = next) {
        int64_t errors = 0;
        for (next = i; next < tree->count && by_service(&all[i], &all[next]) == 0; next++) {
            errors += all[next]->span.status == SPAN_STATUS_ERROR;
        }
        json_key_str(json, span_resource_service(all[i]->resource));
        json_begin_object(json);
        json_key(json, "spanCount");
        json_integer(json, next - i);
        if (errors > 0) {
            json_key(json, "errorCount");
            json_integer(json, errors);
        }
        json_end(json);
    }
    json_end(json);
    return 0;
}

/* ---- The trace ---- */

static void write_root(struct json_writer *json, const struct trace_tree *tree)
{
    bool known = tree->root != TRACE_TREE_NONE;
    json_key(json, "rootServiceName");
    json_string(json,
        known ? span_resource_service(tree->spans[tree->root].resource) : STR(TRACE_ROOT_UNKNOWN));
    json_key(json, "rootTraceName");
    json_string(json, known ? tree->spans[tree->root].span.name : STR(TRACE_ROOT_UNKNOWN));
}

int tempo_write_hit(const struct traceql_query *query, const struct span_trace *trace,
    size_t spans_max, struct arena *arena, struct json_writer *json)
{
    struct trace_tree tree;
    struct traceql_sets sets;
    struct shown shown;
    int status = trace_tree_build(trace, arena, &tree);
    status = status == 0 ? traceql_evaluate(query, &tree, arena, &sets) : status;
    status = status == 0 ? choose(query, arena, &shown) : status;
    if (status != 0 || sets.count == 0) {
        return status;
    }
    keep_present(&shown, &tree, &sets, spans_max);
    json_begin_object(json);
    write_id(json, "traceID", tree.spans[0].span.trace_id, 0);
    write_root(json, &tree);
    write_u64(json, "startTimeUnixNano", tree.start_ns);
    json_key(json, "durationMs");
    json_integer(json, (int64_t)((tree.end_ns - tree.start_ns) / 1000000));
    json_key(json, "spanSets");
    json_begin_array(json);
    for (uint32_t i = 0; i < sets.count; i++) {
        write_set(json, &tree, &sets.items[i], &shown, spans_max);
    }
    json_end(json);
    status = write_services(json, &tree, arena);
    json_end(json);
    return status;
}
