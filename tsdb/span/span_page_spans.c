/* Attributes by column, and whole spans put together again. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "span/span_page_private.h"

/* ---- Keys and shapes ---- */

int span_page_read_keys(struct span_page *page)
{
    struct str plain;
    int status = span_page_section(page, SPAN_SECTION_COLUMNS, &plain);
    if (status != 0 || plain.len == 0) {
        return status;
    }
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    uint64_t count = decbuf_uvarint(&in);
    if (in.failed || count > SPAN_PAGE_COLUMNS_MAX) {
        return ERR_CORRUPT;
    }
    page->attributes = arena_calloc(&page->arena, (size_t)count, sizeof(*page->attributes));
    page->attribute_read = arena_calloc(&page->arena, (size_t)count, sizeof(bool));
    if (page->attributes == NULL || page->attribute_read == NULL) {
        return ERR_NOMEM;
    }
    for (uint64_t i = 0; i < count; i++) {
        page->attributes[i].key = decbuf_sized(&in);
        uint8_t kind = decbuf_u8(&in);
        if (in.failed || kind > ATTRIBUTE_MAP) {
            return ERR_CORRUPT;
        }
        page->attributes[i].kind = (enum attribute_kind)kind;
    }
    page->attribute_count = (uint32_t)count;
    return decbuf_left(&in) == 0 ? 0 : ERR_CORRUPT;
}

uint32_t span_page_column_count(const struct span_page *page)
{
    return page->attribute_count;
}

void span_page_column_key(const struct span_page *page, uint32_t index, struct str *key_out,
    enum attribute_kind *kind_out)
{
    assert(index < page->attribute_count);
    *key_out = page->attributes[index].key;
    *kind_out = page->attributes[index].kind;
}

static int read_shape_list(struct span_page *page, struct decbuf *in, uint32_t count)
{
    struct page_shape *shapes = arena_calloc(&page->arena, count, sizeof(*shapes));
    int status = shapes == NULL ? ERR_NOMEM : 0;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        uint64_t columns = decbuf_uvarint(in);
        uint16_t *list = NULL;
        if (in->failed || columns > OTLP_ATTRIBUTES_MAX) {
            return ERR_CORRUPT;
        }
        status = span_page_indexes(page, in, (uint32_t)columns, page->attribute_count, &list);
        shapes[i] = (struct page_shape){list, (uint32_t)columns};
    }
    page->shapes = shapes;
    return status == 0 && decbuf_left(in) != 0 ? ERR_CORRUPT : status;
}

/* Shapes by column: what shapes say, turned around. */
static int turn_shapes(struct span_page *page, uint32_t shape_count)
{
    uint32_t columns = page->attribute_count, total = 0;
    uint32_t *first = arena_calloc(&page->arena, columns + 1, sizeof(*first));
    uint32_t *filled = arena_calloc(&page->arena, columns, sizeof(*filled));
    for (uint32_t s = 0; first != NULL && s < shape_count; s++) {
        for (uint32_t i = 0; i < page->shapes[s].count; i++) {
            first[page->shapes[s].columns[i] + 1]++;
            total++;
        }
    }
    uint32_t *list = arena_alloc(&page->arena, total * sizeof(*list));
    if (first == NULL || filled == NULL || list == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t c = 0; c < columns; c++) {
        first[c + 1] += first[c];
    }
    for (uint32_t s = 0; s < shape_count; s++) {
        for (uint32_t i = 0; i < page->shapes[s].count; i++) {
            uint32_t c = page->shapes[s].columns[i];
            list[first[c] + filled[c]++] = s;
        }
    }
    page->first_shape = first;
    page->shapes_of_columns = list;
    return 0;
}

/* Another column that is read, in the same shapes: it has its values in the same rows. */
static const struct span_page_column *find_twin(const struct span_page *page, uint32_t index)
{
    const uint32_t *first = page->first_shape, *shapes = page->shapes_of_columns;
    uint32_t count = first[index + 1] - first[index];
    for (uint32_t c = 0; c < page->attribute_count; c++) {
        if (c != index && page->attribute_read[c] && first[c + 1] - first[c] == count &&
            memcmp(shapes + first[c], shapes + first[index], count * sizeof(*shapes)) == 0) {
            return &page->attributes[c];
        }
    }
    return NULL;
}

