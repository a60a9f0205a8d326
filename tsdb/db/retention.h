/* The rules of retention, resolved to ids; see retention_plan.h for what they mean. */
#ifndef SONDE_DB_RETENTION_H
#define SONDE_DB_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/retention_plan.h"
#include "index/index.h"
#include "tsdb/tsdb.h"

struct retention_rule {
    struct matcher **matchers;
    size_t matcher_count;
    struct index_selection selection;
};

struct retention {
    struct retention_rule rules[RETENTION_RULES_MAX];
    size_t count;
    int64_t keep_ms[RETENTION_RULES_MAX + 1]; /* the last of them is for all others */
    bool resolved;
    uint32_t targets, shapes; /* ids of the index when it was asked */
};

/* Copies the rules. ERR_LIMIT, ERR_NOMEM; release in any case. */
int retention_init(struct retention *r, const struct tsdb_options *options);
void retention_release(struct retention *r);
/* What no rule keeps may be refused. 0 = for ever. */
int64_t retention_longest(const struct retention *r);
/* Selects the series of each rule anew where the index has learnt of others since. */
int retention_resolve(struct retention *r, struct index *index, struct err *e);
/* The first rule that matches the series, or `count`. */
size_t retention_rule_of(const struct retention *r, uint32_t target, uint32_t shape);

/* Days that end by this time hold nothing that the rule of the series keeps; INT64_MIN when no rule
 * matches it, or for ever. Any thread. */
int64_t retention_kept_from(const struct retention *r, const struct labels *series, int64_t now_ms);

/* Series that a merge leaves out: those of the rules named by bits. */
struct merge_filter {
    const struct retention *retention;
    uint64_t rules;
};

#endif
