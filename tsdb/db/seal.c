/* Sealing: a frozen slice becomes parts, one for each day it touches.
 *
 * Order of things (INV-2, INV-7): parts complete under their names; manifest with the parts and the
 * slice's floor; the new view; only later the frozen states go, and the log up to the lowest floor.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "db/db.h"
#include "db/seal_image.h"

/* Days one freeze may touch: its parts are built one after the other, and listed together. */
#define SEAL_DAYS_MAX 65536

int db_write_part(struct tsdb *db, struct part_source *source, struct manifest_part *about,
    struct store_part **part_out, struct err *e)
{
    char path[DB_PATH_MAX], directory[DB_PATH_MAX];
    about->sequence = db->manifest.next_sequence++;
    int status = db_part_path(db, about, path);
    if (status == 0) {
        status = db_part_directory(db, about, directory);
    }
    if (status == 0) {
        status = db_make_directory(db, directory);
    }
    if (status != 0) {
        return err_set(
            e, status, -1, "the directory of a part cannot be made: %s", err_text(status));
    }
    const struct part_origin origin = {.sequence = about->sequence,
        .level = about->level,
        .precedence_first = about->precedence_first,
        .precedence = about->precedence,
        .day = about->day,
        .split = about->split};
    struct part_info info;
    status = part_write(db->fs, path, source, &origin, &info, e);
    if (status == 0) {
        status = db_open_part(db, path, about, part_out, e);
    }
    return status;
}

/* The days that have rows, ascending. */
struct days {
    int64_t *items;
    size_t count, cap;
};

static int add_day(struct days *days, int64_t day)
{
    size_t at = days->count;
    while (at > 0 && days->items[at - 1] >= day) {
        at--;
    }
    if (at < days->count && days->items[at] == day) {
        return 0;
    }
    int status = mem_array_grow(
        (void **)&days->items, &days->cap, days->count + 1, sizeof(*days->items), SEAL_DAYS_MAX);
    if (status == 0) {
        memmove(days->items + at + 1, days->items + at, (days->count - at) * sizeof(*days->items));
        days->items[at] = day;
        days->count++;
    }
    return status;
}

static int collect_days(const struct seal_image *image, struct days *days)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < image->count; i++) {
        const struct seal_table *t = &image->tables[i];
        int64_t last = INT64_MIN;
        for (size_t row = 0; status == 0 && row < t->row_count; row++) {
            int64_t day = db_day_of(t->times[row]);
            if (day != last || row == 0) {
                status = add_day(days, day);
                last = day;
            }
        }
    }
    return status;
}

/* Parts being made, listed nowhere yet. */
struct new_parts {
    struct store_part **items;
    size_t count, cap;
};

static int write_day(struct tsdb *db, const struct seal_image *image, int64_t day,
    struct new_parts *parts, struct err *e)
{
    struct seal_source source;
    int64_t min_t = day * DAY_MS;
    int status = seal_source_init(&source, image, db->index, min_t, min_t + DAY_MS - 1);
    if (status == 0) {
        status = mem_array_grow((void **)&parts->items, &parts->cap, parts->count + 1,
            sizeof(*parts->items), SEAL_DAYS_MAX);
    }
    if (status == 0) {
        struct manifest_part about = {.precedence_first = db->manifest.next_sequence,
            .precedence = db->manifest.next_sequence,
            .day = day,
            .split = db->split};
        status = db_write_part(db, &source.source, &about, &parts->items[parts->count], e);
        parts->count += status == 0;
    } else {
        err_set(e, status, -1, "sealing: %s", err_text(status));
    }
    seal_source_release(&source);
    return status;
}

static int write_parts(
    struct tsdb *db, const struct freeze *f, struct new_parts *parts, struct err *e)
{
    struct seal_image image;
    struct days days = {0};
    int status = seal_image_new(f, &image);
    if (status != 0) {
        return err_set(e, status, -1, "sealing: %s", err_text(status));
    }
    status = collect_days(&image, &days);
    if (status != 0) {
        err_set(e, status, -1, "sealing: %s", err_text(status));
    }
    for (size_t i = 0; status == 0 && i < days.count; i++) {
        status = write_day(db, &image, days.items[i], parts, e);
    }
    mem_free(days.items);
    seal_image_release(&image);
    return status;
}

