/* A page's bytes out of the spans of a pager; span_page_format.h says what they are.
 *
 * One pass over the spans in the page's order decodes each and hands its parts to columns; then each
 * column becomes a section. zstd does the rest: columns are alike in themselves, which is all it needs.
 */
#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "span/span_columns.h"
#include "span/span_page_format.h"
#include "span/span_page_out.h"
#include "span/span_pager.h"
#include "span/trace_bloom.h"
#include "span/value_filter.h"

enum {
    SHAPES_MAX = SPAN_PAGE_ROWS_MAX,
    COLUMN_SLOTS = 4 * SPAN_PAGE_COLUMNS_MAX,
    SHAPE_SLOTS = 2 * SHAPES_MAX,
    STATUS_SHIFT = 4,
    LIKELY_COLUMNS = 256,
    /* Rows, and bytes of each, that are fetched before they are read. */
    AHEAD = 3,
    CACHE_LINE = 64,
    FETCHED_MAX = 8 * CACHE_LINE,
};

/* A column of attributes. */
struct value_column {
    struct str key;
    enum attribute_kind kind;
    struct strbuf numbers;    /* bool, int, double, encoded */
    struct text_column texts; /* the others */
    uint64_t hash;            /* of the key (value_filter.h) */
};

struct writer {
    const struct span_pager *pager;
    struct span_pager_row *rows; /* its rows, in the page's order */
    struct arena arena;          /* of one span */
    uint32_t traces;
    uint32_t time_unit;
    uint64_t duration_max_ns;
    uint32_t *row_of_span; /* open addressing by span id: row + 1 */
    size_t row_slots;

    /* One buffer for each section that is written row by row. */
    struct strbuf sections[SPAN_SECTION_VALUES];
    struct text_column names;
    struct sparse_column more, events, links, messages, states, counts;
    uint64_t trace_start; /* of the trace before, in units */
    struct strbuf trace_ids, trace_rows;

    struct value_column *columns;
    size_t column_count;
    uint16_t *column_slots;
    uint16_t likely[LIKELY_COLUMNS]; /* index + 1 by a cheap look at key and kind */
    struct strbuf shapes;            /* encoded, one behind the other */
    size_t *shape_offsets;
    size_t shape_count;
    uint16_t *shape_slots; /* index + 1; needs SHAPES_MAX < 65536 */
    struct strbuf shape, part;
    struct hash_set values; /* for the filter */
    bool with_filter;
    int error; /* sticky */
};

static void fail(struct writer *w, int status)
{
    w->error = w->error != 0 ? w->error : status;
}

/* The bytes of a buffer that is used again and again: emptying it forgets its error. */
static struct str checked(struct writer *w, const struct strbuf *b)
{
    fail(w, strbuf_error(b));
    return strbuf_str(b);
}

/* ---- Times ---- */

/* The coarsest unit that divides all starts and durations. */
static uint32_t find_unit(const struct span_pager *p)
{
    static const uint32_t units[] = {1000000, 1000};
    for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
        bool divides = true;
        for (size_t i = 0; divides && i < p->row_count; i++) {
            const struct span_pager_row *row = &p->rows[i];
            divides = row->start_ns % units[u] == 0 &&
                      (int64_t)(row->end_ns - row->start_ns) % (int64_t)units[u] == 0;
        }
        if (divides) {
            return units[u];
        }
    }
    return 1;
}

/* ---- Attributes ---- */

static bool is_column(const struct value_column *c, const struct attribute *a)
{
    return c->kind == a->kind && str_eq(c->key, a->key);
}

static struct value_column *look_up_column(
    struct writer *w, const struct attribute *a, uint32_t *index)
{
    uint64_t hash = hash64(a->key.ptr, a->key.len, a->kind);
    size_t slot = hash % COLUMN_SLOTS;
    for (; w->column_slots[slot] != 0; slot = (slot + 1) % COLUMN_SLOTS) {
        struct value_column *c = &w->columns[w->column_slots[slot] - 1];
        if (is_column(c, a)) {
            *index = (uint32_t)(w->column_slots[slot] - 1);
            return c;
        }
    }
    if (w->column_count == SPAN_PAGE_COLUMNS_MAX) {
        return NULL;
    }
    *index = (uint32_t)w->column_count++;
    w->column_slots[slot] = (uint16_t)w->column_count;
    struct value_column *c = &w->columns[*index];
    *c = (struct value_column){.key = a->key, .kind = a->kind, .hash = value_filter_key(a->key)};
    strbuf_init(&c->numbers, SPAN_SECTION_BYTES_MAX);
    return c;
}