/* Of a column that no span has twice, which is nearly every one: without a branch, as no row tells of the next. */
static void fill_single(const struct span_page *page, struct span_page_column *c,
    const uint16_t *times, uint16_t *rows, uint16_t *places)
{
    const uint16_t *of_shape = page->of_shape;
    uint32_t at = 0, count = page->info.rows;
    for (uint32_t row = 0; row < count; row++) {
        uint32_t has = times[of_shape[row]];
        rows[at] = (uint16_t)row;
        places[row] = (uint16_t)((at + 1) & (0 - has));
        at += has;
    }
    c->count = at;
}

static void fill_several(const struct span_page *page, struct span_page_column *c,
    const uint16_t *times, uint16_t *rows, uint16_t *places)
{
    uint32_t at = 0;
    for (uint32_t row = 0; row < page->info.rows; row++) {
        uint32_t n = times[page->of_shape[row]];
        bool several = n > 1 || (n == 1 && at + 1 >= SPAN_PAGE_PLACE_SEVERAL);
        places[row] = (uint16_t)(several ? SPAN_PAGE_PLACE_SEVERAL : n > 0 ? at + 1 : 0);
        for (; n > 0; n--) {
            rows[at++] = (uint16_t)row;
        }
    }
    c->several = true;
    c->count = at;
}

static int fill_rows(struct span_page *page, struct span_page_column *c, const uint16_t *times)
{
    uint32_t most = 0, total = page->info.rows + 1;
    for (uint32_t i = 0; i < page->shape_count; i++) {
        most = times[i] > most ? times[i] : most;
    }
    if (most > 1) {
        total = 0;
        for (uint32_t row = 0; row < page->info.rows; row++) {
            total += times[page->of_shape[row]];
        }
    }
    uint16_t *rows = arena_alloc(&page->arena, total * sizeof(*rows));
    uint16_t *places = arena_alloc(&page->arena, page->info.rows * sizeof(*places));
    if (rows == NULL || places == NULL) {
        return ERR_NOMEM;
    }
    (most > 1 ? fill_several : fill_single)(page, c, times, rows, places);
    c->rows = rows;
    c->places = places;
    return 0;
}

/* How many values a column has, and the row of each: for one column, when it is wanted: a search reads two of
 * dozens. */
static int find_rows(struct span_page *page, uint32_t index)
{
    struct span_page_column *c = &page->attributes[index];
    const struct span_page_column *twin = find_twin(page, index);
    if (twin != NULL) {
        c->rows = twin->rows;
        c->places = twin->places;
        c->several = twin->several;
        c->count = twin->count;
        return 0;
    }
    uint16_t *times = mem_calloc(page->shape_count, sizeof(*times)); /* by shape */
    if (times == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = page->first_shape[index]; i < page->first_shape[index + 1]; i++) {
        times[page->shapes_of_columns[i]]++;
    }
    int status = fill_rows(page, c, times);
    mem_free(times);
    return status;
}

static int read_shapes(struct span_page *page)
{
    struct str plain;
    uint16_t *of_shape = NULL;
    if (page->of_shape != NULL || page->attribute_count == 0) {
        return 0;
    }
    int status = span_page_glance(page, SPAN_SECTION_SHAPES, &plain);
    if (status != 0) {
        return status;
    }
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    uint64_t count = decbuf_uvarint(&in);
    if (in.failed || count == 0 || count > page->info.rows) {
        return ERR_CORRUPT;
    }
    status = read_shape_list(page, &in, (uint32_t)count);
    status = status == 0 ? span_page_glance(page, SPAN_SECTION_OF_SHAPE, &plain) : status;
    if (status != 0) {
        return status;
    }
    in = decbuf_of(plain.ptr, plain.len);
    status = span_page_indexes(page, &in, page->info.rows, (uint32_t)count, &of_shape);
    if (status != 0 || decbuf_left(&in) != 0) {
        return status != 0 ? status : ERR_CORRUPT;
    }
    status = turn_shapes(page, (uint32_t)count);
    if (status == 0) {
        page->of_shape = of_shape;
        page->shape_count = (uint32_t)count;
    }
    return status;
}

/* ---- Values ---- */

