/* Deleting series, and taking what is deleted out of the files.
 *
 * Order of a delete: the head sealed, so that everything stored before lies in parts below the bound;
 * the list with the new tombstone on disk; then the view with it. Order of a purge: the part without
 * the deleted samples listed, the old one's file removed; when no part is left that holds any, the
 * list without the tombstone.
 */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "db/db.h"

/* ---- The file ---- */

static int tombstones_path(const struct tsdb *db, char *path)
{
    return db_path(db, "TOMBSTONES", path);
}

/* Damaged: kept aside for whoever wants to know. What it hid is seen again, unless it is purged. */
static int lose_tombstones(struct tsdb *db, const char *path, const struct err *why)
{
    char aside[DB_PATH_MAX];
    db->tombstones_lost = 1;
    LOG_ERROR("tsdb: the list of deletes is lost: what was deleted lately may be seen again",
        LOG_S("path", path), LOG_S("error", why->message));
    if (!db->options.read_only && db_path(db, "TOMBSTONES.damaged", aside) == 0) {
        (void)vfs_rename(db->fs, path, aside);
    }
    return tombstone_list_new(&db->loaded);
}

int db_tombstones_load(struct tsdb *db, struct err *e)
{
    char path[DB_PATH_MAX];
    struct err local = ERR_INIT;
    int status = tombstones_path(db, path);
    if (status == 0) {
        status = tombstone_list_load(db->fs, path, &db->loaded, &local);
    }
    if (status == ERR_NOT_FOUND) {
        status = tombstone_list_new(&db->loaded);
    } else if (status == ERR_CORRUPT) {
        status = lose_tombstones(db, path, &local);
    }
    if (status != 0) {
        return err_set(e, status, -1, "the list of deletes: %s",
            local.code == status ? local.message : err_text(status));
    }
    struct manifest *m = &db->manifest;
    m->next_sequence = m->next_sequence < db->loaded->bound ? db->loaded->bound : m->next_sequence;
    for (int i = 0; i < HEAD_SLICES; i++) {
        uint64_t floor = db->loaded->floors[i];
        m->floors[i] = m->floors[i] < floor ? floor : m->floors[i];
    }
    return 0;
}

/* Durable, then visible. */
static int change_list(struct tsdb *db, struct tombstone *added, const bool *gone, struct err *e)
{
    char path[DB_PATH_MAX];
    struct tombstone_list *list = NULL;
    int status = tombstone_list_change(db->view->tombstones, added, gone, &list);
    if (status == ERR_LIMIT) {
        return err_set(e, status, -1,
            "%d deletes wait to be taken out of the files: clean the tombstones first",
            TOMBSTONES_MAX);
    }
    if (status != 0) {
        return err_set(e, status, -1, "deleting: %s", err_text(status));
    }
    if (added != NULL) {
        memcpy(list->floors, db->manifest.floors, sizeof(list->floors));
    }
    status = tombstones_path(db, path);
    if (status == 0) {
        db->tombstones_unsure = true;
        status = tombstone_list_store(db->fs, path, list, e);
    }
    if (status == 0) {
        status = db_change_tombstones(db, list);
        db->tombstones_unsure = status != 0;
    }
    tombstone_list_unref(list);
    return status;
}

int db_tombstones_settle(struct tsdb *db, struct err *e)
{
    char path[DB_PATH_MAX];
    if (!db->tombstones_unsure) {
        return 0;
    }
    int status = tombstones_path(db, path);
    if (status == 0) {
        status = tombstone_list_store(db->fs, path, db->view->tombstones, e);
    }
    db->tombstones_unsure = status != 0;
    return status;
}

/* ---- Deleting ---- */

static int delete_locked(struct tsdb *db, struct tombstone *t, struct err *e)
{
    int status = db_seal_head(db, e);
    if (status == 0) {
        t->bound = db->manifest.next_sequence;
        t->created_ms = clock_now_ms(db->clock);
        status = tombstone_resolve(t, db->index, e);
    }
    status = status == 0 ? change_list(db, t, NULL, e) : status;
    if (status == 0) {
        change_log_note(head_changes(db->head), t->range.min_t);
    }
    return status;
}

int tsdb_delete_series(struct tsdb *db, const struct matcher *const *matchers, size_t count,
    int64_t min_t, int64_t max_t, struct err *e)
{
    struct err local = ERR_INIT;
    struct tombstone *t = NULL;
    if (db->options.read_only) {
        return err_set(e, ERR_CLOSED, -1, "the store is open for reading only");
    }
    if (min_t > max_t) {
        return err_set(e, ERR_INVALID, -1, "the range to delete ends before it begins");
    }
    int status = tombstone_new(matchers, count, (struct time_range){min_t, max_t}, &t);
    if (status != 0) {
        return err_set(e, status, -1, "deleting: %s", err_text(status));
    }
    lock_take(&db->maintenance_lock);
    status = delete_locked(db, t, &local);
    lock_give(&db->maintenance_lock);
    tombstone_unref(t);
    if (status != 0 && e != NULL) {
        *e = local;
        if (local.code != status) {
            err_set(e, status, -1, "deleting: %s", err_text(status));
        }
    }
    return status;
}