/* Keys are few and come again with each span: length and two of its letters tell most of them apart. */
static struct value_column *find_column(
    struct writer *w, const struct attribute *a, uint32_t *index)
{
    size_t size = a->key.len;
    uint8_t middle = size > 0 ? (uint8_t)a->key.ptr[size / 2] : 0;
    uint8_t last = size > 0 ? (uint8_t)a->key.ptr[size - 1] : 0;
    uint16_t *likely = &w->likely[(size * 31 + middle * 7u + last * 3u + a->kind) % LIKELY_COLUMNS];
    if (*likely != 0 && is_column(&w->columns[*likely - 1], a)) {
        *index = *likely - 1u;
        return &w->columns[*index];
    }
    struct value_column *c = look_up_column(w, a, index);
    if (c != NULL) {
        *likely = (uint16_t)(*index + 1);
    }
    return c;
}

static void note_value(struct writer *w, uint64_t hash)
{
    if (w->with_filter) {
        fail(w, hash_set_add(&w->values, hash));
    }
}

static void add_value(struct writer *w, struct value_column *c, const struct attribute *a)
{
    switch (a->kind) {
    case ATTRIBUTE_EMPTY:
        break;
    case ATTRIBUTE_BOOL:
        strbuf_add_char(&c->numbers, (char)a->boolean);
        break;
    case ATTRIBUTE_INT:
        column_add(&c->numbers, zigzag_encode(a->integer));
        note_value(w, value_filter_integer(c->hash, a->integer));
        break;
    case ATTRIBUTE_DOUBLE:
        strbuf_add_le64(&c->numbers, double_bits(a->number));
        break;
    default:
        fail(w, text_column_add(&c->texts, a->bytes));
    }
}

/* The number of the shape that `w->shape` spells. */
static uint32_t find_shape(struct writer *w)
{
    struct str shape = checked(w, &w->shape);
    size_t slot = hash64(shape.ptr, shape.len, 0) % SHAPE_SLOTS;
    for (; w->shape_slots[slot] != 0; slot = (slot + 1) % SHAPE_SLOTS) {
        size_t index = w->shape_slots[slot] - 1u;
        size_t end = index + 1 < w->shape_count ? w->shape_offsets[index + 1] : w->shapes.size;
        size_t begin = w->shape_offsets[index];
        if (end - begin == shape.len && memcmp(w->shapes.data + begin, shape.ptr, shape.len) == 0) {
            return (uint32_t)index;
        }
    }
    w->shape_offsets[w->shape_count] = w->shapes.size;
    strbuf_add_str(&w->shapes, shape);
    w->shape_slots[slot] = (uint16_t)++w->shape_count;
    return (uint32_t)w->shape_count - 1;
}

static void add_attributes(struct writer *w, uint32_t row, struct attributes list)
{
    uint32_t columns[OTLP_ATTRIBUTES_MAX], count = 0;
    strbuf_reset(&w->part);
    for (size_t i = 0; i < list.count; i++) {
        const struct attribute *a = &list.items[i];
        struct value_column *c = find_column(w, a, &columns[count]);
        if (c != NULL) {
            add_value(w, c, a);
            count++;
            continue;
        }
        struct strbuf pair = STRBUF_INIT;
        note_value(w, value_filter_other(value_filter_key(a->key)));
        otlp_key_value_encode(a, &pair);
        strbuf_add_sized(&w->part, checked(w, &pair));
        strbuf_release(&pair);
    }
    if (w->part.size > 0) {
        sparse_column_add(&w->more, row, checked(w, &w->part));
    }
    strbuf_reset(&w->shape);
    column_add(&w->shape, count);
    for (uint32_t i = 0; i < count; i++) {
        column_add(&w->shape, columns[i]);
    }
    column_add(&w->sections[SPAN_SECTION_OF_SHAPE], find_shape(w));
}

/* ---- Spans ---- */

static size_t slot_of_span(const struct writer *w, uint64_t span_id)
{
    return (size_t)hash_mix64(span_id) & (w->row_slots - 1);
}

