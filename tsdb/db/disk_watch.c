/* Watching the free space of the disk: the ballast, and what is done at each level (disk_guard.h). */
#include "base/log.h"
#include "db/db.h"

/* ---- Ballast ---- */

/* With so many times the low water free there is no need of it yet. */
#define BALLAST_FREE_SHARE 8

static void make_ballast(struct tsdb *db)
{
    char path[DB_PATH_MAX];
    struct vfs_file *file = NULL;
    db->disk.ballast_tried = true;
    int status = db_path(db, "BALLAST", path);
    if (status == 0) {
        status = vfs_open(db->fs, path, VFS_READWRITE, &file);
    }
    if (status == 0) {
        status = vfs_preallocate(db->fs, file, db->options.ballast_bytes);
        db->disk.ballast = true;
    }
    vfs_close(db->fs, file);
    if (status != 0) {
        LOG_WARN("tsdb: no ballast could be reserved", LOG_S("path", path),
            LOG_S("error", err_text(status)));
    }
}

static void release_ballast(struct tsdb *db)
{
    char path[DB_PATH_MAX];
    db->disk.ballast_tried = false;
    if (db->disk.ballast && db_path(db, "BALLAST", path) == 0 && vfs_remove(db->fs, path) == 0) {
        db->disk.ballast = false;
        LOG_WARN("tsdb: the ballast is released", LOG_I("bytes", db->options.ballast_bytes));
    }
}

/* With as much room beside it as makes it no cause of low water. */
static bool has_room_for_ballast(const struct tsdb *db)
{
    uint64_t bytes = db->options.ballast_bytes;
    return bytes > 0 && !db->disk.ballast && !db->disk.ballast_tried &&
           db->disk.free_bytes >= db->options.disk_low_bytes + 2 * bytes &&
           db->disk.free_bytes / BALLAST_FREE_SHARE < db->options.disk_low_bytes;
}

/* ---- Steps ---- */

static void look(struct tsdb *db)
{
    static const char *const words[] = {"good", "low", "full"};
    uint64_t free_bytes = 0;
    if (vfs_free_bytes(db->fs, db->path, &free_bytes) != 0) {
        return; // what was known stays
    }
    struct disk_guard *g = &db->disk;
    enum disk_level level = disk_level_at(
        g->level, free_bytes, db->options.disk_low_bytes, db->options.disk_refuse_bytes);
    g->free_bytes = free_bytes;
    if (level != g->level) {
        LOG_WARN("tsdb: level of the disk", LOG_S("was", words[g->level]),
            LOG_S("is", words[level]), LOG_I("free_bytes", free_bytes));
    }
    g->level = level;
    atomic_store_explicit(&db->disk_level, (uint64_t)level, memory_order_relaxed);
    atomic_store_explicit(&db->disk_free_bytes, free_bytes, memory_order_relaxed);
    head_refuse_writes(db->head, level == DISK_FULL);
}

void db_disk_open(struct tsdb *db)
{
    char path[DB_PATH_MAX];
    struct vfs_file *file = NULL;
    if (db_path(db, "BALLAST", path) == 0 && vfs_open(db->fs, path, VFS_READ, &file) == 0) {
        vfs_close(db->fs, file);
        db->disk.ballast = true;
    }
    db_disk_check(db);
}

void db_disk_check(struct tsdb *db)
{
    if (db->options.disk_low_bytes == 0 && db->options.disk_refuse_bytes == 0) {
        return;
    }
    look(db);
    if (db->disk.level != DISK_GOOD) {
        release_ballast(db);
        look(db);
    } else if (has_room_for_ballast(db)) {
        make_ballast(db);
        look(db);
    }
}

int db_disk_make_room(struct tsdb *db, bool *did_work, struct err *e)
{
    bool dropped = true;
    int status = 0;
    if (db->disk.level != DISK_GOOD) {
        look(db);
    }
    while (
        status == 0 && dropped && db->disk.level != DISK_GOOD && db->options.retention_bytes > 0) {
        dropped = false;
        status = db_drop_oldest_day(db, &dropped, e);
        *did_work = *did_work || dropped;
        look(db);
    }
    return status;
}
