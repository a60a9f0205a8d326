/* The parts that queries see, and changing them: first in the manifest, then for who opens from now on.
 *
 * A view is immutable and shared by reference; the current one is swapped under the lock. The files of
 * parts that left stay open, and readable, as long as an older view has them.
 */
#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "db/db.h"

int store_view_new(size_t count, struct tombstone_list *tombstones, struct store_view **view_out)
{
    struct store_view *v = mem_calloc(1, sizeof(*v));
    struct store_part **parts = mem_calloc(count + 1, sizeof(struct store_part *));
    uint8_t *covered = mem_calloc(count + 1, sizeof(*covered));
    if (v == NULL || parts == NULL || covered == NULL) {
        mem_free(v);
        mem_free(parts);
        mem_free(covered);
        return ERR_NOMEM;
    }
    atomic_init(&v->references, 1);
    v->parts = parts;
    v->tombstones = tombstone_list_ref(tombstones);
    v->covered = covered;
    *view_out = v;
    return 0;
}

struct store_view *store_view_ref(struct store_view *v)
{
    atomic_fetch_add_explicit(&v->references, 1, memory_order_relaxed);
    return v;
}

void store_view_unref(struct store_view *v)
{
    if (v == NULL || atomic_fetch_sub_explicit(&v->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < v->count; i++) {
        store_part_unref(v->parts[i]);
    }
    tombstone_list_unref(v->tombstones);
    mem_free(v->parts);
    mem_free(v->covered);
    mem_free(v);
}

struct store_view *db_view(struct tsdb *db)
{
    lock_take(&db->view_lock);
    struct store_view *v = store_view_ref(db->view);
    lock_give(&db->view_lock);
    return v;
}

static bool is_gone(const struct parts_change *change, const struct store_part *part)
{
    for (size_t i = 0; i < change->gone_count; i++) {
        if (change->gone[i] == part) {
            return true;
        }
    }
    return false;
}

/* Takes over the reference of `part`. */
static void view_insert(struct store_view *v, struct store_part *part)
{
    size_t at = v->count;
    while (at > 0 && v->parts[at - 1]->about.precedence > part->about.precedence) {
        v->parts[at] = v->parts[at - 1];
        at--;
    }
    v->parts[at] = part;
    v->count++;
}

static int changed_view(
    const struct store_view *old, const struct parts_change *change, struct store_view **view_out)
{
    struct store_view *v = NULL;
    int status = store_view_new(old->count + change->added_count, old->tombstones, &v);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < old->count; i++) {
        if (!is_gone(change, old->parts[i])) {
            v->parts[v->count++] = store_part_ref(old->parts[i]);
        }
    }
    for (size_t i = 0; i < change->added_count; i++) {
        view_insert(v, store_part_ref(change->added[i]));
    }
    *view_out = v;
    return 0;
}

static int changed_manifest(
    const struct tsdb *db, const struct parts_change *change, struct manifest *manifest_out)
{
    struct manifest m;
    int status = manifest_copy(&db->manifest, &m);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < change->gone_count; i++) {
        manifest_remove(&m, change->gone[i]->about.sequence);
    }
    for (size_t i = 0; status == 0 && i < change->added_count; i++) {
        status = manifest_add(&m, &change->added[i]->about);
    }
    for (size_t i = 0; status == 0 && i < change->mark_count; i++) {
        status = manifest_set_mark(&m, &change->marks[i]);
    }
    if (change->floors != NULL) {
        memcpy(m.floors, change->floors, sizeof(m.floors));
    }
    if (status != 0) {
        manifest_release(&m);
        return status;
    }
    *manifest_out = m;
    return 0;
}

static bool same_directory(const struct manifest_part *a, const struct manifest_part *b)
{
    char x[MANIFEST_NAME_MAX], y[MANIFEST_NAME_MAX];
    manifest_part_directory(a, x);
    manifest_part_directory(b, y);
    return strcmp(x, y) == 0;
}

/* Queriers that hold a part keep reading the open file. What stays behind for an error is unlisted and
 * goes with the next open. The removals are made durable, so that a file of which nothing but deleted
 * samples was left does not come back with a lost manifest. */
static void remove_files(struct tsdb *db, const struct parts_change *change)
{
    for (size_t i = 0; i < change->gone_count; i++) {
        const struct manifest_part *about = &change->gone[i]->about;
        char path[DB_PATH_MAX];
        if (db_part_path(db, about, path) == 0) {
            (void)vfs_remove(db->fs, path);
        }
        bool last_of_directory =
            i + 1 == change->gone_count || !same_directory(about, &change->gone[i + 1]->about);
        if (last_of_directory && db_part_directory(db, about, path) == 0) {
            (void)vfs_sync_dir(db->fs, path);
        }
    }
}

/* Takes over the reference of `view`, and hands back that of the view before. */
static struct store_view *publish(struct tsdb *db, struct store_view *view, uint64_t *version_out)
{
    db_tiers_note_coverage(&db->manifest, view);
    lock_take(&db->view_lock);
    struct store_view *old = db->view;
    db->view = view;
    *version_out = ++db->version;
    lock_give(&db->view_lock);
    return old;
}

int db_change_tombstones(struct tsdb *db, struct tombstone_list *tombstones)
{
    struct store_view *view = NULL;
    int status = store_view_new(db->view->count, tombstones, &view);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < db->view->count; i++) {
        view->parts[view->count++] = store_part_ref(db->view->parts[i]);
    }
    uint64_t version = 0;
    store_view_unref(publish(db, view, &version));
    return 0;
}

/* Parts went and nothing came in their place, or less: answers about their time have changed. Where
 * buckets stand for samples now, this begins with the bucket that holds the first of them. */
static void note_loss(struct tsdb *db, const struct parts_change *change)
{
    int64_t min_t = INT64_MAX;
    for (size_t i = 0; i < change->gone_count; i++) {
        int64_t part_min_t = part_info(change->gone[i]->part)->min_t;
        min_t = part_min_t < min_t ? part_min_t : min_t;
    }
    if (change->gone_count > 0) {
        change_log_note(head_changes(db->head), min_t - store_tier_resolution(STORE_1H));
    }
}

int db_change_parts(
    struct tsdb *db, const struct parts_change *change, uint64_t *version_out, struct err *e)
{
    struct manifest manifest;
    struct store_view *view = NULL;
    int status = changed_view(db->view, change, &view);
    if (status == 0) {
        status = changed_manifest(db, change, &manifest);
    }
    if (status != 0) {
        store_view_unref(view);
        return err_set(e, status, -1, "the list of parts: %s", err_text(status));
    }
    char path[DB_PATH_MAX];
    status = db_path(db, "MANIFEST", path);
    if (status == 0) {
        status = manifest_store(db->fs, path, &manifest, e);
    }
    if (status != 0) {
        manifest_release(&manifest);
        store_view_unref(view);
        return status;
    }
    manifest_release(&db->manifest);
    db->manifest = manifest;
    struct store_view *old = publish(db, view, version_out);
    if (change->added_count == 0 || change->filtered) {
        note_loss(db, change);
    }
    remove_files(db, change);
    store_view_unref(old);
    for (size_t i = 0; i < change->added_count; i++) {
        store_part_unref(change->added[i]);
    }
    return 0;
}
