/* Where reading of each log file goes on after a restart: one small text file, replaced as a whole.
 *
 *   sonde log bookmarks 1
 *   <device> <inode> <offset> <bytes of the beginning> <their hash, hex> <path>
 *   …
 *   end <hash of all lines above, hex>
 *
 * It is written after the counts of the lines before have been queued, and not synced: a kill of the
 * process loses nothing, a power cut may cost the places, and then a log is followed from its end. A file
 * that does not end with its own hash is as none. Paths with newlines are not kept.
 */
#ifndef SONDE_LOGS_LOG_BOOKMARKS_H
#define SONDE_LOGS_LOG_BOOKMARKS_H

#include "logs/log_file.h"

#define LOG_BOOKMARKS_MAX 10000
#define LOG_BOOKMARKS_BYTES_MAX ((size_t)16 << 20)

struct log_bookmarks {
    struct log_place {
        char *path;
        struct log_bookmark mark;
    } * items;
    size_t count, cap;
};

/* ERR_NOT_FOUND, ERR_CORRUPT with a sentence: nothing was read, and the list is empty. */
int log_bookmarks_read(
    struct vfs *vfs, const char *path, struct log_bookmarks *marks_out, struct err *e);
void log_bookmarks_release(struct log_bookmarks *marks);
/* NULL when there is none. */
const struct log_bookmark *log_bookmarks_find(const struct log_bookmarks *marks, const char *path);
/* ERR_NOMEM, ERR_LIMIT. */
int log_bookmarks_add(
    struct log_bookmarks *marks, const char *path, const struct log_bookmark *mark);
int log_bookmarks_write(struct vfs *vfs, const char *path, const struct log_bookmarks *marks);

#endif
