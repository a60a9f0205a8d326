/* Building a part of a tier; see the header.
 *
 * Two passes over the day. The first rolls up each series to see which columns it needs, and keeps
 * nothing but that. The second is the writer asking for cells: it asks column by column, table by table,
 * and the columns of one series stand side by side, so a few rollups that are kept serve most of its
 * questions. Memory holds row times and columns, never the buckets of all series.
 *
 * A day that is built again may have buckets whose samples a rule took (tier_carry.h): both passes ask for
 * them behind the samples of each series.
 */
#include "db/tier_build.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "db/tier_carry.h"
#include "db/tier_raw.h"
#include "row/column_block.h"
#include "tier/tier_columns.h"

/* Rollups kept while a part is written: more than the tables of a group. */
enum { KEPT_ROLLUPS = 2 * PART_GROUP_TARGETS_MAX };

/* A series that has buckets, or kept histograms. */
struct tier_series {
    struct column column;
    uint64_t timing; /* equal for series with equal buckets and times */
    uint32_t mask;   /* TIER_BIT of its own columns */
    bool sketches;
};

/* A column of a table: an aggregate of a series. */
struct tier_origin {
    uint32_t series; /* of the build */
    uint32_t aggregate;
};

struct tier_table {
    uint32_t target;
    size_t first_piece, end_piece; /* of samples; none where only buckets are left */
    struct tier_origin *origins;
};

struct kept_rollup {
    struct rollup rollup;
    uint32_t table, series; /* table + 1; 0 = nothing is kept */
};

struct build {
    struct part_source source;
    struct tsdb *db;
    uint16_t tier;
    int64_t retention_ms, resolution_ms;
    struct tier_raw raw;
    struct tier_carry carry;
    struct arena arena; /* row times, columns, origins */
    struct tier_series *series;
    size_t series_count, series_cap;
    struct part_table *tables;
    struct tier_table *origins;
    size_t table_count, tables_cap, origins_cap;
    struct kept_rollup *kept;
    struct rollup rollup; /* of the first pass */
    int64_t *ends;        /* of all series of a target */
    size_t end_count, ends_cap;
    struct arena scratch;
    struct arena_mark empty;
};

/* ---- Which series ---- */

bool tier_choose(const struct tsdb_options *options, uint16_t tier, const struct labels *series,
    int64_t *retention_out, bool *sketches_out)
{
    const struct tsdb_tier_options *chosen = &options->tiers[tier - STORE_5M];
    *retention_out = MANIFEST_RETENTION_DEFAULT;
    for (size_t i = 0; i < options->tier_rule_count; i++) {
        const struct tsdb_tier_rule *rule = &options->tier_rules[i];
        if (matchers_match(rule->matchers, rule->matcher_count, series)) {
            chosen = &rule->tiers[tier - STORE_5M];
            *retention_out = chosen->retention_ms;
            break;
        }
    }
    *sketches_out = chosen->sketches;
    return chosen->enabled;
}

int tier_retentions(const struct tsdb_options *options, uint16_t tier,
    int64_t retentions_out[TIER_RETENTIONS_MAX], size_t *count_out)
{
    size_t count = 0;
    retentions_out[count++] = MANIFEST_RETENTION_DEFAULT;
    for (size_t i = 0; i < options->tier_rule_count; i++) {
        const struct tsdb_tier_options *t = &options->tier_rules[i].tiers[tier - STORE_5M];
        bool known = !t->enabled;
        for (size_t k = 0; !known && k < count; k++) {
            known = retentions_out[k] == t->retention_ms;
        }
        if (!known && count == TIER_RETENTIONS_MAX) {
            return ERR_LIMIT;
        }
        if (!known) {
            retentions_out[count++] = t->retention_ms;
        }
    }
    *count_out = count;
    return 0;
}

/* Is the series in this part? */
static int is_chosen(struct build *b, uint32_t target, uint32_t shape, bool *chosen_out,
    bool *sketches_out, bool *counter_out)
{
    struct label pairs[2 * LABELS_COUNT_MAX];
    size_t count = index_series_labels(b->db->index, target, shape, pairs);
    const struct labels *labels = NULL;
    int status = labels_new(pairs, count, &labels, NULL);
    if (status == 0) {
        int64_t retention = 0;
        *chosen_out = tier_choose(&b->db->options, b->tier, labels, &retention, sketches_out) &&
                      retention == b->retention_ms;
        *counter_out = tier_is_counter(labels_get(labels, STR(LABEL_METRIC_NAME)));
        *sketches_out = *sketches_out && !*counter_out;
    }
    labels_unref(labels);
    return status;
}

