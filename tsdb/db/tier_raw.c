/* Reading a day; see the header. */
#include "db/tier_raw.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "db/tier_hidden.h"
#include "model/sample.h"
#include "tsdb/column.h"

static bool has_rows_of(const struct store_part *p, int64_t from, int64_t to)
{
    const struct part_info *info = part_info(p->part);
    return p->about.tier == STORE_RAW && info->min_t <= to && info->max_t > from;
}

uint64_t tier_raw_precedence(const struct tsdb *db, int64_t day)
{
    uint64_t highest = 0;
    for (size_t i = 0; i < db->view->count; i++) {
        const struct store_part *p = db->view->parts[i];
        /* Of the next day only midnight counts: it came with the oldest part, whatever that has been
         * merged with since. */
        uint64_t own = p->about.day == day ? p->about.precedence : p->about.precedence_first;
        if (has_rows_of(p, day * DAY_MS, (day + 1) * DAY_MS) && own > highest) {
            highest = own;
        }
    }
    return highest;
}

/* ---- Pieces ---- */

static int add_pieces(struct tier_raw *raw, struct store_part *p)
{
    const struct part_group *groups = part_groups(p->part);
    for (uint32_t g = 0; g < part_info(p->part)->group_count; g++) {
        if (groups[g].min_t > raw->to || groups[g].max_t <= raw->from) {
            continue;
        }
        for (uint32_t t = 0; t < groups[g].target_count; t++) {
            int status = mem_array_grow((void **)&raw->pieces, &raw->cap, raw->count + 1,
                sizeof(*raw->pieces), TIER_PIECES_MAX);
            if (status != 0) {
                return status;
            }
            raw->pieces[raw->count++] =
                (struct tier_piece){p->targets[groups[g].targets[t]], p, g, t, groups[g].schema};
        }
    }
    return 0;
}

static int compare_pieces(const void *a, const void *b)
{
    const struct tier_piece *x = a, *y = b;
    if (x->target != y->target) {
        return x->target < y->target ? -1 : 1;
    }
    if (x->part != y->part) {
        return x->part->about.precedence < y->part->about.precedence ? -1 : 1;
    }
    if (x->group != y->group) {
        return x->group < y->group ? -1 : 1;
    }
    return x->table < y->table ? -1 : x->table > y->table;
}

int tier_raw_open(struct tsdb *db, int64_t day, struct tier_raw *raw_out)
{
    struct tier_raw *raw = raw_out;
    int status = 0;
    *raw = (struct tier_raw){.db = db, .from = day * DAY_MS, .to = (day + 1) * DAY_MS};
    cursor_pool_init(&raw->pool);
    arena_init(&raw->scratch, 0);
    raw->empty = arena_mark(&raw->scratch);
    for (size_t i = 0; status == 0 && i < db->view->count; i++) {
        if (has_rows_of(db->view->parts[i], raw->from, raw->to)) {
            status = add_pieces(raw, db->view->parts[i]);
        }
    }
    if (status != 0) {
        tier_raw_close(raw);
        return status;
    }
    if (raw->count > 1) {
        qsort(raw->pieces, raw->count, sizeof(*raw->pieces), compare_pieces);
    }
    return 0;
}

void tier_raw_close(struct tier_raw *raw)
{
    mem_free(raw->pieces);
    cursor_pool_release(&raw->pool);
    arena_release(&raw->scratch);
}

size_t tier_raw_target_end(const struct tier_raw *raw, size_t first)
{
    size_t end = first;
    while (end < raw->count && raw->pieces[end].target == raw->pieces[first].target) {
        end++;
    }
    return end;
}

/* ---- Columns ---- */

static int compare_columns(const void *a, const void *b)
{
    const struct column *x = &((const struct tier_column *)a)->column;
    const struct column *y = &((const struct tier_column *)b)->column;
    if (x->shape != y->shape) {
        return x->shape < y->shape ? -1 : 1;
    }
    return (int)x->kind - (int)y->kind;
}

