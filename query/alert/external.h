/* Alertmanagers elsewhere: each gets every alert, the newest state of it. What waits is kept by labels, so
 * that a peer that is away for an hour gets each alert once and not sixty times. Batches go out one at a time;
 * one that fails is tried again with the state of then.
 *
 * All on the notification thread.
 */
#ifndef SONDE_QUERY_EXTERNAL_H
#define SONDE_QUERY_EXTERNAL_H

#include "alert/alert_item.h"
#include "alert/pointer_table.h"
#include "base/http_client.h"
#include "query/alertmanager.h"

/* Alerts of one request, as Prometheus sends them; and that wait for one peer. */
#define EXTERNAL_BATCH_MAX 256
#define EXTERNAL_QUEUE_MAX 10000
#define EXTERNAL_PAUSE_MS_MIN 1000
#define EXTERNAL_PAUSE_MS_MAX 30000
#define EXTERNAL_TIMEOUT_MS_DEFAULT 10000

struct external;

struct external_set {
    struct external **items;
    size_t count;
    void (*wake)(void *context); /* asks for external_set_advance soon */
    void *context;
};

/* Copies the list. 0, ERR_LIMIT, ERR_NOMEM. */
int external_set_open(struct external_set *set, const struct notify_alertmanager *list,
    size_t count, void (*wake)(void *context), void *context);
/* Requests in flight must have been canceled. */
void external_set_close(struct external_set *set);
/* Queues an alert for all; the oldest state of it is replaced. */
void external_set_add(struct external_set *set, struct alert_item *item);
/* Starts what is due; returns when to come again. */
int64_t external_set_advance(
    struct external_set *set, struct http_client *http, struct clock *clock, int64_t now_ms);
void external_set_write_urls(const struct external_set *set, struct strbuf *out);
void external_set_write_metrics(const struct external_set *set, struct strbuf *out);

#endif
