/* Housekeeping of tiers: what tier_plan.h decides is done here, one thing a step.
 *
 * Order of things (INV-7): the part of the tier complete and synced under its name; manifest with it, and
 * the mark that says which raw parts it has; only then may the raw parts of the day be deleted. A day is
 * rolled up as a whole, by the same function from the same samples, so doing it twice changes nothing.
 */
#include "db/tier_build.h"
#include "db/tier_plan.h"
#include "db/tier_raw.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "db/merge_plan.h"

static bool is_enabled(const struct tsdb *db, uint16_t tier)
{
    bool enabled = db->options.tiers[tier - STORE_5M].enabled;
    for (size_t i = 0; !enabled && i < db->options.tier_rule_count; i++) {
        enabled = db->options.tier_rules[i].tiers[tier - STORE_5M].enabled;
    }
    return enabled;
}

bool db_tiers_enabled(const struct tsdb *db)
{
    return is_enabled(db, STORE_5M) || is_enabled(db, STORE_1H);
}

bool db_tiers_cover(const struct tsdb *db, int64_t day)
{
    uint64_t precedence = tier_raw_precedence(db, day);
    bool covered = true;
    for (uint16_t tier = STORE_5M; tier < STORE_TIERS; tier++) {
        covered = covered &&
                  (!is_enabled(db, tier) || manifest_mark(&db->manifest, tier, day) >= precedence);
    }
    return covered;
}

/* What is known of whole days. */
static void note_days(const struct manifest *m, struct store_view *view)
{
    view->closed_through = view->thinned_through = INT64_MIN;
    for (uint32_t i = 0; i < m->mark_count; i++) {
        const struct manifest_mark *k = &m->marks[i];
        int64_t end = (k->day + 1) * DAY_MS;
        if (k->tier == STORE_RAW) {
            view->thinned_through = end > view->thinned_through ? end : view->thinned_through;
        } else if (k->mark == MANIFEST_MARK_CLOSED) {
            view->closed_through = end > view->closed_through ? end : view->closed_through;
        }
    }
}

void db_tiers_note_coverage(const struct manifest *m, struct store_view *view)
{
    view->raw_from = INT64_MAX;
    note_days(m, view);
    for (size_t i = 0; i < view->count; i++) {
        const struct manifest_part *p = &view->parts[i]->about;
        /* A sample at midnight is in the bucket that ends there. */
        bool midnight = part_info(view->parts[i]->part)->min_t == p->day * DAY_MS;
        view->covered[i] = 0;
        for (uint16_t tier = STORE_5M; p->tier == STORE_RAW && tier < STORE_TIERS; tier++) {
            uint64_t mark = manifest_mark(m, tier, p->day);
            bool has = mark >= p->precedence &&
                       (!midnight || manifest_mark(m, tier, p->day - 1) >= p->precedence_first);
            view->covered[i] |= has ? 1 << tier : 0;
            view->covered[i] |= mark == MANIFEST_MARK_CLOSED ? 1 << STORE_RAW : 0;
        }
        if (p->tier == STORE_RAW && (view->covered[i] & 1 << STORE_RAW) == 0 &&
            p->day * DAY_MS < view->raw_from) {
            view->raw_from = p->day * DAY_MS;
        }
    }
}

int64_t tsdb_samples_from(struct tsdb *db)
{
    const struct retention *r = &db->retention;
    int64_t shortest = INT64_MAX;
    for (size_t i = 0; i <= r->count; i++) {
        shortest = r->keep_ms[i] > 0 && r->keep_ms[i] < shortest ? r->keep_ms[i] : shortest;
    }
    bool by_size = db->options.retention_bytes > 0;
    if (!(is_enabled(db, STORE_5M) || is_enabled(db, STORE_1H)) ||
        (shortest == INT64_MAX && !by_size)) {
        return INT64_MIN;
    }
    struct store_view *view = db_view(db);
    int64_t from = view->raw_from; // by size, any day may have gone
    store_view_unref(view);
    int64_t now = clock_now_ms(db->clock);
    from = from == INT64_MAX ? db_day_of(now) * DAY_MS : from;
    int64_t due = shortest != INT64_MAX ? db_day_of(now - shortest) * DAY_MS : INT64_MIN;
    return due > from ? due : from;
}

int db_tiers_forget(struct manifest *m, const struct manifest_part *part)
{
    if (part->tier == STORE_RAW || part->level > 0 ||
        manifest_mark(m, part->tier, part->day) == MANIFEST_MARK_CLOSED) {
        return 0;
    }
    const struct manifest_mark none = {part->tier, part->day, 0};
    return manifest_set_mark(m, &none);
}

int db_tiers_close_day(const struct tsdb *db, int64_t day, struct manifest_mark *marks_out)
{
    int count = 0;
    for (uint16_t tier = STORE_5M; tier < STORE_TIERS; tier++) {
        if (is_enabled(db, tier)) {
            marks_out[count++] = (struct manifest_mark){tier, day, MANIFEST_MARK_CLOSED};
        }
    }
    return count;
}

