/* Laying the writes of an evaluation over a snapshot.
 *
 * A selection asks the snapshot, then the writes: of the metric the selector names, or of all when it names
 * none. Nothing found: the snapshot's answer goes out as it is. Otherwise each series is handed out through
 * a layer that puts its one sample at its place between the snapshot's runs (a sample the snapshot has at
 * the same time gives way: the evaluation is a repeated one).
 */
#include "rules/group_view.h"

#include <assert.h>

#include "base/mem.h"

/* ---- One series ---- */

struct layer_iter {
    struct column_iter iter;
    struct column_iter *below; /* NULL: the snapshot has no such series */
    const struct group_write *write;
    bool pending;            /* the write is still to come */
    struct column_run held;  /* of the snapshot, behind the write; count 0 = none */
    struct column_run ready; /* what next() gives: peeked at */
};

static struct layer_iter *iter_of(struct column_iter *it)
{
    return (struct layer_iter *)it;
}

/* The run without its first `n` samples. */
static struct column_run without_first(struct column_run run, size_t n)
{
    run.count -= n;
    run.times += n;
    run.values += run.values != NULL ? n : 0;
    run.histograms += run.histograms != NULL ? n : 0;
    run.buckets += run.buckets != NULL ? n : 0;
    run.estimates += run.estimates != NULL ? n : 0;
    run.sketches += run.sketches != NULL ? n : 0;
    return run;
}

