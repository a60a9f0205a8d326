/* Choosing what to drop; see the header. */
#include "db/retention_plan.h"

#include <assert.h>
#include <stdbool.h>

#define DAY_MS ((int64_t)86400000)

void plan_whole_days(struct retention_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            if (parts[k].day == parts[i].day && parts[k].max_t > parts[i].max_t) {
                parts[i].max_t = parts[k].max_t;
            }
        }
    }
}

uint64_t plan_expired_rules(
    const int64_t *keep_ms, size_t rule_count, int64_t max_t, int64_t now_ms)
{
    uint64_t expired = 0;
    assert(rule_count <= RETENTION_RULES_MAX + 1);
    for (size_t i = 0; i < rule_count; i++) {
        if (keep_ms[i] > 0 && max_t < now_ms - keep_ms[i]) {
            expired |= (uint64_t)1 << i;
        }
    }
    return expired;
}

enum retention_action plan_retention(
    const struct retention_part *part, const int64_t *keep_ms, size_t rule_count, int64_t now_ms)
{
    uint64_t expired = plan_expired_rules(keep_ms, rule_count, part->max_t, now_ms);
    if ((part->rules & ~expired) == 0) {
        return RETENTION_DROP;
    }
    int64_t day_end = (part->day + 1) * DAY_MS - 1;
    expired = plan_expired_rules(keep_ms, rule_count, day_end, now_ms);
    return (part->rules & expired) != 0 ? RETENTION_REWRITE : RETENTION_KEEP;
}

/* The oldest day at or after `from`; false when there is none. */
static bool oldest_day(
    const struct retention_part *parts, size_t count, int64_t from, int64_t *day_out)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].day >= from && (!any || parts[i].day < *day_out)) {
            *day_out = parts[i].day;
            any = true;
        }
    }
    return any;
}

static uint64_t bytes_from(const struct retention_part *parts, size_t count, int64_t from)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += parts[i].day >= from ? parts[i].bytes : 0;
    }
    return bytes;
}

int64_t plan_size_cutoff(
    const struct retention_part *parts, size_t count, uint64_t other_bytes, uint64_t bytes_max)
{
    int64_t cutoff = INT64_MIN, oldest = 0, next = 0;
    while (bytes_max > 0 && other_bytes + bytes_from(parts, count, cutoff) > bytes_max &&
           oldest_day(parts, count, cutoff, &oldest) &&
           oldest_day(parts, count, oldest + 1, &next)) {
        cutoff = next;
    }
    return cutoff;
}
