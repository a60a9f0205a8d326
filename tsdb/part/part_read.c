/* Reading one column of one table: the times of its group, its run, its block. A page is verified
 * once, when it comes from the disk; what a buffer read last it keeps, so that neighbours (the next
 * table of the same run, the next column of the same group) cost no second read.
 *
 * A block that leans on other columns needs their values first, down a chain of at most
 * PART_REFERENCE_DEPTH_MAX links. Columns that were leaned on, or lean themselves, are remembered for
 * a while, so that reading a histogram bucket by bucket decodes each bucket once. */
#include <string.h>

#include "base/mem.h"
#include "part/part_page.h"
#include "part/part_private.h"
#include "row/column_block.h"
#include "row/row_times.h"

/* Columns of one table that are remembered. */
#define REMEMBERED_COLUMNS 8

/* Which column of which table. */
struct place {
    uint32_t group, table, column;
};

struct remembered {
    struct place place;
    double *values; /* of a whole group's rows; NULL = nothing is remembered here */
};

/* One link of a chain while it is followed: the block, whose page may go meanwhile, and the sum of
 * what it leans on. */
struct link {
    char block[COLUMN_BLOCK_SIZE_MAX(PART_GROUP_ROWS_MAX)];
    double sum[PART_GROUP_ROWS_MAX];
    double values[PART_GROUP_ROWS_MAX]; /* of one of those */
};

struct buffer_state {
    uint64_t identity;         /* of the part the rest speaks of; 0 = nothing */
    struct part_page_ref page; /* the value page read last */
    struct part_cache *cache;
    uint64_t page_offset;
    uint32_t times_group, times_stream, times_rows; /* what `rows` holds */
    int64_t rows[PART_GROUP_ROWS_MAX];
    struct zstd_codec *zstd;
    struct strbuf histograms;
    struct link *links[PART_REFERENCE_DEPTH_MAX]; /* made when first needed */
    struct remembered remembered[REMEMBERED_COLUMNS];
    uint32_t remembered_next; /* goes round */
};

void part_buffer_init(struct part_buffer *b)
{
    *b = (struct part_buffer){0};
}

static void forget_page(struct buffer_state *s)
{
    if (s->page.entry != NULL) {
        part_cache_unref(s->cache, &s->page);
    }
    s->page = (struct part_page_ref){.entry = NULL};
}

void part_buffer_release(struct part_buffer *b)
{
    struct buffer_state *s = b->private_state;
    if (s != NULL) {
        forget_page(s);
        zstd_codec_free(s->zstd);
        strbuf_release(&s->histograms);
        for (size_t i = 0; i < PART_REFERENCE_DEPTH_MAX; i++) {
            mem_free(s->links[i]);
        }
        for (size_t i = 0; i < REMEMBERED_COLUMNS; i++) {
            mem_free(s->remembered[i].values);
        }
        mem_free(s);
    }
    mem_free(b->times);
    mem_free(b->values);
    mem_free(b->histograms);
    mem_free(b->presence);
    mem_free(b->bytes);
    part_buffer_init(b);
}

/* The state without its rows, which are written before they are read: clearing them would cost more
 * than most reads. */
static struct buffer_state *state_new(void)
{
    struct buffer_state *s = mem_alloc(sizeof(*s));
    if (s != NULL) {
        s->identity = 0;
        s->page = (struct part_page_ref){.entry = NULL};
        s->cache = NULL;
        s->page_offset = 0;
        s->times_group = UINT32_MAX;
        s->times_stream = 0;
        s->times_rows = 0;
        s->zstd = NULL;
        memset(s->links, 0, sizeof(s->links));
        memset(s->remembered, 0, sizeof(s->remembered));
        s->remembered_next = 0;
        strbuf_init(&s->histograms, PART_PAGE_BYTES_MAX);
    }
    return s;
}

