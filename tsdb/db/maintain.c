/* Housekeeping in steps: seal what is due, merge, expire, drop what no querier needs, delete covered
 * log. One step does one thing that takes time; the caller comes back while there is more.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "db/db.h"
#include "db/merge_plan.h"

/* A head whose cells take this much is sealed at once, whatever the clock says. */
#define HEAD_SEAL_BYTES ((uint64_t)2 << 30)
/* So is one with this much log behind it: it would have to be replayed. */
#define WAL_SEAL_BYTES ((uint64_t)1 << 30)

/* ---- Frozen states and log that nobody needs ---- */

static void drop_published(struct tsdb *db)
{
    uint64_t oldest = head_oldest_version(db->head);
    size_t kept = 0;
    for (size_t i = 0; i < db->published_count; i++) {
        struct freeze *f = db->published[i];
        if (atomic_load_explicit(&f->published_version, memory_order_relaxed) <= oldest) {
            head_freeze_drop(db->head, f);
        } else {
            db->published[kept++] = f;
        }
    }
    db->published_count = kept;
}

/* The log up to the lowest floor is in parts; what it says of metadata and exemplars goes to files first. */
static int delete_log(struct tsdb *db, struct err *e)
{
    uint64_t floor = UINT64_MAX;
    for (int i = 0; i < HEAD_SLICES; i++) {
        floor = db->manifest.floors[i] < floor ? db->manifest.floors[i] : floor;
    }
    int status = db_metadata_save(db, e);
    status = status == 0 ? db_exemplars_flush(db, floor, e) : status;
    return status == 0 ? wal_delete_through(db->wal, floor, e) : status;
}

/* Holds the series of exemplars that are in no file yet, or lets go of them. */
static void hold_exemplars(struct tsdb *db, const uint64_t *keys, size_t count, bool hold)
{
    void (*change)(struct index *, enum index_side, const uint32_t *, size_t) =
        hold ? index_hold : index_unhold;
    for (size_t i = 0; i < count; i++) {
        uint32_t target = (uint32_t)(keys[i] >> 32), shape = (uint32_t)keys[i];
        change(db->index, INDEX_TARGETS, &target, 1);
        change(db->index, INDEX_SHAPES, &shape, 1);
    }
}

/* Targets and shapes that only days gone by had leave the index. Short of memory, they stay till next
 * time. */
static void sweep_index(struct tsdb *db)
{
    uint64_t *keys = NULL;
    size_t count = 0;
    if (exemplar_store_keys(db->exemplars, &keys, &count) != 0) {
        return;
    }
    hold_exemplars(db, keys, count, true);
    head_sweep_index(db->head);
    hold_exemplars(db, keys, count, false);
    mem_free(keys);
    (void)index_sweep(db->tier_shapes, UINT32_MAX); // the rest comes next time
}

static int tidy(struct tsdb *db, struct err *e)
{
    drop_published(db);
    return delete_log(db, e);
}

/* Looks round for targets that are gone, once an interval and only before slices are sealed: the slice that
 * was sealed last is a sixth of an interval old then. Afterwards who writes all the time would have an
 * empty table, too. */
static void let_go(struct tsdb *db, int64_t now)
{
    if (now - db->tidied_ms >= db->options.seal_interval_ms) {
        db->tidied_ms = now;
        head_tidy(db->head);
        sweep_index(db);
    }
}

/* ---- Sealing ---- */

static bool must_seal(struct tsdb *db)
{
    struct wal_statistics wal;
    wal_statistics(db->wal, &wal);
    /* At low water the log, too, gives back what it can. */
    bool large = db->disk.level != DISK_GOOD && wal.bytes > db->options.disk_low_bytes / 8;
    if (wal_unsafe(db->wal) || wal.bytes > WAL_SEAL_BYTES || large) {
        return true;
    }
    struct head_statistics head;
    head_statistics(db->head, &head);
    return head.cell_memory > HEAD_SEAL_BYTES || plan_seal_early(head.cells, head.columns);
}

static int seal_due(struct tsdb *db, bool *did_work, struct err *e)
{
    int64_t now = clock_monotonic_ms(db->clock);
    bool forced = must_seal(db);
    unsigned slices = 0;
    for (uint32_t i = 0; i < HEAD_SLICES; i++) {
        if (forced || now - db->sealed_ms[i] >= db->options.seal_interval_ms) {
            slices |= 1u << i;
            db->sealed_ms[i] = now;
        }
    }
    *did_work = *did_work || slices != 0;
    if (slices != 0) {
        let_go(db, now);
    }
    int status = slices != 0 ? db_seal(db, slices, e) : 0;
    if (status == 0 && forced) {
        /* The segment that is written now is covered as well, but for what comes later. */
        head_hold_writes(db->head);
        status = wal_rotate(db->wal, e);
        head_release_writes(db->head);
    }
    return status;
}

int db_seal_all(struct tsdb *db, struct err *e)
{
    lock_take(&db->maintenance_lock);
    int status = db_seal_head(db, e);
    if (status == 0) {
        head_hold_writes(db->head);
        status = wal_rotate(db->wal, e);
        head_release_writes(db->head);
    }
    if (status == 0) {
        status = tidy(db, e);
    }
    lock_give(&db->maintenance_lock);
    return status;
}

/* ---- Merging ---- */

struct sorted_parts {
    struct store_part **parts;
    struct plan_part *plans;
    size_t count;
};

