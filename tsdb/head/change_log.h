/* Which times were touched lately: what caches of answers ask before they give one.
 *
 * Every change of what queriers read has a number, one higher than that of the change before, and the
 * smallest time it touched. The log answers which is the smallest time touched after some number: at most
 * a second smaller than the true one, never larger, for as long as it remembers, which is some hours of
 * samples that come in time order. Any thread.
 */
#ifndef SONDE_HEAD_CHANGE_LOG_H
#define SONDE_HEAD_CHANGE_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"

enum { CHANGE_LOG_LINES = 8192, CHANGE_LOG_SPACING_MS = 1000 };

struct change_log {
    struct lock lock;   /* guards all below */
    uint64_t version;   /* of the last change */
    uint64_t forgotten; /* about what came up to this nothing is known */
    struct change_line {
        uint64_t version;
        int64_t min_t;
    } lines[CHANGE_LOG_LINES]; /* both ascending */
    size_t count;
};

void change_log_init(struct change_log *log);
void change_log_release(struct change_log *log);
/* To be called when the change is visible to queriers that open from now on. */
void change_log_note(struct change_log *log, int64_t min_t);
uint64_t change_log_version(struct change_log *log);
/* INT64_MAX when nothing was touched after `version`, INT64_MIN when that is not known any more. */
int64_t change_log_since(struct change_log *log, uint64_t version);

#endif
