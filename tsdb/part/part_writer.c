/* Writing a part: groups in the order of the plan, then sections, table, tail; complete or not at all
 * (INV-2). Nothing depends on anything but the source, so the same source gives the same bytes. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "model/sample.h"
#include "part/part.h"
#include "part/part_dictionary.h"
#include "part/part_format.h"
#include "part/part_layout.h"
#include "part/part_page.h"
#include "part/part_private.h"
#include "part/part_reference.h"
#include "row/column_block.h"

enum { PATH_SIZE = 4096, SECTION_ZSTD_LEVEL = 9, FLUSH_BYTES = 1 << 18, SECTION_COUNT = 4 };

struct section_entry {
    uint32_t kind;
    uint64_t offset, stored_size;
    uint32_t plain_size, checksum;
};

struct writer {
    struct vfs *fs;
    struct vfs_file *file;
    struct part_source *source;
    struct part_plan plan;
    struct arena arena;
    struct zstd_codec *zstd;
    struct strbuf pending; /* bytes of the file not written yet */
    uint64_t flushed;      /* bytes written */
    size_t charged;        /* bytes of the buffers below */
    struct part_run_writer run;
    struct part_references *references; /* of the columns of the group */
    double *sum;                        /* of the references of one piece */
    struct strbuf page, runs, sizes, scratch;
    struct strbuf groups; /* the groups section */
    uint64_t body_end;    /* of the group before */
    int64_t min_t_before;
    struct section_entry sections[SECTION_COUNT];
    uint32_t section_count;
    struct part_info info;
};

/* ---- The file ---- */

static uint64_t file_offset(const struct writer *w)
{
    return w->flushed + w->pending.size;
}

static int flush(struct writer *w, size_t at_least)
{
    int status = strbuf_error(&w->pending);
    if (status != 0 || w->pending.size < at_least) {
        return status;
    }
    status = vfs_append(w->fs, w->file, w->pending.data, w->pending.size);
    w->flushed += w->pending.size;
    strbuf_reset(&w->pending);
    return status;
}

static void put_header(struct writer *w)
{
    uint8_t header[PART_HEADER_SIZE];
    memcpy(header, PART_MAGIC, 8);
    put_le32(header + 8, PART_VERSION);
    put_le32(header + 12, checksum32(header, 12));
    strbuf_add(&w->pending, header, sizeof(header));
}

/* A page with its checksum; returns its size in the file. */
static size_t put_page(struct writer *w, struct str page)
{
    strbuf_add_le32(&w->pending, checksum32(page.ptr, page.len));
    strbuf_add_str(&w->pending, page);
    return page.len + PART_PAGE_CHECKSUM_SIZE;
}

/* ---- Groups ---- */

/* The times of the pieces of a group: those that the tables have, or that the source has ready. */
static int find_times(
    struct writer *w, const struct part_plan_group *g, const int64_t **times, struct err *e)
{
    uint32_t tables[PART_GROUP_TARGETS_MAX], asked = 0;
    for (uint32_t i = 0; i < g->piece_count; i++) {
        const struct part_piece *piece = &g->pieces[i];
        const int64_t *own = w->source->tables[piece->table].times;
        times[i] = own != NULL ? own + piece->first_row : NULL;
        tables[i] = piece->table;
        asked += own == NULL;
    }
    assert(asked == 0 || asked == g->piece_count);
    return asked == 0 ? 0 : w->source->ops->group_times(w->source, tables, asked, times, e);
}

static int put_times(
    struct writer *w, const struct part_plan_group *g, size_t *size_out, struct err *e)
{
    const int64_t *times[PART_GROUP_TARGETS_MAX];
    uint32_t rows[PART_GROUP_TARGETS_MAX];
    int status = find_times(w, g, times, e);
    if (status != 0) {
        return status;
    }
    for (uint32_t i = 0; i < g->piece_count; i++) {
        rows[i] = g->pieces[i].rows;
        assert(times[i][0] >= g->min_t && times[i][rows[i] - 1] <= g->max_t);
    }
    strbuf_reset(&w->page);
    status = part_times_encode(times, rows, g->piece_count, &w->page);
    if (status == 0) {
        *size_out = put_page(w, strbuf_str(&w->page));
        return 0;
    }
    return err_set(e, status, -1, "the times of a part cannot be coded: %s", err_text(status));
}