/* Arrays for a whole group's rows, made once. */
static int prepare(struct part_buffer *b, struct part *p, struct buffer_state **state_out)
{
    if (b->private_state == NULL) {
        struct buffer_state *s = state_new();
        b->times = mem_alloc(PART_GROUP_ROWS_MAX * sizeof(*b->times));
        b->values = mem_alloc(PART_GROUP_ROWS_MAX * sizeof(*b->values));
        b->presence = mem_alloc(PRESENCE_WORDS(PART_GROUP_ROWS_MAX) * sizeof(*b->presence));
        if (s == NULL || b->times == NULL || b->values == NULL || b->presence == NULL) {
            mem_free(s);
            part_buffer_release(b);
            return ERR_NOMEM;
        }
        b->cap = PART_GROUP_ROWS_MAX;
        b->private_state = s;
    }
    struct buffer_state *s = b->private_state;
    if (s->identity != p->identity) {
        forget_page(s);
        s->identity = p->identity;
        s->cache = p->cache;
        s->times_group = UINT32_MAX;
        s->page_offset = 0;
        for (size_t i = 0; i < REMEMBERED_COLUMNS; i++) {
            s->remembered[i].place.group = UINT32_MAX;
        }
    }
    *state_out = s;
    return 0;
}

/* A page of the file, verified: from the cache, or read into the buffer's own bytes and given to the
 * cache. */
static int load_page(struct part *p, struct part_buffer *b, uint64_t offset, uint64_t size,
    struct part_page_ref *ref_out)
{
    if (p->cache != NULL && part_cache_find(p->cache, p->identity, offset, ref_out)) {
        return 0;
    }
    int status =
        mem_array_grow((void **)&b->bytes, &b->bytes_cap, (size_t)size, 1, PART_PAGE_BYTES_MAX);
    if (status == 0) {
        status = vfs_pread_exact(p->fs, p->file, offset, b->bytes, (size_t)size);
    }
    struct str page = {NULL, 0};
    if (status == 0) {
        status = part_page_check(str_make((const char *)b->bytes, (size_t)size), &page);
    }
    if (status == 0) {
        *ref_out = (struct part_page_ref){page, NULL};
        if (p->cache != NULL) {
            part_cache_add(p->cache, p->identity, offset, page);
        }
    }
    return status;
}

/* The rows of a table into s->rows. */
static int load_times(
    struct part *p, struct buffer_state *s, struct part_buffer *b, uint32_t group, uint32_t table)
{
    const struct part_group_place *place = &p->places[group];
    struct part_page_ref ref = {.entry = NULL};
    struct part_stream stream;
    /* The value page may live in the same bytes; it is read again after this. */
    if (s->page.entry == NULL) {
        s->page_offset = 0;
    }
    int status = load_page(p, b, place->body, place->times_size, &ref);
    if (status == 0) {
        status = part_times_find(ref.page, p->groups[group].target_count, table, &stream);
    }
    if (status == 0 && (s->times_group != group || s->times_stream != stream.index)) {
        s->times_group = UINT32_MAX;
        status = row_times_decode(stream.bytes.ptr, stream.bytes.len, stream.rows, s->rows);
        if (status == 0) {
            s->times_group = group;
            s->times_stream = stream.index;
            s->times_rows = stream.rows;
        }
    }
    if (ref.entry != NULL) {
        part_cache_unref(p->cache, &ref);
    }
    return status;
}