/* A column of the target of a table, to be read. */
static struct tier_column column_of(
    const struct build *b, const struct tier_table *from, const struct tier_series *series)
{
    return (struct tier_column){.column = series->column,
        .pieces = b->raw.pieces + from->first_piece,
        .piece_count = from->end_piece - from->first_piece};
}

/* The buckets of a column of floats. */
static int roll_up(struct build *b, uint32_t target, const struct tier_column *column,
    struct rollup *r, unsigned *estimates_out, struct err *e)
{
    int status = tier_raw_rollup(&b->raw, column, r, e);
    return status != 0
               ? status
               : tier_carry_rollup(&b->carry, target, column->column.shape, r, estimates_out, e);
}

/* The samples of a column of histograms that are kept. */
static int thin_out(struct build *b, uint32_t target, const struct tier_column *column,
    struct sample_list *list_out, struct err *e)
{
    int status = tier_raw_histograms(&b->raw, column, b->resolution_ms, &b->scratch, list_out, e);
    return status != 0 ? status
                       : tier_carry_histograms(
                             &b->carry, target, column->column.shape, &b->scratch, list_out, e);
}

/* ---- First pass ---- */

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Adds the buckets of one series to those of its target: they are mostly there. */
static int add_ends(struct build *b, const struct rollup *r)
{
    size_t at = 0, had = b->end_count;
    for (size_t i = 0; i < r->count; i++) {
        while (at < had && b->ends[at] < r->ends[i]) {
            at++;
        }
        if (at < had && b->ends[at] == r->ends[i]) {
            continue;
        }
        int status = mem_array_grow((void **)&b->ends, &b->ends_cap, b->end_count + 1,
            sizeof(*b->ends), ROLLUP_BUCKETS_MAX);
        if (status != 0) {
            return status;
        }
        b->ends[b->end_count++] = r->ends[i];
    }
    if (b->end_count > had && had > 0) {
        qsort(b->ends, b->end_count, sizeof(*b->ends), compare_times);
    }
    return 0;
}

static int push_series(struct build *b, const struct tier_series *series)
{
    int status = mem_array_grow((void **)&b->series, &b->series_cap, b->series_count + 1,
        sizeof(*b->series), TIER_TABLES_MAX);
    if (status == 0) {
        b->series[b->series_count++] = *series;
    }
    return status;
}

static int push_table(
    struct build *b, const struct part_table *table, const struct tier_table *from)
{
    if (table->row_count == 0 || table->column_count == 0) {
        return 0;
    }
    int status = mem_array_grow((void **)&b->tables, &b->tables_cap, b->table_count + 1,
        sizeof(*b->tables), TIER_TABLES_MAX);
    if (status == 0) {
        status = mem_array_grow((void **)&b->origins, &b->origins_cap, b->table_count + 1,
            sizeof(*b->origins), TIER_TABLES_MAX);
    }
    if (status == 0) {
        b->tables[b->table_count] = *table;
        b->origins[b->table_count++] = *from;
    }
    return status;
}

/* The shape of a column of the tier, by the store's index of them. */
static int tier_shape_id(
    struct build *b, const struct labels *shape, enum tier_aggregate aggregate, uint32_t *id_out)
{
    const struct labels *labels = NULL;
    int status = tier_shape_new(shape, aggregate, &labels);
    if (status == 0) {
        status = index_add(
            b->db->tier_shapes, INDEX_SHAPES, labels_pairs(labels), labels_count(labels), id_out);
    }
    labels_unref(labels);
    return status;
}

/* A series of the reserved label would not come back as what it is: it stays out of tiers. */
static bool is_reserved(struct build *b, uint32_t shape)
{
    uint32_t id;
    return tier_shape_id(b, index_labels(b->db->index, INDEX_SHAPES, shape), TIER_LAST, &id) ==
           ERR_INVALID;
}

