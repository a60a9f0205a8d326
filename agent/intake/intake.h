/* The one door through which samples enter the agent: scrapes, the host, receivers, spans, logs.
 *
 * Whoever has samples encodes the labels of a series once (intake_encode_labels), keeps the bytes for
 * as long as the series lives, and hands in those bytes with the samples. Behind the door stand, in
 * this order: stream aggregation, batches, the queue on disk, the destinations.
 *
 *   struct intake_gate gate;                        one for each source, for its account
 *   intake_gate_init(&gate, "otlp", behind);
 *   if (intake_admit(&gate.intake, &wait_ms) != 0)  answer 429 with Retry-After, take nothing
 *   gate.intake.add(&gate.intake, &series);         for each series of the request
 *   if (gate.intake.commit(&gate.intake) == 0)      answer 2xx: what was added is in the queue
 *
 * What is handed in is copied before the call returns. One thread, the loop's: other threads post
 * what they have to it.
 *
 * The account: every sample that comes through a gate is counted there, and later as sent, waiting,
 * rejected, filtered, aggregated or dropped by reason; nothing leaves it (see ship/shipper.h).
 */
#ifndef SONDE_INTAKE_INTAKE_H
#define SONDE_INTAKE_INTAKE_H

#include <stdint.h>

#include "base/str.h"
#include "base/strbuf.h"
#include "model/labels.h"
#include "model/sample.h"
#include "wire/remote_write.h"

/* How much of the agent's memory is in use; see intake/memory_watch.h. */
enum intake_pressure {
    INTAKE_EASY,
    INTAKE_TIGHT, /* caches shrink */
    INTAKE_HIGH,  /* receivers refuse requests: 429 */
    INTAKE_FULL,  /* nobody takes new series */
};

/* Asked of a pusher that is refused. */
#define INTAKE_RETRY_AFTER_MS 5000

struct intake {
    /* Samples, native histograms and exemplars of one series, times ascending. Never fails: what
     * finds no room is counted as lost. */
    void (*add)(struct intake *self, const struct remote_write_series *series);
    void (*add_metadata)(struct intake *self, enum metric_type type, struct str metric,
        struct str help, struct str unit);
    /* Everything added before is in the queue: a kill of the process does not lose it. 0; ERR_NOMEM,
     * ERR_LIMIT … when some of it was lost since the last commit. */
    int (*commit)(struct intake *self);
    enum intake_pressure (*pressure)(const struct intake *self);
    /* Labels of this agent, for series that have none of that name; NULL: none. Borrowed until the
     * epoch changes: encoded labels of an older epoch are out of date. */
    const struct labels *(*external)(const struct intake *self, uint64_t *epoch_out);
};

/* Labels as `series->labels_bytes` wants them, external labels added, onto `out`. `b` is changed. 0,
 * ERR_NOMEM, ERR_LIMIT, or ERR_INVALID when a name comes twice or is empty. */
int intake_encode_labels(
    const struct labels *external, struct labels_builder *b, struct strbuf *out);
/* May a pusher's request be taken? 0, or ERR_BUSY and when to come again. */
int intake_admit(const struct intake *self, int64_t *retry_after_ms_out);

/* A source's own door, which counts what goes through it. */
struct intake_gate {
    struct intake intake; /* first: hand out &gate.intake */
    struct intake *behind;
    const char *source; /* label source of its metrics; borrowed */
    uint64_t samples, exemplars;
};

void intake_gate_init(struct intake_gate *gate, const char *source, struct intake *behind);

#endif
