/* Reading one column of one table: the times of its group, its run, its block. A page is verified
 * once, when it comes from the disk; what neighbours need again (part_memory.h) is kept.
 *
 * A block that leans on other columns needs their values first, down a chain of at most
 * PART_REFERENCE_DEPTH_MAX links. Columns that were leaned on, or lean themselves, are kept for a
 * while, so that reading a histogram bucket by bucket decodes each bucket once. */
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "part/part_memory.h"
#include "row/column_block.h"
#include "row/column_newest.h"

/* Which column of which table. */
struct place {
    struct group_memory *group;
    uint32_t table, column;
    uint32_t rows; /* of the table */
};

/* One link of a chain while it is followed: the block, whose page may go meanwhile, and the sum of
 * what it leans on. */
struct link {
    char block[COLUMN_BLOCK_SIZE_MAX(PART_GROUP_ROWS_MAX)];
    double sum[PART_GROUP_ROWS_MAX];
    double values[PART_GROUP_ROWS_MAX]; /* of one of those */
};

struct buffer_state {
    struct part_memory memory;
    struct querier_statistics reads; /* since the call began */
    /* Of the last read. */
    uint64_t presence[PRESENCE_WORDS(PART_GROUP_ROWS_MAX)];
    double values[PART_GROUP_ROWS_MAX];
    int64_t times[PART_GROUP_ROWS_MAX]; /* where rows are missing between others */
    struct str *histograms;             /* of a whole group's rows, made when first needed */
    struct strbuf histogram_bytes;
    struct zstd_codec *zstd;
    struct link *links[PART_REFERENCE_DEPTH_MAX]; /* likewise */
};

void part_buffer_init(struct part_buffer *b)
{
    *b = (struct part_buffer){0};
}

void part_buffer_release(struct part_buffer *b)
{
    struct buffer_state *s = b->private_state;
    if (s != NULL) {
        part_memory_release(&s->memory);
        zstd_codec_free(s->zstd);
        strbuf_release(&s->histogram_bytes);
        for (size_t i = 0; i < PART_REFERENCE_DEPTH_MAX; i++) {
            mem_free(s->links[i]);
        }
        mem_free(s->histograms);
        mem_free(s);
    }
    part_buffer_init(b);
}

size_t part_buffer_memory(const struct part_buffer *b)
{
    const struct buffer_state *s = b->private_state;
    if (s == NULL) {
        return 0;
    }
    size_t bytes = sizeof(*s) + s->histogram_bytes.cap + part_memory_bytes(&s->memory);
    bytes += s->histograms != NULL ? PART_GROUP_ROWS_MAX * sizeof(*s->histograms) : 0;
    for (size_t i = 0; i < PART_REFERENCE_DEPTH_MAX; i++) {
        bytes += s->links[i] != NULL ? sizeof(*s->links[i]) : 0;
    }
    return bytes;
}

/* Its arrays are written before they are read: clearing them would cost more than most reads. */
static int prepare(struct part_buffer *b, struct buffer_state **state_out)
{
    struct buffer_state *s = b->private_state;
    if (s == NULL) {
        s = mem_alloc(sizeof(*s));
        if (s == NULL) {
            return ERR_NOMEM;
        }
        part_memory_init(&s->memory);
        s->histograms = NULL;
        s->zstd = NULL;
        memset(s->links, 0, sizeof(s->links));
        strbuf_init(&s->histogram_bytes, PART_PAGE_BYTES_MAX);
        b->private_state = s;
    }
    *state_out = s;
    return 0;
}

/* The group, the table's times, and how many. */
static int begin_read(struct part_buffer *b, struct part *p, uint32_t group, uint32_t table,
    struct buffer_state **state_out, struct place *at_out, const int64_t **rows_out)
{
    *at_out = (struct place){.table = table};
    int status = prepare(b, state_out);
    if (status == 0) {
        status = part_memory_group(&(*state_out)->memory, p, group, &at_out->group);
    }
    if (status == 0) {
        status =
            part_memory_rows(&(*state_out)->memory, at_out->group, table, rows_out, &at_out->rows);
    }
    return status;
}

