/* The pieces of a merge: every table of every input, and what deletes and rules leave of it. */
#include <stdlib.h>

#include "base/mem.h"
#include "db/merge_private.h"
#include "db/tier_hidden.h"

/* The tombstones that have something to say of the input. */
static int find_tombstones(struct merge *m, struct merge_input *input)
{
    const struct tombstone_list *all = m->db->view->tombstones;
    const struct store_part *p = input->part;
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
        list[input->tombstone_count++] = all->items[i];
    }
    input->tombstones = list;
    return 0;
}

static int add_pieces(struct merge *m, uint32_t index)
{
    struct merge_input *input = &m->inputs[index];
    const struct store_part *p = input->part;
    const struct part_group *groups = part_groups(p->part);
    uint32_t group_count = part_info(p->part)->group_count;
    int status = find_tombstones(m, input);
    if (status != 0) {
        return status;
    }
    input->unchanged = arena_calloc(&m->arena, group_count + 1, sizeof(*input->unchanged));
    if (input->unchanged == NULL) {
        return arena_error(&m->arena);
    }
    for (uint32_t g = 0; g < group_count; g++) {
        status = mem_array_grow((void **)&m->pieces, &m->piece_cap,
            m->piece_count + groups[g].target_count, sizeof(*m->pieces), MERGE_PIECES_MAX);
        if (status != 0) {
            return status;
        }
        for (uint32_t t = 0; t < groups[g].target_count; t++) {
            m->pieces[m->piece_count++] = (struct piece){.target = p->targets[groups[g].targets[t]],
                .input = index,
                .group = g,
                .table = t,
                .schema = groups[g].schema};
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

int merge_find_pieces(struct merge *m, struct err *e)
{
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < m->input_count; i++) {
        status = add_pieces(m, i);
    }
    if (m->piece_count > 1) {
        qsort(m->pieces, m->piece_count, sizeof(*m->pieces), compare_pieces);
    }
    return status == 0 ? 0 : err_set(e, status, -1, "merging: %s", err_text(status));
}

/* ---- What is left ---- */

int merge_deleted_ranges(struct merge *m, const struct piece *piece, uint32_t shape,
    const struct time_range **ranges_out, size_t *count_out)
{
    const struct merge_input *input = &m->inputs[piece->input];
    const struct part_group *group = &part_groups(input->part->part)[piece->group];
    struct time_range within = {group->min_t, group->max_t};
    const struct tier_deletes deletes = {
        input->tombstones, input->tombstone_count, input->part->about.tier, &m->scratch};
    const struct schema_map *schema = merge_schema(m, piece);
    const struct schema_column *column = schema_map_find(schema, shape, COLUMN_FLOAT);
    column = column != NULL ? column : schema_map_find(schema, shape, COLUMN_HISTOGRAM);
    *count_out = 0;
    return column == NULL || input->tombstone_count == 0
               ? 0
               : tier_hidden_ranges(&deletes, piece->target, column, within, ranges_out, count_out);
}

static bool is_filtered(const struct merge *m, const struct piece *piece, uint32_t shape)
{
    return m->filter != NULL &&
           (m->filter->rules >> retention_rule_of(m->filter->retention, piece->target, shape) &
               1) != 0;
}

int merge_has_left(struct merge *m, const struct piece *piece, uint32_t shape)
{
    const struct time_range *ranges = NULL;
    size_t count = 0;
    if (is_filtered(m, piece, shape)) {
        return 0;
    }
    if (piece->row_count == 0 || m->inputs[piece->input].tombstone_count == 0) {
        return piece->row_count > 0;
    }
    struct time_range rows = {piece->first_t, piece->last_t};
    struct arena_mark mark = arena_mark(&m->scratch);
    int status = merge_deleted_ranges(m, piece, shape, &ranges, &count);
    bool covered = status == 0 && ranges_cover(ranges, count, rows);
    arena_rewind(&m->scratch, mark);
    return status != 0 ? status : !covered;
}

int merge_is_whole(struct merge *m, const struct piece *piece)
{
    const struct schema_map *schema = merge_schema(m, piece);
    if (m->filter == NULL && m->inputs[piece->input].tombstone_count == 0) {
        return 1;
    }
    struct arena_mark mark = arena_mark(&m->scratch);
    int status = 0;
    bool whole = true;
    for (uint32_t c = 0; status == 0 && whole && c < schema->count; c++) {
        const struct time_range *ranges = NULL;
        size_t count = 0;
        status = merge_deleted_ranges(m, piece, schema->columns[c].shape, &ranges, &count);
        whole = count == 0 && !is_filtered(m, piece, schema->columns[c].shape);
        arena_rewind(&m->scratch, mark);
    }
    return status != 0 ? status : whole;
}

/* ---- Rows ---- */

/* Rows of which a tombstone hides every column. */
static int drop_deleted_rows(struct merge *m, const struct piece *piece, struct sample_arrays *rows)
{
    const struct merge_input *input = &m->inputs[piece->input];
    const struct schema_map *schema = merge_schema(m, piece);
    int status = 0;
    for (size_t i = 0; status == 0 && i < input->tombstone_count; i++) {
        const struct tombstone *t = input->tombstones[i];
        bool all = input->part->about.tier == STORE_RAW;
        for (uint32_t c = 0; all && c < schema->count; c++) {
            all = tombstone_has(t, piece->target, schema->columns[c].shape);
        }
        status = all ? ranges_filter(&t->range, 1, &m->scratch, rows) : 0;
    }
    return status;
}

/* Rows without columns would be times of others. */
static bool is_filtered_whole(const struct merge *m, const struct piece *piece)
{
    const struct schema_map *schema = merge_schema(m, piece);
    bool whole = m->filter != NULL;
    for (uint32_t c = 0; whole && c < schema->count; c++) {
        whole = is_filtered(m, piece, schema->columns[c].shape);
    }
    return whole;
}

int merge_read_times(struct merge *m, struct piece *piece, const int64_t **times_out, struct err *e)
{
    size_t count = 0;
    struct part *part = m->inputs[piece->input].part->part;
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
    piece->row_count = (uint32_t)rows.count;
    piece->first_t = rows.count > 0 ? rows.times[0] : INT64_MAX;
    piece->last_t = rows.count > 0 ? rows.times[rows.count - 1] : INT64_MIN;
    *times_out = rows.times;
    return 0;
}
