/* Records in. The format is in wal_format.h. */
#include "wal/wal_decode.h"

#include <math.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "wal/wal_format.h"

/* Ids come from bytes, so they are looked up in a hash table, never used as an index: a hostile id
 * must not cost memory. */
struct decoder_target {
    uint32_t id;
    bool used;
    bool believed;    /* previous cells are known: no row was lost since the last key */
    uint8_t expected; /* counter of the next row */
    uint32_t columns; /* defined */
    size_t cap;
    int64_t t_ms;
    double *cells;
    uint8_t *kinds; /* of the columns */
};

struct id_table {
    struct decoder_target *slots; /* open addressing; for shapes only `id` and `used` matter */
    size_t cap, count;
};

struct wal_decoder {
    const struct wal_handler *handler;
    struct id_table targets, shapes;
    struct label *labels;
    size_t label_cap;
    uint32_t *row_columns;
    double *row_values;
    uint32_t *changed; /* positions among the cells of the row */
    size_t row_cap, value_cap, changed_cap;
};

enum { IDS_MAX = 1 << 30, ENTRIES_AT_ONCE = 1024 };

int wal_decoder_new(const struct wal_handler *handler, struct wal_decoder **decoder_out)
{
    struct wal_decoder *d = mem_calloc(1, sizeof(*d));
    if (d == NULL) {
        return ERR_NOMEM;
    }
    d->handler = handler;
    *decoder_out = d;
    return 0;
}

static void table_release(struct id_table *t)
{
    for (size_t i = 0; i < t->cap; i++) {
        mem_free(t->slots[i].cells);
        mem_free(t->slots[i].kinds);
    }
    mem_free(t->slots);
    *t = (struct id_table){NULL, 0, 0};
}

void wal_decoder_free(struct wal_decoder *d)
{
    if (d == NULL) {
        return;
    }
    wal_decoder_restart(d);
    mem_free(d->labels);
    mem_free(d->row_columns);
    mem_free(d->row_values);
    mem_free(d->changed);
    mem_free(d);
}

void wal_decoder_restart(struct wal_decoder *d)
{
    table_release(&d->targets);
    table_release(&d->shapes);
}

static size_t slot_of(const struct id_table *t, uint32_t id)
{
    size_t at = id * 0x9e3779b97f4a7c15ull >> 20 & (t->cap - 1);
    while (t->slots[at].used && t->slots[at].id != id) {
        at = (at + 1) & (t->cap - 1);
    }
    return at;
}

static struct decoder_target *table_find(const struct id_table *t, uint64_t id)
{
    if (t->cap == 0 || id > UINT32_MAX) {
        return NULL;
    }
    struct decoder_target *slot = &t->slots[slot_of(t, (uint32_t)id)];
    return slot->used ? slot : NULL;
}

static int table_grow(struct id_table *t)
{
    struct id_table grown = {NULL, t->cap == 0 ? 64 : t->cap * 2, t->count};
    if (grown.cap > IDS_MAX) {
        return ERR_LIMIT;
    }
    grown.slots = mem_calloc(grown.cap, sizeof(*grown.slots));
    if (grown.slots == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < t->cap; i++) {
        if (t->slots[i].used) {
            grown.slots[slot_of(&grown, t->slots[i].id)] = t->slots[i];
        }
    }
    mem_free(t->slots);
    *t = grown;
    return 0;
}

static int table_add(struct id_table *t, uint32_t id)
{
    int status = t->count * 2 >= t->cap ? table_grow(t) : 0;
    if (status != 0) {
        return status;
    }
    struct decoder_target *slot = &t->slots[slot_of(t, id)];
    if (slot->used) {
        return ERR_CORRUPT; /* defined twice */
    }
    slot->id = id;
    slot->used = true;
    t->count++;
    return 0;
}

/* Label pairs into d->labels: sorted, unique, values not empty. */
static int get_labels(struct wal_decoder *d, struct decbuf *in, size_t *count_out)
{
    uint64_t count = decbuf_uvarint(in);
    if (in->failed || count > LABELS_COUNT_MAX || count > decbuf_left(in) / 2) {
        return ERR_CORRUPT;
    }
    int status = mem_array_grow(
        (void **)&d->labels, &d->label_cap, count, sizeof(*d->labels), LABELS_COUNT_MAX);
    if (status != 0) {
        return status;
    }
    for (uint64_t i = 0; i < count; i++) {
        d->labels[i].name = decbuf_sized(in);
        d->labels[i].value = decbuf_sized(in);
        bool ordered = i == 0 || str_cmp(d->labels[i - 1].name, d->labels[i].name) < 0;
        if (in->failed || !ordered || d->labels[i].name.len == 0 || d->labels[i].value.len == 0) {
            return ERR_CORRUPT;
        }
    }
    *count_out = (size_t)count;
    return 0;
}

