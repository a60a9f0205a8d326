/* Remote read: POST /api/v1/read. What Prometheus asks when it is configured with remote_read: matchers and a
 * range, many queries in one request.
 *
 * Two kinds of answers. SAMPLES is one message in snappy's block format. STREAMED_XOR_CHUNKS is a row of
 * frames, one series each, of the chunks Prometheus' own store has:
 *
 *   uvarint size, u32 big-endian CRC-32C of the data, data: ChunkedReadResponse
 *
 * An answer is bounded: at most READ_SAMPLES_MAX samples, as in Prometheus.
 */
#include <assert.h>

#include "api/api_params.h"
#include "api/api_private.h"
#include "api/api_stream.h"
#include "api/series_union.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "tsdb/chunk.h"
#include "tsdb/crc32c.h"
#include "wire/remote_read.h"
#include "wire/remote_write.h"
#include "wire/snappy_codec.h"

/* Prometheus' --storage.remote.read-sample-limit. */
#define READ_SAMPLES_MAX ((size_t)50000000)
/* Memory of one series' samples. */
#define SERIES_BYTES_MAX ((size_t)2 << 30)
/* Prometheus' bytes of one frame; a series of more goes in several. */
#define FRAME_BYTES ((size_t)1 << 20)
enum { FRAME_CHUNKS_MAX = 1024 };

struct read {
    struct api_request *request;
    size_t samples_left;
    struct strbuf labels, scratch, data; /* of the series at hand */
    struct strbuf timeseries;            /* of the query at hand */
    struct strbuf body;                  /* of SAMPLES */
    struct api_stream answer;            /* of STREAMED_XOR_CHUNKS, frame by frame */
    struct remote_read_chunk chunks[FRAME_CHUNKS_MAX];
    size_t offsets[FRAME_CHUNKS_MAX]; /* of their bytes in data, which moves as it grows */
    size_t chunk_count;
};

/* ---- Samples ---- */

static void encode_samples(struct read *read, const struct series_union_samples *samples)
{
    struct strbuf *out = &read->data;
    strbuf_reset(out);
    strbuf_add_str(out, strbuf_str(&read->labels));
    for (size_t i = 0; i < samples->count; i++) {
        const struct histogram *h = samples->histograms != NULL ? samples->histograms[i] : NULL;
        if (h != NULL) {
            struct remote_write_histogram one = {samples->times[i], h};
            remote_write_encode_histogram(4, &one, &read->scratch, out);
        } else {
            struct sample one = {samples->times[i], samples->values[i]};
            remote_write_encode_sample(&one, out);
        }
    }
    remote_write_encode_series(strbuf_str(out), NULL, 0, &read->timeseries);
}

/* ---- Chunks ---- */

static void end_frame(struct read *read, size_t query)
{
    uint8_t crc[4];
    if (read->chunk_count == 0) {
        return;
    }
    for (size_t i = 0; i < read->chunk_count; i++) {
        read->chunks[i].data.ptr = read->data.data + read->offsets[i];
    }
    strbuf_reset(&read->scratch);
    remote_read_encode_chunks(
        query, strbuf_str(&read->labels), read->chunks, read->chunk_count, &read->scratch);
    put_le32(crc, __builtin_bswap32(crc32c(0, read->scratch.data, read->scratch.size)));
    strbuf_add_uvarint(&read->answer.out, read->scratch.size);
    strbuf_add(&read->answer.out, crc, sizeof(crc));
    strbuf_add_str(&read->answer.out, strbuf_str(&read->scratch));
    read->chunk_count = 0;
    strbuf_reset(&read->data);
}

/* `count` samples from `from` as one chunk, of one kind. */
static void add_chunk(
    struct read *read, const struct series_union_samples *s, size_t from, size_t count)
{
    size_t begin = read->data.size;
    unsigned type = CHUNK_XOR;
    if (s->histograms != NULL && s->histograms[from] != NULL) {
        const struct histogram *const *h = (const struct histogram *const *)&s->histograms[from];
        enum chunk_encoding encoding = histogram_chunk_encoding(h, count);
        enum chunk_reset reset =
            histogram_chunk_reset(from > 0 ? s->histograms[from - 1] : NULL, h[0]);
        histogram_chunk_encode(encoding, reset, &s->times[from], h, count, &read->data);
        type = encoding;
    } else {
        xor_chunk_encode(&s->times[from], &s->values[from], count, &read->data);
    }
    read->offsets[read->chunk_count] = begin;
    read->chunks[read->chunk_count++] = (struct remote_read_chunk){.min_t = s->times[from],
        .max_t = s->times[from + count - 1],
        .type = type,
        .data = {NULL, read->data.size - begin}};
}

/* How many samples from `from` go into one chunk. */
static size_t chunk_fit(const struct series_union_samples *s, size_t from)
{
    size_t count = 0,
           most = s->count - from < CHUNK_SAMPLES_MAX ? s->count - from : CHUNK_SAMPLES_MAX;
    bool histogram = s->histograms != NULL && s->histograms[from] != NULL;
    while (count < most &&
           (s->histograms != NULL && s->histograms[from + count] != NULL) == histogram) {
        count++;
    }
    return histogram
               ? histogram_chunk_fit((const struct histogram *const *)&s->histograms[from], count)
               : count;
}

