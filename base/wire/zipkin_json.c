/* Zipkin's JSON, version 2: an array of spans (zipkin2-api.yaml). Unknown keys are ignored. */
#include "otlp_json.h"
#include "zipkin_span.h"

#include <string.h>

struct zipkin_json {
    struct otlp_json_reader read;
    struct err *error;
    size_t index; /* of the span at hand */
};

static enum zipkin_kind read_kind(struct otlp_json_reader *r, const json_t *object)
{
    static const char *const names[ZIPKIN_KIND_COUNT] = {
        "", "CLIENT", "SERVER", "PRODUCER", "CONSUMER"};
    struct str text = otlp_json_text(r, object, "kind");
    for (int kind = 1; kind < ZIPKIN_KIND_COUNT; kind++) {
        if (str_eq_c(text, names[kind])) {
            return (enum zipkin_kind)kind;
        }
    }
    return ZIPKIN_UNSPECIFIED;
}

static struct zipkin_endpoint read_endpoint(
    struct otlp_json_reader *r, const json_t *object, const char *key)
{
    const json_t *endpoint = otlp_json_member(object, key);
    if (endpoint != NULL && !json_is_object(endpoint)) {
        (void)otlp_json_fail(r, ERR_CORRUPT, key);
        return (struct zipkin_endpoint){0};
    }
    return (struct zipkin_endpoint){
        .service = otlp_json_text(r, endpoint, "serviceName"),
        .ipv4 = otlp_json_text(r, endpoint, "ipv4"),
        .ipv6 = otlp_json_text(r, endpoint, "ipv6"),
        .port = otlp_json_small(r, endpoint, "port"),
    };
}

static void read_annotations(
    struct otlp_json_reader *r, const json_t *object, struct zipkin_span *span)
{
    const json_t *list;
    size_t count;
    struct zipkin_annotation *items =
        otlp_json_array(r, object, "annotations", sizeof(*items), &list, &count);
    for (size_t i = 0; i < count; i++) {
        const json_t *annotation = json_array_get(list, i);
        items[i].timestamp_us = otlp_json_unsigned(r, annotation, "timestamp");
        items[i].value = otlp_json_text(r, annotation, "value");
    }
    span->annotations = items;
    span->annotation_count = count;
}

/* Texts, as the format has them; what else clients send keeps its type. False for lists, objects and null. */
static bool read_tag(const char *key, const json_t *value, struct attribute *tag)
{
    *tag = (struct attribute){.key = str_of(key)};
    switch (json_typeof(value)) {
    case JSON_STRING:
        tag->kind = ATTRIBUTE_STRING;
        tag->bytes = str_make(json_string_value(value), json_string_length(value));
        return true;
    case JSON_INTEGER:
        tag->kind = ATTRIBUTE_INT;
        tag->integer = json_integer_value(value);
        return true;
    case JSON_REAL:
        tag->kind = ATTRIBUTE_DOUBLE;
        tag->number = json_real_value(value);
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        tag->kind = ATTRIBUTE_BOOL;
        tag->boolean = json_is_true(value);
        return true;
    default:
        return false;
    }
}

static void read_tags(struct otlp_json_reader *r, const json_t *object, struct zipkin_span *span)
{
    const json_t *map = otlp_json_member(object, "tags");
    if (map != NULL && !json_is_object(map)) {
        (void)otlp_json_fail(r, ERR_CORRUPT, "tags");
    }
    struct attribute *tags = arena_alloc(r->arena, (json_object_size(map) + 1) * sizeof(*tags));
    if (tags == NULL) {
        (void)otlp_json_fail(r, arena_error(r->arena), "tags");
    }
    if (r->status != 0) {
        return;
    }
    for (void *at = json_object_iter((json_t *)(uintptr_t)map); at != NULL;
         at = json_object_iter_next((json_t *)(uintptr_t)map, at)) {
        if (!read_tag(
                json_object_iter_key(at), json_object_iter_value(at), &tags[span->tag_count])) {
            (void)otlp_json_fail(r, ERR_CORRUPT, "tags");
            return;
        }
        span->tag_count++;
    }
    span->tags = tags;
}