static int decode_definition(struct wal_decoder *d, struct decbuf *in, bool is_target)
{
    uint64_t id = decbuf_uvarint(in);
    size_t count = 0;
    if (in->failed || id > IDS_MAX) {
        return ERR_CORRUPT;
    }
    int status = get_labels(d, in, &count);
    if (status == 0) {
        status = table_add(is_target ? &d->targets : &d->shapes, (uint32_t)id);
    }
    if (status != 0) {
        return status;
    }
    int (*callback)(void *, uint32_t, const struct label *, size_t) =
        is_target ? d->handler->target : d->handler->shape;
    return callback != NULL ? callback(d->handler->context, (uint32_t)id, d->labels, count) : 0;
}

static int add_columns(struct decoder_target *target, const struct column *columns, uint32_t count)
{
    size_t kind_cap = target->cap, cell_cap = target->cap;
    uint32_t total = target->columns + count;
    int status = mem_array_grow((void **)&target->kinds, &kind_cap, total, 1, TABLE_COLUMNS_MAX);
    if (status == 0) {
        status = mem_array_grow(
            (void **)&target->cells, &cell_cap, total, sizeof(*target->cells), TABLE_COLUMNS_MAX);
    }
    if (status != 0) {
        return status;
    }
    target->cap = kind_cap < cell_cap ? kind_cap : cell_cap;
    for (uint32_t i = 0; i < count; i++) {
        target->kinds[target->columns + i] = (uint8_t)columns[i].kind;
        target->cells[target->columns + i] = 0;
    }
    target->columns = total;
    return 0;
}

static int decode_columns(struct wal_decoder *d, struct decbuf *in)
{
    struct column columns[ENTRIES_AT_ONCE];
    struct decoder_target *target = table_find(&d->targets, decbuf_uvarint(in));
    uint64_t first = decbuf_uvarint(in);
    uint64_t count = decbuf_uvarint(in);
    if (in->failed || count == 0 || count > ENTRIES_AT_ONCE) {
        return ERR_CORRUPT;
    }
    bool known = target != NULL && first == target->columns && first + count <= TABLE_COLUMNS_MAX;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t code = decbuf_uvarint(in);
        columns[i] = (struct column){(uint32_t)(code >> 1), (uint32_t)(code & 1)};
        known = known && table_find(&d->shapes, code >> 1) != NULL;
    }
    if (in->failed) {
        return ERR_CORRUPT;
    }
    if (!known) {
        return 0; /* its target, or a column before it, went with a damaged frame */
    }
    int status = add_columns(target, columns, (uint32_t)count);
    if (status != 0 || d->handler->columns == NULL) {
        return status;
    }
    return d->handler->columns(
        d->handler->context, target->id, (uint32_t)first, columns, (uint32_t)count);
}

static int grow_row(struct wal_decoder *d, size_t count)
{
    int status = mem_array_grow(
        (void **)&d->row_columns, &d->row_cap, count, sizeof(*d->row_columns), TABLE_COLUMNS_MAX);
    if (status == 0) {
        status = mem_array_grow((void **)&d->row_values, &d->value_cap, count,
            sizeof(*d->row_values), TABLE_COLUMNS_MAX);
    }
    if (status == 0) {
        status = mem_array_grow(
            (void **)&d->changed, &d->changed_cap, count, sizeof(*d->changed), TABLE_COLUMNS_MAX);
    }
    return status;
}

/* The columns that have a cell, into d->row_columns. */
static int get_ranges(struct wal_decoder *d, struct decbuf *in, size_t *count_out)
{
    uint64_t ranges = decbuf_uvarint(in);
    uint64_t column = 0, count = 0;
    if (in->failed || ranges == 0 || ranges > TABLE_COLUMNS_MAX) {
        return ERR_CORRUPT;
    }
    for (uint64_t r = 0; r < ranges; r++) {
        uint64_t gap = decbuf_uvarint(in);
        uint64_t length = decbuf_uvarint(in);
        if (in->failed || length == 0 || (r > 0 && gap == 0) || gap > TABLE_COLUMNS_MAX ||
            length > TABLE_COLUMNS_MAX || column + gap + length > TABLE_COLUMNS_MAX) {
            return ERR_CORRUPT;
        }
        column += gap;
        int status = grow_row(d, (size_t)(count + length));
        if (status != 0) {
            return status;
        }
        for (uint64_t i = 0; i < length; i++) {
            d->row_columns[count++] = (uint32_t)column++;
        }
    }
    *count_out = (size_t)count;
    return 0;
}

