/* JSON out: a streaming writer onto a strbuf. (JSON in is jansson's, used where it is read.)
 *
 *   json_begin_object(&w); json_key(&w, "status"); json_string(&w, STR("success")); json_end(&w);
 *
 * Commas are the writer's. Errors stick in the buffer. Nesting beyond JSON_DEPTH_MAX is a mistake
 * of ours and asserts.
 */
#ifndef SONDE_BASE_JSON_H
#define SONDE_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"

#define JSON_DEPTH_MAX 1024

struct json_writer {
    struct strbuf *out;
    uint16_t depth;
    bool after_key;
    bool first[JSON_DEPTH_MAX]; /* nothing written at this level yet */
    char closers[JSON_DEPTH_MAX];
};

/* jansson has functions of these three names. Ours get symbols of their own, or the two would be
 * mixed up when a program is linked; a file that reads and writes includes <jansson.h> first. */
#define json_string sonde_json_string
#define json_integer sonde_json_integer
#define json_null sonde_json_null

void json_init(struct json_writer *w, struct strbuf *out);
void json_begin_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
/* Closes the innermost object or array. */
void json_end(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);
void json_key_str(struct json_writer *w, struct str key);
/* Escaped; bytes that are not UTF-8 become U+FFFD, as Go's encoder does. */
void json_string(struct json_writer *w, struct str value);
void json_cstring(struct json_writer *w, const char *value);
void json_integer(struct json_writer *w, int64_t value);
/* A JSON number; NaN and infinities, which JSON lacks, become null. */
void json_double(struct json_writer *w, double value);
/* A double as a quoted string in Prometheus' form: "1.5", "NaN", "+Inf". */
void json_quoted_double(struct json_writer *w, double value);
/* Milliseconds as seconds with three decimals or none: 1435781430.780, 1435781430. */
void json_seconds(struct json_writer *w, int64_t time_ms);
void json_bool(struct json_writer *w, bool value);
void json_null(struct json_writer *w);
/* Text that is JSON already. */
void json_raw(struct json_writer *w, struct str value);

#endif