/* Looks at one column of a target. */
static int survey(struct build *b, uint32_t target, const struct tier_column *column, struct err *e)
{
    bool chosen = false, counter = false;
    struct tier_series series = {.column = column->column};
    int status = is_chosen(b, target, column->column.shape, &chosen, &series.sketches, &counter);
    if (status != 0 || !chosen || is_reserved(b, column->column.shape)) {
        return status;
    }
    if (column->column.kind == COLUMN_HISTOGRAM) {
        struct sample_list list = {0};
        status = thin_out(b, target, column, &list, e);
        if (status != 0 || list.count == 0) {
            return status;
        }
        series.mask = TIER_BIT(TIER_SAMPLE);
        series.timing = hash64(list.times, list.count * sizeof(*list.times), 0);
        return push_series(b, &series);
    }
    unsigned estimates = 0;
    b->rollup.with_sketches = series.sketches;
    status = roll_up(b, target, column, &b->rollup, &estimates, e);
    if (status != 0 || b->rollup.count == 0) {
        return status;
    }
    series.sketches = b->rollup.with_sketches;
    series.mask = tier_columns_choose(&b->rollup, counter);
    series.mask = tier_columns_without(series.mask, estimates);
    series.timing = tier_timing_hash(&b->rollup);
    status = add_ends(b, &b->rollup);
    return status == 0 ? push_series(b, &series) : status;
}

/* The timing that most float series of a target share: those from `first` on. */
static uint64_t common_timing(const struct build *b, size_t first)
{
    uint64_t best = 0;
    size_t best_votes = 0;
    /* Majority by pairing off; without a majority any will do. */
    for (size_t i = first; i < b->series_count; i++) {
        if (best_votes == 0) {
            best = b->series[i].timing;
        }
        best_votes += b->series[i].timing == best ? 1 : (size_t)-1;
    }
    return best;
}

static int add_column(struct build *b, struct column *columns, struct tier_origin *origins,
    uint32_t *count, uint32_t series, enum tier_aggregate aggregate)
{
    const struct tier_series *s = &b->series[series];
    bool shared = aggregate >= TIER_ALL_COUNT;
    const struct labels *shape =
        shared ? labels_empty() : index_labels(b->db->index, INDEX_SHAPES, s->column.shape);
    bool bytes = aggregate == TIER_SKETCH || aggregate == TIER_SAMPLE;
    columns[*count].kind = bytes ? COLUMN_HISTOGRAM : COLUMN_FLOAT;
    origins[*count] = (struct tier_origin){series, aggregate};
    return tier_shape_id(b, shape, aggregate, &columns[(*count)++].shape);
}

/* Columns of the float series of a target: their own, and what they share, from the first that has it. */
static int list_columns(struct build *b, size_t first, struct column *columns,
    struct tier_origin *origins, uint32_t *count)
{
    uint64_t common = common_timing(b, first);
    bool shared = false;
    int status = 0;
    for (size_t i = first; status == 0 && i < b->series_count; i++) {
        struct tier_series *s = &b->series[i];
        s->mask |= s->timing == common ? 0 : TIER_TIMING;
        for (int a = TIER_LAST; status == 0 && a <= TIER_SKETCH; a++) {
            if (s->mask & TIER_BIT(a)) {
                status =
                    add_column(b, columns, origins, count, (uint32_t)i, (enum tier_aggregate)a);
            }
        }
        for (int a = TIER_ALL_COUNT;
             status == 0 && !shared && s->timing == common && a <= TIER_ALL_FIRST_AGE; a++) {
            status = add_column(b, columns, origins, count, (uint32_t)i, (enum tier_aggregate)a);
        }
        shared = shared || s->timing == common;
    }
    return status;
}

/* One table, or as many as columns fill. */
static int add_tables(struct build *b, uint32_t target, const struct tier_table *from,
    const struct column *columns, uint32_t column_count, const int64_t *times, size_t row_count)
{
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < column_count; i += TABLE_COLUMNS_MAX) {
        uint32_t n = column_count - i < TABLE_COLUMNS_MAX ? column_count - i : TABLE_COLUMNS_MAX;
        const struct part_table table = {.target = target,
            .column_count = n,
            .row_count = (uint32_t)row_count,
            .columns = columns + i,
            .times = times};
        struct tier_table origin = *from;
        origin.origins += i;
        status = push_table(b, &table, &origin);
    }
    return status;
}