/* Positions of changed cells among `count`, into d->changed. */
static int get_gaps(struct wal_decoder *d, struct decbuf *in, size_t count, size_t *changed_out)
{
    size_t position = 0, changed = 0;
    while (position < count) {
        uint64_t gap = decbuf_uvarint(in);
        if (in->failed || gap > count - position) {
            return ERR_CORRUPT;
        }
        position += (size_t)gap;
        if (position < count) {
            d->changed[changed++] = (uint32_t)position++;
        }
    }
    *changed_out = changed;
    return 0;
}

/* The range in which the writer codes integer steps; a step that leaves it is not the writer's. */
static bool is_steppable(double v)
{
    return v >= -4503599627370496.0 && v <= 4503599627370496.0;
}

/* One changed cell. `codes` walks the codes, `tail` the bytes behind them. */
static bool get_change(struct decbuf *codes, struct decbuf *tail, double *cell)
{
    uint64_t code = decbuf_uvarint(codes);
    if ((code & 1) == 0) {
        double value =
            is_steppable(*cell)
                ? (double)(int64_t)((uint64_t)(int64_t)*cell + (uint64_t)zigzag_decode(code >> 1))
                : NAN;
        *cell = value;
        return is_steppable(value);
    }
    unsigned size = code >> 1 & 15, shift = (unsigned)(code >> 5 & 15);
    if (code >> 9 != 0 || size == 0 || size + shift > 8) {
        return false;
    }
    struct str bytes = decbuf_bytes(tail, size);
    uint64_t bits = 0;
    for (unsigned i = 0; i < size && !tail->failed; i++) {
        bits |= (uint64_t)(uint8_t)bytes.ptr[i] << 8 * (i + shift);
    }
    *cell = double_from_bits(double_bits(*cell) ^ bits);
    return !tail->failed;
}

/* Where the codes end: they are walked once to find the bytes behind them. */
static bool skip_codes(struct decbuf *in, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)decbuf_uvarint(in); /* failure sticks */
    }
    return !in->failed;
}

/* Applies the changes to the target's cells and fills d->row_values. With `target` NULL only walks
 * over the bytes. */
static int get_values(
    struct wal_decoder *d, struct decbuf *in, struct decoder_target *target, size_t count)
{
    size_t changed = 0;
    int status = get_gaps(d, in, count, &changed);
    if (status != 0) {
        return status;
    }
    struct decbuf codes = *in;
    if (!skip_codes(in, changed)) {
        return ERR_CORRUPT;
    }
    for (size_t i = 0; i < changed; i++) {
        double ignored = 0;
        double *cell = target != NULL ? &target->cells[d->row_columns[d->changed[i]]] : &ignored;
        if (!get_change(&codes, in, cell)) {
            return ERR_CORRUPT;
        }
    }
    for (size_t i = 0; target != NULL && i < count; i++) {
        d->row_values[i] = target->cells[d->row_columns[i]];
    }
    return in->failed ? ERR_CORRUPT : 0;
}

/* May this row be decoded against what is known of its target? Updates the book-keeping. */
static bool accept_row(struct decoder_target *target, bool key, uint8_t counter, uint32_t last)
{
    if (key) {
        for (uint32_t i = 0; i < target->columns; i++) {
            target->cells[i] = 0;
        }
        target->believed = true;
    } else if (!target->believed || counter != target->expected) {
        target->believed = false;
        return false;
    }
    if (last >= target->columns) { /* its definition went with a damaged frame */
        target->believed = false;
        return false;
    }
    target->expected = (uint8_t)(counter + 1);
    return true;
}

