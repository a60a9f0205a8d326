/* Merging parts of one day into one.
 *
 * Every table of every input is a *piece*: rows of one target for a list of columns. The pieces of a
 * target become one table with the columns of all, unless that would leave many cells empty; then the
 * columns that come from the same pieces stay together. Of equal samples those of the part with the
 * higher precedence count. Values are read and written column by column, so memory holds the row
 * times of the day and one column of one table. What is deleted of an input is left out: columns that
 * have nothing left, rows of which every column is deleted, single samples.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/mem.h"
#include "db/db.h"
#include "db/tier_hidden.h"
#include "row/column_block.h"

/* More than one cell in this many empty: columns are split by where they come from. */
enum { EMPTY_DIVISOR = 8 };

#define MERGE_PIECES_MAX ((size_t)1 << 28)

struct piece {
    uint32_t target; /* of the index */
    uint32_t input;
    uint32_t group, table;
    uint32_t schema;      /* of the input */
    const int64_t *times; /* while its target is planned */
    size_t row_count;
    int64_t min_t, max_t; /* of its group */
    /* Those that concern it; NULL = none. */
    const struct tombstone *const *tombstones;
    size_t tombstone_count;
};

/* A table of the output, and the pieces it is made from. */
struct merge_table {
    const struct piece *pieces;
    size_t piece_count;
};

struct merge {
    struct part_source source;
    struct tsdb *db;
    struct store_part *const *inputs; /* by precedence */
    size_t input_count;
    const struct merge_filter *filter; /* NULL = none */
    struct arena arena;                /* times and columns */
    struct piece *pieces;              /* by target, then precedence */
    size_t piece_count, piece_cap;
    struct part_table *tables;
    struct merge_table *origins;
    size_t table_count, table_cap, origin_cap;
    struct part_buffer buffer;
    struct arena scratch;
    struct arena_mark empty;
};

/* ---- Pieces ---- */

/* The tombstones that have something to say of the input. */
static int find_tombstones(struct merge *m, const struct store_part *p,
    const struct tombstone *const **list_out, size_t *count_out)
{
    const struct tombstone_list *all = m->db->view->tombstones;
    const struct part_info *info = part_info(p->part);
    int64_t min_t = info->min_t - store_tier_resolution(p->about.tier);
    const struct tombstone **list = NULL;
    for (size_t i = 0; i < all->count; i++) {
        if (!tombstone_concerns(all->items[i], p->about.sequence, min_t, info->max_t)) {
            continue;
        }
        if (list == NULL) {
            list = arena_alloc(&m->arena, (all->count - i) * sizeof(struct tombstone *));
            if (list == NULL) {
                return arena_error(&m->arena);
            }
        }
        list[(*count_out)++] = all->items[i];
    }
    *list_out = list;
    return 0;
}

static int add_pieces(struct merge *m, uint32_t input)
{
    const struct store_part *p = m->inputs[input];
    const struct part_group *groups = part_groups(p->part);
    const struct tombstone *const *tombstones = NULL;
    size_t tombstone_count = 0;
    int found = find_tombstones(m, p, &tombstones, &tombstone_count);
    if (found != 0) {
        return found;
    }
    for (uint32_t g = 0; g < part_info(p->part)->group_count; g++) {
        for (uint32_t t = 0; t < groups[g].target_count; t++) {
            int status = mem_array_grow((void **)&m->pieces, &m->piece_cap, m->piece_count + 1,
                sizeof(*m->pieces), MERGE_PIECES_MAX);
            if (status != 0) {
                return status;
            }
            m->pieces[m->piece_count++] = (struct piece){.target = p->targets[groups[g].targets[t]],
                .input = input,
                .group = g,
                .table = t,
                .schema = groups[g].schema,
                .min_t = groups[g].min_t,
                .max_t = groups[g].max_t,
                .tombstones = tombstones,
                .tombstone_count = tombstone_count};
        }
    }
    return 0;
}

static int compare_pieces(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    if (x->target != y->target) {
        return x->target < y->target ? -1 : 1;
    }
    if (x->input != y->input) {
        return x->input < y->input ? -1 : 1;
    }
    if (x->group != y->group) {
        return x->group < y->group ? -1 : 1;
    }
    return x->table < y->table ? -1 : x->table > y->table;
}