static int plan_floats(
    struct build *b, uint32_t target, size_t first_series, struct tier_table from)
{
    size_t most = (b->series_count - first_series) * (TIER_SKETCH + 1) + 3;
    struct column *columns = arena_alloc(&b->arena, most * sizeof(*columns));
    from.origins = arena_alloc(&b->arena, most * sizeof(*from.origins));
    int64_t *times = arena_dup(&b->arena, b->ends, b->end_count * sizeof(*times));
    uint32_t count = 0;
    if (columns == NULL || from.origins == NULL || times == NULL) {
        return arena_error(&b->arena);
    }
    int status = list_columns(b, first_series, columns, from.origins, &count);
    return status == 0 ? add_tables(b, target, &from, columns, count, times, b->end_count) : status;
}

static int compare_timing(const void *a, const void *b)
{
    const struct tier_series *x = a, *y = b;
    if (x->timing != y->timing) {
        return x->timing < y->timing ? -1 : 1;
    }
    return x->column.shape < y->column.shape ? -1 : x->column.shape > y->column.shape;
}

/* Histogram series [first, end), which have equal times, make a table. */
static int plan_histograms(struct build *b, uint32_t target, size_t first, size_t end,
    struct tier_table from, struct err *e)
{
    struct sample_list list = {0};
    struct column *columns = arena_alloc(&b->arena, (end - first) * sizeof(*columns));
    from.origins = arena_alloc(&b->arena, (end - first) * sizeof(*from.origins));
    uint32_t count = 0;
    int status = columns != NULL && from.origins != NULL ? 0 : arena_error(&b->arena);
    for (size_t i = first; status == 0 && i < end; i++) {
        status = add_column(b, columns, from.origins, &count, (uint32_t)i, TIER_SAMPLE);
    }
    if (status == 0) {
        const struct tier_column column = column_of(b, &from, &b->series[first]);
        status = thin_out(b, target, &column, &list, e);
    }
    if (status != 0) {
        return status;
    }
    int64_t *times = arena_dup(&b->arena, list.times, list.count * sizeof(*times));
    return times != NULL ? add_tables(b, target, &from, columns, count, times, list.count)
                         : arena_error(&b->arena);
}

/* Looks at the columns of one kind. */
static int survey_kind(struct build *b, uint32_t target, const struct tier_column *columns,
    size_t count, enum column_kind kind, struct err *e)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        if (columns[i].column.kind == (uint32_t)kind) {
            status = survey(b, target, &columns[i], e);
            arena_rewind(&b->scratch, b->empty);
        }
    }
    return status;
}

static int plan_target(struct build *b, const struct tier_table *table, struct err *e)
{
    struct tier_column *columns = NULL;
    size_t count = 0, first = b->series_count;
    const uint32_t target = table->target;
    const struct tier_table from = *table;
    int status = tier_raw_columns(&b->raw, from.first_piece, from.end_piece, &columns, &count);
    status = status == 0 ? tier_carry_columns(&b->carry, target, &columns, &count) : status;
    for (size_t i = 0; i < count; i++) {
        columns[i].pieces = b->raw.pieces + from.first_piece;
        columns[i].piece_count = from.end_piece - from.first_piece;
    }
    b->end_count = 0;
    status = status == 0 ? survey_kind(b, target, columns, count, COLUMN_FLOAT, e) : status;
    if (status == 0 && b->series_count > first) {
        status = plan_floats(b, target, first, from);
    }
    first = b->series_count;
    status = status == 0 ? survey_kind(b, target, columns, count, COLUMN_HISTOGRAM, e) : status;
    mem_free(columns);
    if (status == 0 && b->series_count - first > 1) {
        qsort(b->series + first, b->series_count - first, sizeof(*b->series), compare_timing);
    }
    for (size_t end = first; status == 0 && first < b->series_count; first = end) {
        while (end < b->series_count && b->series[end].timing == b->series[first].timing) {
            end++;
        }
        status = plan_histograms(b, target, first, end, from, e);
        arena_rewind(&b->scratch, b->empty);
    }
    return status;
}

