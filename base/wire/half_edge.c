/* Halves of calls, both ways. */
#include "wire/half_edge.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "protobuf_wire.h"

enum {
    FLAG_SERVER = 1,
    FLAG_FAILED = 2,
    FLAG_MESSAGING = 4,
    FLAG_DATABASE = 8,
    FLAG_WEIGHT = 16,
    FLAGS_ALL = 31,
    FIELD_TEXTS = 1,
    FIELD_HALVES = 2,
    SLOTS_MIN = 64,
    HALVES_MAX = 1 << 24,
};

#define BYTES_MAX ((size_t)32 << 20)

struct text {
    uint64_t hash;
    size_t offset, size; /* in `bytes` */
};

struct half_edge_encoder {
    struct strbuf bytes;  /* of the texts, one behind the other */
    struct strbuf halves; /* encoded fields */
    struct strbuf half;   /* the one at hand */
    struct text *texts;
    size_t text_count, text_cap;
    uint32_t *slots; /* place + 1 of a text; open addressing, at most half full */
    size_t slot_count;
    size_t *ends; /* of each half in `halves` */
    size_t count, cap;
    uint64_t seed;
};

int half_edge_encoder_new(struct half_edge_encoder **encoder_out)
{
    struct half_edge_encoder *e = mem_calloc(1, sizeof(*e));
    if (e == NULL) {
        return ERR_NOMEM;
    }
    strbuf_init(&e->bytes, HALF_EDGES_TEXTS_MAX * HALF_EDGES_TEXT_BYTES_MAX);
    strbuf_init(&e->halves, BYTES_MAX);
    strbuf_init(&e->half, BYTES_MAX);
    e->seed = hash_seed_random();
    e->slots = mem_calloc(SLOTS_MIN, sizeof(*e->slots));
    e->slot_count = SLOTS_MIN;
    if (e->slots == NULL) {
        half_edge_encoder_free(e);
        return ERR_NOMEM;
    }
    *encoder_out = e;
    return 0;
}

void half_edge_encoder_free(struct half_edge_encoder *e)
{
    if (e == NULL) {
        return;
    }
    strbuf_release(&e->bytes);
    strbuf_release(&e->halves);
    strbuf_release(&e->half);
    mem_free(e->texts);
    mem_free(e->slots);
    mem_free(e->ends);
    mem_free(e);
}

/* ---- Names ---- */

static size_t find_text(const struct half_edge_encoder *e, struct str text, uint64_t hash)
{
    size_t slot = hash & (e->slot_count - 1);
    while (e->slots[slot] != 0) {
        const struct text *t = &e->texts[e->slots[slot] - 1];
        if (t->hash == hash && str_eq(str_make(e->bytes.data + t->offset, t->size), text)) {
            break;
        }
        slot = (slot + 1) & (e->slot_count - 1);
    }
    return slot;
}

static int grow_slots(struct half_edge_encoder *e)
{
    size_t count = e->slot_count * 2;
    uint32_t *slots = mem_calloc(count, sizeof(*slots));
    if (slots == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < e->text_count; i++) {
        size_t slot = e->texts[i].hash & (count - 1);
        while (slots[slot] != 0) {
            slot = (slot + 1) & (count - 1);
        }
        slots[slot] = (uint32_t)i + 1;
    }
    mem_free(e->slots);
    e->slots = slots;
    e->slot_count = count;
    return 0;
}

/* Where a text is; it is added when it is new. */
static int place_text(struct half_edge_encoder *e, struct str text, uint32_t *place_out)
{
    text.len = text.len < HALF_EDGES_TEXT_BYTES_MAX ? text.len : HALF_EDGES_TEXT_BYTES_MAX;
    uint64_t hash = hash64(text.ptr, text.len, e->seed);
    size_t slot = find_text(e, text, hash);
    if (e->slots[slot] == 0) {
        int status = mem_array_grow((void **)&e->texts, &e->text_cap, e->text_count + 1,
            sizeof(*e->texts), HALF_EDGES_TEXTS_MAX);
        if (status == 0 && (e->text_count + 1) * 2 > e->slot_count) {
            status = grow_slots(e);
        }
        size_t offset = e->bytes.size;
        strbuf_add_str(&e->bytes, text);
        status = status == 0 ? strbuf_error(&e->bytes) : status;
        if (status != 0) {
            return status;
        }
        e->texts[e->text_count++] = (struct text){hash, offset, text.len};
        slot = find_text(e, text, hash);
        e->slots[slot] = (uint32_t)e->text_count;
    }
    *place_out = e->slots[slot] - 1;
    return 0;
}

