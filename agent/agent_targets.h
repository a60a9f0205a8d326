/* From a configuration to the targets it means.
 *
 * A target begins as labels: __address__, __scheme__, __metrics_path__, __scrape_interval__,
 * __scrape_timeout__, __param_<name>, job, and what its configuration or its discovery adds. relabel_configs rewrite
 * them or drop the target; then the labels that begin with __ say how to scrape, and the others are
 * the target's own. So Prometheus does it, and its rules work unchanged.
 */
#ifndef SONDE_AGENT_AGENT_TARGETS_H
#define SONDE_AGENT_AGENT_TARGETS_H

#include "agent_config.h"
#include "discovery/discovery.h"
#include "scrape/target.h"

/* Bodies of the targets that live in this process. */
struct agent_local {
    void (*expose_host)(void *context, struct strbuf *out);
    void (*expose_self)(void *context, struct strbuf *out);
    void *context;
    const char *hostname;
};

/* How many dropped targets are remembered to be shown. */
#define AGENT_DROPPED_MAX 1000

/* Labels and rules are references of this object. */
struct agent_targets {
    struct target_options *items; /* in the arena */
    size_t count;
    const struct labels *external;                   /* of all that leaves this agent */
    const struct labels *dropped[AGENT_DROPPED_MAX]; /* by relabel_configs, as discovered */
    size_t dropped_count;                            /* those beyond AGENT_DROPPED_MAX included */
    size_t refused_count;            /* discovered, but not to be scraped: a bad address … */
    char refused[ERR_MESSAGE_MAX];   /* why the first of them is not */
    size_t duplicate_count;          /* those that a job has twice after its rules: scraped once */
    char duplicate[ERR_MESSAGE_MAX]; /* the first of them */
};

/* With what `discovery` has found by now (NULL: nothing). ERR_INVALID names the label, rule or target of
 * the configuration that is wrong; a discovered target that is wrong is left out and counted. Release in
 * any case. */
int agent_targets_make(const struct agent_config *config, const struct agent_local *local,
    const struct discovery *discovery, struct arena *arena, struct agent_targets *targets_out,
    struct err *e);
void agent_targets_release(struct agent_targets *targets);

/* ---- One target alone, for a dry run; `e` is empty and not NULL, texts live in `arena` ---- */

/* Sets what is known of every target of the job before any rule. */
int agent_target_begin(const struct agent_scrape *scrape, struct arena *arena,
    struct labels_builder *b, struct err *e);
/* URL, times and labels (a reference of the caller's) as the rules have left them. ERR_INVALID: it cannot be
 * scraped, with a sentence. */
int agent_target_finish(const struct agent_scrape *scrape, struct arena *arena,
    struct labels_builder *b, struct target_options *options_out, struct err *e);

#endif