static int decode_row(struct wal_decoder *d, uint64_t lsn, struct decbuf *in,
    struct wal_replay_statistics *statistics)
{
    struct decoder_target *target = table_find(&d->targets, decbuf_uvarint(in));
    bool key = (decbuf_u8(in) & WAL_ROW_KEY) != 0;
    uint8_t counter = decbuf_u8(in);
    int64_t step = decbuf_svarint(in);
    size_t count = 0;
    int status = get_ranges(d, in, &count);
    if (status != 0) {
        return status;
    }
    bool accepted = target != NULL && accept_row(target, key, counter, d->row_columns[count - 1]);
    status = get_values(d, in, accepted ? target : NULL, count);
    if (status != 0) {
        return status;
    }
    if (!accepted) {
        statistics->lost_rows++;
        return 0;
    }
    target->t_ms = key ? step : (int64_t)((uint64_t)target->t_ms + (uint64_t)step);
    statistics->rows++;
    statistics->samples += count;
    return d->handler->row == NULL ? 0
                                   : d->handler->row(d->handler->context, lsn, target->id,
                                         target->t_ms, d->row_columns, d->row_values, count);
}

/* A column that exists and has the kind; else the record belongs to a lost definition. */
static bool has_column(const struct decoder_target *target, uint64_t column, enum column_kind kind)
{
    return target != NULL && column < target->columns && target->kinds[column] == kind;
}

static int decode_histogram(struct wal_decoder *d, uint64_t lsn, struct decbuf *in,
    struct wal_replay_statistics *statistics)
{
    struct decoder_target *target = table_find(&d->targets, decbuf_uvarint(in));
    int64_t t_ms = decbuf_svarint(in);
    uint64_t column = decbuf_uvarint(in);
    struct str bytes = decbuf_sized(in);
    if (in->failed || bytes.len > HISTOGRAM_CELL_BYTES_MAX) {
        return ERR_CORRUPT;
    }
    if (!has_column(target, column, COLUMN_HISTOGRAM)) {
        statistics->lost_rows++;
        return 0;
    }
    statistics->samples++;
    return d->handler->histogram == NULL ? 0
                                         : d->handler->histogram(d->handler->context, lsn,
                                               target->id, t_ms, (uint32_t)column, bytes);
}

static int decode_metadata(struct wal_decoder *d, uint64_t lsn, struct decbuf *in)
{
    uint8_t type = decbuf_u8(in);
    struct str metric = decbuf_sized(in);
    struct str help = decbuf_sized(in);
    struct str unit = decbuf_sized(in);
    if (in->failed || type > METRIC_TYPE_STATESET || metric.len == 0) {
        return ERR_CORRUPT;
    }
    return d->handler->metadata == NULL ? 0
                                        : d->handler->metadata(d->handler->context, lsn, metric,
                                              (enum metric_type)type, help, unit);
}

static int decode_exemplar(struct wal_decoder *d, uint64_t lsn, struct decbuf *in)
{
    struct decoder_target *target = table_find(&d->targets, decbuf_uvarint(in));
    uint64_t column = decbuf_uvarint(in);
    int64_t t_ms = decbuf_svarint(in);
    double value = double_from_bits(decbuf_le64(in));
    size_t count = 0;
    int status = in->failed ? ERR_CORRUPT : get_labels(d, in, &count);
    if (status != 0 || target == NULL || column >= target->columns ||
        d->handler->exemplar == NULL) {
        return status;
    }
    return d->handler->exemplar(
        d->handler->context, lsn, target->id, (uint32_t)column, t_ms, value, d->labels, count);
}

static int decode_record(struct wal_decoder *d, uint64_t lsn, struct decbuf *in,
    struct wal_replay_statistics *statistics)
{
    switch (decbuf_u8(in)) {
    case WAL_RECORD_TARGET:
        return decode_definition(d, in, true);
    case WAL_RECORD_SHAPE:
        return decode_definition(d, in, false);
    case WAL_RECORD_COLUMNS:
        return decode_columns(d, in);
    case WAL_RECORD_ROW:
        return decode_row(d, lsn, in, statistics);
    case WAL_RECORD_HISTOGRAM:
        return decode_histogram(d, lsn, in, statistics);
    case WAL_RECORD_METADATA:
        return decode_metadata(d, lsn, in);
    case WAL_RECORD_EXEMPLAR:
        return decode_exemplar(d, lsn, in);
    default:
        return ERR_CORRUPT;
    }
}

int wal_decode_frame(
    struct wal_decoder *d, uint64_t lsn, struct str plain, struct wal_replay_statistics *statistics)
{
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    int status = 0;
    while (status == 0 && in.p < in.end) {
        status = decode_record(d, lsn, &in, statistics);
    }
    return status;
}
