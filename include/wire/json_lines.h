/* Series as lines of JSON, the form in which VictoriaMetrics exports and imports
 * (https://docs.victoriametrics.com/#json-line-format):
 *
 *   {"metric":{"__name__":"up","job":"node"},"values":[1,0.5],"timestamps":[1700000000000,1700000015000]}
 *
 * Times are milliseconds. Infinities are "Infinity" and "-Infinity", null is the stale marker, as there;
 * an ordinary NaN is "NaN".
 *
 * That form has no place for native histograms. Ours are lines of their own, which VictoriaMetrics passes over:
 *
 *   {"metric":{…},"histograms":[H,…],"timestamps":[…]}
 *
 *   H = {"schema":0,"count":7,"sum":5.5,"zero_threshold":0.001,"zero_count":2,"reset":"no","integer":true,
 *        "positive":[[1,2,1],[3,2]],"negative":[],"custom_values":[]}
 *
 * A side is a list of spans; a span is the gap to the end of the one before (the first: the index of its first
 * bucket) and the absolute counts of its buckets. "reset" is "unknown" (the default), "yes", "no" or "gauge";
 * "integer" (default false) says that the counts came as whole numbers. What is empty, zero or default may be
 * left out, except schema, count and sum. A sum of null makes a stale marker of the histogram.
 */
#ifndef SONDE_WIRE_JSON_LINES_H
#define SONDE_WIRE_JSON_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "model/histogram.h"
#include "model/labels.h"

#define JSON_LINES_CONTENT_TYPE "application/stream+json"
/* One line. */
#define JSON_LINE_BYTES_MAX ((size_t)32 << 20)

struct json_line {
    struct label *labels; /* sorted, checked as those of remote write */
    size_t label_count;
    const int64_t *times;
    const double *values;                      /* NULL in a line of histograms */
    const struct histogram *const *histograms; /* NULL in a line of values; valid ones */
    size_t count;
};

/* Into `arena`, where there is room for `label_room` more labels behind the labels. ERR_INVALID with what
 * is wrong in the line, ERR_LIMIT, ERR_NOMEM. */
int json_line_decode(struct str line, size_t label_room, struct arena *arena,
    struct json_line *line_out, struct err *e);
/* With the line's end. Errors stick in `out`. */
void json_line_encode(const struct label *labels, size_t label_count, const int64_t *times,
    const double *values, size_t count, struct strbuf *out);
void json_line_encode_histograms(const struct label *labels, size_t label_count,
    const int64_t *times, const struct histogram *const *histograms, size_t count,
    struct strbuf *out);

#endif