static int find_block(
    struct place at, struct part_references *references_out, struct str *block_out)
{
    const struct part_run *run;
    int status = part_memory_run(at.group, at.column, &run);
    if (status == 0) {
        *references_out = run->references;
        *block_out = str_make(run->blocks + run->offsets[at.table], run->sizes[at.table]);
    }
    return status;
}

/* The block that is about to be decoded. */
static int take_block(struct buffer_state *s, struct place at,
    struct part_references *references_out, struct str *block_out)
{
    int status = find_block(at, references_out, block_out);
    if (status == 0) {
        s->reads.blocks++;
        s->reads.samples += at.rows;
        s->reads.bytes += block_out->len;
    }
    return status;
}

/* ---- Columns that lean on others ---- */

static int read_floats(struct buffer_state *s, struct place at, uint32_t depth, double *values_out,
    uint64_t *presence_out);

/* Adds the values of a reference of the column at `at` to the sum in `link`. */
static int add_reference(struct buffer_state *s, struct place at,
    const struct part_reference *reference, uint32_t depth, struct link *link)
{
    const struct part *p = at.group->part;
    const struct part_schema *schema = &p->schemas[p->groups[at.group->group].schema];
    at.column = reference->column;
    const double *values = part_memory_recall(&s->memory, at.group, at.table, at.column);
    int status = schema->columns[at.column].kind == COLUMN_FLOAT ? 0 : ERR_CORRUPT;
    if (status == 0 && values == NULL) {
        status = read_floats(s, at, depth, link->values, NULL);
        if (status == 0) {
            part_memory_keep(&s->memory, at.group, at.table, at.column, link->values);
        }
        values = link->values;
    }
    if (status == 0) {
        part_reference_add(link->sum, values, at.rows, reference);
    }
    return status;
}

/* Values of a float column, `depth` links down a chain. */
static int read_floats(struct buffer_state *s, struct place at, uint32_t depth, double *values_out,
    uint64_t *presence_out)
{
    struct part_references references;
    struct str block;
    int status = take_block(s, at, &references, &block);
    if (status != 0 || !column_block_needs_reference(block.ptr, block.len)) {
        return status != 0
                   ? status
                   : column_block_decode(block.ptr, block.len, at.rows, values_out, presence_out);
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
    memset(link->sum, 0, at.rows * sizeof(link->sum[0]));
    for (uint32_t i = 0; status == 0 && i < references.count; i++) {
        status = add_reference(s, at, &references.items[i], depth + 1, link);
    }
    if (status == 0) {
        status = column_block_decode_against(
            link->block, block.len, at.rows, link->sum, values_out, presence_out);
    }
    if (status == 0 && depth == 0) { /* deeper ones are kept by who asked */
        part_memory_keep(&s->memory, at.group, at.table, at.column, values_out);
    }
    return status;
}

static int read_histograms(struct buffer_state *s, struct place at)
{
    struct part_references references;
    struct str block;
    if (s->histograms == NULL) {
        s->histograms = mem_calloc(PART_GROUP_ROWS_MAX, sizeof(*s->histograms));
    }
    int status = s->histograms == NULL ? ERR_NOMEM : 0;
    if (status == 0 && s->zstd == NULL) {
        status = zstd_codec_new(&s->zstd);
    }
    status = status == 0 ? take_block(s, at, &references, &block) : status;
    return status != 0 ? status
                       : part_histograms_decode(s->zstd, block, at.rows, &s->histogram_bytes,
                             s->histograms, s->presence);
}

/* ---- Rows ---- */

/* The first of the rows that is not before `t`; `count` when all are. */
static uint32_t first_from(const int64_t *rows, uint32_t count, int64_t t)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rows[middle] < t) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool all_present(const uint64_t *presence, uint32_t begin, uint32_t end)
{
    bool all = true;
    uint32_t i = begin;
    for (; i < end && i % 64 != 0; i++) {
        all = all && (presence[i / 64] >> (i % 64) & 1) != 0;
    }
    for (; end - i >= 64; i += 64) {
        all = all && presence[i / 64] == UINT64_MAX;
    }
    for (; i < end; i++) {
        all = all && (presence[i / 64] >> (i % 64) & 1) != 0;
    }
    return all;
}

