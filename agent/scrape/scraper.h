/* All targets of the agent, and their metadata. One thread. */
#ifndef SONDE_SCRAPE_SCRAPER_H
#define SONDE_SCRAPE_SCRAPER_H

#include "scrape/target.h"

#define SCRAPER_TARGETS_MAX 100000
#define SCRAPER_METADATA_MS 60000

struct scraper;

/* All are borrowed. */
int scraper_new(struct clock *clock, struct http_client *client, struct intake *intake,
    struct scraper **scraper_out);
void scraper_free(struct scraper *s);

/* Replaces the set of targets. Those with the same labels, address and settings stay as they are, with
 * connection, cache and phase; the series of those that are gone end with stale markers. Strings and
 * label sets of `targets` are copied or referenced. On an error nothing has changed. */
int scraper_set_targets(
    struct scraper *s, const struct target_options *targets, size_t count, struct err *e);

/* Does what is due; milliseconds until the next call is due, or the next turn of the loop. */
int64_t scraper_step(struct scraper *s);

size_t scraper_count(const struct scraper *s);
const struct target_options *scraper_target(
    const struct scraper *s, size_t index, struct target_status *status_out);

#endif
