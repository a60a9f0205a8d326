/* From a query's answer to samples. Label sets are made first, for all elements, and looked at for twins;
 * only then is anything written, so that a rule that fails leaves no half of its samples. */
#include "rules/rule_eval.h"

#include "base/mem.h"
#include "model/sample.h"

void rule_run_release(struct rule_run *r)
{
    rule_texts_free(r->texts);
    alert_states_release(&r->states);
    rule_series_release(&r->series);
    mem_free(r->last_error);
    *r = (struct rule_run){0};
}

/* ---- The answer ---- */

/* One element, of a vector or a scalar. */
struct element {
    const struct labels *labels; /* borrowed from the result */
    double value;
    const struct histogram *histogram; /* NULL: a float */
};

static int elements_of(struct engine_result *result, struct arena *arena,
    struct element **elements_out, size_t *count_out, struct err *e)
{
    bool scalar = result->type == PROMQL_SCALAR;
    if (!scalar && result->type != PROMQL_VECTOR) {
        return err_set(e, ERR_INVALID, -1, "rule result is not a vector or scalar");
    }
    size_t count = scalar ? 1 : result->series_count;
    struct element *elements = arena_calloc(arena, count + 1, sizeof(*elements));
    if (elements == NULL) {
        return err_set(e, arena_error(arena), -1, "%s", err_text(arena_error(arena)));
    }
    if (scalar) {
        elements[0] = (struct element){labels_empty(), result->scalar, NULL};
    }
    for (size_t i = 0; i < count && !scalar; i++) {
        const struct engine_series *s = &result->series[i];
        elements[i].labels = s->labels;
        if (s->float_count > 0) {
            elements[i].value = s->floats[0];
        } else {
            elements[i].histogram = s->histograms[0];
        }
    }
    *elements_out = elements;
    *count_out = count;
    return 0;
}

/* ---- Recording ---- */

static int record_labels(
    const struct rule_definition *d, const struct labels *sample, const struct labels **labels_out)
{
    struct labels_builder b;
    labels_builder_init_from(&b, sample);
    labels_builder_set(&b, STR(LABEL_METRIC_NAME), d->name);
    for (size_t i = 0; i < d->label_count; i++) {
        labels_builder_set(&b, d->labels[i].name, d->labels[i].value);
    }
    int status = labels_builder_finish(&b, labels_out);
    labels_builder_release(&b);
    return status;
}

/* The label sets of what is recorded, begun zeroed; each found once. */
struct recorded {
    const struct labels *labels;
};

static int label_all(const struct rule_definition *d, const struct element *elements, size_t count,
    struct recorded *recorded, struct labels_index *seen, struct err *e)
{
    int status = labels_index_reserve(seen, recorded, sizeof(*recorded), 0, count);
    for (size_t i = 0; i < count && status == 0; i++) {
        status = record_labels(d, elements[i].labels, &recorded[i].labels);
        if (status != 0) {
            break;
        }
        if (labels_index_find(seen, recorded, sizeof(*recorded), recorded[i].labels) != SIZE_MAX) {
            return err_set(e, ERR_INVALID, -1,
                "vector contains metrics with the same labelset after applying rule labels");
        }
        labels_index_add(seen, recorded, sizeof(*recorded), i);
    }
    return status != 0 ? err_set(e, status, -1, "%s", err_text(status)) : 0;
}

static int record(struct rule_run *r, struct rule_evaluation *v, const struct element *elements,
    size_t count, struct arena *arena, struct err *e)
{
    struct labels_index seen = {0};
    struct recorded *recorded = arena_calloc(arena, count + 1, sizeof(*recorded));
    if (recorded == NULL) {
        return err_set(e, arena_error(arena), -1, "%s", err_text(arena_error(arena)));
    }
    int status = label_all(r->definition, elements, count, recorded, &seen, e);
    if (status == 0 && v->limit > 0 && count > v->limit) {
        status =
            err_set(e, ERR_LIMIT, -1, "exceeded limit of %zu with %zu series", v->limit, count);
    }
    int written = 0;
    for (size_t i = 0; i < count && status == 0; i++) {
        int one = rule_series_write(&r->series, v->writes, recorded[i].labels,
            v->at_ms - v->query_offset_ms, elements[i].value, elements[i].histogram, e);
        written = one != 0 ? one : written;
        status = one == ERR_EXISTS ? 0 : one;
        v->samples += one == 0;
    }
    for (size_t i = 0; i < count; i++) {
        labels_unref(recorded[i].labels);
    }
    labels_index_release(&seen);
    return status != 0 ? status : written;
}

/* ---- Alerting ---- */

/* The function `query` of templates: an instant query at the time of the evaluation. */
struct query_hook {
    const struct rule_world *world;
    int64_t at_ms;
};

static void release_result(void *result)
{
    engine_result_release(result);
}