/* ---- Purging ---- */

static bool rectangle_hits_schema(const struct index_rectangle *r, const struct schema_map *schema)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        uint32_t shape = schema->columns[i].series_shape;
        if (shape != SHAPE_OF_ALL && id_set_has(r->shapes, shape)) {
            return true;
        }
    }
    return false;
}

static bool rectangle_hits_group(
    const struct index_rectangle *r, const struct store_part *p, const struct part_group *group)
{
    for (uint32_t i = 0; i < group->target_count; i++) {
        if (id_set_has(r->targets, p->targets[group->targets[i]])) {
            return rectangle_hits_schema(r, &p->schemas[group->schema]);
        }
    }
    return false;
}

/* Has the part series that the tombstone means, with rows in its range? */
static bool hits_part(const struct tombstone *t, const struct store_part *p)
{
    const struct part_info *info = part_info(p->part);
    int64_t before = store_tier_resolution(p->about.tier); // a bucket begins that much earlier
    if (!tombstone_concerns(t, p->about.sequence, info->min_t - before, info->max_t)) {
        return false;
    }
    for (uint32_t g = 0; g < info->group_count; g++) {
        const struct part_group *group = &part_groups(p->part)[g];
        if (!tombstone_concerns(t, p->about.sequence, group->min_t - before, group->max_t)) {
            continue;
        }
        for (size_t i = 0; i < t->selection.count; i++) {
            if (rectangle_hits_group(&t->selection.rectangles[i], p, group)) {
                return true;
            }
        }
    }
    return false;
}

/* The next part that has something to lose, and can be read. */
static struct store_part *next_to_purge(const struct tsdb *db, bool all)
{
    int64_t now = clock_now_ms(db->clock);
    const struct tombstone_list *list = db->view->tombstones;
    for (size_t i = 0; i < list->count; i++) {
        const struct tombstone *t = list->items[i];
        if (!all && now - t->created_ms < db->options.purge_after_ms) {
            continue;
        }
        for (size_t k = 0; k < db->view->count; k++) {
            struct store_part *p = db->view->parts[k];
            if (!atomic_load_explicit(&p->unmergeable, memory_order_relaxed) && hits_part(t, p)) {
                return p;
            }
        }
    }
    return NULL;
}

int db_purge(struct tsdb *db, bool all, bool *did_work, struct err *e)
{
    struct store_part *part = next_to_purge(db, all);
    if (part == NULL) {
        return 0;
    }
    *did_work = true;
    int status = part->about.tier == STORE_RAW ? db_merge(db, &part, 1, part->about.level, e)
                                               : db_tiers_purge(db, part, e);
    /* A damaged part is left alone from now on: what is deleted of it stays hidden. */
    return status == ERR_CORRUPT ? 0 : status;
}

int db_tombstones_tidy(struct tsdb *db, struct err *e)
{
    const struct tombstone_list *list = db->view->tombstones;
    if (list->count == 0 || db->tombstones_tidied == db->version) {
        return 0;
    }
    bool *gone = mem_calloc(list->count, sizeof(*gone));
    bool any = false;
    if (gone == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < list->count; i++) {
        gone[i] = true;
        for (size_t k = 0; gone[i] && k < db->view->count; k++) {
            gone[i] = !hits_part(list->items[i], db->view->parts[k]);
        }
        any = any || gone[i];
    }
    int status = any ? change_list(db, NULL, gone, e) : 0;
    mem_free(gone);
    if (status == 0) {
        db->tombstones_tidied = db->version;
    }
    return status;
}

int tsdb_clean_tombstones(struct tsdb *db, struct err *e)
{
    struct err local = ERR_INIT;
    if (db->options.read_only) {
        return err_set(e, ERR_CLOSED, -1, "the store is open for reading only");
    }
    lock_take(&db->maintenance_lock);
    int status = 0;
    bool more = true;
    while (status == 0 && more) {
        more = false;
        status = db_purge(db, true, &more, &local);
    }
    if (status == 0) {
        status = db_tombstones_tidy(db, &local);
    }
    lock_give(&db->maintenance_lock);
    if (status != 0) {
        err_set(e, status, -1, "cleaning tombstones: %s",
            local.code == status ? local.message : err_text(status));
    }
    return status;
}
