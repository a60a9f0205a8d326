/* What the server finds out by itself, and whom it tells: the life of rules, of objectives and of
 * notification. */
#ifndef SONDE_QUERY_ALERTING_H
#define SONDE_QUERY_ALERTING_H

#include "query/notify.h"
#include "query/rules.h"
#include "query/slo.h"
#include "server/server_config.h"
#include "tsdb/tsdb.h"

struct alerting;

struct alerting_options {
    const struct server_config *config; /* borrowed for the call */
    struct engine *engine;              /* these outlive it */
    struct promql_features features;
    struct engine_options slo_engine; /* objectives have one of their own, with these limits */
    struct tsdb *db;
    uint16_t port; /* that is listened on, for links when no external URL is configured */
};

/* Reads what the configuration names, and begins to evaluate. A sentence that names the file. */
int alerting_open(
    const struct alerting_options *options, struct alerting **alerting_out, struct err *e);
/* Takes over the files that the configuration names now; refused files leave all as it was. From any
 * thread. */
int alerting_reload(struct alerting *a, const struct server_config *config, struct err *e);
/* For the API. */
struct rules *alerting_rules(struct alerting *a);
struct notify *alerting_notify(struct alerting *a);
struct slo_manager *alerting_slos(struct alerting *a);
/* Ends evaluations. The store must still be open. Accepts NULL. */
void alerting_close(struct alerting *a);

#endif