/* So that parents are found: the first row of each span id. */
static int index_spans(struct writer *w)
{
    const struct span_pager *p = w->pager;
    w->row_slots = 16;
    while (w->row_slots < 2 * p->row_count) {
        w->row_slots *= 2;
    }
    w->row_of_span = mem_calloc(w->row_slots, sizeof(*w->row_of_span));
    if (w->row_of_span == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < p->row_count; i++) {
        size_t slot = slot_of_span(w, w->rows[i].span_id);
        while (w->row_of_span[slot] != 0 &&
               w->rows[w->row_of_span[slot] - 1].span_id != w->rows[i].span_id) {
            slot = (slot + 1) & (w->row_slots - 1);
        }
        if (w->row_of_span[slot] == 0) {
            w->row_of_span[slot] = (uint32_t)i + 1;
        }
    }
    return 0;
}

static void add_parent(struct writer *w, uint32_t row, uint64_t parent_id)
{
    struct strbuf *out = &w->sections[SPAN_SECTION_PARENTS];
    if (parent_id == 0) {
        column_add(out, 0);
        return;
    }
    size_t slot = slot_of_span(w, parent_id);
    while (w->row_of_span[slot] != 0) {
        uint32_t parent = w->row_of_span[slot] - 1;
        if (w->rows[parent].span_id == parent_id) {
            column_add(out, 2 + zigzag_encode((int64_t)row - parent));
            return;
        }
        slot = (slot + 1) & (w->row_slots - 1);
    }
    uint8_t bytes[SPAN_ID_BYTES];
    span_id_to_bytes(parent_id, bytes);
    column_add(out, 1);
    strbuf_add(&w->sections[SPAN_SECTION_PARENT_IDS], bytes, sizeof(bytes));
}

/* Of resources, events and links. */
static void note_attributes(struct writer *w, struct attributes list)
{
    for (size_t k = 0; w->with_filter && k < list.count; k++) {
        const struct attribute *a = &list.items[k];
        uint64_t key = value_filter_key(a->key);
        note_value(w, a->kind == ATTRIBUTE_STRING ? value_filter_text(key, a->bytes)
                      : a->kind == ATTRIBUTE_INT  ? value_filter_integer(key, a->integer)
                                                  : value_filter_other(key));
    }
}

/* Events or links, encoded: each v size, bytes. */
static void add_lists(struct writer *w, uint32_t row, const struct span *span)
{
    struct strbuf one = STRBUF_INIT;
    strbuf_reset(&w->part);
    for (size_t i = 0; i < span->event_count; i++) {
        strbuf_reset(&one);
        otlp_event_encode(&span->events[i], &one);
        note_attributes(w, span->events[i].attributes);
        strbuf_add_sized(&w->part, checked(w, &one));
    }
    if (span->event_count > 0) {
        sparse_column_add(&w->events, row, checked(w, &w->part));
    }
    strbuf_reset(&w->part);
    for (size_t i = 0; i < span->link_count; i++) {
        strbuf_reset(&one);
        otlp_link_encode(&span->links[i], &one);
        note_attributes(w, span->links[i].attributes);
        strbuf_add_sized(&w->part, checked(w, &one));
    }
    if (span->link_count > 0) {
        sparse_column_add(&w->links, row, checked(w, &w->part));
    }
    strbuf_release(&one);
}

static void add_rare(struct writer *w, uint32_t row, const struct span *span)
{
    add_lists(w, row, span);
    if (span->status_message.len > 0) {
        sparse_column_add(&w->messages, row, span->status_message);
    }
    if (span->trace_state.len > 0) {
        sparse_column_add(&w->states, row, span->trace_state);
    }
    if ((span->flags | span->dropped_attributes | span->dropped_events | span->dropped_links) !=
        0) {
        strbuf_reset(&w->part);
        strbuf_add_uvarint(&w->part, span->flags);
        strbuf_add_uvarint(&w->part, span->dropped_attributes);
        strbuf_add_uvarint(&w->part, span->dropped_events);
        strbuf_add_uvarint(&w->part, span->dropped_links);
        sparse_column_add(&w->counts, row, checked(w, &w->part));
    }
}

