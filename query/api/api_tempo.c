/* Tempo's search, as Grafana's plugin of that name asks it: with TraceQL, or in the older form with tags.
 *
 *   /api/search                     {"traces":[…],"metrics":{…}}        newest first, exactly the newest
 *   /api/search/tags                {"tagNames":["…"]}
 *   /api/v2/search/tags             {"scopes":[{"name":"span","tags":["…"]}]}
 *   /api/search/tag/TAG/values      {"tagValues":["…"]}
 *   /api/v2/search/tag/TAG/values   {"tagValues":[{"type":"string","value":"…"}]}
 *
 * The plugin decodes strictly: nothing that Tempo does not send is sent.
 */
#include "api/api_private.h"
#include "api/api_trace_search.h"
#include "api/api_traceql.h"
#include "trace/tempo_json.h"
#include "trace/trace_question.h"
#include "trace/trace_tags.h"
#include "trace/traceql_search.h"

enum { LIMIT_DEFAULT = 20, SPANS_DEFAULT = 3, SPANS_MAX = 10000, VALUES_DEFAULT = 1000 };

/* ---- The question ---- */

/* Cuts one word, which may be quoted, up to `end` or a space. */
static struct str take_word(struct str *rest, char end)
{
    struct str word = {rest->ptr, 0};
    if (rest->len > 0 && *rest->ptr == '"') {
        struct str inner = str_skip(*rest, 1);
        ptrdiff_t close = str_find(inner, '"');
        word = str_make(inner.ptr, close < 0 ? inner.len : (size_t)close);
        *rest = str_skip(inner, word.len + 1);
        return word;
    }
    while (word.len < rest->len && rest->ptr[word.len] != end && rest->ptr[word.len] != ' ') {
        word.len++;
    }
    *rest = str_skip(*rest, word.len);
    return word;
}

/* tags: logfmt, key=value key2="a value" */
static void add_tags(struct strbuf *question, struct str tags)
{
    tags = str_trim(tags);
    while (tags.len > 0) {
        struct str value, key = take_word(&tags, '=');
        if (tags.len > 0 && *tags.ptr == '=') {
            tags = str_skip(tags, 1);
            value = take_word(&tags, ' ');
            if (str_eq_c(key, "name")) {
                trace_question_text(question, "name", value);
            } else {
                trace_question_tag(question, key, value);
            }
        } else {
            trace_question_key(question, key);
        }
        tags = str_trim(tags);
    }
}

static int write_question(struct api_request *r, struct strbuf *question, struct err *e)
{
    uint64_t min_ns = 0, max_ns = 0;
    int status = api_trace_duration(r, "minDuration", &min_ns, e);
    status = status == 0 ? api_trace_duration(r, "maxDuration", &max_ns, e) : status;
    trace_question_begin(question);
    trace_question_durations(question, min_ns, max_ns);
    add_tags(question, http_exchange_param(r->exchange, "tags"));
    trace_question_end(question);
    return status == 0 ? strbuf_error(question) : status;
}

/* q, or what the older parameters say. */
static int read_query(struct api_request *r, const struct traceql_query **query_out, struct err *e)
{
    struct arena *arena = http_exchange_arena(r->exchange);
    struct str q = str_trim(http_exchange_param(r->exchange, "q"));
    struct strbuf question;
    strbuf_init(&question, TRACEQL_BYTES_MAX);
    int status = q.len == 0 ? write_question(r, &question, e) : 0;
    if (status == 0) {
        status = traceql_parse(q.len > 0 ? q : strbuf_str(&question), arena, query_out, e);
    }
    strbuf_release(&question);
    if (status == 0 && (*query_out)->metrics != NULL) {
        status =
            err_set(e, ERR_INVALID, -1, "%s() makes series: ask /api/metrics/query_range for them",
                (*query_out)->metrics->name);
    }
    return status;
}

static int read_times(struct api_request *r, uint64_t *start_ns, uint64_t *end_ns, struct err *e)
{
    *start_ns = 0;
    *end_ns = UINT64_MAX;
    int status = api_trace_time(r, "start", start_ns, e);
    return status == 0 ? api_trace_time(r, "end", end_ns, e) : status;
}

/* ---- Search ---- */

struct hit_writer {
    const struct traceql_query *query;
    size_t spans_max;
    struct json_writer *json;
};