/* Hands out the rows [begin, end) that are present: as they lie when all are. */
static size_t hand_out(struct part_buffer *b, struct buffer_state *s, const int64_t *rows,
    uint32_t begin, uint32_t end, bool histograms)
{
    if (all_present(s->presence, begin, end)) {
        b->times = rows + begin;
        b->values = s->values + begin;
        b->histograms = histograms ? s->histograms + begin : NULL;
        return end - begin;
    }
    size_t kept = 0;
    for (uint32_t i = begin; i < end; i++) {
        s->times[kept] = rows[i];
        if (histograms) {
            s->histograms[kept] = s->histograms[i];
        } else {
            s->values[kept] = s->values[i];
        }
        kept += s->presence[i / 64] >> (i % 64) & 1;
    }
    b->times = s->times;
    b->values = s->values;
    b->histograms = s->histograms;
    return kept;
}

/* ---- The face ---- */

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
    struct place at;
    const int64_t *rows = NULL;
    bool histograms = p->schemas[p->groups[group].schema].columns[column].kind == COLUMN_HISTOGRAM;
    int status = begin_read(b, p, group, table, &s, &at, &rows);
    if (status != 0) {
        return name_error(p, status, group, table, column, e);
    }
    uint32_t begin = first_from(rows, at.rows, min_t);
    uint32_t end = max_t == INT64_MAX ? at.rows : first_from(rows, at.rows, max_t + 1);
    if (begin >= end) {
        *count_out = 0;
        return 0;
    }
    at.column = column;
    s->reads = (struct querier_statistics){0};
    status = histograms ? read_histograms(s, at) : read_floats(s, at, 0, s->values, s->presence);
    b->reads.blocks += s->reads.blocks;
    b->reads.samples += s->reads.samples;
    b->reads.bytes += s->reads.bytes;
    if (status != 0) {
        return name_error(p, status, group, table, column, e);
    }
    *count_out = hand_out(b, s, rows, begin, end, histograms);
    return 0;
}

/* The extent of a table: from the times page where it says so, else from the decoded times. */
static int find_extent(struct part_memory *m, struct group_memory *g, uint32_t table,
    uint32_t *rows_out, int64_t *first_out, int64_t *last_out)
{
    uint32_t stream = g->times.stream_of[table];
    *rows_out = g->times.rows[stream];
    if (g->times.has_extents) {
        *first_out = g->times.first[stream];
        *last_out = g->times.last[stream];
        return 0;
    }
    const int64_t *rows;
    int status = part_memory_rows(m, g, table, &rows, rows_out);
    if (status == 0) {
        *first_out = rows[0];
        *last_out = rows[*rows_out - 1];
    }
    return status;
}

/* What is known of a column with neither gaps nor stale markers: 1, 0 when nothing is. */
static int summarize(struct place at, struct run_summary *summary)
{
    const struct part_run *run;
    struct part_checkpoint checkpoint;
    struct column_summary known;
    int status = part_memory_run(at.group, at.column, &run);
    if (status != 0) {
        return status;
    }
    if (part_run_checkpoint(run, at.table, &checkpoint)) {
        summary->first = checkpoint.first;
        summary->last = checkpoint.last;
        summary->increase = checkpoint.increase;
        summary->increase_only = true;
        return 1;
    }
    status = column_block_summary(
        run->blocks + run->offsets[at.table], run->sizes[at.table], at.rows, &known);
    if (status != 0 || (known.known & COLUMN_KNOWS_AGGREGATES) == 0 || known.count != at.rows) {
        return status;
    }
    summary->sum = known.sum;
    summary->min = known.min;
    summary->max = known.max;
    summary->first = known.first;
    summary->last = known.last;
    summary->increase = known.increase;
    return 1;
}

