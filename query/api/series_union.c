/* Series of several selectors and their samples. */
#include "api/series_union.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "model/sample.h"

/* Memory of the series of one selection. */
#define SERIES_BYTES_MAX ((size_t)1 << 30)

/* ---- Series ---- */

static int compare_series(const void *a, const void *b)
{
    return labels_cmp(
        series_labels(*(struct series *const *)a), series_labels(*(struct series *const *)b));
}

static int select_all(
    struct series_union *s, const struct series_union_options *o, size_t *total_out, struct err *e)
{
    size_t total = 0;
    s->sets = arena_calloc(&s->arena, o->selector_count, sizeof(*s->sets));
    if (s->sets == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    for (size_t i = 0; i < o->selector_count; i++) {
        struct select_request request = {.min_t = o->min_t,
            .max_t = o->max_t,
            .labels_only = o->labels_only,
            .series_enough = o->series_enough,
            .matchers = o->selectors[i].matchers,
            .matcher_count = o->selectors[i].count};
        int status = querier_select(s->querier, &request, &s->arena, &s->sets[i], e);
        if (status != 0) {
            return status;
        }
        s->set_count++;
        total += s->sets[i]->count;
    }
    *total_out = total;
    return 0;
}

/* In order, each once. */
static void gather(struct series_union *s)
{
    bool sorted = s->set_count == 1 && s->sets[0]->sorted;
    for (size_t i = 0; i < s->set_count; i++) {
        for (size_t j = 0; j < s->sets[i]->count; j++) {
            s->series[s->count++] = s->sets[i]->series[j];
        }
    }
    if (sorted || s->count == 0) {
        return;
    }
    qsort(s->series, s->count, sizeof(*s->series), compare_series);
    size_t kept = 1;
    for (size_t i = 1; i < s->count; i++) {
        if (!labels_eq(series_labels(s->series[i]), series_labels(s->series[kept - 1]))) {
            s->series[kept++] = s->series[i];
        }
    }
    s->count = kept;
}

int series_union_open(struct querier_source *source, const struct series_union_options *options,
    struct series_union *s_out, struct err *e)
{
    struct series_union s = {0};
    size_t total = 0;
    int status = querier_open(source, options->min_t, options->max_t, &s.querier, e);
    if (status != 0) {
        return status;
    }
    arena_init(&s.arena, SERIES_BYTES_MAX);
    status = select_all(&s, options, &total, e);
    if (status == 0) {
        s.series = arena_calloc(&s.arena, total, sizeof(struct series *));
        if (s.series == NULL) {
            status = err_set(e, arena_error(&s.arena), -1,
                "%zu series are more than one answer may hold", total);
        }
    }
    if (status != 0) {
        series_union_close(&s);
        return status;
    }
    gather(&s);
    *s_out = s;
    return 0;
}

void series_union_close(struct series_union *s)
{
    for (size_t i = 0; i < s->set_count; i++) {
        series_set_free(s->sets[i]);
    }
    querier_close(s->querier);
    arena_release(&s->arena);
}

size_t series_union_warnings(
    const struct series_union *s, const char *sentences[SERIES_UNION_WARNINGS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < s->set_count; i++) {
        for (size_t j = 0; j < s->sets[i]->warning_count; j++) {
            const char *sentence = s->sets[i]->warnings[j];
            size_t same = 0;
            while (same < count && strcmp(sentences[same], sentence) != 0) {
                same++;
            }
            if (same == count && count < SERIES_UNION_WARNINGS_MAX) {
                sentences[count++] = sentence;
            }
        }
    }
    return count;
}

/* ---- Samples ---- */

/* Arrays that grow in malloc memory, moved to the arena at the end. */
struct growing {
    int64_t *times;
    double *values;
    const struct histogram **histograms;
    size_t count, time_cap, value_cap, histogram_cap;
    bool has_histograms, has_floats;
};

static int make_room(struct growing *g, size_t more, size_t samples_max)
{
    size_t needed = g->count + more;
    int status =
        mem_array_grow((void **)&g->times, &g->time_cap, needed, sizeof(*g->times), samples_max);
    if (status == 0) {
        status = mem_array_grow(
            (void **)&g->values, &g->value_cap, needed, sizeof(*g->values), samples_max);
    }
    if (status == 0) {
        status = mem_array_grow((void **)&g->histograms, &g->histogram_cap, needed,
            sizeof(*g->histograms), samples_max);
    }
    return status;
}

static int add_run(
    struct growing *g, const struct column_run *run, size_t samples_max, struct arena *arena)
{
    int status = make_room(g, run->count, samples_max);
    for (size_t i = 0; status == 0 && i < run->count; i++) {
        const struct histogram *copy = NULL;
        if (run->histograms != NULL) {
            copy = histogram_dup(run->histograms[i], arena);
            status = copy == NULL ? arena_error(arena) : 0;
            g->has_histograms = true;
        } else {
            g->has_floats = true;
        }
        g->times[g->count] = run->times[i];
        g->values[g->count] = run->histograms != NULL ? 0 : run->values[i];
        g->histograms[g->count++] = copy;
    }
    return status;
}

/* dup of nothing is no failure. */
static int keep(const struct growing *g, struct arena *arena, struct series_union_samples *out)
{
    *out = (struct series_union_samples){.count = g->count};
    if (g->count == 0) {
        return 0;
    }
    out->times = arena_dup(arena, g->times, g->count * sizeof(*g->times));
    out->values = arena_dup(arena, g->values, g->count * sizeof(*g->values));
    out->histograms = arena_dup(arena, g->histograms, g->count * sizeof(*g->histograms));
    if (out->times == NULL || out->values == NULL || out->histograms == NULL) {
        return arena_error(arena);
    }
    out->values = g->has_floats ? out->values : NULL;
    out->histograms = g->has_histograms ? out->histograms : NULL;
    return 0;
}

int series_union_read(struct series *series, size_t samples_max, struct arena *arena,
    struct series_union_samples *samples_out, struct err *e)
{
    struct growing g = {0};
    struct column_iter *iter;
    struct column_run run;
    int status = series_open(series, arena, &iter, e);
    if (status != 0) {
        return status;
    }
    int more;
    while (status == 0 && (more = column_iter_next(iter, &run, e)) != 0) {
        status = more < 0 ? more : add_run(&g, &run, samples_max, arena);
    }
    column_iter_close(iter);
    if (status == 0) {
        status = keep(&g, arena, samples_out);
    }
    if (status == ERR_LIMIT && e->code == 0) {
        err_set(e, status, -1, "more than %zu samples in one series; ask for less", samples_max);
    } else if (status != 0 && e->code == 0) {
        err_set(e, status, -1, "%s", err_text(status));
    }
    mem_free(g.times);
    mem_free(g.values);
    mem_free(g.histograms);
    return status;
}

int series_union_newest(struct series *series, int64_t after, struct arena *arena,
    struct series_union_newest *newest_out, struct err *e)
{
    struct column_iter *iter;
    struct column_run run;
    bool found = false;
    int status = series_open(series, arena, &iter, e), more;
    if (status != 0) {
        return status;
    }
    while (status == 0 && (more = column_iter_next(iter, &run, e)) != 0) {
        if (more < 0) {
            status = more;
            break;
        }
        size_t last = run.count - 1;
        *newest_out = (struct series_union_newest){.t_ms = run.times[last]};
        found = newest_out->t_ms > after;
        if (run.histograms != NULL) {
            newest_out->histogram = histogram_dup(run.histograms[last], arena);
            status = newest_out->histogram == NULL ? arena_error(arena) : 0;
        } else {
            newest_out->value = run.values[last];
        }
    }
    column_iter_close(iter);
    if (status != 0) {
        return e->code != 0 ? status : err_set(e, status, -1, "%s", err_text(status));
    }
    if (!found) {
        return 0;
    }
    const struct histogram *h = newest_out->histogram;
    return !value_is_stale(h != NULL ? h->sum : newest_out->value);
}
