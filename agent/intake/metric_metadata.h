/* Type, help and unit by metric: what sources know of their metrics, and what destinations are told.
 * One thread. */
#ifndef SONDE_INTAKE_METRIC_METADATA_H
#define SONDE_INTAKE_METRIC_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "model/sample.h"

/* Metrics remembered, and bytes of their texts; more are left without metadata. */
#define METRIC_METADATA_MAX 65536
#define METRIC_METADATA_BYTES_MAX ((size_t)16 << 20)
#define METRIC_METADATA_TEXT_MAX 4096
/* How often owners sweep: what nobody told of meanwhile is forgotten. */
#define METRIC_METADATA_SWEEP_MS 600000

struct metric_metadata_entry {
    struct str metric, help, unit; /* owned */
    enum metric_type type;
    bool changed; /* since it was sent last */
    bool told;    /* since the last sweep */
};

struct metric_metadata {
    struct metric_metadata_entry *entries;
    size_t count, cap;
    uint32_t *slots; /* index + 1; 0 = free */
    size_t slot_cap;
    size_t bytes;    /* of all texts */
    uint64_t sweeps; /* whoever tells a thing only once has to tell it again after each */
    bool changed;    /* one of them is; reset by whoever has sent all that were */
};

void metric_metadata_release(struct metric_metadata *m);
/* Each keeps what it is told; without memory the metric goes without. Texts longer than
 * METRIC_METADATA_TEXT_MAX are cut. */
void metric_metadata_type(struct metric_metadata *m, struct str metric, enum metric_type type);
void metric_metadata_help(struct metric_metadata *m, struct str metric, struct str help);
void metric_metadata_unit(struct metric_metadata *m, struct str metric, struct str unit);
/* Forgets the metrics of which nothing was told since the sweep before. */
void metric_metadata_sweep(struct metric_metadata *m);
/* What is known of a metric; NULL when nothing is. Valid until the next change. */
const struct metric_metadata_entry *metric_metadata_find(
    const struct metric_metadata *m, struct str metric);
/* What is known of the metric that a series belongs to: its name as it stands, or without _bucket,
 * _sum, _count (of histograms and summaries), _total, _created or _info. */
const struct metric_metadata_entry *metric_metadata_of_series(
    const struct metric_metadata *m, struct str series_name);

#endif
