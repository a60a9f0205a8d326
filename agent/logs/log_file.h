/* A log file that others write, followed line by line through rotation.
 *
 *   renamed and made anew   what is left of the old file is read first: it stays open
 *   truncated in place      read from its beginning (copytruncate); what was written between our last look
 *                           and the cut is lost, as it is for everybody
 *   gone for a while        the old one is followed until another comes
 *   another file with the same inode after a restart   told by what its first bytes were
 *
 * A place in a file is a bookmark: identity, offset, and a hash of the beginning. The offset stands behind
 * the last whole line that was handed out. One thread; reading is bounded by the caller.
 */
#ifndef SONDE_LOGS_LOG_FILE_H
#define SONDE_LOGS_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vfs.h"

/* What one call reads at most; a line that does not fit in it is passed over. */
#define LOG_FILE_READ_BYTES ((size_t)256 << 10)
/* Of the beginning, to know a file again. */
#define LOG_FILE_HEAD_BYTES 256

struct log_bookmark {
    uint64_t device, inode;
    uint64_t offset;
    uint64_t head_size, head_hash; /* of the first bytes, at most LOG_FILE_HEAD_BYTES */
};

struct log_file_statistics {
    uint64_t bytes;
    uint64_t rotations, truncations;
    uint64_t long_lines; /* passed over */
    uint64_t errors;     /* reads that failed */
};

struct log_file;

/* `bookmark` NULL: there is none, and a file that is there is followed from its end, or from its beginning
 * when `from_beginning`. A file that comes later is read from its beginning. The file need not exist. */
int log_file_open(struct vfs *vfs, const char *path, const struct log_bookmark *bookmark,
    bool from_beginning, struct log_file **file_out);
void log_file_close(struct log_file *f);
const char *log_file_path(const struct log_file *f);
/* Whether there is a file at its path, this one or another. */
bool log_file_is_there(const struct log_file *f);

/* The next whole lines, at most LOG_FILE_READ_BYTES, into `buffer`, which has that room: `*lines_out` ends
 * with a newline, or is empty when there is nothing new. `*more_out`: call again, there may be more. */
int log_file_read(struct log_file *f, char *buffer, struct str *lines_out, bool *more_out);
/* Where reading goes on. False while no file is open. */
bool log_file_bookmark(const struct log_file *f, struct log_bookmark *bookmark_out);
const struct log_file_statistics *log_file_statistics(const struct log_file *f);

#endif
