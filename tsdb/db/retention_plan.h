/* What has been kept long enough: pure functions over what is known of the parts.
 *
 * A series is kept as long as the first *rule* says that matches it, and otherwise as long as
 * everything (the last entry of the list of durations). Parts that hold only what is due are dropped;
 * of a day that is over for some rules and not for others, what is due is taken out by writing the part
 * anew. A limit of bytes drops whole days, oldest first, and never the newest.
 */
#ifndef SONDE_DB_RETENTION_PLAN_H
#define SONDE_DB_RETENTION_PLAN_H

#include <stddef.h>
#include <stdint.h>

/* Rules, and the default behind them. */
#define RETENTION_RULES_MAX 63

enum retention_action { RETENTION_KEEP, RETENTION_REWRITE, RETENTION_DROP };

struct retention_part {
    int64_t day;
    int64_t max_t;
    uint64_t bytes;
    uint64_t rules; /* a bit for each rule that keeps any series of it */
};

/* A part goes with its day: gives all parts of a day the latest max_t of them, so that a value which a
 * later part has replaced does not come back when that part goes first. */
void plan_whole_days(struct retention_part *parts, size_t count);
/* The rules that are over for samples up to `max_t`, a bit each; `keep_ms` has an entry for each, 0 = for
 * ever. */
uint64_t plan_expired_rules(
    const int64_t *keep_ms, size_t rule_count, int64_t max_t, int64_t now_ms);
/* What to do with a part. It is only written anew when all of its day is over for a rule. */
enum retention_action plan_retention(
    const struct retention_part *part, const int64_t *keep_ms, size_t rule_count, int64_t now_ms);
/* Days before the one returned are dropped, so that parts and `other_bytes` are within `bytes_max`, or
 * only one day is left. INT64_MIN: none. 0 bytes = no limit. Any order. */
int64_t plan_size_cutoff(
    const struct retention_part *parts, size_t count, uint64_t other_bytes, uint64_t bytes_max);

#endif
