/* One target: what to ask, what came, what to send on.
 *
 *   waiting --due--> scraping --answer, error or timeout--> waiting
 *
 * Every scrape ends in samples: those of the body and up = 1, or stale markers for what was there
 * before and up = 0. A body is taken whole or not at all: samples are staged while it is parsed. The
 * five synthetic series are Prometheus' own. A target knows no timer; its owner calls it with the
 * time.
 */
#ifndef SONDE_SCRAPE_TARGET_H
#define SONDE_SCRAPE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/http_client.h"
#include "base/strbuf.h"
#include "intake/intake.h"
#include "intake/metric_metadata.h"
#include "model/labels.h"
#include "model/relabel.h"
#include "scrape/series_cache.h"
#include "wire/exposition.h"

#define TARGET_BODY_MAX_DEFAULT ((size_t)64 << 20)
/* A sample whose own time lies further ahead of its scrape is not taken, as in Prometheus. */
#define TARGET_FUTURE_MS_MAX ((int64_t)600000)
#define TARGET_LABELS_MAX 64

struct target_options {
    /* The target's own labels: job, instance, and what the configuration adds. This and the next four
     * are owned by the caller for the target's life. */
    const struct labels *labels;
    const struct labels *discovered; /* before relabelling, for people; NULL: as `labels` */
    const struct labels *external;   /* added to series that have none of that name; NULL: none */
    struct relabel *metric_relabel;  /* of each series, before external labels; NULL: none */
    const struct http_profile *profile; /* NULL: of nobody in particular */
    const char *url;                    /* NULL: `expose` gives the body */
    /* Local targets: writes an exposition of this process. */
    void (*expose)(void *context, struct strbuf *out);
    void *expose_context;
    int64_t interval_ms;     /* > 0 */
    int64_t timeout_ms;      /* 0, or more than the interval: the interval */
    bool honor_labels;       /* a label of the body wins over the target's */
    bool honor_timestamps;   /* times in the body are believed */
    bool track_timestamps;   /* series that bring times of their own get stale markers, too */
    bool native_histograms;  /* protobuf is asked for first */
    bool classic_histograms; /* also of histograms that are native */
    enum exposition_format fallback; /* where the answer does not say its format */
    bool no_fallback;                /* such an answer fails the scrape */
    const char *forced_error; /* every scrape fails with this sentence; NULL: none. Borrowed */
    size_t body_max;          /* 0 = default */
    size_t label_limit, label_name_limit, label_value_limit; /* of one series; 0 = none */
    size_t bucket_limit;                                     /* of a native histogram; 0 = none */
    size_t sample_limit;                                     /* 0 = none; more fail the scrape */
    uint64_t seed; /* of the phase: fleets spread out, restarts keep theirs */
};

enum target_health { TARGET_UNKNOWN, TARGET_UP, TARGET_DOWN };

struct target_status {
    enum target_health health;
    char error[ERR_MESSAGE_MAX]; /* of the last scrape; "" when it was good */
    int64_t last_scrape_ms;      /* wall time; 0 = never */
    double last_duration_s;
    uint64_t last_samples, last_kept;    /* exposed, and kept by metric_relabel */
    uint64_t scrapes, failures, skipped; /* skipped: slots missed, late or busy */
    uint64_t series, cache_hits, cache_misses;
    uint64_t refused_samples; /* of new series while memory is full */
};

struct target;

/* With the defaults in place of zeros, and the timeout within the interval. */
struct target_options target_options_effective(const struct target_options *options);
/* 0, ERR_NOMEM, ERR_LIMIT, or ERR_INVALID for an interval that is not above zero. */
int target_new(const struct target_options *options, struct clock *clock,
    struct http_client *client, struct intake *intake, struct metric_metadata *metadata,
    struct target **target_out);
/* Cancels a scrape in flight. With `gone` the series of the target end: stale markers. Accepts
 * NULL. */
void target_free(struct target *t, bool gone);
/* Does what is due. Returns milliseconds until the next call is due. */
int64_t target_step(struct target *t);
const struct target_options *target_options(const struct target *t);
/* Another set of labels for people; borrowed as the one before was. */
void target_set_discovered(struct target *t, const struct labels *discovered);
void target_status(const struct target *t, struct target_status *status_out);

#endif
