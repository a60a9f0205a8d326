/* Zipkin's protobuf (zipkin.proto):
 *
 *   ListOfSpans { spans 1 }
 *   Span        { trace_id 1 (8 or 16 bytes), parent_id 2, id 3 (8 bytes), kind 4, name 5, timestamp 6 fixed64,
 *                 duration 7, local_endpoint 8, remote_endpoint 9, annotations 10, tags 11 (map), debug 12,
 *                 shared 13 }
 *   Endpoint    { service_name 1, ipv4 2 (4 bytes), ipv6 3 (16 bytes), port 4 }
 *   Annotation  { timestamp 1 fixed64, value 2 }
 *
 * Two passes over each message: the first counts, so that lists are made once, the second reads.
 */
#include <arpa/inet.h>

#include "protobuf_wire.h"
#include "zipkin_span.h"

static struct decbuf reader(struct str bytes)
{
    return decbuf_of(bytes.ptr, bytes.len);
}

/* How many fields of that number there are; false when the message is malformed. */
static bool count_fields(struct str bytes, uint32_t number, size_t *count_out)
{
    struct decbuf d = reader(bytes);
    struct protobuf_field f;
    size_t count = 0;
    while (protobuf_next(&d, &f)) {
        count += protobuf_is(&f, number, PROTOBUF_BYTES);
    }
    *count_out = count;
    return !d.failed;
}

static struct str address_text(int family, struct str bytes, struct arena *arena)
{
    char text[INET6_ADDRSTRLEN];
    if (bytes.len != (family == AF_INET ? 4 : 16) ||
        inet_ntop(family, bytes.ptr, text, sizeof(text)) == NULL) {
        return STR("");
    }
    char *copy = arena_strndup(arena, text, strlen(text));
    return copy != NULL ? str_of(copy) : STR("");
}

static bool read_endpoint(struct str bytes, struct arena *arena, struct zipkin_endpoint *out)
{
    struct decbuf d = reader(bytes);
    struct protobuf_field f;
    while (protobuf_next(&d, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_BYTES)) {
            out->service = f.bytes;
        } else if (protobuf_is(&f, 2, PROTOBUF_BYTES)) {
            out->ipv4 = address_text(AF_INET, f.bytes, arena);
        } else if (protobuf_is(&f, 3, PROTOBUF_BYTES)) {
            out->ipv6 = address_text(AF_INET6, f.bytes, arena);
        } else if (protobuf_is(&f, 4, PROTOBUF_VARINT)) {
            out->port = (int32_t)f.value;
        }
    }
    return !d.failed;
}

static bool read_annotation(struct str bytes, struct zipkin_annotation *out)
{
    struct decbuf d = reader(bytes);
    struct protobuf_field f;
    while (protobuf_next(&d, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_FIXED64)) {
            out->timestamp_us = f.value;
        } else if (protobuf_is(&f, 2, PROTOBUF_BYTES)) {
            out->value = f.bytes;
        }
    }
    return !d.failed;
}

static bool read_tag(struct str bytes, struct attribute *out)
{
    struct decbuf d = reader(bytes);
    struct protobuf_field f;
    *out = (struct attribute){.kind = ATTRIBUTE_STRING, .bytes = STR("")};
    while (protobuf_next(&d, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_BYTES)) {
            out->key = f.bytes;
        } else if (protobuf_is(&f, 2, PROTOBUF_BYTES)) {
            out->bytes = f.bytes;
        }
    }
    return !d.failed;
}

static bool read_trace_id(struct str bytes, struct trace_id *out)
{
    uint8_t whole[TRACE_ID_BYTES] = {0};
    if (bytes.len != 8 && bytes.len != TRACE_ID_BYTES) {
        return false;
    }
    memcpy(whole + TRACE_ID_BYTES - bytes.len, bytes.ptr, bytes.len);
    *out = trace_id_from_bytes(whole);
    return true;
}

static bool read_span_id(struct str bytes, uint64_t *out)
{
    if (bytes.len != SPAN_ID_BYTES) {
        return bytes.len == 0;
    }
    *out = span_id_from_bytes((const uint8_t *)bytes.ptr);
    return true;
}

/* Room for the lists; they are filled in the second pass. */
struct lists {
    struct zipkin_annotation *annotations;
    struct attribute *tags;
};

