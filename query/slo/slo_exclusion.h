/* Times whose events do not count: maintenance that was planned, outages that were somebody else's. One-off
 * or recurring, past or future, each with a reason and an author.
 *
 * A recurring exclusion repeats its first occurrence each day or each week, at the same time of the wall clock
 * of its zone, until an end. A step of the ledger is excluded when its whole time lies in exclusions' union
 * as seen at its end: when its end is in (start, end] of an occurrence.
 */
#ifndef SONDE_QUERY_SLO_EXCLUSION_H
#define SONDE_QUERY_SLO_EXCLUSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/zone.h"

#define SLO_EXCLUSIONS_MAX 1000
#define SLO_EXCLUSION_TEXT_MAX 1000

enum slo_repeat { SLO_ONCE, SLO_DAILY, SLO_WEEKLY };

struct slo_exclusion {
    uint64_t id;
    struct str slo; /* its name */
    struct str reason, author, zone_name;
    int64_t start_ms,
        end_ms; /* of the first occurrence; at most a day or a week long when it repeats */
    enum slo_repeat repeat;
    int64_t until_ms; /* repeated: no occurrence begins after it; INT64_MAX = no end */
    int64_t made_ms;
    const struct zone *zone; /* of zone_name; NULL = UTC */
};

const char *slo_repeat_name(enum slo_repeat repeat);
bool slo_repeat_find(struct str name, enum slo_repeat *repeat_out);

/* ERR_INVALID with a sentence: no reason, no author, an end that is not after its start, an occurrence longer
 * than its repetition, a text too long. */
int slo_exclusion_check(const struct slo_exclusion *x, struct err *e);
/* Is the moment in an occurrence: after its start, not after its end? */
bool slo_exclusion_holds(const struct slo_exclusion *x, int64_t time_ms);

/* As bytes, for the journal: version 1, repeat, id, four times, then slo, reason, author and zone, each a
 * length as varint and its bytes; numbers little-endian. The zone is opened by whoever decodes. */
void slo_exclusion_encode(const struct slo_exclusion *x, struct strbuf *out);
/* Text is copied into `arena`. ERR_CORRUPT, ERR_NOMEM. */
int slo_exclusion_decode(struct arena *arena, struct str record, struct slo_exclusion *x_out);

#endif
