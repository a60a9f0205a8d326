/* A metric_sink that writes the Prometheus text format 0.0.4: what GET /metrics answers. */
#ifndef SONDE_COLLECTORS_TEXT_SINK_H
#define SONDE_COLLECTORS_TEXT_SINK_H

#include "base/strbuf.h"
#include "collectors/metric_sink.h"

struct text_sink {
    struct metric_sink sink; /* hand this to collectors_run */
    struct strbuf *out;
    const char *name;
    const char *help;
    enum metric_type type;
    size_t name_length;
    bool header_due; /* HELP and TYPE wait for the first sample */
};

/* `out` is borrowed; its sticky error is the sink's. */
void text_sink_init(struct text_sink *s, struct strbuf *out);

#endif
