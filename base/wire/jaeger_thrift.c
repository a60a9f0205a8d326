/* Jaeger's Thrift into OTLP; the mapping is listed in wire/jaeger_thrift.h. Structs by field (jaeger.thrift):
 *
 *   Batch    process 1, spans 2
 *   Process  serviceName 1, tags 2
 *   Span     traceIdLow 1, traceIdHigh 2, spanId 3, parentSpanId 4, operationName 5, references 6, flags 7,
 *            startTime 8, duration 9, tags 10, logs 11
 *   SpanRef  refType 1 (0 CHILD_OF, 1 FOLLOWS_FROM), traceIdLow 2, traceIdHigh 3, spanId 4
 *   Log      timestamp 1, fields 2
 *   Tag      key 1, vType 2, vStr 3, vDouble 4, vBool 5, vLong 6, vBinary 7
 *
 * A field of another type than these is malformed; fields that are not listed are read over. The process may
 * come behind the spans, so that a batch is read twice: first where its parts are, then what they say.
 */
#include "wire/jaeger_thrift.h"

#include "base/arena.h"
#include "thrift_reader.h"
#include "wire/media_type.h"
#include "wire/otlp_traces.h"

enum { NANOSECONDS = 1000, FLAG_SAMPLED = 1, FLAG_DEBUG = 2, EXTRA_ATTRIBUTES = 1 };

struct jaeger {
    struct thrift_reader in;
    struct arena *arena;
    int status; /* sticks: ERR_LIMIT, ERR_NOMEM; malformed bytes stick in the reader */
};

static bool going(const struct jaeger *j)
{
    return j->status == 0 && !j->in.in.failed;
}

/* Room for the elements of a list of structs, and how many there are; `more` places besides. */
static void *open_list(struct jaeger *j, size_t size, size_t more, size_t *count_out)
{
    enum thrift_type element;
    size_t count = thrift_list(&j->in, &element);
    *count_out = 0;
    if (count > 0 && element != THRIFT_STRUCT) {
        j->in.in.failed = true;
    }
    if (!going(j)) {
        return NULL;
    }
    void *items = arena_calloc(j->arena, count + more + 1, size);
    if (items == NULL) {
        j->status = arena_error(j->arena);
        return NULL;
    }
    *count_out = count;
    return items;
}

static bool is(const struct thrift_field *f, int16_t id, enum thrift_type type)
{
    return f->id == id && f->type == type;
}

/* ---- Tags ---- */

/* Numbers of TagType. */
enum { TAG_STRING, TAG_DOUBLE, TAG_BOOL, TAG_LONG, TAG_BINARY };

static const enum attribute_kind tag_kinds[] = {
    [TAG_STRING] = ATTRIBUTE_STRING,
    [TAG_DOUBLE] = ATTRIBUTE_DOUBLE,
    [TAG_BOOL] = ATTRIBUTE_BOOL,
    [TAG_LONG] = ATTRIBUTE_INT,
    [TAG_BINARY] = ATTRIBUTE_BYTES,
};

/* The value of the type that vType names; what else is there is of no interest. */
static void read_tag(struct jaeger *j, struct attribute *out)
{
    struct thrift_field f = {0};
    struct str text = STR(""), binary = STR("");
    double number = 0;
    int64_t integer = 0, type = TAG_STRING;
    bool truth = false;
    *out = (struct attribute){0};
    while (thrift_next(&j->in, &f)) {
        if (is(&f, 1, THRIFT_TEXT)) {
            out->key = thrift_text(&j->in);
        } else if (is(&f, 2, THRIFT_I32)) {
            type = thrift_integer(&j->in, f.type);
        } else if (is(&f, 3, THRIFT_TEXT)) {
            text = thrift_text(&j->in);
        } else if (is(&f, 4, THRIFT_DOUBLE)) {
            number = thrift_double(&j->in);
        } else if (is(&f, 5, THRIFT_BOOL)) {
            truth = thrift_bool(&j->in, &f);
        } else if (is(&f, 6, THRIFT_I64)) {
            integer = thrift_integer(&j->in, f.type);
        } else if (is(&f, 7, THRIFT_TEXT)) {
            binary = thrift_text(&j->in);
        } else {
            thrift_skip(&j->in, &f, JAEGER_DEPTH_MAX);
        }
    }
    if (type < TAG_STRING || type > TAG_BINARY) {
        j->in.in.failed = true;
        return;
    }
    out->kind = tag_kinds[type];
    switch (type) {
    case TAG_DOUBLE:
        out->number = number;
        break;
    case TAG_BOOL:
        out->boolean = truth;
        break;
    case TAG_LONG:
        out->integer = integer;
        break;
    default:
        out->bytes = type == TAG_STRING ? text : binary;
        break;
    }
}

