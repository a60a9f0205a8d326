/* OTLP traces: ExportTraceServiceRequest in protobuf and JSON
 * (https://opentelemetry.io/docs/specs/otlp/, opentelemetry/proto/trace/v1/trace.proto).
 *
 * Protobuf is the one form in which spans travel and wait: a walker hands them out one by one without
 * building a tree, and each comes with its own bytes, so that an agent that keeps a span sends these on
 * and encodes nothing. What comes in another form (OTLP JSON, Zipkin, Jaeger) is turned into it first.
 */
#ifndef SONDE_WIRE_OTLP_TRACES_H
#define SONDE_WIRE_OTLP_TRACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "model/span.h"

/* One message, decompressed. */
#define OTLP_TRACES_MAX ((size_t)64 << 20)
/* Of one span, event, link, resource or scope; and of one span. More are counted as dropped, as the
 * SDKs' own limits do, and the rest of the span is taken. */
#define OTLP_ATTRIBUTES_MAX 1024
#define OTLP_EVENTS_MAX 1024
#define OTLP_LINKS_MAX 1024
/* Texts longer than this refuse their span. */
#define OTLP_TEXT_BYTES_MAX ((size_t)1 << 20)

/* ---- In ---- */

/* A span where it was found. All of it is borrowed from the message and the walker, until the next
 * call of otlp_traces_next. */
struct otlp_span {
    struct span span;
    const struct span_resource *resource;
    const struct span_scope *scope;
    struct str raw;           /* the encoded Span, without its key and length */
    struct str resource_raw;  /* the encoded Resource */
    struct str scope_raw;     /* the encoded InstrumentationScope */
    uint64_t resource_number; /* counts the ResourceSpans, and ScopeSpans, of the message from 1: */
    uint64_t scope_number;    /* equal numbers mean the same resource, the same scope */
};

/* Why a span of a sound message was left out. */
enum otlp_span_fault {
    OTLP_SPAN_TRACE_ID, /* not 16 bytes, or all zero */
    OTLP_SPAN_ID,       /* not 8 bytes, or all zero */
    OTLP_SPAN_TOO_LONG, /* a text beyond OTLP_TEXT_BYTES_MAX */
    OTLP_SPAN_FAULT_COUNT,
};

/* A sentence for OTLP's partial success. */
const char *otlp_span_fault_text(enum otlp_span_fault fault);

struct otlp_traces;

/* A walker over messages, one after the other; it keeps its memory between them. */
int otlp_traces_new(struct otlp_traces **walker_out);
void otlp_traces_free(struct otlp_traces *walker);
/* Begins a message, which is borrowed. The whole of it is checked first, so that nothing of a broken
 * message is ever taken: 0, ERR_CORRUPT, ERR_LIMIT with a sentence. */
int otlp_traces_begin(struct otlp_traces *walker, struct str message, struct err *e);
/* 1 and the next span; 0 at the end; ERR_NOMEM. Spans with a fault are skipped and counted. Names and
 * texts that are not UTF-8 are handed out as they are. */
int otlp_traces_next(struct otlp_traces *walker, struct otlp_span *span_out);
/* The same without attributes, events and links, for who keeps the bytes alone. */
int otlp_traces_skim(struct otlp_traces *walker, struct otlp_span *span_out);
/* Of this message so far, by fault. */
uint64_t otlp_traces_faults(const struct otlp_traces *walker, enum otlp_span_fault fault);

/* The least and the greatest start of a message's spans, without walking it: UINT64_MAX and 0 when it has none. A
 * span that has no start counts with 0. ERR_CORRUPT. */
int otlp_traces_starts(struct str message, uint64_t *least_ns_out, uint64_t *greatest_ns_out);

/* OTLP JSON as the same message in protobuf, appended to `message`: lowerCamelCase keys, unknown ones
 * ignored; ids in hex of any case; 64-bit integers as text or number; enums as integers. */
int otlp_traces_from_json(struct str json, struct strbuf *message, struct err *e);