/* The rows of a column and their extent; 0, or an error. */
static int begin_summary(struct part *p, uint32_t group, struct place *at, struct part_buffer *b,
    struct run_summary *extent)
{
    struct buffer_state *s = NULL;
    int status = prepare(b, &s);
    if (status == 0) {
        status = part_memory_group(&s->memory, p, group, &at->group);
    }
    if (status == 0) {
        status = find_extent(
            &s->memory, at->group, at->table, &at->rows, &extent->first_t, &extent->last_t);
    }
    extent->count = at->rows;
    return status;
}

static bool is_float(const struct part *p, uint32_t group, uint32_t column)
{
    return p->schemas[p->groups[group].schema].columns[column].kind == COLUMN_FLOAT;
}

int part_read_summary(struct part *p, uint32_t group, uint32_t table, uint32_t column,
    int64_t min_t, int64_t max_t, struct part_buffer *b, struct run_summary *summary_out,
    struct err *e)
{
    struct place at = {.table = table, .column = column};
    struct run_summary summary = {.count = 0};
    if (!is_float(p, group, column)) {
        return 0;
    }
    int status = begin_summary(p, group, &at, b, &summary);
    if (status == 0 && (summary.first_t < min_t || summary.last_t > max_t)) {
        return 0;
    }
    status = status == 0 ? summarize(at, &summary) : status;
    if (status < 0) {
        return name_error(p, status, group, table, column, e);
    }
    if (status > 0) {
        *summary_out = summary;
    }
    return status;
}

/* ---- The newest sample ---- */

/* Rows of what a block leans on: the sum of other columns, one row at a time. */
struct leaned_on {
    struct column_reference face; /* first */
    struct buffer_state *state;
    struct place at; /* of the column that leans */
    struct part_references references;
    uint32_t depth; /* of those it leans on */
};

static int newest_float(struct buffer_state *s, struct place at, uint32_t depth, uint32_t end,
    uint32_t *row_out, double *value_out);

/* One row of a column as decoding leaves it. */
static int row_value(
    struct buffer_state *s, struct place at, uint32_t depth, uint32_t row, double *value_out)
{
    const struct part *p = at.group->part;
    const struct part_schema *schema = &p->schemas[p->groups[at.group->group].schema];
    if (schema->columns[at.column].kind != COLUMN_FLOAT) {
        return ERR_CORRUPT;
    }
    const double *values = part_memory_recall(&s->memory, at.group, at.table, at.column);
    if (values != NULL) {
        *value_out = values[row];
        return 1;
    }
    if (part_memory_recall_cell(&s->memory, at.group, at.table, at.column, row, value_out)) {
        return 1;
    }
    uint32_t found = 0;
    int status = newest_float(s, at, depth, row + 1, &found, value_out);
    if (status == 1 && found != row) {
        *value_out = double_from_bits(STALE_MARKER_BITS);
    }
    if (status == 1) {
        part_memory_keep_cell(&s->memory, at.group, at.table, at.column, row, *value_out);
    }
    return status;
}

static int leaned_on_value(struct column_reference *self, uint32_t row, double *value_out)
{
    struct leaned_on *l = (struct leaned_on *)self;
    double sum = 0;
    int status = l->depth <= PART_REFERENCE_DEPTH_MAX && l->references.count > 0 ? 1 : ERR_CORRUPT;
    for (uint32_t i = 0; status == 1 && i < l->references.count; i++) {
        double value = 0;
        struct place at = l->at;
        at.column = l->references.items[i].column;
        status = row_value(l->state, at, l->depth, row, &value);
        part_reference_add(&sum, &value, 1, &l->references.items[i]);
    }
    *value_out = sum;
    return status;
}

/* The newest present row before `end`, `depth` links down a chain: as column_block_newest. */
static int newest_float(struct buffer_state *s, struct place at, uint32_t depth, uint32_t end,
    uint32_t *row_out, double *value_out)
{
    struct leaned_on l = {{leaned_on_value}, s, at, {.count = 0}, depth + 1};
    struct str block;
    int status = find_block(at, &l.references, &block);
    return status != 0 ? status
                       : column_block_newest(
                             block.ptr, block.len, at.rows, end, &l.face, row_out, value_out);
}