static const struct schema_map *schema_of(const struct merge *m, const struct piece *piece)
{
    return &m->inputs[piece->input]->schemas[piece->schema];
}

/* Rows of which a tombstone hides every column. */
static int drop_deleted_rows(struct merge *m, const struct piece *piece, struct sample_arrays *rows)
{
    const struct schema_map *schema = schema_of(m, piece);
    int status = 0;
    for (size_t i = 0; status == 0 && i < piece->tombstone_count; i++) {
        const struct tombstone *t = piece->tombstones[i];
        bool all = m->inputs[piece->input]->about.tier == STORE_RAW;
        for (uint32_t c = 0; all && c < schema->count; c++) {
            all = tombstone_has(t, piece->target, schema->columns[c].shape);
        }
        status = all ? ranges_filter(&t->range, 1, &m->scratch, rows) : 0;
    }
    return status;
}

/* What is deleted of a column of a piece; in the scratch arena. */
static int deleted_ranges(struct merge *m, const struct piece *piece, uint32_t shape,
    const struct time_range **ranges_out, size_t *count_out)
{
    struct time_range within = {piece->min_t, piece->max_t};
    uint16_t tier = m->inputs[piece->input]->about.tier;
    const struct tier_deletes deletes = {
        piece->tombstones, piece->tombstone_count, tier, &m->scratch};
    const struct schema_map *schema = schema_of(m, piece);
    const struct schema_column *column = schema_map_find(schema, shape, COLUMN_FLOAT);
    column = column != NULL ? column : schema_map_find(schema, shape, COLUMN_HISTOGRAM);
    *count_out = 0;
    return column == NULL
               ? 0
               : tier_hidden_ranges(&deletes, piece->target, column, within, ranges_out, count_out);
}

static bool is_filtered(const struct merge *m, const struct piece *piece, uint32_t shape)
{
    return m->filter != NULL &&
           (m->filter->rules >> retention_rule_of(m->filter->retention, piece->target, shape) &
               1) != 0;
}

/* Is anything left of it? 1, 0, or the arena's error. */
static int has_left(struct merge *m, const struct piece *piece, uint32_t shape)
{
    const struct time_range *ranges = NULL;
    size_t count = 0;
    if (is_filtered(m, piece, shape)) {
        return 0;
    }
    if (piece->row_count == 0 || piece->tombstone_count == 0) {
        return piece->row_count > 0;
    }
    struct time_range rows = {piece->times[0], piece->times[piece->row_count - 1]};
    int status = deleted_ranges(m, piece, shape, &ranges, &count);
    return status != 0 ? status : !ranges_cover(ranges, count, rows);
}

/* Rows without columns would be times of others. */
static bool is_filtered_whole(const struct merge *m, const struct piece *piece)
{
    const struct schema_map *schema = schema_of(m, piece);
    bool whole = m->filter != NULL;
    for (uint32_t c = 0; whole && c < schema->count; c++) {
        whole = is_filtered(m, piece, schema->columns[c].shape);
    }
    return whole;
}

static int read_times(struct merge *m, struct piece *piece, struct err *e)
{
    size_t count = 0;
    struct part *part = m->inputs[piece->input]->part;
    int status = part_read_times(part, piece->group, piece->table, &m->buffer, &count, e);
    if (status != 0) {
        return status;
    }
    struct sample_arrays rows = {
        .times = m->buffer.times, .count = is_filtered_whole(m, piece) ? 0 : count};
    status = drop_deleted_rows(m, piece, &rows);
    if (status != 0) {
        return status;
    }
    count = rows.count;
    piece->times = arena_dup(&m->scratch, rows.times, count * sizeof(*piece->times));
    piece->row_count = count;
    return piece->times != NULL ? 0 : arena_error(&m->scratch);
}

/* ---- Columns of the pieces of one target ---- */

/* A column of the output, and a hash of the pieces that have it. */
struct merge_column {
    uint32_t shape;
    uint32_t kind;
    uint64_t origin;
};

static int compare_columns(const void *a, const void *b)
{
    const struct merge_column *x = a, *y = b;
    if (x->shape != y->shape) {
        return x->shape < y->shape ? -1 : 1;
    }
    return (int)x->kind - (int)y->kind;
}