/* Messages by themselves, from bytes that need not be trusted: 0, ERR_CORRUPT, ERR_NOMEM or the arena's.
 * Texts are slices of `raw`, lists are in the arena. Schema URLs are not part of these messages. */
int otlp_span_decode(struct str raw, struct arena *arena, struct span *span_out);
/* The same of bytes that a walker has handed out as `raw`, or otlp_span_encode made: not checked again. */
int otlp_span_decode_checked(struct str raw, struct arena *arena, struct span *span_out);
int otlp_event_decode(struct str raw, struct arena *arena, struct span_event *event_out);
int otlp_link_decode(struct str raw, struct arena *arena, struct span_link *link_out);
int otlp_key_value_decode(struct str raw, struct attribute *attribute_out);
int otlp_resource_decode(struct str raw, struct arena *arena, struct span_resource *resource_out);
int otlp_scope_decode(struct str raw, struct arena *arena, struct span_scope *scope_out);

/* One attribute of an encoded ArrayValue or KeyValueList after the other: a cursor over
 * attribute.bytes. 1 with *value_out (its key empty in an array), 0 at the end, ERR_CORRUPT. */
int otlp_value_next(enum attribute_kind list, struct str *encoded, struct attribute *value_out);

/* ---- Out ---- */

/* ExportTraceServiceResponse: empty when nothing was rejected and nothing is said. A request that failed
 * is answered by otlp_write_status. */
void otlp_write_traces_response(
    bool json, uint64_t rejected, struct str message, struct strbuf *out);

/* Encodes what was decoded, as TracesData (the same bytes as an ExportTraceServiceRequest, and as
 * Tempo's Trace). Spans that follow each other with equal resource and scope numbers share them, as far as
 * OTLP_TRACES_GROUP_BYTES reach: a trace may be larger than any message that is taken. */
#define OTLP_TRACES_GROUP_BYTES ((size_t)16 << 20)
struct otlp_traces_encoder {
    struct strbuf *out;
    struct strbuf scope_spans, resource_spans; /* being filled */
    uint64_t resource_number, scope_number;
};

void otlp_traces_encoder_init(struct otlp_traces_encoder *encoder, struct strbuf *out);
/* Encodes span->span, or copies span->raw when it is there; likewise resource and scope. Numbers are
 * not 0. Errors stick
 * in `out`. */
void otlp_traces_encoder_add(struct otlp_traces_encoder *encoder, const struct otlp_span *span);
/* Writes what is pending and releases. */
void otlp_traces_encoder_finish(struct otlp_traces_encoder *encoder);

/* The messages themselves, without key and length. */
void otlp_span_encode(const struct span *span, struct strbuf *out);
void otlp_event_encode(const struct span_event *event, struct strbuf *out);
void otlp_link_encode(const struct span_link *link, struct strbuf *out);
void otlp_key_value_encode(const struct attribute *attribute, struct strbuf *out);
void otlp_resource_encode(const struct span_resource *resource, struct strbuf *out);
void otlp_scope_encode(const struct span_scope *scope, struct strbuf *out);

/* {"resourceSpans":[…]}, as OTLP's JSON: hex ids, 64-bit integers as text. Spans that follow each other with equal
 * resource and scope numbers, which are not 0, share them. */
struct otlp_json_encoder {
    struct json_writer *json;
    uint64_t resource_number, scope_number;
};

void otlp_json_encoder_init(struct otlp_json_encoder *encoder, struct json_writer *json);
void otlp_json_encoder_add(struct otlp_json_encoder *encoder, const struct otlp_span *span);
/* What comes shares nothing with what was there: numbers of another trace. */
void otlp_json_encoder_part(struct otlp_json_encoder *encoder);
void otlp_json_encoder_finish(struct otlp_json_encoder *encoder);
/* {"stringValue":"…"} and its kin. */
void otlp_attribute_write_json(const struct attribute *value, struct json_writer *json);
/* The value as one text: numbers in decimal, true and false, bytes in base64, arrays and maps as JSON. */
void otlp_attribute_write_text(const struct attribute *value, struct strbuf *out);

#endif