static void add_times(struct writer *w, const struct span_pager_row *row, const struct span *span)
{
    int64_t duration = (int64_t)(span->end_ns - span->start_ns);
    column_add(
        &w->sections[SPAN_SECTION_STARTS], (row->start_ns - row->trace_start_ns) / w->time_unit);
    column_add(
        &w->sections[SPAN_SECTION_DURATIONS], zigzag_encode(duration / (int64_t)w->time_unit));
    uint64_t shown = span_duration_ns(span);
    w->duration_max_ns = shown > w->duration_max_ns ? shown : w->duration_max_ns;
}

/* Spans of a trace lie where they came in, far from each other: they are fetched a little ahead. */
static void fetch_ahead(const struct writer *w, size_t number)
{
    if (number + AHEAD < w->pager->row_count) {
        const struct span_pager_row *row = &w->rows[number + AHEAD];
        for (uint32_t at = 0; at < row->size && at < FETCHED_MAX; at += CACHE_LINE) {
            __builtin_prefetch(row->raw + at);
        }
    }
}

static void add_span(struct writer *w, uint32_t number)
{
    const struct span_pager_row *row = &w->rows[number];
    struct span span;
    uint8_t id[SPAN_ID_BYTES];
    struct arena_mark mark = arena_mark(&w->arena);
    int status = otlp_span_decode_checked(str_make(row->raw, row->size), &w->arena, &span);
    assert(status != ERR_CORRUPT); /* it came out of the walker, or of the encoder */
    if (status != 0) {
        fail(w, status);
        return;
    }
    span_id_to_bytes(row->span_id, id);
    strbuf_add(&w->sections[SPAN_SECTION_SPAN_IDS], id, sizeof(id));
    add_parent(w, number, span.parent_id);
    add_times(w, row, &span);
    strbuf_add_char(&w->sections[SPAN_SECTION_KINDS],
        (char)((int)span.kind | (int)span.status << STATUS_SHIFT));
    fetch_ahead(w, number);
    fail(w, text_column_add(&w->names, span.name));
    column_add(&w->sections[SPAN_SECTION_OF_RESOURCE], row->resource);
    column_add(&w->sections[SPAN_SECTION_OF_SCOPE], row->scope);
    add_attributes(w, number, span.attributes);
    add_rare(w, number, &span);
    arena_rewind(&w->arena, mark);
}

/* Rows [first, end) are a trace's. */
static void add_trace(struct writer *w, size_t first, size_t end)
{
    const struct span_pager_row *row = &w->rows[first];
    uint64_t start = row->trace_start_ns / w->time_unit;
    uint8_t id[TRACE_ID_BYTES];
    trace_id_to_bytes(row->trace_id, id);
    strbuf_add(&w->trace_ids, id, sizeof(id));
    strbuf_add_uvarint(&w->trace_rows, end - first);
    strbuf_add_svarint(&w->trace_rows, (int64_t)(start - w->trace_start));
    w->trace_start = start;
}

/* ---- Sections ---- */

static void write_pool(
    struct writer *w, const struct span_pager_pool *pool, enum span_section section)
{
    struct strbuf *out = &w->sections[section];
    strbuf_add_uvarint(out, pool->count);
    for (size_t i = 0; i < pool->count; i++) {
        const struct span_pager_message *m = &pool->items[i];
        strbuf_add_sized(out, m->message);
        strbuf_add_sized(out, m->schema_url);
    }
}

static void write_sparse(
    struct writer *w, const struct sparse_column *column, enum span_section section)
{
    if (column->count > 0) {
        sparse_column_write(column, &w->sections[section]);
    }
}

static void note_resources(struct writer *w)
{
    for (size_t i = 0; i < w->pager->resources.count; i++) {
        const struct span_pager_message *m = &w->pager->resources.items[i];
        struct span_resource r;
        struct arena_mark mark = arena_mark(&w->arena);
        fail(w, otlp_resource_decode(m->message, &w->arena, &r));
        if (w->error == 0) {
            note_attributes(w, r.attributes);
        }
        arena_rewind(&w->arena, mark);
    }
}

static void write_texts(struct writer *w, struct value_column *c)
{
    bool plain = c->kind == ATTRIBUTE_STRING;
    fail(w, text_column_write(
                &c->texts, c->hash, plain && w->with_filter ? &w->values : NULL, &c->numbers));
}