int tier_raw_columns(const struct tier_raw *raw, size_t first, size_t end,
    struct tier_column **columns_out, size_t *count_out)
{
    size_t total = 0, n = 0, kept = 0;
    for (size_t i = first; i < end; i++) {
        total += raw->pieces[i].part->schemas[raw->pieces[i].schema].count;
    }
    struct tier_column *columns = mem_calloc(total + 1, sizeof(*columns));
    if (columns == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = first; i < end; i++) {
        const struct schema_map *schema = &raw->pieces[i].part->schemas[raw->pieces[i].schema];
        for (uint32_t c = 0; c < schema->count; c++) {
            columns[n++] =
                (struct tier_column){.column = {schema->columns[c].shape, schema->columns[c].kind},
                    .pieces = raw->pieces + first,
                    .piece_count = end - first};
        }
    }
    if (n > 1) {
        qsort(columns, n, sizeof(*columns), compare_columns);
    }
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || compare_columns(&columns[kept - 1], &columns[i]) != 0) {
            columns[kept++] = columns[i];
        }
    }
    *columns_out = columns;
    *count_out = kept;
    return 0;
}

/* ---- Samples ---- */

/* What is deleted and still in the part. */
static int find_hidden(struct tier_raw *raw, const struct tier_piece *p,
    const struct schema_column *column, const struct time_range **hidden, size_t *count)
{
    const struct tombstone_list *list = raw->db->view->tombstones;
    const struct tombstone **concerned =
        arena_alloc(&raw->scratch, (list->count + 1) * sizeof(*concerned));
    struct tier_deletes deletes = {.tombstones = concerned, .arena = &raw->scratch};
    for (size_t i = 0; concerned != NULL && i < list->count; i++) {
        if (tombstone_concerns(list->items[i], p->part->about.sequence, raw->from, raw->to)) {
            concerned[deletes.count++] = list->items[i];
        }
    }
    *count = 0;
    return concerned == NULL    ? arena_error(&raw->scratch)
           : deletes.count == 0 ? 0
                                : tier_hidden_ranges(&deletes, p->target, column,
                                      (struct time_range){raw->from + 1, raw->to}, hidden, count);
}

static int open_column(struct tier_raw *raw, const struct tier_column *column,
    struct column_iter **iter_out, struct err *e)
{
    struct series_source *sources = NULL;
    const struct time_range *hidden = NULL;
    size_t hidden_count = 0;
    int status = 0;
    for (size_t i = 0; i < column->piece_count; i++) {
        const struct tier_piece *p = &column->pieces[i];
        const struct part_group *group = &part_groups(p->part->part)[p->group];
        const struct schema_column *found = schema_map_find(
            &p->part->schemas[p->schema], column->column.shape, column->column.kind);
        if (found == NULL) {
            continue;
        }
        struct series_source *s = arena_alloc(&raw->scratch, sizeof(*s));
        if (s == NULL) {
            return err_set(e, ERR_NOMEM, -1, "out of memory for a tier");
        }
        status = find_hidden(raw, p, found, &hidden, &hidden_count);
        if (status != 0) {
            return err_set(e, status, -1, "deletes: %s", err_text(status));
        }
        *s = (struct series_source){.next = sources,
            .min_t = group->min_t,
            .max_t = group->max_t,
            .precedence = p->part->about.precedence,
            .part = p->part,
            .group = p->group,
            .group_table = p->table,
            .column = found->column,
            .kind = (enum column_kind)found->kind,
            .hidden = hidden,
            .hidden_count = hidden_count};
        sources = s;
    }
    const struct iter_request request = {NULL, &raw->pool, raw->from + 1, raw->to, false};
    return series_iter_open(sources, &request, &raw->scratch, iter_out, e);
}

