/* Members that all JSON about alerts has. */
#ifndef SONDE_QUERY_ALERT_JSON_H
#define SONDE_QUERY_ALERT_JSON_H

#include "base/json.h"
#include "model/labels.h"

/* Reads a time as RFC 3339 has it: milliseconds since 1970; year 1, which is Go's zero time, and before is 0.
 * ERR_INVALID. */
int alert_json_parse_time(struct str text, int64_t *time_ms_out);
/* Writes one; 0 is Go's zero time. */
void alert_json_time(struct json_writer *w, const char *key, int64_t time_ms);
/* Labels or annotations, as an object. */
void alert_json_pairs(
    struct json_writer *w, const char *key, const struct label *pairs, size_t count);
void alert_json_text(struct json_writer *w, const char *key, const char *value);

#endif
