/* Zipkin's spans into OTLP's; the mapping is listed in wire/zipkin.h. */
#include "zipkin_span.h"

#include "base/hash.h"
#include "wire/media_type.h"

enum {
    NANOSECONDS = 1000, /* of a microsecond */
    /* Attributes that do not come from tags: two of each endpoint's address, its port, peer.service, the absent
     * time, debug. */
    EXTRA_ATTRIBUTES = 9,
};
/* Makes a server's own id from one it shares. */
#define SHARED_SEED UINT64_C(0x7a69706b696e)

int zipkin_refuse_id(size_t index, const char *what, struct err *e)
{
    return err_set(e, ERR_CORRUPT, -1, "span %zu: its %s is not an id of Zipkin's", index, what);
}

/* ---- Shared ids ---- */

static bool is_shared(const struct zipkin_span *s)
{
    return s->shared && s->kind == ZIPKIN_SERVER;
}

static uint64_t own_id(uint64_t shared_id)
{
    uint8_t bytes[SPAN_ID_BYTES];
    span_id_to_bytes(shared_id, bytes);
    uint64_t id = hash64(bytes, sizeof(bytes), SHARED_SEED);
    return id != 0 ? id : 1;
}

/* A table of the shared spans by trace, id and service: open addressing, at most half full. What comes twice is
 * there once, so that no request can make it slow. */
struct shared_table {
    const struct zipkin_span **slots;
    size_t mask;
};

/* The slot of a shared span, or the empty one where it would be. */
static const struct zipkin_span **find_shared(
    const struct shared_table *t, struct trace_id trace, uint64_t id, struct str service)
{
    uint64_t words[3] = {trace.high, trace.low, id};
    uint64_t hash = hash64(service.ptr, service.len, hash64(words, sizeof(words), SHARED_SEED));
    for (size_t at = (size_t)hash & t->mask;; at = (at + 1) & t->mask) {
        const struct zipkin_span *found = t->slots[at];
        if (found == NULL || (trace_id_eq(found->trace_id, trace) && found->id == id &&
                                 str_eq(found->local.service, service))) {
            return &t->slots[at];
        }
    }
}

static int fill_table(
    const struct zipkin_span *spans, size_t count, struct arena *arena, struct shared_table *t)
{
    size_t shared = 0, cap = 16;
    for (size_t i = 0; i < count; i++) {
        shared += is_shared(&spans[i]);
    }
    while (cap < shared * 2) {
        cap *= 2;
    }
    *t = (struct shared_table){NULL, cap - 1};
    if (shared == 0) {
        return 0;
    }
    t->slots = arena_calloc(arena, cap, sizeof(*t->slots));
    if (t->slots == NULL) {
        return arena_error(arena);
    }
    for (size_t i = 0; i < count; i++) {
        const struct zipkin_span *s = &spans[i];
        if (is_shared(s)) {
            *find_shared(t, s->trace_id, s->id, s->local.service) = s;
        }
    }
    return 0;
}

static bool has_shared_parent(const struct shared_table *t, const struct zipkin_span *s)
{
    return t->slots != NULL && s->parent_id != 0 &&
           *find_shared(t, s->trace_id, s->parent_id, s->local.service) != NULL;
}

static void set_ids(const struct shared_table *t, const struct zipkin_span *s, struct span *out)
{
    out->trace_id = s->trace_id;
    if (is_shared(s)) {
        out->span_id = own_id(s->id);
        out->parent_id = s->id;
    } else {
        out->span_id = s->id;
        out->parent_id = has_shared_parent(t, s) ? own_id(s->parent_id) : s->parent_id;
    }
}

/* ---- Attributes ---- */

struct attribute_list {
    struct attribute *items;
    size_t count;
};

static void add_text(struct attribute_list *list, struct str key, struct str text)
{
    if (text.len > 0) {
        list->items[list->count++] =
            (struct attribute){.key = key, .kind = ATTRIBUTE_STRING, .bytes = text};
    }
}

