/* Retention: dropping parts that were kept long enough or do not fit, and taking out of the others what
 * a shorter rule keeps no longer.
 *
 * Which rules keep series of a part is found once, when the oldest of its samples could be due, and
 * remembered with the part: a part never changes, and neither do the rules while the store is open.
 * Nothing goes before every tier has it (promise 7).
 */
#include <stdlib.h>

#include "base/mem.h"
#include "db/db.h"
#include "db/retention.h"

/* ---- Rules of a part ---- */

static uint64_t rules_of_group(
    const struct retention *r, const struct store_part *p, const struct part_group *group)
{
    const struct schema_map *schema = &p->schemas[group->schema];
    uint64_t rules = 0, all = ((uint64_t)2 << r->count) - 1;
    for (uint32_t t = 0; t < group->target_count && rules != all; t++) {
        for (uint32_t c = 0; c < schema->count && rules != all; c++) {
            rules |= (uint64_t)1 << retention_rule_of(
                         r, p->targets[group->targets[t]], schema->columns[c].shape);
        }
    }
    return rules;
}

static void find_rules(const struct retention *r, struct store_part *p)
{
    uint64_t rules = r->count == 0 ? 1 : 0;
    for (uint32_t g = 0; r->count > 0 && g < part_info(p->part)->group_count; g++) {
        rules |= rules_of_group(r, p, &part_groups(p->part)[g]);
    }
    p->retention_rules = rules;
}

/* ---- Steps ---- */

struct candidates {
    struct store_part **parts; /* raw */
    struct retention_part *plans;
    size_t count;
    uint64_t other_bytes; /* of tiers and log */
};

static int find_candidates(struct tsdb *db, struct candidates *c)
{
    const struct store_view *v = db->view;
    c->parts = mem_calloc(v->count + 1, sizeof(struct store_part *));
    c->plans = mem_calloc(v->count + 1, sizeof(*c->plans));
    if (c->parts == NULL || c->plans == NULL) {
        return ERR_NOMEM;
    }
    struct wal_statistics wal;
    wal_statistics(db->wal, &wal);
    c->other_bytes = wal.bytes;
    int64_t now = clock_now_ms(db->clock);
    for (size_t i = 0; i < v->count; i++) {
        struct store_part *p = v->parts[i];
        const struct part_info *info = part_info(p->part);
        if (p->about.tier != STORE_RAW) {
            c->other_bytes += info->file_bytes;
            continue;
        }
        bool due = plan_expired_rules(
                       db->retention.keep_ms, db->retention.count + 1, info->max_t, now) != 0;
        if (due && p->retention_rules == 0) {
            find_rules(&db->retention, p);
        }
        c->parts[c->count] = p;
        c->plans[c->count++] = (struct retention_part){.day = p->about.day,
            .max_t = info->max_t,
            .bytes = info->file_bytes,
            .rules = due ? p->retention_rules : UINT64_MAX};
    }
    plan_whole_days(c->plans, c->count);
    return 0;
}

static void candidates_release(struct candidates *c)
{
    mem_free(c->parts);
    mem_free(c->plans);
}

/* Are the samples of the day in every tier that is to have them (promise 7)? */
static bool tiers_have(const struct tsdb *db, int64_t day)
{
    return !db_tiers_enabled(db) || db_tiers_cover(db, day);
}

/* The candidates by day, whose parts lie apart in a view: it is in order of precedence. */
struct by_day {
    int64_t day;
    size_t at;
};

static int compare_days(const void *a, const void *b)
{
    const struct by_day *x = a, *y = b;
    if (x->day != y->day) {
        return x->day < y->day ? -1 : 1;
    }
    return x->at < y->at ? -1 : x->at > y->at;
}

/* With tiers a day's samples go together: what comes late is known to belong to a closed day. */
static bool day_is_due(const struct by_day *parts, size_t count, const bool *due)
{
    bool all = true;
    for (size_t i = 0; i < count && all; i++) {
        all = due[parts[i].at];
    }
    return all;
}

/* What may go of one day: with tiers all of it or nothing. */
static void choose_of_day(struct tsdb *db, const struct candidates *c, const struct by_day *parts,
    size_t count, const bool *due, struct store_part **gone, struct parts_change *change,
    struct manifest_mark *marks)
{
    bool tiers = db_tiers_enabled(db);
    size_t before = change->gone_count;
    if (!tiers_have(db, parts->day) || (tiers && !day_is_due(parts, count, due))) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (due[parts[i].at]) {
            gone[change->gone_count++] = c->parts[parts[i].at];
        }
    }
    if (tiers && change->gone_count > before) {
        change->mark_count +=
            (size_t)db_tiers_close_day(db, parts->day, marks + change->mark_count);
    }
}