/* `more` attributes can be added to it. */
static struct attribute *read_tags(struct jaeger *j, size_t more, size_t *count_out)
{
    struct attribute *tags = open_list(j, sizeof(*tags), more, count_out);
    for (size_t i = 0; i < *count_out && going(j); i++) {
        read_tag(j, &tags[i]);
    }
    return tags;
}

static struct str text_of(const struct attribute *tag)
{
    return tag->kind == ATTRIBUTE_STRING ? tag->bytes : STR("");
}

static bool is_true(const struct attribute *tag)
{
    return tag->kind == ATTRIBUTE_BOOL ? tag->boolean : str_eq_c(text_of(tag), "true");
}

static void set_kind(struct span *span, struct str text)
{
    for (int kind = SPAN_KIND_UNSPECIFIED; kind < SPAN_KIND_COUNT; kind++) {
        if (str_eq_c(text, span_kind_name((enum span_kind)kind))) {
            span->kind = (enum span_kind)kind;
        }
    }
}

/* What a tag says of the span or its scope, and is no attribute. */
static bool take_tag(const struct attribute *tag, struct span *span, struct span_scope *scope)
{
    struct str key = tag->key, text = text_of(tag);
    if (str_eq_c(key, "span.kind")) {
        set_kind(span, text);
    } else if (str_eq_c(key, "error") && is_true(tag)) {
        span->status = SPAN_STATUS_ERROR;
    } else if (str_eq_c(key, "otel.status_code")) {
        if (span->status != SPAN_STATUS_ERROR) {
            span->status = str_eq_c(text, "OK")      ? SPAN_STATUS_OK
                           : str_eq_c(text, "ERROR") ? SPAN_STATUS_ERROR
                                                     : SPAN_STATUS_UNSET;
        }
    } else if (str_eq_c(key, "otel.status_description")) {
        span->status_message = text;
    } else if (str_eq_c(key, "otel.scope.name") || str_eq_c(key, "otel.library.name")) {
        scope->name = text;
    } else if (str_eq_c(key, "otel.scope.version") || str_eq_c(key, "otel.library.version")) {
        scope->version = text;
    } else if (str_eq_c(key, "w3c.tracestate")) {
        span->trace_state = text;
    } else {
        return false;
    }
    return true;
}

static void read_span_tags(struct jaeger *j, struct span *span, struct span_scope *scope)
{
    size_t count, kept = 0;
    struct attribute *tags = read_tags(j, EXTRA_ATTRIBUTES, &count);
    for (size_t i = 0; i < count && going(j); i++) {
        if (!take_tag(&tags[i], span, scope)) {
            tags[kept++] = tags[i];
        }
    }
    span->attributes = (struct attributes){tags, kept};
}

/* ---- Logs and references ---- */

static uint64_t nanoseconds(int64_t us)
{
    return us <= 0                         ? 0
           : us <= INT64_MAX / NANOSECONDS ? (uint64_t)us * NANOSECONDS
                                           : (uint64_t)INT64_MAX;
}

/* The field `event`, else `message`, is its name. */
static void name_event(struct span_event *event, struct attribute *fields, size_t count)
{
    static const char *const names[] = {"event", "message"};
    event->attributes = (struct attributes){fields, count};
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
        for (size_t i = 0; i < count; i++) {
            if (str_eq_c(fields[i].key, names[n]) && fields[i].kind == ATTRIBUTE_STRING) {
                event->name = fields[i].bytes;
                memmove(&fields[i], &fields[i + 1], (count - i - 1) * sizeof(*fields));
                event->attributes.count--;
                return;
            }
        }
    }
}