static void fill_sections(struct writer *w)
{
    const struct strbuf *const parts[] = {
        &w->trace_ids, &w->trace_rows, &w->shapes, &w->shape, &w->part};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        fail(w, strbuf_error(parts[i]));
    }
    write_pool(w, &w->pager->resources, SPAN_SECTION_RESOURCES);
    write_pool(w, &w->pager->scopes, SPAN_SECTION_SCOPES);
    strbuf_add_str(&w->sections[SPAN_SECTION_TRACES], strbuf_str(&w->trace_ids));
    strbuf_add_str(&w->sections[SPAN_SECTION_TRACES], strbuf_str(&w->trace_rows));
    fail(w, text_column_write(&w->names, value_filter_key(STR(SPAN_WANT_NAME)),
                w->with_filter ? &w->values : NULL, &w->sections[SPAN_SECTION_NAMES]));
    if (w->with_filter) {
        note_resources(w);
    }
    if (w->column_count > 0) {
        strbuf_add_uvarint(&w->sections[SPAN_SECTION_SHAPES], w->shape_count);
        strbuf_add_str(&w->sections[SPAN_SECTION_SHAPES], strbuf_str(&w->shapes));
        strbuf_add_uvarint(&w->sections[SPAN_SECTION_COLUMNS], w->column_count);
    } else {
        strbuf_reset(&w->sections[SPAN_SECTION_OF_SHAPE]);
    }
    for (size_t i = 0; i < w->column_count; i++) {
        strbuf_add_sized(&w->sections[SPAN_SECTION_COLUMNS], w->columns[i].key);
        strbuf_add_char(&w->sections[SPAN_SECTION_COLUMNS], (char)w->columns[i].kind);
        if (w->columns[i].texts.count > 0) {
            write_texts(w, &w->columns[i]);
        }
        if (w->columns[i].kind != ATTRIBUTE_STRING && w->columns[i].kind != ATTRIBUTE_INT) {
            note_value(w, value_filter_other(w->columns[i].hash));
        }
    }
    write_sparse(w, &w->more, SPAN_SECTION_MORE);
    write_sparse(w, &w->events, SPAN_SECTION_EVENTS);
    write_sparse(w, &w->links, SPAN_SECTION_LINKS);
    write_sparse(w, &w->messages, SPAN_SECTION_MESSAGES);
    write_sparse(w, &w->states, SPAN_SECTION_STATES);
    write_sparse(w, &w->counts, SPAN_SECTION_COUNTS);
}

/* ---- The page ---- */

static struct span_page_info info_of(const struct writer *w)
{
    uint64_t start_max = 0;
    for (size_t i = 0; i < w->pager->row_count; i++) {
        start_max = w->rows[i].start_ns > start_max ? w->rows[i].start_ns : start_max;
    }
    return (struct span_page_info){.rows = (uint32_t)w->pager->row_count,
        .traces = w->traces,
        .start_min_ns = w->rows[0].trace_start_ns,
        .start_max_ns = start_max,
        .duration_max_ns = w->duration_max_ns};
}

static void add_bloom(struct writer *w, struct strbuf *bloom)
{
    size_t size = trace_bloom_size(w->traces);
    char *bits = strbuf_reserve(bloom, size);
    if (bits == NULL) {
        fail(w, strbuf_error(bloom));
        return;
    }
    memset(bits, 0, size);
    for (size_t i = 0; i < w->pager->row_count; i++) {
        if (i == 0 || !trace_id_eq(w->rows[i].trace_id, w->rows[i - 1].trace_id)) {
            trace_bloom_add((uint8_t *)bits, size, w->rows[i].trace_id);
        }
    }
    strbuf_commit(bloom, size);
}

static void write_page(
    struct writer *w, int level, const struct span_page_info *info, struct strbuf *out)
{
    struct span_page_out page;
    fail(w, span_page_out_begin(&page, level));
    for (uint32_t s = 0; w->error == 0 && s < SPAN_SECTION_VALUES; s++) {
        fail(w, span_page_out_section(&page, s, &w->sections[s]));
    }
    for (uint32_t c = 0; w->error == 0 && c < w->column_count; c++) {
        fail(w, span_page_out_section(&page, SPAN_SECTION_VALUES + c, &w->columns[c].numbers));
    }
    if (w->error == 0) {
        fail(w, span_page_out_finish(&page, info, w->time_unit, out));
    }
    span_page_out_release(&page);
}

