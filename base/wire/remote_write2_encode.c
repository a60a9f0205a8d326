/* Remote write 2.0, writing: a table of symbols that grows as series come, and the series, encoded at
 * once. Both are byte runs of fields of Request, put one after the other at the end.
 */
#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "protobuf_wire.h"
#include "wire/remote_write2.h"

enum { SLOTS_MIN = 256 };

/* Where a symbol's text stands in the encoded symbols. */
struct symbol {
    uint32_t offset, size;
    uint32_t hash;
};

struct remote_write2_encoder {
    struct strbuf symbols; /* field 4 of Request, repeated */
    struct strbuf series;  /* field 5 of Request, repeated */
    struct strbuf body, inner, scratch;
    struct symbol *table;
    size_t symbol_count, symbol_cap;
    uint32_t *slots; /* open addressing: index + 1 into the table, 0 = free */
    size_t slot_count;
    int error;
};

int remote_write2_encoder_new(struct remote_write2_encoder **encoder_out)
{
    struct remote_write2_encoder *n = mem_calloc(1, sizeof(*n));
    if (n == NULL) {
        return ERR_NOMEM;
    }
    n->slots = mem_calloc(SLOTS_MIN, sizeof(*n->slots));
    if (n->slots == NULL) {
        mem_free(n);
        return ERR_NOMEM;
    }
    n->slot_count = SLOTS_MIN;
    strbuf_init(&n->symbols, REMOTE_WRITE_MESSAGE_MAX);
    strbuf_init(&n->series, REMOTE_WRITE_MESSAGE_MAX);
    strbuf_init(&n->body, REMOTE_WRITE_MESSAGE_MAX);
    strbuf_init(&n->inner, REMOTE_WRITE_MESSAGE_MAX);
    strbuf_init(&n->scratch, REMOTE_WRITE_MESSAGE_MAX);
    remote_write2_encoder_reset(n);
    *encoder_out = n;
    return 0;
}

void remote_write2_encoder_free(struct remote_write2_encoder *n)
{
    if (n == NULL) {
        return;
    }
    strbuf_release(&n->symbols);
    strbuf_release(&n->series);
    strbuf_release(&n->body);
    strbuf_release(&n->inner);
    strbuf_release(&n->scratch);
    mem_free(n->table);
    mem_free(n->slots);
    mem_free(n);
}

/* ---- Symbols ---- */

static void place(struct remote_write2_encoder *n, uint32_t hash, uint32_t index)
{
    size_t slot = hash & (n->slot_count - 1);
    while (n->slots[slot] != 0) {
        slot = (slot + 1) & (n->slot_count - 1);
    }
    n->slots[slot] = index + 1;
}

/* At most half of the slots are taken. */
static int make_room(struct remote_write2_encoder *n)
{
    if (2 * (n->symbol_count + 1) <= n->slot_count) {
        return 0;
    }
    uint32_t *slots = mem_calloc(2 * n->slot_count, sizeof(*slots));
    if (slots == NULL) {
        return ERR_NOMEM;
    }
    mem_free(n->slots);
    n->slots = slots;
    n->slot_count *= 2;
    for (size_t i = 0; i < n->symbol_count; i++) {
        place(n, n->table[i].hash, (uint32_t)i);
    }
    return 0;
}

static uint32_t add_symbol(struct remote_write2_encoder *n, struct str text, uint32_t hash)
{
    int status = mem_array_grow((void **)&n->table, &n->symbol_cap, n->symbol_count + 1,
        sizeof(*n->table), REMOTE_WRITE2_SYMBOLS_MAX);
    status = status == 0 ? make_room(n) : status;
    protobuf_put_bytes(&n->symbols, 4, text);
    status = status == 0 ? strbuf_error(&n->symbols) : status;
    if (status != 0) {
        n->error = status;
        return 0;
    }
    uint32_t index = (uint32_t)n->symbol_count++;
    n->table[index] = (struct symbol){
        .offset = (uint32_t)(n->symbols.size - text.len), .size = (uint32_t)text.len, .hash = hash};
    place(n, hash, index);
    return index;
}

/* The index of a text, which is new or known. */
static uint32_t symbol(struct remote_write2_encoder *n, struct str text)
{
    if (n->error != 0) {
        return 0;
    }
    uint32_t hash = (uint32_t)hash64(text.ptr, text.len, 0);
    for (size_t slot = hash & (n->slot_count - 1); n->slots[slot] != 0;
         slot = (slot + 1) & (n->slot_count - 1)) {
        const struct symbol *s = &n->table[n->slots[slot] - 1];
        if (s->hash == hash && str_eq(text, str_make(n->symbols.data + s->offset, s->size))) {
            return n->slots[slot] - 1;
        }
    }
    return add_symbol(n, text, hash);
}