int tier_raw_rollup(
    struct tier_raw *raw, const struct tier_column *column, struct rollup *r, struct err *e)
{
    struct column_iter *iter = NULL;
    struct column_run run;
    rollup_reset(r);
    arena_rewind(&raw->scratch, raw->empty);
    int status = open_column(raw, column, &iter, e);
    int more = status == 0;
    while (status == 0 && (more = column_iter_next(iter, &run, e)) == 1) {
        status = rollup_add(r, run.times, run.values, run.count);
    }
    column_iter_close(iter);
    status = status == 0 && more < 0 ? more : status;
    return status == 0 ? rollup_finish(r) : status;
}

/* All samples of a histogram column, decoded, in the arena. */
struct histogram_samples {
    int64_t *times;
    const struct histogram **items;
    size_t count, times_cap, items_cap;
};

static int add_run(struct histogram_samples *all, const struct column_run *run, struct arena *arena)
{
    size_t needed = all->count + run->count;
    int status = mem_array_grow((void **)&all->times, &all->times_cap, needed, sizeof(*all->times),
        TIER_HISTOGRAM_SAMPLES_MAX);
    if (status == 0) {
        status = mem_array_grow((void **)&all->items, &all->items_cap, needed, sizeof(*all->items),
            TIER_HISTOGRAM_SAMPLES_MAX);
    }
    for (size_t i = 0; status == 0 && i < run->count; i++) {
        const struct histogram *copy = histogram_dup(run->histograms[i], arena);
        if (copy == NULL) {
            return arena_error(arena);
        }
        all->times[all->count] = run->times[i];
        all->items[all->count++] = copy;
    }
    return status;
}

static int encode_kept(const struct histogram_samples *all, const bool *keep, struct arena *arena,
    struct sample_list *list)
{
    int64_t *times = arena_alloc(arena, (all->count + 1) * sizeof(*times));
    struct str *cells = arena_alloc(arena, (all->count + 1) * sizeof(*cells));
    struct strbuf bytes = STRBUF_INIT;
    size_t kept = 0;
    int status = times != NULL && cells != NULL ? 0 : arena_error(arena);
    for (size_t i = 0; status == 0 && i < all->count; i++) {
        if (!keep[i]) {
            continue;
        }
        strbuf_reset(&bytes);
        histogram_encode(all->items[i], &bytes);
        status = strbuf_error(&bytes);
        char *copy = status == 0 ? arena_dup(arena, bytes.data, bytes.size) : NULL;
        status = status == 0 && copy == NULL ? arena_error(arena) : status;
        times[kept] = all->times[i];
        cells[kept++] = str_make(copy, bytes.size);
    }
    strbuf_release(&bytes);
    *list = (struct sample_list){.times = times, .histograms = cells, .count = kept};
    return status;
}

int tier_raw_histograms(struct tier_raw *raw, const struct tier_column *column,
    int64_t resolution_ms, struct arena *arena, struct sample_list *list_out, struct err *e)
{
    struct column_iter *iter = NULL;
    struct column_run run;
    struct histogram_samples all = {0};
    struct arena decoded;
    arena_init(&decoded, 0);
    arena_rewind(&raw->scratch, raw->empty);
    int status = open_column(raw, column, &iter, e);
    int more = status == 0;
    while (status == 0 && (more = column_iter_next(iter, &run, e)) == 1) {
        status = add_run(&all, &run, &decoded);
    }
    column_iter_close(iter);
    status = status == 0 && more < 0 ? more : status;
    bool *keep = mem_calloc(all.count + 1, sizeof(*keep));
    status = status == 0 && keep == NULL ? ERR_NOMEM : status;
    if (status == 0) {
        rollup_thin_histograms(all.times, all.items, all.count, resolution_ms, keep);
        status = encode_kept(&all, keep, arena, list_out);
    }
    mem_free(keep);
    mem_free(all.times);
    mem_free(all.items);
    arena_release(&decoded);
    return status;
}