static void read_log(struct jaeger *j, struct span_event *event)
{
    struct thrift_field f = {0};
    while (going(j) && thrift_next(&j->in, &f)) {
        if (is(&f, 1, THRIFT_I64)) {
            event->time_ns = nanoseconds(thrift_integer(&j->in, f.type));
        } else if (is(&f, 2, THRIFT_LIST)) {
            size_t count;
            struct attribute *fields = read_tags(j, 0, &count);
            if (going(j)) {
                name_event(event, fields, count);
            }
        } else {
            thrift_skip(&j->in, &f, JAEGER_DEPTH_MAX);
        }
    }
}

static void read_logs(struct jaeger *j, struct span *span)
{
    struct span_event *events = open_list(j, sizeof(*events), 0, &span->event_count);
    for (size_t i = 0; i < span->event_count && going(j); i++) {
        read_log(j, &events[i]);
    }
    span->events = events;
}

struct reference {
    int64_t type; /* 0: CHILD_OF */
    struct trace_id trace_id;
    uint64_t span_id;
};

static void read_reference(struct jaeger *j, struct reference *out)
{
    struct thrift_field f = {0};
    *out = (struct reference){0};
    while (thrift_next(&j->in, &f)) {
        if (is(&f, 1, THRIFT_I32)) {
            out->type = thrift_integer(&j->in, f.type);
        } else if (is(&f, 2, THRIFT_I64)) {
            out->trace_id.low = (uint64_t)thrift_integer(&j->in, f.type);
        } else if (is(&f, 3, THRIFT_I64)) {
            out->trace_id.high = (uint64_t)thrift_integer(&j->in, f.type);
        } else if (is(&f, 4, THRIFT_I64)) {
            out->span_id = (uint64_t)thrift_integer(&j->in, f.type);
        } else {
            thrift_skip(&j->in, &f, JAEGER_DEPTH_MAX);
        }
    }
}

static struct reference *read_references(struct jaeger *j, size_t *count_out)
{
    struct reference *list = open_list(j, sizeof(*list), 0, count_out);
    for (size_t i = 0; i < *count_out && going(j); i++) {
        read_reference(j, &list[i]);
    }
    return list;
}

/* When ids and parent are known: the first that can be the parent is; all others are links. */
static void resolve_references(
    struct jaeger *j, const struct reference *list, size_t count, struct span *span)
{
    static const struct attribute types[2] = {
        {.key = STR("opentracing.ref_type"), .kind = ATTRIBUTE_STRING, .bytes = STR("child_of")},
        {.key = STR("opentracing.ref_type"),
            .kind = ATTRIBUTE_STRING,
            .bytes = STR("follows_from")},
    };
    struct span_link *links = arena_calloc(j->arena, count + 1, sizeof(*links));
    if (links == NULL) {
        j->status = arena_error(j->arena);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct reference *r = &list[i];
        bool ours = r->type == 0 && trace_id_eq(r->trace_id, span->trace_id);
        if (ours && span->parent_id == 0) {
            span->parent_id = r->span_id;
        }
        if (ours && span->parent_id == r->span_id) {
            continue;
        }
        links[span->link_count++] = (struct span_link){.trace_id = r->trace_id,
            .span_id = r->span_id,
            .attributes = {&types[r->type != 0], 1}};
    }
    span->links = links;
}

/* ---- Spans ---- */

/* The tags were read with a place for it behind them. */
static void add_debug(struct jaeger *j, struct span *span)
{
    struct attribute *list = (struct attribute *)(uintptr_t)span->attributes.items;
    list = list != NULL ? list : arena_calloc(j->arena, EXTRA_ATTRIBUTES, sizeof(*list));
    if (list == NULL) {
        j->status = arena_error(j->arena);
        return;
    }
    list[span->attributes.count] =
        (struct attribute){.key = STR("jaeger.debug"), .kind = ATTRIBUTE_BOOL, .boolean = true};
    span->attributes = (struct attributes){list, span->attributes.count + 1};
}