/* 0, or what was wrong with the span at hand. */
static int result(const struct zipkin_json *z)
{
    const struct otlp_json_reader *r = &z->read;
    return r->status == 0 ? 0
           : r->status == ERR_CORRUPT
               ? err_set(z->error, r->status, -1, "span %zu: %s is not of the kind expected",
                     z->index, r->what)
               : err_set(z->error, r->status, -1, "span %zu: %s", z->index, err_text(r->status));
}

static int read_ids(struct zipkin_json *z, const json_t *object, struct zipkin_span *span)
{
    struct str trace = otlp_json_text(&z->read, object, "traceId");
    struct str id = otlp_json_text(&z->read, object, "id");
    struct str parent = otlp_json_text(&z->read, object, "parentId");
    if (z->read.status != 0) {
        return result(z); /* a text that memory had no room for is no wrong id */
    }
    if (trace_id_parse(trace, &span->trace_id) != 0) {
        return zipkin_refuse_id(z->index, "traceId", z->error);
    }
    if (span_id_parse(id, &span->id) != 0) {
        return zipkin_refuse_id(z->index, "id", z->error);
    }
    if (parent.len > 0 && span_id_parse(parent, &span->parent_id) != 0) {
        return zipkin_refuse_id(z->index, "parentId", z->error);
    }
    return 0;
}

static int read_span(struct zipkin_json *z, const json_t *object, struct zipkin_span *span)
{
    struct otlp_json_reader *r = &z->read;
    if (!json_is_object(object)) {
        return err_set(z->error, ERR_CORRUPT, -1, "span %zu: expected an object", z->index);
    }
    int status = read_ids(z, object, span);
    if (status != 0) {
        return status;
    }
    span->kind = read_kind(r, object);
    span->name = otlp_json_text(r, object, "name");
    span->timestamp_us = otlp_json_unsigned(r, object, "timestamp");
    span->duration_us = otlp_json_unsigned(r, object, "duration");
    span->local = read_endpoint(r, object, "localEndpoint");
    span->remote = read_endpoint(r, object, "remoteEndpoint");
    span->debug = json_is_true(json_object_get(object, "debug"));
    span->shared = json_is_true(json_object_get(object, "shared"));
    read_annotations(r, object, span);
    read_tags(r, object, span);
    return result(z);
}

static int read_list(
    const json_t *list, uint64_t now_ns, struct arena *arena, struct strbuf *message, struct err *e)
{
    struct zipkin_json z = {.read = {.arena = arena}, .error = e};
    size_t count = json_array_size(list);
    struct zipkin_span *spans = arena_calloc(arena, count + 1, sizeof(*spans));
    int status = spans != NULL ? 0 : arena_error(arena);
    for (; status == 0 && z.index < count; z.index++) {
        status = read_span(&z, json_array_get(list, z.index), &spans[z.index]);
    }
    status = status == 0 ? zipkin_encode(spans, count, now_ns, arena, message) : status;
    return status != 0 && e->message[0] == '\0' ? err_set(e, status, -1, "%s", err_text(status))
                                                : status;
}

int zipkin_from_json(struct str json, uint64_t now_ns, struct strbuf *message, struct err *e)
{
    struct err unheard = ERR_INIT;
    json_t *root = NULL;
    e = e != NULL ? e : &unheard;
    int status = otlp_json_load(json, &root, e);
    if (status == 0 && !json_is_array(root)) {
        status = err_set(e, ERR_CORRUPT, -1, "expected an array of spans");
    }
    if (status == 0) {
        struct arena arena;
        arena_init(&arena, ZIPKIN_TREE_MAX);
        status = read_list(root, now_ns, &arena, message, e);
        arena_release(&arena);
    }
    json_decref(root);
    return status;
}