/* ---- Life ---- */

static int writer_init(struct writer *w, const struct span_pager *pager, int level)
{
    *w = (struct writer){.pager = pager, .time_unit = 1, .with_filter = level > 0};
    arena_init(&w->arena, 0);
    void *kept = arena_alloc(&w->arena, 1); /* so that going back to the mark keeps a block */
    for (size_t s = 0; s < SPAN_SECTION_VALUES; s++) {
        strbuf_init(&w->sections[s], SPAN_SECTION_BYTES_MAX);
    }
    struct strbuf *const others[] = {
        &w->trace_ids, &w->trace_rows, &w->shapes, &w->shape, &w->part};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        strbuf_init(others[i], SPAN_SECTION_BYTES_MAX);
    }
    struct sparse_column *const sparse[] = {
        &w->more, &w->events, &w->links, &w->messages, &w->states, &w->counts};
    for (size_t i = 0; i < sizeof(sparse) / sizeof(sparse[0]); i++) {
        sparse_column_init(sparse[i]);
    }
    w->columns = mem_calloc(SPAN_PAGE_COLUMNS_MAX, sizeof(*w->columns));
    w->column_slots = mem_calloc(COLUMN_SLOTS, sizeof(*w->column_slots));
    w->shape_offsets = mem_calloc(SHAPES_MAX, sizeof(*w->shape_offsets));
    w->shape_slots = mem_calloc(SHAPE_SLOTS, sizeof(*w->shape_slots));
    w->rows = mem_dup(pager->rows, pager->row_count * sizeof(*w->rows));
    bool good = kept != NULL && w->rows != NULL && w->columns != NULL && w->column_slots != NULL &&
                w->shape_offsets != NULL && w->shape_slots != NULL;
    return good ? 0 : ERR_NOMEM;
}

static void writer_release(struct writer *w)
{
    for (size_t i = 0; i < w->column_count; i++) {
        strbuf_release(&w->columns[i].numbers);
        text_column_release(&w->columns[i].texts);
    }
    for (size_t s = 0; s < SPAN_SECTION_VALUES; s++) {
        strbuf_release(&w->sections[s]);
    }
    text_column_release(&w->names);
    sparse_column_release(&w->more);
    sparse_column_release(&w->events);
    sparse_column_release(&w->links);
    sparse_column_release(&w->messages);
    sparse_column_release(&w->states);
    sparse_column_release(&w->counts);
    strbuf_release(&w->trace_ids);
    strbuf_release(&w->trace_rows);
    strbuf_release(&w->shapes);
    strbuf_release(&w->shape);
    strbuf_release(&w->part);
    mem_free(w->columns);
    mem_free(w->column_slots);
    mem_free(w->shape_offsets);
    mem_free(w->shape_slots);
    hash_set_release(&w->values);
    mem_free(w->row_of_span);
    mem_free(w->rows);
    arena_release(&w->arena);
}

int span_pager_write(
    const struct span_pager *pager, int level, struct strbuf *out, struct span_page_made *made_out)
{
    struct writer w;
    assert(pager->row_count > 0);
    int status = writer_init(&w, pager, level);
    if (status == 0) {
        if (!pager->in_order) {
            span_pager_sort(w.rows, pager->row_count);
        }
        w.traces = span_pager_find_traces(w.rows, pager->row_count);
        w.time_unit = find_unit(pager);
    }
    status = status == 0 ? index_spans(&w) : status;
    fail(&w, status);
    size_t first = 0;
    for (size_t i = 0; w.error == 0 && i < pager->row_count; i++) {
        add_span(&w, (uint32_t)i);
        bool last = i + 1 == pager->row_count ||
                    !trace_id_eq(w.rows[i + 1].trace_id, w.rows[first].trace_id);
        if (last) {
            add_trace(&w, first, i + 1);
            first = i + 1;
        }
    }
    if (w.error == 0) {
        fill_sections(&w);
        fail(&w, strbuf_error(&made_out->filter));
        made_out->info = info_of(&w);
        add_bloom(&w, &made_out->bloom);
        if (w.with_filter) {
            fail(&w, hash_set_write(&w.values, &made_out->filter));
        }
        write_page(&w, level, &made_out->info, out);
    }
    status = w.error;
    writer_release(&w);
    return status;
}
