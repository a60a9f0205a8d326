/* Rate, errors and durations of services that only write access logs: files are followed, lines counted,
 * and the counts handed in like any other samples.
 *
 * Counts since the last hand-in and the places in the files move together: places are kept after the
 * counts are queued, so that a kill neither loses a line nor counts it twice. The thread of the loop; a
 * step reads a bounded amount. While the agent is short of memory nothing is read: the log waits on disk.
 */
#ifndef SONDE_LOGS_ACCESS_LOGS_H
#define SONDE_LOGS_ACCESS_LOGS_H

#include "base/clock.h"
#include "base/vfs.h"
#include "intake/intake.h"
#include "logs/access_log_config.h"

/* Files of all jobs; more are left out, and counted. */
#define ACCESS_LOG_FILES_MAX 1000
/* How often files are looked at, and patterns of paths. */
#define ACCESS_LOG_POLL_MS 1000
#define ACCESS_LOG_FIND_MS 10000
/* A file whose path has been empty for so long is followed no more. */
#define ACCESS_LOG_GONE_MS 60000
/* Pieces of LOG_FILE_READ_BYTES that one step reads. */
#define ACCESS_LOG_READS_MAX 4

struct access_logs_options {
    const struct config_list *jobs; /* struct access_log_config; copied */
    const char *instance;           /* borrowed */
    const char *bookmarks_path;     /* borrowed */
    struct vfs *vfs;
    struct clock *clock;
    struct intake *intake;
};

struct access_logs;

/* ERR_INVALID with "access_logs: job NAME: …", ERR_LIMIT, ERR_NOMEM. */
int access_logs_open(
    const struct access_logs_options *options, struct access_logs **logs_out, struct err *e);
/* Hands in what has been counted, and keeps the places. Accepts NULL. */
void access_logs_close(struct access_logs *a);
/* Whether access_logs_open would take them. */
int access_logs_check(const struct config_list *jobs, struct err *e);
/* Whether these are the jobs it was opened with. */
bool access_logs_are(const struct access_logs *a, const struct config_list *jobs);

/* Does what is due; milliseconds until there is something to do again. Accepts NULL. */
int64_t access_logs_step(struct access_logs *a);
/* What the agent says of it on /metrics: nothing without jobs. Accepts NULL. */
void access_logs_write_metrics(const struct access_logs *a, struct strbuf *out);

#endif
