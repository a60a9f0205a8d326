/* Where the files of a store lie, and making the directories they lie in. */
#include <stdio.h>
#include <string.h>

#include "db/db.h"

static int format_path(char *buffer, int written)
{
    (void)buffer;
    return written > 0 && written < DB_PATH_MAX ? 0 : ERR_LIMIT;
}

int db_path(const struct tsdb *db, const char *name, char *buffer)
{
    return format_path(buffer, snprintf(buffer, DB_PATH_MAX, "%s/%s", db->path, name));
}

int64_t db_day_of(int64_t t_ms)
{
    int64_t day = t_ms / DAY_MS;
    return t_ms % DAY_MS < 0 ? day - 1 : day;
}

int db_part_directory(const struct tsdb *db, const struct manifest_part *part, char *buffer)
{
    char name[MANIFEST_NAME_MAX];
    manifest_part_directory(part, name);
    return db_path(db, name, buffer);
}

int db_part_path(const struct tsdb *db, const struct manifest_part *part, char *buffer)
{
    char name[MANIFEST_NAME_MAX];
    manifest_part_name(part, name);
    return db_path(db, name, buffer);
}

int db_make_directory(struct tsdb *db, const char *path)
{
    int status = vfs_mkdir(db->fs, path);
    return status == 0 ? vfs_sync_parent(db->fs, path) : status;
}
