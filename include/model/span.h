/* Spans as everybody here sees them: OpenTelemetry's model (opentelemetry/proto/trace/v1/trace.proto),
 * whatever protocol they came by. A span is a view: its texts, arrays and encoded values are slices that
 * belong to whoever handed it out.
 *
 * A span comes with the resource that made it (a process with its attributes) and the scope (the library
 * that instrumented it); spans of one request share them.
 */
#ifndef SONDE_MODEL_SPAN_H
#define SONDE_MODEL_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/strbuf.h"

/* 16 bytes, most significant first, as W3C trace context has them. Zero is no id. */
struct trace_id {
    uint64_t high, low;
};

static inline bool trace_id_eq(struct trace_id a, struct trace_id b)
{
    return a.high == b.high && a.low == b.low;
}

static inline bool trace_id_is_zero(struct trace_id id)
{
    return (id.high | id.low) == 0;
}

/* Byte order of the ids; <0, 0, >0. */
int trace_id_cmp(struct trace_id a, struct trace_id b);

#define TRACE_ID_BYTES 16
#define SPAN_ID_BYTES 8

struct trace_id trace_id_from_bytes(const uint8_t bytes[TRACE_ID_BYTES]);
void trace_id_to_bytes(struct trace_id id, uint8_t bytes_out[TRACE_ID_BYTES]);
uint64_t span_id_from_bytes(const uint8_t bytes[SPAN_ID_BYTES]);
void span_id_to_bytes(uint64_t id, uint8_t bytes_out[SPAN_ID_BYTES]);
/* 1 to 32 hex digits of any case, leading zeros left out or not, blanks around it ignored: what people
 * paste. ERR_INVALID for anything else and for zero. */
int trace_id_parse(struct str text, struct trace_id *id_out);
/* 1 to 16 hex digits, likewise. */
int span_id_parse(struct str text, uint64_t *id_out);
/* 32 and 16 lower-case hex digits. */
void trace_id_write(struct trace_id id, struct strbuf *out);
void span_id_write(uint64_t id, struct strbuf *out);

/* ---- Attributes ---- */

enum attribute_kind {
    ATTRIBUTE_EMPTY,
    ATTRIBUTE_STRING, /* `bytes` */
    ATTRIBUTE_BOOL,   /* `boolean` */
    ATTRIBUTE_INT,    /* `integer` */
    ATTRIBUTE_DOUBLE, /* `number` */
    ATTRIBUTE_BYTES,  /* `bytes` */
    ATTRIBUTE_ARRAY,  /* `bytes` is an encoded ArrayValue of opentelemetry/proto/common/v1 */
    ATTRIBUTE_MAP,    /* `bytes` is an encoded KeyValueList */
};

struct attribute {
    struct str key;
    enum attribute_kind kind;
    union {
        struct str bytes;
        bool boolean;
        int64_t integer;
        double number;
    };
};

struct attributes {
    const struct attribute *items; /* as they came; a key may come twice, the first counts */
    size_t count;
};

/* The first of that key, or NULL. */
const struct attribute *attributes_get(struct attributes list, struct str key);
/* Text of a string attribute; empty when there is none or it is of another kind. */
struct str attributes_text(struct attributes list, struct str key);

/* ---- Spans ---- */

/* Numbers of trace.proto. */
enum span_kind {
    SPAN_KIND_UNSPECIFIED,
    SPAN_KIND_INTERNAL,
    SPAN_KIND_SERVER,
    SPAN_KIND_CLIENT,
    SPAN_KIND_PRODUCER,
    SPAN_KIND_CONSUMER,
    SPAN_KIND_COUNT,
};

enum span_status { SPAN_STATUS_UNSET, SPAN_STATUS_OK, SPAN_STATUS_ERROR, SPAN_STATUS_COUNT };

/* "server", "unset" …: lower case, as TraceQL and Jaeger write them; never NULL for a known number. */
const char *span_kind_name(enum span_kind kind);
const char *span_status_name(enum span_status status);

struct span_event {
    uint64_t time_ns;
    struct str name;
    struct attributes attributes;
    uint32_t dropped_attributes;
};

struct span_link {
    struct trace_id trace_id;
    uint64_t span_id;
    struct str trace_state;
    struct attributes attributes;
    uint32_t dropped_attributes;
    uint32_t flags;
};

struct span {
    struct trace_id trace_id;  /* never zero */
    uint64_t span_id;          /* never zero */
    uint64_t parent_id;        /* 0: a root */
    uint64_t start_ns, end_ns; /* since 1970; end may lie before start: clocks do that */
    enum span_kind kind;
    enum span_status status;
    uint32_t flags;
    struct str name;
    struct str status_message;
    struct str trace_state;
    struct attributes attributes;
    const struct span_event *events;
    size_t event_count;
    const struct span_link *links;
    size_t link_count;
    uint32_t dropped_attributes, dropped_events, dropped_links;
};

/* What lies between start and end; 0 when the end is before the start. */
static inline uint64_t span_duration_ns(const struct span *s)
{
    return s->end_ns > s->start_ns ? s->end_ns - s->start_ns : 0;
}

struct span_resource {
    struct attributes attributes;
    uint32_t dropped_attributes;
    struct str schema_url;
};

struct span_scope {
    struct str name, version, schema_url;
    struct attributes attributes;
    uint32_t dropped_attributes;
};

/* What a resource that names no service is called, as the SDKs' specification says. */
#define SPAN_SERVICE_UNKNOWN "unknown_service"
/* service.name of a resource, or SPAN_SERVICE_UNKNOWN. */
struct str span_resource_service(const struct span_resource *resource);

/* Weight of a span that was sampled at its head: 2^56 / (2^56 - T) with the threshold `th` of `ot` in
 * its trace state; 1 when there is none or it cannot be read
 * (https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/). */
double span_adjusted_count(struct str trace_state);

#endif
