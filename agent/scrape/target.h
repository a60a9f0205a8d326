/* One target: what to ask, what came, what to send on.
 *
 *   waiting --due--> scraping --answer, error or timeout--> waiting
 *
 * Every scrape ends in samples: those of the body and up = 1, or stale markers for what was there
 * before and up = 0. A body is read as it comes and taken whole or not at all: nothing of it is sent
 * before its end. What a scrape sends goes out TARGET_SENT_AT_ONCE samples at a time, so that the largest
 * target holds up no other. The five synthetic series are Prometheus' own. A target knows no timer; its
 * owner calls it with the time.
 */
#ifndef SONDE_SCRAPE_TARGET_H
#define SONDE_SCRAPE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/http_client.h"
#include "intake/intake.h"
#include "intake/metric_metadata.h"
#include "model/labels.h"
#include "scrape/target_options.h"

/* Samples and stale markers, or series looked at: a few milliseconds. */
#define TARGET_SENT_AT_ONCE ((size_t)8192)

enum target_health { TARGET_UNKNOWN, TARGET_UP, TARGET_DOWN };

struct target_status {
    enum target_health health;
    char error[ERR_MESSAGE_MAX]; /* of the last scrape; "" when it was good */
    int64_t last_scrape_ms;      /* wall time; 0 = never */
    double last_duration_s;
    uint64_t last_samples, last_kept;    /* exposed, and kept by metric_relabel */
    uint64_t scrapes, failures, skipped; /* skipped: slots missed, late or busy */
    uint64_t series, series_bytes, cache_hits, cache_misses;
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
/* Does what is due. Returns milliseconds until the next call is due; 0: there is more to be sent. */
int64_t target_step(struct target *t);
/* Called when an answer leaves more to be sent: a step is due in this turn of the loop. It must not free the
 * target. */
void target_set_wake(
    struct target *t, void (*wake)(void *context, struct target *t), void *context);
const struct target_options *target_options(const struct target *t);
/* Whether a request is on its way. */
bool target_is_asked(const struct target *t);
/* The first scrape is at once instead of in its slot: it takes the place of one that will not be heard. Its time is
 * behind that of stale markers sent now. */
void target_begin_soon(struct target *t);
/* Another set of labels for people; borrowed as the one before was. */
void target_set_discovered(struct target *t, const struct labels *discovered);
void target_status(const struct target *t, struct target_status *status_out);

#endif