static void add_number(struct attribute_list *list, struct str key, int64_t number)
{
    if (number != 0) {
        list->items[list->count++] =
            (struct attribute){.key = key, .kind = ATTRIBUTE_INT, .integer = number};
    }
}

static void add_true(struct attribute_list *list, struct str key)
{
    list->items[list->count++] =
        (struct attribute){.key = key, .kind = ATTRIBUTE_BOOL, .boolean = true};
}

/* What a tag says of the span or its scope, and is no attribute. */
static bool take_tag(const struct attribute *tag, struct span *span, struct span_scope *scope)
{
    struct str text = tag->kind == ATTRIBUTE_STRING ? tag->bytes : STR("");
    if (str_eq_c(tag->key, "error")) {
        span->status = SPAN_STATUS_ERROR;
        if (span->status_message.len == 0 && !str_eq_c(text, "true")) {
            span->status_message = text;
        }
    } else if (str_eq_c(tag->key, "otel.status_code")) {
        if (span->status != SPAN_STATUS_ERROR) {
            span->status = str_eq_c(text, "OK")      ? SPAN_STATUS_OK
                           : str_eq_c(text, "ERROR") ? SPAN_STATUS_ERROR
                                                     : SPAN_STATUS_UNSET;
        }
    } else if (str_eq_c(tag->key, "otel.status_description")) {
        span->status_message = text;
    } else if (str_eq_c(tag->key, "otel.scope.name") || str_eq_c(tag->key, "otel.library.name")) {
        scope->name = text;
    } else if (str_eq_c(tag->key, "otel.scope.version") ||
               str_eq_c(tag->key, "otel.library.version")) {
        scope->version = text;
    } else {
        return false;
    }
    return true;
}

static int set_attributes(const struct zipkin_span *s, bool no_time, struct arena *arena,
    struct span *span, struct span_scope *scope)
{
    struct attribute_list list = {
        arena_alloc(arena, (s->tag_count + EXTRA_ATTRIBUTES) * sizeof(struct attribute)), 0};
    if (list.items == NULL) {
        return arena_error(arena);
    }
    for (size_t i = 0; i < s->tag_count; i++) {
        if (!take_tag(&s->tags[i], span, scope)) {
            list.items[list.count++] = s->tags[i];
        }
    }
    add_text(&list, STR("net.host.ip"), s->local.ipv4.len > 0 ? s->local.ipv4 : s->local.ipv6);
    add_number(&list, STR("net.host.port"), s->local.port);
    add_text(&list, STR("peer.service"), s->remote.service);
    add_text(&list, STR("net.peer.ip"), s->remote.ipv4.len > 0 ? s->remote.ipv4 : s->remote.ipv6);
    add_number(&list, STR("net.peer.port"), s->remote.port);
    if (no_time) {
        add_true(&list, STR("otel.zipkin.absentField.startTime"));
    }
    if (s->debug) {
        add_true(&list, STR("zipkin.debug"));
    }
    span->attributes = (struct attributes){list.items, list.count};
    return 0;
}

/* ---- Times and events ---- */

/* Microseconds as nanoseconds; what is too large stays the largest there is. */
static uint64_t nanoseconds(uint64_t us)
{
    return us <= UINT64_MAX / NANOSECONDS ? us * NANOSECONDS : UINT64_MAX;
}

static uint64_t start_of(const struct zipkin_span *s, uint64_t now_ns)
{
    uint64_t earliest_us = s->timestamp_us;
    for (size_t i = 0; s->timestamp_us == 0 && i < s->annotation_count; i++) {
        uint64_t us = s->annotations[i].timestamp_us;
        earliest_us = earliest_us == 0 || us < earliest_us ? us : earliest_us;
    }
    return earliest_us != 0 ? nanoseconds(earliest_us) : now_ns;
}