void remote_write2_encoder_reset(struct remote_write2_encoder *n)
{
    strbuf_reset(&n->symbols);
    strbuf_reset(&n->series);
    memset(n->slots, 0, n->slot_count * sizeof(*n->slots));
    n->symbol_count = 0;
    n->error = 0;
    (void)symbol(n, STR("")); /* the first, by definition; errors stick */
}

/* ---- Series ---- */

/* labels_refs as field 1 of the message in `out`. */
static void put_references(
    struct remote_write2_encoder *n, const struct label *labels, size_t count, struct strbuf *out)
{
    strbuf_reset(&n->scratch);
    for (size_t i = 0; i < count; i++) {
        strbuf_add_uvarint(&n->scratch, symbol(n, labels[i].name));
        strbuf_add_uvarint(&n->scratch, symbol(n, labels[i].value));
    }
    if (count > 0) {
        protobuf_put_bytes(out, 1, strbuf_str(&n->scratch));
    }
}

/* Value and time; zeros are left out, as proto3 does. */
static void put_sample(
    struct remote_write2_encoder *n, double value, uint32_t time_field, int64_t t_ms)
{
    if (double_bits(value) != 0) {
        protobuf_put_double(&n->inner, time_field == 2 ? 1 : 2, value);
    }
    if (t_ms != 0) {
        protobuf_put_varint(&n->inner, time_field, (uint64_t)t_ms);
    }
}

static void put_metadata(struct remote_write2_encoder *n, const struct remote_write2_series *s)
{
    if (s->type == METRIC_TYPE_UNKNOWN && s->help.len == 0 && s->unit.len == 0) {
        return;
    }
    strbuf_reset(&n->inner);
    if (s->type != METRIC_TYPE_UNKNOWN) {
        protobuf_put_varint(&n->inner, 1, (uint64_t)s->type);
    }
    if (s->help.len > 0) {
        protobuf_put_varint(&n->inner, 3, symbol(n, s->help));
    }
    if (s->unit.len > 0) {
        protobuf_put_varint(&n->inner, 4, symbol(n, s->unit));
    }
    protobuf_put_bytes(&n->body, 5, strbuf_str(&n->inner));
}

void remote_write2_encoder_add(
    struct remote_write2_encoder *n, const struct remote_write2_series *s)
{
    assert(s->sample_count + s->histogram_count > 0);
    strbuf_reset(&n->body);
    put_references(n, s->labels, s->label_count, &n->body);
    for (size_t i = 0; i < s->sample_count; i++) {
        strbuf_reset(&n->inner);
        put_sample(n, s->samples[i].value, 2, s->samples[i].t_ms);
        protobuf_put_bytes(&n->body, 2, strbuf_str(&n->inner));
    }
    for (size_t i = 0; i < s->histogram_count; i++) {
        strbuf_reset(&n->inner);
        remote_write_encode_histogram(3, &s->histograms[i], &n->scratch, &n->body);
    }
    for (size_t i = 0; i < s->exemplar_count; i++) {
        const struct remote_write_exemplar *exemplar = &s->exemplars[i];
        strbuf_reset(&n->inner);
        put_references(n, exemplar->labels, exemplar->label_count, &n->inner);
        put_sample(n, exemplar->value, 3, exemplar->t_ms);
        protobuf_put_bytes(&n->body, 4, strbuf_str(&n->inner));
    }
    put_metadata(n, s);
    protobuf_put_bytes(&n->series, 5, strbuf_str(&n->body));
    const struct strbuf *all[] = {&n->body, &n->inner, &n->scratch, &n->series};
    for (size_t i = 0; n->error == 0 && i < sizeof(all) / sizeof(all[0]); i++) {
        n->error = strbuf_error(all[i]);
    }
}

size_t remote_write2_encoder_size(const struct remote_write2_encoder *n)
{
    return n->symbols.size + n->series.size;
}

int remote_write2_encoder_finish(const struct remote_write2_encoder *n, struct strbuf *out)
{
    if (n->error != 0) {
        return n->error;
    }
    if (remote_write2_encoder_size(n) > REMOTE_WRITE_MESSAGE_MAX) {
        return ERR_LIMIT;
    }
    strbuf_add_str(out, strbuf_str(&n->symbols));
    strbuf_add_str(out, strbuf_str(&n->series));
    return strbuf_error(out);
}