/* ---- Out ---- */

static void write_half(struct strbuf *out, const struct half_edge *half, uint32_t service,
    uint32_t peer, bool has_peer)
{
    uint8_t head[TRACE_ID_BYTES + SPAN_ID_BYTES];
    bool weighs = half->weight != 1;
    int flags = (half->is_server ? FLAG_SERVER : 0) | (half->failed ? FLAG_FAILED : 0) |
                (half->messaging ? FLAG_MESSAGING : 0) | (half->database ? FLAG_DATABASE : 0) |
                (weighs ? FLAG_WEIGHT : 0);
    trace_id_to_bytes(half->trace_id, head);
    span_id_to_bytes(half->span_id, head + TRACE_ID_BYTES);
    strbuf_add(out, head, sizeof(head));
    strbuf_add_char(out, (char)flags);
    strbuf_add_uvarint(out, service);
    strbuf_add_uvarint(out, has_peer ? (uint64_t)peer + 1 : 0);
    strbuf_add_uvarint(out, half->duration_ns);
    if (weighs) {
        strbuf_add_le64(out, double_bits(half->weight));
    }
}

int half_edge_encoder_add(struct half_edge_encoder *e, const struct half_edge *half)
{
    uint32_t service = 0, peer = 0;
    int status = place_text(e, half->service, &service);
    if (status == 0 && half->peer.len > 0) {
        status = place_text(e, half->peer, &peer);
    }
    if (status == 0) {
        status =
            mem_array_grow((void **)&e->ends, &e->cap, e->count + 1, sizeof(*e->ends), HALVES_MAX);
    }
    if (status != 0) {
        return status;
    }
    size_t before = e->halves.size;
    strbuf_reset(&e->half);
    write_half(&e->half, half, service, peer, half->peer.len > 0);
    protobuf_put_bytes(&e->halves, FIELD_HALVES, strbuf_str(&e->half));
    status = strbuf_error(&e->half) != 0 ? strbuf_error(&e->half) : strbuf_error(&e->halves);
    if (status != 0) {
        e->halves.error = 0;
        strbuf_truncate(&e->halves, before);
        return status;
    }
    e->ends[e->count++] = e->halves.size;
    return 0;
}

size_t half_edge_encoder_count(const struct half_edge_encoder *e)
{
    return e->count;
}

size_t half_edge_encoder_bytes(const struct half_edge_encoder *e)
{
    return e->halves.size + e->bytes.size;
}

void half_edge_encoder_truncate(struct half_edge_encoder *e, size_t count)
{
    if (count < e->count) {
        strbuf_truncate(&e->halves, count > 0 ? e->ends[count - 1] : 0);
        e->count = count;
    }
}

void half_edge_encoder_finish(struct half_edge_encoder *e, struct strbuf *message)
{
    struct strbuf inner;
    strbuf_init(&inner, BYTES_MAX * 2);
    for (size_t i = 0; i < e->text_count; i++) {
        const struct text *t = &e->texts[i];
        protobuf_put_bytes(&inner, FIELD_TEXTS, str_make(e->bytes.data + t->offset, t->size));
    }
    strbuf_add_str(&inner, strbuf_str(&e->halves));
    protobuf_put_bytes(message, HALF_EDGES_FIELD, strbuf_str(&inner));
    if (strbuf_error(&inner) != 0 && message->error == 0) {
        message->error = strbuf_error(&inner);
    }
    strbuf_release(&inner);
    strbuf_reset(&e->bytes);
    strbuf_reset(&e->halves);
    memset(e->slots, 0, e->slot_count * sizeof(*e->slots));
    e->text_count = e->count = 0;
}

