/* What is known of metrics: type, help, unit. Metric families are few, so all of it is in memory; the
 * WAL carries changes, and a file beside the manifest carries the rest (tsdb/db/metadata_file.c).
 * Any thread: one lock of rank LEAF.
 */
#ifndef SONDE_HEAD_METADATA_H
#define SONDE_HEAD_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "tsdb/tsdb.h"

/* Metrics kept; further ones are ignored (a sender that makes up names must not fill memory). */
#define METADATA_METRICS_MAX 200000
/* Longer help texts and units are cut. */
#define METADATA_TEXT_MAX 4096

struct metadata_entry;

struct metadata {
    struct lock lock;
    struct metadata_entry **entries; /* by metric name */
    size_t count, cap;
    uint64_t changes; /* grows with each */
};

void metadata_init(struct metadata *m);
void metadata_release(struct metadata *m);
/* 1: new or changed; 0: as it was, or the limit is reached; ERR_NOMEM. */
int metadata_set(
    struct metadata *m, struct str metric, enum metric_type type, struct str help, struct str unit);
/* Would metadata_set change anything? */
bool metadata_differs(
    struct metadata *m, struct str metric, enum metric_type type, struct str help, struct str unit);
/* In metric order; `metric` with len 0 = all. The callback runs without the lock, on copies. */
int metadata_each(struct metadata *m, struct str metric,
    int (*callback)(void *context, const struct metric_metadata *metadata), void *context);

#endif