static uint64_t count_present(const uint64_t *presence, uint32_t rows)
{
    if (presence == NULL) {
        return rows;
    }
    uint64_t count = 0;
    for (uint32_t i = 0; i < rows; i += 64) {
        uint64_t word = presence[i / 64];
        if (rows - i < 64) {
            word &= ((uint64_t)1 << (rows - i)) - 1;
        }
        count += (uint64_t)__builtin_popcountll(word);
    }
    return count;
}

/* Values of the references, summed, into w->sum; as reading them back gives them. */
static int sum_references(struct writer *w, const struct part_piece *piece,
    const struct part_references *references, struct err *e)
{
    memset(w->sum, 0, piece->rows * sizeof(*w->sum));
    for (uint32_t i = 0; i < references->count; i++) {
        const struct part_reference *r = &references->items[i];
        struct part_cells cells;
        int status =
            w->source->ops->cells(w->source, piece->table, piece->order[r->column], &cells, e);
        if (status != 0) {
            return status;
        }
        part_reference_add(w->sum, cells.values + piece->first_row, piece->rows, r);
        for (uint32_t row = 0; cells.presence != NULL && row < piece->rows; row++) {
            uint32_t at = piece->first_row + row;
            if ((cells.presence[at / 64] >> (at % 64) & 1) == 0) {
                w->sum[row] = value_stale_marker();
            }
        }
    }
    return 0;
}

/* The block of one piece of one column, onto the run; `reference` may be NULL. */
static int put_block(struct writer *w, const struct part_piece *piece, uint32_t kind,
    const struct part_cells *cells, const double *reference, struct column_hint *hint,
    uint64_t *samples)
{
    /* Pieces begin at multiples of 4096 rows, so their presence begins at a word. */
    assert(piece->first_row % 64 == 0);
    const uint64_t *presence =
        cells->presence != NULL ? cells->presence + piece->first_row / 64 : NULL;
    *samples += count_present(presence, piece->rows);
    int status;
    if (kind == COLUMN_HISTOGRAM) {
        status = part_histograms_encode(w->zstd, cells->histograms + piece->first_row, presence,
            piece->rows, &w->scratch, &w->run.blocks);
    } else {
        status = column_block_encode_against(cells->values + piece->first_row, presence,
            piece->rows, reference, hint, &w->run.blocks);
    }
    if (status == 0) {
        struct part_checkpoint checkpoint;
        bool has = kind == COLUMN_FLOAT && part_checkpoint_make(cells->values + piece->first_row,
                                               presence, piece->rows, &checkpoint);
        part_run_end_block(&w->run, has ? &checkpoint : NULL);
        status = strbuf_error(&w->run.blocks);
    }
    return status;
}

static int put_run(struct writer *w, const struct part_plan_group *g, uint32_t column,
    uint64_t *samples, struct err *e)
{
    struct column_hint hint;
    uint32_t kind = w->plan.schemas[g->schema].columns[column].kind;
    const struct part_references *references = &w->references[column];
    const double *reference = references->count > 0 ? w->sum : NULL;
    memset(&hint, 0, sizeof(hint));
    part_run_begin(&w->run);
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < g->piece_count; i++) {
        const struct part_piece *piece = &g->pieces[i];
        struct part_cells cells;
        status = sum_references(w, piece, references, e);
        if (status == 0) { /* the last call: what it gives is borrowed until the next */
            status =
                w->source->ops->cells(w->source, piece->table, piece->order[column], &cells, e);
        }
        if (status != 0) {
            return status;
        }
        status = put_block(w, piece, kind, &cells, reference, &hint, samples);
    }
    if (status == 0) {
        size_t before = w->runs.size;
        part_run_finish(&w->run, column, references, &w->runs);
        strbuf_add_uvarint(&w->sizes, w->runs.size - before);
        status = strbuf_error(&w->runs) != 0 ? strbuf_error(&w->runs) : strbuf_error(&w->sizes);
    }
    return status == 0
               ? 0
               : err_set(e, status, -1, "a run of a part cannot be made: %s", err_text(status));
}

