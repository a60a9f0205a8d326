/* Remote read, reading requests and writing answers. */
#include "wire/remote_read.h"

#include "protobuf_wire.h"

enum { TYPE_SAMPLES = 0, TYPE_STREAMED_XOR_CHUNKS = 1 };

static int corrupt(struct err *e)
{
    return err_set(e, ERR_CORRUPT, -1, "malformed remote-read request");
}

static void free_matcher(void *object)
{
    matcher_free(object);
}

static int decode_matcher(
    struct str bytes, struct arena *arena, const struct matcher **matcher_out, struct err *e)
{
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    uint64_t type = 0;
    struct str name = STR(""), value = STR("");
    while (protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_VARINT)) {
            type = f.value;
        } else if (protobuf_is(&f, 2, PROTOBUF_BYTES)) {
            name = f.bytes;
        } else if (protobuf_is(&f, 3, PROTOBUF_BYTES)) {
            value = f.bytes;
        } else if (f.number <= 3) {
            return corrupt(e);
        }
    }
    if (in.failed) {
        return corrupt(e);
    }
    if (type > MATCHER_NOT_REGEX) {
        return err_set(e, ERR_INVALID, -1, "matcher of unknown type %u", (unsigned)(type & 0xffff));
    }
    struct matcher *matcher;
    int status = matcher_new((enum matcher_type)type, name, value, &matcher, e);
    if (status != 0) {
        return status;
    }
    status = arena_on_release(arena, free_matcher, matcher);
    if (status != 0) {
        matcher_free(matcher);
        return err_set(e, status, -1, "%s", err_text(status));
    }
    *matcher_out = matcher;
    return 0;
}

static int decode_query(
    struct str bytes, struct arena *arena, struct remote_read_query *query, struct err *e)
{
    const struct matcher *matchers[REMOTE_READ_MATCHERS_MAX];
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    size_t count = 0;
    while (protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_VARINT)) {
            query->start_ms = (int64_t)f.value;
        } else if (protobuf_is(&f, 2, PROTOBUF_VARINT)) {
            query->end_ms = (int64_t)f.value;
        } else if (protobuf_is(&f, 3, PROTOBUF_BYTES)) {
            if (count == REMOTE_READ_MATCHERS_MAX) {
                return err_set(e, ERR_LIMIT, -1, "more than %d matchers in one query",
                    REMOTE_READ_MATCHERS_MAX);
            }
            int status = decode_matcher(f.bytes, arena, &matchers[count++], e);
            if (status != 0) {
                return status;
            }
        } else if (f.number <= 3) {
            return corrupt(e);
        }
    }
    if (in.failed) {
        return corrupt(e);
    }
    query->matchers = arena_dup(arena, matchers, count * sizeof(matchers[0]));
    query->matcher_count = count;
    return query->matchers == NULL
               ? err_set(e, arena_error(arena), -1, "%s", err_text(arena_error(arena)))
               : 0;
}

/* The types a client takes, best first: a single one, or a packed run. */
static void take_types(const struct protobuf_field *f, bool *decided, bool *streamed)
{
    struct decbuf in = decbuf_of(f->bytes.ptr, f->type == PROTOBUF_BYTES ? f->bytes.len : 0);
    bool single = f->type == PROTOBUF_VARINT;
    while (!*decided && (single || in.p < in.end)) {
        uint64_t type = single ? f->value : protobuf_varint(&in);
        *decided = !in.failed && type <= TYPE_STREAMED_XOR_CHUNKS;
        *streamed = *decided && type == TYPE_STREAMED_XOR_CHUNKS;
        if (single || in.failed) {
            return;
        }
    }
}

int remote_read_decode(
    struct str message, struct arena *arena, struct remote_read_request *request_out, struct err *e)
{
    struct remote_read_request request = {0};
    struct remote_read_query *queries =
        arena_calloc(arena, REMOTE_READ_QUERIES_MAX, sizeof(*queries));
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    bool decided = false;
    if (queries == NULL) {
        return err_set(e, arena_error(arena), -1, "%s", err_text(arena_error(arena)));
    }
    while (protobuf_next(&in, &f)) {
        if (protobuf_is(&f, 1, PROTOBUF_BYTES)) {
            if (request.query_count == REMOTE_READ_QUERIES_MAX) {
                return err_set(e, ERR_LIMIT, -1, "more than %d queries in one request",
                    REMOTE_READ_QUERIES_MAX);
            }
            int status = decode_query(f.bytes, arena, &queries[request.query_count++], e);
            if (status != 0) {
                return status;
            }
        } else if (f.number == 2 && (f.type == PROTOBUF_VARINT || f.type == PROTOBUF_BYTES)) {
            take_types(&f, &decided, &request.streamed);
        } else if (f.number <= 2) {
            return corrupt(e);
        }
    }
    if (in.failed) {
        return corrupt(e);
    }
    request.queries = queries;
    *request_out = request;
    return 0;
}

/* ---- Answers ---- */

void remote_read_encode_result(struct str timeseries, struct strbuf *out)
{
    protobuf_put_bytes(out, 1, timeseries);
}

static size_t chunk_size(const struct remote_read_chunk *c)
{
    return 1 + uvarint_size((uint64_t)c->min_t) + 1 + uvarint_size((uint64_t)c->max_t) + 1 +
           uvarint_size(c->type) + 1 + uvarint_size(c->data.len) + c->data.len;
}

void remote_read_encode_chunks(size_t query_index, struct str labels,
    const struct remote_read_chunk *chunks, size_t chunk_count, struct strbuf *out)
{
    size_t size = labels.len;
    for (size_t i = 0; i < chunk_count; i++) {
        size_t inner = chunk_size(&chunks[i]);
        size += 1 + uvarint_size(inner) + inner;
    }
    protobuf_put_key(out, 1, PROTOBUF_BYTES);
    strbuf_add_uvarint(out, size);
    strbuf_add_str(out, labels);
    for (size_t i = 0; i < chunk_count; i++) {
        const struct remote_read_chunk *c = &chunks[i];
        protobuf_put_key(out, 2, PROTOBUF_BYTES);
        strbuf_add_uvarint(out, chunk_size(c));
        protobuf_put_varint(out, 1, (uint64_t)c->min_t);
        protobuf_put_varint(out, 2, (uint64_t)c->max_t);
        protobuf_put_varint(out, 3, c->type);
        protobuf_put_bytes(out, 4, c->data);
    }
    protobuf_put_varint(out, 2, query_index);
}
