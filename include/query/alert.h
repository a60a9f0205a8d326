/* An alert on its way from who found it (rules, SLOs) to who tells people (our own notification
 * pipeline, or external Alertmanagers). The two sides know nothing of each other but this header.
 *
 * The finder sends what is true now, again and again while it stays true: a firing alert is repeated
 * at least each ALERT_RESEND_MS with a new `ends_at_ms`, so that a finder that dies resolves what it
 * told by itself; an alert that ended is sent with the moment of its end. An alert's identity is its
 * label set, and so a repeated alert is harmless.
 */
#ifndef SONDE_QUERY_ALERT_H
#define SONDE_QUERY_ALERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "model/labels.h"

/* As Prometheus: a firing alert is told again after a minute, and is believed for four intervals. */
#define ALERT_RESEND_MS ((int64_t)60 * 1000)
#define ALERT_ENDS_AFTER_INTERVALS 4

#define ALERT_ANNOTATIONS_MAX 256
#define ALERT_EXEMPLARS_MAX 8

struct alert_exemplar {
    struct str trace_id;
    double value;
    int64_t time_ms;
};

/* What an alert of an SLO's tier says besides its labels. Ratios, not percent. */
struct alert_slo {
    struct str name;
    double objective;  /* 0.999 */
    struct str window; /* "30d" */
    struct str tier;   /* "page-fast" */
    double factor;     /* of the tier */
    double burn_long;  /* burn rates now, over the tier's windows */
    double burn_short;
    double budget_remaining; /* signed */
    int64_t exhausts_at_ms;  /* 0: not in sight */
};

/* Everything is borrowed for the length of the call it is handed to. */
struct alert {
    const struct labels *labels;     /* `alertname` and the rule's own; external labels included */
    const struct label *annotations; /* sorted by name, expanded */
    size_t annotation_count;
    int64_t starts_at_ms;
    /* Firing: until when it is believed without being repeated. Resolved: when it ended. It fires at
     * a time t when ends_at_ms > t. */
    int64_t ends_at_ms;
    bool resolved;            /* the finder saw its end */
    struct str generator_url; /* leads to the expression; may be empty */
    bool has_value;
    double value;                /* of the last evaluation; at its end, when that is known */
    const struct alert_slo *slo; /* NULL: not of an SLO */
    const struct alert_exemplar *exemplars; /* of kept traces, newest first */
    size_t exemplar_count;
};

/* Where found alerts go. */
struct alert_sink {
    /* Copies what it keeps. From any thread, never blocks. 0; ERR_BUSY the queue is full and ERR_NOMEM:
     * nothing was taken, which the sink counts, and the next repetition brings it. */
    int (*send)(struct alert_sink *self, const struct alert *alerts, size_t count);
};

#endif
