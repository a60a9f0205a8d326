/* Buckets that outlive their samples; see the header. They are read as queries read them (tier_iter.h), so
 * that what a file leaves out is put together again in one place. */
#include "db/tier_carry.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "db/tier_hidden.h"
#include "db/tier_iter.h"
#include "tier/tier_columns.h"

/* ---- Pieces ---- */

static bool is_replaced(const struct tier_carry *carry, const struct store_part *p, int64_t day)
{
    return p->about.tier == carry->tier && p->about.day == day && p->about.level == 0;
}

static int add_pieces(struct tier_carry *carry, struct store_part *p)
{
    const struct part_group *groups = part_groups(p->part);
    int status = 0;
    for (uint32_t g = 0; status == 0 && g < part_info(p->part)->group_count; g++) {
        for (uint32_t t = 0; status == 0 && t < groups[g].target_count; t++) {
            status = mem_array_grow((void **)&carry->pieces, &carry->cap, carry->count + 1,
                sizeof(*carry->pieces), TIER_PIECES_MAX);
            if (status == 0) {
                carry->pieces[carry->count++] =
                    (struct carry_piece){p->targets[groups[g].targets[t]], p, g, t};
            }
        }
    }
    return status;
}

static int compare_pieces(const void *a, const void *b)
{
    const struct carry_piece *x = a, *y = b;
    return x->target < y->target ? -1 : x->target > y->target;
}

int tier_carry_open(struct tsdb *db, uint16_t tier, int64_t day, struct tier_carry *carry_out)
{
    struct tier_carry *carry = carry_out;
    *carry =
        (struct tier_carry){.db = db, .tier = tier, .from = day * DAY_MS, .to = (day + 1) * DAY_MS};
    cursor_pool_init(&carry->pool);
    arena_init(&carry->scratch, 0);
    int status = db->retention.count > 0 ? retention_resolve(&db->retention, db->index, NULL) : 0;
    for (size_t i = 0; status == 0 && i < db->view->count; i++) {
        struct store_part *p = db->view->parts[i];
        status = is_replaced(carry, p, day) ? add_pieces(carry, p) : 0;
    }
    if (carry->count > 1) {
        qsort(carry->pieces, carry->count, sizeof(*carry->pieces), compare_pieces);
    }
    return status;
}

void tier_carry_close(struct tier_carry *carry)
{
    if (carry->db != NULL) {
        mem_free(carry->pieces);
        cursor_pool_release(&carry->pool);
        arena_release(&carry->scratch);
    }
}

size_t tier_carry_target_end(const struct tier_carry *carry, size_t first)
{
    size_t end = first;
    while (end < carry->count && carry->pieces[end].target == carry->pieces[first].target) {
        end++;
    }
    return end;
}

size_t tier_carry_find(const struct tier_carry *carry, uint32_t target)
{
    size_t low = 0, high = carry->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (carry->pieces[middle].target < target) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* ---- Columns ---- */

static const struct schema_map *schema_of(const struct carry_piece *piece)
{
    return &piece->part->schemas[part_groups(piece->part->part)[piece->group].schema];
}

/* Is it the column that a series has where it has anything? */
static bool stands_for_series(const struct schema_column *c)
{
    return c->series_shape != SHAPE_OF_ALL &&
           (c->aggregate == TIER_LAST || c->aggregate == TIER_SAMPLE);
}

static bool is_listed(const struct tier_column *columns, size_t count, const struct column *column)
{
    for (size_t i = 0; i < count; i++) {
        if (columns[i].column.shape == column->shape && columns[i].column.kind == column->kind) {
            return true;
        }
    }
    return false;
}

/* Columns of samples come sorted; the few that only buckets have are put behind them. */
static bool is_of_samples(
    const struct tier_column *columns, size_t count, const struct column *column)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct column *c = &columns[middle].column;
        bool before = c->shape != column->shape ? c->shape < column->shape : c->kind < column->kind;
        if (before) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && columns[low].column.shape == column->shape &&
           columns[low].column.kind == column->kind;
}

int tier_carry_columns(
    const struct tier_carry *carry, uint32_t target, struct tier_column **columns, size_t *count)
{
    size_t cap = *count, sorted = *count;
    int status = 0;
    for (size_t i = tier_carry_find(carry, target);
         i < carry->count && carry->pieces[i].target == target; i++) {
        const struct schema_map *schema = schema_of(&carry->pieces[i]);
        for (uint32_t c = 0; status == 0 && c < schema->count; c++) {
            const struct schema_column *from = &schema->columns[c];
            const struct column column = {from->series_shape,
                from->aggregate == TIER_SAMPLE ? COLUMN_HISTOGRAM : COLUMN_FLOAT};
            if (!stands_for_series(from) || is_of_samples(*columns, sorted, &column) ||
                is_listed(*columns + sorted, *count - sorted, &column)) {
                continue;
            }
            status = mem_array_grow(
                (void **)columns, &cap, *count + 1, sizeof(**columns), TIER_PIECES_MAX);
            if (status == 0) {
                (*columns)[(*count)++] = (struct tier_column){.column = column};
            }
        }
    }
    return status;
}