static void encode_chunks(struct read *read, size_t query, const struct series_union_samples *s)
{
    strbuf_reset(&read->data);
    for (size_t from = 0; from < s->count;) {
        size_t count = chunk_fit(s, from);
        add_chunk(read, s, from, count);
        from += count;
        if (read->chunk_count == FRAME_CHUNKS_MAX || read->data.size >= FRAME_BYTES) {
            end_frame(read, query);
        }
    }
    end_frame(read, query);
}

/* ---- Queries ---- */

static int read_series(struct read *read, const struct remote_read_request *request, size_t query,
    struct series *series, struct err *e)
{
    struct arena arena;
    struct series_union_samples samples;
    const struct labels *labels = series_labels(series);
    arena_init(&arena, SERIES_BYTES_MAX);
    int status = series_union_read(series, read->samples_left, &arena, &samples, e);
    if (status == 0 && samples.count > 0) {
        read->samples_left -= samples.count;
        strbuf_reset(&read->labels);
        remote_write_encode_labels(labels_pairs(labels), labels_count(labels), &read->labels);
        if (request->streamed) {
            encode_chunks(read, query, &samples);
            status = api_stream_offer(&read->answer, e);
        } else {
            encode_samples(read, &samples);
        }
    }
    arena_release(&arena);
    return status;
}

static int read_query(
    struct read *read, const struct remote_read_request *request, size_t index, struct err *e)
{
    const struct remote_read_query *query = &request->queries[index];
    struct api_selector selector = {query->matchers, query->matcher_count};
    struct series_union_options options = {.min_t = query->start_ms,
        .max_t = query->end_ms,
        .selectors = &selector,
        .selector_count = 1};
    struct series_union s;
    if (query->end_ms < query->start_ms) {
        return err_set(e, ERR_INVALID, -1, "query %zu ends before it starts", index);
    }
    int status = series_union_open(read->request->api->backend.reads, &options, &s, e);
    if (status != 0) {
        return status;
    }
    strbuf_reset(&read->timeseries);
    for (size_t i = 0; status == 0 && i < s.count; i++) {
        status = read_series(read, request, index, s.series[i], e);
    }
    if (status == 0 && !request->streamed) {
        remote_read_encode_result(strbuf_str(&read->timeseries), &read->body);
    }
    series_union_close(&s);
    return status;
}

/* What any of the buffers could not hold. */
static int buffers_error(const struct read *read)
{
    const struct strbuf *all[] = {
        &read->labels, &read->scratch, &read->data, &read->timeseries, &read->body};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strbuf_error(all[i]) != 0) {
            return strbuf_error(all[i]);
        }
    }
    return 0;
}

static void answer_samples(struct read *read)
{
    struct api_request *r = read->request;
    struct strbuf packed = STRBUF_INIT;
    int status = snappy_encode(strbuf_str(&read->body), &packed);
    if (status != 0) {
        strbuf_release(&packed);
        api_fail(r, API_ERROR_INTERNAL, "%s", err_text(status));
        return;
    }
    http_exchange_set_header(r->exchange, "Content-Encoding", "snappy");
    api_reply(r, 200, "application/x-protobuf", &packed);
}

static void read_message(struct api_request *r, struct read *read, struct str message)
{
    struct remote_read_request request;
    struct err e = ERR_INIT;
    int status = remote_read_decode(message, http_exchange_arena(r->exchange), &request, &e);
    if (status == ERR_CORRUPT) {
        e.code = ERR_INVALID; /* the client's bytes, not the store's */
    }
    api_stream_open(
        &read->answer, r, "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse");
    for (size_t i = 0; status == 0 && i < request.query_count; i++) {
        status = read_query(read, &request, i, &e);
        if (status == 0 && atomic_load(&r->api->canceled)) {
            status = err_set(&e, ERR_CANCELED, -1, "the server is being stopped");
        }
    }
    if (status == 0) {
        status = buffers_error(read);
        if (status != 0) {
            err_set(&e, status, -1, "the answer is too large; ask for less");
        }
    }
    if (status != 0 || request.streamed) {
        api_stream_close(&read->answer, status, &e);
    } else {
        strbuf_release(&read->answer.out);
        answer_samples(read);
    }
}

void api_remote_read(struct api_request *r)
{
    /* Not in the request's arena: that may be gone as soon as the answer is given. */
    struct read *read = mem_calloc(1, sizeof(*read));
    if (read == NULL) {
        api_fail(r, API_ERROR_INTERNAL, "%s", err_text(ERR_NOMEM));
        return;
    }
    struct strbuf *all[] = {
        &read->labels, &read->scratch, &read->data, &read->timeseries, &read->body};
    struct strbuf message;
    read->request = r;
    read->samples_left = READ_SAMPLES_MAX;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        strbuf_init(all[i], STRBUF_LIMIT_DEFAULT);
    }
    strbuf_init(&message, REMOTE_READ_REQUEST_MAX);
    if (snappy_decode(http_exchange_body(r->exchange), REMOTE_READ_REQUEST_MAX, &message) != 0) {
        api_fail(r, API_ERROR_BAD_DATA,
            "the body is not snappy (block format) of at most %zu bytes", REMOTE_READ_REQUEST_MAX);
    } else {
        read_message(r, read, strbuf_str(&message));
    }
    strbuf_release(&message);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        strbuf_release(all[i]);
    }
    mem_free(read);
}
