/* A query's result as the JSON of Prometheus' API:
 *
 *   {"resultType":"vector","result":[{"metric":{…},"value":[t,"v"]},…],"stats":{…}}
 *
 * resultType comes first: clients parse the stream. Times are seconds with milliseconds, values are
 * text, native histograms are {"count":"…","sum":"…","buckets":[[rule,"lower","upper","count"],…]}.
 */
#ifndef SONDE_QUERY_RESULT_JSON_H
#define SONDE_QUERY_RESULT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "query/engine.h"

struct result_json_options {
    size_t series_max; /* of vectors and matrices; 0 = all */
    bool with_statistics;
    bool with_reads;      /* among them what the store decoded (stats=all) */
    int64_t execution_ns; /* the whole query, for the statistics */
    /* What the text takes is charged here, as it grows, and added to *charged for whoever frees the text
     * to discharge. NULL: not charged. */
    struct memory_budget *memory;
    size_t *charged;
};

/* Writes the object. Returns whether series were left out. The buffer's error is ERR_BUSY when the budget
 * is used up. */
bool result_json_write(struct json_writer *json, const struct engine_result *result,
    const struct result_json_options *options);

/* {"__name__":"up","job":"node"} */
void result_json_labels(struct json_writer *json, const struct labels *labels);
void result_json_histogram(struct json_writer *json, const struct histogram *h);

#endif