/* Ends the value page that holds `count` runs; notes it in `index`. */
static int end_page(
    struct writer *w, uint32_t count, uint32_t first_column_step, struct strbuf *index)
{
    strbuf_reset(&w->page);
    strbuf_add_uvarint(&w->page, count);
    strbuf_add_str(&w->page, strbuf_str(&w->sizes));
    strbuf_add_str(&w->page, strbuf_str(&w->runs));
    strbuf_reset(&w->sizes);
    strbuf_reset(&w->runs);
    if (strbuf_error(&w->page) != 0) {
        return strbuf_error(&w->page);
    }
    strbuf_add_uvarint(index, first_column_step);
    strbuf_add_uvarint(index, put_page(w, strbuf_str(&w->page)));
    return flush(w, FLUSH_BYTES);
}

/* All value pages of a group; their index entries go to `index`. */
static int put_pages(struct writer *w, const struct part_plan_group *g, struct strbuf *index,
    uint32_t *page_count_out, uint64_t *samples, struct err *e)
{
    uint32_t columns = w->plan.schemas[g->schema].column_count;
    uint32_t first = 0, first_before = 0, pages = 0;
    int status = 0;
    for (uint32_t c = 0; status == 0 && c < columns; c++) {
        status = put_run(w, g, c, samples, e);
        if (status != 0) {
            return status;
        }
        if (w->runs.size + w->sizes.size >= PART_PAGE_BYTES_TARGET || c + 1 == columns) {
            status = end_page(w, c + 1 - first, first - first_before, index);
            first_before = first;
            first = c + 1;
            pages++;
        }
    }
    *page_count_out = pages;
    return status == 0
               ? 0
               : err_set(e, status, -1, "a page of a part cannot be written: %s", err_text(status));
}

/* The entry of a group in the groups section. */
static void put_group_entry(struct writer *w, const struct part_plan_group *g, uint64_t samples,
    uint64_t body, size_t times_size, uint32_t page_count, const struct strbuf *index)
{
    struct strbuf *out = &w->groups;
    strbuf_add_svarint(out, (int64_t)((uint64_t)g->min_t - (uint64_t)w->min_t_before));
    strbuf_add_uvarint(out, (uint64_t)g->max_t - (uint64_t)g->min_t);
    strbuf_add_uvarint(out, samples);
    strbuf_add_uvarint(out, g->schema);
    strbuf_add_uvarint(out, g->piece_count);
    int64_t before = 0;
    for (uint32_t i = 0; i < g->piece_count; i++) {
        strbuf_add_svarint(out, (int64_t)g->pieces[i].target - before);
        before = g->pieces[i].target;
    }
    strbuf_add_uvarint(out, body - w->body_end);
    strbuf_add_uvarint(out, times_size);
    strbuf_add_uvarint(out, page_count);
    strbuf_add_str(out, strbuf_str(index));
    w->min_t_before = g->min_t;
}

/* A stored page of another part, checksum and all, if it is good. */
static int copy_page(struct writer *w, struct part *from, uint64_t offset, uint64_t size)
{
    struct str page;
    strbuf_reset(&w->page);
    char *bytes = strbuf_reserve(&w->page, (size_t)size);
    if (bytes == NULL) {
        return strbuf_error(&w->page);
    }
    int status = vfs_pread_exact(from->fs, from->file, offset, bytes, (size_t)size);
    status = status == 0 ? part_page_check(str_make(bytes, (size_t)size), &page) : status;
    if (status == 0) {
        strbuf_add(&w->pending, bytes, (size_t)size);
        status = flush(w, FLUSH_BYTES);
    }
    return status;
}

/* All pages of a group of another part. */
static int copy_pages(struct writer *w, const struct part_copy *copy, size_t *times_size_out,
    struct strbuf *index, uint32_t *page_count_out, struct err *e)
{
    const struct part_group_place *place = &copy->part->places[copy->group];
    int status = copy_page(w, copy->part, place->body, place->times_size);
    uint32_t column_before = 0;
    for (uint32_t i = 0; status == 0 && i < place->page_count; i++) {
        uint64_t size = place->page_offsets[i + 1] - place->page_offsets[i];
        status = copy_page(w, copy->part, place->page_offsets[i], size);
        strbuf_add_uvarint(index, place->page_columns[i] - column_before);
        strbuf_add_uvarint(index, size);
        column_before = place->page_columns[i];
    }
    *times_size_out = place->times_size;
    *page_count_out = place->page_count;
    return status == 0 ? 0
                       : err_set(e, status, -1, "group %u of %s cannot be copied: %s", copy->group,
                             part_path(copy->part), err_text(status));
}