static int compare_origins(const void *a, const void *b)
{
    const struct merge_column *x = a, *y = b;
    if (x->origin != y->origin) {
        return x->origin < y->origin ? -1 : 1;
    }
    return compare_columns(a, b);
}

/* All columns of the pieces, each once, in order of shape. */
static int union_columns(struct merge *m, const struct piece *pieces, size_t count,
    struct merge_column **columns_out, size_t *count_out)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += schema_of(m, &pieces[i])->count;
    }
    struct merge_column *columns = mem_alloc(total * sizeof(*columns));
    if (columns == NULL) {
        return ERR_NOMEM;
    }
    size_t n = 0;
    int status = 0;
    for (size_t i = 0; i < count; i++) {
        const struct schema_map *schema = schema_of(m, &pieces[i]);
        for (uint32_t c = 0; status >= 0 && c < schema->count; c++) {
            status = has_left(m, &pieces[i], schema->columns[c].shape);
            if (status == 1) {
                columns[n++] = (struct merge_column){
                    schema->columns[c].shape, schema->columns[c].kind, hash_mix64(i + 1)};
            }
        }
    }
    if (status < 0) {
        mem_free(columns);
        return status;
    }
    qsort(columns, n, sizeof(*columns), compare_columns);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && compare_columns(&columns[kept - 1], &columns[i]) == 0) {
            columns[kept - 1].origin += columns[i].origin;
        } else {
            columns[kept++] = columns[i];
        }
    }
    *columns_out = columns;
    *count_out = kept;
    return 0;
}

/* ---- Tables of one target ---- */

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The times of all pieces, each once. */
static int union_times(struct merge *m, const struct piece *pieces, size_t count,
    int64_t **times_out, size_t *count_out)
{
    size_t total = 0, n = 0, kept = 0;
    bool ascending = true;
    for (size_t i = 0; i < count; i++) {
        total += pieces[i].row_count;
    }
    int64_t *times = arena_alloc(&m->arena, total * sizeof(*times));
    if (times == NULL) {
        return arena_error(&m->arena);
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(times + n, pieces[i].times, pieces[i].row_count * sizeof(*times));
        ascending = ascending && (n == 0 || pieces[i].row_count == 0 || times[n] > times[n - 1]);
        n += pieces[i].row_count;
    }
    if (!ascending) {
        qsort(times, n, sizeof(*times), compare_times);
    }
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || times[i] != times[kept - 1]) {
            times[kept++] = times[i];
        }
    }
    *times_out = times;
    *count_out = kept;
    return 0;
}

static int push_table(
    struct merge *m, const struct part_table *table, const struct piece *pieces, size_t piece_count)
{
    if (table->row_count == 0 || table->column_count == 0) {
        return 0;
    }
    int status = mem_array_grow((void **)&m->tables, &m->table_cap, m->table_count + 1,
        sizeof(*m->tables), MERGE_PIECES_MAX);
    if (status == 0) {
        status = mem_array_grow((void **)&m->origins, &m->origin_cap, m->table_count + 1,
            sizeof(*m->origins), MERGE_PIECES_MAX);
    }
    if (status == 0) {
        m->tables[m->table_count] = *table;
        m->origins[m->table_count++] = (struct merge_table){pieces, piece_count};
    }
    return status;
}

static int add_table(struct merge *m, const struct merge_column *columns, size_t column_count,
    const struct piece *pieces, size_t piece_count)
{
    struct column *list = arena_alloc(&m->arena, column_count * sizeof(*list));
    int64_t *times = NULL;
    size_t row_count = 0;
    int status = list != NULL ? 0 : arena_error(&m->arena);
    if (status == 0) {
        status = union_times(m, pieces, piece_count, &times, &row_count);
    }
    if (status != 0 || row_count > UINT32_MAX) {
        return status != 0 ? status : ERR_LIMIT;
    }
    for (size_t i = 0; i < column_count; i++) {
        list[i] = (struct column){columns[i].shape, columns[i].kind};
    }
    const struct part_table table = {.target = pieces[0].target,
        .column_count = (uint32_t)column_count,
        .row_count = (uint32_t)row_count,
        .columns = list,
        .times = times};
    return push_table(m, &table, pieces, piece_count);
}

