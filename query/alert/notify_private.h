/* The notification thread from inside: what its files share. All members belong to the thread, except for
 * those that a lock guards.
 */
#ifndef SONDE_QUERY_NOTIFY_PRIVATE_H
#define SONDE_QUERY_NOTIFY_PRIVATE_H

#include <pthread.h>

#include "alert/external.h"
#include "alert/pipeline.h"
#include "base/http_client.h"
#include "base/lock.h"
#include "base/loop.h"
#include "query/notify.h"

/* A configuration and those who use it: the pipeline, and attempts that began under it. */
struct notify_config {
    struct alerting_config *config;
    struct message_templates *templates; /* NULL: none */
    unsigned refs;
};

struct notify {
    struct alert_sink sink; /* first: the face for who finds alerts */
    struct vfs *fs;
    struct clock *clock;
    struct relabel *relabel; /* of alerts that were found here; NULL: none */
    char *external_url, *trace_url;
    int64_t started_ms;
    pthread_t thread;
    bool has_thread;
    struct loop *loop;
    struct loop_timer *timer;
    struct http_client *http;
    struct pipeline pipeline;
    struct notify_config *config;
    bool has_file; /* people are told */
    size_t in_flight;
    struct external_set externals;
    bool closing;

    struct lock lock;          /* guards the queue, woken, and published */
    struct alert_item **queue; /* what was sent and is not yet taken over; references */
    size_t queue_count, queue_cap;
    bool woken;
    uint64_t refused;        /* alerts for which there was no room */
    struct strbuf published; /* metrics, as of the last turn */
};

/* Runs on the thread: takes over the queue, advances, sends what is due, sets the timer. */
void notify_turn(struct notify *n);
/* Runs `work(n, context)` on the thread, then a turn, and waits. 0 or ERR_NOMEM, ERR_LIMIT. */
int notify_run(struct notify *n, void (*work)(struct notify *n, void *context), void *context);
/* Starts all attempts that are due. In notify_send.c. */
void notify_send_due(struct notify *n, int64_t now_ms);

struct notify_config *notify_config_ref(struct notify_config *c);
void notify_config_unref(struct notify_config *c);
/* Loads a file (NULL: the silent configuration) and its templates. */
int notify_config_load(const char *path, struct notify_config **config_out, struct err *e);

/* In notify_metrics.c. */
void notify_collect_metrics(struct notify *n, struct strbuf *out);

#endif