static int compare_parts(const void *a, const void *b)
{
    const struct store_part *x = *(struct store_part *const *)a;
    const struct store_part *y = *(struct store_part *const *)b;
    if (x->about.day != y->about.day) {
        return x->about.day < y->about.day ? -1 : 1;
    }
    return x->about.precedence < y->about.precedence ? -1 : 1;
}

/* The raw parts. */
static int sort_parts(struct tsdb *db, struct sorted_parts *out)
{
    /* The maintenance lock is held: nobody else changes the view. */
    size_t count = db->view->count;
    out->parts = mem_calloc(count + 1, sizeof(struct store_part *));
    out->plans = mem_calloc(count + 1, sizeof(*out->plans));
    if (out->parts == NULL || out->plans == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        if (db->view->parts[i]->about.tier == STORE_RAW) {
            out->parts[out->count++] = db->view->parts[i];
        }
    }
    qsort(out->parts, out->count, sizeof(struct store_part *), compare_parts);
    for (size_t i = 0; i < out->count; i++) {
        const struct store_part *p = out->parts[i];
        const struct part_info *info = part_info(p->part);
        out->plans[i] = (struct plan_part){.day = p->about.day,
            .precedence = p->about.precedence,
            .bytes = info->file_bytes,
            .split = p->about.split,
            .level = p->about.level,
            .damaged = atomic_load_explicit(&p->unmergeable, memory_order_relaxed)};
    }
    return 0;
}

static void sorted_parts_release(struct sorted_parts *s)
{
    mem_free(s->parts);
    mem_free(s->plans);
}

/* The inputs stay until the result is there. */
static bool has_room(const struct tsdb *db, const struct plan_part *parts, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += parts[i].bytes;
    }
    return disk_has_room(
        db->disk.free_bytes, db->options.disk_low_bytes, db->options.disk_refuse_bytes, bytes);
}

/* One merge, by the plan of every day or by that of a compaction. */
static int merge_next(struct tsdb *db, bool compaction, bool *did_work, struct err *e)
{
    struct sorted_parts sorted = {0};
    int status = sort_parts(db, &sorted);
    if (status == 0) {
        struct plan_merge next =
            compaction ? plan_next_compaction(sorted.plans, sorted.count)
                       : plan_next_merge(sorted.plans, sorted.count, clock_now_ms(db->clock));
        if (next.count > 1 && !has_room(db, sorted.plans + next.first, next.count)) {
            /* One by hand is refused, one by plan waits. */
            status = compaction ? err_set(e, ERR_NO_SPACE, -1,
                                      "merging: too little of the disk is free (%llu bytes)",
                                      (unsigned long long)db->disk.free_bytes)
                                : 0;
        } else if (next.count > 1) {
            *did_work = true;
            status = db_merge(db, sorted.parts + next.first, next.count, next.level, e);
        }
    }
    sorted_parts_release(&sorted);
    return status;
}

/* ---- The face ---- */

static int maintain_locked(struct tsdb *db, bool *did_work, struct err *e)
{
    db_disk_check(db);
    int status = seal_due(db, did_work, e);
    if (status == 0 && db->disk.level != DISK_GOOD) {
        status = tidy(db, e);
    }
    if (status == 0) {
        status = db_disk_make_room(db, did_work, e);
    }
    bool roomy = db->disk.level == DISK_GOOD;
    if (status == 0 && roomy) {
        status = db_tiers_step(db, did_work, e);
    }
    if (status == 0) {
        status = db_expire(db, roomy, did_work, e);
    }
    if (status == 0) {
        status = merge_next(db, false, did_work, e);
    }
    if (status == 0 && roomy) {
        status = db_purge(db, false, did_work, e);
    }
    if (status == 0) {
        status = db_tombstones_tidy(db, e);
    }
    if (status == 0) {
        status = db_exemplars_tidy(db, did_work, e);
    }
    if (status == 0) {
        status = db_scrub(db, e);
    }
    return status == 0 ? tidy(db, e) : status;
}

static int finish(int status, struct err *e, const struct err *local)
{
    if (status != 0 && e != NULL) {
        *e = *local;
        if (local->code != status) {
            err_set(e, status, -1, "maintenance: %s", err_text(status));
        }
    }
    return status;
}

int tsdb_maintain(struct tsdb *db, bool *did_work_out, struct err *e)
{
    struct err local = ERR_INIT;
    bool did_work = false;
    int status = 0;
    if (!db->options.read_only) {
        lock_take(&db->maintenance_lock);
        /* Counts that cannot be stored now are stored next time. */
        (void)head_write_overflow(db->head, false, NULL);
        status = maintain_locked(db, &did_work, &local);
        lock_give(&db->maintenance_lock);
    }
    *did_work_out = did_work;
    return finish(status, e, &local);
}

int tsdb_compact(struct tsdb *db, struct err *e)
{
    struct err local = ERR_INIT;
    if (db->options.read_only) {
        return err_set(e, ERR_CLOSED, -1, "the store is open for reading only");
    }
    int status = db_seal_all(db, &local);
    lock_take(&db->maintenance_lock);
    db_disk_check(db);
    bool more = true;
    while (status == 0 && more) {
        more = false;
        status = merge_next(db, true, &more, &local);
        /* A damaged input is left alone from now on; the others are still merged. */
        status = status == ERR_CORRUPT ? 0 : status;
    }
    lock_give(&db->maintenance_lock);
    return finish(status, e, &local);
}

int tsdb_relieve(struct tsdb *db, struct err *e)
{
    struct err local = ERR_INIT;
    part_cache_clear(db->cache);
    int status = db->options.read_only ? 0 : db_seal_all(db, &local);
    mem_give_back();
    return finish(status, e, &local);
}
