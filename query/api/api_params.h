/* Parameters of requests: times, durations, limits, names and selectors, with the sentences that
 * Prometheus gives when they are wrong. The first half is pure; the second half reads from a request
 * and answers it when a parameter is bad:
 *
 *   if (!param_time(r, "start", API_TIME_MIN, &start_ms)) {
 *       return;
 *   }
 */
#ifndef SONDE_QUERY_API_PARAMS_H
#define SONDE_QUERY_API_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/api_request.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/matcher.h"

/* Times beyond, about 285 000 years, are not accepted: sums and differences of two times and a
 * duration always fit. */
#define API_TIME_MAX ((int64_t)1 << 53)
#define API_TIME_MIN (-API_TIME_MAX)
/* Selectors of one request. */
#define API_SELECTORS_MAX 1000

/* RFC 3339, or seconds as a number ("1435781430.781"); rounded to milliseconds. Also the two texts
 * with which Prometheus' clients write the beginning and the end of time. */
int api_parse_time(struct str text, int64_t *time_ms_out, struct err *e);
/* "1h30m", or seconds as a number. */
int api_parse_duration(struct str text, int64_t *milliseconds_out, struct err *e);
/* A count; 0 = no limit. */
int api_parse_limit(struct str text, size_t *limit_out, struct err *e);
/* Undoes the escaping of label names in paths: "U__http_2e_status" -> "http.status". A name without
 * the prefix, or not well escaped, stays as it is. ERR_NOMEM or ERR_LIMIT of the arena. */
int api_unescape_name(struct str escaped, struct arena *arena, struct str *name_out);

/* ---- From a request. Each returns false when it has answered it already. ---- */

/* An absent or empty parameter leaves the default. */
bool param_time(struct api_request *r, const char *name, int64_t default_ms, int64_t *time_ms_out);
bool param_required_time(struct api_request *r, const char *name, int64_t *time_ms_out);
bool param_duration(
    struct api_request *r, const char *name, int64_t default_ms, int64_t *milliseconds_out);
bool param_limit(struct api_request *r, const char *name, size_t *limit_out);

/* The matchers of one match[] parameter; in the request's arena. */
struct api_selector {
    const struct matcher *const *matchers;
    size_t count;
};

/* All match[] parameters. */
bool param_selectors(
    struct api_request *r, const struct api_selector **selectors_out, size_t *count_out);

#endif
