/* The background look at all stored bytes: page by page, part by part, round and round, at most
 * `scrub_bytes_per_second`. Damaged runs are set aside, so that queries answer the rest with a warning.
 */
#include "base/log.h"
#include "db/db.h"

/* Bytes of one step: what was not read for lack of time is not caught up with. */
#define SCRUB_STEP_MAX ((int64_t)8 << 20)

/* The next part at or after a sequence; NULL at the end of a round. */
static struct store_part *next_part(const struct tsdb *db, uint64_t sequence)
{
    struct store_part *next = NULL;
    for (size_t i = 0; i < db->view->count; i++) {
        struct store_part *p = db->view->parts[i];
        if (p->about.sequence >= sequence &&
            (next == NULL || p->about.sequence < next->about.sequence)) {
            next = p;
        }
    }
    return next;
}

static void set_aside(void *context, uint32_t group, uint32_t first_column, uint32_t end_column)
{
    struct store_part *p = context;
    LOG_ERROR("tsdb: damaged samples are set aside", LOG_S("path", part_path(p->part)),
        LOG_I("group", group), LOG_I("first_column", first_column),
        LOG_I("columns", end_column - first_column));
    for (uint32_t column = first_column; column < end_column; column++) {
        if (!store_part_is_damaged(p, group, column)) {
            store_part_add_damage(p, group, column);
        }
    }
}

int db_scrub(struct tsdb *db, struct err *e)
{
    struct scrub *s = &db->scrub;
    int64_t now = clock_monotonic_ms(db->clock), rate = db->options.scrub_bytes_per_second;
    if (rate <= 0) {
        return 0;
    }
    int64_t passed = s->last_ms > 0 && now - s->last_ms < SCRUB_STEP_MAX ? now - s->last_ms : 0;
    s->last_ms = now;
    s->allowance += passed * rate / 1000;
    s->allowance = s->allowance < SCRUB_STEP_MAX ? s->allowance : SCRUB_STEP_MAX;
    int status = 0;
    while (status >= 0 && s->allowance > 0) {
        struct store_part *p = next_part(db, s->sequence);
        size_t read = 0;
        if (p == NULL) {
            s->sequence = 0;
            s->at = (struct part_scrub){0};
            break;
        }
        if (p->about.sequence != s->sequence) {
            s->sequence = p->about.sequence;
            s->at = (struct part_scrub){0};
        }
        status = part_scrub(p->part, &s->at, (size_t)s->allowance, &read, set_aside, p);
        s->allowance -= (int64_t)read;
        atomic_fetch_add_explicit(&db->scrubbed_bytes, read, memory_order_relaxed);
        if (status <= 0) {
            s->sequence++; // also past a part that cannot be read now
        }
    }
    return status < 0 ? err_set(e, status, -1, "scrubbing: %s", err_text(status)) : 0;
}
