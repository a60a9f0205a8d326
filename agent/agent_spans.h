/* Spans in the agent: their queue, what stands before it, and what /metrics says of them. */
#ifndef SONDE_AGENT_AGENT_SPANS_H
#define SONDE_AGENT_AGENT_SPANS_H

#include "agent_config.h"
#include "base/err.h"
#include "ship/outbox.h"
#include "spans/span_pipeline.h"

struct agent_spans {
    char queue_path[4096];
    struct span_shipper *shipper; /* NULL: no destination wants spans */
    struct span_pipeline *pipeline;
};

/* `outbox` is that of samples: destinations, client, clock and background are the same. `intake` is where
 * what is counted goes, labelled with `instance`. */
int agent_spans_open(struct agent_spans *s, const struct agent_config *config,
    const struct outbox_options *outbox, const char *data_path, const char *instance,
    struct intake *intake, struct err *e);
/* Whether the settings would be taken. */
int agent_spans_check(const struct agent_config *config, struct err *e);
/* The destinations are told as much as is done; the rest stays in the queue. Accepts what was never
 * opened, all zero. */
void agent_spans_close(struct agent_spans *s);
/* Does what is due. Returns milliseconds until the next call is due. */
int64_t agent_spans_step(struct agent_spans *s);
void agent_spans_expose(const struct agent_spans *s, struct strbuf *out);

#endif