static int plan(struct build *b, struct err *e)
{
    int status = 0;
    for (size_t i = 0, k = 0; status == 0 && (i < b->raw.count || k < b->carry.count);) {
        uint32_t raw = i < b->raw.count ? b->raw.pieces[i].target : UINT32_MAX;
        uint32_t carried = k < b->carry.count ? b->carry.pieces[k].target : UINT32_MAX;
        struct tier_table table = {
            .target = raw < carried ? raw : carried, .first_piece = i, .end_piece = i};
        if (table.target == raw) {
            table.end_piece = tier_raw_target_end(&b->raw, i);
        }
        if (table.target == carried) {
            k = tier_carry_target_end(&b->carry, k);
        }
        status = plan_target(b, &table, e);
        i = table.end_piece;
    }
    return status == 0 && b->table_count > UINT32_MAX ? ERR_LIMIT : status;
}

/* ---- Second pass: the source ---- */

static const struct labels *source_target(struct part_source *source, uint32_t target)
{
    return index_labels(((struct build *)source)->db->index, INDEX_TARGETS, target);
}

static const struct labels *source_shape(struct part_source *source, uint32_t shape)
{
    return index_labels(((struct build *)source)->db->tier_shapes, INDEX_SHAPES, shape);
}

/* The rollup of a series of a table, made anew unless it is still there. */
static int find_rollup(struct build *b, uint32_t table, uint32_t series,
    const struct rollup **rollup_out, struct err *e)
{
    struct kept_rollup *kept = &b->kept[table % KEPT_ROLLUPS];
    if (kept->table != table + 1 || kept->series != series) {
        const struct tier_column column = column_of(b, &b->origins[table], &b->series[series]);
        kept->table = 0;
        kept->rollup.resolution_ms = b->resolution_ms;
        kept->rollup.with_sketches = b->series[series].sketches;
        unsigned estimates = 0; // the first pass has chosen the columns
        int status = roll_up(b, b->origins[table].target, &column, &kept->rollup, &estimates, e);
        if (status != 0) {
            return status;
        }
        kept->table = table + 1;
        kept->series = series;
    }
    *rollup_out = &kept->rollup;
    return 0;
}

/* A sketch as the bytes of a cell. */
static int encode_sketch(struct build *b, const struct histogram *h, struct str *cell_out)
{
    struct strbuf bytes = STRBUF_INIT;
    histogram_encode(h, &bytes);
    int status = strbuf_error(&bytes);
    char *copy = status == 0 ? arena_dup(&b->scratch, bytes.data, bytes.size) : NULL;
    *cell_out = str_make(copy, bytes.size);
    strbuf_release(&bytes);
    return status == 0 && copy == NULL ? arena_error(&b->scratch) : status;
}

/* Cells of a table to be filled. */
struct cells {
    uint64_t *presence;
    double *values;
    struct str *histograms;
};

static int bucket_cells(struct build *b, const struct part_table *table, const struct rollup *r,
    enum tier_aggregate aggregate, const struct cells *cells)
{
    int status = 0;
    for (size_t i = 0, row = 0; status == 0 && i < r->count; i++) {
        while (row < table->row_count && table->times[row] < r->ends[i]) {
            row++;
        }
        if (row == table->row_count || table->times[row] != r->ends[i]) {
            return ERR_CORRUPT; // the file gave other samples than a moment ago
        }
        cells->presence[row / 64] |= (uint64_t)1 << (row % 64);
        if (aggregate == TIER_SKETCH) {
            status = encode_sketch(b, r->sketches[i], &cells->histograms[row]);
        } else {
            cells->values[row] = tier_cell(r, i, aggregate);
        }
    }
    return status;
}

static int sample_cells(struct build *b, uint32_t table_index, uint32_t series,
    const struct cells *cells, struct err *e)
{
    const struct part_table *table = &b->tables[table_index];
    const struct tier_column column = column_of(b, &b->origins[table_index], &b->series[series]);
    struct sample_list list = {0};
    int status = thin_out(b, b->origins[table_index].target, &column, &list, e);
    if (status == 0 && list.count != table->row_count) {
        return ERR_CORRUPT;
    }
    for (size_t i = 0; status == 0 && i < list.count; i++) {
        cells->presence[i / 64] |= (uint64_t)1 << (i % 64);
        cells->histograms[i] = list.histograms[i];
    }
    return status;
}