static void read_span(struct jaeger *j, struct span *span, struct span_scope *scope)
{
    struct thrift_field f = {0};
    struct reference *references = NULL;
    size_t reference_count = 0;
    int64_t start_us = 0, duration_us = 0, flags = 0;
    *span = (struct span){0};
    while (going(j) && thrift_next(&j->in, &f)) {
        if (is(&f, 1, THRIFT_I64)) {
            span->trace_id.low = (uint64_t)thrift_integer(&j->in, f.type);
        } else if (is(&f, 2, THRIFT_I64)) {
            span->trace_id.high = (uint64_t)thrift_integer(&j->in, f.type);
        } else if (is(&f, 3, THRIFT_I64)) {
            span->span_id = (uint64_t)thrift_integer(&j->in, f.type);
        } else if (is(&f, 4, THRIFT_I64)) {
            span->parent_id = (uint64_t)thrift_integer(&j->in, f.type);
        } else if (is(&f, 5, THRIFT_TEXT)) {
            span->name = thrift_text(&j->in);
        } else if (is(&f, 6, THRIFT_LIST)) {
            references = read_references(j, &reference_count);
        } else if (is(&f, 7, THRIFT_I32)) {
            flags = thrift_integer(&j->in, f.type);
        } else if (is(&f, 8, THRIFT_I64)) {
            start_us = thrift_integer(&j->in, f.type);
        } else if (is(&f, 9, THRIFT_I64)) {
            duration_us = thrift_integer(&j->in, f.type);
        } else if (is(&f, 10, THRIFT_LIST)) {
            read_span_tags(j, span, scope);
        } else if (is(&f, 11, THRIFT_LIST)) {
            read_logs(j, span);
        } else {
            thrift_skip(&j->in, &f, JAEGER_DEPTH_MAX);
        }
    }
    if (!going(j)) {
        return;
    }
    span->start_ns = nanoseconds(start_us);
    span->end_ns = span->start_ns + nanoseconds(duration_us); /* both below 2^63 */
    span->flags = flags & FLAG_SAMPLED ? 1 : 0;
    resolve_references(j, references, reference_count, span);
    if (flags & FLAG_DEBUG) {
        add_debug(j, span);
    }
}

/* ---- A batch ---- */

struct batch {
    struct span_resource resource;
    struct decbuf spans; /* where their list begins */
    bool has_spans;
};

static void read_process(struct jaeger *j, struct span_resource *resource)
{
    struct thrift_field f = {0};
    struct str service = STR("");
    struct attribute *tags = NULL;
    size_t count = 0;
    while (going(j) && thrift_next(&j->in, &f)) {
        if (is(&f, 1, THRIFT_TEXT)) {
            service = thrift_text(&j->in);
        } else if (is(&f, 2, THRIFT_LIST)) {
            tags = read_tags(j, 0, &count);
        } else {
            thrift_skip(&j->in, &f, JAEGER_DEPTH_MAX);
        }
    }
    struct attribute *all = going(j) ? arena_calloc(j->arena, count + 1, sizeof(*all)) : NULL;
    if (all == NULL) {
        j->status = j->status == 0 && !j->in.in.failed ? arena_error(j->arena) : j->status;
        return;
    }
    size_t kept = 0;
    if (service.len > 0) {
        all[kept++] = (struct attribute){
            .key = STR("service.name"), .kind = ATTRIBUTE_STRING, .bytes = service};
    }
    for (size_t i = 0; i < count; i++) {
        all[kept] = tags[i];
        if (str_eq_c(tags[i].key, "hostname")) {
            all[kept].key = STR("host.name");
        }
        kept++;
    }
    resource->attributes = (struct attributes){all, kept};
}

static void find_parts(struct jaeger *j, struct batch *b)
{
    struct thrift_field f = {0};
    while (going(j) && thrift_next(&j->in, &f)) {
        if (is(&f, 1, THRIFT_STRUCT)) {
            read_process(j, &b->resource);
            continue;
        }
        if (is(&f, 2, THRIFT_LIST)) {
            b->spans = j->in.in;
            b->has_spans = true;
        }
        thrift_skip(&j->in, &f, JAEGER_DEPTH_MAX);
    }
}