/* All pages of a group, from cells. */
static int make_pages(struct writer *w, const struct part_plan_group *g, size_t *times_size_out,
    struct strbuf *index, uint32_t *page_count_out, uint64_t *samples, struct err *e)
{
    int status = put_times(w, g, times_size_out, e);
    if (status == 0) {
        status = part_reference_plan(w->source, &w->plan.schemas[g->schema], g, w->references, e);
    }
    return status == 0 ? put_pages(w, g, index, page_count_out, samples, e) : status;
}

static int put_group(struct writer *w, const struct part_plan_group *g, struct err *e)
{
    struct strbuf index = STRBUF_INIT;
    uint64_t body = file_offset(w), samples = 0;
    size_t times_size = 0;
    uint32_t page_count = 0;
    int status;
    if (g->copy != NULL) {
        samples = part_groups(g->copy->part)[g->copy->group].samples;
        status = copy_pages(w, g->copy, &times_size, &index, &page_count, e);
    } else {
        status = make_pages(w, g, &times_size, &index, &page_count, &samples, e);
    }
    if (status == 0 && strbuf_error(&index) != 0) {
        status = err_set(e, strbuf_error(&index), -1, "out of memory for a group of a part");
    }
    if (status == 0) {
        put_group_entry(w, g, samples, body, times_size, page_count, &index);
        w->body_end = file_offset(w);
        w->info.samples += samples;
        w->info.min_t = g->min_t < w->info.min_t ? g->min_t : w->info.min_t;
        w->info.max_t = g->max_t > w->info.max_t ? g->max_t : w->info.max_t;
    }
    strbuf_release(&index);
    return status;
}

/* Tells the budget what the buffers have grown to: they keep it until the part is written. */
static int charge_buffers(struct writer *w, struct err *e)
{
    const struct strbuf *buffers[] = {
        &w->pending, &w->run.blocks, &w->page, &w->runs, &w->sizes, &w->scratch, &w->groups};
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
        bytes += buffers[i]->cap;
    }
    int status = bytes > w->charged ? arena_charge(&w->arena, bytes - w->charged) : 0;
    w->charged = bytes > w->charged ? bytes : w->charged;
    return status == 0
               ? 0
               : err_set(e, status, -1, "no memory for writing a part: %s", err_text(status));
}

static int put_groups(struct writer *w, struct err *e)
{
    strbuf_add_uvarint(&w->groups, w->plan.group_count);
    w->body_end = PART_HEADER_SIZE;
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < w->plan.group_count; i++) {
        status = put_group(w, &w->plan.groups[i], e);
        status = status == 0 ? charge_buffers(w, e) : status;
    }
    return status;
}

/* ---- Sections ---- */

static int put_section(struct writer *w, enum part_section kind, struct str plain)
{
    strbuf_reset(&w->scratch);
    int status = zstd_encode(w->zstd, plain, SECTION_ZSTD_LEVEL, &w->scratch);
    if (status != 0) {
        return status;
    }
    struct str stored = w->scratch.size < plain.len ? strbuf_str(&w->scratch) : plain;
    w->sections[w->section_count++] = (struct section_entry){
        kind, file_offset(w), stored.len, (uint32_t)plain.len, checksum32(stored.ptr, stored.len)};
    strbuf_add_str(&w->pending, stored);
    return plain.len > PART_SECTION_PLAIN_MAX ? ERR_LIMIT : strbuf_error(&w->pending);
}