static int read_integers(struct span_page *page, struct decbuf *in, struct span_page_column *c)
{
    int64_t *values = arena_alloc(&page->arena, c->count * sizeof(*values));
    if (values == NULL) {
        return ERR_NOMEM;
    }
    int64_t least = INT64_MAX, greatest = INT64_MIN;
    for (uint32_t i = 0; i < c->count; i++) {
        values[i] = c->kind == ATTRIBUTE_BOOL ? decbuf_u8(in) != 0 : page_svarint(in);
        least = values[i] < least ? values[i] : least;
        greatest = values[i] > greatest ? values[i] : greatest;
    }
    c->integers = values;
    c->integer_min = least;
    c->integer_max = greatest;
    return in->failed ? ERR_CORRUPT : 0;
}

static int read_doubles(struct span_page *page, struct decbuf *in, struct span_page_column *c)
{
    double *values = arena_alloc(&page->arena, c->count * sizeof(*values));
    if (values == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        values[i] = double_from_bits(decbuf_le64(in));
    }
    c->numbers = values;
    return in->failed ? ERR_CORRUPT : 0;
}

static int read_values(struct span_page *page, struct decbuf *in, struct span_page_column *c)
{
    struct page_texts texts;
    int status = 0;
    switch (c->kind) {
    case ATTRIBUTE_EMPTY:
        break;
    case ATTRIBUTE_BOOL:
    case ATTRIBUTE_INT:
        status = read_integers(page, in, c);
        break;
    case ATTRIBUTE_DOUBLE:
        status = read_doubles(page, in, c);
        break;
    default:
        status = span_page_texts(page, in, c->count, &texts);
        if (status == 0) {
            c->texts = texts.texts;
            c->codes = texts.codes;
            c->text_count = texts.text_count;
        }
    }
    return status == 0 && decbuf_left(in) != 0 ? ERR_CORRUPT : status;
}

int span_page_column(struct span_page *page, uint32_t index, struct span_page_column *column_out)
{
    assert(index < page->attribute_count);
    struct span_page_column *c = &page->attributes[index];
    int status = read_shapes(page);
    if (status == 0 && !page->attribute_read[index]) {
        struct str plain = STR("");
        status = find_rows(page, index);
        if (status == 0) {
            status = span_page_glance(page, SPAN_SECTION_VALUES + index, &plain);
        }
        struct decbuf in = decbuf_of(plain.ptr, plain.len);
        status = status == 0 ? read_values(page, &in, c) : status;
        page->attribute_read[index] = status == 0;
    }
    if (status == 0) {
        *column_out = *c;
    }
    return status;
}

/* ---- Whole spans ---- */

static int read_id_list(
    struct span_page *page, uint32_t what, uint64_t **ids_out, size_t *count_out)
{
    struct str plain;
    int status = span_page_glance(page, what, &plain);
    if (status != 0 || plain.len % SPAN_ID_BYTES != 0) {
        return status != 0 ? status : ERR_CORRUPT;
    }
    size_t count = plain.len / SPAN_ID_BYTES;
    uint64_t *ids = arena_alloc(&page->arena, count * sizeof(*ids));
    if (ids == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        ids[i] = span_id_from_bytes((const uint8_t *)plain.ptr + i * SPAN_ID_BYTES);
    }
    *ids_out = ids;
    *count_out = count;
    return 0;
}

int span_page_read_ids(struct span_page *page)
{
    uint64_t *ids, *elsewhere, *parents;
    size_t id_count, elsewhere_count, used = 0;
    struct str plain;
    if (page->parent_ids != NULL) {
        return 0;
    }
    int status = read_id_list(page, SPAN_SECTION_SPAN_IDS, &ids, &id_count);
    if (status == 0) {
        status = read_id_list(page, SPAN_SECTION_PARENT_IDS, &elsewhere, &elsewhere_count);
    }
    status = status == 0 ? span_page_glance(page, SPAN_SECTION_PARENTS, &plain) : status;
    if (status != 0 || id_count != page->info.rows) {
        return status != 0 ? status : ERR_CORRUPT;
    }
    parents = arena_alloc(&page->arena, page->info.rows * sizeof(*parents));
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    if (parents == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t row = 0; row < page->info.rows; row++) {
        uint64_t code = decbuf_uvarint(&in);
        int64_t parent = code >= 2 ? (int64_t)row - zigzag_decode(code - 2) : 0;
        if (parent < 0 || parent >= page->info.rows || (code == 1 && used == elsewhere_count)) {
            return ERR_CORRUPT;
        }
        parents[row] = code == 0 ? 0 : code == 1 ? elsewhere[used++] : ids[parent];
    }
    if (in.failed || decbuf_left(&in) != 0 || used != elsewhere_count) {
        return ERR_CORRUPT;
    }
    page->span_ids = ids;
    page->parent_ids = parents;
    return 0;
}