/* Columns that come from the same pieces make a table each. */
static int add_split(struct merge *m, struct merge_column *columns, size_t column_count,
    const struct piece *pieces, size_t piece_count)
{
    qsort(columns, column_count, sizeof(*columns), compare_origins);
    int status = 0;
    for (size_t i = 0; status == 0 && i < column_count;) {
        size_t k = i;
        while (k < column_count && columns[k].origin == columns[i].origin) {
            k++;
        }
        struct piece *chosen = arena_alloc(&m->arena, piece_count * sizeof(*chosen));
        size_t count = 0;
        for (size_t n = 0; chosen != NULL && status == 0 && n < piece_count; n++) {
            int has = 0;
            if (schema_map_find(schema_of(m, &pieces[n]), columns[i].shape, columns[i].kind) !=
                NULL) {
                has = has_left(m, &pieces[n], columns[i].shape);
            }
            if (has == 1) {
                chosen[count++] = pieces[n];
            }
            status = has < 0 ? has : 0;
        }
        if (status != 0) {
            return status;
        }
        status = chosen != NULL ? add_table(m, columns + i, k - i, chosen, count)
                                : arena_error(&m->arena);
        i = k;
    }
    return status;
}

static int plan_target(struct merge *m, struct piece *pieces, size_t count, struct err *e)
{
    struct merge_column *columns = NULL;
    size_t column_count = 0;
    int status = 0;
    uint64_t cells = 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = read_times(m, &pieces[i], e);
        cells += (uint64_t)pieces[i].row_count * schema_of(m, &pieces[i])->count;
    }
    if (status == 0) {
        status = union_columns(m, pieces, count, &columns, &column_count);
    }
    if (status == 0) {
        int64_t *times = NULL;
        size_t rows = 0;
        struct arena_mark mark = arena_mark(&m->arena);
        status = union_times(m, pieces, count, &times, &rows);
        arena_rewind(&m->arena, mark);
        uint64_t whole = (uint64_t)rows * column_count;
        bool split = column_count > TABLE_COLUMNS_MAX ||
                     (whole > cells && (whole - cells) * EMPTY_DIVISOR > whole);
        if (status == 0) {
            status = split ? add_split(m, columns, column_count, pieces, count)
                           : add_table(m, columns, column_count, pieces, count);
        }
    }
    mem_free(columns);
    arena_rewind(&m->scratch, m->empty);
    return status;
}

static int plan(struct merge *m, struct err *e)
{
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < m->input_count; i++) {
        status = add_pieces(m, i);
    }
    if (m->piece_count > 1) {
        qsort(m->pieces, m->piece_count, sizeof(*m->pieces), compare_pieces);
    }
    for (size_t i = 0; status == 0 && i < m->piece_count;) {
        size_t k = i;
        while (k < m->piece_count && m->pieces[k].target == m->pieces[i].target) {
            k++;
        }
        status = plan_target(m, m->pieces + i, k - i, e);
        i = k;
    }
    return status;
}

/* ---- The source ---- */

static const struct labels *source_target(struct part_source *source, uint32_t target)
{
    return index_labels(((struct merge *)source)->db->index, INDEX_TARGETS, target);
}

static const struct labels *source_shape(struct part_source *source, uint32_t shape)
{
    const struct merge *m = (const struct merge *)source;
    bool tier = m->inputs[0]->about.tier != STORE_RAW;
    return index_labels(tier ? m->db->tier_shapes : m->db->index, INDEX_SHAPES, shape);
}