/* ---- Building ---- */

static bool is_expiring(const struct tsdb *db, int64_t day)
{
    int64_t retention = db->options.retention_ms;
    return retention > 0 && (day + 1) * DAY_MS <= clock_now_ms(db->clock) - retention;
}

/* Parts of the tier that hold this day and no other: what building again replaces. */
static int find_replaced(
    const struct tsdb *db, uint16_t tier, int64_t day, struct store_part **gone, size_t *count)
{
    for (size_t i = 0; i < db->view->count; i++) {
        struct store_part *p = db->view->parts[i];
        if (p->about.tier == tier && p->about.day == day && p->about.level == 0) {
            gone[(*count)++] = p;
        }
    }
    return 0;
}

static int build_parts(struct tsdb *db, uint16_t tier, int64_t day, struct store_part **added,
    size_t *count, struct err *e)
{
    int64_t retentions[TIER_RETENTIONS_MAX];
    size_t retention_count = 0;
    int status = tier_retentions(&db->options, tier, retentions, &retention_count);
    if (status != 0) {
        return err_set(e, status, -1, "rules name more than %d retentions", TIER_RETENTIONS_MAX);
    }
    for (size_t i = 0; status == 0 && i < retention_count; i++) {
        struct store_part *part = NULL;
        status = tier_build(db, tier, day, retentions[i], &part, e);
        if (status == 0 && part != NULL) {
            added[(*count)++] = part;
        }
    }
    return status;
}

static int build_day(struct tsdb *db, uint16_t tier, int64_t day, struct err *e)
{
    struct store_part *added[TIER_RETENTIONS_MAX];
    struct store_part **gone = mem_calloc(db->view->count + 1, sizeof(struct store_part *));
    const struct manifest_mark mark = {tier, day, tier_raw_precedence(db, day)};
    struct parts_change change = {.gone = gone, .added = added, .marks = &mark, .mark_count = 1};
    uint64_t version = 0;
    int status = gone != NULL ? 0 : ERR_NOMEM;
    if (status == 0) {
        status = build_parts(db, tier, day, added, &change.added_count, e);
        status = status == 0 ? find_replaced(db, tier, day, gone, &change.gone_count) : status;
    }
    if (status == 0) {
        status = db_change_parts(db, &change, &version, e);
    }
    for (size_t i = 0; status != 0 && i < change.added_count; i++) {
        store_part_unref(added[i]); // unlisted: the next open removes the file
    }
    if (status == 0) {
        atomic_fetch_add_explicit(&db->tier_builds, 1, memory_order_relaxed);
    }
    mem_free(gone);
    return status;
}

int db_tiers_purge(struct tsdb *db, struct store_part *part, struct err *e)
{
    const struct manifest_part *p = &part->about;
    uint64_t mark = manifest_mark(&db->manifest, p->tier, p->day);
    bool again = p->level == 0 && mark != MANIFEST_MARK_CLOSED && is_enabled(db, p->tier) &&
                 tier_raw_precedence(db, p->day) > 0;
    return again ? build_day(db, p->tier, p->day, e) : db_merge(db, &part, 1, p->level, e);
}

/* The oldest day of raw parts whose tier is due. */
static bool find_due(struct tsdb *db, uint16_t tier, int64_t *day_out, bool *again_out)
{
    int64_t now = clock_now_ms(db->clock);
    int64_t waited = clock_monotonic_ms(db->clock) - db->tier_rebuilt_ms;
    bool found = false;
    for (size_t i = 0; i < db->view->count; i++) {
        const struct manifest_part *p = &db->view->parts[i]->about;
        if (p->tier != STORE_RAW || (found && p->day >= *day_out)) {
            continue;
        }
        const struct plan_day day = {.day = p->day,
            .precedence = tier_raw_precedence(db, p->day),
            .mark = manifest_mark(&db->manifest, tier, p->day),
            .expiring = is_expiring(db, p->day)};
        if (plan_tier_due(&day, now, waited)) {
            *day_out = p->day;
            *again_out = day.mark > 0;
            found = true;
        }
    }
    return found;
}

static int build_next(struct tsdb *db, bool *did_work, struct err *e)
{
    for (uint16_t tier = STORE_5M; tier < STORE_TIERS; tier++) {
        int64_t day = 0;
        bool again = false;
        if (!is_enabled(db, tier) || !find_due(db, tier, &day, &again)) {
            continue;
        }
        *did_work = true;
        if (again) {
            db->tier_rebuilt_ms = clock_monotonic_ms(db->clock);
        }
        return build_day(db, tier, day, e);
    }
    return 0;
}

/* ---- Merging and expiring ---- */

struct tier_list {
    struct store_part **parts;
    size_t count;
};

