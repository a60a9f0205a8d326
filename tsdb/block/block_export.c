/* Export to Prometheus' blocks: one look at the selections a block, one pass over their series.
 *
 * Samples are gathered over the borders of runs until a chunk is full. Memory: what the selection takes,
 * 24 bytes for each chunk written, and the histograms of one series.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "block/block_writer.h"
#include "tsdb/block.h"
#include "tsdb/chunk.h"

struct export
{
    const struct block_export_options *options;
    struct block_writer writer;
    struct arena arena; /* histograms and iterators of one series */
    int64_t times[CHUNK_SAMPLES_MAX];
    double values[CHUNK_SAMPLES_MAX];
    const struct histogram *histograms[CHUNK_SAMPLES_MAX];
    const struct histogram *before; /* the last one written of this series */
    size_t count;
    bool of_histograms;
    int64_t min_t, max_t; /* of the block's samples */
    int64_t last_t;
    struct err *e;
};

static int flush(struct export *x)
{
    int status = 0;
    if (x->count > 0 && x->of_histograms) {
        status = block_writer_histograms(&x->writer, x->times, x->histograms, x->count, x->before);
        x->before = x->histograms[x->count - 1];
    } else if (x->count > 0) {
        status = block_writer_floats(&x->writer, x->times, x->values, x->count);
        x->before = NULL;
    }
    x->count = 0;
    return status;
}

static int add_run(struct export *x, const struct column_run *run)
{
    int status = 0;
    bool of_histograms = run->histograms != NULL;
    if (run->resolution_ms != 0 && !x->options->tiers) {
        return 0; /* the samples themselves are gone */
    }
    if (of_histograms != x->of_histograms) {
        status = flush(x);
        x->of_histograms = of_histograms;
    }
    for (size_t i = 0; status == 0 && i < run->count; i++) {
        if (run->times[i] < x->min_t || run->times[i] > x->max_t) {
            continue; /* of a bucket that lies in two blocks */
        }
        x->times[x->count] = run->times[i];
        if (of_histograms) {
            x->histograms[x->count] = histogram_dup(run->histograms[i], &x->arena);
            status = x->histograms[x->count] == NULL ? arena_error(&x->arena) : 0;
        } else {
            x->values[x->count] = run->values[i];
        }
        if (status == 0) {
            x->last_t = run->times[i] > x->last_t ? run->times[i] : x->last_t;
            status = ++x->count == CHUNK_SAMPLES_MAX ? flush(x) : 0;
        }
    }
    return status;
}

static int export_series(struct export *x, struct series *series)
{
    struct column_iter *it = NULL;
    struct column_run run;
    x->before = NULL;
    int status = block_writer_series(&x->writer, series_labels(series));
    if (status == 0) {
        status = series_open(series, &x->arena, &it, x->e);
    }
    while (status == 0 && (status = column_iter_next(it, &run, x->e)) == 1) {
        status = add_run(x, &run);
    }
    column_iter_close(it);
    status = status == 0 ? flush(x) : status;
    arena_release(&x->arena);
    return status;
}

static int compare_series(const void *a, const void *b)
{
    return labels_cmp(
        series_labels(*(struct series *const *)a), series_labels(*(struct series *const *)b));
}

/* Bytewise the name depends on the range and the seed alone. */
static struct block_meta name_block(const struct block_export_options *options, int64_t start)
{
    struct block_meta meta = {.min_t = start, .max_t = start + options->range_ms};
    ulid_write(options->now_ms, hash128(&start, sizeof(start), options->seed), meta.ulid);
    return meta;
}

static int write_block(struct export *x, struct series *const *series, size_t count, int64_t start)
{
    struct block_meta meta = name_block(x->options, start);
    int status = block_writer_open(&x->writer, x->options->fs, x->options->directory, &meta, x->e);
    x->last_t = INT64_MIN;
    for (size_t i = 0; status == 0 && i < count; i++) {
        bool again = i > 0 && compare_series(&series[i - 1], &series[i]) == 0;
        status = again ? 0 : export_series(x, series[i]);
    }
    if (status == 0) {
        /* A block that claimed the rest of its range would keep Prometheus from taking new samples. */
        x->writer.meta.max_t = x->last_t + 1;
        status = block_writer_finish(&x->writer, x->options->external, x->e);
    }
    block_writer_close(&x->writer);
    return status;
}

