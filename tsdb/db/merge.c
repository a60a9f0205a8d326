/* Merging parts of one day into one.
 *
 * Every table of every input is a *piece*: rows of one target for a list of columns. Whole groups of pieces
 * that come out as they went in are copied (merge_tables.c); the others are made anew: of equal samples
 * those of the part with the higher precedence count, and what is deleted of an input is left out:
 * columns that have nothing left, rows of which every column is deleted, single samples.
 *
 * Memory does not follow the size of the inputs: it holds the row times of one group, one column of one
 * table, and a few hundred bytes for each table (MERGE_BYTES_MAX, MERGE_BYTES_PER_TABLE).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "db/merge_private.h"
#include "row/column_block.h"

/* ---- The source ---- */

static const struct labels *source_target(struct part_source *source, uint32_t target)
{
    return index_labels(((struct merge *)source)->db->index, INDEX_TARGETS, target);
}

static const struct labels *source_shape(struct part_source *source, uint32_t shape)
{
    const struct merge *m = (const struct merge *)source;
    bool tier = m->inputs[0].part->about.tier != STORE_RAW;
    return index_labels(tier ? m->db->tier_shapes : m->db->index, INDEX_SHAPES, shape);
}

static const int64_t *times_of(struct merge *m, uint32_t table, struct err *e)
{
    const struct part_table *t = &m->tables[table];
    const struct merge_table *origin = &m->origins[table];
    struct row_stream *rows = NULL;
    uint32_t count = 0;
    int64_t *times = arena_alloc(&m->group, t->row_count * sizeof(*times));
    int status = times != NULL ? 0 : arena_error(&m->group);
    arena_rewind(&m->scratch, m->empty);
    if (status == 0) {
        status =
            row_stream_new(m, origin->pieces, origin->piece_count, t->first_t, t->last_t, &rows);
    }
    status = status == 0 ? row_stream_read(rows, times, t->row_count, &count, e) : status;
    assert(status != 0 || count == t->row_count);
    if (status != 0 && e->code != status) {
        err_set(e, status, -1, "merging: %s", err_text(status));
    }
    return status == 0 ? times : NULL;
}

