/* Spans in the agent: their queue, what stands before it, and what /metrics says of them. */
#ifndef SONDE_AGENT_AGENT_SPANS_H
#define SONDE_AGENT_AGENT_SPANS_H

#include "agent_config.h"
#include "base/err.h"
#include "ship/outbox.h"
#include "spans/span_pipeline.h"

/* What a pipeline goes by, for as long as it lives. */
struct agent_spans_settings {
    struct arena arena;
    struct spans_config config;
    const char *instance;
};

struct agent_spans {
    struct span_intake door; /* for receivers, whatever pipeline is in force */
    char queue_path[4096];
    struct span_shipper *shipper; /* NULL: no destination has wanted spans yet */
    struct agent_spans_settings *settings;
    struct span_pipeline *pipeline;
    struct intake *intake;
};

/* Another configuration, ready to be in force. */
struct agent_spans_change {
    struct outbox_change outbox;
    bool has_outbox;                       /* prepared */
    struct span_shipper *opened;           /* NULL: there was one, or there is none */
    struct agent_spans_settings *settings; /* NULL: the pipeline stays */
    struct span_pipeline *pipeline;
};

/* `outbox` is that of samples: destinations, client, clock and background are the same. `intake` is where
 * what is counted goes, labelled with `instance`. */
int agent_spans_open(struct agent_spans *s, const struct agent_config *config,
    const struct outbox_options *outbox, const char *data_path, const char *instance,
    struct intake *intake, struct err *e);
/* Where receivers hand in spans. */
struct span_intake *agent_spans_intake(struct agent_spans *s);
/* Destinations, bounds and settings of another configuration, in two steps: nothing has changed before commit,
 * and each prepare is followed by that or by abandon. A pipeline whose settings have changed decides and hands on
 * what it holds, then another takes its place. */
int agent_spans_prepare(struct agent_spans *s, const struct agent_config *config,
    const struct outbox_options *outbox, const char *instance,
    struct agent_spans_change *change_out, struct err *e);
void agent_spans_commit(struct agent_spans *s, struct agent_spans_change *change);
void agent_spans_abandon(struct agent_spans *s, struct agent_spans_change *change);
/* Whether the settings would be taken. */
int agent_spans_check(const struct agent_config *config, struct err *e);
/* The destinations are told as much as is done; the rest stays in the queue. Accepts what was never
 * opened, all zero. */
void agent_spans_close(struct agent_spans *s);
/* Does what is due. Returns milliseconds until the next call is due. */
int64_t agent_spans_step(struct agent_spans *s);
void agent_spans_expose(const struct agent_spans *s, struct strbuf *out);

#endif
