/* Export to Prometheus' blocks: one selection a block, one pass over its series.
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
    if (run->resolution_ms != 0) {
        return 0; /* the samples themselves are gone */
    }
    if (of_histograms != x->of_histograms) {
        status = flush(x);
        x->of_histograms = of_histograms;
    }
    for (size_t i = 0; status == 0 && i < run->count; i++) {
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

static int write_block(struct export *x, struct series_set *set, int64_t start)
{
    struct block_meta meta = name_block(x->options, start);
    int status = block_writer_open(&x->writer, x->options->fs, x->options->directory, &meta, x->e);
    if (status == 0 && !set->sorted) {
        qsort(set->series, set->count, sizeof(struct series *), compare_series);
    }
    x->last_t = INT64_MIN;
    for (size_t i = 0; status == 0 && i < set->count; i++) {
        status = export_series(x, set->series[i]);
    }
    if (status == 0) {
        /* A block that claimed the rest of its range would keep Prometheus from taking new samples. */
        x->writer.meta.max_t = x->last_t + 1;
        status = block_writer_finish(&x->writer, x->options->external, x->e);
    }
    block_writer_close(&x->writer);
    return status;
}

/* The block of [start, start + range). */
static int export_range(struct export *x, int64_t start, struct block_export_counts *counts)
{
    const struct block_export_options *o = x->options;
    struct querier *q = NULL;
    struct series_set *set = NULL;
    struct arena arena;
    int64_t end = start + o->range_ms - 1;
    struct select_request request = {.min_t = start > o->min_t ? start : o->min_t,
        .max_t = end < o->max_t ? end : o->max_t,
        .matchers = o->matchers,
        .matcher_count = o->matcher_count};
    arena_init(&arena, 0);
    int status = querier_open(o->source, request.min_t, request.max_t, &q, x->e);
    if (status == 0) {
        status = querier_select(q, &request, &arena, &set, x->e);
    }
    if (status == 0 && set->warning_count > 0) {
        /* A block that lacks samples must not pass for a whole one. */
        status = err_set(x->e, ERR_CORRUPT, -1, "%s", set->warnings[0]);
    }
    if (status == 0 && set->count > 0) {
        status = write_block(x, set, start);
        const struct block_meta *meta = &x->writer.meta;
        counts->blocks += status == 0 && meta->samples > 0;
        counts->series += status == 0 ? meta->series : 0;
        counts->samples += status == 0 ? meta->samples : 0;
        counts->chunks += status == 0 ? meta->chunks : 0;
    }
    series_set_free(set);
    querier_close(q);
    arena_release(&arena);
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
