/* Sorting samples by target and time, and committing them in portions. */
#include "block/import_batch.h"

#include <stdlib.h>

#include "base/mem.h"

/* ---- The transaction ---- */

static int open_appender(struct import_sink *sink)
{
    return sink->appender != NULL ? 0
                                  : appender_open(sink->options->sink, &sink->appender, sink->e);
}

int import_series(
    struct import_sink *sink, const struct label *labels, size_t count, struct series_ref *ref_out)
{
    int status = open_appender(sink);
    if (status == 0) {
        status = appender_series(sink->appender, labels, count, NULL, ref_out, sink->e);
    }
    sink->counts->series += status == 0;
    return status;
}

int import_commit(struct import_sink *sink)
{
    struct appender *appender = sink->appender;
    struct append_counts counts;
    if (appender == NULL) {
        return 0;
    }
    sink->appender = NULL;
    sink->pending = 0;
    int status = appender_commit(appender, COMMIT_AS_CONFIGURED, &counts, sink->e);
    if (status != 0) {
        return status;
    }
    sink->counts->samples += counts.samples;
    sink->counts->histograms += counts.histograms;
    sink->counts->exemplars += counts.exemplars;
    return sink->options->committed != NULL
               ? sink->options->committed(sink->options->context, sink->e)
               : 0;
}

void import_abandon(struct import_sink *sink)
{
    appender_rollback(sink->appender);
    sink->appender = NULL;
}

/* What became of one: a refusal is counted, the rest goes on. */
static int settle(struct import_sink *sink, int status)
{
    if (status == ERR_RANGE || status == ERR_INVALID) {
        sink->counts->refused++;
        return 0;
    }
    if (status != 0) {
        return err_set(sink->e, status, -1, "a sample cannot be taken: %s", err_text(status));
    }
    return ++sink->pending >= IMPORT_COMMIT_SAMPLES ? import_commit(sink) : 0;
}

int import_item(struct import_sink *sink, const struct import_item *item)
{
    int status = open_appender(sink);
    if (status != 0) {
        return status;
    }
    if (item->histogram == NULL) {
        status = appender_append(sink->appender, item->ref, item->t_ms, item->value);
    } else if (histogram_validate(item->histogram, NULL) != 0) {
        status = ERR_INVALID;
    } else {
        status = appender_append_histogram(sink->appender, item->ref, item->t_ms, item->histogram);
    }
    return settle(sink, status);
}

int import_exemplar(struct import_sink *sink, struct series_ref ref, const struct label *labels,
    size_t count, double value, int64_t t_ms)
{
    int status = open_appender(sink);
    if (status != 0) {
        return status;
    }
    status = appender_append_exemplar(sink->appender, ref, labels, count, value, t_ms);
    /* More of a series and minute than the store keeps: the others go on. */
    return settle(sink, status == ERR_LIMIT ? ERR_RANGE : status);
}

int import_metadata(struct import_sink *sink, struct str metric, enum metric_type type,
    struct str help, struct str unit)
{
    int status = open_appender(sink);
    if (status != 0) {
        return status;
    }
    status = appender_set_metadata(sink->appender, metric, type, help, unit);
    /* A sink may have no place for metadata, or for such a long text. */
    return settle(sink, status == ERR_UNSUPPORTED || status == ERR_LIMIT ? ERR_RANGE : status);
}

/* ---- The batch ---- */

int import_batch_add(struct import_batch *b, const struct import_item *item)
{
    int status = mem_array_grow(
        (void **)&b->items, &b->cap, b->count + 1, sizeof(*b->items), IMPORT_BATCH_SAMPLES + 65536);
    if (status == 0) {
        b->items[b->count++] = *item;
    }
    return status;
}

/* References are opaque; that those of one target are neighbours is all that is used. */
static int compare_items(const void *a, const void *b)
{
    const struct import_item *x = a, *y = b;
    if (x->ref.target != y->ref.target) {
        return x->ref.target < y->ref.target ? -1 : 1;
    }
    if (x->t_ms != y->t_ms) {
        return x->t_ms < y->t_ms ? -1 : 1;
    }
    return x->ref.column < y->ref.column ? -1 : x->ref.column > y->ref.column;
}

int import_batch_flush(struct import_batch *b, struct import_sink *sink)
{
    int status = 0;
    if (b->count > 1) {
        qsort(b->items, b->count, sizeof(*b->items), compare_items);
    }
    for (size_t i = 0; status == 0 && i < b->count; i++) {
        status = import_item(sink, &b->items[i]);
    }
    b->count = 0;
    arena_release(&b->arena);
    return status;
}

void import_batch_release(struct import_batch *b)
{
    mem_free(b->items);
    arena_release(&b->arena);
}
