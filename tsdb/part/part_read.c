/* Reading one column of one table: the times of its group, its run, its block. A page is verified
 * once, when it comes from the disk; what a buffer read last it keeps, so that neighbours (the next
 * table of the same run, the next column of the same group) cost no second read. */
#include <string.h>

#include "base/mem.h"
#include "part/part_page.h"
#include "part/part_private.h"
#include "row/column_block.h"
#include "row/row_times.h"

struct buffer_state {
    uint64_t identity;         /* of the part the rest speaks of; 0 = nothing */
    struct part_page_ref page; /* the value page read last */
    struct part_cache *cache;
    uint64_t page_offset;
    uint32_t times_group, times_stream, times_rows; /* what `rows` holds */
    int64_t rows[PART_GROUP_ROWS_MAX];
    struct zstd_codec *zstd;
    struct strbuf histograms;
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

/* The block of a column of a table, borrowed from the page that the buffer holds. */
static int load_block(struct part *p, struct buffer_state *s, struct part_buffer *b, uint32_t group,
    uint32_t table, uint32_t column, struct str *block_out)
{
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
                       : part_run_find(run, p->groups[group].target_count, table, block_out);
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

static int decode_block(
    struct part_buffer *b, struct buffer_state *s, struct str block, uint32_t kind)
{
    if (kind == COLUMN_FLOAT) {
        return column_block_decode(block.ptr, block.len, s->times_rows, b->values, b->presence);
    }
    if (b->histograms == NULL) {
        b->histograms = mem_calloc(PART_GROUP_ROWS_MAX, sizeof(*b->histograms));
    }
    int status = b->histograms == NULL ? ERR_NOMEM : 0;
    if (status == 0 && s->zstd == NULL) {
        status = zstd_codec_new(&s->zstd);
    }
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
    struct str block;
    int status = prepare(b, p, &s);
    if (status == 0) {
        status = load_times(p, s, b, group, table);
    }
    if (status == 0) {
        status = load_block(p, s, b, group, table, column, &block);
    }
    uint32_t kind = p->schemas[p->groups[group].schema].columns[column].kind;
    if (status == 0) {
        status = decode_block(b, s, block, kind);
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
        status = load_block(p, s, b, group, table, column, &block);
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
