/* What the files of the agent as a whole share. */
#ifndef SONDE_AGENT_AGENT_PRIVATE_H
#define SONDE_AGENT_AGENT_PRIVATE_H

#include "agent.h"
#include "agent_background.h"
#include "agent_config.h"
#include "agent_spans.h"
#include "agent_targets.h"
#include "base/http_server.h"
#include "collectors/collector.h"
#include "discovery/discovery.h"
#include "intake/intake.h"
#include "intake/memory_watch.h"
#include "logs/access_logs.h"
#include "receive/receive.h"
#include "scrape/scraper.h"
#include "ship/shipper.h"

#define AGENT_HOSTNAME_MAX 256
#define AGENT_ROUTE_COUNT 6

struct agent {
    const struct agent_options *options;
    struct loop *loop;
    struct clock *clock;
    struct arena arena;    /* of the configuration at start: receivers borrow from it */
    struct arena reloaded; /* of the configuration in force, after a reload */
    struct agent_config config;
    char hostname[AGENT_HOSTNAME_MAX];
    char *instance; /* label of what the agent itself counts */
    char queue_path[4096];
    struct http_client *client;
    struct collectors *collectors;
    struct shipper *shipper;
    struct agent_spans spans;
    struct scraper *scraper;
    struct workpool *lookups; /* the thread that waits for name servers */
    struct discovery *discovery;
    int64_t discovery_due_ms;     /* monotonic: what it finds is not applied before */
    struct agent_targets targets; /* those in force, and what was dropped */
    struct arena targets_arena;   /* theirs */
    struct intake_gate scraped, aggregated, span_metrics, logged, received[RECEIVE_SOURCE_COUNT];
    struct receive *receive;
    struct access_logs *access_logs;
    char bookmarks_path[4096];
    struct stream_aggregator *aggregator; /* NULL: no rules */
    uint64_t aggregated_before;           /* samples taken by those before it */
    struct memory_watch memory;
    struct agent_background background;
    struct loop_turn *turn;
    int64_t
        due_ns; /* monotonic: when the step wants to be called at the latest; 0: not yet known */
    struct http_route routes[AGENT_ROUTE_COUNT];
    struct http_server *server;
    bool reload_good;
    int64_t reload_ms; /* wall time of the last good one */
};

/* Parts of a start that a reload does as well. What samples and spans share on their way out; path, size and age of
 * the queue are those of samples. `destinations` has room for all; headers are in the arena. */
int agent_make_outbox(struct agent *a, const struct agent_config *config, struct arena *arena,
    struct sender_options *destinations, struct outbox_options *outbox_out, struct err *e);
struct shipper_options agent_shipper_options(struct agent *a, const struct outbox_options *outbox);
/* NULL where there are no rules. */
int agent_open_aggregator(struct agent *a, const struct agent_config *config,
    struct stream_aggregator **aggregator_out, struct err *e);
/* In place of the one there is, which gives its results first. */
void agent_use_aggregator(struct agent *a, struct stream_aggregator *aggregator);
int agent_open_access_logs(
    struct agent *a, const struct config_list *jobs, struct access_logs **logs_out, struct err *e);
/* Discovery and targets of a configuration, both or neither. */
int agent_apply_scrapes(
    struct agent *a, const struct agent_config *config, struct arena *arena, struct err *e);
/* Label instance of what the agent itself counts; the caller's. NULL: no memory. */
char *agent_find_instance(const struct agent *a, const struct agent_config *config);

/* The routes, with `a` as their context. */
int agent_http_start(struct agent *a, struct err *e);

/* Told by listeners when their web configuration was read again. */
void agent_web_config_changed(void *context, const char *path, const struct err *e);

/* Expositions: the host's metrics, and the agent's own. */
void agent_expose_host(void *context, struct strbuf *out);
void agent_expose_self(void *context, struct strbuf *out);

#endif