static bool read_field(
    struct zipkin_span *s, const struct protobuf_field *f, struct lists *lists, struct arena *arena)
{
    bool is_bytes = f->type == PROTOBUF_BYTES, is_varint = f->type == PROTOBUF_VARINT;
    switch (f->number) {
    case 1:
        return is_bytes && read_trace_id(f->bytes, &s->trace_id);
    case 2:
        return is_bytes && read_span_id(f->bytes, &s->parent_id);
    case 3:
        return is_bytes && read_span_id(f->bytes, &s->id);
    case 4:
        s->kind = f->value < ZIPKIN_KIND_COUNT ? (enum zipkin_kind)f->value : ZIPKIN_UNSPECIFIED;
        return is_varint;
    case 5:
        s->name = f->bytes;
        return is_bytes;
    case 6:
        s->timestamp_us = f->value;
        return f->type == PROTOBUF_FIXED64;
    case 7:
        s->duration_us = f->value;
        return is_varint;
    case 8:
        return is_bytes && read_endpoint(f->bytes, arena, &s->local);
    case 9:
        return is_bytes && read_endpoint(f->bytes, arena, &s->remote);
    case 10:
        return is_bytes && read_annotation(f->bytes, &lists->annotations[s->annotation_count++]);
    case 11:
        return is_bytes && read_tag(f->bytes, &lists->tags[s->tag_count++]);
    case 12:
        s->debug = f->value != 0;
        return is_varint;
    case 13:
        s->shared = f->value != 0;
        return is_varint;
    default:
        return true;
    }
}

static int read_span(
    struct str bytes, size_t index, struct arena *arena, struct zipkin_span *s, struct err *e)
{
    struct decbuf d = reader(bytes);
    struct protobuf_field f = {0};
    struct lists lists = {NULL, NULL};
    size_t annotations = 0, tags = 0;
    if (!count_fields(bytes, 10, &annotations) || !count_fields(bytes, 11, &tags)) {
        return err_set(e, ERR_CORRUPT, -1, "span %zu is malformed", index);
    }
    lists.annotations = arena_calloc(arena, annotations + 1, sizeof(*lists.annotations));
    lists.tags = arena_calloc(arena, tags + 1, sizeof(*lists.tags));
    if (lists.annotations == NULL || lists.tags == NULL) {
        return arena_error(arena);
    }
    s->annotations = lists.annotations;
    s->tags = lists.tags;
    while (protobuf_next(&d, &f)) {
        if (!read_field(s, &f, &lists, arena)) {
            return err_set(e, ERR_CORRUPT, -1, "span %zu: its field %u is malformed", index,
                (unsigned)f.number);
        }
    }
    if (trace_id_is_zero(s->trace_id)) {
        return zipkin_refuse_id(index, "trace_id", e);
    }
    return s->id == 0 ? zipkin_refuse_id(index, "id", e) : 0;
}

static int read_list(
    struct str bytes, uint64_t now_ns, struct arena *arena, struct strbuf *message, struct err *e)
{
    struct decbuf d = reader(bytes);
    struct protobuf_field f;
    size_t count, index = 0;
    if (!count_fields(bytes, 1, &count)) {
        return err_set(e, ERR_CORRUPT, -1, "malformed ListOfSpans");
    }
    struct zipkin_span *spans = arena_calloc(arena, count + 1, sizeof(*spans));
    int status = spans != NULL ? 0 : arena_error(arena);
    while (status == 0 && protobuf_next(&d, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_BYTES)) {
            status = read_span(f.bytes, index, arena, &spans[index], e);
            index++;
        }
    }
    return status == 0 ? zipkin_encode(spans, count, now_ns, arena, message) : status;
}

int zipkin_from_protobuf(struct str bytes, uint64_t now_ns, struct strbuf *message, struct err *e)
{
    struct err unheard = ERR_INIT;
    struct arena arena;
    e = e != NULL ? e : &unheard;
    if (bytes.len > ZIPKIN_PROTOBUF_MAX) {
        return err_set(
            e, ERR_LIMIT, -1, "the message is larger than %zu bytes", ZIPKIN_PROTOBUF_MAX);
    }
    arena_init(&arena, ZIPKIN_TREE_MAX);
    int status = read_list(bytes, now_ns, &arena, message, e);
    arena_release(&arena);
    return status != 0 && e->message[0] == '\0' ? err_set(e, status, -1, "%s", err_text(status))
                                                : status;
}
