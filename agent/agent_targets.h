/* From a configuration to the targets it means. */
#ifndef SONDE_AGENT_AGENT_TARGETS_H
#define SONDE_AGENT_AGENT_TARGETS_H

#include "agent_config.h"
#include "scrape/target.h"

/* Bodies of the targets that live in this process. */
struct agent_local {
    void (*expose_host)(void *context, struct strbuf *out);
    void (*expose_self)(void *context, struct strbuf *out);
    void *context;
    const char *hostname;
};

struct agent_targets {
    struct target_options *items; /* in the arena; label sets are references of this object */
    size_t count;
};

/* ERR_INVALID names the label or target that is wrong. Release in any case. */
int agent_targets_make(const struct agent_config *config, const struct agent_local *local,
    struct arena *arena, struct agent_targets *targets_out, struct err *e);
void agent_targets_release(struct agent_targets *targets);

#endif
