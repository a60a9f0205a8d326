/* The store's own lock file, held by the tool. */
#include "cli/store_lock.h"

#include <stdio.h>
#include <string.h>

enum { PATH_MAX_BYTES = 4096 };

static int note_entry(void *context, const char *name, bool is_directory)
{
    (void)is_directory;
    *(bool *)context |= strcmp(name, "LOCK") == 0 || strcmp(name, "MANIFEST") == 0;
    return 0;
}

int store_folder_check(const char *path, struct err *e)
{
    bool is_store = false;
    int status = vfs_list(vfs_posix(), path, note_entry, &is_store);
    if (status != 0) {
        return err_set(e, status, -1, "cannot read %s: %s", path, err_text(status));
    }
    return is_store ? 0 : err_set(e, ERR_NOT_FOUND, -1, "%s is not the folder of a store", path);
}

int store_lock_take(struct store_lock *lock, const char *path, struct err *e)
{
    char file_path[PATH_MAX_BYTES];
    *lock = (struct store_lock){.file = NULL};
    int status = store_folder_check(path, e);
    if (status != 0) {
        return status;
    }
    int written = snprintf(file_path, sizeof(file_path), "%s/LOCK", path);
    if (written <= 0 || written >= PATH_MAX_BYTES) {
        return err_set(e, ERR_LIMIT, -1, "the path %s is too long", path);
    }
    status = vfs_open(vfs_posix(), file_path, VFS_READWRITE, &lock->file);
    if (status == ERR_PERMISSION) {
        return 0; /* a medium that cannot be written to: nobody changes it */
    }
    if (status == 0) {
        status = vfs_lock(vfs_posix(), lock->file);
    }
    if (status != 0) {
        store_lock_give(lock);
        return err_set(e, status, -1,
            status == ERR_LOCKED
                ? "%s is in use by a server (%s): stop it, or work on a snapshot or a "
                  "backup (sonde backup)"
                : "%s cannot be locked: %s",
            path, err_text(status));
    }
    return 0;
}

void store_lock_give(struct store_lock *lock)
{
    vfs_close(vfs_posix(), lock->file);
    lock->file = NULL;
}