static int put_info(struct writer *w)
{
    struct strbuf out = STRBUF_INIT;
    strbuf_add_le64(&out, w->info.origin.sequence);
    strbuf_add_le32(&out, w->info.origin.level);
    strbuf_add_le64(&out, (uint64_t)w->info.min_t);
    strbuf_add_le64(&out, (uint64_t)w->info.max_t);
    strbuf_add_le64(&out, w->info.samples);
    strbuf_add_le32(&out, w->plan.target_count);
    strbuf_add_le32(&out, w->plan.shape_count);
    strbuf_add_le64(&out, w->info.origin.precedence_first);
    strbuf_add_le64(&out, w->info.origin.precedence);
    strbuf_add_le64(&out, (uint64_t)w->info.origin.day);
    strbuf_add_le64(&out, w->info.origin.split);
    int status = strbuf_error(&out);
    status = status == 0 ? put_section(w, PART_SECTION_INFO, strbuf_str(&out)) : status;
    strbuf_release(&out);
    return status;
}

static int put_schemas(struct writer *w)
{
    struct strbuf out = STRBUF_INIT;
    strbuf_add_uvarint(&out, w->plan.schema_count);
    for (uint32_t s = 0; s < w->plan.schema_count; s++) {
        const struct part_schema *schema = &w->plan.schemas[s];
        uint32_t before = 0;
        strbuf_add_uvarint(&out, schema->column_count);
        for (uint32_t c = 0; c < schema->column_count; c++) {
            struct column column = schema->columns[c];
            strbuf_add_uvarint(&out, (uint64_t)(column.shape - before) << 1 | column.kind);
            before = column.shape;
        }
    }
    int status = strbuf_error(&out);
    status = status == 0 ? put_section(w, PART_SECTION_SCHEMAS, strbuf_str(&out)) : status;
    strbuf_release(&out);
    return status;
}

static int put_dictionary(struct writer *w)
{
    struct strbuf out;
    strbuf_init(&out, PART_SECTION_PLAIN_MAX);
    int status = part_dictionary_encode(&w->plan, &out);
    status = status == 0 ? put_section(w, PART_SECTION_DICTIONARY, strbuf_str(&out)) : status;
    strbuf_release(&out);
    return status;
}

static void put_tail(struct writer *w)
{
    uint64_t offset = file_offset(w);
    size_t begin = w->pending.size;
    for (uint32_t i = 0; i < w->section_count; i++) {
        const struct section_entry *s = &w->sections[i];
        strbuf_add_le32(&w->pending, s->kind);
        strbuf_add_le64(&w->pending, s->offset);
        strbuf_add_le64(&w->pending, s->stored_size);
        strbuf_add_le32(&w->pending, s->plain_size);
        strbuf_add_le32(&w->pending, s->checksum);
    }
    if (strbuf_error(&w->pending) == 0) {
        uint32_t checksum = checksum32(w->pending.data + begin, w->pending.size - begin);
        strbuf_add_le32(&w->pending, w->section_count);
        strbuf_add_le32(&w->pending, checksum);
        strbuf_add_le64(&w->pending, offset);
        strbuf_add(&w->pending, PART_TAIL_MAGIC, 8);
    }
}

static int put_sections(struct writer *w, struct err *e)
{
    int status = put_info(w);
    status = status == 0 ? put_dictionary(w) : status;
    status = status == 0 ? put_schemas(w) : status;
    status = status == 0 ? strbuf_error(&w->groups) : status;
    status = status == 0 ? put_section(w, PART_SECTION_GROUPS, strbuf_str(&w->groups)) : status;
    if (status == 0) {
        put_tail(w);
        status = flush(w, 1);
    }
    return status == 0 ? 0
                       : err_set(e, status, -1, "the sections of a part cannot be written: %s",
                             err_text(status));
}

/* ---- Complete or not at all ---- */

static int write_file(struct writer *w, const char *temporary, struct err *e)
{
    int status = vfs_open(w->fs, temporary, VFS_CREATE, &w->file);
    if (status == ERR_EXISTS) { /* left by a crash */
        status = vfs_remove(w->fs, temporary);
        status = status == 0 ? vfs_open(w->fs, temporary, VFS_CREATE, &w->file) : status;
    }
    if (status != 0) {
        return err_set(e, status, -1, "%s: cannot be made: %s", temporary, err_text(status));
    }
    put_header(w);
    status = put_groups(w, e);
    status = status == 0 ? put_sections(w, e) : status;
    if (status == 0) {
        status = vfs_sync(w->fs, w->file);
        if (status != 0) {
            err_set(e, status, -1, "%s: cannot be synced: %s", temporary, err_text(status));
        }
    }
    vfs_close(w->fs, w->file);
    return status;
}