/* ---- Reading ---- */

/* What is deleted and still in the part. */
static int find_hidden(struct tier_carry *carry, const struct carry_piece *piece,
    const struct schema_column *column, struct series_source *source)
{
    const struct tombstone_list *list = carry->db->view->tombstones;
    const struct tombstone **concerned =
        arena_alloc(&carry->scratch, (list->count + 1) * sizeof(*concerned));
    struct tier_deletes deletes = {
        .tombstones = concerned, .tier = carry->tier, .arena = &carry->scratch};
    for (size_t i = 0; concerned != NULL && i < list->count; i++) {
        if (tombstone_concerns(
                list->items[i], piece->part->about.sequence, carry->from, carry->to)) {
            concerned[deletes.count++] = list->items[i];
        }
    }
    const struct time_range within = {source->min_t, source->max_t};
    return concerned == NULL    ? arena_error(&carry->scratch)
           : deletes.count == 0 ? 0
                                : tier_hidden_ranges(&deletes, piece->target, column, within,
                                      &source->hidden, &source->hidden_count);
}

static int add_source(struct tier_carry *carry, const struct carry_piece *piece,
    const struct schema_column *column, struct tier_sources *sources)
{
    const struct part_group *group = &part_groups(piece->part->part)[piece->group];
    struct series_source *s = arena_alloc(&carry->scratch, sizeof(*s));
    bool shared = column->series_shape == SHAPE_OF_ALL;
    if (s == NULL) {
        return arena_error(&carry->scratch);
    }
    *s = (struct series_source){
        .next = (struct series_source *)(uintptr_t)(shared ? sources->shared : sources->tiers),
        .min_t = group->min_t,
        .max_t = group->max_t,
        .precedence = piece->part->about.precedence,
        .tier = carry->tier,
        .aggregate = column->aggregate,
        .part = piece->part,
        .group = piece->group,
        .group_table = piece->table,
        .column = column->column,
        .kind = (enum column_kind)column->kind};
    *(shared ? &sources->shared : &sources->tiers) = s;
    return find_hidden(carry, piece, column, s);
}

static int find_sources(
    struct tier_carry *carry, uint32_t target, uint32_t shape, struct tier_sources *sources_out)
{
    int status = 0;
    *sources_out = (struct tier_sources){.kept_from = INT64_MIN, .closed_through = INT64_MIN};
    for (size_t i = tier_carry_find(carry, target);
         i < carry->count && carry->pieces[i].target == target; i++) {
        const struct schema_map *schema = schema_of(&carry->pieces[i]);
        for (uint32_t c = 0; status == 0 && c < schema->count; c++) {
            const struct schema_column *column = &schema->columns[c];
            if (column->series_shape == shape || column->series_shape == SHAPE_OF_ALL) {
                status = add_source(carry, &carry->pieces[i], column, sources_out);
            }
        }
    }
    return status;
}

/* What a reader of runs does with one; an error ends the reading. */
typedef int on_run_function(void *context, const struct column_run *run);

/* The runs of a series; none when no replaced part has it. The scratch arena is used anew. */
static int read_series(struct tier_carry *carry, uint32_t target, uint32_t shape,
    on_run_function *on_run, void *context, struct err *e)
{
    struct tier_sources sources;
    struct column_iter *iter = NULL;
    struct column_run run;
    const struct tier_request request = {
        .samples = {NULL, &carry->pool, carry->from + 1, carry->to, false},
        .bucket_needs = BUCKET_NEEDS_SKETCH};
    arena_release(&carry->scratch);
    int status = find_sources(carry, target, shape, &sources);
    if (status != 0 || sources.tiers == NULL) {
        return status;
    }
    status = tier_iter_open(&sources, &request, &carry->scratch, &iter, e);
    int more = status == 0;
    while (status == 0 && (more = column_iter_next(iter, &run, e)) == 1) {
        status = on_run(context, &run);
    }
    column_iter_close(iter);
    return status == 0 && more < 0 ? more : status;
}

/* Has a rule taken the samples of the series, or is it about to? */
static bool is_past(const struct tier_carry *carry, uint32_t target, uint32_t shape)
{
    const struct retention *r = &carry->db->retention;
    size_t rule = retention_rule_of(r, target, shape);
    return rule < r->count && r->keep_ms[rule] > 0 &&
           carry->to - 1 < clock_now_ms(carry->db->clock) - r->keep_ms[rule];
}

/* ---- Buckets ---- */

struct carried_buckets {
    struct rollup *into;
    uint64_t samples;
    unsigned estimates;
    bool count_only, without_sketches;
};