/* Which page holds a column: the last one that begins at or before it. */
static uint32_t page_of(const struct part_group_place *place, uint32_t column)
{
    uint32_t low = 0, high = place->page_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (place->page_columns[middle] <= column) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The block of a column of a table, borrowed from the page that the buffer holds, and what its run
 * leans on. */
static int load_block(struct part *p, struct buffer_state *s, struct part_buffer *b,
    struct place at, struct part_references *references_out, struct str *block_out)
{
    uint32_t group = at.group, column = at.column;
    const struct part_group_place *place = &p->places[group];
    uint32_t index = page_of(place, column);
    uint64_t offset = place->page_offsets[index];
    int status = 0;
    if (s->page_offset != offset) {
        forget_page(s);
        s->page_offset = 0;
        status = load_page(p, b, offset, place->page_offsets[index + 1] - offset, &s->page);
        s->page_offset = status == 0 ? offset : 0;
    }
    struct str run;
    uint32_t runs = 0, columns = p->schemas[p->groups[group].schema].column_count;
    uint32_t expected = (index + 1 < place->page_count ? place->page_columns[index + 1] : columns) -
                        place->page_columns[index];
    if (status == 0) {
        status = part_page_run(s->page.page, column - place->page_columns[index], &runs, &run);
    }
    if (status == 0 && runs != expected) {
        status = ERR_CORRUPT;
    }
    return status != 0 ? status
                       : part_run_find(run, column, p->groups[group].target_count, at.table,
                             references_out, block_out);
}

/* ---- Columns that lean on others ---- */

static const double *recall(const struct buffer_state *s, struct place at)
{
    for (size_t i = 0; i < REMEMBERED_COLUMNS; i++) {
        const struct remembered *r = &s->remembered[i];
        if (r->values != NULL && r->place.column == at.column && r->place.table == at.table &&
            r->place.group == at.group) {
            return r->values;
        }
    }
    return NULL;
}

/* Forgotten again when memory is short. */
static void remember(struct buffer_state *s, struct place at, const double *values)
{
    struct remembered *r = &s->remembered[s->remembered_next++ % REMEMBERED_COLUMNS];
    if (r->values == NULL) {
        r->values = mem_calloc(PART_GROUP_ROWS_MAX, sizeof(*r->values));
    }
    if (r->values != NULL) {
        r->place = at;
        memcpy(r->values, values, s->times_rows * sizeof(*values));
    }
}

static int read_floats(struct part *p, struct buffer_state *s, struct part_buffer *b,
    struct place at, uint32_t depth, double *values_out, uint64_t *presence_out);

/* Adds the values of a reference of the column at `at` to the sum in `link`. */
static int add_reference(struct part *p, struct buffer_state *s, struct part_buffer *b,
    struct place at, const struct part_reference *reference, uint32_t depth, struct link *link)
{
    uint32_t kind = p->schemas[p->groups[at.group].schema].columns[reference->column].kind;
    at.column = reference->column;
    const double *values = recall(s, at);
    int status = kind == COLUMN_FLOAT ? 0 : ERR_CORRUPT;
    if (status == 0 && values == NULL) {
        status = read_floats(p, s, b, at, depth, link->values, NULL);
        if (status == 0) {
            remember(s, at, link->values);
        }
        values = link->values;
    }
    if (status == 0) {
        part_reference_add(link->sum, values, s->times_rows, reference);
    }
    return status;
}

/* Values of a float column, `depth` links down a chain. */
static int read_floats(struct part *p, struct buffer_state *s, struct part_buffer *b,
    struct place at, uint32_t depth, double *values_out, uint64_t *presence_out)
{
    struct part_references references;
    struct str block;
    int status = load_block(p, s, b, at, &references, &block);
    if (status != 0 || !column_block_needs_reference(block.ptr, block.len)) {
        return status != 0 ? status
                           : column_block_decode(
                                 block.ptr, block.len, s->times_rows, values_out, presence_out);
    }
    if (depth == PART_REFERENCE_DEPTH_MAX || references.count == 0 ||
        block.len > sizeof(s->links[0]->block)) {
        return ERR_CORRUPT;
    }
    struct link *link = s->links[depth];
    if (link == NULL) {
        link = s->links[depth] = mem_alloc(sizeof(*link));
    }
    if (link == NULL) {
        return ERR_NOMEM;
    }
    memcpy(link->block, block.ptr, block.len);
    memset(link->sum, 0, s->times_rows * sizeof(link->sum[0]));
    for (uint32_t i = 0; status == 0 && i < references.count; i++) {
        status = add_reference(p, s, b, at, &references.items[i], depth + 1, link);
    }
    if (status == 0) {
        status = column_block_decode_against(
            link->block, block.len, s->times_rows, link->sum, values_out, presence_out);
    }
    if (status == 0 && depth == 0) { /* deeper ones are remembered by who asked */
        remember(s, at, values_out);
    }
    return status;
}

/* Keeps the rows that are present and in the range, at the front of the arrays. */
static size_t select_rows(struct part_buffer *b, const struct buffer_state *s, bool histograms,
    int64_t min_t, int64_t max_t)
{
    size_t kept = 0;
    for (uint32_t i = 0; i < s->times_rows; i++) {
        bool present = (b->presence[i / 64] >> (i % 64) & 1) != 0;
        if (present && s->rows[i] >= min_t && s->rows[i] <= max_t) {
            b->times[kept] = s->rows[i];
            if (histograms) {
                b->histograms[kept] = b->histograms[i];
            } else {
                b->values[kept] = b->values[i];
            }
            kept++;
        }
    }
    return kept;
}

static int read_histograms(
    struct part *p, struct buffer_state *s, struct part_buffer *b, struct place at)
{
    struct part_references references;
    struct str block;
    if (b->histograms == NULL) {
        b->histograms = mem_calloc(PART_GROUP_ROWS_MAX, sizeof(*b->histograms));
    }
    int status = b->histograms == NULL ? ERR_NOMEM : 0;
    if (status == 0 && s->zstd == NULL) {
        status = zstd_codec_new(&s->zstd);
    }
    status = status == 0 ? load_block(p, s, b, at, &references, &block) : status;
    return status != 0 ? status
                       : part_histograms_decode(s->zstd, block, s->times_rows, &s->histograms,
                             b->histograms, b->presence);
}

static int name_error(
    struct part *p, int status, uint32_t group, uint32_t table, uint32_t column, struct err *e)
{
    if (status == ERR_CORRUPT) {
        return err_set(e, status, -1, "%s: group %u, table %u, column %u is damaged", p->path,
            group, table, column);
    }
    return err_set(e, status, -1, "%s: cannot be read: %s", p->path, err_text(status));
}

int part_read(struct part *p, uint32_t group, uint32_t table, uint32_t column, int64_t min_t,
    int64_t max_t, struct part_buffer *b, size_t *count_out, struct err *e)
{
    struct buffer_state *s = NULL;
    struct place at = {group, table, column};
    uint32_t kind = p->schemas[p->groups[group].schema].columns[column].kind;
    int status = prepare(b, p, &s);
    if (status == 0) {
        status = load_times(p, s, b, group, table);
    }
    if (status == 0) {
        status = kind == COLUMN_HISTOGRAM ? read_histograms(p, s, b, at)
                                          : read_floats(p, s, b, at, 0, b->values, b->presence);
    }
    if (status != 0) {
        return name_error(p, status, group, table, column, e);
    }
    *count_out = select_rows(b, s, kind == COLUMN_HISTOGRAM, min_t, max_t);
    return 0;
}

int part_read_summary(struct part *p, uint32_t group, uint32_t table, uint32_t column,
    int64_t min_t, int64_t max_t, struct part_buffer *b, struct run_summary *summary_out,
    struct err *e)
{
    struct buffer_state *s = NULL;
    struct part_references references;
    struct str block;
    const struct part_group *g = &p->groups[group];
    if (p->schemas[g->schema].columns[column].kind != COLUMN_FLOAT) {
        return 0;
    }
    int status = prepare(b, p, &s);
    if (status == 0) {
        status = load_times(p, s, b, group, table);
    }
    if (status == 0 && (s->rows[0] < min_t || s->rows[s->times_rows - 1] > max_t)) {
        return 0;
    }
    if (status == 0) {
        struct place at = {group, table, column};
        status = load_block(p, s, b, at, &references, &block);
    }
    struct column_summary known;
    if (status == 0) {
        status = column_block_summary(block.ptr, block.len, s->times_rows, &known);
    }
    if (status != 0) {
        return name_error(p, status, group, table, column, e);
    }
    /* First and last time are those of the rows only when no row is absent or stale. */
    if ((known.known & COLUMN_KNOWS_AGGREGATES) == 0 || known.count != s->times_rows) {
        return 0;
    }
    *summary_out = (struct run_summary){
        .count = known.count,
        .sum = known.sum,
        .min = known.min,
        .max = known.max,
        .first = known.first,
        .last = known.last,
        .first_t = s->rows[0],
        .last_t = s->rows[s->times_rows - 1],
        .increase = known.increase,
    };
    return 1;
}

int part_read_times(struct part *p, uint32_t group, uint32_t table, struct part_buffer *b,
    size_t *count_out, struct err *e)
{
    struct buffer_state *s = NULL;
    int status = prepare(b, p, &s);
    if (status == 0) {
        status = load_times(p, s, b, group, table);
    }
    if (status != 0) {
        return name_error(p, status, group, table, 0, e);
    }
    memcpy(b->times, s->rows, s->times_rows * sizeof(*b->times));
    *count_out = s->times_rows;
    return 0;
}

int part_read_references(struct part *p, uint32_t group, uint32_t column, struct part_buffer *b,
    struct part_references *references_out)
{
    struct buffer_state *s = NULL;
    struct str block;
    int status = prepare(b, p, &s);
    return status != 0
               ? status
               : load_block(p, s, b, (struct place){group, 0, column}, references_out, &block);
}