int span_page_ids(struct span_page *page, const uint64_t **ids_out, const uint64_t **parents_out)
{
    int status = span_page_read_ids(page);
    *ids_out = page->span_ids;
    *parents_out = page->parent_ids;
    return status;
}

static int read_rare(struct span_page *page)
{
    if (page->rare_read) {
        return 0;
    }
    struct {
        uint32_t what;
        struct page_sparse *sparse;
    } const all[] = {{SPAN_SECTION_MORE, &page->more}, {SPAN_SECTION_EVENTS, &page->events},
        {SPAN_SECTION_LINKS, &page->links}, {SPAN_SECTION_MESSAGES, &page->messages},
        {SPAN_SECTION_STATES, &page->states}, {SPAN_SECTION_COUNTS, &page->counts}};
    int status = 0;
    for (size_t i = 0; status == 0 && i < sizeof(all) / sizeof(all[0]); i++) {
        status = span_page_sparse(page, all[i].what, all[i].sparse);
    }
    page->rare_read = status == 0;
    return status;
}

int span_page_extra(
    struct span_page *page, enum span_page_extra which, struct span_page_extras *extras_out)
{
    int status = read_rare(page);
    const struct page_sparse *sparse = which == SPAN_PAGE_EVENTS  ? &page->events
                                       : which == SPAN_PAGE_LINKS ? &page->links
                                                                  : &page->messages;
    if (status == 0) {
        *extras_out = (struct span_page_extras){sparse->rows, sparse->items, sparse->count};
    }
    return status;
}

/* The index of the first of `count` ascending rows that is not below `row`. */
static uint32_t lower_bound(const uint16_t *rows, uint32_t count, uint32_t row)
{
    uint32_t low = 0;
    while (low < count) {
        uint32_t middle = (low + count) / 2;
        if (rows[middle] < row) {
            low = middle + 1;
        } else {
            count = middle;
        }
    }
    return low;
}

/* What a sparse section says of a row; empty when nothing. */
static struct str sparse_at(const struct page_sparse *sparse, uint32_t row)
{
    uint32_t at = lower_bound(sparse->rows, sparse->count, row);
    return at < sparse->count && sparse->rows[at] == row ? sparse->items[at] : STR("");
}

static void take_value(const struct span_page_column *c, uint32_t at, struct attribute *a)
{
    *a = (struct attribute){.key = c->key, .kind = c->kind, .bytes = STR("")};
    switch (c->kind) {
    case ATTRIBUTE_EMPTY:
        break;
    case ATTRIBUTE_BOOL:
        a->boolean = c->integers[at] != 0;
        break;
    case ATTRIBUTE_INT:
        a->integer = c->integers[at];
        break;
    case ATTRIBUTE_DOUBLE:
        a->number = c->numbers[at];
        break;
    default:
        a->bytes = c->texts[c->codes[at]];
    }
}

/* How many pieces "v size, bytes" there are. */
static size_t count_pieces(struct str bytes)
{
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    size_t count = 0;
    while (decbuf_left(&in) > 0 && !in.failed) {
        (void)decbuf_sized(&in);
        count++;
    }
    return count;
}

static int take_attributes(
    struct span_page *page, uint32_t row, struct arena *arena, struct attributes *list_out)
{
    static const struct page_shape none = {NULL, 0};
    const struct page_shape *shape =
        page->attribute_count > 0 ? &page->shapes[page->of_shape[row]] : &none;
    struct str more = sparse_at(&page->more, row);
    size_t cap = shape->count + count_pieces(more), count = 0;
    struct attribute *items = arena_alloc(arena, cap * sizeof(*items));
    if (items == NULL) {
        return arena_error(arena);
    }
    for (uint32_t i = 0; i < shape->count; i++) {
        struct span_page_column c;
        int status = span_page_column(page, shape->columns[i], &c);
        if (status != 0) {
            return status;
        }
        uint32_t before = 0; /* the same key, earlier in this span */
        for (uint32_t k = 0; k < i; k++) {
            before += shape->columns[k] == shape->columns[i];
        }
        uint32_t at = c.places[row] != SPAN_PAGE_PLACE_SEVERAL
                          ? c.places[row] - 1u
                          : lower_bound(c.rows, c.count, row) + before;
        take_value(&c, at, &items[count++]);
    }
    struct decbuf in = decbuf_of(more.ptr, more.len);
    while (count < cap) {
        int status = otlp_key_value_decode(decbuf_sized(&in), &items[count++]);
        if (status != 0) {
            return status;
        }
    }
    *list_out = (struct attributes){items, count};
    return in.failed ? ERR_CORRUPT : 0;
}