static int query_for_template(void *context, struct str expr, struct arena *arena,
    struct template_sample **samples_out, size_t *count_out, struct err *e)
{
    const struct query_hook *hook = context;
    struct engine_result *result = arena_calloc(arena, 1, sizeof(*result));
    if (result == NULL) {
        return err_set(e, arena_error(arena), -1, "%s", err_text(arena_error(arena)));
    }
    int status = engine_instant(
        hook->world->engine, hook->world->source, expr, hook->at_ms, hook->world->query, result, e);
    if (status != 0) {
        return status;
    }
    status = arena_on_release(arena, release_result, result);
    if (status != 0) {
        engine_result_release(result);
        return err_set(e, status, -1, "%s", err_text(status));
    }
    struct element *elements;
    size_t count;
    status = elements_of(result, arena, &elements, &count, e);
    struct template_sample *samples =
        status == 0 ? arena_calloc(arena, count + 1, sizeof(*samples)) : NULL;
    if (status != 0 || samples == NULL) {
        return status != 0 ? status : err_set(e, arena_error(arena), -1, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        samples[i] = (struct template_sample){
            labels_pairs(elements[i].labels), labels_count(elements[i].labels), elements[i].value};
    }
    *samples_out = samples;
    *count_out = count;
    return 0;
}

static int step(struct rule_run *r, const struct rule_world *world, struct rule_evaluation *v,
    const struct alert_result *results, size_t count, struct err *e)
{
    const struct alert_step step = {.at_ms = v->at_ms,
        .hold_ms = r->definition->for_ms,
        .keep_firing_ms = r->definition->keep_firing_for_ms,
        .limit = v->limit,
        .results = results,
        .result_count = count,
        .changed = v->changed,
        .context = v->context};
    if (world->lock != NULL) {
        lock_take(world->lock);
    }
    int status = alert_states_step(&r->states, &step, e);
    if (world->lock != NULL) {
        lock_give(world->lock);
    }
    return status;
}

static int expand_all(struct rule_run *r, const struct rule_world *world, struct rule_evaluation *v,
    const struct element *elements, size_t count, struct alert_result *results, struct err *e)
{
    struct query_hook hook = {world, v->at_ms};
    const struct rule_texts_world texts = {.hooks = {.query = query_for_template,
                                               .context = &hook,
                                               .external_url = world->external_url,
                                               .path_prefix = world->path_prefix,
                                               .clock = world->clock,
                                               .fs = world->fs},
        .external_labels = world->external_labels != NULL ? world->external_labels : labels_empty(),
        .external_url = world->external_url};
    for (size_t i = 0; i < count; i++) {
        int status = rule_texts_expand(r->texts, &texts, elements[i].labels, elements[i].value,
            &results[i].labels, &results[i].annotations);
        if (status != 0) {
            return err_set(e, status, -1, "%s", err_text(status));
        }
        results[i].value = elements[i].value;
    }
    return 0;
}

/* ALERTS and ALERTS_FOR_STATE of what is active now. */
static int write_alerts(struct rule_run *r, struct rule_evaluation *v, struct err *e)
{
    int written = 0;
    for (size_t i = 0; i < r->states.count; i++) {
        const struct alert_instance *alert = &r->states.items[i];
        if (alert->state == ALERT_INACTIVE) {
            continue;
        }
        for (int for_state = 0; for_state <= 1; for_state++) {
            const struct labels *labels = NULL;
            /* Whole seconds, as Prometheus writes them. */
            double value = for_state ? (double)(alert->active_at_ms / 1000) : 1;
            int status = alert_instance_series(alert, for_state, &labels);
            if (status != 0) {
                return err_set(e, status, -1, "%s", err_text(status));
            }
            status = rule_series_write(
                &r->series, v->writes, labels, v->at_ms - v->query_offset_ms, value, NULL, e);
            labels_unref(labels);
            if (status != 0 && status != ERR_EXISTS) {
                return status;
            }
            written = status != 0 ? status : written;
            v->samples += status == 0;
        }
    }
    return written;
}

static int alert(struct rule_run *r, const struct rule_world *world, struct rule_evaluation *v,
    const struct element *elements, size_t count, struct arena *arena, struct err *e)
{
    struct alert_result *results = arena_calloc(arena, count + 1, sizeof(*results));
    if (results == NULL) {
        return err_set(e, arena_error(arena), -1, "%s", err_text(arena_error(arena)));
    }
    int status = expand_all(r, world, v, elements, count, results, e);
    if (status == 0) {
        status = step(r, world, v, results, count, e);
    }
    for (size_t i = 0; i < count; i++) {
        labels_unref(results[i].labels);
        labels_unref(results[i].annotations);
    }
    if (status != 0) {
        return status;
    }
    if (v->began != NULL) {
        v->began(v->context, r);
    }
    return write_alerts(r, v, e);
}

/* ---- One evaluation ---- */

int rule_run_evaluate(struct rule_run *r, const struct rule_world *world,
    struct rule_evaluation *evaluation, struct err *e)
{
    struct engine_result result = {0};
    struct element *elements = NULL;
    struct arena arena;
    size_t count = 0;
    evaluation->samples = 0;
    int64_t at_ms = evaluation->at_ms - evaluation->query_offset_ms;
    int status = engine_instant(
        world->engine, world->source, r->definition->expr, at_ms, world->query, &result, e);
    if (status != 0) {
        return status;
    }
    arena_init(&arena, 0);
    status = elements_of(&result, &arena, &elements, &count, e);
    if (status == 0) {
        status = r->definition->alerting ? alert(r, world, evaluation, elements, count, &arena, e)
                                         : record(r, evaluation, elements, count, &arena, e);
    }
    if (status == 0 || status == ERR_EXISTS) {
        struct err ended = ERR_INIT;
        int end = rule_series_end_missed(&r->series, evaluation->writes, at_ms, &ended);
        if (end != 0 && status == 0) {
            *e = ended;
            status = end;
        }
    }
    arena_release(&arena);
    engine_result_release(&result);
    return status;
}
