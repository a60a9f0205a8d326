/* What has been said of metrics of late: pushers say type, help and unit of a metric in every message,
 * and destinations want to know them once a minute, and what changed at once.
 *
 * A set of hashes of fixed size, emptied each minute and when it is full. One thread.
 */
#ifndef SONDE_RECEIVE_METADATA_FILTER_H
#define SONDE_RECEIVE_METADATA_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "model/sample.h"

#define METADATA_FILTER_INTERVAL_MS 60000
#define METADATA_FILTER_SLOTS 4096
#define METADATA_FILTER_MAX 3072

/* Zeroed at the beginning. */
struct metadata_filter {
    uint64_t slots[METADATA_FILTER_SLOTS]; /* open addressing; 0 = free */
    size_t count;
    int64_t emptied_ms;
};

/* Notes it, and says whether it was not there before. */
bool metadata_filter_is_new(struct metadata_filter *f, int64_t now_ms, enum metric_type type,
    struct str metric, struct str help, struct str unit);

#endif