static void encode_spans(
    struct jaeger *j, const struct batch *b, struct otlp_traces_encoder *encoder)
{
    struct otlp_span span = {.resource = &b->resource, .resource_number = 1};
    struct span_scope before = {0};
    enum thrift_type element;
    size_t count = thrift_list(&j->in, &element);
    if (count > 0 && element != THRIFT_STRUCT) {
        j->in.in.failed = true;
    }
    for (size_t i = 0; i < count && going(j); i++) {
        struct arena_mark mark = arena_mark(j->arena);
        struct span_scope scope = {0};
        read_span(j, &span.span, &scope);
        if (going(j)) {
            span.scope_number += span.scope_number == 0 || !str_eq(scope.name, before.name) ||
                                 !str_eq(scope.version, before.version);
            span.scope = &scope;
            before = scope;
            otlp_traces_encoder_add(encoder, &span);
        }
        arena_rewind(j->arena, mark);
    }
}

static int result(const struct jaeger *j, struct err *e)
{
    if (j->in.in.failed) {
        return err_set(e, ERR_CORRUPT, -1, "malformed Thrift: not a Batch of Jaeger's");
    }
    return j->status != 0 ? err_set(e, j->status, -1, "%s", err_text(j->status)) : 0;
}

/* The reader stands at a Batch. All of it is read before anything is appended for good. */
static int take_batch(struct jaeger *j, struct strbuf *message, struct err *e)
{
    struct batch b = {0};
    struct otlp_traces_encoder encoder;
    size_t before = message->size;
    find_parts(j, &b);
    otlp_traces_encoder_init(&encoder, message);
    if (going(j) && b.has_spans) {
        j->in.in = b.spans;
        encode_spans(j, &b, &encoder);
    }
    otlp_traces_encoder_finish(&encoder);
    int status = result(j, e);
    if (status == 0 && strbuf_error(message) != 0) {
        status = err_set(e, strbuf_error(message), -1, "%s", err_text(strbuf_error(message)));
    }
    if (status != 0 && strbuf_error(message) == 0) {
        strbuf_truncate(message, before);
    }
    return status;
}

int jaeger_from_batch(struct str bytes, struct strbuf *message, struct err *e)
{
    struct arena arena;
    struct jaeger j = {.in = {.in = decbuf_of(bytes.ptr, bytes.len)}, .arena = &arena};
    if (bytes.len > JAEGER_BATCH_MAX) {
        return err_set(e, ERR_LIMIT, -1, "the message is larger than %zu bytes", JAEGER_BATCH_MAX);
    }
    arena_init(&arena, JAEGER_TREE_MAX);
    int status = take_batch(&j, message, e);
    arena_release(&arena);
    return status;
}

int jaeger_from_body(struct str content_type, struct str body, uint64_t now_ns,
    struct strbuf *message, struct err *e)
{
    (void)now_ns;
    if (media_type_is(content_type, "application/x-thrift") ||
        media_type_is(content_type, "application/vnd.apache.thrift.binary")) {
        return jaeger_from_batch(body, message, e);
    }
    return err_set(e, ERR_UNSUPPORTED, -1,
        "Content-Type %.*s is not accepted; send application/x-thrift (binary protocol)",
        content_type.len < 100 ? (int)content_type.len : 100,
        content_type.len > 0 ? content_type.ptr : "");
}

int jaeger_from_datagram(struct str bytes, struct strbuf *message, struct err *e)
{
    enum { COMPACT_FIRST_BYTE = 0x82 };
    struct arena arena;
    struct jaeger j = {.in = {.in = decbuf_of(bytes.ptr, bytes.len)}, .arena = &arena};
    struct thrift_field argument = {0};
    j.in.compact = bytes.len > 0 && (uint8_t)bytes.ptr[0] == COMPACT_FIRST_BYTE;
    struct str name = thrift_call(&j.in);
    if (!j.in.in.failed && !str_eq_c(name, "emitBatch")) {
        return err_set(e, ERR_UNSUPPORTED, -1, "the call %.*s is not answered; send emitBatch",
            name.len < 50 ? (int)name.len : 50, name.ptr);
    }
    arena_init(&arena, JAEGER_TREE_MAX);
    if (!thrift_next(&j.in, &argument) || !is(&argument, 1, THRIFT_STRUCT)) {
        j.in.in.failed = true;
    }
    int status = going(&j) ? take_batch(&j, message, e) : result(&j, e);
    arena_release(&arena);
    return status;
}