/* The tables of a group find their place in it by their own note. */
static int source_group_times(struct part_source *source, const uint32_t *tables, uint32_t count,
    const int64_t **times_out, struct err *e)
{
    struct merge *m = (struct merge *)source;
    for (uint32_t i = 0; i < m->group_count; i++) {
        m->origins[m->group_tables[i]].place = UINT32_MAX;
    }
    m->group_count = 0;
    arena_release(&m->group);
    const uint32_t *own = arena_dup(&m->group, tables, count * sizeof(*tables));
    const int64_t **times = arena_alloc(&m->group, count * sizeof(int64_t *));
    if (own == NULL || times == NULL) {
        int status = arena_error(&m->group);
        return err_set(e, status, -1, "merging: %s", err_text(status));
    }
    for (uint32_t i = 0; i < count; i++) {
        times[i] = times_of(m, tables[i], e);
        if (times[i] == NULL) {
            return e->code;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        m->origins[tables[i]].place = i;
        times_out[i] = times[i];
    }
    m->group_tables = own;
    m->group_times = times;
    m->group_count = count;
    return 0;
}

static size_t first_row(const int64_t *times, uint32_t count, int64_t t_ms)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (times[middle] < t_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The samples of a column of a piece, in the time of the table, that are not deleted. */
static int read_piece(struct merge *m, const struct part_table *table, const struct piece *piece,
    const struct schema_column *c, struct sample_arrays *samples_out, struct err *e)
{
    const struct time_range *ranges = NULL;
    size_t count = 0, range_count = 0;
    int status = part_read(m->inputs[piece->input].part->part, piece->group, piece->table,
        c->column, table->first_t, table->last_t, &m->buffer, &count, e);
    if (status != 0) {
        return status;
    }
    bool floats = c->kind == COLUMN_FLOAT;
    *samples_out = (struct sample_arrays){.times = m->buffer.times,
        .values = floats ? m->buffer.values : NULL,
        .histograms = floats ? NULL : m->buffer.histograms,
        .count = count};
    status = merge_deleted_ranges(m, piece, c->shape, &ranges, &range_count);
    return status == 0 && range_count > 0
               ? ranges_filter(ranges, range_count, &m->scratch, samples_out)
               : status;
}

/* Histogram bytes live in the buffer until the next read: they are copied. */
static int place_samples(struct merge *m, uint32_t table, const struct sample_arrays *samples,
    uint64_t *presence, double *values, struct str *histograms)
{
    const int64_t *times = m->group_times[m->origins[table].place];
    uint32_t count = m->tables[table].row_count;
    size_t row = samples->count > 0 ? first_row(times, count, samples->times[0]) : 0;
    for (size_t i = 0; i < samples->count; i++) {
        while (times[row] < samples->times[i]) {
            row++;
            assert(row < count);
        }
        assert(times[row] == samples->times[i]);
        presence[row / 64] |= (uint64_t)1 << (row % 64);
        if (histograms == NULL) {
            values[row] = samples->values[i];
            continue;
        }
        struct str bytes = samples->histograms[i];
        char *copy = arena_dup(&m->scratch, bytes.ptr, bytes.len);
        if (copy == NULL) {
            return arena_error(&m->scratch);
        }
        histograms[row] = str_make(copy, bytes.len);
    }
    return 0;
}

static int source_cells(struct part_source *source, uint32_t table_index, uint32_t column,
    struct part_cells *cells_out, struct err *e)
{
    struct merge *m = (struct merge *)source;
    const struct part_table *table = &m->tables[table_index];
    const struct merge_table *origin = &m->origins[table_index];
    const struct column *wanted = &table->columns[column];
    assert(origin->place < m->group_count); /* the writer asks for the group it asked times of */
    arena_rewind(&m->scratch, m->empty);
    uint64_t *presence =
        arena_calloc(&m->scratch, PRESENCE_WORDS(table->row_count), sizeof(*presence));
    double *values = arena_calloc(&m->scratch, table->row_count, sizeof(*values));
    struct str *histograms = NULL;
    if (wanted->kind == COLUMN_HISTOGRAM) {
        histograms = arena_calloc(&m->scratch, table->row_count, sizeof(*histograms));
    }
    bool failed = presence == NULL || values == NULL ||
                  (wanted->kind == COLUMN_HISTOGRAM && histograms == NULL);
    int status = failed ? arena_error(&m->scratch) : 0;
    for (size_t i = 0; status == 0 && i < origin->piece_count; i++) {
        const struct piece *piece = origin->pieces[i];
        const struct schema_column *c =
            schema_map_find(merge_schema(m, piece), wanted->shape, wanted->kind);
        struct sample_arrays samples = {0};
        if (c == NULL) {
            continue;
        }
        status = read_piece(m, table, piece, c, &samples, e);
        if (status == 0) {
            status = place_samples(m, table_index, &samples, presence, values, histograms);
        }
    }
    *cells_out = (struct part_cells){presence, values, histograms};
    return status;
}

static const struct part_source_ops source_ops = {.target_labels = source_target,
    .shape_labels = source_shape,
    .cells = source_cells,
    .group_times = source_group_times};

/* ---- The face ---- */

static int merge_init(struct merge *m, struct tsdb *db, struct store_part *const *parts,
    size_t count, const struct merge_filter *filter)
{
    *m = (struct merge){.db = db, .input_count = count, .filter = filter};
    memory_budget_init(&m->memory, NULL, 0);
    arena_init_charged(&m->arena, &m->memory);
    arena_init_charged(&m->group, &m->memory);
    arena_init_charged(&m->scratch, &m->memory);
    m->empty = arena_mark(&m->scratch);
    part_buffer_init(&m->buffer);
    m->inputs = arena_calloc(&m->arena, count, sizeof(*m->inputs));
    for (size_t i = 0; m->inputs != NULL && i < count; i++) {
        m->inputs[i].part = parts[i];
    }
    return m->inputs != NULL ? 0 : arena_error(&m->arena);
}

static void merge_release(struct merge *m)
{
    mem_free(m->pieces);
    mem_free(m->tables);
    mem_free(m->origins);
    mem_free(m->copies);
    part_buffer_release(&m->buffer);
    arena_release(&m->scratch);
    arena_release(&m->group);
    arena_release(&m->arena);
}

static int write_merged(
    struct merge *m, uint32_t level, struct store_part **part_out, struct err *e)
{
    int status = merge_find_pieces(m, e);
    status = status == 0 ? merge_plan_tables(m, e) : status;
    if (status != 0) {
        return status;
    }
    if (m->table_count + m->copy_count > UINT32_MAX) {
        return err_set(e, ERR_LIMIT, -1, "merging: too many tables");
    }
    if (m->table_count + m->copy_count == 0) {
        return 0; // all of it was deleted
    }
    m->source = (struct part_source){.ops = &source_ops,
        .tables = m->tables,
        .table_count = (uint32_t)m->table_count,
        .copies = m->copies,
        .copy_count = (uint32_t)m->copy_count,
        .memory = &m->memory};
    const struct manifest_part *first = &m->inputs[0].part->about;
    struct manifest_part about = {
        .precedence = m->inputs[m->input_count - 1].part->about.precedence,
        .precedence_first = first->precedence_first,
        .level = (uint16_t)level,
        .tier = first->tier,
        .retention_ms = first->retention_ms,
        .day = first->day,
        .split = first->split,
    };
    return db_write_part(m->db, &m->source, &about, part_out, e);
}

/* Of groups that go through as they are; while their parts are there. */
static uint64_t copied_bytes(const struct merge *m)
{
    uint64_t copied = 0;
    for (size_t i = 0; i < m->copy_count; i++) {
        copied += part_groups(m->copies[i].part)[m->copies[i].group].bytes;
    }
    return copied;
}

/* Adds up what the merge did: for the store's own metrics. */
static void note_work(struct merge *m, uint64_t copied)
{
    size_t tables = m->piece_cap * sizeof(*m->pieces) + m->table_cap * sizeof(*m->tables) +
                    m->origin_cap * sizeof(*m->origins) + m->copy_cap * sizeof(*m->copies);
    struct tsdb *db = m->db;
    atomic_fetch_add_explicit(&db->merges, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->merge_bytes_copied, copied, memory_order_relaxed);
    atomic_store_explicit(
        &db->merge_bytes_peak, memory_budget_peak(&m->memory) + tables, memory_order_relaxed);
}

/* Reads the input anew, to tell the damaged one: it is left as it is from now on. */
static void note_damage(struct merge *m)
{
    for (size_t i = 0; i < m->input_count; i++) {
        struct store_part *p = m->inputs[i].part;
        struct strbuf report = STRBUF_INIT;
        uint64_t problems = 0;
        int status = part_verify(m->db->fs, part_path(p->part), &report, &problems);
        if (status != 0 || problems > 0) {
            atomic_store_explicit(&p->unmergeable, true, memory_order_relaxed);
        }
        strbuf_release(&report);
    }
}

int db_merge(
    struct tsdb *db, struct store_part *const *parts, size_t count, uint32_t level, struct err *e)
{
    return db_merge_filtered(db, parts, count, level, NULL, e);
}

int db_merge_filtered(struct tsdb *db, struct store_part *const *parts, size_t count,
    uint32_t level, const struct merge_filter *filter, struct err *e)
{
    assert(count > 0);
    struct err local = ERR_INIT;
    e = e != NULL ? e : &local;
    struct merge m;
    struct store_part *merged = NULL;
    int status = merge_init(&m, db, parts, count, filter);
    status = status == 0 ? db_tombstones_settle(db, e)
                         : err_set(e, status, -1, "merging: %s", err_text(status));
    if (status == 0) {
        status = write_merged(&m, level, &merged, e);
    }
    if (status == ERR_CORRUPT) {
        note_damage(&m);
    }
    if (status == 0) {
        uint64_t version = 0, copied = copied_bytes(&m);
        const struct manifest_mark thinned = {STORE_RAW, parts[0]->about.day, 1};
        struct parts_change change = {.gone = parts,
            .gone_count = count,
            .added = &merged,
            .added_count = merged != NULL,
            .marks = &thinned,
            .mark_count = filter != NULL && db_tiers_enabled(db),
            .filtered = filter != NULL};
        status = db_change_parts(db, &change, &version, e);
        if (status != 0) {
            store_part_unref(merged);
        } else {
            note_work(&m, copied);
        }
    }
    merge_release(&m);
    return status;
}
