/* A line stands for the changes after the line before it, up to its own; its time is the smallest of
 * theirs and of all later ones. So a change forgets every line with a later time, and times ascend with
 * versions. Changes less than a second apart in time share a line, which keeps the newer version and the
 * smaller time. When all lines are used the oldest quarter goes: about what is older nothing is known.
 *
 * Joining old lines in pairs instead was tried: each round doubles the oldest, and after a thousand
 * changes one line stood for nearly all of them.
 */
#include "head/change_log.h"

#include <string.h>

void change_log_init(struct change_log *log)
{
    *log = (struct change_log){.version = 0};
    lock_init(&log->lock, LOCK_RANK_LEAF);
}

void change_log_release(struct change_log *log)
{
    lock_release(&log->lock);
}

static void forget_oldest(struct change_log *log)
{
    size_t gone = CHANGE_LOG_LINES / 4;
    log->forgotten = log->lines[gone - 1].version;
    log->count -= gone;
    memmove(log->lines, log->lines + gone, log->count * sizeof(log->lines[0]));
}

void change_log_note(struct change_log *log, int64_t min_t)
{
    lock_take(&log->lock);
    log->version++;
    while (log->count > 0 && log->lines[log->count - 1].min_t >= min_t) {
        log->count--;
    }
    struct change_line *last = log->count > 0 ? &log->lines[log->count - 1] : NULL;
    if (last != NULL && (uint64_t)min_t - (uint64_t)last->min_t <= CHANGE_LOG_SPACING_MS) {
        last->version = log->version;
    } else {
        if (log->count == CHANGE_LOG_LINES) {
            forget_oldest(log);
        }
        log->lines[log->count++] = (struct change_line){log->version, min_t};
    }
    lock_give(&log->lock);
}

uint64_t change_log_version(struct change_log *log)
{
    lock_take(&log->lock);
    uint64_t version = log->version;
    lock_give(&log->lock);
    return version;
}

/* The first line that is newer, when there is one. */
static int64_t since(const struct change_log *log, uint64_t version)
{
    size_t low = 0, high = log->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->lines[middle].version > version) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low < log->count ? log->lines[low].min_t : INT64_MAX;
}

int64_t change_log_since(struct change_log *log, uint64_t version)
{
    lock_take(&log->lock);
    int64_t min_t = version < log->forgotten ? INT64_MIN : since(log, version);
    lock_give(&log->lock);
    return min_t;
}
