/* A span as Zipkin has it, whatever form it came in, and its way into OTLP. Private to base/wire. */
#ifndef SONDE_WIRE_ZIPKIN_SPAN_H
#define SONDE_WIRE_ZIPKIN_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "wire/otlp_traces.h"
#include "wire/zipkin.h"

/* Numbers of zipkin.proto. */
enum zipkin_kind {
    ZIPKIN_UNSPECIFIED,
    ZIPKIN_CLIENT,
    ZIPKIN_SERVER,
    ZIPKIN_PRODUCER,
    ZIPKIN_CONSUMER,
    ZIPKIN_KIND_COUNT
};

struct zipkin_endpoint {
    struct str service, ipv4, ipv6; /* addresses as texts */
    int64_t port;                   /* 0: none */
};

struct zipkin_annotation {
    uint64_t timestamp_us;
    struct str value;
};

struct zipkin_span {
    struct trace_id trace_id;
    uint64_t id, parent_id;
    enum zipkin_kind kind;
    struct str name;
    uint64_t timestamp_us, duration_us; /* 0: absent */
    struct zipkin_endpoint local, remote;
    const struct zipkin_annotation *annotations;
    size_t annotation_count;
    const struct attribute *tags;
    size_t tag_count;
    bool debug, shared;
};

/* All spans of a body, encoded onto `message`; texts and lists live in `arena` or the body. */
int zipkin_encode(struct zipkin_span *spans, size_t count, uint64_t now_ns, struct arena *arena,
    struct strbuf *message);
/* The sentence for a span that has no sound ids; ERR_CORRUPT. */
int zipkin_refuse_id(size_t index, const char *what, struct err *e);

#endif