static int publish(struct writer *w, const char *temporary, const char *path, struct err *e)
{
    int status = vfs_rename(w->fs, temporary, path);
    if (status == 0) {
        status = vfs_sync_parent(w->fs, path);
        if (status != 0) {
            (void)vfs_remove(w->fs, path); /* its name may not last: better none */
        }
    }
    return status == 0
               ? 0
               : err_set(e, status, -1, "%s: cannot be put in place: %s", path, err_text(status));
}

/* What one group at a time is worked out in: for the widest schema and the longest piece there are, not
 * for the most a part may have, which are tens of times what the part of a small host needs. */
static int reserve_scratch(struct writer *w)
{
    uint32_t columns = 0, rows = 0;
    for (uint32_t i = 0; i < w->plan.group_count; i++) {
        const struct part_plan_group *g = &w->plan.groups[i];
        uint32_t width = w->plan.schemas[g->schema].column_count;
        columns = width > columns ? width : columns;
        for (uint32_t p = 0; p < g->piece_count; p++) {
            rows = g->pieces[p].rows > rows ? g->pieces[p].rows : rows;
        }
    }
    w->references = arena_calloc(&w->arena, columns + 1, sizeof(*w->references));
    w->sum = arena_calloc(&w->arena, rows + 1, sizeof(*w->sum));
    return w->references != NULL && w->sum != NULL ? 0 : ERR_NOMEM;
}

static int writer_init(struct writer *w, struct vfs *fs, struct part_source *source,
    const struct part_origin *origin, struct err *e)
{
    *w = (struct writer){.fs = fs, .source = source};
    w->info.origin = *origin;
    w->info.min_t = INT64_MAX;
    w->info.max_t = INT64_MIN;
    if (source->memory != NULL) {
        arena_init_charged(&w->arena, source->memory);
    } else {
        arena_init(&w->arena, 0);
    }
    struct strbuf *buffers[] = {
        &w->pending, &w->run.blocks, &w->page, &w->runs, &w->sizes, &w->scratch, &w->groups};
    for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
        strbuf_init(buffers[i], PART_PAGE_BYTES_MAX);
    }
    int status = part_plan_make(source, &w->arena, &w->plan, e);
    if (status == 0 && (reserve_scratch(w) != 0 || zstd_codec_new(&w->zstd) != 0)) {
        status = err_set(e, ERR_NOMEM, -1, "out of memory for writing a part");
    }
    return status;
}

static void writer_release(struct writer *w)
{
    struct strbuf *buffers[] = {
        &w->pending, &w->run.blocks, &w->page, &w->runs, &w->sizes, &w->scratch, &w->groups};
    for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
        strbuf_release(buffers[i]);
    }
    zstd_codec_free(w->zstd);
    arena_release(&w->arena);
}

int part_write(struct vfs *fs, const char *path, struct part_source *source,
    const struct part_origin *origin, struct part_info *info_out, struct err *e)
{
    char temporary[PATH_SIZE];
    struct writer w;
    int length = snprintf(temporary, sizeof(temporary), "%s.tmp", path);
    if (length < 0 || length >= (int)sizeof(temporary)) {
        return err_set(e, ERR_LIMIT, -1, "the path of a part is too long: %s", path);
    }
    int status = writer_init(&w, fs, source, origin, e);
    if (status == 0) {
        status = write_file(&w, temporary, e);
        status = status == 0 ? publish(&w, temporary, path, e) : status;
        if (status != 0) {
            (void)vfs_remove(fs, temporary); /* if the disk lets us; else the next start does */
        }
    }
    if (status == 0) {
        w.info.file_bytes = file_offset(&w);
        w.info.target_count = w.plan.target_count;
        w.info.shape_count = w.plan.shape_count;
        w.info.schema_count = w.plan.schema_count;
        w.info.group_count = w.plan.group_count;
        *info_out = w.info;
    }
    writer_release(&w);
    return status;
}
