/* Notification: from alerts that were found to people who are told. Alertmanager's configuration,
 * semantics and API version 2, in the server's own process; and the way to Alertmanagers elsewhere.
 *
 *   notify_open     reads the configuration, takes up the state, starts the thread
 *   notify_sink     where rules and SLOs send alerts (query/alert.h); from any thread, never blocks
 *   notify_reload   another configuration; a bad one leaves the old one in force
 *   notify_close    what is on its way stays in the journal and is sent after the next start
 *
 * One thread owns all state. The functions below hand it a question and wait for the answer, so they
 * may be called from any thread but not from under a lock, and take as long as a sync of the disk.
 *
 * Everything but groups is durable in `alerts.journal` in the data directory: alerts, silences, the
 * notification log, and each message with its attempts. See query/alert/README.md for the promises.
 */
#ifndef SONDE_QUERY_NOTIFY_H
#define SONDE_QUERY_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/vfs.h"
#include "query/alert.h"
#include "query/alertmanager.h"

struct notify;

/* Alerts that wait to be taken over by the thread; more are refused with ERR_BUSY. */
#define NOTIFY_QUEUE_MAX 100000
/* Messages that are being sent at a time. */
#define NOTIFY_IN_FLIGHT_MAX 64

struct notify_options {
    struct vfs *fs;        /* NULL = vfs_posix() */
    struct clock *clock;   /* NULL = clock_real() */
    const char *data_path; /* directory of alerts.journal; NULL: nothing is durable */
    const char
        *config_path; /* Alertmanager's file; NULL: alerts are kept and shown, nobody is told */
    const char *external_url; /* under which people reach this server; never NULL */
    /* Where a trace can be looked at, with {traceID} in it; NULL: this server's own store of traces. */
    const char *trace_url;
    const struct notify_alertmanager *alertmanagers; /* copied */
    size_t alertmanager_count;
    /* Of every alert that was found here, before anybody is told; NULL: none. A reference is taken. */
    struct relabel *alert_relabel;
};

/* ERR_INVALID with a sentence about the configuration; ERR_LOCKED, ERR_IO … about the journal. */
int notify_open(const struct notify_options *options, struct notify **notify_out, struct err *e);
/* Accepts NULL. */
void notify_close(struct notify *n);
struct alert_sink *notify_sink(struct notify *n);
/* Under which people reach this server: as it was given. */
const char *notify_external_url(const struct notify *n);
/* Is there a configuration file, or an Alertmanager elsewhere? */
bool notify_tells_anybody(const struct notify *n);
/* Reads the file again (NULL: none any more). On an error nothing has changed. */
int notify_reload(struct notify *n, const char *config_path, struct err *e);
/* Reads a file and its templates, and says what is in it. */
int notify_check(const char *config_path, struct strbuf *report, struct err *e);
/* Metrics whose names mirror Alertmanager's, for metrics_register_collector. */
void notify_write_metrics(void *notify, struct strbuf *out);

/* ---- API version 2. JSON is appended to `out`. ERR_INVALID: 400; ERR_NOT_FOUND: 404; else 500. ---- */

/* Values of `filter`: matchers, all of which must hold. */
struct notify_filter {
    const struct str *matchers;
    size_t count;
    struct str receiver;                 /* a regular expression for the whole name; empty: all */
    const struct str *receiver_matchers; /* all of which must hold of the receiver's own labels */
    size_t receiver_matcher_count;
};

struct notify_alert_query {
    struct notify_filter filter;
    bool active, silenced, inhibited, unprocessed, muted; /* which are shown */
};

struct notify_silence_query {
    struct notify_filter filter;
    bool active, pending, expired;
};

int notify_post_alerts(struct notify *n, struct str body, struct err *e);
int notify_write_alerts(
    struct notify *n, const struct notify_alert_query *query, struct strbuf *out, struct err *e);
int notify_write_groups(
    struct notify *n, const struct notify_alert_query *query, struct strbuf *out, struct err *e);
int notify_write_silences(
    struct notify *n, const struct notify_silence_query *query, struct strbuf *out, struct err *e);
int notify_write_silence(struct notify *n, struct str id, struct strbuf *out, struct err *e);
/* Answers {"silenceID":"…"}. */
int notify_post_silence(struct notify *n, struct str body, struct strbuf *out, struct err *e);
int notify_expire_silence(struct notify *n, struct str id, struct err *e);
int notify_write_receivers(
    struct notify *n, const struct notify_filter *filter, struct strbuf *out, struct err *e);
int notify_write_status(struct notify *n, struct strbuf *out, struct err *e);

/* ---- Deliveries. ---- */

struct notify_delivery_query {
    struct str state;    /* "pending", "delivered", "superseded", "dead"; empty: all */
    struct str receiver; /* whole name; empty: all */
    size_t limit;        /* 0 = all */
};

/* A list, newest first; without bodies. */
int notify_write_deliveries(
    struct notify *n, const struct notify_delivery_query *query, struct strbuf *out, struct err *e);
/* One, with body and attempts. */
int notify_write_delivery(struct notify *n, struct str id, struct strbuf *out, struct err *e);
/* Sends one that is over again, under its old id. ERR_NOT_FOUND; ERR_BUSY: it is on its way. */
int notify_replay(struct notify *n, struct str id, struct err *e);
/* The Alertmanagers elsewhere: a list of {"url": …}, as /api/v1/alertmanagers has it. */
int notify_write_alertmanagers(struct notify *n, struct strbuf *out, struct err *e);

#endif
