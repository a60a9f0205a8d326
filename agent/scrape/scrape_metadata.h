/* Type, help and unit of the metrics that targets expose, sent on once a minute. One thread. */
#ifndef SONDE_SCRAPE_SCRAPE_METADATA_H
#define SONDE_SCRAPE_SCRAPE_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "model/sample.h"

/* Metrics remembered; more are left without metadata. */
#define SCRAPE_METADATA_MAX 65536
#define SCRAPE_METADATA_TEXT_MAX 4096

struct scrape_metadata_entry {
    struct str metric, help, unit; /* owned */
    enum metric_type type;
    bool changed; /* since it was sent last */
};

struct scrape_metadata {
    struct scrape_metadata_entry *entries;
    size_t count, cap;
    uint32_t *slots; /* index + 1; 0 = free */
    size_t slot_cap;
};

void scrape_metadata_release(struct scrape_metadata *m);
/* Each keeps what it is told; without memory the metric goes without. Texts longer than
 * SCRAPE_METADATA_TEXT_MAX are cut. */
void scrape_metadata_type(struct scrape_metadata *m, struct str metric, enum metric_type type);
void scrape_metadata_help(struct scrape_metadata *m, struct str metric, struct str help);
void scrape_metadata_unit(struct scrape_metadata *m, struct str metric, struct str unit);

#endif