static size_t first_from(const struct column_run *run, int64_t t)
{
    size_t low = 0, high = run->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (run->times[middle] < t) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct column_run take_write(struct layer_iter *self)
{
    const struct group_write *w = self->write;
    self->pending = false;
    if (self->held.count > 0 && self->held.times[0] == w->t_ms) {
        self->held = without_first(self->held, 1);
    }
    struct column_run run = {.count = 1, .times = &w->t_ms};
    if (w->histogram != NULL) {
        run.histograms = &w->histogram;
    } else {
        run.values = &w->value;
    }
    return run;
}

/* 1 and a run, 0, or an error. */
static int advance(struct layer_iter *self, struct column_run *run_out, struct err *e)
{
    if (self->held.count == 0 && self->below != NULL) {
        int status = column_iter_next(self->below, &self->held, e);
        if (status <= 0) {
            self->held.count = 0;
        }
        if (status < 0) {
            return status;
        }
    }
    struct column_run *held = &self->held;
    if (self->pending && (held->count == 0 || held->times[0] >= self->write->t_ms)) {
        *run_out = take_write(self);
        return 1;
    }
    if (held->count == 0) {
        return 0;
    }
    *run_out = *held;
    size_t before = self->pending ? first_from(held, self->write->t_ms) : held->count;
    run_out->count = before;
    *held = without_first(*held, before);
    return 1;
}

static int op_next(struct column_iter *it, struct column_run *run_out, struct err *e)
{
    struct layer_iter *self = iter_of(it);
    if (self->ready.count > 0) {
        *run_out = self->ready;
        self->ready.count = 0;
        return 1;
    }
    return advance(self, run_out, e);
}

static int op_peek(struct column_iter *it, int64_t *min_t_out, int64_t *max_t_out,
    const struct run_summary **summary_out, struct err *e)
{
    struct layer_iter *self = iter_of(it);
    if (self->ready.count == 0) {
        int status = advance(self, &self->ready, e);
        if (status <= 0) {
            self->ready.count = 0;
            return status;
        }
    }
    *min_t_out = self->ready.times[0];
    *max_t_out = self->ready.times[self->ready.count - 1];
    *summary_out = NULL;
    return 1;
}

static void op_skip(struct column_iter *it)
{
    iter_of(it)->ready.count = 0;
}

static int op_seek(struct column_iter *it, int64_t t, struct err *e)
{
    struct layer_iter *self = iter_of(it);
    struct column_run *ready = &self->ready, *held = &self->held;
    *ready = without_first(*ready, first_from(ready, t));
    if (ready->count > 0) {
        return 0;
    }
    *held = without_first(*held, first_from(held, t));
    self->pending = self->pending && self->write->t_ms >= t;
    return held->count == 0 && self->below != NULL ? column_iter_seek(self->below, t, e) : 0;
}

static void op_close_iter(struct column_iter *it)
{
    column_iter_close(iter_of(it)->below);
}

static const struct column_iter_ops iter_ops = {
    .next = op_next, .peek = op_peek, .skip = op_skip, .seek = op_seek, .close = op_close_iter};

struct layer_series {
    struct series series;
    struct series *below;
    const struct group_write *write;
};

static const struct labels *op_labels(struct series *s)
{
    return ((struct layer_series *)s)->write->labels;
}

static int op_open(
    struct series *s, struct arena *arena, struct column_iter **iter_out, struct err *e)
{
    const struct layer_series *self = (struct layer_series *)s;
    struct layer_iter *it = arena_calloc(arena, 1, sizeof(*it));
    if (it == NULL) {
        return err_set(e, arena_error(arena), -1, "%s", err_text(arena_error(arena)));
    }
    it->iter.ops = &iter_ops;
    it->write = self->write;
    it->pending = true;
    int status = self->below != NULL ? series_open(self->below, arena, &it->below, e) : 0;
    if (status == 0) {
        *iter_out = &it->iter;
    }
    return status;
}

static const struct series_ops series_ops = {.labels = op_labels, .open = op_open};

/* ---- A selection ---- */

struct layer_set {
    struct series_set set;
    struct series_set *below;
};

static void free_set(struct series_set *set)
{
    series_set_free(((struct layer_set *)set)->below);
}

/* Places of the writes that match. */
struct found {
    uint32_t *places;
    size_t count;
};

static bool write_matches(const struct group_write *w, const struct select_request *request)
{
    return w->t_ms >= request->min_t && w->t_ms <= request->max_t &&
           matchers_match(request->matchers, request->matcher_count, w->labels);
}

static const struct matcher *name_matcher(const struct select_request *request)
{
    for (size_t i = 0; i < request->matcher_count; i++) {
        const struct matcher *m = request->matchers[i];
        if (m->type == MATCHER_EQUAL && str_eq_c(m->name, LABEL_METRIC_NAME)) {
            return m;
        }
    }
    return NULL;
}

/* Counts them, and notes them when there is room for it. */
static void find_writes(
    const struct group_writes *w, const struct select_request *request, struct found *found)
{
    const struct matcher *name = name_matcher(request);
    found->count = 0;
    if (name != NULL) {
        size_t place = group_writes_of_name(w, name->value);
        while (place != SIZE_MAX) {
            if (write_matches(&w->items[place], request)) {
                if (found->places != NULL) {
                    found->places[found->count] = (uint32_t)place;
                }
                found->count++;
            }
            uint32_t next = w->items[place].next_of_name;
            place = next != 0 ? next - 1 : SIZE_MAX;
        }
        return;
    }
    for (size_t place = 0; place < w->count; place++) {
        if (write_matches(&w->items[place], request)) {
            if (found->places != NULL) {
                found->places[found->count] = (uint32_t)place;
            }
            found->count++;
        }
    }
}

/* The snapshot's series, those with a write among `found` layered; the other writes behind them. */
static int lay_over(const struct group_writes *w, const struct found *found, struct arena *arena,
    struct layer_set *set, struct err *e)
{
    struct series_set *below = set->below;
    struct series **series = arena_calloc(arena, below->count + found->count, sizeof(*series));
    struct layer_series *layers = arena_calloc(arena, found->count, sizeof(*layers));
    struct layer_series **by_place = arena_calloc(arena, w->count, sizeof(struct layer_series *));
    if (series == NULL || layers == NULL || by_place == NULL) {
        return err_set(e, arena_error(arena), -1, "%s", err_text(arena_error(arena)));
    }
    for (size_t i = 0; i < found->count; i++) {
        layers[i].series.ops = &series_ops;
        layers[i].write = &w->items[found->places[i]];
        by_place[found->places[i]] = &layers[i];
    }
    for (size_t i = 0; i < below->count; i++) {
        size_t place = labels_index_find(
            &w->index, w->items, sizeof(*w->items), series_labels(below->series[i]));
        struct layer_series *layer = place != SIZE_MAX ? by_place[place] : NULL;
        series[i] = below->series[i];
        if (layer != NULL) {
            layer->below = below->series[i];
            series[i] = &layer->series;
        }
    }
    size_t count = below->count;
    for (size_t i = 0; i < found->count; i++) {
        if (layers[i].below == NULL) {
            series[count++] = &layers[i].series;
        }
    }
    set->set = *below;
    set->set.series = series;
    set->set.sorted = below->sorted && count == below->count;
    set->set.count = count;
    set->set.free = free_set;
    return 0;
}

struct view_querier {
    struct querier querier;
    struct group_view *view;
};

static struct view_querier *querier_of(struct querier *q)
{
    return (struct view_querier *)q;
}

static int op_select(struct querier *q, const struct select_request *request, struct arena *arena,
    struct series_set **set_out, struct err *e)
{
    const struct group_view *view = querier_of(q)->view;
    struct series_set *below = NULL;
    int status = querier_select(view->snapshot, request, arena, &below, e);
    if (status != 0) {
        return status;
    }
    struct found found = {0};
    find_writes(view->writes, request, &found);
    if (found.count == 0) {
        *set_out = below;
        return 0;
    }
    struct layer_set *set = arena_calloc(arena, 1, sizeof(*set));
    found.places = arena_calloc(arena, found.count, sizeof(*found.places));
    if (set == NULL || found.places == NULL) {
        status = err_set(e, arena_error(arena), -1, "%s", err_text(arena_error(arena)));
    } else {
        set->below = below;
        find_writes(view->writes, request, &found);
        status = lay_over(view->writes, &found, arena, set, e);
    }
    if (status != 0) {
        series_set_free(below);
        return status;
    }
    *set_out = &set->set;
    return 0;
}

static int op_label_names(struct querier *q, const struct select_request *request, size_t limit,
    struct arena *arena, struct string_list *names_out, struct err *e)
{
    struct querier *snapshot = querier_of(q)->view->snapshot;
    return snapshot->ops->label_names(snapshot, request, limit, arena, names_out, e);
}

static int op_label_values(struct querier *q, struct str name, const struct select_request *request,
    size_t limit, struct arena *arena, struct string_list *values_out, struct err *e)
{
    struct querier *snapshot = querier_of(q)->view->snapshot;
    return snapshot->ops->label_values(snapshot, name, request, limit, arena, values_out, e);
}

static int op_exemplars(struct querier *q, const struct select_request *request,
    struct arena *arena, struct exemplar_list *list_out, struct err *e)
{
    return querier_exemplars(querier_of(q)->view->snapshot, request, arena, list_out, e);
}

static void op_statistics(struct querier *q, struct querier_statistics *statistics_out)
{
    querier_statistics(querier_of(q)->view->snapshot, statistics_out);
}

static void op_close(struct querier *q)
{
    mem_free(q);
}

static const struct querier_ops querier_ops = {.select = op_select,
    .label_names = op_label_names,
    .label_values = op_label_values,
    .exemplars = op_exemplars,
    .statistics = op_statistics,
    .close = op_close};

static int open_querier(struct querier_source *source, int64_t min_t, int64_t max_t,
    struct querier **querier_out, struct err *e)
{
    (void)min_t, (void)max_t; /* the snapshot holds all times */
    struct view_querier *q = mem_calloc(1, sizeof(*q));
    if (q == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    q->querier.ops = &querier_ops;
    q->view = (struct group_view *)source;
    *querier_out = &q->querier;
    return 0;
}

int group_view_open(struct group_view *view, struct querier_source *store,
    const struct group_writes *writes, struct err *e)
{
    *view = (struct group_view){.source.open = open_querier, .writes = writes};
    return querier_open(store, INT64_MIN, INT64_MAX, &view->snapshot, e);
}

void group_view_close(struct group_view *view)
{
    querier_close(view->snapshot);
    view->snapshot = NULL;
}