static int source_cells(struct part_source *source, uint32_t table_index, uint32_t column,
    struct part_cells *cells_out, struct err *e)
{
    struct build *b = (struct build *)source;
    const struct part_table *table = &b->tables[table_index];
    const struct tier_origin *origin = &b->origins[table_index].origins[column];
    enum tier_aggregate aggregate = (enum tier_aggregate)origin->aggregate;
    arena_rewind(&b->scratch, b->empty);
    struct cells cells = {
        arena_calloc(&b->scratch, PRESENCE_WORDS(table->row_count), sizeof(uint64_t)),
        arena_calloc(&b->scratch, table->row_count, sizeof(double)),
        arena_calloc(&b->scratch, table->row_count, sizeof(struct str))};
    if (cells.presence == NULL || cells.values == NULL || cells.histograms == NULL) {
        return arena_error(&b->scratch);
    }
    int status = 0;
    if (aggregate == TIER_SAMPLE) {
        status = sample_cells(b, table_index, origin->series, &cells, e);
    } else {
        const struct rollup *r = NULL;
        status = find_rollup(b, table_index, origin->series, &r, e);
        status = status == 0 ? bucket_cells(b, table, r, aggregate, &cells) : status;
    }
    *cells_out = (struct part_cells){cells.presence, cells.values, cells.histograms};
    return status;
}

static const struct part_source_ops source_ops = {
    .target_labels = source_target, .shape_labels = source_shape, .cells = source_cells};

/* ---- The face ---- */

static int build_init(
    struct build *b, struct tsdb *db, uint16_t tier, int64_t day, int64_t retention_ms)
{
    *b = (struct build){.db = db,
        .tier = tier,
        .retention_ms = retention_ms,
        .resolution_ms = store_tier_resolution(tier)};
    arena_init(&b->arena, 0);
    arena_init(&b->scratch, 0);
    b->empty = arena_mark(&b->scratch);
    rollup_init(&b->rollup, b->resolution_ms, false);
    b->kept = mem_calloc(KEPT_ROLLUPS, sizeof(*b->kept));
    if (b->kept == NULL) {
        return ERR_NOMEM;
    }
    for (int i = 0; i < KEPT_ROLLUPS; i++) {
        rollup_init(&b->kept[i].rollup, b->resolution_ms, false);
    }
    int status = tier_raw_open(db, day, &b->raw);
    return status == 0 ? tier_carry_open(db, tier, day, &b->carry) : status;
}

static void build_release(struct build *b)
{
    for (int i = 0; b->kept != NULL && i < KEPT_ROLLUPS; i++) {
        rollup_release(&b->kept[i].rollup);
    }
    mem_free(b->kept);
    rollup_release(&b->rollup);
    mem_free(b->series);
    mem_free(b->tables);
    mem_free(b->origins);
    mem_free(b->ends);
    arena_release(&b->scratch);
    arena_release(&b->arena);
    tier_carry_close(&b->carry);
    if (b->raw.db != NULL) {
        tier_raw_close(&b->raw);
    }
}

int tier_build(struct tsdb *db, uint16_t tier, int64_t day, int64_t retention_ms,
    struct store_part **part_out, struct err *e)
{
    struct err local = ERR_INIT;
    struct build b;
    int status = build_init(&b, db, tier, day, retention_ms);
    status = status == 0 ? plan(&b, &local) : status;
    *part_out = NULL;
    if (status == 0 && b.table_count > 0) {
        b.source = (struct part_source){
            .ops = &source_ops, .tables = b.tables, .table_count = (uint32_t)b.table_count};
        struct manifest_part about = {.precedence = db->manifest.next_sequence,
            .precedence_first = db->manifest.next_sequence,
            .tier = tier,
            .day = day,
            .retention_ms = retention_ms,
            .split = db->split};
        status = db_write_part(db, &b.source, &about, part_out, &local);
    }
    build_release(&b);
    if (status != 0) {
        err_set(e, status, -1, "%s of day %lld: %s", store_tier_name(tier), (long long)day,
            local.code == status ? local.message : err_text(status));
    }
    return status;
}
