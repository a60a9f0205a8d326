/* What the requests of one job add up to: a series for each method, status, route and host, with a count,
 * bytes and a histogram of durations, under the names of OpenTelemetry's HTTP server metrics.
 *
 *   http_server_requests_total                            every request
 *   http_server_response_body_bytes_total                 where the log has sizes
 *   http_server_request_duration_seconds_bucket|_sum|_count   where it has durations
 *   access_log_lines_total{parsed="true|false"}           every line
 *
 * Labels: http_request_method (known methods; "_OTHER"), http_response_status_code, http_route,
 * server_address, service_name, job, and those of the settings.
 *
 * Guards: at most series_max series; requests beyond are counted by status alone, with
 * ACCESS_SERIES_OVERFLOW for a route. Routes and hosts have limits of their own. A series that saw no
 * request for `idle_ms` ends with a stale marker. One thread.
 */
#ifndef SONDE_LOGS_ACCESS_SERIES_H
#define SONDE_LOGS_ACCESS_SERIES_H

#include "intake/intake.h"
#include "logs/access_line.h"

#define ACCESS_SERIES_OVERFLOW "__cardinality_overflow__"

struct access_series_statistics {
    uint64_t parsed_lines, unparsed_lines;
    uint64_t overflowed_lines; /* counted by status alone */
    uint64_t series;
};

struct access_series_table;

/* `config` is borrowed; `instance` too. ERR_INVALID with a sentence: a route's pattern, a bucket. */
int access_series_table_new(const struct access_log_config *config, const char *instance,
    struct access_series_table **table_out, struct err *e);
void access_series_table_free(struct access_series_table *t);

/* Counts a request that came at `now_ms` of the monotonic clock; NULL: a line that could not be parsed.
 * ERR_NOMEM. */
int access_series_add(
    struct access_series_table *t, const struct access_line *line, int64_t now_ms);
/* Hands all series in, as they stand at `t_ms` of the wall clock. Does not commit. The first error. */
int access_series_flush(
    struct access_series_table *t, struct intake *intake, int64_t now_ms, int64_t t_ms);
void access_series_statistics(
    const struct access_series_table *t, struct access_series_statistics *statistics_out);

#endif