static int write_hit(const struct span_trace *trace, struct arena *arena, void *context)
{
    const struct hit_writer *w = context;
    return tempo_write_hit(w->query, trace, w->spans_max, arena, w->json);
}

static int search(
    struct api_request *r, struct api_trace_walk *walk, struct json_writer *json, struct err *e)
{
    struct hit_writer writer = {.spans_max = SPANS_DEFAULT, .json = json};
    struct trace_hits hits;
    uint64_t start_ns, end_ns;
    size_t limit = LIMIT_DEFAULT;
    int status = read_query(r, &writer.query, e);
    status = status == 0 ? read_times(r, &start_ns, &end_ns, e) : status;
    status = status == 0 ? api_trace_count(r, "limit", TRACE_SEARCH_LIMIT_MAX, &limit, e) : status;
    status = status == 0 ? api_trace_count(r, "spss", SPANS_MAX, &writer.spans_max, e) : status;
    if (status == 0) {
        status = traceql_search(walk->view, writer.query, start_ns, end_ns, limit, &walk->budget,
            http_exchange_arena(r->exchange), &hits, e);
    }
    if (status != 0) {
        return status;
    }
    json_begin_object(json);
    json_key(json, "traces");
    json_begin_array(json);
    status = api_trace_walk_hits(walk, &hits, write_hit, &writer, e);
    json_end(json);
    json_key(json, "metrics");
    json_begin_object(json);
    json_key(json, "inspectedTraces");
    json_integer(json, (int64_t)hits.count);
    json_end(json);
    json_end(json);
    return status;
}

void api_tempo_search(struct api_request *r)
{
    struct api_trace_walk walk;
    struct api_plain a;
    struct err e = ERR_INIT;
    api_plain_begin(&a);
    int status = api_trace_walk_open(r, &walk, &e);
    status = status == 0 ? search(r, &walk, &a.json, &e) : status;
    api_trace_walk_close(r, &walk);
    api_plain_send(r, &a, status, &e);
}

/* ---- Tags ---- */

/* One question: opens what there is, and sends what the answer says. */
static void answer(struct api_request *r,
    int write(struct api_request *, struct span_view *, struct json_writer *, struct err *))
{
    struct span_view *view = NULL;
    struct api_plain a;
    struct err e = ERR_INIT;
    api_plain_begin(&a);
    int status = api_open_spans(r, &view, &e);
    status = status == 0 ? write(r, view, &a.json, &e) : status;
    span_view_close(view);
    api_plain_send(r, &a, status, &e);
}

static const struct {
    enum traceql_scope scope;
    const char *name;
} scopes[] = {{TRACEQL_SCOPE_RESOURCE, "resource"}, {TRACEQL_SCOPE_SPAN, "span"},
    {TRACEQL_SCOPE_EVENT, "event"}, {TRACEQL_SCOPE_LINK, "link"},
    {TRACEQL_SCOPE_INSTRUMENTATION, "instrumentation"}};
enum { SCOPES = sizeof(scopes) / sizeof(scopes[0]) };

static const char *const intrinsics[] = {"duration", "event:name", "event:timeSinceStart",
    "instrumentation:name", "instrumentation:version", "kind", "link:spanID", "link:traceID",
    "name", "rootName", "rootServiceName", "span:childCount", "span:duration", "span:id",
    "span:kind", "span:name", "span:parentID", "span:status", "span:statusMessage", "status",
    "statusMessage", "trace:duration", "trace:id", "trace:rootName", "trace:rootService",
    "traceDuration"};
enum { INTRINSICS = sizeof(intrinsics) / sizeof(intrinsics[0]) };

