/* What a target is: whom to ask, how, how often, and what its answers may be. */
#ifndef SONDE_SCRAPE_TARGET_OPTIONS_H
#define SONDE_SCRAPE_TARGET_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/http_profile.h"
#include "base/strbuf.h"
#include "model/labels.h"
#include "model/relabel.h"
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

#endif
