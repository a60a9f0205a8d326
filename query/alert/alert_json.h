/* Members that all JSON about alerts has. */
#ifndef SONDE_QUERY_ALERT_JSON_H
#define SONDE_QUERY_ALERT_JSON_H

#include "base/json.h"
#include "model/labels.h"

/* A time as RFC 3339 has it. */
void alert_json_time(struct json_writer *w, const char *key, int64_t time_ms);
/* Labels or annotations, as an object. */
void alert_json_pairs(
    struct json_writer *w, const char *key, const struct label *pairs, size_t count);
void alert_json_text(struct json_writer *w, const char *key, const char *value);

#endif