static int set_events(const struct zipkin_span *s, struct arena *arena, struct span *span)
{
    if (s->annotation_count == 0) {
        return 0;
    }
    struct span_event *events = arena_calloc(arena, s->annotation_count, sizeof(*events));
    if (events == NULL) {
        return arena_error(arena);
    }
    for (size_t i = 0; i < s->annotation_count; i++) {
        events[i].time_ns = nanoseconds(s->annotations[i].timestamp_us);
        events[i].name = s->annotations[i].value;
    }
    span->events = events;
    span->event_count = s->annotation_count;
    return 0;
}

/* ---- The whole ---- */

static const enum span_kind kinds[ZIPKIN_KIND_COUNT] = {
    [ZIPKIN_UNSPECIFIED] = SPAN_KIND_UNSPECIFIED,
    [ZIPKIN_CLIENT] = SPAN_KIND_CLIENT,
    [ZIPKIN_SERVER] = SPAN_KIND_SERVER,
    [ZIPKIN_PRODUCER] = SPAN_KIND_PRODUCER,
    [ZIPKIN_CONSUMER] = SPAN_KIND_CONSUMER,
};

struct encoding {
    struct otlp_traces_encoder encoder;
    struct otlp_span last; /* numbers of resource and scope go on from it */
    struct str service;
    struct span_scope scope;
};

/* Spans of one service and library that follow each other share their resource and scope. */
static void add(struct encoding *e, const struct zipkin_span *s, const struct span *span,
    const struct span_scope *scope)
{
    const struct attribute name = {
        .key = STR("service.name"), .kind = ATTRIBUTE_STRING, .bytes = s->local.service};
    const struct span_resource resource = {.attributes = {&name, s->local.service.len > 0 ? 1 : 0}};
    bool same = e->last.resource_number > 0 && str_eq(e->service, s->local.service);
    bool same_scope =
        same && str_eq(e->scope.name, scope->name) && str_eq(e->scope.version, scope->version);
    e->last.resource_number += !same;
    e->last.scope_number += !same_scope;
    e->service = s->local.service;
    e->scope = *scope;
    e->last.span = *span;
    e->last.resource = &resource;
    e->last.scope = scope;
    otlp_traces_encoder_add(&e->encoder, &e->last);
}

static int encode_span(struct encoding *e, const struct shared_table *table,
    const struct zipkin_span *s, uint64_t now_ns, struct arena *arena)
{
    struct arena_mark mark = arena_mark(arena);
    struct span span = {.name = s->name, .kind = kinds[s->kind]};
    struct span_scope scope = {0};
    span.start_ns = start_of(s, now_ns);
    uint64_t duration_ns = nanoseconds(s->duration_us);
    span.end_ns =
        duration_ns <= UINT64_MAX - span.start_ns ? span.start_ns + duration_ns : UINT64_MAX;
    set_ids(table, s, &span);
    int status = set_attributes(s, s->timestamp_us == 0, arena, &span, &scope);
    status = status == 0 ? set_events(s, arena, &span) : status;
    if (status == 0) {
        add(e, s, &span, &scope);
    }
    arena_rewind(arena, mark);
    return status;
}

int zipkin_encode(struct zipkin_span *spans, size_t count, uint64_t now_ns, struct arena *arena,
    struct strbuf *message)
{
    struct shared_table table;
    struct encoding e = {0};
    int status = fill_table(spans, count, arena, &table);
    otlp_traces_encoder_init(&e.encoder, message);
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = encode_span(&e, &table, &spans[i], now_ns, arena);
    }
    otlp_traces_encoder_finish(&e.encoder);
    return status != 0 ? status : strbuf_error(message);
}

int zipkin_from_body(struct str content_type, struct str body, uint64_t now_ns,
    struct strbuf *message, struct err *e)
{
    if (content_type.len == 0 || media_type_is(content_type, "application/json")) {
        return zipkin_from_json(body, now_ns, message, e);
    }
    if (media_type_is(content_type, "application/x-protobuf")) {
        return zipkin_from_protobuf(body, now_ns, message, e);
    }
    return err_set(e, ERR_UNSUPPORTED, -1,
        "Content-Type %.*s is not accepted; send application/json or application/x-protobuf",
        content_type.len < 100 ? (int)content_type.len : 100, content_type.ptr);
}