static size_t first_row(const struct part_table *table, int64_t t_ms)
{
    size_t low = 0, high = table->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->times[middle] < t_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The samples of a column of a piece that are not deleted. */
static int read_piece(struct merge *m, const struct piece *piece, const struct schema_column *c,
    struct sample_arrays *samples_out, struct err *e)
{
    const struct time_range *ranges = NULL;
    size_t count = 0, range_count = 0;
    int status = part_read(m->inputs[piece->input]->part, piece->group, piece->table, c->column,
        INT64_MIN, INT64_MAX, &m->buffer, &count, e);
    if (status != 0) {
        return status;
    }
    bool floats = c->kind == COLUMN_FLOAT;
    *samples_out = (struct sample_arrays){.times = m->buffer.times,
        .values = floats ? m->buffer.values : NULL,
        .histograms = floats ? NULL : m->buffer.histograms,
        .count = count};
    if (piece->tombstone_count > 0) {
        status = deleted_ranges(m, piece, c->shape, &ranges, &range_count);
    }
    return status == 0 && range_count > 0
               ? ranges_filter(ranges, range_count, &m->scratch, samples_out)
               : status;
}

/* Histogram bytes live in the buffer until the next read: they are copied. */
static int place_samples(struct merge *m, const struct part_table *table,
    const struct sample_arrays *samples, uint64_t *presence, double *values, struct str *histograms)
{
    size_t row = samples->count > 0 ? first_row(table, samples->times[0]) : 0;
    for (size_t i = 0; i < samples->count; i++) {
        while (table->times[row] < samples->times[i]) {
            row++;
            assert(row < table->row_count);
        }
        assert(table->times[row] == samples->times[i]);
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
        const struct piece *piece = &origin->pieces[i];
        const struct schema_column *c =
            schema_map_find(schema_of(m, piece), wanted->shape, wanted->kind);
        struct sample_arrays samples = {0};
        if (c == NULL) {
            continue;
        }
        status = read_piece(m, piece, c, &samples, e);
        if (status == 0) {
            status = place_samples(m, table, &samples, presence, values, histograms);
        }
    }
    *cells_out = (struct part_cells){presence, values, histograms};
    return status;
}

static const struct part_source_ops source_ops = {source_target, source_shape, source_cells};

/* ---- The face ---- */

static void merge_release(struct merge *m)
{
    mem_free(m->pieces);
    mem_free(m->tables);
    mem_free(m->origins);
    part_buffer_release(&m->buffer);
    arena_release(&m->scratch);
    arena_release(&m->arena);
}

static int write_merged(
    struct tsdb *db, struct merge *m, uint32_t level, struct store_part **part_out, struct err *e)
{
    int status = plan(m, e);
    if (status != 0) {
        return e->code == status ? status : err_set(e, status, -1, "merging: %s", err_text(status));
    }
    if (m->table_count > UINT32_MAX) {
        return err_set(e, ERR_LIMIT, -1, "merging: too many tables");
    }
    if (m->table_count == 0) {
        return 0; // all of it was deleted
    }
    m->source = (struct part_source){&source_ops, m->tables, (uint32_t)m->table_count};
    struct manifest_part about = {
        .precedence = m->inputs[m->input_count - 1]->about.precedence,
        .precedence_first = m->inputs[0]->about.precedence_first,
        .level = (uint16_t)level,
        .tier = m->inputs[0]->about.tier,
        .retention_ms = m->inputs[0]->about.retention_ms,
        .day = m->inputs[0]->about.day,
        .split = m->inputs[0]->about.split,
    };
    return db_write_part(db, &m->source, &about, part_out, e);
}

/* Reads the input anew, to tell the damaged one: it is left as it is from now on. */
static void note_damage(struct merge *m)
{
    for (size_t i = 0; i < m->input_count; i++) {
        struct store_part *p = m->inputs[i];
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
    struct merge m = {.db = db, .inputs = parts, .input_count = count, .filter = filter};
    arena_init(&m.arena, 0);
    arena_init(&m.scratch, 0);
    m.empty = arena_mark(&m.scratch);
    part_buffer_init(&m.buffer);
    struct store_part *merged = NULL;
    int status = db_tombstones_settle(db, e);
    if (status == 0) {
        status = write_merged(db, &m, level, &merged, e);
    }
    if (status == ERR_CORRUPT) {
        note_damage(&m);
    }
    if (status == 0) {
        uint64_t version = 0;
        struct parts_change change = {
            .gone = parts, .gone_count = count, .added = &merged, .added_count = merged != NULL};
        status = db_change_parts(db, &change, &version, e);
        if (status != 0) {
            store_part_unref(merged);
        } else {
            atomic_fetch_add_explicit(&db->merges, 1, memory_order_relaxed);
        }
    }
    merge_release(&m);
    return status;
}
