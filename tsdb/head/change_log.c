/* A line stands for the changes after the line before it, up to its own; its time is the smallest of
 * theirs and of all later ones. So a change forgets every line with a later time, and times ascend with
 * versions. When all lines are used each two become one, which keeps the newer version and the smaller
 * time: old changes are told apart less finely, new ones exactly. */
#include "head/change_log.h"

void change_log_init(struct change_log *log)
{
    *log = (struct change_log){.version = 0};
    lock_init(&log->lock, LOCK_RANK_LEAF);
}

void change_log_release(struct change_log *log)
{
    lock_release(&log->lock);
}

static void halve(struct change_log *log)
{
    size_t pairs = log->count / 2;
    for (size_t i = 0; i < pairs; i++) {
        log->lines[i] =
            (struct change_line){log->lines[2 * i + 1].version, log->lines[2 * i].min_t};
    }
    log->count = pairs;
}

void change_log_note(struct change_log *log, int64_t min_t)
{
    lock_take(&log->lock);
    log->version++;
    while (log->count > 0 && log->lines[log->count - 1].min_t >= min_t) {
        log->count--;
    }
    if (log->count == CHANGE_LOG_LINES) {
        halve(log);
    }
    log->lines[log->count++] = (struct change_line){log->version, min_t};
    lock_give(&log->lock);
}

uint64_t change_log_version(struct change_log *log)
{
    lock_take(&log->lock);
    uint64_t version = log->version;
    lock_give(&log->lock);
    return version;
}

int64_t change_log_since(struct change_log *log, uint64_t version)
{
    lock_take(&log->lock);
    size_t low = 0, high = log->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->lines[middle].version > version) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    int64_t min_t = low < log->count ? log->lines[low].min_t : INT64_MAX;
    lock_give(&log->lock);
    return min_t;
}
