/* Remote read: the messages of prometheus.ReadRequest, ReadResponse and ChunkedReadResponse
 * (https://prometheus.io/docs/prometheus/latest/querying/remote_read_api/).
 *
 *   ReadRequest{queries 1, accepted_response_types 2}
 *   Query{start_timestamp_ms 1, end_timestamp_ms 2, matchers 3, hints 4}
 *   LabelMatcher{type 1 (= != =~ !~), name 2, value 3}
 *   ReadResponse{results 1{timeseries 1}}        TimeSeries as in remote write 1.0
 *   ChunkedReadResponse{chunked_series 1{labels 1, chunks 2}, query_index 2}
 *   Chunk{min_time_ms 1, max_time_ms 2, type 3, data 4}
 */
#ifndef SONDE_WIRE_REMOTE_READ_H
#define SONDE_WIRE_REMOTE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "model/matcher.h"

#define REMOTE_READ_REQUEST_MAX ((size_t)1 << 20)
#define REMOTE_READ_QUERIES_MAX 100
#define REMOTE_READ_MATCHERS_MAX 1000 /* of one query */

struct remote_read_query {
    int64_t start_ms, end_ms; /* both included */
    const struct matcher *const *matchers;
    size_t matcher_count;
};

struct remote_read_request {
    const struct remote_read_query *queries;
    size_t query_count;
    bool streamed; /* the first accepted type that is known is STREAMED_XOR_CHUNKS */
};

/* Everything lives in `arena`. ERR_CORRUPT, ERR_INVALID (a pattern, with its complaint), ERR_LIMIT,
 * ERR_NOMEM. */
int remote_read_decode(struct str message, struct arena *arena,
    struct remote_read_request *request_out, struct err *e);

/* ---- Answers, piece by piece; errors stick in `out` ---- */

/* One QueryResult as a field of ReadResponse; `timeseries` are fields written with
 * remote_write_encode_series and its like. */
void remote_read_encode_result(struct str timeseries, struct strbuf *out);

struct remote_read_chunk {
    int64_t min_t, max_t;
    unsigned type; /* 1 xor, 2 histogram, 3 float histogram */
    struct str data;
};

/* One ChunkedReadResponse with one series: labels as remote_write_encode_labels writes them. */
void remote_read_encode_chunks(size_t query_index, struct str labels,
    const struct remote_read_chunk *chunks, size_t chunk_count, struct strbuf *out);

#endif