/* ---- In ---- */

void half_edge_reader_init(struct half_edge_reader *r, struct str message, struct arena *arena)
{
    *r = (struct half_edge_reader){.message = message, .halves = STR(""), .arena = arena};
}

/* The next field `number` that is bytes; moves on. 1, 0, ERR_CORRUPT. */
static int next_bytes(struct str *rest, uint32_t number, struct str *bytes_out)
{
    struct decbuf in = decbuf_of(rest->ptr, rest->len);
    struct protobuf_field f;
    while (protobuf_next(&in, &f)) {
        if (protobuf_is(&f, number, PROTOBUF_BYTES)) {
            *bytes_out = f.bytes;
            *rest = str_make((const char *)in.p, decbuf_left(&in));
            return 1;
        }
    }
    *rest = STR("");
    return in.failed ? ERR_CORRUPT : 0;
}

/* Enters HalfEdges: its texts first, wherever they are in it. */
static int enter(struct half_edge_reader *r, struct str list)
{
    struct str rest = list, text;
    size_t count = 0;
    int more;
    while ((more = next_bytes(&rest, FIELD_TEXTS, &text)) == 1) {
        if (++count > HALF_EDGES_TEXTS_MAX) {
            return ERR_LIMIT;
        }
    }
    struct str *texts = more == 0 ? arena_calloc(r->arena, count, sizeof(*texts)) : NULL;
    if (more != 0 || (texts == NULL && count > 0)) {
        return more != 0 ? more : arena_error(r->arena);
    }
    rest = list;
    for (size_t i = 0; i < count; i++) {
        (void)next_bytes(&rest, FIELD_TEXTS, &texts[i]); /* counted above */
        if (texts[i].len > HALF_EDGES_TEXT_BYTES_MAX) {
            return ERR_LIMIT;
        }
    }
    r->texts = texts;
    r->text_count = count;
    r->halves = list;
    return 0;
}

static int read_half(const struct half_edge_reader *r, struct str bytes, struct half_edge *half)
{
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct str ids = decbuf_bytes(&in, TRACE_ID_BYTES + SPAN_ID_BYTES);
    uint8_t flags = decbuf_u8(&in);
    uint64_t service = decbuf_uvarint(&in), peer = decbuf_uvarint(&in);
    uint64_t duration = decbuf_uvarint(&in);
    double weight = (flags & FLAG_WEIGHT) != 0 ? double_from_bits(decbuf_le64(&in)) : 1;
    if (in.failed || flags > FLAGS_ALL || service >= r->text_count || peer > r->text_count ||
        !(weight > 0) || isinf(weight)) {
        return ERR_CORRUPT;
    }
    const uint8_t *id = (const uint8_t *)ids.ptr;
    *half = (struct half_edge){
        .trace_id = trace_id_from_bytes(id),
        .span_id = span_id_from_bytes(id + TRACE_ID_BYTES),
        .is_server = (flags & FLAG_SERVER) != 0,
        .failed = (flags & FLAG_FAILED) != 0,
        .messaging = (flags & FLAG_MESSAGING) != 0,
        .database = (flags & FLAG_DATABASE) != 0,
        .service = r->texts[service],
        .peer = peer > 0 ? r->texts[peer - 1] : STR(""),
        .duration_ns = duration,
        .weight = weight,
    };
    return 0;
}

int half_edge_reader_next(struct half_edge_reader *r, struct half_edge *half_out)
{
    struct str bytes;
    for (;;) {
        int more = next_bytes(&r->halves, FIELD_HALVES, &bytes);
        if (more == 1) {
            int status = read_half(r, bytes, half_out);
            return status == 0 ? 1 : status;
        }
        more = more == 0 ? next_bytes(&r->message, HALF_EDGES_FIELD, &bytes) : more;
        if (more != 1) {
            return more;
        }
        int status = enter(r, bytes);
        if (status != 0) {
            return status;
        }
    }
}
