/* What agent.c and agent_http.c share. */
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
    struct arena arena;    /* of the configuration at start: senders borrow from it */
    struct arena reloaded; /* of the configuration in force, after a reload */
    struct agent_config config;
    char hostname[AGENT_HOSTNAME_MAX];
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
    struct memory_watch memory;
    struct agent_background background;
    struct loop_timer *timer;
    int64_t timer_due_ns; /* monotonic */
    struct http_route routes[AGENT_ROUTE_COUNT];
    struct http_server *server;
    bool reload_good;
    int64_t reload_ms; /* wall time of the last good one */
};

/* The routes, with `a` as their context. */
int agent_http_start(struct agent *a, struct err *e);

/* Told by listeners when their web configuration was read again. */
void agent_web_config_changed(void *context, const char *path, const struct err *e);

/* Expositions: the host's metrics, and the agent's own. */
void agent_expose_host(void *context, struct strbuf *out);
void agent_expose_self(void *context, struct strbuf *out);

#endif