/* Files of parts that were never listed, as far as the disk lets us. */
static void discard_parts(struct tsdb *db, struct new_parts *parts, bool remove_files)
{
    for (size_t i = 0; i < parts->count; i++) {
        char path[DB_PATH_MAX];
        if (remove_files && db_part_path(db, &parts->items[i]->about, path) == 0) {
            (void)vfs_remove(db->fs, path); // the next open removes what is unlisted
        }
        store_part_unref(parts->items[i]);
    }
}

/* Freezes what is not frozen yet; a slice without cells has none. The floors of what is covered. */
static int freeze_slices(struct tsdb *db, unsigned slices, uint64_t *floors)
{
    for (uint32_t i = 0; i < HEAD_SLICES; i++) {
        if ((slices >> i & 1) == 0) {
            continue;
        }
        if (db->unsealed[i] == NULL) {
            int status = head_freeze(db->head, i, &db->unsealed[i], &floors[i]);
            if (status != 0) {
                return status;
            }
        } else {
            floors[i] = db->unsealed[i]->lsn;
        }
    }
    return 0;
}

static void publish_slices(struct tsdb *db, unsigned slices, uint64_t version)
{
    for (uint32_t i = 0; i < HEAD_SLICES; i++) {
        if ((slices >> i & 1) != 0 && db->unsealed[i] != NULL) {
            freeze_publish(db->unsealed[i], version);
            db->published[db->published_count++] = db->unsealed[i];
            db->unsealed[i] = NULL;
        }
    }
}

static int seal_slices(struct tsdb *db, unsigned slices, const uint64_t *floors,
    struct new_parts *parts, struct err *e)
{
    int status = mem_array_grow((void **)&db->published, &db->published_cap,
        db->published_count + HEAD_SLICES, sizeof(*db->published), SEAL_DAYS_MAX);
    if (status != 0) {
        return err_set(e, status, -1, "sealing: %s", err_text(status));
    }
    /* The parts must not know of more than the log does: should the manifest be lost, all of the log is
     * replayed over them, and what it has of a sample must be the last word. When the log cannot be
     * synced the parts are all the more needed. */
    (void)wal_sync(db->wal, NULL);
    for (uint32_t i = 0; status == 0 && i < HEAD_SLICES; i++) {
        if ((slices >> i & 1) != 0 && db->unsealed[i] != NULL) {
            status = write_parts(db, db->unsealed[i], parts, e);
        }
    }
    if (status != 0) {
        discard_parts(db, parts, true);
        return status;
    }
    uint64_t version = 0;
    struct parts_change change = {
        .added = parts->items, .added_count = parts->count, .floors = floors};
    status = db_change_parts(db, &change, &version, e);
    if (status != 0) {
        discard_parts(db, parts, false);
        return status;
    }
    publish_slices(db, slices, version);
    atomic_fetch_add_explicit(&db->seals, 1, memory_order_relaxed);
    return 0;
}

int db_seal(struct tsdb *db, unsigned slices, struct err *e)
{
    uint64_t floors[HEAD_SLICES];
    memcpy(floors, db->manifest.floors, sizeof(floors));
    /* Rows of one slice of the log may lie in any slice of the head: all floors move, or none. */
    slices = db->resplit ? SLICES_ALL : slices;
    int status = freeze_slices(db, slices, floors);
    if (status != 0) {
        return err_set(e, status, -1, "sealing: %s", err_text(status));
    }
    bool any = false;
    for (uint32_t i = 0; i < HEAD_SLICES; i++) {
        any = any || ((slices >> i & 1) != 0 && db->unsealed[i] != NULL);
    }
    if (!any) {
        /* Nothing to write: the floors move in memory, which is enough to delete the log they cover. */
        memcpy(db->manifest.floors, floors, sizeof(floors));
        return 0;
    }
    struct new_parts parts = {0};
    status = seal_slices(db, slices, floors, &parts, e);
    mem_free(parts.items);
    db->resplit = db->resplit && status != 0;
    return status;
}

int db_seal_head(struct tsdb *db, struct err *e)
{
    bool pending = false;
    for (uint32_t i = 0; i < HEAD_SLICES; i++) {
        pending = pending || db->unsealed[i] != NULL;
    }
    int status = db_seal(db, SLICES_ALL, e);
    /* A slice whose sealing had failed was frozen then: what came later is sealed now. */
    return status == 0 && pending ? db_seal(db, SLICES_ALL, e) : status;
}