/* Of the spans that q describes as far as it is typed, or of all; at most limit of each scope are written. */
static int read_keys(struct api_request *r, struct span_view *view, size_t *limit,
    struct trace_keys *keys, struct err *e)
{
    struct arena *arena = http_exchange_arena(r->exchange);
    struct str q = str_trim(http_exchange_param(r->exchange, "q"));
    const struct traceql_query *query;
    struct trace_budget budget;
    uint64_t start_ns, end_ns;
    *limit = TRACE_NAMES_MAX;
    int status = read_times(r, &start_ns, &end_ns, e);
    status = status == 0 ? api_trace_count(r, "limit", TRACE_NAMES_MAX, limit, e) : status;
    status = status == 0 ? traceql_parse_partial(q, arena, &query, e) : status;
    if (status != 0) {
        return status;
    }
    bool all = query->stages->kind == TRACEQL_STAGE_SPANSET &&
               query->stages->spanset->kind == TRACEQL_SPANSET_FILTER &&
               query->stages->spanset->expr == NULL;
    api_trace_budget(r, &budget);
    status = all ? trace_keys(view, start_ns, end_ns, arena, keys, e)
                 : trace_keys_of(view, query, start_ns, end_ns, &budget, arena, keys, e);
    api_trace_warn_names(r, status == 0 && keys->cut);
    return status;
}

/* All keys of all scopes, each once, in order. */
static int write_tags(
    struct api_request *r, struct span_view *view, struct json_writer *json, struct err *e)
{
    struct trace_keys keys;
    size_t limit, written = 0;
    int status = read_keys(r, view, &limit, &keys, e);
    if (status != 0) {
        return status;
    }
    struct str last = {0};
    json_begin_object(json);
    json_key(json, "tagNames");
    json_begin_array(json);
    for (;;) {
        const struct trace_key *least = NULL;
        for (size_t i = 0; i < keys.count; i++) {
            const struct trace_key *k = &keys.items[i];
            if ((last.ptr == NULL || str_cmp(k->key, last) > 0) &&
                (least == NULL || str_cmp(k->key, least->key) < 0)) {
                least = k;
            }
        }
        if (least == NULL || written++ == limit) {
            api_trace_warn_names(r, least != NULL);
            break;
        }
        json_string(json, least->key);
        last = least->key;
    }
    json_end(json);
    json_end(json);
    return 0;
}

/* Returns whether it is cut. */
static bool write_scope(
    struct json_writer *json, const struct trace_keys *keys, size_t s, size_t limit)
{
    size_t written = 0;
    json_begin_object(json);
    json_key(json, "name");
    json_cstring(json, scopes[s].name);
    json_key(json, "tags");
    json_begin_array(json);
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->items[i].scope == scopes[s].scope && written++ < limit) {
            json_string(json, keys->items[i].key);
        }
    }
    json_end(json);
    json_end(json);
    return written > limit;
}

static int write_scopes(
    struct api_request *r, struct span_view *view, struct json_writer *json, struct err *e)
{
    struct str scope = http_exchange_param(r->exchange, "scope");
    bool all = scope.len == 0 || str_eq_c(scope, "none");
    bool known = all || str_eq_c(scope, "intrinsic"), cut = false;
    struct trace_keys keys;
    size_t limit;
    for (size_t s = 0; s < SCOPES; s++) {
        known |= str_eq_c(scope, scopes[s].name);
    }
    if (!known) {
        return err_set(e, ERR_INVALID, -1,
            "scope: expected resource, span, event, link, instrumentation or intrinsic");
    }
    int status = read_keys(r, view, &limit, &keys, e);
    if (status != 0) {
        return status;
    }
    json_begin_object(json);
    json_key(json, "scopes");
    json_begin_array(json);
    for (size_t s = 0; s < SCOPES; s++) {
        if (all || str_eq_c(scope, scopes[s].name)) {
            cut |= write_scope(json, &keys, s, limit);
        }
    }
    api_trace_warn_names(r, cut && !keys.cut);
    if (all || str_eq_c(scope, "intrinsic")) {
        json_begin_object(json);
        json_key(json, "name");
        json_cstring(json, "intrinsic");
        json_key(json, "tags");
        json_begin_array(json);
        for (size_t i = 0; i < INTRINSICS; i++) {
            json_cstring(json, intrinsics[i]);
        }
        json_end(json);
        json_end(json);
    }
    json_end(json);
    json_end(json);
    return 0;
}

void api_tempo_tags(struct api_request *r)
{
    answer(r, write_tags);
}

void api_tempo_tags_v2(struct api_request *r)
{
    answer(r, write_scopes);
}

/* ---- Values ---- */

