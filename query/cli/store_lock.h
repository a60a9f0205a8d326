/* Makes sure that no server holds a store while a tool reads its files: parts would come and go. */
#ifndef SONDE_QUERY_STORE_LOCK_H
#define SONDE_QUERY_STORE_LOCK_H

#include "base/err.h"
#include "base/vfs.h"

struct store_lock {
    struct vfs_file *file; /* NULL: nothing is held */
};

/* ERR_NOT_FOUND with a sentence when `path` is no folder of a store: it would be found empty, or sound. */
int store_folder_check(const char *path, struct err *e);

/* Checks the folder. ERR_LOCKED with a sentence that says what to do. A store that cannot be written to needs no lock. */
int store_lock_take(struct store_lock *lock, const char *path, struct err *e);
/* May be called after a take that failed. */
void store_lock_give(struct store_lock *lock);

#endif