static int choose_gone(struct tsdb *db, const struct candidates *c, const bool *due,
    struct store_part **gone, struct manifest_mark *marks, struct parts_change *change)
{
    struct by_day *days = mem_calloc(c->count + 1, sizeof(*days));
    if (days == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < c->count; i++) {
        days[i] = (struct by_day){c->plans[i].day, i};
    }
    if (c->count > 1) {
        qsort(days, c->count, sizeof(*days), compare_days);
    }
    for (size_t first = 0, end; first < c->count; first = end) {
        end = first + 1;
        while (end < c->count && days[end].day == days[first].day) {
            end++;
        }
        choose_of_day(db, c, days + first, end - first, due, gone, change, marks);
    }
    mem_free(days);
    return 0;
}

/* Whole parts, by age and by size. */
static int drop_due(
    struct tsdb *db, const struct candidates *c, int64_t cutoff, bool *did_work, struct err *e)
{
    int64_t now = clock_now_ms(db->clock);
    struct store_part **gone = mem_calloc(c->count + 1, sizeof(struct store_part *));
    struct manifest_mark *marks = mem_calloc((c->count + 1) * STORE_TIERS, sizeof(*marks));
    bool *due = mem_calloc(c->count + 1, sizeof(*due));
    struct parts_change change = {.gone = gone, .marks = marks};
    int status = gone != NULL && marks != NULL && due != NULL ? 0 : ERR_NOMEM;
    for (size_t i = 0; status == 0 && i < c->count; i++) {
        enum retention_action action =
            plan_retention(&c->plans[i], db->retention.keep_ms, db->retention.count + 1, now);
        due[i] = c->plans[i].day < cutoff || action == RETENTION_DROP;
    }
    if (status == 0) {
        status = choose_gone(db, c, due, gone, marks, &change);
    }
    if (status == 0 && change.gone_count > 0) {
        uint64_t version = 0;
        *did_work = true;
        status = db_change_parts(db, &change, &version, e);
        if (status == 0) {
            atomic_fetch_add_explicit(&db->expired_parts, change.gone_count, memory_order_relaxed);
        }
    }
    mem_free(gone);
    mem_free(marks);
    mem_free(due);
    return status;
}

/* One part of which some rules are over. */
static int rewrite_due(struct tsdb *db, const struct candidates *c, bool *did_work, struct err *e)
{
    int64_t now = clock_now_ms(db->clock);
    const struct retention *r = &db->retention;
    for (size_t i = 0; i < c->count; i++) {
        struct store_part *p = c->parts[i];
        if (plan_retention(&c->plans[i], r->keep_ms, r->count + 1, now) != RETENTION_REWRITE ||
            atomic_load_explicit(&p->unmergeable, memory_order_relaxed) ||
            !tiers_have(db, p->about.day)) {
            continue;
        }
        *did_work = true;
        struct merge_filter filter = {
            r, plan_expired_rules(r->keep_ms, r->count + 1, (p->about.day + 1) * DAY_MS - 1, now)};
        int status = db_merge_filtered(db, &p, 1, p->about.level, &filter, e);
        return status == ERR_CORRUPT ? 0 : status; // a damaged part is left alone from now on
    }
    return 0;
}

int db_expire(struct tsdb *db, bool may_write, bool *did_work, struct err *e)
{
    struct candidates c = {0};
    bool dropped = false;
    int status = db->retention.count > 0 ? retention_resolve(&db->retention, db->index, e) : 0;
    if (status == 0) {
        status = find_candidates(db, &c);
    }
    if (status == 0) {
        int64_t cutoff =
            plan_size_cutoff(c.plans, c.count, c.other_bytes, db->options.retention_bytes);
        status = drop_due(db, &c, cutoff, &dropped, e);
    }
    if (status == 0 && !dropped && may_write) {
        status = rewrite_due(db, &c, did_work, e);
    }
    *did_work = *did_work || dropped;
    candidates_release(&c);
    return status;
}

int db_drop_oldest_day(struct tsdb *db, bool *did_work, struct err *e)
{
    struct candidates c = {0};
    int status = find_candidates(db, &c);
    uint64_t bytes = 0;
    for (size_t i = 0; i < c.count; i++) {
        bytes += c.plans[i].bytes;
    }
    if (status == 0 && bytes > 0) {
        /* One byte less than there is: the oldest day has to go, unless it is the only one. */
        int64_t cutoff = plan_size_cutoff(c.plans, c.count, 0, bytes > 1 ? bytes - 1 : 1);
        status = drop_due(db, &c, cutoff, did_work, e);
    }
    candidates_release(&c);
    return status;
}