/* What is selected of one block: a set for each selection, and the series of all of them in order. */
struct selected {
    struct querier *querier;
    struct arena arena;
    struct series_set *sets[BLOCK_SELECTIONS_MAX];
    struct series **series; /* in the arena; one that two selections name comes twice */
    size_t set_count, count;
};

static int select_one(struct export *x, struct selected *s, const struct block_selection *what)
{
    const struct select_request request = {.min_t = x->min_t,
        .max_t = x->max_t,
        .matchers = what->matchers,
        .matcher_count = what->count};
    struct series_set *set = NULL;
    int status = querier_select(s->querier, &request, &s->arena, &set, x->e);
    if (status != 0) {
        return status;
    }
    s->sets[s->set_count++] = set;
    s->count += set->count;
    /* A block that lacks samples must not pass for a whole one. */
    return set->warning_count > 0 ? err_set(x->e, ERR_CORRUPT, -1, "%s", set->warnings[0]) : 0;
}

static int select_all(struct export *x, struct selected *s)
{
    static const struct block_selection everything = {NULL, 0};
    const struct block_export_options *o = x->options;
    int status = querier_open(o->source, x->min_t, x->max_t, &s->querier, x->e);
    for (size_t i = 0; status == 0 && i < o->selection_count; i++) {
        status = select_one(x, s, &o->selections[i]);
    }
    if (status == 0 && o->selection_count == 0) {
        status = select_one(x, s, &everything);
    }
    if (status != 0 || s->count == 0) {
        return status;
    }
    s->series = arena_alloc(&s->arena, s->count * sizeof(struct series *));
    if (s->series == NULL) {
        return arena_error(&s->arena);
    }
    for (size_t i = 0, at = 0; i < s->set_count; i++) {
        memcpy(s->series + at, s->sets[i]->series, s->sets[i]->count * sizeof(struct series *));
        at += s->sets[i]->count;
    }
    qsort(s->series, s->count, sizeof(struct series *), compare_series);
    return 0;
}

/* The block of [start, start + range). */
static int export_range(struct export *x, int64_t start, struct block_export_counts *counts)
{
    const struct block_export_options *o = x->options;
    struct selected s = {.querier = NULL};
    int64_t end = start + o->range_ms - 1;
    x->min_t = start > o->min_t ? start : o->min_t;
    x->max_t = end < o->max_t ? end : o->max_t;
    arena_init(&s.arena, 0);
    int status = select_all(x, &s);
    if (status == 0 && s.count > 0) {
        status = write_block(x, s.series, s.count, start);
        const struct block_meta *meta = &x->writer.meta;
        counts->blocks += status == 0 && meta->samples > 0;
        counts->series += status == 0 ? meta->series : 0;
        counts->samples += status == 0 ? meta->samples : 0;
        counts->chunks += status == 0 ? meta->chunks : 0;
    }
    for (size_t i = 0; i < s.set_count; i++) {
        series_set_free(s.sets[i]);
    }
    querier_close(s.querier);
    arena_release(&s.arena);
    return status;
}

static int64_t floor_to(int64_t t, int64_t range)
{
    int64_t over = t % range;
    return t - (over < 0 ? over + range : over);
}

int block_export(const struct block_export_options *options, struct block_export_counts *counts_out,
    struct err *e)
{
    struct err local = ERR_INIT;
    struct block_export_options with_defaults = *options;
    struct block_export_counts counts = {.blocks = 0};
    struct export *x = mem_calloc(1, sizeof(*x));
    with_defaults.fs = options->fs != NULL ? options->fs : vfs_posix();
    int status = x != NULL ? vfs_mkdir_all(with_defaults.fs, options->directory) : ERR_NOMEM;
    status = options->selection_count > BLOCK_SELECTIONS_MAX ? ERR_LIMIT : status;
    if (x != NULL) {
        x->options = &with_defaults;
        x->e = &local;
        arena_init(&x->arena, 0);
    }
    int64_t start = floor_to(options->min_t, options->range_ms);
    for (; status == 0 && start <= options->max_t; start += options->range_ms) {
        status = export_range(x, start, &counts);
    }
    mem_free(x);
    *counts_out = counts;
    if (status != 0 && local.code != status) {
        err_set(&local, status, -1, "export to %s: %s", options->directory, err_text(status));
    }
    if (status != 0 && e != NULL) {
        *e = local;
    }
    return status;
}