/* TAG of …/tag/TAG/values: a field of TraceQL, or a key by itself. */
static int read_field(struct api_request *r, const struct traceql_field **field_out, struct err *e)
{
    struct arena *arena = http_exchange_arena(r->exchange);
    struct str tag = http_exchange_path_value(r->exchange), tail = STR("/values");
    struct err unused = ERR_INIT;
    if (!str_ends_with(tag, tail) || tag.len == tail.len) {
        return err_set(e, ERR_NOT_FOUND, -1, "expected …/search/tag/TAG/values");
    }
    tag.len -= tail.len;
    if (traceql_parse_field(tag, arena, field_out, &unused) == 0) {
        return 0;
    }
    struct strbuf quoted;
    strbuf_init(&quoted, TRACEQL_BYTES_MAX);
    strbuf_add_char(&quoted, '.');
    for (size_t i = 0; i < tag.len; i++) {
        bool plain = tag.ptr[i] != '"' && tag.ptr[i] != '\\';
        strbuf_add_c(&quoted, i == 0 ? "\"" : "");
        strbuf_add_c(&quoted, plain ? "" : "\\");
        strbuf_add_char(&quoted, tag.ptr[i]);
    }
    strbuf_add_char(&quoted, '"');
    int status = strbuf_error(&quoted);
    status = status == 0 ? traceql_parse_field(strbuf_str(&quoted), arena, field_out, e) : status;
    strbuf_release(&quoted);
    return status;
}

static int read_values(struct api_request *r, struct span_view *view,
    const struct traceql_field **field_out, struct trace_values *values, struct err *e)
{
    const struct traceql_query *query;
    struct trace_budget budget;
    uint64_t start_ns, end_ns;
    size_t limit = VALUES_DEFAULT;
    api_trace_budget(r, &budget);
    int status = read_field(r, field_out, e);
    status = status == 0 ? traceql_parse_partial(str_trim(http_exchange_param(r->exchange, "q")),
                               http_exchange_arena(r->exchange), &query, e)
                         : status;
    status = status == 0 ? read_times(r, &start_ns, &end_ns, e) : status;
    status = status == 0 ? api_trace_count(r, "limit", TRACE_NAMES_MAX, &limit, e) : status;
    if (status == 0) {
        status = trace_values(view, query, *field_out, start_ns, end_ns, limit, &budget,
            http_exchange_arena(r->exchange), values, e);
    }
    api_trace_warn_names(r, status == 0 && values->cut);
    return status;
}

static void write_text(struct json_writer *json, struct traceql_value value)
{
    struct strbuf text = STRBUF_INIT;
    traceql_value_write(value, &text);
    json_string(json, strbuf_str(&text));
    strbuf_release(&text);
}

static int write_values(
    struct api_request *r, struct span_view *view, struct json_writer *json, struct err *e)
{
    const struct traceql_field *field;
    struct trace_values values;
    int status = read_values(r, view, &field, &values, e);
    if (status != 0) {
        return status;
    }
    json_begin_object(json);
    json_key(json, "tagValues");
    json_begin_array(json);
    for (size_t i = 0; i < values.count; i++) {
        write_text(json, values.items[i]);
    }
    json_end(json);
    json_end(json);
    return 0;
}

static const char *type_name(enum traceql_type type)
{
    switch (type) {
    case TRACEQL_INT:
        return "int";
    case TRACEQL_FLOAT:
        return "float";
    case TRACEQL_BOOL:
        return "bool";
    case TRACEQL_DURATION:
        return "duration";
    case TRACEQL_STATUS:
    case TRACEQL_KIND:
        return "keyword";
    default:
        return "string";
    }
}

static int write_typed_values(
    struct api_request *r, struct span_view *view, struct json_writer *json, struct err *e)
{
    const struct traceql_field *field;
    struct trace_values values;
    int status = read_values(r, view, &field, &values, e);
    if (status != 0) {
        return status;
    }
    json_begin_object(json);
    json_key(json, "tagValues");
    json_begin_array(json);
    for (size_t i = 0; i < values.count; i++) {
        json_begin_object(json);
        json_key(json, "type");
        json_cstring(json, type_name(values.items[i].type));
        json_key(json, "value");
        write_text(json, values.items[i]);
        json_end(json);
    }
    json_end(json);
    json_end(json);
    return 0;
}

void api_tempo_tag_values(struct api_request *r)
{
    answer(r, write_values);
}

void api_tempo_tag_values_v2(struct api_request *r)
{
    answer(r, write_typed_values);
}