static int list_tiers(struct tsdb *db, struct tier_list *list)
{
    list->parts = mem_calloc(db->view->count + 1, sizeof(struct store_part *));
    list->count = 0;
    for (size_t i = 0; list->parts != NULL && i < db->view->count; i++) {
        if (db->view->parts[i]->about.tier != STORE_RAW) {
            list->parts[list->count++] = db->view->parts[i];
        }
    }
    return list->parts != NULL ? 0 : ERR_NOMEM;
}

static bool has_expired(const struct tsdb *db, const struct store_part *p, int64_t now)
{
    int64_t retention = p->about.retention_ms;
    if (retention == MANIFEST_RETENTION_DEFAULT) {
        retention = db->options.tiers[p->about.tier - STORE_5M].retention_ms;
    }
    return retention > 0 && part_info(p->part)->max_t < now - retention;
}

static int expire_tiers(struct tsdb *db, struct tier_list *list, bool *did_work, struct err *e)
{
    int64_t now = clock_now_ms(db->clock);
    size_t gone = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (has_expired(db, list->parts[i], now)) {
            list->parts[gone++] = list->parts[i];
        }
    }
    if (gone == 0) {
        return 0;
    }
    uint64_t version = 0;
    const struct parts_change change = {.gone = list->parts, .gone_count = gone};
    int status = db_change_parts(db, &change, &version, e);
    *did_work = true;
    if (status == 0) {
        atomic_fetch_add_explicit(&db->expired_parts, gone, memory_order_relaxed);
    }
    return status;
}

/* Is there no raw part of the days of this part? */
static bool is_settled(const struct tsdb *db, const struct store_part *p)
{
    const struct part_info *info = part_info(p->part);
    int64_t first = info->min_t - store_tier_resolution(p->about.tier);
    bool settled = !atomic_load_explicit(&p->unmergeable, memory_order_relaxed);
    for (size_t i = 0; settled && i < db->view->count; i++) {
        const struct store_part *raw = db->view->parts[i];
        settled = raw->about.tier != STORE_RAW || part_info(raw->part)->max_t <= first ||
                  part_info(raw->part)->min_t > info->max_t;
    }
    return settled;
}

struct sortable {
    struct store_part *part;
    struct plan_tier_part plan;
};

static int compare_sortable(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;
    if (x->plan.tier != y->plan.tier) {
        return x->plan.tier < y->plan.tier ? -1 : 1;
    }
    if (x->plan.retention_ms != y->plan.retention_ms) {
        return x->plan.retention_ms < y->plan.retention_ms ? -1 : 1;
    }
    if (x->plan.split != y->plan.split) {
        return x->plan.split < y->plan.split ? -1 : 1;
    }
    if (x->plan.period != y->plan.period) {
        return x->plan.period < y->plan.period ? -1 : 1;
    }
    if (x->plan.settled != y->plan.settled) {
        return x->plan.settled ? -1 : 1;
    }
    return x->part->about.precedence < y->part->about.precedence ? -1 : 1;
}

/* Inputs by precedence; the first day is that of the oldest. */
static int merge_tiers(struct tsdb *db, const struct tier_list *list, bool *did_work, struct err *e)
{
    struct sortable *sorted = mem_calloc(list->count + 1, sizeof(*sorted));
    struct plan_tier_part *plans = mem_calloc(list->count + 1, sizeof(*plans));
    int status = sorted != NULL && plans != NULL ? 0 : ERR_NOMEM;
    for (size_t i = 0; status == 0 && i < list->count; i++) {
        struct store_part *p = list->parts[i];
        sorted[i] =
            (struct sortable){p, {.tier = p->about.tier,
                                     .period = store_tier_period(p->about.tier, p->about.day),
                                     .retention_ms = p->about.retention_ms,
                                     .split = p->about.split,
                                     .bytes = part_info(p->part)->file_bytes,
                                     .settled = is_settled(db, p)}};
    }
    if (status == 0 && list->count > 1) {
        qsort(sorted, list->count, sizeof(*sorted), compare_sortable);
    }
    for (size_t i = 0; status == 0 && i < list->count; i++) {
        plans[i] = sorted[i].plan;
        list->parts[i] = sorted[i].part;
    }
    struct plan_tier_merge next = {0};
    if (status == 0) {
        next = plan_tier_merge(plans, list->count);
    }
    if (next.count > 1) {
        *did_work = true;
        status = db_merge(db, list->parts + next.first, next.count, 1, e);
    }
    mem_free(sorted);
    mem_free(plans);
    return status;
}

int db_tiers_step(struct tsdb *db, bool *did_work, struct err *e)
{
    struct tier_list list = {0};
    bool built = false;
    int status = build_next(db, &built, e);
    *did_work = *did_work || built;
    if (status != 0 || built) {
        return status;
    }
    bool expired = false;
    status = list_tiers(db, &list);
    status = status == 0 ? expire_tiers(db, &list, &expired, e) : status;
    if (status == 0 && !expired) {
        status = merge_tiers(db, &list, did_work, e);
    }
    *did_work = *did_work || expired;
    mem_free(list.parts);
    return status;
}