static int put_bucket(struct rollup *r, const struct run_summary *bucket)
{
    size_t needed = r->count + 1;
    int status = mem_array_grow(
        (void **)&r->ends, &r->ends_cap, needed, sizeof(*r->ends), ROLLUP_BUCKETS_MAX);
    if (status == 0) {
        status = mem_array_grow(
            (void **)&r->buckets, &r->buckets_cap, needed, sizeof(*r->buckets), ROLLUP_BUCKETS_MAX);
    }
    if (status == 0) {
        status = mem_array_grow((void **)&r->sketches, &r->sketches_cap, needed,
            sizeof(*r->sketches), ROLLUP_BUCKETS_MAX);
    }
    if (status == 0) {
        r->ends[r->count] = rollup_bucket_end(bucket->last_t, r->resolution_ms);
        r->sketches[r->count] = NULL;
        r->buckets[r->count++] = *bucket;
        r->samples += bucket->count;
    }
    return status;
}

static int on_buckets(void *context, const struct column_run *run)
{
    struct carried_buckets *c = context;
    int status = 0;
    for (size_t i = 0; status == 0 && run->buckets != NULL && i < run->count; i++) {
        struct rollup *r = c->into;
        c->samples += run->buckets[i].count;
        if (c->count_only) {
            continue;
        }
        status = put_bucket(r, &run->buckets[i]);
        c->estimates |= run->estimates[i];
        bool has_sketch = run->sketches != NULL && run->sketches[i] != NULL;
        c->without_sketches = c->without_sketches || !has_sketch;
        if (status == 0 && has_sketch && r->with_sketches) {
            r->sketches[r->count - 1] = histogram_dup(run->sketches[i], &r->arena);
            status = r->sketches[r->count - 1] != NULL ? 0 : arena_error(&r->arena);
        }
    }
    return status;
}

int tier_carry_rollup(struct tier_carry *carry, uint32_t target, uint32_t shape, struct rollup *r,
    unsigned *estimates_out, struct err *e)
{
    struct carried_buckets c = {.into = r, .count_only = true};
    *estimates_out = 0;
    if (carry->count == 0 || (r->samples > 0 && !is_past(carry, target, shape))) {
        return 0;
    }
    int status = read_series(carry, target, shape, on_buckets, &c, e);
    if (status != 0 || c.samples <= r->samples) {
        return status;
    }
    c = (struct carried_buckets){.into = r};
    rollup_reset(r);
    status = read_series(carry, target, shape, on_buckets, &c, e);
    r->with_sketches = r->with_sketches && !c.without_sketches;
    r->falls = (c.estimates & RUN_SUM_ESTIMATED) == 0; // a sum that is known is worth keeping
    *estimates_out = c.estimates;
    return status;
}

/* ---- Histograms ---- */

struct carried_samples {
    struct arena *arena;
    struct sample_list list;
    size_t times_cap, cells_cap;
};

static int on_samples(void *context, const struct column_run *run)
{
    struct carried_samples *c = context;
    struct sample_list *list = &c->list;
    size_t needed = list->count + run->count;
    if (run->histograms == NULL || run->buckets != NULL) {
        return 0;
    }
    int status = mem_array_grow((void **)&list->times, &c->times_cap, needed, sizeof(*list->times),
        TIER_HISTOGRAM_SAMPLES_MAX);
    if (status == 0) {
        status = mem_array_grow((void **)&list->histograms, &c->cells_cap, needed,
            sizeof(*list->histograms), TIER_HISTOGRAM_SAMPLES_MAX);
    }
    struct strbuf bytes = STRBUF_INIT;
    for (size_t i = 0; status == 0 && i < run->count; i++) {
        strbuf_reset(&bytes);
        histogram_encode(run->histograms[i], &bytes);
        char *copy = strbuf_error(&bytes) == 0 ? arena_dup(c->arena, bytes.data, bytes.size) : NULL;
        status = copy != NULL ? 0 : ERR_NOMEM;
        list->times[list->count] = run->times[i];
        list->histograms[list->count] = str_make(copy, bytes.size);
        list->count += status == 0;
    }
    strbuf_release(&bytes);
    return status;
}

int tier_carry_histograms(struct tier_carry *carry, uint32_t target, uint32_t shape,
    struct arena *arena, struct sample_list *list, struct err *e)
{
    struct carried_samples c = {.arena = arena};
    if (carry->count == 0 || (list->count > 0 && !is_past(carry, target, shape))) {
        return 0;
    }
    int status = read_series(carry, target, shape, on_samples, &c, e);
    if (status == 0 && c.list.count > list->count) {
        int64_t *times = arena_dup(arena, c.list.times, c.list.count * sizeof(*times));
        struct str *cells = arena_dup(arena, c.list.histograms, c.list.count * sizeof(*cells));
        status = times != NULL && cells != NULL ? 0 : arena_error(arena);
        *list = (struct sample_list){
            .times = times, .histograms = cells, .count = status == 0 ? c.list.count : 0};
    }
    mem_free(c.list.times);
    mem_free(c.list.histograms);
    return status;
}