static int take_events(struct str bytes, struct arena *arena, struct span *span)
{
    size_t count = count_pieces(bytes);
    struct span_event *events = arena_alloc(arena, count * sizeof(*events));
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    int status = events == NULL ? arena_error(arena) : 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = otlp_event_decode(decbuf_sized(&in), arena, &events[i]);
    }
    span->events = events;
    span->event_count = count;
    return in.failed ? ERR_CORRUPT : status;
}

static int take_links(struct str bytes, struct arena *arena, struct span *span)
{
    size_t count = count_pieces(bytes);
    struct span_link *links = arena_alloc(arena, count * sizeof(*links));
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    int status = links == NULL ? arena_error(arena) : 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = otlp_link_decode(decbuf_sized(&in), arena, &links[i]);
    }
    span->links = links;
    span->link_count = count;
    return in.failed ? ERR_CORRUPT : status;
}

static int take_counts(struct str bytes, struct span *span)
{
    if (bytes.len == 0) {
        return 0;
    }
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    span->flags = (uint32_t)decbuf_uvarint(&in);
    span->dropped_attributes = (uint32_t)decbuf_uvarint(&in);
    span->dropped_events = (uint32_t)decbuf_uvarint(&in);
    span->dropped_links = (uint32_t)decbuf_uvarint(&in);
    return in.failed || decbuf_left(&in) != 0 ? ERR_CORRUPT : 0;
}

static int take_span(struct span_page *page, const struct span_page_columns *c, uint32_t row,
    struct arena *arena, struct otlp_span *out)
{
    struct span *span = &out->span;
    *out = (struct otlp_span){
        .span =
            {
                .span_id = page->span_ids[row],
                .parent_id = page->parent_ids[row],
                .start_ns = c->start_ns[row],
                .end_ns = c->start_ns[row] + (uint64_t)page->durations[row],
                .kind = (enum span_kind)c->kind[row],
                .status = (enum span_status)c->status[row],
                .name = c->names[c->name[row]],
                .status_message = sparse_at(&page->messages, row),
                .trace_state = sparse_at(&page->states, row),
            },
        .resource = page->resources[c->resource[row]],
        .scope = &page->scopes[c->scope[row]],
        .resource_raw = page->resources_raw[c->resource[row]],
        .scope_raw = page->scopes_raw[c->scope[row]],
        .resource_number = c->resource[row] + 1,
        .scope_number = c->scope[row] + 1,
    };
    int status = take_attributes(page, row, arena, &span->attributes);
    status = status == 0 ? take_counts(sparse_at(&page->counts, row), span) : status;
    status = status == 0 ? take_events(sparse_at(&page->events, row), arena, span) : status;
    return status == 0 ? take_links(sparse_at(&page->links, row), arena, span) : status;
}

int span_page_spans(struct span_page *page, uint32_t first, uint32_t count, struct arena *arena,
    struct otlp_span *spans_out)
{
    struct span_page_columns c;
    assert(first + count <= page->info.rows);
    int status = span_page_columns(page, &c);
    status = status == 0 ? span_page_read_resources(page) : status;
    status = status == 0 ? span_page_read_scopes(page) : status;
    status = status == 0 ? span_page_read_ids(page) : status;
    status = status == 0 ? read_rare(page) : status;
    status = status == 0 ? read_shapes(page) : status;
    uint32_t trace = 0;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        status = take_span(page, &c, first + i, arena, &spans_out[i]);
        while (page->traces[trace].first + page->traces[trace].count <= first + i) {
            trace++;
        }
        spans_out[i].span.trace_id = page->traces[trace].id;
    }
    return status;
}