/* Rows of a table up to `max_t`, and their times if not all of them are meant; both ends are in `extent`. */
static int rows_until(struct buffer_state *s, struct place at, const struct run_summary *extent,
    int64_t max_t, const int64_t **times_out, uint32_t *end_out)
{
    uint32_t rows;
    *times_out = NULL;
    *end_out = extent->first_t <= max_t ? at.rows : 0;
    if (extent->first_t > max_t || extent->last_t <= max_t) {
        return 0;
    }
    int status = part_memory_rows(&s->memory, at.group, at.table, times_out, &rows);
    if (status == 0) {
        *end_out = first_from(*times_out, rows, max_t + 1);
    }
    return status;
}

/* 1 and the newest sample before row `end`. A long block's last one is known. */
static int find_newest(
    struct buffer_state *s, struct place at, uint32_t end, uint32_t *row_out, double *value_out)
{
    const struct part_run *run;
    struct part_checkpoint checkpoint;
    int status = part_memory_run(at.group, at.column, &run);
    if (status != 0) {
        return status;
    }
    if (end == at.rows && part_run_checkpoint(run, at.table, &checkpoint)) {
        *row_out = end - 1;
        *value_out = checkpoint.last;
        return 1;
    }
    return newest_float(s, at, 0, end, row_out, value_out);
}

int part_read_newest(struct part *p, uint32_t group, uint32_t table, uint32_t column, int64_t min_t,
    int64_t max_t, struct part_buffer *b, size_t *count_out, int64_t *t_out, double *value_out,
    struct err *e)
{
    struct place at = {.table = table, .column = column};
    struct run_summary extent = {.count = 0};
    const int64_t *times = NULL;
    uint32_t end = 0, row = 0;
    double value = 0;
    if (!is_float(p, group, column)) {
        return 0;
    }
    int status = begin_summary(p, group, &at, b, &extent);
    struct buffer_state *s = b->private_state;
    if (status == 0) {
        status = rows_until(s, at, &extent, max_t, &times, &end);
    }
    if (status == 0 && (end == 0 || extent.last_t < min_t)) {
        *count_out = 0;
        return 1;
    }
    status = status == 0 ? find_newest(s, at, end, &row, &value) : status;
    if (status == 1 && row + 1 < at.rows && times == NULL) {
        int read = part_memory_rows(&s->memory, at.group, table, &times, &at.rows);
        status = read != 0 ? read : status;
    }
    if (status < 0) {
        return name_error(p, status, group, table, column, e);
    }
    if (status == 1) {
        int64_t t = row + 1 < at.rows ? times[row] : extent.last_t;
        part_memory_keep_cell(&s->memory, at.group, table, column, row, value);
        *count_out = t >= min_t;
        *t_out = t;
        *value_out = value;
    }
    return status;
}

int part_read_extent(struct part *p, uint32_t group, uint32_t table, struct part_buffer *b,
    int64_t *first_out, int64_t *last_out, struct err *e)
{
    struct buffer_state *s = NULL;
    struct group_memory *g;
    uint32_t rows;
    int status = prepare(b, &s);
    if (status == 0) {
        status = part_memory_group(&s->memory, p, group, &g);
    }
    if (status == 0) {
        status = find_extent(&s->memory, g, table, &rows, first_out, last_out);
    }
    return status == 0 ? 0 : name_error(p, status, group, table, 0, e);
}

int part_read_times(struct part *p, uint32_t group, uint32_t table, struct part_buffer *b,
    size_t *count_out, struct err *e)
{
    struct buffer_state *s = NULL;
    struct place at;
    const int64_t *rows = NULL;
    int status = begin_read(b, p, group, table, &s, &at, &rows);
    if (status != 0) {
        return name_error(p, status, group, table, 0, e);
    }
    b->times = rows;
    *count_out = at.rows;
    return 0;
}

int part_read_references(struct part *p, uint32_t group, uint32_t column, struct part_buffer *b,
    struct part_references *references_out)
{
    struct buffer_state *s = NULL;
    struct place at = {.column = column};
    struct str block;
    int status = prepare(b, &s);
    if (status == 0) {
        status = part_memory_group(&s->memory, p, group, &at.group);
    }
    return status != 0 ? status : find_block(at, references_out, &block);
}
